import { describe, expect, test } from "vitest";
import { type Batch, type Data, DataError, lengthOf, type Source, subset, syntheticDigits } from "../../src/data/index.ts";
import { batchNorm, conv2d, dense, dropout, flatten, type Layer, maxPool2d, sequential } from "../../src/nn/index.ts";
import {
  add,
  binaryCrossEntropyWithLogits,
  concat,
  crossEntropy,
  gather,
  matmul,
  mul,
  relu,
  reshape,
  softmax,
  square,
  sub,
  sum,
} from "../../src/ops/index.ts";
import { adam, sgd } from "../../src/optim/index.ts";
import { compress } from "../../src/smh/index.ts";
import {
  assignGradient,
  freeze,
  Generator,
  randomNormal,
  randomUniform,
  type Tensor,
  tensor,
  zeros,
} from "../../src/tensor/index.ts";
import {
  accuracy,
  binaryAccuracy,
  evaluate,
  f1,
  type Progress,
  precision,
  predict,
  recall,
  rSquared,
  train,
} from "../../src/train/index.ts";
import { DenseVariables, scope, type VariableCreator, weightsOf } from "../../src/variables/index.ts";

const bits = (vars: VariableCreator): Map<string, Float32Array> =>
  new Map([...weightsOf(vars)].map(([name, x]) => [name, x.toArray()]));

const mlp = (vars: VariableCreator, inputs: number, outputs: number): Layer =>
  sequential(dense(scope(vars, "hidden"), inputs, 16), relu, dense(scope(vars, "out"), 16, outputs));

/** y = 3·x₀ − 2·x₁ + 1, of 200 examples. */
const line = (): { inputs: Tensor; targets: Float32Array } => {
  const inputs = randomUniform([200, 2], new Generator(1), -1, 1);
  const targets = Float32Array.from({ length: 200 }, (_, i) => 3 * inputs.data[2 * i]! - 2 * inputs.data[2 * i + 1]! + 1);
  return { inputs, targets };
};
const squared = (y: Tensor, t: Tensor): Tensor => mul(sum(square(sub(y, t))), 1 / y.size);

