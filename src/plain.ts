/**
 * The whole library without WebAssembly, for programs whose download must be small: kernels in TypeScript, one thread.
 *
 * Exports what "hashgrad" exports, and the other entry points as namespaces. A program uses either this entry point or
 * the others: a tensor of one is refused by the other.
 */
export * as data from "./data/index.ts";
export * from "./index.ts";
export * as io from "./io/index.ts";
export * as models from "./models/index.ts";
export * as nn from "./nn/index.ts";
export * as onnx from "./onnx/index.ts";
export * as optim from "./optim/index.ts";
export * as smh from "./smh/index.ts";
export * as train from "./train/index.ts";
