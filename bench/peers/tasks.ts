// What is measured, the same for every library: names, sizes, and the loop that runs a program's tasks.
import { parseArgs } from "node:util";
import { bench } from "../harness.ts";

/** m, n, k, and which of the two matrices is read transposed. */
export type Product = {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly transA?: boolean;
  readonly transB?: boolean;
};

/** Matrix products. */
export const PRODUCTS: Readonly<Record<string, Product>> = {
  "gemm 64³": { m: 64, n: 64, k: 64 },
  "gemm 256³": { m: 256, n: 256, k: 256 },
  "gemm 512³": { m: 512, n: 512, k: 512 },
  "gemm 512³ aᵀ·b": { m: 512, n: 512, k: 512, transA: true },
  "gemm 512³ a·bᵀ": { m: 512, n: 512, k: 512, transB: true },
  "gemm 1024³": { m: 1024, n: 1024, k: 1024 },
  "gemm 837×167·167×837": { m: 837, n: 837, k: 167 },
  "gemm 100352×25·25×16": { m: 100_352, n: 16, k: 25 },
};

export const CONV_FORWARD = "conv 32×32×32×64, 3×3×64×64, forward";
export const CONV_BOTH = "conv 32×32×32×64, 3×3×64×64, forward and backward";
export const DEPTHWISE = "depthwise 32×32×32×64, 3×3, forward and backward";
export const SCALARS = "1,000 scalar ops, forward and backward";

/** The images, and the sides of the pool's factors `[d, r] · [r, d]`; r is 0 for a network of its own weights. */
export type Network = {
  readonly batch: number;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly d: number;
  readonly r: number;
};
const TOY = { height: 28, width: 28, channels: 1 };

/**
 * The toy network (conv 5×5×16 same, relu, max pool 2×2, dense, cross entropy, Adam): one training step. Compressed, kernel and matrix
 * are slices of one product, each times a learned number; biases stay by themselves. A pool's sizes: docs/smh.md.
 */
export const TRAINING: Readonly<Record<string, Network>> = {
  "toy net, dense, training step, batch 128": { ...TOY, batch: 128, d: 0, r: 0 },
  "toy net, SMH 0.4, training step, batch 128": { ...TOY, batch: 128, d: 179, r: 35 },
  "toy net, dense, training step, batch 32": { ...TOY, batch: 32, d: 0, r: 0 },
  "toy net, SMH 0.4, training step, batch 32": { ...TOY, batch: 32, d: 179, r: 35 },
  "seed's net, SMH 0.4, training step, batch 8": { height: 128, width: 128, channels: 3, batch: 8, d: 837, r: 167 },
};

export const INFERENCE: Readonly<Record<string, Network>> = {
  "toy net, inference, batch 1": { ...TOY, batch: 1, d: 0, r: 0 },
  "toy net, inference, batch 256": { ...TOY, batch: 256, d: 0, r: 0 },
};

export const LEARNING_RATE = 1e-4;

/** In the order of the table. */
export const ROWS: readonly string[] = [
  ...Object.keys(PRODUCTS),
  CONV_FORWARD,
  CONV_BOTH,
  DEPTHWISE,
  ...Object.keys(TRAINING),
  ...Object.keys(INFERENCE),
  SCALARS,
];

/** Sets up, then hands over what is to be timed: a function that returns a number of its result. */
export type Task = (measure: (fn: () => number) => void) => void;

/** Numbers from −1 to 1, always the same. */
export function numbers(length: number): Float32Array {
  let state = 1;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 8) / 2 ** 23 - 1;
  });
}

/** The options of a peer's program. */
export const options: { only: string; seconds: string; least: string; threads: string; backend: string } = parseArgs({
  options: {
    only: { type: "string", default: "" },
    seconds: { type: "string", default: "0.3" },
    least: { type: "string", default: "3" },
    threads: { type: "string", default: "1" },
    backend: { type: "string", default: "wasm" },
  },
}).values;

/** Runs the tasks whose names match `--only` and prints a line of JSON each; what fails prints why, and the next goes on. */
export function runTasks(tasks: Readonly<Record<string, Task>>): void {
  const only = new RegExp(options.only);
  const budget = { seconds: Number(options.seconds), least: Number(options.least) };
  for (const name of ROWS) {
    const task = tasks[name];
    if (task === undefined || !only.test(name)) continue;
    try {
      task((fn) => {
        const { median, min, max, runs } = bench(name, fn, budget);
        console.log(JSON.stringify({ name, median, min, max, runs }));
      });
    } catch (error) {
      console.log(JSON.stringify({ name, error: error instanceof Error ? error.message : String(error) }));
    }
  }
}

/** The tasks of a table of sizes. */
export const each = <T>(sizes: Readonly<Record<string, T>>, task: (size: T) => Task): Record<string, Task> =>
  Object.fromEntries(Object.entries(sizes).map(([name, size]) => [name, task(size)]));