describe("train learns", () => {
  test("regression, with float targets and R²", async () => {
    const vars = new DenseVariables({ seed: 1 });
    const model = mlp(vars, 2, 1);
    const data = line();
    const options = { model, data, loss: squared, metrics: { r2: rSquared(), mse: squared } };
    const { epochs } = await train({
      ...options,
      optimizer: adam(vars.parameters(), { learningRate: 0.01 }),
      epochs: 40,
      batchSize: 20,
    });
    expect(epochs.at(-1)!.accuracy).toBeNaN();
    const { loss, metrics, confusion } = await evaluate({ ...options, batchSize: 64 });
    expect(metrics.r2).toBeGreaterThan(0.99);
    expect(metrics.mse).toBeCloseTo(loss, 6);
    expect(confusion).toEqual([]);
  });

  test("binary classification with one logit", async () => {
    const vars = new DenseVariables({ seed: 1 });
    const model = mlp(vars, 2, 1);
    const { inputs, targets } = line();
    const data = { inputs, targets: targets.map((y) => (y > 1 ? 1 : 0)) };
    const loss = (logits: Tensor, t: Tensor): Tensor => binaryCrossEntropyWithLogits(logits, t);
    const metrics = {
      accuracy: (y: Tensor, t: Tensor) => binaryAccuracy(y, t),
      f1: f1(),
      precision: precision(),
      recall: recall(),
    };
    await train({ model, data, loss, optimizer: adam(vars.parameters(), { learningRate: 0.01 }), epochs: 30, batchSize: 20 });
    const found = (await evaluate({ model, data, loss, metrics })).metrics;
    for (const score of Object.values(found)) expect(score).toBeGreaterThan(0.95);
  });

  test("an autoencoder, whose targets are its inputs", async () => {
    const vars = new DenseVariables({ seed: 1 });
    const x = matmul(randomNormal([100, 2], new Generator(1)), randomNormal([2, 6], new Generator(2)));
    const model = sequential(dense(scope(vars, "encoder"), 6, 2), dense(scope(vars, "decoder"), 2, 6));
    const run = { model, data: { inputs: x, targets: x }, loss: squared };
    const before = (await evaluate(run)).loss;
    await train({ ...run, optimizer: adam(vars.parameters(), { learningRate: 0.02 }), epochs: 60, batchSize: 20 });
    expect((await evaluate(run)).loss).toBeLessThan(0.05 * before);
  });

  test("a model with two inputs, two outputs and two targets", async () => {
    const vars = new DenseVariables({ seed: 1 });
    const shared = dense(scope(vars, "a"), 4, 8);
    const [kind, size] = [dense(scope(vars, "kind"), 8, 3), dense(scope(vars, "size"), 8, 1)];
    const model = (a: Tensor, b: Tensor): readonly [Tensor, Tensor] => {
      const h = relu(shared(concat([a, b], 1)));
      return [kind(h), size(h)];
    };
    const random = new Generator(1);
    const [a, b] = [randomUniform([120, 2], random), randomUniform([120, 2], random)];
    const labels = Int32Array.from({ length: 120 }, (_, i) => Math.min(2, Math.floor(3 * a.data[2 * i]!)));
    const sums = Float32Array.from({ length: 120 }, (_, i) => a.data[2 * i]! + b.data[2 * i]!);
    const data = { inputs: [a, b], targets: [labels, sums] as const };
    const loss = ([logits, y]: readonly [Tensor, Tensor], [t, s]: readonly [Int32Array, Tensor]): Tensor =>
      add(crossEntropy(logits, t), squared(y, s));
    const metrics = {
      kind: ([logits]: readonly [Tensor, Tensor], [t]: readonly [Int32Array, Tensor]): number => accuracy(logits, t),
    };
    await train({ model, data, loss, optimizer: adam(vars.parameters(), { learningRate: 0.02 }), epochs: 60, batchSize: 20 });
    const result = await evaluate({ model, data, loss, metrics });
    expect(result.metrics.kind).toBeGreaterThan(0.9);
    const outputs = await predict({ model, data, batchSize: 50 });
    expect(outputs.map((y) => y.shape)).toEqual([
      [120, 3],
      [120, 1],
    ]);
  });

  test("a character model with an embedding and causal attention, of integer ids", async () => {
    const text = "hello world. ".repeat(20);
    const letters = [...new Set(text)].sort();
    const ids = Int32Array.from(text, (c) => letters.indexOf(c));
    const [time, width, n] = [8, 16, letters.length];
    const source: Source<Tensor> = {
      length: 200,
      batch: (indices) => {
        const rows = (shift: number): number[] =>
          Array.from(indices).flatMap((i) => [...ids.subarray(i + shift, i + shift + time)]);
        return { inputs: tensor(rows(0), [indices.length, time]), targets: tensor(rows(1), [indices.length, time]) };
      },
    };
    const vars = new DenseVariables({ seed: 1 });
    const table = vars.create("embedding", [n, width]);
    const places = vars.create("places", [time, width]);
    const [q, k, v] = ["q", "k", "v"].map((name) => dense(scope(vars, name), width, width));
    const out = dense(scope(vars, "out"), width, n);
    const mask = tensor(Array.from({ length: time }, (_, i) => Array.from({ length: time }, (_, j) => (j > i ? -1e9 : 0))));
    const model: Layer = (x) => {
      const embedded = reshape(gather(table.read(), Int32Array.from(x.data)), [...x.shape, width]);
      const h = add(embedded, places.read());
      const scores = add(mul(matmul(q!(h), k!(h), { transposeB: true }), width ** -0.5), mask);
      return out(add(h, matmul(softmax(scores), v!(h))));
    };
    const loss = (logits: Tensor, t: Tensor): Tensor => crossEntropy(reshape(logits, [-1, n]), Int32Array.from(t.data));
    const metrics = {
      right: (logits: Tensor, t: Tensor): number => accuracy(reshape(logits, [-1, n]), Int32Array.from(t.data)),
    };
    const optimizer = adam(vars.parameters(), { learningRate: 0.02 });
    const { epochs } = await train({ model, data: source, loss, metrics, optimizer, epochs: 6, batchSize: 20 });
    expect(epochs.at(-1)!.metrics.right).toBeGreaterThan(0.8);
  });

  test("several labels for each example", async () => {
    const vars = new DenseVariables({ seed: 1 });
    const inputs = randomUniform([150, 3], new Generator(4), -1, 1);
    const targets = tensor(
      Array.from(inputs.data, (x) => (x > 0 ? 1 : 0)),
      [150, 3],
    );
    const loss = (y: Tensor, t: Tensor): Tensor => binaryCrossEntropyWithLogits(y, t);
    const run = { model: mlp(vars, 3, 3), data: { inputs, targets }, loss, metrics: { f1: f1({ average: "micro" }) } };
    await train({ ...run, optimizer: adam(vars.parameters(), { learningRate: 0.02 }), epochs: 30, batchSize: 25 });
    expect((await evaluate(run)).metrics.f1).toBeGreaterThan(0.9);
  });

  test("a class for each pixel", async () => {
    const vars = new DenseVariables({ seed: 1 });
    const inputs = randomUniform([24, 6, 6, 1], new Generator(5));
    const targets = tensor(
      Array.from(inputs.data, (x) => (x > 0.5 ? 1 : 0)),
      [24, 6, 6],
    );
    const model = sequential(conv2d(scope(vars, "a"), 1, 4, 1), relu, conv2d(scope(vars, "b"), 4, 2, 1));
    const flat = (y: Tensor): Tensor => reshape(y, [-1, 2]);
    const loss = (y: Tensor, t: Tensor): Tensor => crossEntropy(flat(y), Int32Array.from(t.data));
    const metrics = { pixels: (y: Tensor, t: Tensor): number => accuracy(flat(y), Int32Array.from(t.data)) };
    const run = { model, data: { inputs, targets }, loss, metrics };
    await train({ ...run, optimizer: adam(vars.parameters(), { learningRate: 0.05 }), epochs: 40, batchSize: 8 });
    expect((await evaluate(run)).metrics.pixels).toBeGreaterThan(0.9);
  });
});

