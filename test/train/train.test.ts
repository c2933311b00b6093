import { MessageChannel } from "node:worker_threads";
import { describe, expect, test, vi } from "vitest";
import { backend, install, kernels } from "../../src/backends/index.ts";
import { batches, DataError, type Dataset, syntheticDigits, takeFirst } from "../../src/data/index.ts";
import { batchNorm, conv2d, dense, dropout, flatten, type Layer, maxPool2d, sequential, toyNetwork } from "../../src/nn/index.ts";
import { add, crossEntropy, mul, relu } from "../../src/ops/index.ts";
import { adam, clipByGlobalNorm, type Optimizer, type OptimizerOptions, sgd } from "../../src/optim/index.ts";
import { ProductVariablePool, poolSizeFor, VariableFactory } from "../../src/smh/index.ts";
import { backward, Generator, gradientOf, type Parameter, step, tensor, training, zeros } from "../../src/tensor/index.ts";
import { evaluate, type History, type Progress, TrainingError, type TrainOptions, train } from "../../src/train/index.ts";
import { DenseVariables, scope, type VariableCreator, weightsOf } from "../../src/variables/index.ts";

const digits = (count: number, seed: number): Dataset => syntheticDigits(count, new Generator(seed), { height: 12, width: 12 });
const few = digits(50, 1);

const toy = (vars: VariableCreator): Layer => toyNetwork(vars, { inputShape: [12, 12, 1] });
/** Batch normalization and dropout: everything that training may remember or draw. */
const full = (vars: VariableCreator): Layer =>
  sequential(
    conv2d(scope(vars, "conv"), 1, 4, 3),
    batchNorm(scope(vars, "bn"), 4),
    relu,
    flatten(),
    dropout(0.2, new Generator(5)),
    dense(scope(vars, "dense"), 400, 10),
  );

type Built = { readonly vars: VariableCreator; readonly model: Layer; readonly optimizer: Optimizer };
function built(
  kind: "dense" | "product",
  build = toy,
  optimizerOf: (parameters: readonly Parameter[], options: OptimizerOptions) => Optimizer = adam,
): Built {
  const pool = new ProductVariablePool({ poolSize: poolSizeFor(build), fraction: 0.4, seed: 1 });
  const vars = kind === "dense" ? new DenseVariables({ seed: 1 }) : new VariableFactory({ pool, seed: 1 });
  const model = build(vars);
  return { vars, model, optimizer: optimizerOf(vars.parameters(), { learningRate: 0.005 }) };
}
const bits = (vars: VariableCreator): Map<string, Float32Array> =>
  new Map([...weightsOf(vars)].map(([name, x]) => [name, x.toArray()]));

describe.each(["dense", "product"] as const)("a network, %s,", (kind) => {
  test("learns synthetic digits", async () => {
    const { model, optimizer } = built(kind);
    const { epochs, aborted } = await train({ model, optimizer, data: digits(400, 1), epochs: 4, batchSize: 32 });
    expect(aborted).toBe(false);
    expect(epochs.map((p) => p.epoch)).toEqual([1, 2, 3, 4]);
    expect(epochs[3]!.loss).toBeLessThan(epochs[0]!.loss);
    const result = await evaluate({ model, data: digits(200, 2) });
    expect(result.count).toBe(200);
    expect(result.accuracy).toBeGreaterThan(0.9);
  });

  test("trains to the same bits from the same seed and to different bits from another seed", async () => {
    const trainedWith = async (seed: number): Promise<Map<string, Float32Array>> => {
      const { vars, model, optimizer } = built(kind, full);
      await train({ model, optimizer, data: few, epochs: 2, batchSize: 16, seed });
      return bits(vars);
    };
    const first = await trainedWith(3);
    expect(await trainedWith(3)).toEqual(first);
    const other = await trainedWith(4);
    for (const [name, x] of first) expect([name, other.get(name)]).not.toEqual([name, x]);
  });
});

