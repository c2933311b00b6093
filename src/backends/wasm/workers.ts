/**
 * The program of a worker thread. It creates an instance of the module over the shared memory; its export `serve` waits
 * for parts of kernels. After a trap it writes the message to memory for the caller, counts the part as failed, and
 * calls `serve` again. `worker`: the `Work` object that `startWorker` passes.
 */
const serve = `
  const { exports } = new WebAssembly.Instance(worker.module, {
    env: { memory: worker.memory, startWorker() {}, now: () => 0, workMemory: () => 0, lost() {}, trapped() {} },
  });
  for (;;) {
    try {
      exports.serve(worker.thread, worker.generation);
    } catch (error) {
      const text = String(error).slice(0, 255);
      const bytes = new Uint8Array(worker.memory.buffer, exports.messageAt(), 256);
      for (let i = 0; i <= text.length; i++) bytes[i] = i < text.length ? text.charCodeAt(i) & 127 : 0;
      exports.partFailed();
    }
  }
`;
// Wrapped in a function, because Bun and Deno run the text as CommonJS, which already defines `module` and `exports`.
const nodeProgram = `(() => { const worker = require("node:worker_threads").workerData; ${serve} })();`;
const browserProgram = `onmessage = ({ data: worker }) => { ${serve} };`;

/** The data that a worker receives. `thread`: its number, from 1. `generation`: see assembly/threads.ts. */
export type Work = {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly thread: number;
  readonly generation: number;
};

/** A worker of any runtime. */
export type Worker = { readonly terminate: () => unknown };

/**
 * The parts of a browser's global object that are used. Only cross-origin isolated pages may share memory with workers.
 */
type Browser = {
  readonly crossOriginIsolated?: boolean;
  readonly Worker?: new (
    url: string,
  ) => Worker & { readonly postMessage: (message: unknown) => void; onerror: (() => void) | null };
  readonly document?: unknown;
  readonly navigator?: { readonly hardwareConcurrency?: number };
};
const browser = globalThis as object as Browser;
let programUrl: string | undefined;
let missing = 0;

/** How many workers could not be started so far. */
export function missingWorkers(): number {
  return missing;
}

/** The module node:worker_threads, or undefined. A static import would fail in browsers. */
const nodeThreads = () => (typeof process === "undefined" ? undefined : process.getBuiltinModule?.("node:worker_threads"));

/** Whether threads can be started here. */
export function canStartWorkers(): boolean {
  return nodeThreads() !== undefined || (browser.crossOriginIsolated === true && browser.Worker !== undefined);
}

/** How many threads the machine can run at once. */
export function availableThreads(): number {
  const { hardwareConcurrency = 1 } = browser.navigator ?? {};
  if (nodeThreads() === undefined) return hardwareConcurrency;
  try {
    return process.getBuiltinModule("node:os").availableParallelism();
  } catch {
    return hardwareConcurrency; // Deno without the permission to ask the system
  }
}

/** Whether this thread may block: the thread of a page may not. */
export function maySleep(): boolean {
  return browser.document === undefined;
}

/**
 * Starts a worker. The worker takes parts of kernels once it runs, and does not keep the process alive. If it cannot be
 * started, the other threads compute its parts.
 */
export function startWorker(workers: Set<Worker>, work: Work): void {
  const node = nodeThreads();
  try {
    if (node === undefined) {
      programUrl ??= URL.createObjectURL(new Blob([browserProgram], { type: "text/javascript" }));
      const worker = new browser.Worker!(programUrl);
      worker.onerror = miss;
      worker.postMessage(work);
      workers.add(worker);
      return;
    }
    const worker = new node.Worker(nodeProgram, { eval: true, execArgv: [], env: {}, workerData: work });
    worker.unref();
    worker.on("error", () => undefined); // "exit" follows and counts the worker as missing
    worker.on("exit", () => {
      if (workers.delete(worker)) miss(); // `stopWorkers` removes a worker from the set before it terminates the worker
    });
    workers.add(worker);
  } catch {
    miss(); // forbidden by the page's security policy or by Node.js permissions
  }
}

/** Terminates all workers. If a worker holds a part of a kernel, the memory must not be used again. */
export function stopWorkers(workers: Set<Worker>): void {
  const stopped = [...workers];
  workers.clear();
  for (const worker of stopped) worker.terminate();
}

function miss(): void {
  missing++;
}
