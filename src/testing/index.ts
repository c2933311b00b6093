/**
 * Gradient checks, for tests of your own ops and layers. `hashgrad/testing/arbitraries` draws shapes and tensors for
 * them and needs fast-check; this entry point needs nothing.
 * @module testing
 */
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
