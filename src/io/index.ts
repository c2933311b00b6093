export { loadCheckpoint, saveCheckpoint, type TrainingState } from "./checkpoint.ts";
export { decodeSafetensors, encodeSafetensors, FormatError, type SavedTensors } from "./safetensors.ts";
export { loadWeights, saveWeights } from "./weights.ts";
