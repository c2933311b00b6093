import {
  ACTIVATIONS,
  type Convolution,
  columnScales,
  type Depthwise,
  type Kernels,
  type Numbers,
  signatures,
  type Windows,
} from "../../src/kernels/index.ts";
import * as reference from "../../src/kernels/reference.ts";
import { Generator } from "../../src/tensor/index.ts";

/** Draws arrays: real numbers around 0, or whole numbers whose sums are exact in float32 in any order. */
export type Draw = {
  readonly some: (length: number) => Numbers;
  /** From 0.5 to 1.5; whole: from 1 to 8. */
  readonly positive: (length: number) => Numbers;
  readonly below: (n: number, length: number) => Int32Array;
  /** A condition: 0 or 1. */
  readonly flags: (length: number) => Numbers;
};

export function drawOf(seed: number, whole: boolean): Draw {
  const random = new Generator(seed);
  const list = (length: number, one: () => number): Numbers => Float32Array.from({ length }, one);
  const below = (n: number, length: number): Int32Array => Int32Array.from({ length }, () => random.below(n));
  return {
    some: (length) => list(length, () => (whole ? random.below(17) - 8 : random.normal())),
    positive: (length) => list(length, () => (whole ? 1 + random.below(8) : 0.5 + random.uniform())),
    below,
    flags: (length) => Float32Array.from(below(2, length)),
  };
}

type Case<P> = (d: Draw, rows: number, columns: number, accumulate: boolean) => P;
/** Arrays of rows · columns numbers, whether to accumulate, and one more number: `argumentsOf` makes them. */
type Alike =
  | [Numbers, Numbers]
  | [Numbers, Numbers, Numbers]
  | [Numbers, Numbers, Numbers, boolean]
  | Gradient
  | [Numbers, Numbers, number]
  | [Numbers, Numbers, Numbers, boolean, number];
type Name = keyof Kernels;
type Simple = { [K in Name]: Parameters<Kernels[K]> extends Alike ? K : never }[Name];
type Cases = { readonly [K in Exclude<Name, Simple>]: Case<Parameters<Kernels[K]>> } & {
  readonly [K in Simple]?: Case<Parameters<Kernels[K]>>;
};

const unary = (d: Draw, r: number, c: number): [Numbers, Numbers] => [d.some(r * c), d.some(r * c)];
const ofPositive = (d: Draw, r: number, c: number): [Numbers, Numbers] => [d.positive(r * c), d.some(r * c)];
const binary = (d: Draw, r: number, c: number): [Numbers, Numbers, Numbers] => [d.some(r * c), d.some(r * c), d.some(r * c)];
type Gradient = [Numbers, Numbers, Numbers, Numbers, boolean];
const gradientOfPositive = (d: Draw, r: number, c: number, accumulate: boolean): Gradient => [
  d.positive(r * c),
  d.positive(r * c),
  d.some(r * c),
  d.some(r * c),
  accumulate,
];
const doubles = (x: Numbers): Float64Array => Float64Array.from(x);

/** Windows over images of 2·rows + 1 by rows + 2 pixels, at least one window in each direction. */
export function windowsOf(rows: number, channels: number): Windows {
  const height = 2 * Math.min(rows, 9) + 1;
  const width = Math.min(rows, 9) + 2;
  const [kernelHeight, kernelWidth] = rows % 2 === 0 ? [3, 3] : [2, 3];
  const [strideY, strideX] = rows % 3 === 0 ? [1, 1] : [1, 2];
  const [padTop, padLeft] = [1, 1];
  const outHeight = Math.floor((height + 2 * padTop - kernelHeight) / strideY) + 1;
  const outWidth = Math.floor((width + 2 * padLeft - kernelWidth) / strideX) + 1;
  const sizes = { batch: 1 + (rows % 3), height, width, channels, outHeight, outWidth, kernelHeight, kernelWidth };
  return { ...sizes, strideY, strideX, dilationY: 1, dilationX: 1, padTop, padLeft };
}

