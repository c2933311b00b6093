import { gemm } from "./blocked.ts";
import { conv2d, conv2dInputGrad, conv2dKernelGrad } from "./im2col.ts";
import { beforeFirstUse, provideSlabs } from "./memory.ts";
import * as reference from "./reference.ts";
import { canFuse, type WasmBackend, wasmBackend } from "./wasm/backend.ts";

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
export type Backend = { readonly name: "wasm" | "plain"; readonly fused: boolean; readonly reason: string };

let chosen: Backend | null = null;

/**
 * Which kernels are in use. They are chosen when first needed: WebAssembly with SIMD and shared memory where the machine has them, plain
 * TypeScript otherwise. Environment variables: HASHGRAD_BACKEND=plain leaves WebAssembly out; HASHGRAD_FMA=off leaves out fused
 * multiply-add, which rounds once where two instructions round twice, =on asks for it, on Node 20 by a flag of V8's.
 */
export function backend(): Backend {
  chosen ??= choose();
  return chosen;
}

function choose(): Backend {
  const setting = (name: string, allowed: readonly string[]): string | undefined => {
    const value = typeof process === "undefined" ? undefined : process.env[name];
    if (value === undefined || value === "" || allowed.includes(value)) return value;
    throw new RangeError(`${name} must be ${allowed.join(" or ")}, got ${JSON.stringify(value)}`);
  };
  const wanted = setting("HASHGRAD_BACKEND", ["plain", "wasm"]);
  const fma = setting("HASHGRAD_FMA", ["on", "off"]);
  if (wanted === "plain") return { name: "plain", fused: false, reason: "HASHGRAD_BACKEND=plain" };
  let wasm: WasmBackend;
  let fused = false;
  try {
    fused = fma !== "off" && (canFuse() || (fma === "on" && canFuseByFlag()));
    wasm = wasmBackend(fused);
  } catch (error) {
    const why = `no WebAssembly with SIMD and shared memory: ${error instanceof Error ? error.message : error}`;
    return { name: "plain", fused: false, reason: why };
  }
  provideSlabs(wasm.slab);
  Object.assign(kernels, wasm.kernels);
  const unfused = fma === "off" ? "HASHGRAD_FMA=off" : "no fused multiply-add here; Node 20 has it by HASHGRAD_FMA=on";
  return { name: "wasm", fused, reason: `WebAssembly with SIMD and shared memory; ${fused ? "fused multiply-add" : unfused}` };
}

/** On Node 20 relaxed SIMD hides behind a flag that can be set while running. */
function canFuseByFlag(): boolean {
  process.getBuiltinModule("node:v8").setFlagsFromString("--experimental-wasm-relaxed-simd");
  return canFuse();
}

beforeFirstUse(backend);
