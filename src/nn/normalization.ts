import {
  add,
  type BatchNormOptions,
  batchNormInference,
  batchNormTraining,
  hardSwish,
  mean as meanOf,
  mul,
  layerNorm as normalizeRows,
  relu,
  relu6,
  reshape,
  rsqrt,
  silu,
  square,
  transpose,
} from "../ops/index.ts";
import {
  isTraining,
  noGrad,
  readCount,
  readFunction,
  readNumber,
  readOptions,
  readTensor,
  ShapeError,
  show,
  sizeOf,
} from "../tensor/index.ts";
import { onesInit, readCreator, type VariableCreator, zerosInit } from "../variables/index.ts";
import { asNormalization } from "./fold.ts";
import { type Layer, refuseMore } from "./layer.ts";

const identity: Layer = (x) => x;

/** The activations that batch normalization applies in its own pass over memory. */
const FUSED: ReadonlyMap<Layer, BatchNormOptions> = /* @__PURE__ */ new Map([
  [relu, { activation: "relu" }],
  [relu6, { activation: "relu6" }],
  [hardSwish, { activation: "hardSwish" }],
  [silu, { activation: "silu" }],
]);

/** Options of a batch normalization layer. */
export type BatchNormLayerOptions = {
  /** The share of the running statistics that an update keeps (default 0.9). */
  readonly momentum?: number;
  /** Added to the variance under the root (default 1e-3). */
  readonly epsilon?: number;
  /**
   * Applied to the result (default: nothing). `relu`, `relu6`, `hardSwish` and `silu` take no pass over memory of their
   * own.
   */
  readonly activation?: Layer;
};

/**
 * A layer of batch normalization over all axes but the last: x [..., channels] → the same shape.
 * In training mode (`training`) it uses the statistics of the batch and updates the running statistics: moving =
 * momentum·moving + (1 − momentum)·batch, with the biased variance. In inference mode it uses the running statistics.
 * Defaults: momentum 0.9 (PyTorch calls this 0.1), epsilon 1e-3, no activation. With 0.9 the running statistics are
 * usable after about 30 steps. Variables: `gamma` (ones), `beta` (zeros), `moving_mean`, `moving_variance`, all
 * [channels].
 * @param channels - the length of the last axis
 * @example
 * const norm = batchNorm(new DenseVariables(), 32, { activation: relu });
 * console.log(norm(ones([2, 8, 8, 32])).shape); //=> [ 2, 8, 8, 32 ]
 */
export function batchNorm(vars: VariableCreator, channels: number, options?: BatchNormLayerOptions): Layer {
  readCreator("batchNorm", "vars", vars);
  readCount("batchNorm", "channels", channels, 1);
  const known = ["momentum", "epsilon", "activation"] as const;
  const { momentum = 0.9, epsilon = 1e-3, activation = identity } = readOptions("batchNorm", options, known);
  readNumber("batchNorm", "momentum", momentum, { least: 0, most: 1 });
  readNumber("batchNorm", "epsilon", epsilon, { least: 0 });
  readFunction("batchNorm", "activation", activation);
  const fused = FUSED.get(activation);
  const then = fused === undefined ? activation : identity;
  const gamma = vars.create("gamma", [channels], { init: onesInit });
  const beta = vars.create("beta", [channels], { init: zerosInit });
  const movingMean = vars.create("moving_mean", [channels], { init: zerosInit, trainable: false });
  const movingVariance = vars.create("moving_variance", [channels], { init: onesInit, trainable: false });
  const layer: Layer = (x, ...more: never[]) => {
    refuseMore("batchNorm", more);
    readTensor("batchNorm", "x", x);
    if (!isTraining()) {
      const [mean, variance] = [movingMean.read(), movingVariance.read()];
      return then(batchNormInference(x, gamma.read(), beta.read(), mean, variance, epsilon, fused));
    }
    const { y, mean, variance } = batchNormTraining(x, gamma.read(), beta.read(), epsilon, fused);
    noGrad(() => {
      movingMean.assign(add(mul(movingMean.read(), momentum), mul(mean, 1 - momentum)));
      movingVariance.assign(add(mul(movingVariance.read(), momentum), mul(variance, 1 - momentum)));
    });
    return then(y);
  };
  return asNormalization(layer, { variables: [gamma, beta, movingMean, movingVariance], epsilon, fused, then });
}

/**
 * A layer of layer normalization over the last axis: x [..., features] → the same shape. Default epsilon 1e-5.
 * Variables: `gamma` (ones), `beta` (zeros), both [features].
 * @param features - the length of the last axis
 * @example
 * const norm = layerNorm(new DenseVariables(), 3);
 * console.log(norm(tensor([[1, 2, 3]]))); //=> Tensor [1, 3] -1.225 0 1.225
 */
