import { kernels } from "../kernels/index.ts";
import type { Parameter } from "../tensor/index.ts";
import { checkNumber, type Optimizer, type OptimizerOptions, optimizerOf } from "./optimizer.ts";

/**
 * Stochastic gradient descent: p −= rate·g. With `momentum` (0): v = momentum·v + g, p −= rate·v; with `nesterov` (false)
 * p −= rate·(g + momentum·v). Default rate 0.01.
 */
export function sgd(
  parameters: readonly Parameter[],
  {
    momentum = 0,
    nesterov = false,
    ...options
  }: OptimizerOptions & { readonly momentum?: number; readonly nesterov?: boolean } = {},
): Optimizer {
  checkNumber("sgd", "momentum", momentum, 0, 1);
  return optimizerOf("sgd", parameters, options, {
    rateOf: () => 0.01,
    remembers: momentum === 0 ? [] : ["momentum"],
    decoupled: false,
    update: (p, g, [v], rate) => {
      if (v === undefined) kernels.axpy(-rate, g, p, true);
      else kernels.sgdMomentum(p, g, v, rate, momentum, nesterov);
    },
  });
}
