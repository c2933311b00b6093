// What every peer's program does: its options, its data, and the loop over its tasks.
import { parseArgs } from "node:util";
import { bench } from "../harness.ts";
import { ROWS } from "./tasks.ts";

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
