import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { syntheticDigits } from "../../src/data/index.ts";
import {
  decodeSafetensors,
  encodeCheckpoint,
  encodeSafetensors,
  encodeWeights,
  info,
  loadCheckpoint,
  loadWeights,
  resumeCheckpoint,
  saveCheckpoint,
  saveWeights,
  type TrainingState,
} from "../../src/io/index.ts";
import { dense, flatten, type Layer, sequential } from "../../src/nn/index.ts";
import { mul } from "../../src/ops/index.ts";
import { adam, adamW, cosineDecay, type Optimizer, rmsprop, sgd, type Trained } from "../../src/optim/index.ts";
import {
  composeModifiers,
  initializerScaleModifier,
  type Modifier,
  ProductVariablePool,
  poolSizeFor,
  VariableFactory,
} from "../../src/smh/index.ts";
import { Generator, randomUniform, type Tensor } from "../../src/tensor/index.ts";
import { type History, type Transform, train } from "../../src/train/index.ts";
import { DenseVariables, scope, type VariableCreator, weightsOf } from "../../src/variables/index.ts";
import { metaPool } from "../meta-pool.ts";
import { normalizedNetwork } from "../normalized-network.ts";
import { thrown } from "../thrown.ts";
import { withoutNode } from "../without-node.ts";
import { temporaryFolder } from "./folder.ts";

const { newPath } = temporaryFolder();

const data = syntheticDigits(50, new Generator(1), { height: 12, width: 12 });

const poolSize = poolSizeFor((vars) => normalizedNetwork(vars, new Generator(0)));

type Run = TrainingState & {
  readonly vars: VariableCreator;
  readonly model: Layer;
  readonly generators: { readonly dropout: Generator };
};
type Make = (seed: number) => { readonly vars: VariableCreator; readonly optimizer: (parameters: Trained) => Optimizer };
const schedule = cosineDecay({ steps: 20 });
const makes: Readonly<Record<string, Make>> = {
  "dense, by Adam": (seed) => ({ vars: new DenseVariables({ seed }), optimizer: (p) => adam(p, { schedule }) }),
  "dense, by sgd": (seed) => ({ vars: new DenseVariables({ seed }), optimizer: (p) => sgd(p, { learningRate: 0.1 }) }),
  "in a product, by AdamW": (seed) => {
    const pool = new ProductVariablePool({ poolSize, fraction: 0.3, seed });
    return { vars: new VariableFactory({ pool, seed }), optimizer: (p) => adamW(p, { schedule }) };
  },
  "in a product and a hash, by RMSprop": (seed) => {
    const pool = metaPool(["product", "hash"], "sum", { poolSize, fraction: 0.3, seed });
    return { vars: new VariableFactory({ pool, seed }), optimizer: (p) => rmsprop(p, { momentum: 0.9 }) };
  },
};

function start(make: Make, seed: number): Run {
  const random = new Generator(seed);
  const { vars, optimizer } = make(seed);
  const model = normalizedNetwork(vars, random);
  return { vars, model, optimizer: optimizer(vars.parameters()), generators: { dropout: random } };
}
const go = (run: Run, firstEpoch: number, epochs: number, onEpoch?: (epoch: number) => void): Promise<History> =>
  train({ ...run, data, batchSize: 16, seed: 7, firstEpoch, epochs, onEpoch: ({ epoch }) => onEpoch?.(epoch) });
const arrays = (named: Iterable<readonly [string, ArrayLike<number>]>): Map<string, number[]> =>
  new Map([...named].map(([name, numbers]) => [name, Array.from(numbers)]));
/** Every number that a run depends on. */
const everything = ({ vars, optimizer, generators }: Run) => ({
  weights: arrays([...weightsOf(vars)].map(([name, x]) => [name, x.data])),
  steps: optimizer.steps,
  optimizer: arrays(optimizer.state().arrays),
  generator: generators.dropout.state,
});