const convolutionOf = (rows: number, columns: number): Convolution => {
  const channels = Math.min(columns, 70);
  return {
    ...windowsOf(rows, channels),
    outChannels: 2 * Math.min(columns, 35),
    groups: channels % 2 === 0 && rows % 2 === 1 ? 2 : 1,
  };
};
const depthwiseOf = (rows: number, columns: number): Depthwise => ({
  ...windowsOf(rows, Math.min(columns, 70)),
  multiplier: rows % 4 === 1 ? 2 : 1,
});
const imageOf = (s: Windows): number => s.batch * s.height * s.width * s.channels;
const outOf = (s: Windows): number => s.batch * s.outHeight * s.outWidth * s.channels;
const kernelOf = (s: Convolution): number => (s.kernelHeight * s.kernelWidth * s.channels * s.outChannels) / s.groups;
const madeOf = (s: Convolution): number => s.batch * s.outHeight * s.outWidth * s.outChannels;
const reducedOf = (rows: number, columns: number): { outer: number; n: number; inner: number } => {
  if (rows % 3 === 0) return { outer: rows / 3, n: 3, inner: columns };
  return rows % 2 === 0 ? { outer: 1, n: rows, inner: columns } : { outer: rows, n: columns, inner: 1 };
};
const view = (rows: number, columns: number): { shape: number[]; strides: number[]; offset: number } => ({
  shape: [columns, rows],
  strides: [1, columns],
  offset: 0,
});

/**
 * The first arguments of batch normalization: columns, activation, x and scales. Each size has one activation, with and
 * without gamma and beta. No u lies near a kink of its activation, where the plain kernel and a fast kernel may round
 * to different sides.
 */
function normalizedOf(d: Draw, rows: number, columns: number): [number, number, Numbers, Float64Array] {
  const activation = (rows + columns) % ACTIVATIONS.length;
  const [mean, variance] = [doubles(d.some(columns)), doubles(d.positive(columns))];
  const quarters = (low: number): Numbers => Float32Array.from(d.below(9, columns), (v) => low + v / 4);
  const [gamma, beta] = rows % 3 === 0 ? [] : [quarters(0.5), quarters(-1)];
  const scales = columnScales(mean, variance, 1e-3, gamma, beta);
  const x = d.some(rows * columns);
  const isNearKink = (i: number): boolean => {
    const [at, rate, scale, shift] = [0, 1, 2, 3].map((row) => scales[row * columns + (i % columns)]!) as [number, ...number[]];
    const u = (x[i]! - at) * rate! * scale! + shift!;
    return [-3, 0, 3, 6].some((kink) => u !== kink && Math.abs(u - kink) < 1e-4);
  };
  for (let i = 0; i < x.length; i++) for (let tries = 0; tries < 9 && isNearKink(i); tries++) x[i]! += 0.01;
  return [columns, activation, x, scales];
}

