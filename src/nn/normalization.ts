import { add, batchNormInference, batchNormTraining, mul, layerNorm as normaliseRows } from "../ops/index.ts";
import { isTraining, noGrad, readCount, readNumber, readOptions, readTensor } from "../tensor/index.ts";
import { onesInit, readCreator, type VariableCreator, zerosInit } from "../variables/index.ts";
import type { Layer } from "./layer.ts";

/**
 * Batch normalization over all axes but the last: x [..., channels]. In training mode (`training`) it uses the batch's own statistics and
 * updates the running ones, moving = momentum·moving + (1 − momentum)·batch (biased variance). In inference mode it uses the running ones.
 * Defaults: momentum 0.9 (PyTorch calls this momentum 0.1), epsilon 1e-3. With 0.9 the running statistics are usable after some 30 steps.
 * Variables: `gamma` (ones), `beta` (zeros), `moving_mean`, `moving_variance`, all [channels].
 */
export function batchNorm(
  vars: VariableCreator,
  channels: number,
  options?: { readonly momentum?: number; readonly epsilon?: number },
): Layer {
  readCreator("batchNorm", "vars", vars);
  readCount("batchNorm", "channels", channels, 1);
  const { momentum = 0.9, epsilon = 1e-3 } = readOptions("batchNorm", options, ["momentum", "epsilon"]);
  readNumber("batchNorm", "momentum", momentum, { least: 0, most: 1 });
  readNumber("batchNorm", "epsilon", epsilon, { least: 0 });
  const gamma = vars.create("gamma", [channels], { init: onesInit });
  const beta = vars.create("beta", [channels], { init: zerosInit });
  const movingMean = vars.create("moving_mean", [channels], { init: zerosInit, trainable: false });
  const movingVariance = vars.create("moving_variance", [channels], { init: onesInit, trainable: false });
  return (x) => {
    readTensor("batchNorm", "x", x);
    if (!isTraining()) return batchNormInference(x, gamma.read(), beta.read(), movingMean.read(), movingVariance.read(), epsilon);
    const { y, mean, variance } = batchNormTraining(x, gamma.read(), beta.read(), epsilon);
    noGrad(() => {
      movingMean.assign(add(mul(movingMean.read(), momentum), mul(mean, 1 - momentum)));
      movingVariance.assign(add(mul(movingVariance.read(), momentum), mul(variance, 1 - momentum)));
    });
    return y;
  };
}

/** Layer normalisation over the last axis: x [..., features]. Epsilon 1e-5. Variables: `gamma` (ones), `beta` (zeros), both [features]. */
export function layerNorm(vars: VariableCreator, features: number, options?: { readonly epsilon?: number }): Layer {
  readCreator("layerNorm", "vars", vars);
  readCount("layerNorm", "features", features, 1);
  const { epsilon = 1e-5 } = readOptions("layerNorm", options, ["epsilon"]);
  readNumber("layerNorm", "epsilon", epsilon, { least: 0 });
  const gamma = vars.create("gamma", [features], { init: onesInit });
  const beta = vars.create("beta", [features], { init: zerosInit });
  return (x) => normaliseRows(x, gamma.read(), beta.read(), epsilon);
}
