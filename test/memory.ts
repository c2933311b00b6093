// Trains the toy network for 2,000 steps at batch 128 and fails if memory grows. `npm run test:memory -- 200` trains
// 200 steps. At the end, heap and resident set may be at most 10 % above their sizes after a tenth of the steps. V8's
// young generation has its full size from the start (--min-semi-space-size). Otherwise V8 would double it at some step,
// which is 17 MB of resident set and no leak.

import { backward, crossEntropy, Generator, memory, step, training } from "hashgrad";
import { batchOf, syntheticDigits } from "hashgrad/data";
import { toyNetwork } from "hashgrad/nn";
import { adam } from "hashgrad/optim";
import { ProductVariablePool, poolSizeFor, VariableFactory } from "hashgrad/smh";

const steps = Number(process.argv[2] ?? 2000);
const collect = globalThis.gc;
if (collect === undefined) throw new Error("run with --expose-gc: npm run test:memory");

const random = new Generator(1);
const data = syntheticDigits(2048, random);
const vars = new VariableFactory({ pool: new ProductVariablePool({ poolSize: poolSizeFor(toyNetwork), fraction: 0.4 }) });
const model = toyNetwork(vars);
const optimizer = adam(vars.parameters());

const read = (): { heap: number; rss: number; ordinary: number; arenas: number } => {
  collect();
  const { heapUsed, rss } = process.memoryUsage();
  const { ordinary, arenas } = memory();
  return { heap: heapUsed / 1e6, rss: rss / 1e6, ordinary: ordinary / 1e6, arenas: arenas / 1e6 };
};

const early = Math.ceil(steps / 10);
let first = read();
let loss = 0;
for (let i = 1; i <= steps; i++) {
  loss = step(() => {
    const { inputs, targets: labels } = batchOf(
      data,
      Array.from({ length: 128 }, () => random.below(2048)),
    );
    const value = crossEntropy(
      training(() => model(inputs)),
      labels,
    );
    backward(value);
    optimizer.step();
    return value.item();
  });
  if (i === early) first = read();
}
const last = read();
const show = (name: "heap" | "rss" | "ordinary" | "arenas"): string =>
  `${name.padEnd(8)} after ${early} steps ${first[name].toFixed(1)} MB, after ${steps} ${last[name].toFixed(1)} MB`;
console.log(
  `${show("heap")}\n${show("rss")}\n${show("arenas")}\n${show("ordinary")} (everything ever left to the garbage collector)\nloss ${loss}`,
);

const grown: string[] = (["heap", "rss", "arenas"] as const).filter((name) => last[name] > 1.1 * first[name]);
if (last.ordinary > first.ordinary + 0.001 * steps) grown.push("ordinary"); // a step leaves next to nothing behind
if (grown.length > 0 || !Number.isFinite(loss)) {
  console.log(`memory grew: ${grown.join(", ")}`);
  process.exitCode = 1;
}
