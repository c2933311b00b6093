export { type EvaluateOptions, type Evaluation, evaluate } from "./evaluate.ts";
export { accuracy, confusionMatrix, correctCount, topKAccuracy, topKCount } from "./metrics.ts";
export { type Loss, type RunState, type StopSignal, TrainingError } from "./options.ts";
export { type History, type Progress, type TrainOptions, train } from "./train.ts";