/** Batch normalization, dropout, augmentation: everything that training remembers or draws. */
const digits = (count: number, seed: number) => syntheticDigits(count, new Generator(seed), { height: 12, width: 12 });
const imageNet = (vars: VariableCreator): Layer =>
  sequential(
    conv2d(scope(vars, "conv"), 1, 4, 3),
    batchNorm(scope(vars, "norm"), 4),
    relu,
    maxPool2d(2),
    flatten(),
    dropout(0.2, new Generator(5)),
    dense(scope(vars, "head"), 100, 10),
  );

test("validation data are scored after each epoch, in inference mode, with the same loss and metrics", async () => {
  const vars = new DenseVariables({ seed: 1 });
  const model = imageNet(vars);
  const [data, validation] = [digits(60, 1), digits(30, 2)];
  const metrics = { top: (y: Tensor, t: Int32Array): number => accuracy(y, t) };
  const optimizer = adam(vars.parameters());
  const scores: unknown[] = [];
  const onEpoch = async (): Promise<void> => {
    const { loss, accuracy: share, metrics: found } = await evaluate({ model, data: validation, metrics, batchSize: 16 });
    scores.push({ loss, accuracy: share, metrics: found });
  };
  const { epochs } = await train({ model, data, validation, metrics, optimizer, epochs: 3, batchSize: 16, onEpoch });
  expect(epochs.map((p) => p.validation)).toEqual(scores);
  expect(epochs.map((p) => p.metrics.top)).toEqual(epochs.map((p) => p.accuracy));
});

test("early stopping ends after `patience` epochs without improvement and restores the best weights, statistics included", async () => {
  const vars = new DenseVariables({ seed: 1 });
  const model = imageNet(vars);
  const snapshots: Map<string, Float32Array>[] = [];
  const [data, validation] = [digits(40, 1), digits(40, 2)];
  const history = await train({
    model,
    data,
    validation,
    optimizer: adam(vars.parameters(), { learningRate: 0.05 }),
    epochs: 100,
    batchSize: 20,
    earlyStopping: { patience: 4 },
    onEpoch: () => void snapshots.push(bits(vars)),
  });
  const losses = history.epochs.map((p) => p.validation!.loss);
  const best = losses.indexOf(Math.min(...losses));
  expect(history).toMatchObject({ bestEpoch: best + 1, aborted: false });
  expect(losses.length).toBe(best + 1 + 4);
  expect(bits(vars)).toEqual(snapshots[best]);
});

