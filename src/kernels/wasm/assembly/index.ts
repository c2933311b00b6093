export {
  conv2d, conv2dInputGrad, conv2dInputGradOwn, conv2dInputGradShared, conv2dKernelGrad, conv2dKernelGradOwn, conv2dKernelGradShared,
  conv2dOwn, conv2dShared,
} from "./conv";
export { depthwise, depthwiseInputGrad, depthwiseKernelGrad, depthwiseKernelGradWork } from "./depthwise";
export { add, axpy, mul, relu, reluGrad, sumColumns, sumColumnsWork, sumGrad } from "./elementwise";
export { gemm, gemmWork } from "./gemm";
export { maxPool, maxPoolGrad } from "./pool";
export { sizesAt } from "./sizes";
export { serve, setThreads } from "./threads";
export { tilePanels } from "./tile";
