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

type Choice = { readonly backend: Backend; readonly wasm: WasmBackend | null };
let chosen: Choice | null = null;

/**
 * Which kernels are in use. They are chosen when first needed: WebAssembly with SIMD and shared memory if the machine has them, plain
 * TypeScript otherwise. Environment variables: HASHGRAD_BACKEND=plain leaves WebAssembly out; HASHGRAD_THREADS is a number or "auto"
 * (default), see `configure`; HASHGRAD_FMA=off leaves out fused multiply-add, which rounds once instead of twice, =on asks for it, on
 * Node 20 by a flag of V8's.
 * @throws ValueError, at every call, while one of these variables has a value that it cannot have.
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
 * Sets how many threads share large work: a whole number from 1 to 16, or "auto", as many as the machine can run at once. The same bits come
 * out for any number. Without WebAssembly, or if threads cannot be started, there is one.
 * @throws ValueError for any other value.
 */
export function configure(options: { readonly threads: number | "auto" }): Backend {
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

/** How many threads there will be; "auto": as many as the machine can run at once. */
function threadCount(asked: number | "auto"): number {
  if (!canStartWorkers()) return 1;
  return asked === "auto" ? Math.min(MOST_THREADS, availableThreads()) : asked;
}

/** The value of an environment variable; undefined if it is empty or not set, or if the runtime does not let it be read. */
function setting(name: string): string | undefined {
  try {
    const value = typeof process === "undefined" ? undefined : process.env?.[name];
    return value === "" ? undefined : value;
  } catch {
    return undefined; // Deno without --allow-env
  }
}

/** A setting with one of the allowed values. */
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
  const unfused = fma === "off" ? "HASHGRAD_FMA=off" : "no fused multiply-add here; Node 20 has it by HASHGRAD_FMA=on";
  const alone = canStartWorkers()
    ? ""
    : "; one thread, since others cannot be started: a page must be isolated from other origins";
  const reason = `WebAssembly with SIMD and shared memory; ${fused ? "fused multiply-add" : unfused}${alone}`;
  return { wasm, backend: { name: "wasm", fused, threads: count, reason } };
}

/** Lays a backend's kernels over the table, and takes memory from it. */
function use(wasm: WasmBackend, threads: number): void {
  provideSlabs(wasm.slabs);
  Object.assign(kernels, wasm.kernels);
  wasm.setThreads(threads);
}

/**
 * Replaces the kernels and their memory after a worker thread stopped inside a kernel: it may wake up and write to the old memory. Arrays there
 * stay readable. The new kernels run in one thread until `configure` is called.
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

/** On Node 20 relaxed SIMD hides behind a flag that can be set while running. */
function canFuseByFlag(): boolean {
  process.getBuiltinModule("node:v8").setFlagsFromString("--experimental-wasm-relaxed-simd");
  return canFuse();
}

beforeFirstUse(backend);
