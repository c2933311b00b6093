export * from "./activations.ts";
export { type BatchNormOptions, type BatchNormResult, batchNormInference, batchNormTraining } from "./batch-norm.ts";
export { equal, greater, greaterEqual, less, lessEqual, notEqual } from "./comparisons.ts";
export { type Conv1dOptions, conv1d } from "./conv1d.ts";
export { type Conv2dOptions, conv2d, type DepthwiseConv2dOptions, depthwiseConv2d } from "./conv2d.ts";
export { type Conv2dTransposeOptions, conv2dTranspose } from "./conv2d-transpose.ts";
export { type CrossEntropyOptions, crossEntropy, oneHot } from "./cross-entropy.ts";
export { einsum } from "./einsum.ts";
export {
  abs,
  add,
  clip,
  div,
  dropout,
  exp,
  log,
  maximum,
  minimum,
  mul,
  mulUnlessZero,
  neg,
  pow,
  reciprocal,
  sqrt,
  square,
  straightThroughSign,
  sub,
  where,
} from "./elementwise.ts";
export { gather, take } from "./gather.ts";
export type { Graph, GraphNode, OpAttributes } from "./graph.ts";
export {
  binaryCrossEntropyWithLogits,
  type HuberOptions,
  huber,
  klDivergence,
  type LossOptions,
  meanAbsoluteError,
  meanSquaredError,
} from "./loss.ts";
export { type MatmulOptions, matmul } from "./matmul.ts";
export {
  broadcastTo,
  concat,
  cyclicSlice,
  pad,
  reshape,
  type SliceOptions,
  slice,
  split,
  stack,
  transpose,
} from "./movement.ts";
export { layerNorm, logSoftmax, softmax } from "./normalization.ts";
export { avgPool1d, maxPool1d, type Pool1dOptions } from "./pool1d.ts";
export { avgPool2d, globalAvgPool2d, maxPool2d, type Pool2dOptions } from "./pool2d.ts";
export { type Axis, argMax, argMin, flatten, max, mean, min, type ReduceOptions, sum } from "./reduce.ts";
export type { Reduction } from "./reduction.ts";
export { type ResizeOptions, resize } from "./resize.ts";
export { expandDims, eye, flip, squeeze, tile, tril, triu } from "./shaping.ts";
export { type TopK, topK } from "./sorting.ts";
export * from "./special.ts";
export { cumsum, logSumExp, norm, prod, standardDeviation, type VarianceOptions, variance } from "./statistics.ts";
export { type Traced, trace } from "./trace.ts";
export type { Padding, Padding1d, Pair } from "./windows.ts";
