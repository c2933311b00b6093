import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { blocked } from "../../src/backends/index.ts";
import type { Convolution, Numbers } from "../../src/kernels/index.ts";
import * as reference from "../../src/kernels/reference.ts";
import "../fixed-seed.ts";
import { abs, firstDifference, kernelOf, reals, type Table, tables, wholeNumbers } from "./exact.ts";

test("this file compares every blocked kernel", () => {
  expect(Object.keys(blocked).sort()).toEqual(["conv2d", "conv2dInputGrad", "conv2dKernelGrad", "gemm"]);
});

type Product = { m: number; n: number; k: number; transA: boolean; transB: boolean; accumulate: boolean };

/** Both products into an output that holds NaN, unless it is added to. */
function bothProducts({ m, n, k, ...flags }: Product, { fast, place }: Table, draw: (length: number) => Numbers) {
  const [a, b] = [draw(m * k), draw(k * n)];
  const before = flags.accumulate ? draw(m * n) : new Float32Array(m * n).fill(Number.NaN);
  const [want, got] = [before.slice(), place(before.slice())];
  reference.gemm({ m, n, k, a, b, c: want, ...flags });
  kernelOf(fast, "gemm")({ m, n, k, a: place(a), b: place(b), c: got, ...flags });
  return { a, b, before, want, got };
}

describe.each(tables)("%s gemm", (_, table) => {
  const size = fc.integer({ min: 0, max: 40 });
  const flags = { transA: fc.boolean(), transB: fc.boolean(), accumulate: fc.boolean() };

  test("equals the reference bit for bit on whole numbers", () => {
    fc.assert(
      fc.property(fc.record({ m: size, n: size, k: size, ...flags }), fc.integer(), (product, seed) => {
        const { want, got } = bothProducts(product, table, wholeNumbers(seed));
        expect(firstDifference(got, want)).toBe(-1);
      }),
      { numRuns: 200 },
    );
  });

  test("adds a bias to every row, bit for bit on whole numbers", () => {
    fc.assert(
      fc.property(
        fc.record({ m: size, n: size, k: size, transA: fc.boolean(), transB: fc.boolean() }),
        fc.integer(),
        (g, seed) => {
          const draw = wholeNumbers(seed);
          const [a, b, bias] = [draw(g.m * g.k), draw(g.k * g.n), draw(g.n)];
          const [want, got] = [new Float32Array(g.m * g.n), table.place(new Float32Array(g.m * g.n).fill(Number.NaN))];
          reference.gemm({ ...g, a, b, c: want, bias });
          kernelOf(table.fast, "gemm")({ ...g, a: table.place(a), b: table.place(b), c: got, bias: table.place(bias) });
          expect(firstDifference(got, want)).toBe(-1);
        },
      ),
    );
  });

  const large = [
    [130, 5, 7],
    [5, 515, 7],
    [5, 7, 258],
    [129, 513, 257],
    [257, 6, 513],
    [1, 1, 1025],
    [128, 512, 256],
    [121, 1030, 20],
  ] as const;
  test.each(large)("equals the reference bit for bit beyond the blocks: m %i, n %i, k %i", (m, n, k) => {
    for (const transA of [false, true])
      for (const transB of [false, true])
        for (const accumulate of [false, true]) {
          const { want, got } = bothProducts({ m, n, k, transA, transB, accumulate }, table, wholeNumbers(m + n + k));
          expect(firstDifference(got, want)).toBe(-1);
        }
  });

  test("stays within its error bound on reals: its own roundings to float32 and one rounding of the reference", () => {
    const sizes = { m: fc.integer({ min: 1, max: 9 }), n: fc.integer({ min: 1, max: 9 }), k: fc.integer({ min: 1, max: 700 }) };
    fc.assert(
      fc.property(fc.record({ ...sizes, ...flags }), fc.integer(), (product, seed) => {
        const { a, b, before, want, got } = bothProducts(product, table, reals(seed));
        const { m, n, k, transA, transB, accumulate } = product;
        const bound = abs(before);
        reference.gemm({ m, n, k, a: abs(a), b: abs(b), c: bound, transA, transB, accumulate });
        const roundings = table.roundings(k) + 2;
        got.forEach((v, i) => {
          expect(Math.abs(v - want[i]!)).toBeLessThanOrEqual(roundings * 2 ** -24 * bound[i]! * (1 + 2 ** -20));
        });
      }),
    );
  });
});

/** A geometry with all its derived sizes; `more` is how much larger than the kernel's span the image is. */
const convolutions: fc.Arbitrary<Convolution> = fc
  .record({
    batch: fc.integer({ min: 0, max: 3 }),
    kernel: fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 4 })),
    strides: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 })),
    dilations: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 })),
    before: fc.tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 3 })),
    after: fc.tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 3 })),
    more: fc.tuple(fc.integer({ min: 0, max: 7 }), fc.integer({ min: 0, max: 7 })),
    groups: fc.integer({ min: 1, max: 3 }),
    share: fc.integer({ min: 1, max: 5 }),
    outShare: fc.integer({ min: 1, max: 6 }),
    pointwise: fc.boolean(),
  })
  .map(({ batch, groups, share, outShare, ...axes }) => {
    const along = (i: 0 | 1) => {
      const plain = axes.pointwise && i >= 0;
      const [k, stride] = plain ? [1, groups === 1 ? 1 : axes.strides[i]] : [axes.kernel[i], axes.strides[i]];
      const [before, after] = plain ? [0, 0] : [axes.before[i], axes.after[i]];
      const span = (k - 1) * axes.dilations[i] + 1;
      const n = span + axes.more[i];
      return { k, stride, before, n, out: Math.floor((n + before + after - span) / stride) + 1, dilation: axes.dilations[i] };
    };
    const [y, x] = [along(0), along(1)];
    return {
      batch,
      height: y.n,
      width: x.n,
      channels: groups * share,
      outHeight: y.out,
      outWidth: x.out,
      kernelHeight: y.k,
      kernelWidth: x.k,
      strideY: y.stride,
      strideX: x.stride,
      dilationY: y.dilation,
      dilationX: x.dilation,
      padTop: y.before,
      padLeft: x.before,
      outChannels: groups * outShare,
      groups,
    };
  });

