import { kernels } from "../backends/index.ts";
import type { Numbers } from "../kernels/index.ts";
import { type Bounds, gradientOf, readNumber, ValueError } from "../tensor/index.ts";
import { parametersOf, type Trained } from "./optimizer.ts";

const LIMIT: Bounds = { above: 0 };

/** The gradients of the variables, each once. */
const gradientsOf = (who: string, trained: Trained): Numbers[] =>
  parametersOf(who, trained).flatMap(({ tensor }) => gradientOf(tensor) ?? []);

/**
 * Clips every number of every gradient to [−limit, limit]. NaN stays NaN.
 * @param parameters - `vars.parameters()`, or variables
 * @param limit - a number of at least 0
 * @example
 * const w = variable(tensor([3]));
 * backward(sum(square(w)));
 * clipByValue([w], 1);
 * console.log(w.grad); //=> Tensor [1] 1
 */
export function clipByValue(parameters: Trained, limit: number): void {
  readNumber("clipByValue", "the limit", limit, LIMIT);
  for (const gradient of gradientsOf("clipByValue", parameters)) kernels.clipInPlace(gradient, -limit, limit);
}

/**
 * Scales all gradients by one factor so that their global norm is at most `limit`. Returns the norm before clipping.
 * @param parameters - `vars.parameters()`, or variables
 * @param limit - the largest norm, above 0
 * @example
 * const w = variable(tensor([3, 4]));
 * backward(sum(w));
 * console.log(clipByGlobalNorm([w], 1), w.grad); //=> 1.4142135623730951 Tensor [2] 0.7071 0.7071
 */
export function clipByGlobalNorm(parameters: Trained, limit: number): number {
  readNumber("clipByGlobalNorm", "the limit", limit, LIMIT);
  const gradients = gradientsOf("clipByGlobalNorm", parameters);
  const norm = Math.sqrt(gradients.reduce((sum, gradient) => sum + kernels.sumOfSquares(gradient), 0));
  if (!Number.isFinite(norm)) {
    throw new ValueError(
      "clipByGlobalNorm",
      `the gradients hold ${norm}: a smaller learning rate may help, or look for log(0) and 0/0`,
    );
  }
  if (norm > limit) for (const gradient of gradients) kernels.axpy(limit / norm, gradient, gradient, false);
  return norm;
}
