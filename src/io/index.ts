/**
 * Saves and loads weights and checkpoints, in the safetensors format.
 * @module io
 */
export type { Source } from "./arguments.ts";
export { encodeCheckpoint, loadCheckpoint, saveCheckpoint, type TrainingState } from "./checkpoint.ts";
export { FileError, FormatError } from "./errors.ts";
export { decodeSafetensors, encodeSafetensors, type SavedTensors } from "./safetensors.ts";
export { encodeWeights, type LoadReport, loadWeights, saveWeights } from "./weights.ts";
