import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type DistributedOptions, trainDistributed } from "../../src/distributed/index.ts";
import { boundsOf } from "../../src/distributed/shards.ts";
import { VERSION } from "../../src/distributed/version.ts";
import { dense } from "../../src/nn/index.ts";
import { mean, meanSquaredError, mul } from "../../src/ops/index.ts";
import { sgd } from "../../src/optim/index.ts";
import { type Tensor, tensor, variable, zeros } from "../../src/tensor/index.ts";
import { train } from "../../src/train/index.ts";
import { DenseVariables, scope } from "../../src/variables/index.ts";
import { temporaryFolder } from "../temporary-folder.ts";
import { bits, build, digits, type Kind, kinds } from "./runs.ts";
import "../fixed-seed.ts";

// Shards that the own process computes. The tests with worker processes compare with these runs.

const local = { connection: null, epochs: 2, batchSize: 16, seed: 3 } as const;
const failure = async (run: Promise<unknown>): Promise<string> => String(await run.catch((error: unknown) => error));

test("the version is that of the package", () => {
  const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };
  expect(VERSION).toBe(version);
});

test("shards cover a batch in order, their sizes differ by at most 1, and none is empty", () => {
  expect(boundsOf(10, 4)).toEqual([
    [0, 3],
    [3, 6],
    [6, 8],
    [8, 10],
  ]);
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 40 }), (count, shards) => {
      const bounds = boundsOf(count, shards);
      const sizes = bounds.map(([begin, end]) => end - begin);
      expect(bounds.map(([begin]) => begin)).toEqual([0, ...bounds.slice(0, -1).map(([, end]) => end)]);
      expect(bounds.at(-1)![1]).toBe(count);
      expect(bounds.length).toBe(Math.min(count, shards));
      expect(sizes[0]! - sizes.at(-1)!).toBeLessThanOrEqual(1);
      expect(sizes).toEqual([...sizes].sort((a, b) => b - a));
    }),
  );
});

describe.each(kinds)("a network, %s,", (kind: Kind) => {
  test("has the same weights and scores after two runs with the same shards", async () => {
    const [a, b] = [build(kind), build(kind)];
    const first = await trainDistributed({ ...a, ...local, shards: 3 });
    const second = await trainDistributed({ ...b, ...local, shards: 3 });
    expect(bits(b.vars)).toEqual(bits(a.vars));
    expect(second.epochs.map(({ loss, accuracy }) => [loss, accuracy])).toEqual(
      first.epochs.map(({ loss, accuracy }) => [loss, accuracy]),
    );
    expect(first.epochs[1]!.loss).toBeLessThan(first.epochs[0]!.loss);
  });

  test("has the weights of train with one shard, if it draws nothing", async () => {
    if (kind === "norm") return;
    const [a, b] = [build(kind), build(kind)];
    const { connection, ...options } = local;
    const expected = await train({ ...a, ...options });
    const history = await trainDistributed({ ...b, ...local, shards: 1 });
    expect(bits(b.vars)).toEqual(bits(a.vars));
    expect(history.epochs.map(({ loss }) => loss)).toEqual(expected.epochs.map(({ loss }) => loss));
  });
});

test("shards give the update of the whole batch, up to rounding", async () => {
  const trained = async (shards: number): Promise<[string, Float32Array][]> => {
    const { vars, model } = build("dense");
    const optimizer = sgd(vars.parameters(), { learningRate: 0.1 });
    await trainDistributed({ ...local, vars, model, optimizer, data: digits, shards, accumulate: 2 });
    return bits(vars);
  };
  const whole = await trained(1);
  for (const shards of [2, 5, 40]) // 40: more shards than examples of a batch
    for (const [i, [, numbers]] of (await trained(shards)).entries())
      for (const [j, x] of numbers.entries()) expect(Math.abs(x - whole[i]![1][j]!)).toBeLessThan(1e-5);
});

test("running statistics are the mean of those of the shards by their examples", async () => {
  const vars = new DenseVariables();
  const average = vars.create("average", [1], { trainable: false });
  const layer = dense(scope(vars, "dense"), 1, 1);
  const model = (x: Tensor): Tensor => {
    average.assign([0.9 * average.read().item() + 0.1 * (x.data.reduce((sum, value) => sum + value, 0) / x.size)]);
    return layer(x);
  };
  const data = { inputs: tensor([[1], [3], [8]]), targets: zeros([3, 1]) };
  const optimizer = sgd(vars.parameters());
  await trainDistributed({ model, vars, optimizer, data, loss: meanSquaredError, connection: null, shards: 2 });
  expect(average.read().item()).toBeCloseTo(0.1 * ((1 + 3 + 8) / 3), 6); // shards of 2 and 1 examples
});

