/**
 * What a worker thread runs: an instance of the kernels over the same memory, which waits there for parts of kernels. A trap ends the part, not
 * the worker; the caller reads the message. `worker`: the object that `startWorker` hands over.
 */
const serve = `
  const { exports } = new WebAssembly.Instance(worker.module, {
    env: { memory: worker.memory, startHelper() {}, now: () => 0, workMemory: () => 0, lost() {}, trapped() {} },
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
// In a function: Bun and Deno run the text as CommonJS, where names such as module and exports are taken.
const nodeProgram = `(() => { const worker = require("node:worker_threads").workerData; ${serve} })();`;
const browserProgram = `onmessage = ({ data: worker }) => { ${serve} };`;

/** What a worker is given. */
export type Work = {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly thread: number;
  readonly generation: number;
};

/** A worker of any runtime. */
export type Worker = { readonly terminate: () => unknown };

/** What a browser has. Only pages that are isolated from other origins may share memory with workers. */
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

/** Node's threads, without an import that a browser could not follow. */
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
 * Starts a worker, which takes parts of kernels as soon as it can and does not keep the process alive. If it cannot be started, the other
 * threads do the work.
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
    worker.on("error", () => undefined); // it exits
    worker.on("exit", () => {
      if (workers.delete(worker)) miss(); // not by stopWorkers
    });
    workers.add(worker);
  } catch {
    miss(); // the page, or Node's permissions, forbid it
  }
}

/** Terminates workers. They must hold no part of a kernel, or the memory must not be used again. */
export function stopWorkers(workers: Set<Worker>): void {
  const stopped = [...workers];
  workers.clear();
  for (const worker of stopped) worker.terminate();
}

function miss(): void {
  missing++;
}
