/** What a helper runs: an instance of the kernels over the same memory, which waits there for work for ever. */
const program = `
  const { module, memory, thread } = require("node:worker_threads").workerData;
  const env = { memory, startHelper() {} };
  new WebAssembly.Instance(module, { env }).exports.serve(thread);
`;

/** Whether threads can be started here. */
export function canStartHelpers(): boolean {
  return builtin() !== undefined;
}

/**
 * Starts helper number `thread`, which takes parts of kernels and does not keep the process alive. Nobody waits for it: it takes parts as
 * soon as it can, and where it cannot start it is not missed.
 */
export function startHelper(thread: number, module: WebAssembly.Module, memory: WebAssembly.Memory): void {
  const { Worker } = builtin()!;
  const worker = new Worker(program, { eval: true, execArgv: [], env: {}, workerData: { module, memory, thread } });
  worker.unref();
  worker.on("error", () => undefined);
}

/** Node's threads, without an import that a browser could not follow. */
const builtin = () => (typeof process === "undefined" ? undefined : process.getBuiltinModule?.("node:worker_threads"));
