import { describe, expect, test } from "vitest";
import { DataError, type Dataset, syntheticDigits } from "../../src/data/index.ts";
import { batchNorm, conv2d, dense, flatten, type Layer, sequential } from "../../src/nn/index.ts";
import { add, crossEntropy, log, mul, relu, sqrt, square, sub } from "../../src/ops/index.ts";
import { adam, clipByGlobalNorm, type Optimizer, sgd } from "../../src/optim/index.ts";
import { ProductVariablePool, poolSizeFor, VariableFactory } from "../../src/smh/index.ts";
import { assign, Generator, ShapeError, type Tensor, tensor, ValueError } from "../../src/tensor/index.ts";
import { evaluate, TrainingError, type TrainOptions, train } from "../../src/train/index.ts";
import { DenseVariables, scope, type VariableCreator, weightsOf } from "../../src/variables/index.ts";

const digits = (count = 32): Dataset => syntheticDigits(count, new Generator(1), { height: 8, width: 8 });
const withInput = (at: number, value: number): Dataset => {
  const data = digits();
  const inputs = Float32Array.from(data.inputs);
  inputs[at] = value;
  return { ...data, inputs };
};

type Built = { vars: VariableCreator; model: Layer; optimizer: Optimizer };
function built(
  middle: (x: Tensor) => Tensor = (x) => x,
  make: () => VariableCreator = () => new DenseVariables({ seed: 1 }),
): Built {
  const vars = make();
  const [first, last] = [dense(scope(vars, "a"), 64, 8), dense(scope(vars, "block/b"), 8, 10)];
  const model: Layer = (x) => last(middle(first(flatten()(x))));
  return { vars, model, optimizer: adam(vars.parameters()) };
}
const normalized = (): Built => {
  const vars = new DenseVariables({ seed: 1 });
  const model = sequential(flatten(), batchNorm(scope(vars, "norm"), 64), dense(scope(vars, "out"), 64, 10));
  return { vars, model, optimizer: sgd(vars.parameters()) };
};
const bits = (vars: VariableCreator): string => JSON.stringify([...weightsOf(vars)].map(([name, x]) => [name, [...x.toArray()]]));

/** What training says, having checked that the step that fails changes nothing: neither weights nor statistics. */
async function failure(model: Built, options: Partial<TrainOptions> = {}): Promise<string> {
  let before = bits(model.vars);
  const onBatch = (): void => {
    before = bits(model.vars);
  };
  const error: unknown = await train({ ...model, data: digits(), batchSize: 8, onBatch, ...options }).catch((e) => e);
  expect(error).toBeInstanceOf(TrainingError);
  expect(bits(model.vars)).toBe(before);
  return error instanceof Error ? error.message : "";
}

describe("a number that is not finite in the data", () => {
  test.each([Number.NaN, Number.POSITIVE_INFINITY])("is named with its example, axes and index: %s", async (value) => {
    const place = 64 * 9 + 8 * 3 + 5;
    const text = `input [3, 5, 0] of example 9 (inputs[${place}]) is ${value}`;
    for (const model of [built(), normalized()])
      expect(await failure(model, { data: withInput(place, value) })).toContain(`: the data hold it: ${text}`);
  });

  test("that float32 cannot hold is named with its value", async () => {
    const data = { ...digits(), inputs: Float64Array.from(digits().inputs) };
    data.inputs[70] = 1e300;
    expect(await failure(built(), { data })).toContain("of example 1 (inputs[70]) is 1e+300, which is Infinity in float32");
  });
});

describe("the first op whose result is not finite", () => {
  test("is named with the layer before it, and with its example", async () => {
    const model = built((x) => log(sub(x, x)));
    expect(await failure(model)).toBe(
      'train: the loss is NaN in epoch 1, batch 1: log after layer "a" is the first op whose result is not finite, it holds -Infinity in all 8 examples of the batch; look for such numbers, log(0) and 0/0 in the data and the weights',
    );
  });

  test("is named before the first layer, even if the op is not recorded", async () => {
    const model = built();
    const early: Built = { ...model, model: (x) => model.model(log(x)) };
    const data = withInput(64 * 13, 0);
    const inputs = Float32Array.from(data.inputs, (v, i) => (i === 64 * 13 ? 0 : v + 1));
    expect(await failure(early, { data: { ...data, inputs } })).toMatch(
      /: log, before the first layer, is the first op whose result is not finite, it holds -Infinity in example 13 of the data; /,
    );
  });

  test("is named with the layer whose variable the op reads, dense or from a pool", async () => {
    const pooled = (): VariableCreator => {
      const build = (vars: VariableCreator): unknown => [dense(scope(vars, "a"), 64, 8), dense(scope(vars, "block/b"), 8, 10)];
      return new VariableFactory({ pool: new ProductVariablePool({ poolSize: poolSizeFor(build), fraction: 0.5, seed: 1 }) });
    };
    for (const make of [undefined, pooled]) {
      const model = built((x) => mul(add(mul(x, 0), 3e38), 1), make);
      const scaled: Built = { ...model, model: (x) => model.model(x) };
      expect(await failure(scaled)).toMatch(/: matmul in layer "block\/b" is the first op whose result is not finite, it holds /);
    }
  });

  test("is not a mask of -Infinity that softmax turns into zeros", async () => {
    const model = built((x) => relu(x));
    const masked: Layer = (x) => add(model.model(x), tensor([0, 0, 0, 0, 0, 0, 0, 0, 0, Number.NEGATIVE_INFINITY]));
    const data = { ...digits(8), labels: new Int32Array(8) };
    const loss: TrainOptions["loss"] = (logits, labels) => mul(crossEntropy(logits, labels), log(sub(1, tensor(1))));
    expect(await failure({ ...model, model: masked }, { data, loss: loss! })).toMatch(
      /: log, before the first layer, is the first op/,
    );
  });
});

