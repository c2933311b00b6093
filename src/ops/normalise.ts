import { kernels } from "../backends/index.ts";
import { alloc } from "../kernels/index.ts";
import {
  fresh,
  noteSource,
  readNumber,
  readTensor,
  ShapeError,
  show,
  stopGradient,
  type Tensor,
  traceNow,
} from "../tensor/index.ts";
import { add, mul } from "./elementwise.ts";
import { record } from "./record.ts";
import { alongLast } from "./reduce.ts";

/** Softmax, eˣ/Σeˣ, along an axis (default: the last) of x of any shape. Large x do not overflow. */
export function softmax(x: Tensor, axis = -1): Tensor {
  return alongLast("softmax", x, axis, (rows) => {
    const classes = rows.shape.at(-1)!;
    const y = alloc(rows.size);
    kernels.softmax(classes, rows.data, y);
    return record("softmax", { axis: rows.shape.length - 1 }, [rows], rows.shape, y, (dy, into) =>
      into(rows, (dx, accumulate) => kernels.softmaxGrad(classes, y, dy, dx, accumulate)),
    );
  });
}

/** The logarithm of softmax, x − ln Σeˣ, along an axis (default: the last) of x of any shape. Exact even if softmax rounds to 0. */
export function logSoftmax(x: Tensor, axis = -1): Tensor {
  return alongLast("logSoftmax", x, axis, (rows) => {
    const classes = rows.shape.at(-1)!;
    const y = alloc(rows.size);
    kernels.logSoftmax(classes, rows.data, y);
    return record("logSoftmax", { axis: rows.shape.length - 1 }, [rows], rows.shape, y, (dy, into) =>
      into(rows, (dx, accumulate) => kernels.logSoftmaxGrad(classes, y, dy, dx, accumulate)),
    );
  });
}

/**
 * The result of batch normalization in training: y, `mean` and `variance`. No gradient flows through the statistics. y is
 * computed from statistics in double precision; `mean` and `variance` are these statistics, rounded to float32.
 */
export type BatchNormResult = { readonly y: Tensor; readonly mean: Tensor; readonly variance: Tensor };

/**
 * Batch normalization in training (Ioffe and Szegedy 2015): x [..., channels], gamma and beta [channels];
 * y = gamma·(x − mean)/√(variance + epsilon) + beta, with mean and biased variance of each channel over all other axes. gamma and
 * beta are optional.
 */
export function batchNormTraining(x: Tensor, gamma?: Tensor, beta?: Tensor, epsilon = 1e-3): BatchNormResult {
  const channels = checkChannels("batchNormTraining", x, { gamma, beta }, epsilon);
  if (x.size === 0)
    throw new ShapeError("batchNormTraining", `x ${show(x.shape)} is empty: there are no statistics of no numbers`);
  const [means, variances, z] = [new Float64Array(channels), new Float64Array(channels), alloc(x.size)];
  kernels.columnMoments(channels, x.data, means, variances);
  kernels.standardiseColumns(channels, x.data, means, variances, epsilon, z);
  const standard = record("batchNormTraining", { epsilon, output: "y" }, [x], x.shape, z, (dz, into) =>
    into(x, (dx, accumulate) => kernels.standardiseColumnsGrad(channels, z, variances, epsilon, dz, dx, accumulate)),
  );
  const statistic = (output: "mean" | "variance", found: Float64Array): Tensor => {
    const rounded = alloc(channels);
    rounded.set(found);
    const result = fresh([channels], rounded);
    if (traceNow() > 0) noteSource(result, "batchNormTraining", { epsilon, output }, [x]);
    return result;
  };
  const [mean, variance] = [statistic("mean", means), statistic("variance", variances)];
  return { y: scaleAndShift(standard, gamma, beta), mean, variance };
}

/**
 * Batch normalization with given statistics: y = gamma·(x − mean)/√(variance + epsilon) + beta, with x [..., channels] and all
 * others [channels]. The statistics get no gradient. gamma and beta may be undefined.
 */
export function batchNormInference(
  x: Tensor,
  gamma: Tensor | undefined,
  beta: Tensor | undefined,
  mean: Tensor,
  variance: Tensor,
  epsilon = 1e-3,
): Tensor {
  readTensor("batchNormInference", "mean", mean); // `checkChannels` accepts undefined, but mean and variance are required
  readTensor("batchNormInference", "variance", variance);
  const channels = checkChannels("batchNormInference", x, { gamma, beta, mean, variance }, epsilon);
  const [centre, spread] = [stopGradient(mean), stopGradient(variance)];
  const [means, variances] = [Float64Array.from(centre.data), Float64Array.from(spread.data)];
  const z = alloc(x.size);
  kernels.standardiseColumns(channels, x.data, means, variances, epsilon, z);
  const standard = record("batchNormInference", { epsilon }, [x, centre, spread], x.shape, z, (dz, into) =>
    into(x, (dx, accumulate) => kernels.standardiseColumnsLinearGrad(channels, variances, epsilon, dz, dx, accumulate)),
  );
  return scaleAndShift(standard, gamma, beta);
}

/**
 * Layer normalization (Ba et al. 2016) over the last axis: x [..., features], gamma and beta [features];
 * y = gamma·(x − mean)/√(variance + epsilon) + beta, with mean and biased variance of each row. gamma and beta are optional.
 */
export function layerNorm(x: Tensor, gamma?: Tensor, beta?: Tensor, epsilon = 1e-5): Tensor {
  const features = checkChannels("layerNorm", x, { gamma, beta }, epsilon);
  const [z, rates] = [alloc(x.size), new Float64Array(x.size / features)];
  kernels.standardiseRows(features, x.data, epsilon, z, rates);
  const standard = record("layerNorm", { epsilon }, [x], x.shape, z, (dz, into) =>
    into(x, (dx, accumulate) => kernels.standardiseRowsGrad(features, z, rates, dz, dx, accumulate)),
  );
  return scaleAndShift(standard, gamma, beta);
}

function scaleAndShift(x: Tensor, gamma: Tensor | undefined, beta: Tensor | undefined): Tensor {
  const scaled = gamma === undefined ? x : mul(x, gamma);
  return beta === undefined ? scaled : add(scaled, beta);
}

function checkChannels(who: string, x: Tensor, vectors: Readonly<Record<string, Tensor | undefined>>, epsilon: number): number {
  readTensor(who, "x", x);
  readNumber(who, "epsilon", epsilon, { least: 0 });
  const channels = x.shape.at(-1);
  if (channels === undefined || channels === 0)
    throw new ShapeError(who, `x ${show(x.shape)} needs a last axis that is not empty`);
  for (const [name, vector] of Object.entries(vectors)) {
    if (vector === undefined) continue;
    const { shape } = readTensor(who, name, vector);
    if (shape.length !== 1 || shape[0] !== channels) {
      throw new ShapeError(who, `${name} ${show(shape)} must be [${channels}], the last axis of x ${show(x.shape)}`);
    }
  }
  return channels;
}
