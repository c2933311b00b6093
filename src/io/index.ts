export { encodeCheckpoint, loadCheckpoint, saveCheckpoint, type TrainingState } from "./checkpoint.ts";
export type { Source } from "./files.ts";
export { decodeSafetensors, encodeSafetensors, FormatError, type SavedTensors } from "./safetensors.ts";
export { encodeWeights, loadWeights, type Placed, saveWeights } from "./weights.ts";