test("early stopping may monitor any metric", async () => {
  const vars = new DenseVariables({ seed: 1 });
  let calls = 0;
  const metrics = { mine: (): number => [1, 3, 2, 2, 2][calls++]! };
  const run = { model: imageNet(vars), data: digits(10, 1), optimizer: adam(vars.parameters()), epochs: 9 };
  const { epochs, bestEpoch } = await train({ ...run, metrics, earlyStopping: { monitor: "mine", mode: "max", patience: 2 } });
  expect([epochs.length, bestEpoch]).toEqual([4, 2]);
  await expect(train({ ...run, earlyStopping: { monitor: "los" } })).rejects.toThrow(/^train: monitor must be "loss"/);
  await expect(train({ ...run, earlyStopping: { patince: 2 } as never })).rejects.toThrow(
    'train: unknown option "patince"; did you mean "patience"?',
  );
});

test("accumulation over k batches equals one batch with all their examples", async () => {
  const trainedWith = async (batchSize: number, accumulate: number): Promise<Map<string, Float32Array>> => {
    const vars = new DenseVariables({ seed: 1 });
    const model = mlp(vars, 2, 1);
    const optimizer = sgd(vars.parameters(), { learningRate: 0.1, momentum: 0.9 });
    const { inputs, targets } = line();
    await train({
      model,
      optimizer,
      data: { inputs, targets },
      loss: squared,
      batchSize,
      accumulate,
      epochs: 2,
    });
    expect(optimizer.steps).toBe(2 * Math.ceil(200 / (batchSize * accumulate)));
    return bits(vars);
  };
  const whole = await trainedWith(60, 1); // 60, 60, 60, 20
  for (const [name, x] of await trainedWith(15, 4)) {
    const want = whole.get(name)!;
    for (let i = 0; i < x.length; i++) expect(x[i]).toBeCloseTo(want[i]!, 5);
  }
});

test("train awaits the hook between backward and update and uses the gradients that the hook leaves", async () => {
  const vars = new DenseVariables({ seed: 1 });
  const model = mlp(vars, 2, 1);
  const { inputs, targets } = line();
  const before = bits(vars);
  await train({
    model,
    data: { inputs, targets },
    loss: squared,
    optimizer: sgd(vars.parameters(), { learningRate: 0.5 }),
    batchSize: 200,
    beforeUpdate: async () => {
      const other = vars.parameters().map(({ tensor: x }) => mul(x.grad!, 0)); // as if another process had sent zeros
      await new Promise((resolve) => setTimeout(resolve, 5));
      await predict({ model, data: { inputs } }); // other steps may run meanwhile
      for (const [i, { tensor: x }] of vars.parameters().entries())
        assignGradient(x, i === 0 ? [...x.grad!.data].fill(2) : other[i]!);
    },
  });
  for (const [name, x] of bits(vars)) {
    const moved = name === vars.parameters()[0]!.name ? 1 : 0;
    expect([...x]).toEqual([...before.get(name)!].map((v) => Math.fround(v - moved)));
  }
});

test("a hook that fails or leaves a gradient that is not finite changes nothing", async () => {
  const vars = new DenseVariables({ seed: 1 });
  const { inputs, targets } = line();
  const run = { model: mlp(vars, 2, 1), data: { inputs, targets }, loss: squared, optimizer: adam(vars.parameters()) };
  const before = bits(vars);
  await expect(train({ ...run, beforeUpdate: () => Promise.reject(new Error("lost")) })).rejects.toThrow("lost");
  const spoil = async (): Promise<void> => assignGradient(vars.parameters()[1]!.tensor, new Float32Array(16).fill(Number.NaN));
  await expect(train({ ...run, beforeUpdate: spoil })).rejects.toThrow(
    /^train: the gradient of "hidden\/bias" holds NaN in epoch 1, batch 1: beforeUpdate changed it; .*; nothing was changed$/,
  );
  expect(bits(vars)).toEqual(before);
});

