import { kernels } from "../backends/index.ts";
import { readNumber } from "../tensor/index.ts";
import { type Optimizer, type OptimizerOptions, optimizerOf, readOptimizerOptions, type Trained } from "./optimizer.ts";

/** Options of `adam` and `adamW`, which include {@link OptimizerOptions}. */
export type AdamOptions = OptimizerOptions & {
  /** The decay of the mean of the gradients (default 0.9). */
  readonly beta1?: number;
  /** The decay of the mean of their squares (default 0.999). */
  readonly beta2?: number;
  /** Added to √v̂ after the bias correction, as in PyTorch (default 1e-8). */
  readonly epsilon?: number;
};

/**
 * Returns an Adam optimizer (Kingma and Ba 2015) with default rate 0.001. Weight decay is added to the gradient; see
 * `adamW`.
 * @param parameters - `vars.parameters()`, or variables
 * @example
 * const w = variable(tensor([1]));
 * const optimizer = adam([w], { learningRate: 0.1 });
 * backward(sum(square(w)));
 * optimizer.step();
 * console.log(w); //=> Tensor [1] 0.9
 */
export function adam(parameters: Trained, options?: AdamOptions): Optimizer {
  return adamOf("adam", parameters, readOptimizerOptions("adam", options, OWN), false);
}

/**
 * Returns an AdamW optimizer (Loshchilov and Hutter 2019): weight decay (default 0.01) shrinks the weights by rate·λ,
 * separately from the gradient.
 * @param parameters - `vars.parameters()`, or variables
 * @example
 * const vars = new DenseVariables();
 * const model = dense(vars, 3, 2);
 * const optimizer = adamW(vars.parameters(), { learningRate: 0.01, weightDecay: 0.05 });
 * backward(mean(square(model(ones([4, 3])))));
 * optimizer.step();
 * console.log(optimizer.steps); //=> 1
 */
export function adamW(parameters: Trained, options?: AdamOptions): Optimizer {
  const given = readOptimizerOptions("adamW", options, OWN);
  return adamOf("adamW", parameters, { ...given, weightDecay: given.weightDecay ?? 0.01 }, true);
}

const OWN = ["beta1", "beta2", "epsilon"] as const;

function adamOf(who: string, parameters: Trained, options: AdamOptions, decoupled: boolean): Optimizer {
  const { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8 } = options;
  readNumber(who, "beta1", beta1, { least: 0, below: 1 });
  readNumber(who, "beta2", beta2, { least: 0, below: 1 });
  readNumber(who, "epsilon", epsilon, { least: 0 });
  return optimizerOf(who, parameters, options, {
    learningRate: 0.001,
    remembers: ["mean", "meanSquare"],
    decoupled,
    update: (p, g, [m, v], rate, step) =>
      kernels.adam(p, g, m!, v!, rate, beta1, beta2, epsilon, 1 - beta1 ** step, 1 - beta2 ** step),
  });
}
