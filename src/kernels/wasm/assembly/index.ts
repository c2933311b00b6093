export { conv2d, conv2dInputGrad, conv2dKernelGrad, convWork } from "./conv";
export { depthwise, depthwiseInputGrad, depthwiseKernelGrad } from "./depthwise";
export { add, mul, relu, reluGrad, sumColumns, sumGrad } from "./elementwise";
export { gemm, gemmWork } from "./gemm";
export { maxPool, maxPoolGrad } from "./windows";