/** The arguments of kernels that take more than arrays of one length, or numbers above 0. The compiler checks them. */
const cases: Cases = {
  log: ofPositive,
  sqrt: ofPositive,
  reciprocal: ofPositive,
  clip: (d, r, c) => [...unary(d, r, c), -1, 2],
  clipGrad: (d, r, c, accumulate) => [...binary(d, r, c), accumulate, -1, 2],
  clipInPlace: (d, r, c) => [d.some(r * c), -1, 2],
  pow: (d, r, c) => [d.positive(r * c), d.some(r * c), d.some(r * c)],
  div: (d, r, c, accumulate) => [d.some(r * c), d.positive(r * c), d.some(r * c), accumulate],
  divGradDivisor: gradientOfPositive,
  logGrad: gradientOfPositive,
  powGradBase: gradientOfPositive,
  powGradExponent: (d, r, c, accumulate) => [d.positive(r * c), ...gradientOfPositive(d, r, c, accumulate)],
  sqrtGrad: gradientOfPositive,
  chosenGrad: (d, r, c, accumulate) => {
    const [a, b] = [d.some(r * c), d.some(r * c)];
    return [a, b, a.map((v, i) => Math.max(v, b[i]!)), d.some(r * c), d.some(r * c), accumulate];
  },
  where: (d, r, c) => [d.flags(r * c), ...binary(d, r, c)],
  whereGrad: (d, r, c, accumulate) => [d.flags(r * c), r % 2 === 0, d.some(r * c), d.some(r * c), accumulate],
  axpy: (d, r, c, accumulate) => [3, ...unary(d, r, c), accumulate],
  dropoutMask: (d, r, c) => {
    let i = 0;
    return [0.5, () => (i++ % 3) / 3, d.some(r * c)];
  },
  sum: (d, r, c, accumulate) => {
    const sizes = reducedOf(r, c);
    return [sizes, d.some(r * c), d.some(sizes.outer * sizes.inner), 1, accumulate];
  },
  sumGrad: (d, r, c, accumulate) => {
    const sizes = reducedOf(r, c);
    return [sizes, d.some(sizes.outer * sizes.inner), d.some(r * c), 2, accumulate];
  },
  dot: (d, r, c, accumulate) => [d.some(r * c), d.some(r * c), d.some(1), accumulate],
  sumOfSquares: (d, r, c) => [d.some(r * c)],
  argExtreme: (d, r, c) => {
    const sizes = reducedOf(r, c);
    return [sizes, r % 2 === 0, d.some(r * c), d.below(1, sizes.outer * sizes.inner)];
  },
  readWinners: (d, r, c) => {
    const sizes = reducedOf(r, c);
    return [sizes, d.below(sizes.n, sizes.outer * sizes.inner), d.some(r * c), d.some(sizes.outer * sizes.inner)];
  },
  addWinners: (d, r, c) => {
    const sizes = reducedOf(r, c);
    return [sizes, d.below(sizes.n, sizes.outer * sizes.inner), d.some(sizes.outer * sizes.inner), d.some(r * c)];
  },
  softmax: (d, r, c) => [c, ...unary(d, r, c)],
  softmaxGrad: (d, r, c, accumulate) => [c, d.positive(r * c), d.some(r * c), d.some(r * c), accumulate],
  logSoftmax: (d, r, c) => [c, ...unary(d, r, c)],
  logSoftmaxGrad: (d, r, c, accumulate) => [c, d.positive(r * c).map((v) => -v), d.some(r * c), d.some(r * c), accumulate],
  crossEntropy: (d, r, c) => {
    const labels = d.below(c, r);
    return [c, 0.1, d.some(r * c), labels, d.some(r)];
  },
  crossEntropyGrad: (d, r, c, accumulate) => {
    const labels = d.below(c, r);
    return [c, 0.1, d.some(r * c), labels, d.some(r), d.some(r * c), accumulate];
  },
  batchNorm: (d, r, c) => [...normalizedOf(d, r, c), d.some(r * c)],
  batchNormSums: (d, r, c) => {
    const [dy, du] = [d.some(r * c), d.some(r * c)];
    return [...normalizedOf(d, r, c), dy, r % 2 === 0 ? null : du, doubles(d.some(2 * c))];
  },
  batchNormGrad: (d, r, c, accumulate) => {
    const [columns, , x, scales] = normalizedOf(d, r, c);
    const sums = r % 2 === 0 ? null : doubles(d.some(2 * c));
    return [columns, x, scales, sums, d.some(r * c), d.some(r * c), accumulate];
  },
  columnMoments: (d, r, c) => [c, d.some(r * c), doubles(d.some(c)), doubles(d.some(c))],
  standardizeRows: (d, r, c) => [c, d.some(r * c), 1e-3, d.some(r * c), doubles(d.some(r))],
  standardizeRowsGrad: (d, r, c, accumulate) => [
    c,
    d.some(r * c),
    doubles(d.positive(r)),
    d.some(r * c),
    d.some(r * c),
    accumulate,
  ],
  sgdMomentum: (d, r, c) => [...binary(d, r, c), 0.125, 0.5, r % 2 === 0],
  adam: (d, r, c) => [d.some(r * c), d.some(r * c), d.some(r * c), d.positive(r * c), 0.1, 0.9, 0.999, 1e-8, 0.19, 0.002],
  rmsprop: (d, r, c) => [d.some(r * c), d.some(r * c), d.positive(r * c), d.some(r * c), 0.1, 0.9, 0.5, 1e-8],
  gemm: (d, r, c, accumulate) => {
    const k = 1 + ((7 * r + 3 * c) % 613);
    const bias = accumulate || r % 2 === 0 ? null : d.some(c);
    const flags = { transA: r % 3 === 1, transB: c % 3 === 1, accumulate, bias };
    return [{ m: r, n: c, k, a: d.some(r * k), b: d.some(k * c), c: d.some(r * c), ...flags }];
  },
  conv2d: (d, r, c) => {
    const s = convolutionOf(r, c);
    return [s, d.some(imageOf(s)), d.some(kernelOf(s)), r % 2 === 0 ? null : d.some(s.outChannels), d.some(madeOf(s))];
  },
  conv2dInputGrad: (d, r, c, accumulate) => {
    const s = convolutionOf(r, c);
    return [s, d.some(madeOf(s)), d.some(kernelOf(s)), d.some(imageOf(s)), accumulate];
  },
  conv2dKernelGrad: (d, r, c, accumulate) => {
    const s = convolutionOf(r, c);
    return [s, d.some(imageOf(s)), d.some(madeOf(s)), d.some(kernelOf(s)), accumulate];
  },
  depthwiseConv2d: (d, r, c) => {
    const s = depthwiseOf(r, c);
    const kernel = d.some(s.kernelHeight * s.kernelWidth * s.channels * s.multiplier);
    const bias = r % 3 === 0 ? null : d.some(s.channels * s.multiplier);
    const activation = (r + c) % 3; // relu6 at most: the others are not exact on whole numbers
    return [s, d.some(imageOf(s)), kernel, bias, activation, d.some(outOf(s) * s.multiplier)];
  },
  depthwiseConv2dInputGrad: (d, r, c, accumulate) => {
    const s = depthwiseOf(r, c);
    const kernel = s.kernelHeight * s.kernelWidth * s.channels * s.multiplier;
    return [s, d.some(outOf(s) * s.multiplier), d.some(kernel), d.some(imageOf(s)), accumulate];
  },
  depthwiseConv2dKernelGrad: (d, r, c, accumulate) => {
    const s = depthwiseOf(r, c);
    const kernel = s.kernelHeight * s.kernelWidth * s.channels * s.multiplier;
    return [s, d.some(imageOf(s)), d.some(outOf(s) * s.multiplier), d.some(kernel), accumulate];
  },
  maxPool: (d, r, c) => {
    const w = windowsOf(r, c);
    return [w, d.some(imageOf(w)), d.some(outOf(w))];
  },
  maxPoolGrad: (d, r, c, accumulate) => {
    const w = windowsOf(r, c);
    const [x, y] = [d.some(imageOf(w)), d.some(outOf(w))];
    reference.maxPool(w, x, y);
    return [w, x, y, d.some(outOf(w)), d.some(imageOf(w)), accumulate];
  },
  avgPool: (d, r, c) => {
    const w = windowsOf(r, c);
    return [w, d.some(imageOf(w)), d.some(outOf(w))];
  },
  avgPoolGrad: (d, r, c, accumulate) => {
    const w = windowsOf(r, c);
    return [w, d.some(outOf(w)), d.some(imageOf(w)), accumulate];
  },
  readView: (d, r, c) => [view(r, c), d.some(r * c), d.some(r * c)],
  writeView: (d, r, c, accumulate) => [view(r, c), d.some(r * c), d.some(r * c), accumulate],
  readCyclic: (d, r, c) => [r * c - 1, d.some(r * c), d.some(2 * r * c + 1)],
  addCyclic: (d, r, c) => [r * c - 1, d.some(2 * r * c + 1), d.some(r * c)],
  readRows: (d, r, c) => [d.below(r, 2 * r), c, d.some(r * c), d.some(2 * r * c)],
  addRows: (d, r, c) => [d.below(r, 2 * r), c, d.some(2 * r * c), d.some(r * c)],
};

/**
 * The arguments of a kernel for [rows, columns] numbers, with outputs that hold numbers. Kernels without a case take
 * arrays of that length.
 */
export function argumentsOf(name: Name, d: Draw, rows: number, columns: number, accumulate: boolean): readonly unknown[] {
  const given = cases[name];
  if (given !== undefined) return given(d, rows, columns, accumulate);
  const roles: readonly string[] = signatures[name];
  return roles.map((role) => {
    if (role === "accumulate") return accumulate;
    if (role === "number") return 0.25;
    return d.some(rows * columns);
  });
}
