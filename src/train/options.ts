import type { Dataset } from "../data/index.ts";
import type { Layer } from "../nn/index.ts";
import { crossEntropy } from "../ops/index.ts";
import type { Optimizer } from "../optim/index.ts";
import {
  describe,
  HashgradError,
  readCount,
  readFunction,
  readObject,
  readOptions,
  readTensor,
  ShapeError,
  show,
  type Tensor,
  ValueError,
} from "../tensor/index.ts";
import type { VariableCreator } from "../variables/index.ts";

/** Training that cannot go on. */
export class TrainingError extends HashgradError {}

/** The part of an `AbortSignal` that is read: an `AbortController`'s `signal` fits. Spelled out, because its type needs DOM or Node types. */
export type StopSignal = { readonly aborted: boolean };

/** The mean loss of a batch: logits [batch, classes] and one label per row. */
export type Loss = (logits: Tensor, labels: Int32Array) => Tensor;

/** Softmax cross entropy. */
export const defaultLoss: Loss = (logits, labels) => crossEntropy(logits, labels);

/** Where training stands after a batch; loss and accuracy are means over the epoch so far. */
export type Progress = {
  /** From 1. */
  readonly epoch: number;
  readonly epochs: number;
  /** From 1, within the epoch. */
  readonly batch: number;
  readonly batches: number;
  readonly loss: number;
  readonly accuracy: number;
  readonly images: number;
  /** Since the epoch began. */
  readonly seconds: number;
};

export type TrainOptions = RunState & {
  readonly model: Layer;
  readonly optimizer: Optimizer;
  readonly data: Dataset;
  /** How often all examples are seen (1), in epochs that were done before, too. */
  readonly epochs?: number;
  /**
   * Where a run goes on that `loadCheckpoint` brought back: one above the epochs that were done (1). Above `epochs` nothing is left to do.
   * The bits are those of a run without interruption where data, seed, batch size, schedule and the optimizer's options are the same.
   */
  readonly firstEpoch?: number;
  /** Examples per step (128); the last batch of an epoch may be smaller. */
  readonly batchSize?: number;
  /** Decides the order of the examples, a new one each epoch (0). */
  readonly seed?: number;
  /** Softmax cross entropy where left out. */
  readonly loss?: Loss;
  /** Runs between backward and the optimizer's step, for clipping. Must not be async. */
  readonly beforeStep?: () => void;
  /** Awaited where it is asynchronous. */
  readonly onBatch?: (progress: Progress) => void;
  /** Awaited: may evaluate, or save a checkpoint. Not called for an epoch that is ended in its middle, from which no run can go on. */
  readonly onEpoch?: (progress: Progress) => void | Promise<void>;
  /** Ends training after the batch in hand. */
  readonly signal?: StopSignal;
};

export type EvaluateOptions = {
  readonly model: Layer;
  readonly data: Dataset;
  /** Examples at a time (256). */
  readonly batchSize?: number;
  /** Softmax cross entropy where left out. */
  readonly loss?: Loss;
  /** Ends after the current batch; the result covers the batches so far. */
  readonly signal?: StopSignal;
};

/** More epochs than this never end. */
const MOST_EPOCHS = 2 ** 31;

const TRAIN_OPTIONS = [
  "model",
  "optimizer",
  "data",
  "vars",
  "generators",
  "epochs",
  "firstEpoch",
  "batchSize",
  "seed",
  "loss",
  "beforeStep",
  "onBatch",
  "onEpoch",
  "signal",
] as const;

type WithDefaults<T, K extends keyof T> = T & { readonly [P in K]-?: NonNullable<T[P]> };
/** The options of `train` with their defaults. */
export type TrainRun = WithDefaults<TrainOptions, "epochs" | "firstEpoch" | "batchSize" | "seed" | "loss">;
export type EvaluateRun = WithDefaults<EvaluateOptions, "batchSize" | "loss">;

