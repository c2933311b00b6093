import { kernels } from "../backends/index.ts";
import { readNumber } from "../tensor/index.ts";
import { type Optimizer, type OptimizerOptions, optimizerOf, readOptimizerOptions, type Trained } from "./optimizer.ts";

/** Options of `rmsprop`, which include {@link OptimizerOptions}. */
export type RmspropOptions = OptimizerOptions & {
  /** The decay ρ of the mean of the squares (default 0.9). */
  readonly rho?: number;
  /** The momentum (default 0). */
  readonly momentum?: number;
  /** Added to √s (default 1e-8). */
  readonly epsilon?: number;
};

/**
 * Returns an RMSprop optimizer (Hinton): s = ρ·s + (1 − ρ)·g², v = momentum·v + g/(√s + ε), p −= rate·v. Default rate
 * 0.001.
 * @param parameters - `vars.parameters()`, or variables
 * @example
 * const w = variable(tensor([1]));
 * const optimizer = rmsprop([w], { learningRate: 0.1 });
 * backward(sum(square(w)));
 * optimizer.step();
 * console.log(w); //=> Tensor [1] 0.6838
 */
export function rmsprop(parameters: Trained, given?: RmspropOptions): Optimizer {
  const own = readOptimizerOptions("rmsprop", given, ["rho", "momentum", "epsilon"]);
  const { rho = 0.9, momentum = 0, epsilon = 1e-8, ...options } = own;
  readNumber("rmsprop", "rho", rho, { least: 0, below: 1 });
  readNumber("rmsprop", "momentum", momentum, { least: 0, below: 1 });
  readNumber("rmsprop", "epsilon", epsilon, { least: 0 });
  return optimizerOf("rmsprop", parameters, options, {
    learningRate: 0.001,
    remembers: ["meanSquare", "momentum"],
    decoupled: false,
    update: (p, g, [s, v], rate) => kernels.rmsprop(p, g, s!, v!, rate, rho, momentum, epsilon),
  });
}
