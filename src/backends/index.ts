import {
  beforeFirstUse,
  describe,
  type Kernels,
  provideSlabs,
  readCount,
  readOptions,
  reference,
  ValueError,
} from "../kernels/index.ts";
import { conv2d, conv2dInputGrad, conv2dKernelGrad } from "./plain/conv.ts";
import { gemm } from "./plain/gemm.ts";
import { canFuse, type WasmBackend, wasmBackend } from "./wasm/backend.ts";
import { availableThreads, canStartWorkers, missingWorkers } from "./wasm/workers.ts";

/** The blocked kernels: faster versions in TypeScript. A property test compares each with its plain kernel. */
export const blocked: Partial<Kernels> = { gemm, conv2d, conv2dInputGrad, conv2dKernelGrad };

/** The kernel table: ops call its entries. */
export const kernels: Kernels = { ...reference, ...blocked };

/** Replaces kernels in the kernel table. Returns a function that restores the previous kernels. */
export function install(faster: Partial<Kernels>): () => void {
  backend(); // chosen first: a backend chosen later would overwrite the kernels of `faster`
  const before: Kernels = { ...kernels };
  Object.assign(kernels, faster);
  return () => {
    Object.assign(kernels, before);
  };
}

/**
 * Replaces every kernel of the kernel table by the result of `around`, to watch or time it. Returns a function that
 * undoes this.
 */
export function installAround(around: <F extends (...args: never[]) => unknown>(name: string, kernel: F) => F): () => void {
  backend();
  const entries = Object.entries(kernels) as [keyof Kernels, (...args: never[]) => unknown][];
  return install(Object.fromEntries(entries.map(([name, kernel]) => [name, around(name, kernel)])) as Partial<Kernels>);
}

/** The backend in use. */
export type Backend = {
  /** "wasm": WebAssembly; "plain": TypeScript. */
  readonly name: "wasm" | "plain";
  /** Whether multiply-add rounds once. */
  readonly fused: boolean;
  /** The number of threads that share large work. */
  readonly threads: number;
  /** Why this backend was chosen. */
  readonly reason: string;
};

type Choice = { readonly backend: Backend; readonly wasm: WasmBackend | null };
let chosen: Choice | null = null;

/**
 * Returns the backend that computes. It is chosen at the first use: WebAssembly with SIMD and shared memory if the
 * machine has them, else plain TypeScript.
 *
 * Environment variables: HASHGRAD_BACKEND=plain disables WebAssembly. HASHGRAD_THREADS is a number or "auto" (default),
 * see `configure`. HASHGRAD_FMA=off disables fused multiply-add, which rounds once instead of twice; =on requests it,
 * on Node.js 20 by a flag of V8.
 * @throws ValueError, at every call, while one of these variables has an invalid value.
 * @example
 * console.log(backend().threads >= 1); //=> true
 */
export function backend(): Backend {
  chosen ??= choose();
  const { backend: now } = chosen;
  const missing = missingWorkers();
  if (missing === 0 || now.threads === 1) return now;
  return {
    ...now,
    threads: Math.max(1, now.threads - missing),
    reason: `${now.reason}; ${missing} of its threads could not be started or have ended`,
  };
}

/**
 * Sets the number of threads that share large work: 1 to 16, or "auto", the number of cores. The result has the same
 * bits for any number. Without WebAssembly, or if threads cannot be started, there is one thread. Returns the backend.
 * @throws ValueError for any other value.
 * @example
 * console.log(configure({ threads: 1 }).threads); //=> 1
 */
export function configure(options: {
  /** The number of threads, or "auto" for the number of cores. */
  readonly threads: number | "auto";
}): Backend {
  const { threads } = readOptions("configure", options, ["threads"]);
  if (threads !== "auto") readCount("configure", 'threads, if not "auto",', threads, 1, MOST_THREADS);
  chosen ??= choose();
  const { wasm, backend: now } = chosen;
  const count = wasm === null ? 1 : threadCount(threads);
  wasm?.setThreads(count);
  chosen = { wasm, backend: { ...now, threads: count } };
  return backend();
}

/** For tests: lets a thread fail in the next job that has workers, see assembly/threads.ts. */
export function injectFault(kind: number): void {
  chosen?.wasm?.injectFault(kind);
}

