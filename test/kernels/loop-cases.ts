import type { Kernels, Numbers, Windows } from "../../src/kernels/index.ts";

/** How an array is placed before a kernel reads it, and arrays of a length to read. */
type Given = { readonly at: (x: Numbers) => Numbers; readonly draw: (length: number) => Numbers };

/**
 * A kernel on [rows, columns]. `outputs`: their lengths; where the kernel works `inPlace` they hold numbers before, else NaN unless it
 * accumulates. `slack`: what may differ beside one ulp, for numbers that are differences of numbers about 1; 0 where bits are the same.
 */
export type LoopCase = {
  readonly outputs: (rows: number, columns: number) => readonly number[];
  readonly inPlace?: boolean;
  readonly run: (t: Kernels, outs: readonly Numbers[], given: Given, rows: number, columns: number, accumulate: boolean) => void;
  readonly slack?: number;
};

const all = (rows: number, columns: number): [number] => [rows * columns];

type Unary = (t: Kernels, x: Numbers, y: Numbers) => void;
const unary = (f: Unary, slack?: number): LoopCase => ({
  outputs: all,
  run: (t, [y], { at, draw }, rows, columns) => f(t, at(draw(rows * columns)), y!),
  ...(slack === undefined ? {} : { slack }),
});
type Binary = (t: Kernels, a: Numbers, b: Numbers, y: Numbers, accumulate: boolean, c: () => Numbers) => void;
const binary = (f: Binary, slack?: number): LoopCase => ({
  outputs: all,
  run: (t, [y], { at, draw }, rows, columns, accumulate) => {
    const next = (): Numbers => at(draw(rows * columns));
    f(t, next(), next(), y!, accumulate, next);
  },
  ...(slack === undefined ? {} : { slack }),
});
const gradient = (
  name:
    | "absGrad"
    | "expGrad"
    | "geluGrad"
    | "hardSwishGrad"
    | "logGrad"
    | "negGrad"
    | "reciprocalGrad"
    | "sigmoidGrad"
    | "siluGrad"
    | "softplusGrad"
    | "sqrtGrad"
    | "squareGrad"
    | "tanhGrad",
  slack?: number,
): LoopCase => binary((t, x, dy, dx, accumulate, y) => t[name](x, y(), dy, dx, accumulate), slack);

/** Relative error of the exponential and the logarithm (2⁻³²), where what they are part of nearly vanishes. */
const POLYNOMIAL = 2 ** -29;
/** Sums in another order, in double precision. */
const ORDER = 2 ** -44;

const labelsOf = (rows: number, columns: number): Int32Array => Int32Array.from({ length: rows }, (_, r) => (r * 7) % columns);
const positive = (x: Numbers): Numbers => x.map((v) => Math.abs(v));
const doubles = (x: Numbers): Float64Array => Float64Array.from(x);
const rowOf = (w: number): readonly number[] => [w];

/** Windows of 2 × 3 over images of `columns` channels. */
export const windowsOf = (rows: number, columns: number): Windows => {
  const across = { kernelHeight: 2, kernelWidth: 3, strideY: 1, strideX: 2, dilationY: 2, dilationX: 1, padTop: 1, padLeft: 1 };
  return { batch: rows, height: 3, width: 5, channels: columns, outHeight: 3, outWidth: 3, ...across };
};

