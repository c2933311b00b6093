import type { Gemm } from "./gemm.ts";
import type { Numbers } from "./memory.ts";
import type { Reduced } from "./reduce.ts";
import type * as reference from "./reference.ts";
import type { View } from "./strided.ts";
import type { Windows } from "./windows.ts";

type Arrays = Numbers | Int32Array | Float64Array;

/**
 * How a kernel uses an argument.
 *
 * Arrays:
 * - "in": the kernel reads it;
 * - "out": the kernel overwrites every element and reads none;
 * - "inout": the kernel updates it in place;
 * - "some": the kernel updates some elements;
 * - "into": like "out"; if `accumulate` is true, the kernel adds to it;
 * - "-": the kernel does not use it.
 */
type Role<P> = P extends Arrays
  ? "in" | "out" | "inout" | "some" | "into" | "-"
  : P extends null
    ? never
    : P extends boolean
      ? "accumulate" | "flag"
      : P extends number
        ? "number"
        : P extends Reduced
          ? "sizes"
          : P extends Windows
            ? "windows"
            : P extends View
              ? "view"
              : P extends Gemm
                ? "product"
                : "function";

/** One role for each parameter of a kernel, in their order. */
export type Signature<P extends readonly unknown[]> = { readonly [I in keyof P]: Role<P[I]> };

const unary = ["in", "out"] as const;
/** (x, dy, dx, accumulate) */
const gradient = ["in", "in", "into", "accumulate"] as const;
/**
 * (x, y, dy, dx, accumulate), the gradients that `unary` in ops calls. `unary` does not know whether a gradient reads x
 * or y, so all take both. `byInput` reads x and `byOutput` reads y.
 */
const byInput = ["in", "-", "in", "into", "accumulate"] as const;
const byOutput = ["-", "in", "in", "into", "accumulate"] as const;
const binary = ["in", "in", "out"] as const;

type Signatures = { readonly [K in keyof typeof reference]: Signature<Parameters<(typeof reference)[K]>> };

/**
 * The role of each argument of each kernel. TypeScript checks the number of roles, and that a role fits the type of the
 * parameter: an array, a number, … test/kernels/kernels.test.ts checks what a kernel reads and writes. `bind` makes the
 * calls into WebAssembly from these signatures.
 */
export const signatures: Signatures = {
  abs: unary,
  absGrad: byInput,
  adam: ["inout", "in", "inout", "inout", "number", "number", "number", "number", "number", "number"],
  add: binary,
  addCyclic: ["number", "in", "some"],
  addRows: ["in", "number", "in", "some"],
  addWinners: ["sizes", "in", "in", "some"],
  argExtreme: ["sizes", "flag", "in", "out"],
  avgPool: ["windows", "in", "out"],
  avgPoolGrad: ["windows", "in", "into", "accumulate"],
  axpy: ["number", "in", "into", "accumulate"],
  batchNorm: ["number", "number", "in", "in", "out"],
  batchNormGrad: ["number", "in", "in", "in", "in", "into", "accumulate"],
  batchNormSums: ["number", "number", "in", "in", "in", "out", "out"],
  chosenGrad: ["in", "in", "in", "in", "into", "accumulate"],
  clip: ["in", "out", "number", "number"],
  clipGrad: [...gradient, "number", "number"],
  clipInPlace: ["inout", "number", "number"],
  columnMoments: ["number", "in", "out", "out"],
  conv2d: ["windows", "in", "in", "in", "out"],
  conv2dInputGrad: ["windows", "in", "in", "into", "accumulate"],
  conv2dKernelGrad: ["windows", "in", "in", "into", "accumulate"],
  crossEntropy: ["number", "number", "in", "in", "out"],
  crossEntropyGrad: ["number", "number", "in", "in", "in", "into", "accumulate"],
  depthwiseConv2d: ["windows", "in", "in", "in", "number", "out"],
  depthwiseConv2dInputGrad: ["windows", "in", "in", "into", "accumulate"],
  depthwiseConv2dKernelGrad: ["windows", "in", "in", "into", "accumulate"],
  div: ["in", "in", "into", "accumulate"],
  divGradDivisor: ["in", "in", "in", "into", "accumulate"],
  dot: ["in", "in", "into", "accumulate"],
  dropoutMask: ["number", "function", "out"],
  elu: ["in", "out", "number"],
  eluGrad: [...gradient, "number"],
  erf: unary,
  erfGrad: byInput,
  exp: unary,
  expGrad: byOutput,
  gelu: unary,
  geluGrad: gradient,
  gemm: ["product"],
  hardSigmoid: unary,
  hardSigmoidGrad: byInput,
  hardSwish: unary,
  hardSwishGrad: byInput,
  leakyRelu: ["in", "out", "number"],
  leakyReluGrad: [...gradient, "number"],
  log: unary,
  logGrad: byInput,
  logSoftmax: ["number", "in", "out"],
  logSoftmaxGrad: ["number", "in", "in", "into", "accumulate"],
  maxPool: ["windows", "in", "out"],
  maxPoolGrad: ["windows", "in", "in", "in", "into", "accumulate"],
  maximum: binary,
  minimum: binary,
  mul: ["in", "in", "into", "accumulate"],
  mulUnlessZero: binary,
  neg: unary,
  negGrad: ["-", "-", "in", "into", "accumulate"],
  pow: binary,
  powGradBase: ["in", "in", "in", "into", "accumulate"],
  powGradExponent: ["in", "in", "in", "in", "into", "accumulate"],
  readCyclic: ["number", "in", "out"],
  readRows: ["in", "number", "in", "out"],
  readView: ["view", "in", "out"],
  readWinners: ["sizes", "in", "in", "out"],
  reciprocal: unary,
  reciprocalGrad: byOutput,
  relu: unary,
  relu6: unary,
  relu6Grad: byInput,
  reluGrad: byInput,
  rmsprop: ["inout", "in", "inout", "inout", "number", "number", "number", "number"],
  sgdMomentum: ["inout", "in", "inout", "number", "number", "flag"],
  sigmoid: unary,
  sigmoidGrad: byOutput,
  sign: unary,
  silu: unary,
  siluGrad: byInput,
  softmax: ["number", "in", "out"],
  softmaxGrad: ["number", "in", "in", "into", "accumulate"],
  softplus: unary,
  softplusGrad: byInput,
  sqrt: unary,
  sqrtGrad: byOutput,
  square: unary,
  squareGrad: byInput,
  standardizeRows: ["number", "in", "number", "out", "out"],
  standardizeRowsGrad: ["number", "in", "in", "in", "into", "accumulate"],
  sub: binary,
  sum: ["sizes", "in", "into", "number", "accumulate"],
  sumGrad: ["sizes", "in", "into", "number", "accumulate"],
  sumOfSquares: ["in"],
  tanh: unary,
  tanhGrad: byOutput,
  where: ["in", "in", "in", "out"],
  whereGrad: ["in", "flag", "in", "into", "accumulate"],
  writeView: ["view", "in", "some", "accumulate"],
};
