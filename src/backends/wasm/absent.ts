import { BackendError } from "../../kernels/index.ts";
import type * as backend from "./backend.ts";

// Replaces backend.ts in `hashgrad/plain`, whose bundles hold no WebAssembly.

export const canFuse: typeof backend.canFuse = () => false;

/** Always throws, so that the plain backend is chosen. */
export const wasmBackend: typeof backend.wasmBackend = () => {
  throw new BackendError("hashgrad/plain", "this entry point contains no WebAssembly");
};
