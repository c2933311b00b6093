import { gemm } from "./blocked.ts";
import { conv2d, conv2dInputGrad, conv2dKernelGrad } from "./im2col.ts";
import { beforeFirstUse, provideSlabs } from "./memory.ts";
import * as reference from "./reference.ts";
import { type WasmBackend, wasmBackend } from "./wasm/backend.ts";

export type { Convolution, Depthwise } from "./conv.ts";
export type { Gemm } from "./gemm.ts";
export {
  alloc,
  allocLasting,
  inArena,
  isInArena,
  type Lifetime,
  lasting,
  lifetimeNow,
  MemoryError,
  memory,
  type Numbers,
} from "./memory.ts";
export type { Reduced } from "./reduce.ts";
export type { View } from "./strided.ts";
export type { Windows } from "./windows.ts";

/** Every number-crunching loop of the library. The reference table *is* the interface. */
export type Kernels = typeof reference;

/** The faster kernels in plain TypeScript; each is held to the reference by a property. */
export const blocked: Partial<Kernels> = { gemm, conv2d, conv2dInputGrad, conv2dKernelGrad };

/** The table that ops call. */
export const kernels: Kernels = { ...reference, ...blocked };

/** Lays other kernels over the table; returns a function that puts back what was there. */
export function install(faster: Partial<Kernels>): () => void {
  backend(); // chosen now, or its kernels would cover these later
  const before: Kernels = { ...kernels };
  Object.assign(kernels, faster);
  return () => {
    Object.assign(kernels, before);
  };
}

/** What computes, and why. */
export type Backend = { readonly name: "wasm" | "plain"; readonly reason: string };

let chosen: Backend | null = null;

/**
 * Which kernels are in use. They are chosen when first needed: WebAssembly with SIMD and shared memory where the machine has them, plain
 * TypeScript otherwise, or where the environment variable HASHGRAD_BACKEND says `plain`.
 */
export function backend(): Backend {
  chosen ??= choose();
  return chosen;
}

function choose(): Backend {
  const wanted = typeof process === "undefined" ? undefined : process.env.HASHGRAD_BACKEND;
  if (wanted === "plain") return { name: "plain", reason: "HASHGRAD_BACKEND=plain" };
  let wasm: WasmBackend;
  try {
    wasm = wasmBackend();
  } catch (error) {
    return {
      name: "plain",
      reason: `no WebAssembly with SIMD and shared memory: ${error instanceof Error ? error.message : error}`,
    };
  }
  provideSlabs(wasm.slab);
  Object.assign(kernels, wasm.kernels);
  return { name: "wasm", reason: "WebAssembly with SIMD and shared memory" };
}

beforeFirstUse(backend);
