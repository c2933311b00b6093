import { type Kernels, signatures } from "../../src/kernels/index.ts";

/**
 * The largest allowed difference between the results of a fast kernel and the plain kernel, as a share of the largest
 * number. One unit in the last place is allowed in addition. 0: equal bit for bit. `whole`: on whole numbers.
 */
export type Bound = { readonly reals: number; readonly whole: number };

/** One unit in the last place, and no more. */
const ULP = Number.MIN_VALUE;
/** The exponential and the logarithm have a relative error of 2⁻³². It shows where a result nearly vanishes. */
const POLYNOMIAL = 2 ** -29;
/** Sums in another order, in double precision. */
const ORDER = 2 ** -44;
/** Products that are rounded to float32 before they are added. */
const PRODUCT = 2 ** -20;
/** Sums of products in float32. products.test.ts and winograd.test.ts state how much each output may differ. */
const PRODUCTS = 2 ** -12;

const exactOnWhole = (reals: number): Bound => ({ reals, whole: 0 });
const always = (bound: number): Bound => ({ reals: bound, whole: bound });

const exact: Bound = always(0);
const bounds: { readonly [K in keyof Kernels]?: Bound } = {
  adam: always(ORDER),
  avgPoolGrad: always(2 ** -19),
  axpy: exactOnWhole(PRODUCT),
  batchNorm: always(PRODUCT),
  batchNormGrad: always(PRODUCT),
  batchNormSums: always(PRODUCT),
  columnMoments: always(ORDER),
  conv2d: exactOnWhole(PRODUCTS),
  conv2dInputGrad: exactOnWhole(PRODUCTS),
  conv2dKernelGrad: exactOnWhole(PRODUCTS),
  crossEntropy: always(ORDER),
  crossEntropyGrad: always(POLYNOMIAL),
  depthwiseConv2d: exactOnWhole(PRODUCTS),
  depthwiseConv2dInputGrad: exactOnWhole(PRODUCTS),
  depthwiseConv2dKernelGrad: exactOnWhole(PRODUCTS),
  dot: exactOnWhole(ORDER),
  eluGrad: always(POLYNOMIAL),
  expGrad: exactOnWhole(PRODUCT),
  gelu: always(ORDER), // far below 0, 1 + tanh loses digits, in the plain kernel as in others
  geluGrad: always(POLYNOMIAL),
  gemm: exactOnWhole(PRODUCTS),
  logSoftmax: always(ORDER),
  logSoftmaxGrad: always(POLYNOMIAL),
  mul: exactOnWhole(PRODUCT),
  rmsprop: always(ORDER),
  sgdMomentum: exactOnWhole(ORDER),
  softmax: always(ULP),
  softmaxGrad: exactOnWhole(ORDER),
  standardizeRows: always(ORDER),
  standardizeRowsGrad: always(ORDER),
  sum: exactOnWhole(ORDER),
  sumGrad: exactOnWhole(PRODUCT),
  sumOfSquares: exactOnWhole(ORDER),
};

/** Functions of one number, and gradients, that take arithmetic and square roots only. Others use polynomials. */
const arithmetic: readonly (keyof Kernels)[] = [
  ...([
    "abs",
    "absGrad",
    "divGradDivisor",
    "hardSwish",
    "hardSwishGrad",
    "leakyRelu",
    "leakyReluGrad",
    "logGrad",
    "neg",
    "negGrad",
    "powGradBase",
    "reciprocal",
  ] as const),
  ...([
    "reciprocalGrad",
    "relu",
    "reluGrad",
    "sigmoidGrad",
    "sign",
    "sqrt",
    "sqrtGrad",
    "square",
    "squareGrad",
    "tanhGrad",
  ] as const),
];

/** Takes x; takes x, y and dy, of which it may leave out x or y. */
const [curve, slope] = [/^in,out(,number)?$/, /^(in|-),(in|-),in,into,accumulate$/];

/**
 * The bound of a kernel. If none is stated, a function of one number may be an ulp off, its gradient so much as a
 * polynomial is.
 */
export function boundOf(name: keyof Kernels): Bound {
  const roles = signatures[name].join();
  const ownBound = arithmetic.includes(name) ? exact : bounds[name];
  return ownBound ?? (curve.test(roles) ? always(ULP) : slope.test(roles) ? always(POLYNOMIAL) : exact);
}