type ConvolutionName = "conv2d" | "conv2dInputGrad" | "conv2dKernelGrad";
type Kernel = (s: Convolution, p: Numbers, q: Numbers, out: Numbers, accumulate: boolean) => void;
type Lengths = { x: number; kernel: number; y: number };

const lengthsOf = (s: Convolution): Lengths => ({
  x: s.batch * s.height * s.width * s.channels,
  kernel: (s.kernelHeight * s.kernelWidth * s.channels * s.outChannels) / s.groups,
  y: s.batch * s.outHeight * s.outWidth * s.outChannels,
});

/** A convolution and its gradients: which two arrays they read, which one they write. */
const roles: Readonly<Record<ConvolutionName, readonly [keyof Lengths, keyof Lengths, keyof Lengths]>> = {
  conv2d: ["x", "kernel", "y"],
  conv2dInputGrad: ["y", "kernel", "x"],
  conv2dKernelGrad: ["x", "y", "kernel"],
};
const names: readonly ConvolutionName[] = ["conv2d", "conv2dInputGrad", "conv2dKernelGrad"];
const each = tables.flatMap(([title, table]) => names.map((name) => [title, name, table] as const));

describe.each(each)("%s %s", (_, name, { fast, place }) => {
  const [p, q, out] = roles[name];
  const [plain, quick] = [{}, fast].map((table): Kernel => {
    if (name !== "conv2d") return kernelOf(table, name);
    // What is added to is a row of biases here: the first pixel of what the output held.
    return (s, x, kernel, y, biased) => kernelOf(table, name)(s, x, kernel, biased ? y.slice(0, s.outChannels) : null, y);
  }) as [Kernel, Kernel];
  function both(s: Convolution, accumulate: boolean, draw: (length: number) => Numbers) {
    const lengths = lengthsOf(s);
    const [a, b] = [draw(lengths[p]), draw(lengths[q])];
    const before = accumulate ? draw(lengths[out]) : new Float32Array(lengths[out]).fill(Number.NaN);
    const [want, got] = [before.slice(), place(before.slice())];
    plain(s, a, b, want, accumulate);
    quick(s, place(a), place(b), got, accumulate);
    return { a, b, before, want, got };
  }

  test("equals the reference bit for bit on whole numbers, over random geometry", () => {
    fc.assert(
      fc.property(convolutions, fc.boolean(), fc.integer(), (s, accumulate, seed) => {
        const { want, got } = both(s, accumulate, wholeNumbers(seed));
        expect(firstDifference(got, want)).toBe(-1);
      }),
      { numRuns: 100 },
    );
  });

  const size = { batch: 1, dilationY: 1, dilationX: 1, strideY: 1, strideX: 1, padTop: 1, padLeft: 1, groups: 1 };
  const image = { kernelHeight: 3, kernelWidth: 3, height: 21, width: 20, outHeight: 21, outWidth: 20 };
  const pointwise = { kernelHeight: 1, kernelWidth: 1, padTop: 0, padLeft: 0 };
  const large: [string, Convolution][] = [
    ["deeper than a block: 3×3 of 64 channels", { ...size, ...image, channels: 64, outChannels: 9 }],
    ["wider than a block: 520 outputs", { ...size, ...image, height: 4, outHeight: 4, channels: 2, outChannels: 520 }],
    ["1×1 with 300 channels", { ...size, ...image, ...pointwise, channels: 300, outChannels: 7 }],
    [
      "a window of more numbers than a block of patches",
      { ...size, ...image, height: 3, outHeight: 3, width: 3, outWidth: 3, channels: 15_000, outChannels: 2 },
    ],
    ["two groups of 150 channels", { ...size, ...image, channels: 300, outChannels: 6, groups: 2 }],
  ];
  test.each(large)("equals the reference bit for bit for %s", (_, s) => {
    for (const accumulate of [false, true]) {
      const { want, got } = both(s, accumulate, wholeNumbers(s.channels));
      expect(firstDifference(got, want)).toBe(-1);
    }
  });

  test("stays within its error bound on reals: the reference rounds every term to float32", () => {
    fc.assert(
      fc.property(convolutions, fc.boolean(), fc.integer(), (s, accumulate, seed) => {
        const { a, b, before, want, got } = both(s, accumulate, reals(seed));
        const lengths = lengthsOf(s);
        const [bound, terms] = [abs(before), new Float32Array(lengths[out])];
        plain(s, abs(a), abs(b), bound, accumulate);
        plain(s, new Float32Array(lengths[p]).fill(1), new Float32Array(lengths[q]).fill(1), terms, false);
        got.forEach((v, i) => {
          const most = 2 * (terms[i]! + 2) * 2 ** -24 * bound[i]! * (1 + terms[i]! * 2 ** -23);
          expect(Math.abs(v - want[i]!)).toBeLessThanOrEqual(most);
        });
      }),
    );
  });
});
