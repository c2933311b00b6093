import { kernels } from "../backends/index.ts";
import { ACTIVATIONS, type Activation, addRounded, alloc, columnScales, type Numbers } from "../kernels/index.ts";
import {
  fresh,
  noteSource,
  type Pullback,
  readName,
  readOptions,
  readTensor,
  ShapeError,
  show,
  stopGradient,
  type Tensor,
  traceNow,
} from "../tensor/index.ts";
import { checkChannels } from "./normalization.ts";
import { record } from "./record.ts";

/** Options of batch normalization. */
export type BatchNormOptions = {
  /** The op of this name follows, in the same pass over memory (default "none": no op). */
  readonly activation?: Activation;
};

/**
 * The result of batch normalization in training: y, `mean` and `variance`. No gradient flows through the statistics. y
 * is computed from statistics in double precision; `mean` and `variance` are these statistics, rounded to float32.
 */
export type BatchNormResult = { readonly y: Tensor; readonly mean: Tensor; readonly variance: Tensor };

/**
 * Batch normalization in training (Ioffe and Szegedy 2015): y = activation(gamma·(x − mean)/√(variance + epsilon) +
 * beta). Mean and biased variance of each channel are taken over all other axes. The gradients are computed from x, so
 * y is not kept for them.
 * @param x - [..., channels]
 * @param gamma - [channels], the scale (default: none)
 * @param beta - [channels], the shift (default: none)
 * @param epsilon - added to the variance under the root (default 1e-3)
 * @throws ShapeError if the shapes do not fit, or x is empty.
 * @example
 * const { y, mean } = batchNormTraining(tensor([[1], [3]]));
 * console.log(y, mean); //=> Tensor [2, 1] -0.9995 0.9995 Tensor [1] 2
 */
export function batchNormTraining(
  x: Tensor,
  gamma?: Tensor,
  beta?: Tensor,
  epsilon = 1e-3,
  options?: BatchNormOptions,
): BatchNormResult {
  const channels = checkChannels("batchNormTraining", x, { gamma, beta }, epsilon);
  const activation = readActivation("batchNormTraining", options);
  if (x.size === 0)
    throw new ShapeError("batchNormTraining", `x ${show(x.shape)} is empty: there are no statistics of no numbers`);
  const [means, variances] = [new Float64Array(channels), new Float64Array(channels)];
  kernels.columnMoments(channels, x.data, means, variances);
  const { y, pullback } = normalized(x, means, variances, { gamma, beta, epsilon, activation, constant: false });
  const inputs = [x, ...given(gamma), ...given(beta)];
  const attributes = { epsilon, activation, gamma: gamma !== undefined, beta: beta !== undefined };
  const statistic = (output: "mean" | "variance", found: Float64Array): Tensor => {
    const rounded = alloc(channels);
    rounded.set(found);
    const result = fresh([channels], rounded);
    if (traceNow() > 0) noteSource(result, "batchNormTraining", { ...attributes, output }, inputs);
    return result;
  };
  return {
    y: record("batchNormTraining", { ...attributes, output: "y" }, inputs, x.shape, y, pullback),
    mean: statistic("mean", means),
    variance: statistic("variance", variances),
  };
}

/**
 * Batch normalization with given statistics: y = activation(gamma·(x − mean)/√(variance + epsilon) + beta), with x
 * [..., channels] and all others [channels]. The statistics get no gradient. gamma and beta may be undefined.
 * @param x - [..., channels]
 * @param gamma - [channels], the scale, or undefined
 * @param beta - [channels], the shift, or undefined
 * @param mean - [channels]
 * @param variance - [channels]
 * @param epsilon - added to the variance under the root (default 1e-3)
 * @example
 * const [mean, variance] = [tensor([2]), tensor([1])];
 * const y = batchNormInference(tensor([[1], [3]]), undefined, undefined, mean, variance, 0);
 * console.log(y); //=> Tensor [2, 1] -1 1
 */
export function batchNormInference(
  x: Tensor,
  gamma: Tensor | undefined,
  beta: Tensor | undefined,
  mean: Tensor,
  variance: Tensor,
  epsilon = 1e-3,
  options?: BatchNormOptions,
): Tensor {
  // `checkChannels` accepts undefined, but mean and variance are required.
  readTensor("batchNormInference", "mean", mean);
  readTensor("batchNormInference", "variance", variance);
  checkChannels("batchNormInference", x, { gamma, beta, mean, variance }, epsilon);
  const activation = readActivation("batchNormInference", options);
  const [center, spread] = [stopGradient(mean), stopGradient(variance)];
  const [means, variances] = [Float64Array.from(center.data), Float64Array.from(spread.data)];
  const { y, pullback } = normalized(x, means, variances, { gamma, beta, epsilon, activation, constant: true });
  const attributes = { epsilon, activation, gamma: gamma !== undefined, beta: beta !== undefined };
  const inputs = [x, center, spread, ...given(gamma), ...given(beta)];
  return record("batchNormInference", attributes, inputs, x.shape, y, pullback);
}

type Normalization = {
  readonly gamma: Tensor | undefined;
  readonly beta: Tensor | undefined;
  readonly epsilon: number;
  readonly activation: Activation;
  /** Whether the statistics are constants, not functions of x. */
  readonly constant: boolean;
};

/** y, and its gradients towards x, gamma and beta. */
function normalized(
  x: Tensor,
  means: Float64Array,
  variances: Float64Array,
  { gamma, beta, epsilon, activation, constant }: Normalization,
): { readonly y: Float32Array; readonly pullback: Pullback } {
  const [channels, code] = [means.length, ACTIVATIONS.indexOf(activation)];
  const scales = columnScales(means, variances, epsilon, gamma?.data, beta?.data);
  const y = alloc(x.size);
  kernels.batchNorm(channels, code, x.data, scales, y);
  const pullback: Pullback = (dy, into) => {
    const sums = new Float64Array(2 * channels);
    let isSummed = false;
    const sum = (du: Numbers | null): void => {
      if (!isSummed) kernels.batchNormSums(channels, code, x.data, scales, dy, du, sums);
      isSummed = true;
    };
    into(x, (dx, accumulate) => {
      const du = activation === "none" ? null : accumulate ? alloc(x.size) : dx;
      sum(du);
      kernels.batchNormGrad(channels, x.data, scales, constant ? null : sums, du ?? dy, dx, accumulate);
    });
    const push = (vector: Tensor, at: number): void =>
      into(vector, (d, accumulate) => {
        sum(null);
        addRounded(sums.subarray(at, at + channels), d, accumulate);
      });
    if (gamma !== undefined) push(gamma, channels);
    if (beta !== undefined) push(beta, 0);
  };
  return { y, pullback };
}

const given = (x: Tensor | undefined): readonly Tensor[] => (x === undefined ? [] : [x]);

function readActivation(who: string, options: BatchNormOptions | undefined): Activation {
  const { activation = "none" } = readOptions(who, options, ["activation"]);
  return readName(who, "activation", activation, ACTIVATIONS);
}
