import { kernels } from "../kernels/index.ts";
import { checkNumber, type Optimizer, type OptimizerOptions, optimizerOf, type Trained } from "./optimizer.ts";

/**
 * RMSprop (Hinton): s = ρ·s + (1 − ρ)·g², v = momentum·v + g/(√s + ε), p −= rate·v, with ρ 0.9, momentum 0, ε 1e-8. Default rates as Adam's.
 */
export function rmsprop(
  parameters: Trained,
  {
    rho = 0.9,
    momentum = 0,
    epsilon = 1e-8,
    ...options
  }: OptimizerOptions & { readonly rho?: number; readonly momentum?: number; readonly epsilon?: number } = {},
): Optimizer {
  checkNumber("rmsprop", "rho", rho, 0, 1);
  checkNumber("rmsprop", "momentum", momentum, 0, 1);
  checkNumber("rmsprop", "epsilon", epsilon, 0);
  return optimizerOf("rmsprop", parameters, options, {
    rateOf: (parameter) => parameter.learningRate ?? 0.001,
    remembers: ["meanSquare", "momentum"],
    decoupled: false,
    update: (p, g, [s, v], rate) => kernels.rmsprop(p, g, s!, v!, rate, rho, momentum, epsilon),
  });
}