export function layerNorm(
  vars: VariableCreator,
  features: number,
  options?: {
    /** Added to the variance under the root (default 1e-5). */
    readonly epsilon?: number;
  },
): Layer {
  readCreator("layerNorm", "vars", vars);
  readCount("layerNorm", "features", features, 1);
  const { epsilon = 1e-5 } = readOptions("layerNorm", options, ["epsilon"]);
  readNumber("layerNorm", "epsilon", epsilon, { least: 0 });
  const gamma = vars.create("gamma", [features], { init: onesInit });
  const beta = vars.create("beta", [features], { init: zerosInit });
  return (x) => normalizeRows(x, gamma.read(), beta.read(), epsilon);
}

/**
 * A layer of group normalization (Wu and He 2018): x [batch, ..., channels] → the same shape. Default epsilon 1e-5.
 * `groups` divides the channels into groups of neighbors. Each group of each example is normalized by its own mean and
 * biased variance over all positions, independently of the batch.
 * Variables: `gamma` (ones), `beta` (zeros), both [channels].
 * @param channels - the length of the last axis
 * @param groups - the number of groups, a divisor of `channels`
 * @throws ShapeError if `groups` does not divide `channels`.
 * @example
 * const norm = groupNorm(new DenseVariables(), 32, 8);
 * console.log(norm(ones([2, 8, 8, 32])).shape); //=> [ 2, 8, 8, 32 ]
 */
export function groupNorm(
  vars: VariableCreator,
  channels: number,
  groups: number,
  options?: {
    /** Added to the variance under the root (default 1e-5). */
    readonly epsilon?: number;
  },
): Layer {
  readCreator("groupNorm", "vars", vars);
  readCount("groupNorm", "channels", channels, 1);
  readCount("groupNorm", "groups", groups, 1);
  if (channels % groups !== 0)
    throw new ShapeError("groupNorm", `${channels} channels in ${groups} groups: need a multiple of groups`);
  const { epsilon = 1e-5 } = readOptions("groupNorm", options, ["epsilon"]);
  readNumber("groupNorm", "epsilon", epsilon, { least: 0 });
  const gamma = vars.create("gamma", [channels], { init: onesInit });
  const beta = vars.create("beta", [channels], { init: zerosInit });
  return (x) => {
    const { shape } = readTensor("groupNorm", "x", x);
    const positions = sizeOf(shape.slice(1, -1));
    if (shape.length < 2 || shape.at(-1) !== channels || positions === 0)
      throw new ShapeError("groupNorm", `x ${show(shape)}: need [batch, ..., ${channels}] with at least one position`);
    const each = channels / groups;
    const grouped = transpose(reshape(x, [shape[0]!, positions, groups, each]), [0, 2, 1, 3]);
    const rows = reshape(grouped, [shape[0]!, groups, positions * each]);
    const standard = reshape(normalizeRows(rows, undefined, undefined, epsilon), grouped.shape);
    return add(mul(reshape(transpose(standard, [0, 2, 1, 3]), shape), gamma.read()), beta.read());
  };
}

/**
 * A layer of root mean square normalization (Zhang and Sennrich 2019) over the last axis: x [..., features] → y =
 * gamma·x/√(mean(x²) + epsilon). Default epsilon 1e-6.
 * Variables: `gamma` [features] (ones).
 * @param features - the length of the last axis
 * @example
 * const norm = rmsNorm(new DenseVariables(), 3);
 * console.log(norm(tensor([[1, 2, 3]]))); //=> Tensor [1, 3] 0.4629 0.9258 1.389
 */
export function rmsNorm(
  vars: VariableCreator,
  features: number,
  options?: {
    /** Added to the mean square under the root (default 1e-6). */
    readonly epsilon?: number;
  },
): Layer {
  readCreator("rmsNorm", "vars", vars);
  readCount("rmsNorm", "features", features, 1);
  const { epsilon = 1e-6 } = readOptions("rmsNorm", options, ["epsilon"]);
  readNumber("rmsNorm", "epsilon", epsilon, { least: 0 });
  const gamma = vars.create("gamma", [features], { init: onesInit });
  return (x) => {
    const { shape } = readTensor("rmsNorm", "x", x);
    if (shape.at(-1) !== features) throw new ShapeError("rmsNorm", `x ${show(shape)}: need [..., ${features}]`);
    const size = add(meanOf(square(x), -1, { keepDims: true }), epsilon);
    return mul(mul(x, rsqrt(size)), gamma.read());
  };
}
