import { kernels } from "../backends/index.ts";
import { readBoolean, readNumber, ValueError } from "../tensor/index.ts";
import { type Optimizer, type OptimizerOptions, optimizerOf, readOptimizerOptions, type Trained } from "./optimizer.ts";

/** Options of `sgd`, which include {@link OptimizerOptions}. */
export type SgdOptions = OptimizerOptions & {
  /** The momentum (default 0). */
  readonly momentum?: number;
  /** Nesterov's momentum (default false). */
  readonly nesterov?: boolean;
};

/**
 * Returns a stochastic gradient descent optimizer: p −= rate·g.
 * With `momentum` (default 0): v = momentum·v + g, p −= rate·v. With `nesterov` (default false): p −= rate·(g +
 * momentum·v). Default rate 0.1·(1 − momentum): 0.1, or 0.01 with momentum 0.9.
 * @param parameters - `vars.parameters()`, or variables
 * @example
 * const w = variable(tensor([1]));
 * const optimizer = sgd([w], { learningRate: 0.1, momentum: 0.9 });
 * backward(sum(square(w)));
 * optimizer.step();
 * console.log(w); //=> Tensor [1] 0.8
 */
export function sgd(parameters: Trained, given?: SgdOptions): Optimizer {
  const { momentum = 0, nesterov = false, ...options } = readOptimizerOptions("sgd", given, ["momentum", "nesterov"]);
  readNumber("sgd", "momentum", momentum, { least: 0, below: 1 });
  readBoolean("sgd", "nesterov", nesterov);
  if (nesterov && momentum === 0) throw new ValueError("sgd", "nesterov needs momentum above 0, such as 0.9");
  return optimizerOf("sgd", parameters, options, {
    learningRate: 0.1 * (1 - momentum),
    remembers: momentum === 0 ? [] : ["momentum"],
    decoupled: false,
    update: (p, g, [v], rate) => {
      if (v === undefined) kernels.axpy(-rate, g, p, true);
      else kernels.sgdMomentum(p, g, v, rate, momentum, nesterov);
    },
  });
}
