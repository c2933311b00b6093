import { gemm } from "./blocked.ts";
import { conv2d, conv2dInputGrad, conv2dKernelGrad } from "./im2col.ts";
import { beforeFirstUse, provideSlabs } from "./memory.ts";
import * as reference from "./reference.ts";
import { canFuse, type WasmBackend, wasmBackend } from "./wasm/backend.ts";
import { availableThreads, canStartHelpers, missingHelpers } from "./wasm/helpers.ts";

export {
  type Bounds,
  describe,
  FLOAT32,
  isTypedArray,
  readBoolean,
  readCount,
  readFunction,
  readIndices,
  readList,
  readName,
  readNumber,
  readNumbers,
  readObject,
  readOptions,
  readPair,
  readText,
  TENSOR_BRAND,
} from "./arguments.ts";
export type { Convolution, Depthwise } from "./conv.ts";
export {
  BackendError,
  GradientError,
  HashgradError,
  MemoryError,
  RecycledError,
  ShapeError,
  ValueError,
} from "./errors.ts";
export { hasFiles } from "./files.ts";
export type { Gemm } from "./gemm.ts";
export {
  alloc,
  allocLasting,
  inArena,
  isInArena,
  type Lifetime,
  lasting,
  lifetimeNow,
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

/** Lays over every kernel of the table what `around` makes of it, to watch or to time them; returns what `install` returns. */
export function installAround(around: <F extends (...args: never[]) => unknown>(name: string, kernel: F) => F): () => void {
  backend();
  const entries = Object.entries(kernels) as [keyof Kernels, (...args: never[]) => unknown][];
  return install(Object.fromEntries(entries.map(([name, kernel]) => [name, around(name, kernel)])) as Partial<Kernels>);
}

/** What computes, in how many threads, and why. `fused`: multiply-add rounds once. */
export type Backend = {
  readonly name: "wasm" | "plain";
  readonly fused: boolean;
  readonly threads: number;
  readonly reason: string;
};

let chosen: { backend: Backend; wasm: WasmBackend | null } | null = null;

/**
 * Which kernels are in use. They are chosen when first needed: WebAssembly with SIMD and shared memory where the machine has them, plain
 * TypeScript otherwise. Environment variables: HASHGRAD_BACKEND=plain leaves WebAssembly out; HASHGRAD_THREADS is a number or "auto"
 * (left out: auto), see `configure`; HASHGRAD_FMA=off leaves out fused multiply-add, which rounds once where two instructions round
 * twice, =on asks for it, on Node 20 by a flag of V8's.
 */
export function backend(): Backend {
  chosen ??= choose();
  const { backend: now } = chosen;
  const missing = missingHelpers();
  if (missing === 0 || now.threads === 1) return now;
  return {
    ...now,
    threads: Math.max(1, now.threads - missing),
    reason: `${now.reason}; ${missing} of its threads could not be started`,
  };
}

/**
 * How many threads share large work: a whole number of at least 1, or "auto", as many as the machine can run at once, at most 16. The same
 * bits come out for any number. Without WebAssembly, or where threads cannot be started, there is one.
 */
export function configure({ threads }: { readonly threads: number | "auto" }): Backend {
  if (threads !== "auto" && !(Number.isInteger(threads) && threads >= 1 && threads <= MOST_THREADS)) {
    throw new RangeError(`configure: threads must be "auto" or a whole number from 1 to ${MOST_THREADS}, got ${threads}`);
  }
  chosen ??= choose();
  const { wasm, backend: now } = chosen;
  const count = wasm === null ? 1 : threadCount(threads);
  wasm?.setThreads(count);
  chosen = { wasm, backend: { ...now, threads: count } };
  return backend();
}

const MOST_THREADS = 16;

/** How many threads there will be where so many are asked for; "auto": as many as the machine can run at once. */
function threadCount(asked: number | "auto"): number {
  if (!canStartHelpers()) return 1;
  return asked === "auto" ? Math.min(MOST_THREADS, availableThreads()) : asked;
}

function choose(): NonNullable<typeof chosen> {
  const setting = (name: string): string | undefined => {
    const value = typeof process === "undefined" ? undefined : process.env?.[name];
    return value === "" ? undefined : value;
  };
  const refuse = (name: string, value: string | undefined, allowed: readonly (string | undefined)[], words: string): void => {
    if (value !== undefined && !allowed.includes(value))
      throw new RangeError(`${name} must be ${words}, got ${JSON.stringify(value)}`);
  };
  const [wanted, fma, threads = "auto"] = [setting("HASHGRAD_BACKEND"), setting("HASHGRAD_FMA"), setting("HASHGRAD_THREADS")];
  refuse("HASHGRAD_BACKEND", wanted, ["plain", "wasm"], "plain or wasm");
  refuse("HASHGRAD_FMA", fma, ["on", "off"], "on or off");
  const counts = Array.from({ length: MOST_THREADS }, (_, i) => String(i + 1));
  refuse("HASHGRAD_THREADS", threads, ["auto", ...counts], `auto or a whole number from 1 to ${MOST_THREADS}`);

  const plain = (reason: string): NonNullable<typeof chosen> => ({
    wasm: null,
    backend: { name: "plain", fused: false, threads: 1, reason },
  });
  if (wanted === "plain") return plain("HASHGRAD_BACKEND=plain");
  let wasm: WasmBackend;
  let fused = false;
  try {
    fused = fma !== "off" && (canFuse() || (fma === "on" && canFuseByFlag()));
    wasm = wasmBackend(fused);
  } catch (error) {
    return plain(`no WebAssembly with SIMD and shared memory: ${error instanceof Error ? error.message : error}`);
  }
  provideSlabs(wasm.slab);
  Object.assign(kernels, wasm.kernels);
  const count = threadCount(threads === "auto" ? threads : Number(threads));
  wasm.setThreads(count);
  const unfused = fma === "off" ? "HASHGRAD_FMA=off" : "no fused multiply-add here; Node 20 has it by HASHGRAD_FMA=on";
  const alone = canStartHelpers()
    ? ""
    : "; one thread, since others cannot be started: a page must be isolated from other origins";
  const reason = `WebAssembly with SIMD and shared memory; ${fused ? "fused multiply-add" : unfused}${alone}`;
  return { wasm, backend: { name: "wasm", fused, threads: count, reason } };
}

/** On Node 20 relaxed SIMD hides behind a flag that can be set while running. */
function canFuseByFlag(): boolean {
  process.getBuiltinModule("node:v8").setFlagsFromString("--experimental-wasm-relaxed-simd");
  return canFuse();
}

beforeFirstUse(backend);
