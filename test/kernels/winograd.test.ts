import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Convolution, Numbers } from "../../src/kernels/index.ts";
import * as reference from "../../src/kernels/reference.ts";
import "../fixed-seed.ts";
import { abs, firstDifference, reals, tables, wholeNumbers } from "./exact.ts";

// The convolutions that WebAssembly computes tile by tile (assembly/winograd.ts): 3 × 3, stride 1, no groups, and
// enough channels.

const side = fc
  .record({ n: fc.integer({ min: 2, max: 9 }), before: fc.nat({ max: 4 }), after: fc.nat({ max: 4 }) })
  .filter((s) => s.n + s.before + s.after >= 7);
const geometry = fc.record({
  batch: fc.integer({ min: 1, max: 3 }),
  y: side,
  x: side,
  channels: fc.oneof(fc.constantFrom(16, 20, 36), fc.constant(64)),
  outChannels: fc.oneof(fc.constantFrom(16, 20, 24), fc.integer({ min: 16, max: 40 })),
});
const convolutions = geometry.map(
  ({ batch, y, x, channels, outChannels }): Convolution => ({
    ...{ batch, height: y.n, width: x.n, channels, outChannels, groups: 1, kernelHeight: 3, kernelWidth: 3 },
    ...{ strideY: 1, strideX: 1, dilationY: 1, dilationX: 1, padTop: y.before, padLeft: x.before },
    ...{ outHeight: y.n + y.before + y.after - 2, outWidth: x.n + x.before + x.after - 2 },
  }),
);

type Matrix = readonly (readonly number[])[];
const half = 0.5;
/** The absolute values of Bᵀ, G and Aᵀ. */
const B: Matrix = [
  [1, 0, 1, 0],
  [0, 1, 1, 0],
  [0, 1, 1, 0],
  [0, 1, 0, 1],
];
const G: Matrix = [
  [1, 0, 0],
  [half, half, half],
  [half, half, half],
  [0, 0, 1],
];
const A: Matrix = [
  [1, 1, 1, 0],
  [0, 1, 1, 1],
];
const transposed = (m: Matrix): Matrix => m[0]!.map((_, j) => m.map((row) => row[j]!));
const times = (a: Matrix, b: Matrix): Matrix =>
  a.map((row) => b[0]!.map((_, j) => row.reduce((sum, v, k) => sum + v * b[k]![j]!, 0)));
const sandwich = (m: Matrix, x: Matrix): Matrix => times(times(m, x), transposed(m));
const filled = (n: number, at: (i: number, j: number) => number): Matrix =>
  Array.from({ length: n }, (_, i) => Array.from({ length: n }, (_, j) => at(i, j)));

/** Calls `visit` for every tile, channel and output, with |B|ᵀ|d||B| and |dy| of it. */
function tiles(
  s: Convolution,
  read: { d: (b: number, y: number, x: number, c: number) => number; dy: (b: number, y: number, x: number, o: number) => number },
  visit: (b: number, top: number, left: number, c: number, o: number, d: Matrix, dy: Matrix) => void,
): void {
  for (let b = 0; b < s.batch; b++)
    for (let top = 0; top < s.outHeight; top += 2)
      for (let left = 0; left < s.outWidth; left += 2)
        for (let c = 0; c < s.channels; c++) {
          const d = sandwich(
            B,
            filled(4, (i, j) => read.d(b, top + i - s.padTop, left + j - s.padLeft, c)),
          );
          for (let o = 0; o < s.outChannels; o++) {
            visit(
              b,
              top,
              left,
              c,
              o,
              d,
              filled(2, (i, j) => read.dy(b, top + i, left + j, o)),
            );
          }
        }
}

/** |x| of images [batch, height, width, channels], 0 outside. */
const pixelsOf =
  (x: Numbers, height: number, width: number, channels: number) =>
  (b: number, y: number, left: number, c: number): number =>
    y < 0 || left < 0 || y >= height || left >= width ? 0 : Math.abs(x[((b * height + y) * width + left) * channels + c]!);

