export { avgPool, avgPoolGrad } from "./avgpool";
export { batchNorm, batchNormGrad, batchNormSums } from "./batch-norm";
export { columnMoments } from "./columns";
export { conv2d } from "./conv";
export { conv2dInputGrad } from "./conv-input-grad";
export { conv2dKernelGrad } from "./conv-kernel-grad";
export { computeFourOutputs, depthwiseConv2d } from "./depthwise";
export { depthwiseConv2dInputGrad } from "./depthwise-input-grad";
export { depthwiseConv2dKernelGrad, sumFourWindows } from "./depthwise-kernel-grad";
export * from "./elementwise";
export { gemm } from "./gemm";
export { computeLongTile } from "./long-tile";
export * from "./map";
export { maxPool, maxPoolGrad } from "./pool";
export { sizesAt } from "./sizes";
export { sum } from "./reduce";
export {
  crossEntropy, crossEntropyGrad, dot, logSoftmax, logSoftmaxGrad, softmax, softmaxGrad, standardizeRows, standardizeRowsGrad, sumOfSquares,
} from "./rows";
export { injectFault, messageAt, nextGeneration, partFailed, serve, setThreads, settle } from "./threads";
export { computeTilePanels, computeTileRows } from "./tile";
export * from "./update";
export { addProducts, multiplyRows } from "./winograd-tile";
export { computeRow, computeTwoRows } from "./few-rows";
