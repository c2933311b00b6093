// `npm run bench -- --check`: what this library promises of itself, a line each: the figure, its bound, and whether it
// holds. Figures are ratios where that is possible, and what is compared runs in turns, so that a busy machine is busy
// for both.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { PerformanceObserver } from "node:perf_hooks";
import { gzipSync } from "node:zlib";
import { blocked, configure, kernels } from "../src/backends/index.ts";
import { everything } from "../src/build.ts";
import { add, backward, DenseVariables, mul, step, tensor, variable } from "../src/index.ts";
import { alloc, type Gemm, inArena, memory, type Numbers } from "../src/kernels/index.ts";
import * as reference from "../src/kernels/reference.ts";
import { convolution } from "./conv.ts";
import { median, whole } from "./harness.ts";
import { pooledToy, trainingStep } from "./step.ts";

/** One promise. `bound` is a lower bound or, with `most`, an upper bound. */
export type Line = { readonly what: string; readonly figure: number; readonly bound: number; readonly most: boolean };

export const holds = ({ figure, bound, most }: Line): boolean => (most ? figure <= bound : figure >= bound);

function once(fn: () => unknown): number {
  const began = performance.now();
  fn();
  return performance.now() - began;
}

/** The median times of two functions, called in turns for about `seconds`, and the first over the second. */
function inTurns(a: () => unknown, b: () => unknown, seconds: number): number {
  for (let i = 0; i < 5; i++) [a(), b()];
  const [first, second]: [number[], number[]] = [[], []];
  const end = performance.now() + 1000 * seconds;
  while (first.length < 5 || performance.now() < end) {
    first.push(once(a));
    second.push(once(b));
  }
  return median(first) / median(second);
}

const atLeast = (what: string, bound: number, figure: number): Line => ({ what, figure, bound, most: false });
const atMost = (what: string, bound: number, figure: number): Line => ({ what, figure, bound, most: true });

const FORMS: readonly (readonly [string, Pick<Gemm, "transA" | "transB" | "accumulate">])[] = [
  ["a·b", {}],
  ["aᵀ·b", { transA: true }],
  ["a·bᵀ", { transB: true }],
  ["c + a·b", { accumulate: true }],
];

function gemmLines(seconds: number): Line[] {
  const n = 512;
  const product = (at: (x: Numbers) => Numbers, form: (typeof FORMS)[number][1]): Gemm => {
    const [a, b, c] = [at(whole(n * n)), at(whole(n * n, 2)), at(new Float32Array(n * n))];
    return { m: n, n, k: n, a, b, c, ...form };
  };
  const loops = product((x) => x, {});
  const plain = FORMS.slice(0, 3).map(([name, form]) => {
    const g = product((x) => x, form);
    const ratio = inTurns(
      () => reference.gemm(loops),
      () => blocked.gemm!(g),
      seconds,
    );
    return atLeast(`blocked gemm 512³ ${name}: times as fast as the plain loops for a·b`, 4.2, ratio);
  });
  return inArena(() => {
    const inPlace = (x: Numbers): Numbers => {
      const copy = alloc(x.length);
      copy.set(x);
      return copy;
    };
    const straight = product(inPlace, {});
    const others = FORMS.slice(1).map(([name, form]) => {
      const g = product(inPlace, form);
      return atMost(
        `gemm 512³ ${name}: over a·b`,
        1.1,
        inTurns(
          () => kernels.gemm(g),
          () => kernels.gemm(straight),
          seconds,
        ),
      );
    });
    return [...plain, ...others, ...threadLines(() => kernels.gemm(straight), seconds)];
  });
}

/**
 * One thread over two, in blocks, because a change of their number starts threads anew, which takes about a tenth of a
 * second.
 */
function threadLines(run: () => void, seconds: number): Line[] {
  if (availableParallelism() < 2) return [];
  const times: Record<1 | 2, number[]> = { 1: [], 2: [] };
  for (let round = 0; round < 4; round++) {
    for (const threads of [1, 2] as const) {
      configure({ threads });
      for (const ready = performance.now() + 200; performance.now() < ready; ) run();
      const end = performance.now() + 250 * seconds;
      do times[threads].push(once(run));
      while (performance.now() < end);
    }
  }
  configure({ threads: 1 });
  return [atLeast("gemm 512³: times as fast with two threads as with one", 1.8, median(times[1]) / median(times[2]))];
}

function stepLines(seconds: number): Line[] {
  const { forward, both } = convolution("conv 3×3×64×64");
  const dear = [128, 32].map((size) => {
    const [smh, dense] = [trainingStep(pooledToy(), size), trainingStep(new DenseVariables(), size)];
    return atMost(
      `toy net, batch ${size}: step with SMH 0.4 over the dense step`,
      size === 128 ? 1.12 : 1.35,
      inTurns(smh, dense, 4 * seconds),
    );
  });
  return [atMost("conv 3×3×64×64: forward and backward over forward", 3.6, inTurns(both, forward, 2 * seconds)), ...dear];
}

/** A graph of 1,000 scalar ops, there and back. */
function scalarLine(): Line {
  const w = variable(tensor(1.0001));
  const graph = (): void =>
    step(() => {
      let x = mul(w, 1);
      for (let i = 0; i < 500; i++) x = add(mul(x, w), w);
      backward(x);
    });
  const times = Array.from({ length: 300 }, () => once(graph));
  return atMost("a scalar op, forward and backward, µs", 2, median(times.slice(100)));
}

/** What a warm training step leaves to the garbage collector: arrays, and the share of the time it takes. */
async function garbageLines(steps: number): Promise<Line[]> {
  const run = trainingStep(pooledToy(), 128);
  for (let i = 0; i < 20; i++) run();
  let collecting = 0;
  const observer = new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) collecting += duration;
  });
  observer.observe({ entryTypes: ["gc"] });
  const before = memory();
  const began = performance.now();
  for (let i = 0; i < steps; i++) run();
  const spent = performance.now() - began;
  const after = memory();
  await new Promise((done) => setTimeout(done, 50)); // the observer hears of it later
  observer.disconnect();
  return [
    atMost("toy net, SMH 0.4: share of a training run spent collecting garbage, %", 3, (100 * collecting) / spent),
    atMost("the same: bytes of arrays allocated per warm step", 4096, (after.ordinary - before.ordinary) / steps),
    atMost("the same: bytes by which arenas grew", 0, after.arenas - before.arenas),
  ];
}

/** The whole library as one minified file: its size, and how long its import takes in a new process. */
async function bundleLines(): Promise<Line[]> {
  const bytes = await everything();
  const folder = mkdtempSync(join(tmpdir(), "hashgrad-"));
  try {
    const file = join(folder, "hashgrad.mjs");
    writeFileSync(file, bytes);
    const program = `const began = performance.now(); import(${JSON.stringify(file)}).then(() => console.log(performance.now() - began));`;
    const times = Array.from({ length: 7 }, () => Number(execFileSync(process.execPath, ["-e", program], { encoding: "utf8" })));
    return [
      atMost("import of everything, ms", 30, median(times)),
      atMost("everything minified and gzipped, kB", 134, gzipSync(bytes, { level: 9 }).length / 1000),
    ];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** All promises, measured by one thread but where two are compared. */
export async function check(seconds: number): Promise<Line[]> {
  const { threads } = configure({ threads: 1 });
  const lines = [...gemmLines(seconds), ...stepLines(seconds), scalarLine()];
  lines.push(...(await garbageLines(Math.ceil(400 * seconds))), ...(await bundleLines()));
  configure({ threads });
  return lines;
}