test("a transform receives every training batch with a seeded generator, and no validation batch", async () => {
  const seen: number[][] = [];
  const run = async (firstEpoch: number, epochs: number, vars = new DenseVariables({ seed: 1 })): Promise<void> => {
    await train({
      model: imageNet(vars),
      data: digits(30, 1),
      validation: digits(10, 2),
      optimizer: adam(vars.parameters()),
      batchSize: 10,
      epochs,
      firstEpoch,
      transform: ({ inputs, targets }, random) => {
        seen.push([random.uniform(), targets.length]);
        return { inputs: add(inputs as Tensor, random.uniform()), targets };
      },
    });
  };
  await run(1, 2);
  expect(seen.map(([, count]) => count)).toEqual(Array(6).fill(10));
  expect(new Set(seen.map(([draw]) => draw)).size).toBe(6);
  const whole = seen.splice(0);
  await run(2, 2);
  expect(seen).toEqual(whole.slice(3)); // a resumed run draws the same
});

test("an optimizer without the variables of a layer raises an error in the first step and changes nothing", async () => {
  const vars = new DenseVariables({ seed: 1 });
  const body = dense(scope(vars, "body"), 2, 4);
  const optimizer = adam(vars.parameters()); // too early
  const model = sequential(body, dense(scope(vars, "head"), 4, 1));
  const before = bits(vars);
  const { inputs, targets } = line();
  const run = { model, data: { inputs, targets }, loss: squared };
  await expect(train({ ...run, optimizer })).rejects.toThrow(
    'train: the optimizer does not have "head/kernel" and 1 more, which got gradients: make the optimizer after the model',
  );
  expect(bits(vars)).toEqual(before);
  freeze(scope(vars, "head").parameters());
  await train({ ...run, optimizer });
  expect(bits(vars).get("head/kernel")).toEqual(before.get("head/kernel"));
  expect(bits(vars).get("body/kernel")).not.toEqual(before.get("body/kernel"));
});

test("asynchronous data train to the same bits as data in memory", async () => {
  const trainedOn = async (data: Data): Promise<Map<string, Float32Array>> => {
    const vars = new DenseVariables({ seed: 1 });
    const loss = (y: Tensor, t: Tensor): Tensor => squared(y, t);
    await train<Data, Tensor>({
      model: mlp(vars, 2, 1),
      data,
      loss: loss as never,
      optimizer: adam(vars.parameters()),
      batchSize: 32,
    });
    return bits(vars);
  };
  const memory = line();
  const source: Source = {
    length: 200,
    batch: async (indices) => {
      await new Promise((resolve) => setTimeout(resolve));
      return {
        inputs: gather(memory.inputs, indices),
        targets: tensor(
          Float32Array.from(indices, (i) => memory.targets[i]!),
          [indices.length, 1],
        ),
      };
    },
  };
  expect(await trainedOn(source)).toEqual(await trainedOn(memory));
});

test("a compressed model with validation, dropout and augmentation trains to the same bits again and after a resume", async () => {
  const make = (): { vars: VariableCreator; model: Layer } => compress(imageNet, { fraction: 0.5, seed: 2 });
  const trainedBy = async (split: boolean): Promise<Map<string, Float32Array>> => {
    const { vars, model } = make();
    const optimizer = adam(vars.parameters());
    const run = {
      model,
      optimizer,
      data: digits(50, 1),
      batchSize: 16,
      accumulate: 2,
      transform: ({ inputs, targets }: Batch<Int32Array>, random: Generator) => ({
        inputs: mul(inputs as Tensor, 0.5 + random.uniform()),
        targets,
      }),
    };
    if (split) await train({ ...run, epochs: 1 });
    await train({ ...run, epochs: 3, firstEpoch: split ? 2 : 1 });
    return bits(vars);
  };
  expect(await trainedBy(true)).toEqual(await trainedBy(false));
});