test("the error names a variable that is not finite", async () => {
  const model = built();
  const bias = model.vars.parameters().find(({ name }) => name === "block/b/bias")!;
  assign(bias.tensor, new Array(10).fill(Number.NaN));
  expect(await failure(model)).toContain('matmul in layer "block/b" reads the variable "block/b/bias", which holds NaN; ');
});

describe("a gradient that is not finite", () => {
  const rooted = (): Built => built((x) => sqrt(mul(square(x), 0)));

  test("is named with the op that computed the gradient, before anything changes", async () => {
    const text = await failure(rooted());
    expect(text).toMatch(
      /^train: the gradient of "a\/kernel" holds NaN in epoch 1, batch 1: sqrt after layer "a" is the first op whose/,
    );
    expect(text).toMatch(/; nothing was changed$/);
  });

  test("is named even if beforeUpdate throws an error about the gradient", async () => {
    const model = rooted();
    const beforeUpdate = (): void => void clipByGlobalNorm(model.vars.parameters(), 1);
    expect(await failure(model, { beforeUpdate })).toMatch(/: sqrt after layer "a" is the first op whose gradient/);
  });

  test("is attributed to beforeUpdate if only beforeUpdate caused the gradient", async () => {
    const model = built();
    const beforeUpdate = (): void => void model.vars.parameters()[0]!.tensor.leaf!.buffer!.fill(Number.NaN);
    expect(await failure(model, { beforeUpdate })).toMatch(
      /"a\/kernel" holds NaN in epoch 1, batch 1: beforeUpdate changed it; /,
    );
  });
});

test("the error names running statistics that overflow and the largest input, and the statistics stay unchanged", async () => {
  const text = await failure(normalized(), { data: withInput(7, 1e25) });
  expect(text).toMatch(
    /^train: "norm\/moving_variance" of layer "norm" is no longer finite in epoch 1, batch \d: element 7 is Infinity: the largest input of the batch is 9\.99\d*e\+24, in example 0 of the data; /,
  );
});

test("evaluate names the first op whose result is not finite", async () => {
  const { model } = built((x) => log(sub(x, x)));
  await expect(evaluate({ model, data: digits() })).rejects.toThrow(
    /^evaluate: the loss is NaN in batch 1: log after layer "a" is/,
  );
});

describe("train and evaluate refuse", () => {
  const go = (options: object): Promise<unknown> => train({ ...built(), data: digits(8), batchSize: 4, ...options });
  const wrong = (value: unknown): TrainOptions => value as TrainOptions;
  test.each([
    [{ loss: async () => null }, ValueError, /^train: loss must not be async/],
    [{ model: async () => null }, ValueError, /^train: model must not be async/],
    [{ model: () => 3 }, ValueError, /^train: what the model returns must be a tensor, got 3/],
    [
      { model: (x: Tensor) => x },
      ShapeError,
      /^train: the model returned \[4, 8, 8, 1\] for 4 examples: need \[batch, classes\]$/,
    ],
    [{ model: () => tensor([[1], [1], [1], [1]]) }, ShapeError, /^train: the model returned \[4, 1\], one number per example, /],
    [{ loss: (x: Tensor) => x }, ShapeError, /^train: loss returned \[4, 10\]: need a single number/],
    [{ epochs: 2 ** 53 }, ValueError, /^train: epochs must be a whole number of at least 0 and at most 2147483648/],
    [{ batchSize: Number.NaN }, ValueError, /^train: batchSize must be a whole number of at least 1, got NaN/],
    [{ seed: 0.5 }, ValueError, /^train: seed must be a whole number, got 0.5/],
    [{ signal: {} }, ValueError, /^train: signal must be an AbortSignal, got an object/],
    [{ onEpoch: 1 }, ValueError, /^train: onEpoch must be a function, got 1/],
    [{ optimizer: null }, ValueError, /^train: optimizer must be an object, got null/],
    [{ data: null }, ValueError, /^train: data must be an object, got null/],
    [{ data: digits(0) }, DataError, /^train: the dataset has no examples$/],
    [{ batchsize: 4 }, ValueError, /^train: unknown option "batchsize"; did you mean "batchSize"\?$/],
  ] as const)("%j", async (options, kind, text) => {
    await expect(go(options)).rejects.toThrow(kind);
    await expect(go(options)).rejects.toThrow(text);
  });

  test.each([null, undefined, 1, "x", [], {}])("%s instead of options", async (value) => {
    await expect(train(wrong(value))).rejects.toThrow(/^train: /);
    await expect(evaluate(wrong(value))).rejects.toThrow(/^evaluate: /);
  });
});

test("a run that resumes beyond its last epoch ends immediately", async () => {
  const history = await train({ ...built(), data: digits(8), epochs: 2 ** 31, firstEpoch: 2 ** 31 + 1 });
  expect(history).toEqual({ epochs: [], aborted: false, bestEpoch: null });
});

test("the error names a convolution with its layer and the example with the pixel that overflows", async () => {
  const vars = new DenseVariables({ seed: 1 });
  const model = sequential(conv2d(scope(vars, "conv1"), 1, 4, 3), flatten(), dense(scope(vars, "out"), 144, 10));
  const data = withInput(64 * 21 + 30, 3.3e38);
  assign(vars.parameters()[0]!.tensor, new Array(36).fill(2));
  expect(await failure({ vars, model, optimizer: adam(vars.parameters()) }, { data })).toMatch(
    /: conv2d in layer "conv1" is the first op whose result is not finite, it holds Infinity in example 21 of the data; /,
  );
});
