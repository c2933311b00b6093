import { kernels } from "../kernels/index.ts";
import { checkNumber, type Optimizer, type OptimizerOptions, optimizerOf, type Trained } from "./optimizer.ts";

/** β₁ (0.9), β₂ (0.999) and ε (1e-8), which is added to √v̂, outside the root and after the bias correction (as PyTorch). */
export type AdamOptions = OptimizerOptions & { readonly beta1?: number; readonly beta2?: number; readonly epsilon?: number };

/**
 * Adam (Kingma and Ba 2015). Default rate: 0.001, but for a pool's factors what suits them (0.02: they want a larger one than dense weights
 * do). A given `learningRate` holds for all. Weight decay joins the gradient; see `adamW`.
 */
export function adam(parameters: Trained, options: AdamOptions = {}): Optimizer {
  return adamOf("adam", parameters, options, false);
}

/** AdamW (Loshchilov and Hutter 2019): weight decay (0.01) shrinks the weights by rate·λ, apart from the gradient. */
export function adamW(parameters: Trained, options: AdamOptions = {}): Optimizer {
  return adamOf("adamW", parameters, { ...options, weightDecay: options.weightDecay ?? 0.01 }, true);
}

function adamOf(who: string, parameters: Trained, options: AdamOptions, decoupled: boolean): Optimizer {
  const { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8 } = options;
  checkNumber(who, "beta1", beta1, 0, 1);
  checkNumber(who, "beta2", beta2, 0, 1);
  checkNumber(who, "epsilon", epsilon, 0);
  return optimizerOf(who, parameters, options, {
    rateOf: (parameter) => parameter.learningRate ?? 0.001,
    remembers: ["mean", "meanSquare"],
    decoupled,
    update: (p, g, [m, v], rate, step) =>
      kernels.adam(p, g, m!, v!, rate, beta1, beta2, epsilon, 1 - beta1 ** step, 1 - beta2 ** step),
  });
}