/** What the same arithmetic gives of absolute values: the measure of its rounding errors, output by output. */
function forwardMeasure(s: Convolution, x: Numbers, kernel: Numbers): Float64Array {
  const found = new Float64Array(s.batch * s.outHeight * s.outWidth * s.outChannels);
  const kernels = new Map<number, Matrix>();
  const u = (c: number, o: number): Matrix => {
    const key = c * s.outChannels + o;
    const known = kernels.get(key);
    if (known !== undefined) return known;
    const made = sandwich(
      G,
      filled(3, (i, j) => Math.abs(kernel[((i * 3 + j) * s.channels + c) * s.outChannels + o]!)),
    );
    kernels.set(key, made);
    return made;
  };
  const read = { d: pixelsOf(x, s.height, s.width, s.channels), dy: () => 0 };
  tiles(s, read, (b, top, left, c, o, d) => {
    const m = d.map((row, i) => row.map((v, j) => v * u(c, o)[i]![j]!));
    sandwich(A, m).forEach((row, i) => {
      row.forEach((v, j) => {
        if (top + i >= s.outHeight || left + j >= s.outWidth) return;
        found[((b * s.outHeight + top + i) * s.outWidth + left + j) * s.outChannels + o]! += v;
      });
    });
  });
  return found;
}

function kernelGradMeasure(s: Convolution, x: Numbers, dy: Numbers): Float64Array {
  const sums = new Map<number, number[][]>();
  const read = { d: pixelsOf(x, s.height, s.width, s.channels), dy: pixelsOf(dy, s.outHeight, s.outWidth, s.outChannels) };
  tiles(s, read, (_b, _top, _left, c, o, d, tile) => {
    const key = c * s.outChannels + o;
    const sum = sums.get(key) ?? [0, 1, 2, 3].map(() => [0, 0, 0, 0]);
    sums.set(key, sum);
    sandwich(transposed(A), tile).forEach((row, i) => {
      row.forEach((v, j) => {
        sum[i]![j]! += v * d[i]![j]!;
      });
    });
  });
  const found = new Float64Array(9 * s.channels * s.outChannels);
  for (const [key, sum] of sums) {
    sandwich(transposed(G), sum).forEach((row, i) => {
      row.forEach((v, j) => {
        found[(i * 3 + j) * s.channels * s.outChannels + key] = v;
      });
    });
  }
  return found;
}

/** The convolution that leads from dy back to x, and its kernel. */
function turned(s: Convolution, kernel: Numbers): { s: Convolution; kernel: Numbers } {
  const back = new Float32Array(kernel.length);
  for (let tap = 0; tap < 9; tap++)
    for (let c = 0; c < s.channels; c++)
      for (let o = 0; o < s.outChannels; o++)
        back[((8 - tap) * s.outChannels + o) * s.channels + c] = kernel[(tap * s.channels + c) * s.outChannels + o]!;
  const sizes = { ...s, height: s.outHeight, width: s.outWidth, outHeight: s.height, outWidth: s.width };
  return {
    s: { ...sizes, channels: s.outChannels, outChannels: s.channels, padTop: 2 - s.padTop, padLeft: 2 - s.padLeft },
    kernel: back,
  };
}

type Name = "conv2d" | "conv2dInputGrad" | "conv2dKernelGrad";
type Case = {
  lengths: (s: Convolution) => [number, number, number];
  measure: (s: Convolution, p: Numbers, q: Numbers) => Float64Array;
};
const pixels = (s: Convolution): number => s.batch * s.height * s.width * s.channels;
const outputs = (s: Convolution): number => s.batch * s.outHeight * s.outWidth * s.outChannels;
const weights = (s: Convolution): number => 9 * s.channels * s.outChannels;
const cases: Readonly<Record<Name, Case>> = {
  conv2d: { lengths: (s) => [pixels(s), weights(s), outputs(s)], measure: forwardMeasure },
  conv2dInputGrad: {
    lengths: (s) => [outputs(s), weights(s), pixels(s)],
    measure: (s, dy, kernel) => {
      const back = turned(s, kernel);
      return forwardMeasure(back.s, dy, back.kernel);
    },
  },
  conv2dKernelGrad: { lengths: (s) => [pixels(s), outputs(s), weights(s)], measure: kernelGradMeasure },
};

