/** Threads that take parts of kernels. */
export type Helpers = { readonly stop: () => void };

/** What a helper runs: an instance of the kernels over the same memory, which waits there for work until it is stopped. */
const program = `
  const { module, memory, thread } = require("node:worker_threads").workerData;
  const env = { memory, startThreads() {} };
  new WebAssembly.Instance(module, { env }).exports.serve(thread);
`;

/** Whether threads can be started here. */
export function canStartHelpers(): boolean {
  return builtin() !== undefined;
}

/**
 * Starts `count` threads, which do not keep the process alive. Nobody waits for them: they take parts as soon as they can, and one that
 * cannot start is not missed.
 */
export function startHelpers(count: number, module: WebAssembly.Module, memory: WebAssembly.Memory): Helpers {
  const { Worker } = builtin()!;
  const workers = Array.from({ length: count }, (_, i) => {
    const workerData = { module, memory, thread: i + 1 };
    const worker = new Worker(program, { eval: true, execArgv: [], env: {}, workerData });
    worker.unref();
    worker.on("error", () => undefined);
    return worker;
  });
  return { stop: () => workers.forEach((worker) => void worker.terminate()) };
}

/** Node's threads, without an import that a browser could not follow. */
const builtin = () => (typeof process === "undefined" ? undefined : process.getBuiltinModule?.("node:worker_threads"));
