import { BackendError, HashgradError } from "../../kernels/index.ts";
import type { Arrays } from "./operands.ts";
import { createSpace, type Space } from "./space.ts";
import { startWorker, stopWorkers, type Worker } from "./workers.ts";

const PAGE = 65536;
/**
 * Pages to reserve at the start: 1 GiB, or less if the machine refuses. Reserved memory costs only address space until
 * it is used. A later growth starts new workers, because running workers may not see the new size.
 */
const RESERVES = [16384, 4096, 1024, 256, 16];
/** The largest size, in pages: 4 GiB, or less if the machine refuses. */
const MAXIMA = [65536, 32768, 16384, 4096];

/** What assembly/threads.ts exports for the calls around kernels. */
export type ThreadExports = {
  readonly setThreads: (count: number, maySleep: boolean) => void;
  readonly nextGeneration: () => boolean;
  readonly settle: () => void;
  readonly messageAt: () => number;
  /** For tests. */
  readonly injectFault: (kind: number) => void;
};

/** An instance of the module of kernels, with its own memory. */
export type Instance<E> = {
  /** The module's exports. After a trap, a call waits until workers finish their parts, then throws a BackendError. */
  readonly exports: E;
  readonly memory: WebAssembly.Memory;
  readonly space: Space;
  /** Whether x lies in this memory. Kernels use such arrays in place. */
  readonly isHere: (x: Arrays) => boolean;
};

/**
 * `pages`: pages to reserve. If a worker no longer answers, `onLost` runs, then the kernel throws a BackendError. The
 * instance must not be used again.
 */
export type InstanceOptions = { readonly pages?: number | undefined; readonly onLost?: (() => void) | undefined };

/**
 * Returns the address of work memory for the running kernel. Region 0: shared by all threads; region 1: one slot per
 * thread.
 */
export type WorkMemory = (region: number, bytes: number) => number;

/** Returns an instance with new memory. Throws if WebAssembly, its SIMD or shared memory is missing. */
export function createInstance<E extends object>(
  module: WebAssembly.Module,
  { pages, onLost, workMemory }: InstanceOptions & { readonly workMemory: WorkMemory },
): Instance<E & ThreadExports> {
  const memory = newMemory(pages);
  let buffer = memory.buffer; // a growth makes a new buffer object over the same bytes
  const buffers = new Set<ArrayBufferLike>([buffer]); // arrays over older buffers stay valid
  const workers = new Set<Worker>();

  const env = {
    memory,
    startWorker: (thread: number, generation: number): void => startWorker(workers, { module, memory, thread, generation }),
    now: (): number => performance.now(),
    workMemory,
    lost: (): void => {
      stopWorkers(workers);
      onLost?.();
      throw new BackendError(
        "backend",
        "a worker thread that computes a part of a kernel no longer answers: it was terminated or stopped; the result is incomplete, " +
          "and from now on kernels run in one thread. If the machine is only very busy, set HASHGRAD_THREADS=1",
      );
    },
    trapped: (): void => {
      throw new BackendError("backend", `a worker thread failed inside a kernel, so the result is incomplete: ${message()}`);
    },
  };
  const { exports } = new WebAssembly.Instance<E & ThreadExports>(module, { env });
  const message = (): string => {
    const bytes = new Uint8Array(memory.buffer, exports.messageAt(), 256).slice();
    const text = String.fromCharCode(...bytes.subarray(0, bytes.indexOf(0)));
    return text === "" ? "no reason was given" : text;
  };

  const growTo = (bytes: number): void => {
    const before = memory.buffer.byteLength;
    const most = MAXIMA[0]! * PAGE;
    try {
      // Doubles the memory, so that it seldom grows.
      memory.grow((Math.min(most, Math.max(2 * before, whole(bytes))) - before) / PAGE);
    } catch {
      memory.grow((whole(bytes) - before) / PAGE);
    }
    buffer = memory.buffer;
    buffers.add(buffer);
    exports.nextGeneration();
    stopWorkers(workers);
  };

  return {
    exports: guarded(exports),
    memory,
    space: createSpace({ byteLength: () => memory.buffer.byteLength, growTo }, PAGE),
    isHere: (x) => x.buffer === buffer || buffers.has(x.buffer),
  };
}

const whole = (bytes: number): number => Math.ceil(bytes / PAGE) * PAGE;

/** Returns the largest memory that the machine grants. */
function newMemory(pages: number | undefined): WebAssembly.Memory {
  let error: unknown = new RangeError("no size was tried");
  for (const maximum of MAXIMA) {
    for (const initial of pages === undefined ? RESERVES : [pages]) {
      try {
        return new WebAssembly.Memory({ initial, maximum, shared: true });
      } catch (refusal) {
        error = refusal;
      }
    }
  }
  throw error;
}

type Argument = number | boolean | undefined;
/** An export. No export has more than 14 arguments. */
type Call = (
  a?: Argument,
  b?: Argument,
  c?: Argument,
  d?: Argument,
  e?: Argument,
  f?: Argument,
  g?: Argument,
  h?: Argument,
  i?: Argument,
  j?: Argument,
  k?: Argument,
  l?: Argument,
  m?: Argument,
  n?: Argument,
) => unknown;

/**
 * Wraps each export in a function that calls `settle` after a trap (threads.ts). Each wrapper passes 14 arguments;
 * WebAssembly ignores those that the export does not have. Rest arguments would allocate an array at each call.
 */
function guarded<E extends object>(exports: E & ThreadExports): E & ThreadExports {
  const failed = (error: unknown): never => {
    // `workMemory`, `trapped` and `lost` throw a HashgradError: no job has begun, the job is over, or the instance is
    // given up.
    if (error instanceof HashgradError) throw error;
    exports.settle();
    const said = error instanceof Error ? error.message : String(error);
    throw new BackendError("backend", `a kernel failed, so the result is incomplete: ${said}`, { cause: error });
  };
  const guard = (call: Call): Call =>
    function guardedCall(a, b, c, d, e, f, g, h, i, j, k, l, m, n) {
      try {
        return call(a, b, c, d, e, f, g, h, i, j, k, l, m, n);
      } catch (error) {
        return failed(error);
      }
    };
  const entries = Object.entries(exports).map(([name, value]) => [
    name,
    typeof value === "function" ? guard(value as Call) : value,
  ]);
  return Object.fromEntries(entries) as E & ThreadExports;
}
