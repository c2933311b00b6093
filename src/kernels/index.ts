import type * as reference from "./reference.ts";

export { ACTIVATIONS, type Activation } from "./activation.ts";
export type { SlabSource } from "./arena.ts";
export {
  type Bounds,
  describe,
  FLOAT32,
  isTypedArray,
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
  TENSOR_BRAND,
} from "./arguments.ts";
export { columnScales } from "./batch-norm.ts";
export { isLittleEndian, joinBytes } from "./bytes.ts";
export { equal, less, lessEqual, notEqual } from "./comparisons.ts";
export type { Convolution, Depthwise } from "./conv.ts";
export { addRounded, inTotals, type Totals } from "./doubles.ts";
export {
  BackendError,
  GradientError,
  HashgradError,
  MemoryError,
  RecycledError,
  ShapeError,
  ValueError,
} from "./errors.ts";
export { hasFiles } from "./files.ts";
export { fillRows, type Gemm, SMALL_WORK } from "./gemm.ts";
export {
  alloc,
  allocLasting,
  beforeFirstUse,
  besideSteps,
  inArena,
  isInArena,
  type Lifetime,
  lasting,
  lifetimeNow,
  memory,
  type Numbers,
  openScope,
  poisonArena,
  provideSlabs,
  release,
  resetPeak,
  trimArena,
} from "./memory.ts";
export type { Reduced } from "./reduce.ts";
export * as reference from "./reference.ts";
export { Regions } from "./regions.ts";
export { cumsum, largest, logSumExp, logSumExpGrad, norm, normGrad, prod, prodGrad } from "./scans.ts";
export { signatures } from "./signatures.ts";
export * from "./special.ts";
export type { View } from "./strided.ts";
export { decodeText, encodeText } from "./text.ts";
export { overlap, type Windows } from "./windows.ts";

/** Every number-crunching loop of the library. The plain loops *are* the interface. */
export type Kernels = typeof reference;
