import { type Arrays, type Data, DataError, type Dataset, type InputsOf, type Targets, type TargetsOf } from "../data/index.ts";
import type { Layer } from "../nn/index.ts";
import type { Optimizer } from "../optim/index.ts";
import {
  describe,
  type Generator,
  HashgradError,
  isThenable,
  type Outputs,
  readCount,
  readFunction,
  readName,
  readNumber,
  readObject,
  readOptions,
  type Tensor,
  ValueError,
} from "../tensor/index.ts";
import { type VariableCreator, weightsOf } from "../variables/index.ts";
import type { Metric, Scores } from "./metric.ts";

/** Training cannot continue. */
export class TrainingError extends HashgradError {}

/** An `AbortSignal`, or any object with `aborted`. Its own type would need DOM or Node.js types. */
export type StopSignal = { readonly aborted: boolean };

/** The loss of a batch, a single number: the mean over its examples. */
export type Loss<R extends Outputs = Tensor, T extends Targets = Int32Array> = {
  // A method, because the compiler checks parameters of methods less strictly: a loss of special outputs fits a general
  // one.
  call(outputs: R, targets: T): Tensor;
}["call"];

/** Any model: its layers decide how many tensors it takes. */
export type AnyModel<R extends Outputs> = Layer<never[], R>;

/** The progress after a batch. Scores are means of the epoch so far, computed while the model changed. */
export type Progress<M extends string = string> = Scores<M> & {
  /** The number of the epoch, from 1. */
  readonly epoch: number;
  /** The number of epochs of the run. */
  readonly epochs: number;
  /** From 1, within the epoch. */
  readonly batch: number;
  /** The number of batches of the epoch. */
  readonly batches: number;
  /** The number of examples of the epoch so far, from `firstBatch` on. */
  readonly examples: number;
  /** Seconds since the beginning of the epoch. */
  readonly seconds: number;
  /**
   * Scores of the validation data after the epoch, in inference mode. Null before that, without such data, and after an
   * abort.
   */
  readonly validation: Scores<M> | null;
};

/** Ends training before its last epoch, and restores the weights of the best epoch. */
export type EarlyStopping = {
  /** Epochs without improvement before training ends (default 3). */
  readonly patience?: number;
  /**
   * The score to watch: "loss" (default), "accuracy", or the name of a metric. Uses the validation data if there are
   * any.
   */
  readonly monitor?: string;
  /**
   * Whether lower or higher is better. Default: "min" for the loss, "max" for the accuracy and for metrics with
   * `start()`, such as `f1()`. Required for other metrics.
   */
  readonly mode?: "min" | "max";
  /** The smallest change that counts as an improvement (default 0). */
  readonly minDelta?: number;
};

/**
 * The batch of a model with these targets and inputs.
 * @typeParam T - the type of the targets
 * @typeParam Inputs - the type of the inputs
 */
export type BatchOf<T extends Targets, Inputs extends Tensor | readonly Tensor[] = Tensor | readonly Tensor[]> = {
  readonly inputs: Inputs;
  readonly targets: T;
};

/**
 * Changes a batch, such as by flipping images. `random` is a seeded generator.
 * @typeParam T - the type of the targets
 * @typeParam Inputs - the type of the inputs
 */
export type Transform<T extends Targets, Inputs extends Tensor | readonly Tensor[] = Tensor | readonly Tensor[]> = {
  call(batch: BatchOf<T, Inputs>, random: Generator): BatchOf<T, Inputs>;
}["call"];