test("progress counts every image, the short last batch included, and averages over images", async () => {
  const { model, optimizer } = built("dense");
  const seen: Progress[] = [];
  const losses: [number, number][] = [];
  const { epochs } = await train({
    model,
    optimizer,
    data: few,
    epochs: 2,
    batchSize: 16,
    loss: (logits, labels) => {
      const loss = crossEntropy(logits, labels);
      losses.push([labels.length, loss.item()]);
      return loss;
    },
    onBatch: (p) => seen.push(p),
  });
  expect(seen.map(({ epoch, batch, examples }) => [epoch, batch, examples])).toEqual(
    [1, 2].flatMap((epoch) => [16, 32, 48, 50].map((images, i) => [epoch, i + 1, images])),
  );
  expect(seen.every((p) => p.epochs === 2 && p.batches === 4 && p.seconds >= 0)).toBe(true);
  expect(losses.map(([n]) => n)).toEqual([16, 16, 16, 2, 16, 16, 16, 2]);
  const mean = (list: [number, number][]): number => list.reduce((sum, [n, loss]) => sum + n * loss, 0) / 50;
  expect(epochs.map((p) => p.loss)).toEqual([mean(losses.slice(0, 4)), mean(losses.slice(4))].map((v) => expect.closeTo(v, 9)));
  expect(epochs).toEqual([seen[3], seen[7]]);
});

/** What `train` does where nothing else is said: three epochs of four batches. */
const run = (options: Partial<TrainOptions> = {}): Promise<History> => {
  const { model, optimizer } = built("dense");
  return train({ model, optimizer, data: few, epochs: 3, batchSize: 16, ...options });
};

test("an abort during an epoch ends training after the current batch and returns the result so far", async () => {
  const stop = new AbortController();
  const ended: number[] = [];
  const history = await run({
    signal: stop.signal,
    onBatch: ({ epoch, batch }) => {
      if (epoch === 2 && batch === 2) stop.abort();
    },
    onEpoch: ({ epoch }) => void ended.push(epoch),
  });
  expect(history.aborted).toBe(true);
  expect(history.epochs.map(({ epoch, batch, examples }) => [epoch, batch, examples])).toEqual([
    [1, 4, 50],
    [2, 2, 32],
  ]);
  expect(ended).toEqual([1]);
});

test.each([1, 3])("an abort in the last batch of epoch %i completes that epoch", async (last) => {
  const stop = new AbortController();
  const ended: number[] = [];
  const history = await run({
    signal: stop.signal,
    onBatch: ({ epoch, batch }) => {
      if (epoch === last && batch === 4) stop.abort();
    },
    onEpoch: ({ epoch }) => void ended.push(epoch),
  });
  expect(history.aborted).toBe(last < 3);
  expect(history.epochs.map(({ batch }) => batch)).toEqual(Array(last).fill(4));
  expect(ended.length).toBe(last);
});

test("an abort during validation omits the scores, and early stopping ignores the epoch", async () => {
  const stop = new AbortController();
  const history = await run({
    signal: stop.signal,
    validation: few,
    earlyStopping: {},
    onBatch: ({ epoch, batch }) => {
      if (epoch === 2 && batch === 4) stop.abort();
    },
  });
  expect(history.epochs.map(({ validation }) => validation === null)).toEqual([false, true]);
  expect(history).toMatchObject({ aborted: true, bestEpoch: 1 });
});

test("an abort before the start trains nothing", async () => {
  const { vars, model, optimizer } = built("dense");
  const before = bits(vars);
  expect(await train({ model, optimizer, data: few, signal: AbortSignal.abort() })).toEqual({
    epochs: [],
    aborted: true,
    bestEpoch: null,
  });
  expect(bits(vars)).toEqual(before);
  expect(optimizer.steps).toBe(0);
});

test("an abort from a timer takes effect, since the event loop runs between batches", async () => {
  const stop = new AbortController();
  setTimeout(() => stop.abort());
  const { aborted } = await run({ epochs: 10_000, signal: stop.signal });
  expect(aborted).toBe(true);
});

test("the event loop runs at least once per batch", async () => {
  let turns = 0;
  let on = true;
  const turn = (): void => {
    turns++;
    if (on) setImmediate(turn);
  };
  setImmediate(turn);
  await run();
  on = false;
  expect(turns).toBeGreaterThanOrEqual(11);
});

