/**
 * Trains, evaluates and runs models; metrics and early stopping.
 * @module train
 */
export { type BatchOptions, type ComputedBatch, computeBatch } from "./compute-batch.ts";
export { type Evaluation, evaluate } from "./evaluate.ts";
export type { BatchTask } from "./learn.ts";
export type { Accumulator, Metric, Scores } from "./metric.ts";
export { accuracy, binaryAccuracy, confusionMatrix, correctCount, type Labels, topKAccuracy, topKCount } from "./metrics.ts";
export {
  type AnyModel,
  type BatchOf,
  type EarlyStopping,
  type EvaluateOptions,
  type Loss,
  type Progress,
  type RunState,
  type StopSignal,
  TrainingError,
  type TrainOptions,
  type Transform,
} from "./options.ts";
export { type PredictOptions, predict } from "./predict.ts";
export { type CountedOptions, f1, precision, recall, rSquared } from "./scores.ts";
export { type History, train } from "./train.ts";
export { type BatchLearner, trainWith } from "./train-with.ts";
