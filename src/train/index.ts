export { accuracy, confusionMatrix, correctCount, topKAccuracy, topKCount } from "./metrics.ts";
export {
  type EvaluateOptions,
  type Evaluation,
  evaluate,
  type History,
  type Loss,
  type Progress,
  type StopSignal,
  TrainingError,
  type TrainOptions,
  train,
} from "./train.ts";