test("without setImmediate, as in browsers, other tasks run between batches without timers", async () => {
  vi.stubGlobal("setImmediate", undefined);
  const timeout = vi.spyOn(globalThis, "setTimeout");
  try {
    let turns = 0;
    const { port1, port2 } = new MessageChannel();
    port1.on("message", () => {
      turns++;
      port2.postMessage(null);
    });
    port2.postMessage(null);
    await run({ epochs: 2, batchSize: 10 });
    port1.close();
    expect(turns).toBeGreaterThan(5);
    expect(timeout).not.toHaveBeenCalled();
  } finally {
    vi.unstubAllGlobals();
    timeout.mockRestore();
  }
});

test("train awaits onBatch and onEpoch before it continues", async () => {
  const log: string[] = [];
  await run({
    epochs: 2,
    batchSize: 50,
    onBatch: async ({ epoch }) => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      log.push(`batch of ${epoch}`);
    },
    onEpoch: async ({ epoch }) => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      log.push(`end of ${epoch}`);
    },
  });
  expect(log).toEqual(["batch of 1", "end of 1", "batch of 2", "end of 2"]);
});

test("a NaN loss throws a TrainingError that names the batch, before anything changes", async () => {
  const { vars, model, optimizer } = built("dense");
  let [calls, before] = [0, bits(vars)];
  const trained = train({
    model,
    optimizer,
    data: few,
    epochs: 2,
    batchSize: 16,
    loss: (logits, labels) => mul(crossEntropy(logits, labels), ++calls === 7 ? Number.NaN : 1),
    onBatch: () => {
      before = bits(vars);
    },
  });
  await expect(trained).rejects.toThrow(TrainingError);
  await expect(trained).rejects.toThrow(
    /^train: the loss is NaN in epoch 2, batch 3: mul after layer "dense" reads a constant \[\], which holds NaN; a smaller learning rate or clipByGlobalNorm may help$/,
  );
  expect(bits(vars)).toEqual(before);
});

test("the error for a NaN loss in the first batch does not mention the learning rate", async () => {
  const { model, optimizer } = built("dense");
  const loss: TrainOptions["loss"] = (logits, labels) => mul(crossEntropy(logits, labels), Number.NaN);
  const message =
    'train: the loss is NaN in epoch 1, batch 1: mul after layer "dense" reads a constant [], which holds NaN; look for such numbers, log(0) and 0/0 in the data and the weights';
  await expect(train({ model, optimizer, data: few, loss: loss! })).rejects.toThrow(message);
});

test("training that diverges ends with a TrainingError", async () => {
  const trained = run({ ...built("dense", toy, (parameters) => sgd(parameters, { learningRate: 1e30 })), epochs: 50 });
  await expect(trained).rejects.toThrow(/^train: the loss is (NaN|Infinity) in epoch 1, batch \d/);
});

test("beforeUpdate runs between backward and the optimizer's step", async () => {
  const { vars, model, optimizer } = built("dense", toy, (parameters) => sgd(parameters, { learningRate: 1 }));
  const norms: number[] = [];
  let last = bits(vars);
  await train({
    model,
    optimizer,
    data: few,
    batchSize: 25,
    beforeUpdate: () => void norms.push(clipByGlobalNorm(vars.parameters(), 1e-3)),
    onBatch: () => {
      const now = bits(vars);
      const moved = Math.hypot(...[...now].flatMap(([name, x]) => Array.from(x, (v, i) => v - last.get(name)![i]!)));
      expect(moved).toBeCloseTo(1e-3, 4);
      last = now;
    },
  });
  expect(norms).toHaveLength(2);
  expect(norms.every((norm) => norm > 1e-3)).toBe(true);
});

test("train does nothing for 0 epochs and refuses data without examples", async () => {
  expect(await run({ epochs: 0 })).toEqual({ epochs: [], aborted: false, bestEpoch: null });
  await expect(run({ data: takeFirst(few, 0) })).rejects.toThrow(new DataError("train", "the dataset has no examples"));
});

