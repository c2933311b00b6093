/** What a helper runs: an instance of the kernels over the same memory, which waits there for work for ever. */
const serve = "new WebAssembly.Instance(module, { env: { memory, startHelper() {} } }).exports.serve(thread);";
const nodeProgram = `const { module, memory, thread } = require("node:worker_threads").workerData; ${serve}`;
const browserProgram = `onmessage = ({ data: { module, memory, thread } }) => { ${serve} };`;

/** What a browser has. Memory is shared by pages only that are isolated from other origins, as their server says. */
type Browser = {
  readonly crossOriginIsolated?: boolean;
  readonly Worker?: new (url: string) => { readonly postMessage: (message: unknown) => void; onerror: (() => void) | null };
  readonly document?: unknown;
  readonly navigator?: { readonly hardwareConcurrency?: number };
};
const browser = globalThis as object as Browser;
let programUrl: string | undefined;
let missing = 0;

/** How many helpers could not be started so far. */
export function missingHelpers(): number {
  return missing;
}

/** Node's threads, without an import that a browser could not follow. */
const nodeThreads = () => (typeof process === "undefined" ? undefined : process.getBuiltinModule?.("node:worker_threads"));

/** Whether threads can be started here. */
export function canStartHelpers(): boolean {
  return nodeThreads() !== undefined || (browser.crossOriginIsolated === true && browser.Worker !== undefined);
}

/** How many threads the machine can run at once. */
export function availableThreads(): number {
  if (nodeThreads() === undefined) return browser.navigator?.hardwareConcurrency ?? 1;
  return process.getBuiltinModule("node:os").availableParallelism();
}

/** Whether this thread may sleep until another wakes it: a page's own may not. */
export function maySleep(): boolean {
  return browser.document === undefined;
}

/**
 * Starts helper number `thread`, which takes parts of kernels and does not keep the process alive. Nobody waits for it: it takes parts as
 * soon as it can, and where it cannot start it is not missed.
 */
export function startHelper(thread: number, module: WebAssembly.Module, memory: WebAssembly.Memory): void {
  const work = { module, memory, thread };
  const node = nodeThreads();
  try {
    if (node === undefined) {
      programUrl ??= URL.createObjectURL(new Blob([browserProgram], { type: "text/javascript" }));
      const worker = new browser.Worker!(programUrl);
      worker.onerror = miss;
      worker.postMessage(work);
      return;
    }
    const worker = new node.Worker(nodeProgram, { eval: true, execArgv: [], env: {}, workerData: work });
    worker.unref();
    worker.on("error", miss);
  } catch {
    miss(); // the page, or Node's permissions, forbid it
  }
}

function miss(): void {
  missing++;
}