test.each(Object.entries(makes))(
  "a run that resumes from a checkpoint, %s, ends with exactly the weights of an uninterrupted run",
  async (_, make) => {
    const whole = start(make, 1);
    const wanted = await go(whole, 1, 4);

    const path = newPath();
    const interrupted = start(make, 1);
    await go(interrupted, 1, 2, (epoch) => saveCheckpoint(path, interrupted, epoch));

    const resumed = start(make, 99);
    expect(loadCheckpoint(path, resumed)).toBe(2);
    expect(everything(resumed)).toEqual(everything(interrupted));
    const { epochs } = await go(resumed, 3, 4);
    expect(everything(resumed)).toEqual(everything(whole));
    expect(epochs.map(({ epoch, loss }) => [epoch, loss])).toEqual(
      wanted.epochs.slice(2).map(({ epoch, loss }) => [epoch, loss]),
    );
  },
);

test("a run whose epochs are complete does not train further", async () => {
  const run = start(makes["dense, by sgd"]!, 1);
  const before = everything(run);
  expect(await go(run, 5, 4)).toEqual({ epochs: [], aborted: false, bestEpoch: null });
  expect(everything(run)).toEqual(before);
});

test("saving draws no random numbers even if the modifier does", () => {
  const random = new Generator(3);
  const noise: Modifier = (slice) => mul(slice, randomUniform(slice.shape, random, 0.9, 1.1));
  const run = start((seed) => {
    const pool = new ProductVariablePool({ poolSize, fraction: 0.3, seed });
    const vars = new VariableFactory({ pool, modifier: composeModifiers(initializerScaleModifier, noise) });
    return { vars, optimizer: adam };
  }, 1);
  const [path, before] = [newPath(), random.state];
  saveCheckpoint(path, { ...run, generators: { ...run.generators, noise: random } }, 1);
  expect(random.state).toEqual(before);
  random.bits();
  const { state } = random;
  expect(
    thrown(() =>
      loadCheckpoint(path, { ...run, optimizer: sgd(run.vars.parameters()), generators: { ...run.generators, noise: random } }),
    ),
  ).toMatch(/^ValueError: sgd: the saved state holds/);
  expect(random.state).toEqual(state);
  loadCheckpoint(path, { ...run, generators: { ...run.generators, noise: random } });
  expect(random.state).toEqual(before);
});

test("loadWeights reads the model of a checkpoint, and loadCheckpoint refuses a file with weights only", () => {
  const make = makes["in a product, by AdamW"]!;
  const [saved, other] = [start(make, 1), start(make, 2)];
  const path = newPath();
  saveCheckpoint(path, saved, 3);
  loadWeights(path, other.vars);
  expect(everything(other).weights).toEqual(everything(saved).weights);
  saveWeights(path, saved.vars);
  expect(thrown(() => loadCheckpoint(path, other))).toBe(
    `FormatError: ${path}: is not a checkpoint: it has no record of training; loadWeights reads weights`,
  );
});