test.each([
  [{ epochs: -1 }, "train: epochs must be a whole number of at least 0 and at most 2147483648, got -1"],
  [{ epochs: 1.5 }, "train: epochs must be a whole number of at least 0 and at most 2147483648, got 1.5"],
  [{ firstEpoch: 0 }, "train: firstEpoch must be a whole number of at least 1, got 0"],
  [{ batchSize: 0 }, "train: batchSize must be a whole number of at least 1, got 0"],
])("train refuses %j", async (options, text) => {
  await expect(run(options)).rejects.toThrow(new RegExp(`^${text}$`));
});

test("a custom loop with two optimizers gives the same bits as one optimizer of all parameters", () => {
  const trainedBy = (split: boolean): Map<string, Float32Array> => {
    const vars = new DenseVariables({ seed: 1 });
    const model = toy(vars);
    const [kernels, biases] = [true, false].map((decay) => vars.parameters().filter((p) => p.decay === decay));
    const optimizers = split ? [adam(kernels!), adam(biases!)] : [adam(vars.parameters())];
    for (const { inputs, targets: labels } of batches(few, { batchSize: 16, random: new Generator(1) })) {
      step(() => {
        backward(
          crossEntropy(
            training(() => model(inputs)),
            labels,
          ),
        );
        for (const optimizer of optimizers) optimizer.step();
      });
    }
    return bits(vars);
  };
  expect(trainedBy(true)).toEqual(trainedBy(false));
});

describe("evaluate", () => {
  test("averages over all examples for any batch size", async () => {
    const { model, optimizer } = built("dense", full);
    await train({ model, optimizer, data: few, batchSize: 16 });
    const whole = await evaluate({ model, data: few, batchSize: 50 });
    const parts = await evaluate({ model, data: few, batchSize: 7 });
    expect(parts).toEqual({ ...whole, loss: expect.closeTo(whole.loss, 5) });
    expect(whole.count).toBe(50);
    const confusion = whole.confusion.flat();
    expect(confusion.reduce((a, b) => a + b)).toBe(50);
    expect(whole.confusion.reduce((sum, row, i) => sum + row[i]!, 0) / 50).toBeCloseTo(whole.accuracy, 12);
  });

  test("accepts a custom loss", async () => {
    const { model } = built("dense");
    const result = await evaluate({ model, data: few, batchSize: 16, loss: () => zeros([]) });
    expect(result.loss).toBe(0);
  });

  test("changes nothing: neither weights nor statistics, and records no history", async () => {
    const { vars, model } = built("dense", full);
    const before = bits(vars);
    let tracked = false;
    const spied: Layer = (x) => {
      const y = model(x);
      tracked ||= y.tracked;
      return y;
    };
    await evaluate({ model: spied, data: few });
    expect(bits(vars)).toEqual(before);
    expect(tracked).toBe(false);
  });

  test("returns NaN means and a count of 0 for data without examples", async () => {
    const { model } = built("dense");
    const { loss, accuracy, count, confusion } = await evaluate({ model, data: takeFirst(few, 0) });
    expect([loss, accuracy, count]).toEqual([Number.NaN, Number.NaN, 0]);
    expect(confusion).toEqual(Array.from({ length: 10 }, () => new Array(10).fill(0)));
  });

  test("ends after the current batch if aborted, and returns the means so far", async () => {
    const { model } = built("dense");
    const stop = new AbortController();
    const stopping: Layer = (x) => {
      stop.abort();
      return model(x);
    };
    const result = await evaluate({ model: stopping, data: few, batchSize: 16, signal: stop.signal });
    expect(result).toEqual(await evaluate({ model, data: takeFirst(few, 16) }));
    expect((await evaluate({ model, data: few, signal: AbortSignal.abort() })).count).toBe(0);
  });

  test("counts predictions of classes that the data do not contain", async () => {
    const always3: Layer = (x) => add(zeros([x.shape[0]!, 4]), tensor([0, 0, 0, 1]));
    const narrow = syntheticDigits(6, new Generator(1), { height: 8, width: 8, classes: 3 });
    expect((await evaluate({ model: always3, data: narrow })).confusion).toEqual([
      [0, 0, 0, 2],
      [0, 0, 0, 2],
      [0, 0, 0, 2],
      [0, 0, 0, 0],
    ]);
  });

  test("computes the product of a pool once for all batches, and again after its factors change", async () => {
    const { vars, model, optimizer } = built("product");
    const { pool } = vars as VariableFactory;
    const { replicas } = pool as ProductVariablePool;
    backend();
    const { gemm } = kernels;
    let products = 0;
    const undo = install({
      gemm: (sizes) => {
        if (sizes.k === replicas) products++;
        gemm(sizes);
      },
    });
    try {
      await evaluate({ model, data: few, batchSize: 10 });
      await evaluate({ model, data: few, batchSize: 10 });
      expect(products).toBe(1);
      await train({ model, optimizer, data: few, batchSize: 25 });
      await evaluate({ model, data: few, batchSize: 10 });
      const forward = 2; // one for each step of training, and gradients of which none sums over the replicas
      expect(products).toBe(1 + forward + 1);
    } finally {
      undo();
    }
  });
});