const each = tables
  .filter(([, { fast }]) => "relu" in fast)
  .flatMap(([title, table]) => (Object.keys(cases) as Name[]).map((name) => [title, name, table] as const));

describe.each(each)("%s %s by tiles", (_, name, { fast, place }) => {
  const { lengths, measure } = cases[name];
  const run = (table: object, s: Convolution, p: Numbers, q: Numbers, out: Numbers, accumulate: boolean): void => {
    const kernels = { ...reference, ...table };
    if (name === "conv2d") kernels.conv2d(s, p, q, accumulate ? out.slice(0, s.outChannels) : null, out);
    else kernels[name](s, p, q, out, accumulate);
  };
  function both(s: Convolution, accumulate: boolean, draw: (length: number) => Numbers) {
    const [np, nq, nout] = lengths(s);
    const [p, q] = [draw(np), draw(nq)];
    const before = accumulate ? draw(nout) : new Float32Array(nout).fill(Number.NaN);
    const [want, got] = [before.slice(), place(before.slice())];
    run({}, s, p, q, want, accumulate);
    run(fast, s, place(p), place(q), got, accumulate);
    return { p, q, before, want, got };
  }

  test("equals the reference bit for bit on whole numbers", () => {
    fc.assert(
      fc.property(convolutions, fc.boolean(), fc.integer(), (s, accumulate, seed) => {
        const { want, got } = both(s, accumulate, wholeNumbers(seed));
        expect(firstDifference(got, want)).toBe(-1);
      }),
      { numRuns: 60 },
    );
  });

  const same = { batch: 1, groups: 1, kernelHeight: 3, kernelWidth: 3, strideY: 1, strideX: 1, dilationY: 1, dilationX: 1 };
  const square = (n: number) => ({ height: n, width: n, outHeight: n, outWidth: n, padTop: 1, padLeft: 1 });
  const large: [string, Convolution][] = [
    ["more tiles than a block holds", { ...same, ...square(31), channels: 64, outChannels: 16 }],
    ["sums too large for tiles towards the kernel", { ...same, ...square(5), channels: 256, outChannels: 256 }],
  ];
  test.each(large)("equals the reference bit for bit with %s", (_, s) => {
    const { want, got } = both(s, false, wholeNumbers(1));
    expect(firstDifference(got, want)).toBe(-1);
  });

  test("uses tiles: infinity in a window gives NaN, while direct convolution gives infinity", () => {
    const s = { ...same, ...square(8), channels: 16, outChannels: 16 };
    const { p, q, got } = both(s, false, (length) => new Float32Array(length).fill(1));
    const endless = p.slice();
    endless[3 * 8 * 16 + 3 * 16] = Number.POSITIVE_INFINITY; // channel 0 of an inner pixel
    run(fast, s, place(endless), place(q), got, false);
    expect(got.some(Number.isNaN)).toBe(true);
  });

  test("stays within its error bound on reals: its own roundings and the roundings of the reference", () => {
    fc.assert(
      fc.property(convolutions, fc.boolean(), fc.integer(), (s, accumulate, seed) => {
        const { p, q, before, want, got } = both(s, accumulate, reals(seed));
        const own = measure(s, p, q);
        const theirs = accumulate ? abs(before) : new Float32Array(before.length);
        run({}, s, abs(p), abs(q), theirs, accumulate);
        // Sums over channels or tiles, and some additions before and after; the reference adds nine times as many.
        const terms = name === "conv2dKernelGrad" ? s.batch * s.outHeight * s.outWidth : Math.max(s.channels, s.outChannels);
        got.forEach((v, i) => {
          const most = 2 ** -24 * ((terms + 16) * (own[i]! + theirs[i]!) + (9 * terms + 2) * theirs[i]!) * (1 + 2 ** -10);
          expect(Math.abs(v - want[i]!)).toBeLessThanOrEqual(most);
        });
      }),
      { numRuns: process.env.HASHGRAD_CANARIES === undefined ? 6 : 1 }, // canaries look at memory, not at numbers
    );
  });
});
