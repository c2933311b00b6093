import { existsSync, mkdirSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { isOfPool, LARGEST_GRADIENT, momentum } from "../../src/cli/recipe.ts";
import { batchCount, type Dataset, lengthOf } from "../../src/data/index.ts";
import { backend, sizesOf } from "../../src/index.ts";
import { loadCheckpoint, saveCheckpoint } from "../../src/io/index.ts";
import { clipByGlobalNorm, cosineDecay, type Optimizer, warmUp } from "../../src/optim/index.ts";
import { evaluate, type StopSignal, TrainingError, train } from "../../src/train/index.ts";
import { shiftAndFlip } from "./images.ts";
import type { Network, Run } from "./runs.ts";

/** What a training run depends on, besides its data. */
export type Task = { readonly run: Run; readonly seed: number; readonly epochs: number; readonly images: number };

/**
 * A line of results: an epoch of a run. `accuracy` and `loss` are those of test images, or of validation images in a
 * search for rates.
 */
export type Line = {
  readonly run: string;
  readonly seed: number;
  readonly epoch: number;
  readonly epochs: number;
  readonly images: number;
  readonly rate: number;
  readonly rateFactor: number | null;
  /** null if training diverged. */
  readonly trainLoss: number | null;
  readonly loss: number | null;
  readonly accuracy: number;
  readonly trainedSize: number;
  readonly denseSize: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly fused: boolean;
  readonly commit: string;
};

const BATCH = 64;
/** Share of the steps in which the rate rises to its peak. It then falls to 0 along a cosine (one cycle). */
const RISE = 0.2;

function optimizerOf({ vars }: Network, { run, epochs, images }: Task, batchSize: number): Optimizer {
  const steps = epochs * batchCount(images, batchSize);
  const rise = Math.floor(RISE * steps);
  return momentum(vars.parameters(), {
    learningRate: run.rate,
    groups: run.rateFactor === null ? [] : [{ match: isOfPool, rateFactor: run.rateFactor }],
    schedule: warmUp(rise, cosineDecay({ steps: steps - rise })),
  });
}

export type TrainOptions = {
  readonly data: Dataset;
  /** Images that measure accuracy after each epoch. */
  readonly held: Dataset;
  /** The file that a killed run continues from. It is removed after the last epoch. */
  readonly checkpoint: string;
  readonly commit: string;
  readonly onLine: (line: Line) => void;
  readonly signal?: StopSignal;
  readonly batchSize?: number;
};

/**
 * Trains the task's network, from its checkpoint if there is one, and reports each epoch; if training diverges, a last
 * epoch without loss. A run that is killed at any time and started again ends with the same weights as an uninterrupted
 * run.
 */
export async function trainTask(task: Task, options: TrainOptions): Promise<Network> {
  const { run, seed, epochs, images } = task;
  const { data, held, checkpoint, commit, onLine, signal, batchSize = BATCH } = options;
  if (lengthOf(data) !== images) throw new Error(`the task has ${images} images, the data ${lengthOf(data)}`);
  const network = run.build(seed);
  const optimizer = optimizerOf(network, task, batchSize);
  const state = { ...network, optimizer };
  const { trainedSize, denseSize } = sizesOf(network.vars);
  const done = existsSync(checkpoint) ? loadCheckpoint(checkpoint, state) : 0;
  mkdirSync(dirname(checkpoint), { recursive: true });
  const settings = { run: run.name, seed, epochs, images, rate: run.rate, rateFactor: run.rateFactor, trainedSize, denseSize };
  const report = (line: Pick<Line, "epoch" | "trainLoss" | "loss" | "accuracy" | "seconds">, cpuSeconds: number): void =>
    onLine({ ...settings, ...line, cpuSeconds, fused: backend().fused, commit });
  let cpu = process.cpuUsage();
  const training = train({
    beforeUpdate: () => clipByGlobalNorm(optimizer.parameters, LARGEST_GRADIENT),
    ...{ model: network.model, optimizer, data, seed, epochs, batchSize },
    firstEpoch: done + 1,
    transform: shiftAndFlip,
    ...(signal === undefined ? {} : { signal }),
    onEpoch: async ({ epoch, loss: trainLoss, seconds }) => {
      const { user, system } = process.cpuUsage(cpu);
      const { loss, accuracy } = await evaluate({ model: network.model, data: held });
      report({ epoch, trainLoss, loss, accuracy, seconds }, (user + system) / 1e6);
      if (epoch < epochs) saveCheckpoint(checkpoint, state, epoch);
      else rmSync(checkpoint, { force: true });
      cpu = process.cpuUsage();
    },
  });
  try {
    await training;
  } catch (error) {
    if (!(error instanceof TrainingError)) throw error;
    process.stderr.write(`${error.message}\n`);
    report({ epoch: epochs, trainLoss: null, loss: null, accuracy: 0, seconds: 0 }, 0);
  }
  return network;
}
