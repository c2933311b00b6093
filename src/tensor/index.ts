export {
  type Bounds,
  describe,
  FLOAT32,
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
  readNumbers,
  readObject,
  readOptions,
  readPair,
  readText,
  ShapeError,
  ValueError,
} from "../kernels/index.ts";
export { type Outputs, readOperand, readOutputs, readTensor, readTensors, refuseTensor } from "./arguments.ts";
export {
  backward,
  gradients,
  isRecording,
  isThenable,
  keep,
  noGrad,
  noteSource,
  record,
  recordOp,
  refusePromise,
  shareHistory,
  stopGradient,
} from "./autograd.ts";
export { customGradient } from "./custom-gradient.ts";
export { areFinite, dependsOn, type Fault, firstFault, firstGradientFault, firstNonFinite, trainedLeaves } from "./diagnosis.ts";
export {
  applyGradient,
  assign,
  assignGradient,
  freeze,
  gradientOf,
  unfreeze,
  variable,
  zeroGrad,
} from "./leaves.ts";
export { inference, isTraining, training } from "./mode.ts";
export type { Parameter } from "./parameter.ts";
export { Generator, randomNormal, randomTruncatedNormal, randomUniform, readGenerator, truncatedDraw } from "./random.ts";
export {
  axesOf,
  axisOf,
  broadcastShapes,
  checkLengths,
  checkShape,
  checkSize,
  MOST_AXES,
  MOST_NUMBERS,
  type Shape,
  sameShape,
  show,
  sizeOf,
  stridesOf,
} from "./shape.ts";
export { step } from "./step.ts";
export {
  type Attributes,
  fresh,
  full,
  type Into,
  type Nested,
  ones,
  type Pullback,
  range,
  Tensor,
  type TensorLike,
  tensor,
  zeros,
} from "./tensor.ts";
export { tidy } from "./tidy.ts";
export { type Source, traceNow, type Watch, watched } from "./watch.ts";
