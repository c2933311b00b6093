import { kernels } from "../backends/index.ts";
import { alloc } from "../kernels/index.ts";
import { readNumber, readTensor, ShapeError, show, type Tensor } from "../tensor/index.ts";
import { add, mul } from "./elementwise.ts";
import { record } from "./record.ts";
import { alongLast } from "./reduce.ts";

/**
 * Returns softmax, eˣ/Σeˣ, along an axis. The shape stays. Large x do not overflow.
 * @param x - any shape
 * @param axis - the axis (default −1, the last)
 * @example
 * console.log(softmax(tensor([0, 1, 2]))); //=> Tensor [3] 0.09003 0.2447 0.6652
 */
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

/**
 * Returns the logarithm of softmax, x − ln Σeˣ, along an axis. The shape stays. Exact even if softmax rounds to 0.
 * @param x - any shape
 * @param axis - the axis (default −1, the last)
 * @example
 * console.log(logSoftmax(tensor([0, 1000]))); //=> Tensor [2] -1000 0
 */
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
 * Returns layer normalization (Ba et al. 2016) over the last axis, gamma·(x − mean)/√(variance + epsilon) + beta, with
 * mean and biased variance of each row.
 * @param x - [..., features]
 * @param gamma - [features], the scale (default: none)
 * @param beta - [features], the shift (default: none)
 * @param epsilon - added to the variance under the root (default 1e-5)
 * @example
 * console.log(layerNorm(tensor([[1, 2, 3]]))); //=> Tensor [1, 3] -1.225 0 1.225
 */
export function layerNorm(x: Tensor, gamma?: Tensor, beta?: Tensor, epsilon = 1e-5): Tensor {
  const features = checkChannels("layerNorm", x, { gamma, beta }, epsilon);
  const [z, rates] = [alloc(x.size), new Float64Array(x.size / features)];
  kernels.standardizeRows(features, x.data, epsilon, z, rates);
  const standard = record("layerNorm", { epsilon }, [x], x.shape, z, (dz, into) =>
    into(x, (dx, accumulate) => kernels.standardizeRowsGrad(features, z, rates, dz, dx, accumulate)),
  );
  const scaled = gamma === undefined ? standard : mul(standard, gamma);
  return beta === undefined ? scaled : add(scaled, beta);
}

/** Checks x, the vectors [channels] and epsilon. Returns the channels: the length of the last axis of x. */
export function checkChannels(
  who: string,
  x: Tensor,
  vectors: Readonly<Record<string, Tensor | undefined>>,
  epsilon: number,
): number {
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
