/**
 * Saves and loads weights and checkpoints, in the safetensors format.
 * @module io
 */
export type { Source } from "./arguments.ts";
export {
  type CheckpointOptions,
  encodeCheckpoint,
  loadCheckpoint,
  type ResumePosition,
  resumeCheckpoint,
  saveCheckpoint,
  type TrainingState,
} from "./checkpoint.ts";
export { FileError, FormatError } from "./errors.ts";
export { replaceFile } from "./files.ts";
export { type FileInfo, info, type PoolInfo, type TensorInfo } from "./info.ts";
export type { Metadata } from "./metadata.ts";
export type { WeightsDtype } from "./precision.ts";
export { decodeSafetensors, encodeSafetensors, type SavedTensors } from "./safetensors.ts";
export { encodeTorchWeights, loadTorchWeights, saveTorchWeights, type TorchReport } from "./torch.ts";
export { encodeWeights, type LoadReport, loadWeights, type SaveOptions, saveWeights } from "./weights.ts";
