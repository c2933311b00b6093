import { DataError } from "../../data/index.ts";

/** The option of `train` for the names of augmentations. */
export function augmentationFor(names: readonly string[]): { readonly transform?: never } {
  if (names.length === 0) return {};
  throw new DataError("train", "augmentation is not available");
}
