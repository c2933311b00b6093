/**
 * For tests of one's own ops and layers: gradient checks, and arbitraries for fast-check.
 *
 * fast-check is an optional peer dependency. Where it is not installed only this module cannot be imported; the rest of the library works.
 */
export { broadcastablePairs, type ShapeOptions, seeds, shapes, tensors, type ValueOptions } from "./arbitraries.ts";
export {
  type CheckOptions,
  checkGradient,
  compareGradient,
  compareLeafGradient,
  type Differentiable,
  type GradientComparison,
  type GradientOptions,
  gradientError,
} from "./gradient.ts";