export const loopCases: Readonly<Record<string, LoopCase>> = {
  abs: unary((t, x, y) => t.abs(x, y), 0),
  absGrad: gradient("absGrad", 0),
  adam: {
    outputs: (r, c) => [r * c, r * c, r * c],
    inPlace: true,
    run: (t, [p, m, v], { at, draw }, r, c) => {
      v!.set(positive(v!));
      t.adam(p!, at(draw(r * c)), m!, v!, 0.1, 0.9, 0.999, 1e-8, 0.19, 0.002);
    },
    slack: ORDER,
  },
  addNumber: { outputs: all, inPlace: true, run: (t, [y]) => t.addNumber(0.1, y!, true), slack: 0 },
  avgPool: {
    outputs: (r, c) => [r * 9 * c],
    run: (t, [y], { at, draw }, r, c) => t.avgPool(windowsOf(r, c), at(draw(r * 15 * c)), y!),
    slack: 0,
  },
  avgPoolGrad: {
    outputs: (r, c) => [r * 15 * c],
    run: (t, [dx], { at, draw }, r, c, accumulate) => t.avgPoolGrad(windowsOf(r, c), at(draw(r * 9 * c)), dx!, accumulate),
    slack: 2 ** -19,
  },
  chosenGrad: binary((t, a, b, da, accumulate, c) => {
    const [y, dy] = [c(), c()];
    t.maximum(a, b, y);
    t.chosenGrad(a, b, y, dy, da, accumulate);
  }, 0),
  clip: unary((t, x, y) => t.clip(x, y, -0.1, 0.7), 0),
  clipGrad: binary((t, x, dy, dx, accumulate) => t.clipGrad(x, x, dy, dx, accumulate, -0.1, 0.7), 0),
  clipInPlace: { outputs: all, inPlace: true, run: (t, [x]) => t.clipInPlace(x!, -0.1, 0.7), slack: 0 },
  columnMoments: {
    outputs: (_, c) => [c, c],
    run: (t, outs, { at, draw }, r, c) => {
      const found = [new Float64Array(c), new Float64Array(c)] as const;
      t.columnMoments(c, at(draw(r * c)), ...found);
      for (const [i, out] of outs.entries()) out.set(found[i]!);
    },
    slack: ORDER,
  },
  crossEntropy: {
    outputs: rowOf,
    run: (t, [losses], { at, draw }, r, c) => t.crossEntropy(c, 0.1, at(draw(r * c)), labelsOf(r, c), losses!),
    slack: ORDER,
  },
  crossEntropyGrad: {
    outputs: all,
    run: (t, [dx], { at, draw }, r, c, accumulate) =>
      t.crossEntropyGrad(c, 0.1, at(draw(r * c)), labelsOf(r, c), at(draw(r)), dx!, accumulate),
    slack: POLYNOMIAL,
  },
  div: binary((t, a, b, y, accumulate) => t.div(a, b, y, accumulate), 0),
  divGradDivisor: binary((t, b, y, db, accumulate, dy) => t.divGradDivisor(b, y, dy(), db, accumulate), 0),
  dot: {
    outputs: () => [1],
    run: (t, [y], { at, draw }, r, c, accumulate) => t.dot(at(draw(r * c)), at(draw(r * c)), y!, accumulate),
    slack: ORDER,
  },
  exp: unary((t, x, y) => t.exp(x, y)),
  expGrad: gradient("expGrad", 2 ** -20),
  // Far below 0, 1 + tanh loses what it would need, in the reference as here.
  gelu: unary((t, x, y) => t.gelu(x, y), ORDER),
  geluGrad: gradient("geluGrad", POLYNOMIAL),
  hardSwish: unary((t, x, y) => t.hardSwish(x, y), 0),
  hardSwishGrad: gradient("hardSwishGrad", 0),
  leakyRelu: unary((t, x, y) => t.leakyRelu(x, y, 0.1), 0),
  leakyReluGrad: binary((t, x, dy, dx, accumulate) => t.leakyReluGrad(x, x, dy, dx, accumulate, 0.1), 0),
  log: unary((t, x, y) => t.log(x, y)),
  logGrad: gradient("logGrad", 0),
  logSoftmax: { outputs: all, run: (t, [y], { at, draw }, r, c) => t.logSoftmax(c, at(draw(r * c)), y!), slack: ORDER },
  logSoftmaxGrad: {
    outputs: all,
    run: (t, [dx], { at, draw }, r, c, accumulate) => {
      const y = at(draw(r * c).map((v) => -Math.abs(v)));
      t.logSoftmaxGrad(c, y, at(draw(r * c)), dx!, accumulate);
    },
    slack: POLYNOMIAL,
  },
  maximum: binary((t, a, b, y) => t.maximum(a, b, y), 0),
  minimum: binary((t, a, b, y) => t.minimum(a, b, y), 0),
  neg: unary((t, x, y) => t.neg(x, y), 0),
  negGrad: gradient("negGrad", 0),
  reciprocal: unary((t, x, y) => t.reciprocal(x, y), 0),
  reciprocalGrad: gradient("reciprocalGrad", 0),
  rmsprop: {
    outputs: (r, c) => [r * c, r * c, r * c],
    inPlace: true,
    run: (t, [p, s, v], { at, draw }, r, c) => {
      s!.set(positive(s!));
      t.rmsprop(p!, at(draw(r * c)), s!, v!, 0.1, 0.9, 0.5, 1e-7);
    },
    slack: ORDER,
  },
  sgdMomentum: {
    outputs: (r, c) => [r * c, r * c],
    inPlace: true,
    run: (t, [p, v], { at, draw }, r, c) => t.sgdMomentum(p!, at(draw(r * c)), v!, 0.1, 0.9, r % 2 === 0),
    slack: ORDER,
  },
  sigmoid: unary((t, x, y) => t.sigmoid(x, y)),
  sigmoidGrad: gradient("sigmoidGrad", 0),
  sign: unary((t, x, y) => t.sign(x, y), 0),
  silu: unary((t, x, y) => t.silu(x, y)),
  siluGrad: gradient("siluGrad", POLYNOMIAL),
  softmax: { outputs: all, run: (t, [y], { at, draw }, r, c) => t.softmax(c, at(draw(r * c)), y!) },
  softmaxGrad: {
    outputs: all,
    run: (t, [dx], { at, draw }, r, c, accumulate) => t.softmaxGrad(c, at(draw(r * c)), at(draw(r * c)), dx!, accumulate),
    slack: ORDER,
  },
  softplus: unary((t, x, y) => t.softplus(x, y)),
  softplusGrad: gradient("softplusGrad", POLYNOMIAL),
  sqrt: unary((t, x, y) => t.sqrt(x, y), 0),
  sqrtGrad: gradient("sqrtGrad", 0),
  square: unary((t, x, y) => t.square(x, y), 0),
  squareGrad: gradient("squareGrad", 0),
  standardiseColumns: {
    outputs: all,
    run: (t, [y], { at, draw }, r, c) =>
      t.standardiseColumns(c, at(draw(r * c)), doubles(draw(c)), doubles(positive(draw(c))), 0.1, y!),
    slack: 0,
  },
  standardiseColumnsGrad: {
    outputs: all,
    run: (t, [dx], { at, draw }, r, c, accumulate) =>
      t.standardiseColumnsGrad(c, at(draw(r * c)), doubles(positive(draw(c))), 0.1, at(draw(r * c)), dx!, accumulate),
    slack: ORDER,
  },
  standardiseColumnsLinearGrad: {
    outputs: all,
    run: (t, [dx], { at, draw }, r, c, accumulate) =>
      t.standardiseColumnsLinearGrad(c, doubles(positive(draw(c))), 0.1, at(draw(r * c)), dx!, accumulate),
    slack: 0,
  },
  standardiseRows: {
    outputs: (r, c) => [r * c, r],
    run: (t, [y, rates], { at, draw }, r, c) => {
      const found = new Float64Array(r);
      t.standardiseRows(c, at(draw(r * c)), 0.1, y!, found);
      rates!.set(found);
    },
    slack: ORDER,
  },
  standardiseRowsGrad: {
    outputs: all,
    run: (t, [dx], { at, draw }, r, c, accumulate) =>
      t.standardiseRowsGrad(c, at(draw(r * c)), doubles(positive(draw(r))), at(draw(r * c)), dx!, accumulate),
    slack: ORDER,
  },
  sub: binary((t, a, b, y) => t.sub(a, b, y), 0),
  "sum of columns": {
    outputs: (_, c) => [c],
    run: (t, [y], { at, draw }, n, inner, acc) => t.sum({ outer: 1, n, inner }, at(draw(n * inner)), y!, 0.3, acc),
    slack: ORDER,
  },
  "sum of middles": {
    outputs: (r, c) => [r * c],
    run: (t, [y], { at, draw }, outer, inner, acc) => t.sum({ outer, n: 5, inner }, at(draw(outer * 5 * inner)), y!, 0.3, acc),
    slack: ORDER,
  },
  "sum of rows": {
    outputs: rowOf,
    run: (t, [y], { at, draw }, outer, n, acc) => t.sum({ outer, n, inner: 1 }, at(draw(outer * n)), y!, 0.3, acc),
    slack: ORDER,
  },
  sumOfSquares: {
    outputs: () => [1],
    run: (t, [y], { at, draw }, r, c) => y!.fill(t.sumOfSquares(at(draw(r * c)))),
    slack: ORDER,
  },
  tanh: unary((t, x, y) => t.tanh(x, y)),
  tanhGrad: gradient("tanhGrad", 0),
  where: binary((t, condition, a, y, _, b) => t.where(condition, a, b(), y), 0),
  whereGrad: binary((t, condition, dy, dx, accumulate) => t.whereGrad(condition, dy.length % 2 === 0, dy, dx, accumulate), 0),
};
