export { avgPool, avgPoolGrad, avgPoolGradWork } from "./avgpool";
export { columnMoments, columnsWork, middleWork, standardise, sumColumns, sumMiddle } from "./columns";
export {
  conv2d, conv2dInputGrad, conv2dInputGradOwn, conv2dInputGradShared, conv2dKernelGrad, conv2dKernelGradOwn, conv2dKernelGradShared,
  conv2dOwn, conv2dShared, longTile,
} from "./conv";
export {
  acrossFour, depthwise, depthwiseInputGrad, depthwiseInputGradOwn, depthwiseKernelGrad, depthwiseKernelGradOwn, depthwiseKernelGradShared,
  depthwiseOwn, sumsOfFour,
} from "./depthwise";
export { add, axpy, mul, relu, reluGrad, sumGrad } from "./elementwise";
export { gemm, gemmWork } from "./gemm";
export { map } from "./map";
export { maxPool, maxPoolGrad, maxPoolGradWork } from "./pool";
export { sizesAt } from "./sizes";
export { rows, rowsWork, sumOfProducts, sumRows, sumRowsWork } from "./rows";
export { injectFault, messageAt, nextGeneration, partFailed, serve, setThreads, settle } from "./threads";
export { tilePanels } from "./tile";
export { adam, rmsprop, sgdMomentum } from "./update";