describe("predict", () => {
  test("returns the results of all examples in order for any batch size", async () => {
    const vars = new DenseVariables({ seed: 1 });
    const model = imageNet(vars);
    const data = digits(25, 1);
    const whole = await predict({ model, data });
    expect(whole.shape).toEqual([25, 10]);
    const parts = await predict({ model, data, batchSize: 7 });
    for (let i = 0; i < whole.size; i++) expect(parts.data[i]).toBeCloseTo(whole.data[i]!, 5);
    const two = await predict({ model, data: subset(data, [3, 1]) });
    for (const [row, i] of [3, 1].entries())
      for (let j = 0; j < 10; j++) expect(two.data[10 * row + j]).toBeCloseTo(whole.data[10 * i + j]!, 5);
  });

  test("accepts inputs without targets, and data without examples", async () => {
    const vars = new DenseVariables({ seed: 1 });
    const model = mlp(vars, 2, 3);
    expect((await predict({ model, data: { inputs: zeros([4, 2]) } })).shape).toEqual([4, 3]);
    expect((await predict({ model, data: { inputs: zeros([0, 2]) } })).shape).toEqual([0, 3]);
  });

  test.each([null, undefined, 1, "x", [], {}, { model: 1, data: {} }, { model: (x: Tensor) => x, data: null }])(
    "refuses %j instead of options",
    async (value) => {
      await expect(predict(value as never)).rejects.toThrow(/^predict: /);
    },
  );
});

describe("data in memory", () => {
  const model: Layer = (x) => x;
  const refused = async (data: unknown): Promise<string> => {
    try {
      await predict({ model, data: data as Data });
      return "nothing";
    } catch (error) {
      return `${(error as Error).name}: ${(error as Error).message}`;
    }
  };

  test("integers stay integers, for ids as inputs and labels as targets", async () => {
    const seen: Batch[] = [];
    const spied = { inputs: Uint8Array.of(7, 255), targets: Uint8Array.of(1, 0) };
    const vars = new DenseVariables();
    const w = vars.create("w", [2, 2]);
    await train({
      model: (x) => add(gather(w.read(), [0, 1]), mul(reshape(x, [-1, 1]), 0)),
      data: spied,
      optimizer: adam(vars.parameters()),
      transform: (batch) => {
        seen.push({ inputs: (batch.inputs as Tensor).toNested() as never, targets: batch.targets });
        return batch;
      },
    });
    expect([...(seen[0]!.inputs as never as number[])].sort()).toEqual([255, 7]);
    expect(seen[0]!.targets).toBeInstanceOf(Int32Array);
  });

  test.each([
    [{ inputs: [1, 2] }, "DataError: predict: inputs[0] must be a tensor or a typed array, got 1; "],
    [{ inputs: tensor(1) }, "DataError: predict: inputs is a single number: need a first axis of examples"],
    [
      { inputs: [zeros([3, 1]), zeros([4, 1])] },
      "DataError: predict: inputs have 4 examples, inputs have 3: need as many of each",
    ],
    [
      { inputs: zeros([3, 1]), targets: Int32Array.of(1) },
      "DataError: predict: targets have 1 examples, inputs have 3: need as many of each",
    ],
    [
      { inputs: Int32Array.of(2 ** 24 + 1) },
      "DataError: predict: the id 16777217 at index 0 is above 2^24 and not exact in float32",
    ],
    [{ length: -1, batch: () => null }, "ValueError: predict: data.length must be a whole number of at least 0"],
    [{ length: 1, batch: 3 }, "ValueError: predict: data.batch must be a function, got 3"],
    [{ length: 1, batch: () => null }, "ValueError: predict: "],
    [{ length: 1, batch: () => ({ inputs: 3 }) }, "ValueError: predict: the inputs of the batch must be a tensor, got 3"],
  ])("predict refuses %j", async (data, text) => {
    expect(await refused(data)).toMatch(new RegExp(`^${text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}`));
  });

  test("lengthOf and subset accept data of any kind", () => {
    expect(lengthOf({ inputs: zeros([3, 2]), targets: Int32Array.of(0, 1, 2) })).toBe(3);
    expect(lengthOf(subset(digits(9, 1), [8, 0]))).toBe(2);
    expect(() => subset(digits(9, 1), [9])).toThrow(/^subset: /);
    expect(() => lengthOf({ inputs: zeros([3, 2]), targets: Int32Array.of(0) })).toThrow(DataError);
  });
});

