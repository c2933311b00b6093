import { describe, expect, test } from "vitest";
import { blocked } from "../../src/backends/index.ts";
import { wasmBackend } from "../../src/backends/wasm/backend.ts";
import type { Kernels, Numbers } from "../../src/kernels/index.ts";
import * as reference from "../../src/kernels/reference.ts";
import { Generator } from "../../src/tensor/index.ts";
import { firstDifference, fused } from "./exact.ts";
import { cases, type Draw, type Sums } from "./sum-cases.ts";
import { rowCases } from "./sum-rows.ts";

// One property over all kernels that accumulate: the relative error is at most 10⁻⁶ for up to 10⁶ terms, against a loop
// in double precision. Relative to the sum of absolute values, which for positive terms is the sum.

const BOUND = 1e-6;

const draws: Readonly<Record<string, (seed: number) => Draw>> = {
  "of the constant 0.1": () => (length) => new Float32Array(length).fill(0.1),
  "of random positive numbers": (seed) => {
    const random = new Generator(seed);
    return (length) => Float32Array.from({ length }, () => random.uniform() + 1e-3);
  },
  "of numbers of either sign": (seed) => {
    const random = new Generator(seed);
    return (length) => Float32Array.from({ length }, () => 2 * random.uniform() - 1);
  },
};

const several = wasmBackend();
several.setThreads(3);
const tables: Readonly<Record<string, Kernels>> = {
  "the reference": { ...reference },
  "plain kernels": { ...reference, ...blocked },
  WebAssembly: { ...reference, ...wasmBackend().kernels },
  "WebAssembly in three threads": { ...reference, ...several.kernels },
  ...(fused === null ? {} : { "WebAssembly with fused multiply-add": { ...reference, ...fused.fast } }),
};

/** Exact sums of a case, and the bounds of its errors. */
function exact({ terms }: Sums, start: Numbers): { want: Float64Array; scale: Float64Array } {
  const [want, scale] = [Float64Array.from(start), Float64Array.from(start, Math.abs)];
  terms((to, term) => {
    want[to]! += term;
    scale[to]! += Math.abs(term);
  });
  return { want, scale };
}

describe.each(Object.keys(draws))("sums %s", (kind) => {
  test.each(Object.entries({ ...cases, ...rowCases }))("%s have a relative error of at most 10⁻⁶ on every backend", (_, make) => {
    const draw = draws[kind]!(20260101);
    const sums = make(draw);
    const start = draw(sums.length).map((v) => v / 8);
    const { want, scale } = exact(sums, sums.overwrites ? new Float32Array(sums.length) : start);
    const results = Object.entries(tables).map(([name, table]) => {
      const out = start.slice();
      sums.write(table, out);
      return [name, out] as const;
    });
    for (const [name, out] of results) {
      let [worst, at] = [0, 0];
      out.forEach((v, i) => {
        const error = Math.abs(v - want[i]!) / Math.max(scale[i]!, 1e-30);
        if (!(error <= worst)) [worst, at] = [error, i];
      });
      expect.soft(worst, `${name}: element ${at} is ${out[at]}, want ${want[at]}`).toBeLessThanOrEqual(sums.bound ?? BOUND);
    }
    expect(firstDifference(results[2]![1], results[3]![1])).toBe(-1);
  });
});