/** Options of `train`, which include {@link RunState}. */
export type TrainOptions<D extends Data = Dataset, R extends Outputs = Tensor, M extends string = string> = RunState & {
  /** The model, which `train` calls with the inputs of a batch. */
  readonly model: AnyModel<R>;
  /** The optimizer of the parameters of the model. */
  readonly optimizer: Optimizer;
  /** The training data. */
  readonly data: D;
  /** Total number of epochs, including those completed before a resume (default 1). */
  readonly epochs?: number;
  /**
   * The first epoch to run (default 1). After `loadCheckpoint`: the number of completed epochs plus 1. The run ends
   * with exactly the same weights as an uninterrupted run, if data, seed, batch size, schedule and the optimizer's
   * options are the same.
   */
  readonly firstEpoch?: number;
  /**
   * The first batch of the first epoch to run (default 1): a multiple of `accumulate`, plus 1. `resumeCheckpoint`
   * returns it. The scores of this epoch cover the batches from `firstBatch` on.
   */
  readonly firstBatch?: number;
  /** Examples per batch (default 128). The last batch of an epoch may be smaller. */
  readonly batchSize?: number;
  /**
   * Batches per update (default 1). The update equals that of one batch with all their examples, except for batch
   * statistics.
   */
  readonly accumulate?: number;
  /** The seed of the order of the examples in each epoch, and of the generator of `transform` (default 0). */
  readonly seed?: number;
  /** The loss. Default for labels: softmax cross entropy. Other targets require a loss, such as `meanSquaredError`. */
  readonly loss?: Loss<R, TargetsOf<D>>;
  /** Further scores by name (default none). */
  readonly metrics?: Readonly<Record<M, Metric<R, TargetsOf<D>>>>;
  /** Data to evaluate after each epoch (default none). */
  readonly validation?: Data;
  /** Ends training when a score stops improving (default: all epochs run). */
  readonly earlyStopping?: EarlyStopping;
  /**
   * Changes each training batch, for augmentation (default: no change). `random` depends on seed, epoch and batch only,
   * so a resumed run draws the same.
   */
  readonly transform?: Transform<TargetsOf<D>, InputsOf<D>>;
  /**
   * Runs between backward and the optimizer's step, to clip or exchange gradients (default: nothing). `train` awaits
   * it.
   */
  readonly beforeUpdate?: () => unknown;
  /** Runs after each batch (default: nothing). `train` awaits it. */
  readonly onBatch?: (progress: Progress<M>) => unknown;
  /** Runs after each complete epoch, to evaluate or to save a checkpoint (default: nothing). `train` awaits it. */
  readonly onEpoch?: (progress: Progress<M>) => unknown;
  /** Ends training after the current batch (default: never). */
  readonly signal?: StopSignal;
};

/** Options of `evaluate`. */
export type EvaluateOptions<D extends Data = Dataset, R extends Outputs = Tensor, M extends string = string> = {
  /** The model, which `evaluate` calls with the inputs of a batch. */
  readonly model: AnyModel<R>;
  /** The data with targets. */
  readonly data: D;
  /** Examples per batch (default 256). */
  readonly batchSize?: number;
  /** The loss, with the default of `train`. */
  readonly loss?: Loss<R, TargetsOf<D>>;
  /** Further scores by name (default none). */
  readonly metrics?: Readonly<Record<M, Metric<R, TargetsOf<D>>>>;
  /** Ends after the current batch; the result covers the batches so far (default: never). */
  readonly signal?: StopSignal;
};

/** Fields of a TrainingState, which may be spread into the options of `train`. */
export type RunState = {
  /**
   * The variables of the model. If given, `train` checks after each epoch that all of them are finite. Default: no
   * check.
   */
  readonly vars?: VariableCreator;
  /** Not read: `loadCheckpoint` and `saveCheckpoint` use it. Default: none. */
  readonly generators?: object;
};

/** The largest number of epochs. */
const MOST_EPOCHS = 2 ** 31;

const TRAIN_OPTIONS = [
  "model",
  "optimizer",
  "data",
  "vars",
  "generators",
  "epochs",
  "firstEpoch",
  "firstBatch",
  "batchSize",
  "accumulate",
  "seed",
  "loss",
  "metrics",
  "validation",
  "earlyStopping",
  "transform",
  "beforeUpdate",
  "onBatch",
  "onEpoch",
  "signal",
] as const;

type WithDefaults<T, K extends keyof T> = T & { readonly [P in K]-?: NonNullable<T[P]> };
/** The options of `train` with their defaults. */
export type TrainRun = WithDefaults<
  TrainOptions<Data, Outputs>,
  "epochs" | "firstEpoch" | "firstBatch" | "batchSize" | "accumulate" | "seed" | "metrics"
>;
/** The common options of `train` and `evaluate`. */
export type Scored = Pick<TrainRun, "model" | "loss" | "metrics" | "batchSize" | "signal">;
export type EvaluateRun = Scored & { readonly data: Data };