describe("metrics over an epoch", () => {
  const scored = (metric: ReturnType<typeof f1>, batches: [Tensor, Tensor | Int32Array][]): number => {
    const accumulator = metric.start();
    for (const [y, t] of batches) accumulator.add(y, t);
    return accumulator.value();
  };
  const logitsOf = (...classes: number[]): Tensor => tensor(classes.map((c) => [0, 1, 2].map((j) => (j === c ? 1 : 0))));

  test("precision, recall and F1 over batches match scikit-learn", () => {
    const batches: [Tensor, Int32Array][] = [
      [logitsOf(0, 1, 2), Int32Array.of(0, 0, 2)],
      [logitsOf(1, 1), Int32Array.of(1, 2)],
    ];
    // labels 0 0 2 1 2, predictions 0 1 2 1 1
    expect(scored(precision(), batches)).toBeCloseTo((1 + 1 / 3 + 1) / 3, 12);
    expect(scored(recall(), batches)).toBeCloseTo((1 / 2 + 1 + 1 / 2) / 3, 12);
    expect(scored(f1(), batches)).toBeCloseTo((2 / 3 + 1 / 2 + 2 / 3) / 3, 12);
    for (const metric of [precision, recall, f1]) expect(scored(metric({ average: "micro" }), batches)).toBeCloseTo(3 / 5, 12);
  });

  test("precision, recall and F1 accept labels for outputs of any rank, as accuracy does", () => {
    const [y, labels] = [logitsOf(0, 1, 2, 1), Int32Array.of(0, 0, 2, 1)];
    for (const metric of [precision, recall, f1])
      expect(scored(metric(), [[reshape(y, [2, 2, 3]), labels]])).toBe(scored(metric(), [[y, labels]]));
    expect(() => scored(f1(), [[reshape(y, [2, 2, 3]), Int32Array.of(0)]])).toThrow(
      "f1: logits [2, 2, 3] and 1 labels: need [..., classes] and one label per row",
    );
  });

  test("a class without examples and predictions scores 0, and data without examples score NaN", () => {
    expect(scored(precision(), [[logitsOf(0), Int32Array.of(1)]])).toBe(0);
    expect(scored(f1(), [])).toBeNaN();
    expect(scored(rSquared(), [])).toBeNaN();
  });

  test("R² is 1 for exact outputs and 0 for the mean of the targets", () => {
    const t = tensor([1e6 + 1, 1e6 + 2, 1e6 + 6]);
    expect(scored(rSquared(), [[t, t]])).toBe(1);
    expect(scored(rSquared(), [[tensor([1e6 + 3, 1e6 + 3, 1e6 + 3]), t]])).toBeCloseTo(0, 6);
    expect(() => scored(rSquared(), [[t, tensor([1])]])).toThrow(
      "rSquared: outputs [3] and targets [1] must have the same shape",
    );
  });
});

test("the type of the scores has the names of the metrics", async () => {
  const { inputs, targets } = line();
  const run = { model: mlp(new DenseVariables({ seed: 1 }), 2, 1), data: { inputs, targets }, loss: squared };
  const { metrics } = await evaluate({ ...run, metrics: { one: () => 1, r2: rSquared() } });
  const names: "one" | "r2" = "one" as keyof typeof metrics;
  expect(metrics[names].toFixed(0)).toBe("1");
  // @ts-expect-error no metric has this name
  expect(metrics.two).toBeUndefined();
});

test("history and progress carry the values of metrics", async () => {
  const vars = new DenseVariables({ seed: 1 });
  const seen: Progress[] = [];
  const { inputs, targets } = line();
  const run = { model: mlp(vars, 2, 1), data: { inputs, targets }, loss: squared, metrics: { one: () => 1 } };
  await train({ ...run, optimizer: adam(vars.parameters()), batchSize: 100, onBatch: (p) => seen.push(p) });
  expect(seen.map((p) => [p.examples, p.metrics])).toEqual([
    [100, { one: 1 }],
    [200, { one: 1 }],
  ]);
  const bad = train({ ...run, metrics: { bad: () => "x" as never }, optimizer: adam(vars.parameters()) });
  await expect(bad).rejects.toThrow('train: metrics.bad must return a number or a tensor of one number, got "x"');
  const floats = train({ ...run, loss: undefined, optimizer: adam(vars.parameters()) } as never);
  await expect(floats).rejects.toThrow("give one, such as loss: meanSquaredError");
});