/** The options of `train`, checked. */
export function readTrainOptions(given: TrainOptions): TrainRun {
  const who = "train";
  const options = readOptions(who, given, TRAIN_OPTIONS);
  const { epochs = 1, firstEpoch = 1, batchSize = 128, seed = 0, beforeStep, onBatch, onEpoch } = options;
  readCount(who, "epochs", epochs, 0, MOST_EPOCHS);
  readCount(who, "firstEpoch", firstEpoch, 1);
  readCount(who, "seed", seed, Number.MIN_SAFE_INTEGER);
  readOptimizer(options.optimizer);
  for (const [name, callback] of Object.entries({ beforeStep, onBatch, onEpoch }))
    if (callback !== undefined) readFunction(who, name, callback);
  const loss = readRun(who, options, batchSize);
  return { ...options, loss, epochs, firstEpoch, batchSize, seed };
}

/** Fields of a training run that `evaluate` does not read: the options of a run may be spread into its options. */
const EVALUATE_OPTIONS = ["model", "data", "batchSize", "loss", "signal", "vars", "optimizer", "generators"] as const;

/** The options of `evaluate`, checked, with their defaults. */
export function readEvaluateOptions(given: EvaluateOptions): EvaluateRun {
  const known: readonly string[] = EVALUATE_OPTIONS;
  const options = readOptions("evaluate", given, known as readonly (keyof EvaluateOptions)[]);
  const { batchSize = 256 } = options;
  return { ...options, loss: readRun("evaluate", options, batchSize), batchSize };
}

/** Checks what both functions take; returns the loss. */
type Run = { readonly model: Layer; readonly data: Dataset; readonly loss?: Loss; readonly signal?: StopSignal };

function readRun(who: string, { model, data, loss = defaultLoss, signal }: Run, batchSize: number): Loss {
  readFunction(who, "model", model);
  readObject(who, "data", data);
  readFunction(who, "loss", loss);
  readCount(who, "batchSize", batchSize, 1);
  if (signal !== undefined && typeof signal?.aborted !== "boolean")
    throw new ValueError(who, `signal must be an AbortSignal, got ${describe(signal)}`);
  return loss;
}

function readOptimizer(optimizer: Optimizer): void {
  readObject("train", "optimizer", optimizer);
  const isOptimizer =
    Array.isArray(optimizer.parameters) && typeof optimizer.step === "function" && typeof optimizer.zeroGrad === "function";
  if (!isOptimizer) throw new ValueError("train", "optimizer must be an optimizer, such as adam(vars.parameters())");
}

/** A result of a function of the user's that must be ready when the function returns. */
export function refuseAsync<T>(who: string, name: string, result: T): T {
  const then: unknown = typeof result === "object" && result !== null && "then" in result ? result.then : null;
  if (typeof then !== "function") return result;
  Promise.resolve(result).catch(() => undefined);
  throw new ValueError(who, `${name} must not be async: it returned a promise, and nobody awaits it`);
}

/** The logits of a batch: [batch, classes], with a class for every label. */
export function readLogits(who: string, logits: Tensor, labels: Int32Array): Tensor {
  readTensor(who, "what the model returns", refuseAsync(who, "model", logits));
  const [rows, classes = 0] = logits.shape;
  if (logits.shape.length !== 2 || rows !== labels.length)
    throw new ShapeError(who, `the model returned ${show(logits.shape)} for ${labels.length} examples: need [batch, classes]`);
  const wrong = labels.find((label) => label >= classes);
  if (wrong !== undefined)
    throw new ShapeError(who, `the model returned ${show(logits.shape)}, so there is no class for the label ${wrong}`);
  return logits;
}

/** The loss of a batch: a single number. */
export function readLoss(who: string, loss: Tensor): Tensor {
  readTensor(who, "what loss returns", refuseAsync(who, "loss", loss));
  if (loss.size !== 1)
    throw new ShapeError(who, `loss returned ${show(loss.shape)}: need a single number; reduce it with mean()`);
  return loss;
}

/** Fields of a TrainingState, which may be spread into the options of `train`. */
export type RunState = {
  /** The model's variables. If given, all of them are checked for numbers that are not finite after each epoch. */
  readonly vars?: VariableCreator;
  /** Not read: `loadCheckpoint` and `saveCheckpoint` use it. */
  readonly generators?: object;
};