test("encodeCheckpoint and encodeWeights return bytes that load", () => {
  const make = makes["in a product, by AdamW"]!;
  const [saved, model, run] = [start(make, 1), start(make, 2), start(make, 3)];
  loadWeights(encodeWeights(saved.vars), model.vars);
  expect(everything(model).weights).toEqual(everything(saved).weights);
  expect(loadCheckpoint(encodeCheckpoint(saved, 3).slice().buffer as ArrayBuffer, run)).toBe(3);
  expect(everything(run)).toEqual(everything(saved));
  const cut = encodeWeights(saved.vars).subarray(0, -4);
  expect(thrown(() => loadWeights(cut, model.vars))).toMatch(/^FormatError: weights: ".*the file is cut off or damaged$/);
  expect(thrown(() => loadCheckpoint(cut.subarray(0, 4), run))).toMatch("FormatError: checkpoint: the header does not fit");
});

test("the errors for saving and loading files outside Node name the functions that work on bytes", () => {
  const run = start(makes["dense, by sgd"]!, 1);
  withoutNode(() => {
    const calls = { saveWeights: () => saveWeights("file", run.vars), loadCheckpoint: () => loadCheckpoint("file", run) };
    for (const [who, call] of Object.entries(calls)) {
      expect(thrown(call)).toBe(
        `FileError: ${who}: file needs Node.js, Deno or Bun; elsewhere encodeWeights and encodeCheckpoint return bytes, and loadWeights and loadCheckpoint take bytes`,
      );
    }
  });
});

test("loadCheckpoint refuses a run with another model, optimizer or set of generators and does not change the run", async () => {
  const make = makes["in a product, by AdamW"]!;
  const path = newPath();
  const trained = start(make, 1);
  await go(trained, 1, 2);
  saveCheckpoint(path, trained, 2);
  const refused = (run: Run, state: TrainingState, text: string): void => {
    const before = everything(run);
    expect(thrown(() => loadCheckpoint(path, state))).toBe(text);
    expect(everything(run)).toEqual(before);
  };
  const run = start(make, 2);
  await go(run, 1, 1);
  refused(
    run,
    { ...run, generators: {} },
    `FormatError: ${path}: the generator "dropout" is in the file alone; give the same as when it was saved`,
  );
  const more = { ...run.generators, noise: new Generator(1) };
  refused(
    run,
    { ...run, generators: more },
    `FormatError: ${path}: the generator "noise" is in the run alone; give the same as when it was saved`,
  );
  const other = start((seed) => ({ ...make(seed), optimizer: rmsprop }), 2);
  refused(
    other,
    other,
    'ValueError: rmsprop: the saved state holds "variable_left/mean"; it belongs to another model or optimizer',
  );
  await go(other, 1, 1);
  const smaller = (vars: VariableCreator): Layer => sequential(flatten(), dense(scope(vars, "dense"), 144, 10));
  const vars = new DenseVariables();
  const another = { ...run, vars, model: smaller(vars), optimizer: adamW(vars.parameters()) };
  refused(
    another,
    another,
    `FormatError: ${path}: its variables come from the pool product (poolSize ${poolSize}, fraction 0.3, stddev 1, indexStore basic), the model has no pool`,
  );
  const elsewhere = start((seed) => {
    const pool = new ProductVariablePool({ poolSize, fraction: 0.3, seed, stddev: 2 });
    return { vars: new VariableFactory({ pool, seed }), optimizer: adamW };
  }, 2);
  const pool = (stddev: number): string => `product (poolSize ${poolSize}, fraction 0.3, stddev ${stddev}, indexStore basic)`;
  const lies = `FormatError: ${path}: it was saved with the pool ${pool(1)}, the model has the pool ${pool(2)}`;
  await go(elsewhere, 1, 1);
  refused(elsewhere, elsewhere, lies);
});

test.each([
  "no JSON",
  "null",
  "{}",
  '{"epoch":-1,"steps":0,"generators":{}}',
  '{"epoch":1,"steps":0.5,"generators":{}}',
  '{"epoch":1,"steps":0,"generators":{"dropout":[0,0,0,0]}}',
  '{"epoch":1,"steps":0,"generators":{"dropout":[4294967296,0,0,0]}}',
  '{"epoch":1,"steps":0,"generators":{"dropout":"1234"}}',
  '{"epoch":1,"steps":0,"generators":{"dropout":{"length":4000000000}}}',
  '{"epoch":1,"steps":0,"generators":[]}',
  '{"epoch":1,"steps":0,"generators":null}',
  '{"epoch":1,"epoch":2,"steps":0,"generators":{}}',
])("loadCheckpoint refuses the training record %s and changes nothing", (training) => {
  const run = start(makes["dense, by Adam"]!, 1);
  const path = newPath();
  saveCheckpoint(path, start(makes["dense, by Adam"]!, 2), 1);
  const { tensors, metadata } = decodeSafetensors(readFileSync(path));
  const { checksum: _, ...rest } = metadata; // it covers the metadata
  writeFileSync(path, encodeSafetensors({ tensors, metadata: { ...rest, training } }));
  const before = everything(run);
  const text = `FormatError: ${path}: its record of training is not readable; it was saved by something else`;
  expect(thrown(() => loadCheckpoint(path, run))).toBe(text);
  expect(everything(run)).toEqual(before);
});

test("saveCheckpoint refuses invalid epochs and variables named like the optimizer's state before it writes anything", () => {
  const run = start(makes["dense, by Adam"]!, 1);
  const path = newPath();
  for (const epoch of [-1, 0.5, Number.NaN]) {
    const text = `ValueError: saveCheckpoint: epoch must be a whole number of at least 0, got ${epoch}`;
    expect(thrown(() => saveCheckpoint(path, run, epoch))).toBe(text);
  }
  dense(scope(run.vars, "optimizer"), 2, 3);
  expect(thrown(() => saveCheckpoint(path, run, 1))).toBe(
    'ValueError: saveCheckpoint: "optimizer/kernel" begins like the optimizer\'s state; give the layer another scope()',
  );
  expect(existsSync(path)).toBe(false);
});

/** Trains until batch `batch` of epoch `epoch`, and saves there. */
async function cut(run: Run, path: string, epoch: number, batch: number): Promise<void> {
  const signal = { aborted: false };
  const onBatch = (at: { epoch: number; batch: number }): void => {
    if (at.epoch !== epoch || at.batch !== batch) return;
    signal.aborted = true;
    saveCheckpoint(path, run, epoch - 1, { batch });
  };
  await train({ ...run, data, batchSize: 16, seed: 7, epochs: 3, transform, signal, onBatch });
}
/** Depends on the generator of the batch. */
const transform: Transform<Int32Array, Tensor> = ({ inputs, targets }, random) => ({
  inputs: mul(inputs, random.uniform() + 0.5),
  targets,
});

test.each(Object.entries(makes))(
  "a run that resumes within an epoch, %s, ends with exactly the weights of an uninterrupted run",
  async (_, make) => {
    const whole = start(make, 1);
    await train({ ...whole, data, batchSize: 16, seed: 7, epochs: 3, transform });
    for (const [epoch, batch] of [
      [1, 1],
      [2, 3],
      [2, 4], // all batches of the epoch
    ] as const) {
      const [path, resumed] = [newPath(), start(make, 99)];
      await cut(start(make, 1), path, epoch, batch);
      const position = resumeCheckpoint(path, resumed);
      expect(position).toEqual({ firstEpoch: epoch, firstBatch: batch + 1 });
      const { epochs } = await train({ ...resumed, ...position, data, batchSize: 16, seed: 7, epochs: 3, transform });
      expect(everything(resumed)).toEqual(everything(whole));
      expect(epochs[0]).toMatchObject({
        epoch,
        batch: 4,
        batches: 4,
        examples: 50 - 16 * Math.min(batch, 3) - (batch > 3 ? 2 : 0),
      });
    }
  },
);

test("loadCheckpoint refuses a file of the middle of an epoch, and info tells the batch", async () => {
  const [path, run] = [newPath(), start(makes["dense, by sgd"]!, 1)];
  await cut(run, path, 2, 3);
  expect(thrown(() => loadCheckpoint(path, run))).toBe(
    `FormatError: ${path}: was saved in epoch 2, after batch 3: load it with resumeCheckpoint`,
  );
  expect(info(path)).toMatchObject({ kind: "checkpoint", epoch: 1, batch: 3 });
  saveCheckpoint(path, run, 2);
  expect(info(path)).toMatchObject({ epoch: 2, batch: 0 });
  expect(resumeCheckpoint(path, run)).toEqual({ firstEpoch: 3, firstBatch: 1 });
});

test("firstBatch must follow an update and lie in the epoch", async () => {
  const run = start(makes["dense, by sgd"]!, 1);
  const go = (more: object): Promise<unknown> => train({ ...run, data, batchSize: 16, ...more });
  await expect(go({ accumulate: 2, firstBatch: 2 })).rejects.toThrow(
    "train: firstBatch must be a multiple of accumulate (2) plus 1, got 2: save after an update",
  );
  await expect(go({ firstBatch: 6 })).rejects.toThrow("train: firstBatch 6 is above 5: an epoch has 4 batches");
  await expect(go({ firstBatch: 0 })).rejects.toThrow("train: firstBatch must be a whole number of at least 1, got 0");
});
