// What every peer's program does: its options, its data, and the loop over its tasks.
import { parseArgs } from "node:util";
import { bench } from "../harness.ts";
import { ROWS } from "./tasks.ts";

/**
 * What the programs must agree on: the count of trained numbers, and some results (logits, or the losses of two steps).
 */
export type Facts = { readonly parameters?: number; readonly results?: readonly number[] };

/** Sets up, then hands over what is to be timed: a function that returns a number of its result. */
export type Task = (measure: (fn: () => number, facts?: Facts) => void) => void;

/** Numbers from −1 to 1, always the same. */
export function numbers(length: number): Float32Array {
  let state = 1;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 8) / 2 ** 23 - 1;
  });
}

/**
 * Starting values of a variable of a real network, from the last part of its name and its shape. pytorch_nets.py has
 * the same.
 */
export function fill(name: string, shape: readonly number[]): Float32Array {
  const size = (axes: readonly number[]): number => axes.reduce((a, b) => a * b, 1);
  const depthwise = shape.length === 4 && shape[3] === 1;
  const kernel = 2.8 / Math.sqrt(size(shape.slice(0, depthwise ? 2 : -1)));
  const [offset, scale] = { kernel: [0, kernel], gamma: [1, 1 / 4], moving_variance: [1, 1 / 2] }[name] ?? [0, 1 / 4];
  return numbers(size(shape)).map((v) => offset! + scale! * v);
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

/**
 * Milliseconds: of all cores' work if one thread is asked for, so that other programs of the machine matter less; else
 * of the elapsed time.
 */
const clock = options.threads === "1" ? cpuTime : (): number => performance.now();
function cpuTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/**
 * Warms `fn` up for some milliseconds, with one call at least, and returns how many calls take one: CPU time counts
 * microseconds.
 */
function warmUp(fn: () => number, milliseconds: number): number {
  const began = clock();
  for (let calls = 1; ; calls++) {
    if (Number.isNaN(fn())) throw new Error("computed something that is not a number");
    const passed = clock() - began;
    if (passed >= milliseconds) return Math.max(1, Math.round(calls / passed));
  }
}

/**
 * Runs the tasks whose names match `--only` and prints a line of JSON each; what fails prints why, and the next goes
 * on.
 */
export function runTasks(tasks: Readonly<Record<string, Task>>): void {
  const only = new RegExp(options.only);
  const budget = { seconds: Number(options.seconds), least: Number(options.least), clock };
  for (const name of ROWS) {
    const task = tasks[name];
    if (task === undefined || !only.test(name)) continue;
    try {
      task((fn, facts) => {
        const calls = warmUp(fn, 300 * budget.seconds);
        const repeat = (): number => {
          let sum = 0;
          for (let i = 0; i < calls; i++) sum += fn();
          return sum;
        };
        const { median, min, max, runs } = bench(name, repeat, budget);
        const peak = process.resourceUsage().maxRSS / 1024; // MB, of the process so far
        console.log(JSON.stringify({ name, median: median / calls, min: min / calls, max: max / calls, runs, peak, ...facts }));
      });
    } catch (error) {
      console.log(JSON.stringify({ name, error: error instanceof Error ? error.message : String(error) }));
    }
  }
}

/** The tasks of a table of sizes. */
export const each = <T>(sizes: Readonly<Record<string, T>>, task: (size: T) => Task): Record<string, Task> =>
  Object.fromEntries(Object.entries(sizes).map(([name, size]) => [name, task(size)]));