test("train refuses an optimizer of another model and an inconsistent dataset", async () => {
  const { model, optimizer } = built("dense");
  const other = built("dense").optimizer;
  await expect(train({ model, optimizer: other, data: few })).rejects.toThrow(
    new TrainingError(
      "train",
      "no gradient reached the optimizer's parameters; is it the optimizer of this model, and is not everything frozen?",
    ),
  );
  const cut = { ...few, inputs: few.inputs.subarray(0, 100) };
  await expect(train({ model, optimizer, data: cut })).rejects.toThrow(
    "train: 50 labels with inputs of [12, 12, 1] need 7200 numbers, got 100",
  );
  await expect(train({ model, optimizer, data: { ...few, classes: 5 } })).rejects.toThrow(
    /^train: label \d at index \d+ is not one of 0…4$/,
  );
  await expect(train({ model, optimizer, data: few, batchSize: 0 })).rejects.toThrow(
    "train: batchSize must be a whole number of at least 1, got 0",
  );
  await expect(evaluate({ model, data: few, batchSize: 0.5 })).rejects.toThrow(
    "evaluate: batchSize must be a whole number of at least 1, got 0.5",
  );
});

test("train reports parameters that are not finite after the last step, even if the loss was finite", async () => {
  const vars = new DenseVariables({ seed: 1 });
  const model = toy(vars);
  const optimizer = sgd(vars.parameters(), { learningRate: 1e38 });
  const run = train({
    model,
    optimizer,
    data: takeFirst(few, 10),
    batchSize: 10,
    beforeUpdate: () => gradientsTimes(1e30, vars),
  });
  await expect(run).rejects.toThrow(
    /^train: "conv\/kernel" of layer "conv" is no longer finite after epoch 1: element 0 is -?Infinity; a smaller learning rate/,
  );
});

function gradientsTimes(factor: number, vars: VariableCreator): void {
  for (const { tensor: x } of vars.parameters()) gradientOf(x)?.set(gradientOf(x)!.map((g) => g * factor));
}

test("evaluate throws for a model that has diverged", async () => {
  const model: Layer = (x) => mul(zeros([x.shape[0]!, 10]), Number.NaN);
  const message =
    "evaluate: the loss is NaN in batch 1: mul, before the first layer, reads a constant [], which holds NaN; a smaller learning rate or clipByGlobalNorm may help";
  await expect(evaluate({ model, data: few })).rejects.toThrow(new TrainingError("evaluate", message.slice("evaluate: ".length)));
});

test("batch norm with its default momentum works in inference after 15 epochs of 200 images", async () => {
  const vars = new DenseVariables({ seed: 1 });
  const model = sequential(
    conv2d(scope(vars, "conv"), 1, 8, 3, { padding: "same", bias: false }),
    batchNorm(scope(vars, "norm"), 8),
    relu,
    maxPool2d(2),
    flatten(),
    dense(scope(vars, "head"), 14 * 14 * 8, 10),
  );
  const data = syntheticDigits(200, new Generator(1));
  const { epochs } = await train({ model, optimizer: adam(vars.parameters(), { learningRate: 1e-3 }), data, epochs: 15 });
  const { accuracy } = await evaluate({ model, data });
  expect(epochs.at(-1)!.accuracy).toBeGreaterThan(0.9);
  expect(Math.abs(accuracy - epochs.at(-1)!.accuracy)).toBeLessThan(0.05);
});