/** The options of `train`, checked. */
export function readTrainOptions(given: TrainOptions<Data, Outputs>): TrainRun {
  const who = "train";
  const options = readOptions(who, given, TRAIN_OPTIONS);
  const { epochs = 1, firstEpoch = 1, firstBatch = 1, batchSize = 128, accumulate = 1, seed = 0, earlyStopping } = options;
  readCount(who, "epochs", epochs, 0, MOST_EPOCHS);
  readCount(who, "firstEpoch", firstEpoch, 1);
  readCount(who, "accumulate", accumulate, 1);
  readCount(who, "firstBatch", firstBatch, 1);
  if ((firstBatch - 1) % accumulate !== 0)
    throw new ValueError(
      who,
      `firstBatch must be a multiple of accumulate (${accumulate}) plus 1, got ${firstBatch}: save after an update`,
    );
  readCount(who, "seed", seed, Number.MIN_SAFE_INTEGER);
  readOptimizer(options.optimizer);
  if (options.vars !== undefined) weightsOf(options.vars);
  for (const name of ["transform", "beforeUpdate", "onBatch", "onEpoch"] as const)
    if (options[name] !== undefined) readFunction(who, name, options[name]);
  const metrics = readScored(who, options, batchSize);
  if (options.validation !== undefined) readTargets(who, "validation", options.validation);
  if (earlyStopping !== undefined) readEarlyStopping(earlyStopping, metrics);
  return { ...options, epochs, firstEpoch, firstBatch, batchSize, accumulate, seed, metrics };
}

/** Fields of a training run that `evaluate` does not read: the options of a run may be spread into its options. */
const EVALUATE_OPTIONS = ["model", "data", "batchSize", "loss", "metrics", "signal", "vars", "optimizer", "generators"] as const;

/** The options of `evaluate`, checked, with their defaults. */
export function readEvaluateOptions(given: EvaluateOptions<Data, Outputs>): EvaluateRun {
  const known: readonly string[] = EVALUATE_OPTIONS;
  const options = readOptions("evaluate", given, known as readonly (keyof EvaluateOptions)[]);
  const { batchSize = 256 } = options;
  return { ...options, metrics: readScored("evaluate", options, batchSize), batchSize };
}

/** Checks the common options of both functions; returns the metrics. */
function readScored(
  who: string,
  { model, data, loss, metrics = {}, signal }: EvaluateOptions<Data, Outputs>,
  batchSize: number,
): TrainRun["metrics"] {
  readFunction(who, "model", model);
  readTargets(who, "data", data);
  if (loss !== undefined) readFunction(who, "loss", loss);
  readCount(who, "batchSize", batchSize, 1);
  readSignal(who, signal);
  for (const [name, metric] of Object.entries(readObject(who, "metrics", metrics))) {
    if (typeof metric === "function") continue;
    readFunction(who, `metrics.${name}.start`, readObject(who, `metrics.${name}`, metric).start);
  }
  return metrics;
}

/** Throws if columns in memory lack their targets, such as for a misspelled name. */
function readTargets(who: string, name: string, data: Data): void {
  const keys = Object.keys(readObject(who, name, data));
  const { targets } = data as Arrays;
  if (targets !== undefined || !keys.includes("inputs") || ["batch", "labels", "inputShape"].some((key) => keys.includes(key)))
    return;
  throw new DataError(who, `${name} must have targets, it has ${keys.join(", ")}`);
}

/** Throws unless the signal is an AbortSignal, or left out. */
export function readSignal(who: string, signal: StopSignal | undefined): void {
  if (signal !== undefined && typeof signal?.aborted !== "boolean")
    throw new ValueError(who, `signal must be an AbortSignal, got ${describe(signal)}`);
}

function readEarlyStopping(given: EarlyStopping, metrics: TrainRun["metrics"]): void {
  const who = "train";
  const options = readOptions(who, readObject(who, "earlyStopping", given), ["patience", "monitor", "mode", "minDelta"]);
  const { patience = 3, monitor = "loss", mode, minDelta = 0 } = options;
  readCount(who, "patience", patience, 1);
  readNumber(who, "minDelta", minDelta, { least: 0 });
  if (mode !== undefined) readName(who, "mode", mode, ["min", "max"]);
  readName(who, "monitor", monitor, ["loss", "accuracy", ...Object.keys(metrics)]);
  if (mode === undefined && monitor !== "loss" && monitor !== "accuracy" && typeof metrics[monitor] === "function")
    throw new ValueError(who, `earlyStopping monitors "${monitor}": mode must say which values are better, "min" or "max"`);
}

function readOptimizer(optimizer: Optimizer): void {
  readObject("train", "optimizer", optimizer);
  const isOptimizer =
    Array.isArray(optimizer.parameters) && typeof optimizer.step === "function" && typeof optimizer.zeroGrad === "function";
  if (!isOptimizer) throw new ValueError("train", "optimizer must be an optimizer, such as adam(vars.parameters())");
}

/** The result of a user's function that must be synchronous. */
export function refuseAsync<T>(who: string, name: string, result: T): T {
  if (!isThenable(result)) return result;
  Promise.resolve(result).catch(() => undefined);
  throw new ValueError(who, `${name} must not be async: it returned a promise that is not awaited`);
}
