/** The plain kernels: they are the specification and the interface (`type Kernels = typeof reference`). */
export * from "./activations.ts";
export { batchNorm, batchNormGrad, batchNormSums, columnMoments } from "./batch-norm.ts";
export {
  conv2d,
  conv2dInputGrad,
  conv2dKernelGrad,
  depthwiseConv2d,
  depthwiseConv2dInputGrad,
  depthwiseConv2dKernelGrad,
} from "./conv.ts";
export * from "./elementwise.ts";
export { gemm } from "./gemm.ts";
export * from "./normalization.ts";
export * from "./pairwise.ts";
export { addWinners, argExtreme, dot, readWinners, sum, sumGrad } from "./reduce.ts";
export * from "./softmax.ts";
export { elu, eluGrad, erf, erfGrad } from "./special.ts";
export { addCyclic, addRows, readCyclic, readRows, readView, writeView } from "./strided.ts";
export * from "./update.ts";
export { avgPool, avgPoolGrad, maxPool, maxPoolGrad } from "./windows.ts";