test("generators are afterwards as before, and the seed changes what dropout draws", async () => {
  const [a, b] = [build("norm"), build("norm")];
  const before = a.generators.dropout!.state;
  await trainDistributed({ ...a, ...local, shards: 2 });
  expect(a.generators.dropout!.state).toEqual(before);
  await trainDistributed({ ...b, ...local, data: digits, seed: 4, shards: 2 });
  expect(bits(b.vars)).not.toEqual(bits(a.vars));
});

describe("a checkpoint", () => {
  const folder = temporaryFolder();

  test.each([1, 2])("continues an aborted run with the same weights, %i batches per update", async (accumulate) => {
    const path = join(folder, `aborted-${accumulate}`);
    const options = { ...local, shards: 3, accumulate, checkpoint: path, checkpointSeconds: 1e-9 };
    const [whole, parts] = [build("norm"), build("norm")];
    await trainDistributed({ ...whole, ...local, shards: 3, accumulate });
    const signal = { aborted: false };
    let batches = 0;
    const onBatch = (): void => {
      signal.aborted = ++batches === 3;
    };
    const first = await trainDistributed({ ...parts, ...options, signal, onBatch });
    expect(first.aborted).toBe(true);
    const restarted = build("norm");
    const second = await trainDistributed({ ...restarted, ...options });
    expect([second.aborted, second.epochs.map(({ epoch }) => epoch)]).toEqual([false, [1, 2]]);
    expect(bits(restarted.vars)).toEqual(bits(whole.vars));
    const third = build("norm");
    expect((await trainDistributed({ ...third, ...options })).epochs).toEqual([]);
    expect(bits(third.vars)).toEqual(bits(whole.vars));
  });

  test("is refused by a run with other settings", async () => {
    const checkpoint = join(folder, "settings");
    await trainDistributed({ ...build("dense"), ...local, epochs: 1, shards: 2, checkpoint });
    const settings = (shards: number): string =>
      `{"shards":${shards},"seed":3,"batchSize":16,"accumulate":1,"gradients":"float32"}`;
    expect(await failure(trainDistributed({ ...build("dense"), ...local, shards: 3, checkpoint }))).toBe(
      `DistributedError: trainDistributed: ${checkpoint} was saved with ${settings(2)}, the run has ${settings(3)}: give the same settings, or another path`,
    );
  });
});

describe("trainDistributed refuses", () => {
  const attempt = (change: Partial<DistributedOptions>): Promise<string> =>
    failure(trainDistributed({ ...build("dense"), ...local, shards: 2, ...change }));
  test.each<[string, () => Partial<DistributedOptions>, string]>([
    [
      "a misspelled option",
      () => ({ shard: 2 }) as never,
      'ValueError: trainDistributed: unknown option "shard"; did you mean "shards"?',
    ],
    [
      "no shards",
      () => ({ shards: 0 }),
      "ValueError: trainDistributed: shards must be a whole number of at least 1 and at most 65536, got 0",
    ],
    [
      "a parameter that vars does not hold",
      () => ({ optimizer: sgd([variable(zeros([1]))]) }),
      'DistributedError: trainDistributed: the optimizer has "0", which vars does not hold',
    ],
    [
      "a checkpoint beside a first epoch",
      () => ({ checkpoint: "x", firstEpoch: 2 }),
      "ValueError: trainDistributed: checkpoint decides where the run begins: leave out firstEpoch and firstBatch",
    ],
    [
      "early stopping by a metric of training data",
      () => ({ metrics: { error: () => 1 }, earlyStopping: { monitor: "error", mode: "min" } }),
      'ValueError: trainDistributed: earlyStopping monitors "error", which needs validation data: workers return no metrics',
    ],
    [
      "an optimizer of another kind",
      () => ({ optimizer: {} as never }),
      "ValueError: trainDistributed: optimizer must be an optimizer, such as adam(vars.parameters())",
    ],
  ])("%s", async (_, change, message) => expect(await attempt(change())).toBe(message));

  test("a loss that is not finite, as train does", async () => {
    const options = { ...build("dense"), ...local, shards: 2 };
    const loss: DistributedOptions["loss"] = (logits) => mul(mean(logits), Number.NaN);
    expect(await failure(trainDistributed({ ...options, loss }))).toMatch(
      /^TrainingError: train: the loss is NaN in epoch 1, batch 1, shard 1: /,
    );
  });
});
