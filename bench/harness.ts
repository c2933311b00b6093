import { cpus } from "node:os";
import { Generator } from "../src/tensor/index.ts";

/** One measurement: milliseconds per call, and what that makes in operations. */
export type Measurement = {
  readonly name: string;
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly runs: number;
  /** Billions of floating-point operations per second, where `flops` were given. */
  readonly gflops?: number;
};

/** How long to measure each thing, how often at least, and the clock in milliseconds (`performance.now`). */
export type Budget = { readonly seconds: number; readonly least: number; readonly clock?: () => number };

let sink = 0;

/** The middle of some times; of an even number the later. */
export const median = (times: readonly number[]): number => times.toSorted((a, b) => a - b)[times.length >> 1]!;

/**
 * Times `fn`: called `least` times to warm up, then for about `seconds`, at least `least` times; the median is the
 * figure to quote. `fn` returns a number of its result, so that nothing is optimized away.
 */
export function bench(name: string, fn: () => number, budget: Budget, flops = 0): Measurement {
  const { seconds, least, clock = () => performance.now() } = budget;
  for (let i = 0; i < least; i++) sink += fn();
  const times: number[] = [];
  const end = clock() + 1000 * seconds;
  while (times.length < least || clock() < end) {
    const began = clock();
    sink += fn();
    times.push(clock() - began);
  }
  times.sort((a, b) => a - b);
  const result = { name, median: median(times), min: times[0]!, max: times.at(-1)!, runs: times.length };
  return flops === 0 ? result : { ...result, gflops: flops / result.median / 1e6 };
}

/** What the benches computed, added up: printed once, so that it counts as used. */
export const sunk = (): number => sink;

/** Whole numbers −8 … 8 from a fixed seed. */
export function whole(length: number, seed = 1): Float32Array {
  const random = new Generator(seed);
  return Float32Array.from({ length }, () => random.below(17) - 8);
}

/** The machine, in one line. */
export function machine(): string {
  const list = cpus();
  return `${list[0]?.model ?? "unknown"}, ${list.length} cores, Node ${process.versions.node}, ${process.platform} ${process.arch}`;
}
