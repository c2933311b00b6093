import { add, batchNormInference, batchNormTraining, mul, layerNorm as normaliseRows } from "../ops/index.ts";
import { noGrad, ValueError } from "../tensor/index.ts";
import { onesInit, type VariableCreator, zerosInit } from "../variables/index.ts";
import type { Layer } from "./layer.ts";

/**
 * Batch normalisation over all axes but the last: x [..., channels]. In training it uses the batch's own statistics and moves the running
 * ones, moving = momentum·moving + (1 − momentum)·batch (biased variance); in inference it uses the running ones.
 * Defaults as Keras: momentum 0.99, epsilon 1e-3. Variables: `gamma` (ones), `beta` (zeros), `moving_mean`, `moving_variance`, all [channels].
 */
export function batchNorm(
  vars: VariableCreator,
  channels: number,
  { momentum = 0.99, epsilon = 1e-3 }: { readonly momentum?: number; readonly epsilon?: number } = {},
): Layer {
  if (!(momentum >= 0 && momentum <= 1)) throw new ValueError("batchNorm", `momentum must be from 0 to 1, got ${momentum}`);
  const gamma = vars.create("gamma", [channels], { init: onesInit });
  const beta = vars.create("beta", [channels], { init: zerosInit });
  const movingMean = vars.create("moving_mean", [channels], { init: zerosInit, trainable: false });
  const movingVariance = vars.create("moving_variance", [channels], { init: onesInit, trainable: false });
  return (x, mode = "inference") => {
    if (mode === "inference")
      return batchNormInference(x, gamma.read(), beta.read(), movingMean.read(), movingVariance.read(), epsilon);
    const { y, mean, variance } = batchNormTraining(x, gamma.read(), beta.read(), epsilon);
    noGrad(() => {
      movingMean.assign(add(mul(movingMean.read(), momentum), mul(mean, 1 - momentum)));
      movingVariance.assign(add(mul(movingVariance.read(), momentum), mul(variance, 1 - momentum)));
    });
    return y;
  };
}

/** Layer normalisation over the last axis: x [..., features]. Epsilon 1e-5. Variables: `gamma` (ones), `beta` (zeros), both [features]. */
export function layerNorm(
  vars: VariableCreator,
  features: number,
  { epsilon = 1e-5 }: { readonly epsilon?: number } = {},
): Layer {
  const gamma = vars.create("gamma", [features], { init: onesInit });
  const beta = vars.create("beta", [features], { init: zerosInit });
  return (x) => normaliseRows(x, gamma.read(), beta.read(), epsilon);
}
