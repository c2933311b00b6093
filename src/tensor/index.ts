export {
  type Bounds,
  describe,
  GradientError,
  HashgradError,
  RecycledError,
  readBoolean,
  readCount,
  readFunction,
  readIndices,
  readList,
  readName,
  readNumber,
  readObject,
  readOptions,
  readText,
  ShapeError,
  ValueError,
} from "../kernels/index.ts";
export { readOperand, readTensor, readTensors } from "./arguments.ts";
export {
  applyGradient,
  assign,
  backward,
  customGradient,
  gradientOf,
  gradients,
  isRecording,
  noGrad,
  record,
  shareHistory,
  stopGradient,
  variable,
  zeroGrad,
} from "./autograd.ts";
export type { Parameter } from "./parameter.ts";
export { Generator, randomNormal, randomTruncatedNormal, randomUniform, truncatedDraw } from "./random.ts";
export { axesOf, axisOf, broadcastShapes, checkShape, type Shape, sameShape, show, sizeOf, stridesOf } from "./shape.ts";
export { step } from "./step.ts";
export {
  type Attributes,
  asTensor,
  fresh,
  full,
  type Into,
  keep,
  type Nested,
  ones,
  type Pullback,
  range,
  Tensor,
  type TensorLike,
  tensor,
  zeros,
} from "./tensor.ts";