const MOST_THREADS = 16;

/** The number of threads to use: 1 if workers cannot be started. "auto": the number of cores, at most MOST_THREADS. */
function threadCount(asked: number | "auto"): number {
  if (!canStartWorkers()) return 1;
  return asked === "auto" ? Math.min(MOST_THREADS, availableThreads()) : asked;
}

/**
 * The value of an environment variable. Returns undefined if the variable is empty or not set, or if reading is
 * forbidden.
 */
function setting(name: string): string | undefined {
  try {
    const value = typeof process === "undefined" ? undefined : process.env?.[name];
    return value === "" ? undefined : value;
  } catch {
    return undefined; // Deno without --allow-env
  }
}

/** Reads an environment variable. Throws a ValueError if its value is not one of `values`; `rule` names the values. */
function allowed(name: string, values: readonly string[], rule: string): string | undefined {
  const value = setting(name);
  if (value === undefined || values.includes(value)) return value;
  throw new ValueError(name, `must be ${rule}, got ${describe(value)}`, { between: " " });
}

const THREAD_COUNTS: readonly string[] = ["auto", ...Array.from({ length: MOST_THREADS }, (_, i) => String(i + 1))];

function choose(): Choice {
  const wanted = allowed("HASHGRAD_BACKEND", ["plain", "wasm"], "plain or wasm");
  const fma = allowed("HASHGRAD_FMA", ["on", "off"], "on or off");
  const threads = allowed("HASHGRAD_THREADS", THREAD_COUNTS, `auto or a whole number from 1 to ${MOST_THREADS}`) ?? "auto";

  const plain = (reason: string): Choice => ({
    wasm: null,
    backend: { name: "plain", fused: false, threads: 1, reason },
  });
  if (wanted === "plain") return plain("HASHGRAD_BACKEND=plain");
  let fused = false;
  let wasm: WasmBackend;
  try {
    fused = fma !== "off" && (canFuse() || (fma === "on" && canFuseByFlag()));
    wasm = wasmBackend({ fused, onLost: replaceLost });
  } catch (error) {
    return plain(`no WebAssembly with SIMD and shared memory: ${error instanceof Error ? error.message : error}`);
  }
  const count = threadCount(threads === "auto" ? threads : Number(threads));
  use(wasm, count);
  const hint = fma === undefined ? "; Node.js 20 has it by HASHGRAD_FMA=on" : "";
  const unfused = fma === "off" ? "HASHGRAD_FMA=off" : `no fused multiply-add here${hint}`;
  const alone = canStartWorkers()
    ? ""
    : "; one thread, since others cannot be started: a page must be isolated from other origins";
  const reason = `WebAssembly with SIMD and shared memory; ${fused ? "fused multiply-add" : unfused}${alone}`;
  return { wasm, backend: { name: "wasm", fused, threads: count, reason } };
}

/** Puts the backend's kernels into the kernel table and makes `alloc` take slabs from the backend's memory. */
function use(wasm: WasmBackend, threads: number): void {
  provideSlabs(wasm.slabs);
  Object.assign(kernels, wasm.kernels);
  wasm.setThreads(threads);
}

/**
 * Replaces the WebAssembly instance and its memory after a worker stopped inside a kernel. The worker may wake up and
 * write to the old memory, so no kernel uses the old memory again. Arrays in the old memory stay readable. The new
 * kernels run in one thread until `configure` is called.
 */
function replaceLost(): void {
  if (chosen === null) return;
  const { fused, reason } = chosen.backend;
  const wasm = wasmBackend({ fused, onLost: replaceLost });
  use(wasm, 1);
  const now = {
    name: "wasm",
    fused,
    threads: 1,
    reason: `${reason}; one thread, since a worker stopped inside a kernel`,
  } as const;
  chosen = { wasm, backend: now };
}

/** Node.js 20 has relaxed SIMD behind a flag of V8. Sets the flag, then returns whether multiply-add rounds once. */
function canFuseByFlag(): boolean {
  process.getBuiltinModule("node:v8").setFlagsFromString("--experimental-wasm-relaxed-simd");
  return canFuse();
}

beforeFirstUse(backend);
