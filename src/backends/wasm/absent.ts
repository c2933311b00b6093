import { BackendError } from "../../kernels/index.ts";
import type * as backend from "./backend.ts";

// Stands for backend.ts in `hashgrad/plain`, whose bundles hold no WebAssembly.

export const canFuse: typeof backend.canFuse = () => false;

/** Always throws, so that the plain kernels are chosen. */
export const wasmBackend: typeof backend.wasmBackend = () => {
  throw new BackendError("hashgrad/plain", "this entry point contains no WebAssembly");
};
