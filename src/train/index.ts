export { type Evaluation, evaluate } from "./evaluate.ts";
export { accuracy, confusionMatrix, correctCount, topKAccuracy, topKCount } from "./metrics.ts";
export {
  type EvaluateOptions,
  type Loss,
  type Progress,
  type RunState,
  type StopSignal,
  TrainingError,
  type TrainOptions,
} from "./options.ts";
export { type History, train } from "./train.ts";
