// `npm run profile`: where a training step of the toy network spends its time, kernel by kernel; options: --dense,
// --batch-size 128.
import { parseArgs } from "node:util";
import { backend, installAround } from "../src/backends/index.ts";
import { DenseVariables } from "../src/index.ts";
import { table } from "../src/variables/index.ts";
import { machine, median } from "./harness.ts";
import { pooledToy, trainingStep } from "./step.ts";

const { values } = parseArgs({
  options: { dense: { type: "boolean", default: false }, "batch-size": { type: "string", default: "128" } },
});
const size = Number(values["batch-size"]);
const once = trainingStep(values.dense ? new DenseVariables() : pooledToy(), size);

/** Milliseconds of one step. */
function timeOfStep(): number {
  const began = performance.now();
  once();
  return performance.now() - began;
}

const spent = new Map<string, { time: number; calls: number }>();
function timed<F extends (...args: never[]) => unknown>(name: string, fn: F): F {
  const entry = { time: 0, calls: 0 };
  spent.set(name, entry);
  return ((...args: Parameters<F>) => {
    const began = performance.now();
    const result = fn(...args);
    entry.time += performance.now() - began;
    entry.calls++;
    return result;
  }) as F;
}

const STEPS = 100;
const whole = median(Array.from({ length: STEPS }, timeOfStep));
const restore = installAround(timed);
const began = performance.now();
for (let i = 0; i < STEPS; i++) once();
const total = (performance.now() - began) / STEPS;
restore();

const found = [...spent]
  .filter(([, { calls }]) => calls > 0)
  .map(([name, s]) => ({ name, ms: s.time / STEPS, calls: s.calls / STEPS }));
const rest = total - found.reduce((sum, { ms }) => sum + ms, 0);
const lines = [...found.sort((a, b) => b.ms - a.ms), { name: "everything else", ms: rest, calls: 0 }];
console.log(`${machine()}; ${backend().reason}`);
console.log(
  `toy network, ${values.dense ? "dense" : "SMH 0.4"}, batch ${size}: ${whole.toFixed(2)} ms a step (median of ${STEPS})\n`,
);
console.log(
  table(
    ["kernel", "ms a step", "share", "calls"],
    lines.map(({ name, ms, calls }) => [
      name,
      ms.toFixed(3),
      `${((100 * ms) / total).toFixed(1)} %`,
      calls === 0 ? "" : String(calls),
    ]),
  ),
);
