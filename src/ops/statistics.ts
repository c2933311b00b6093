import {
  alloc,
  cumsum as cumsumKernel,
  logSumExpGrad,
  logSumExp as logSumExpKernel,
  type Numbers,
  normGrad,
  norm as normKernel,
  prodGrad,
  prod as prodKernel,
  type Reduced,
} from "../kernels/index.ts";
import { axesOf, axisOf, readBoolean, readNumber, readOptions, readTensor, sizeOf, type Tensor } from "../tensor/index.ts";
import { mul, square, sub } from "./elementwise.ts";
import { reshape, transpose } from "./movement.ts";
import { record } from "./record.ts";
import { type Axis, mean, type ReduceOptions, sum } from "./reduce.ts";

type Kernels = {
  readonly forward: (sizes: Reduced, x: Numbers, y: Numbers) => void;
  readonly gradient: (sizes: Reduced, x: Numbers, y: Numbers, dy: Numbers, dx: Numbers, accumulate: boolean) => void;
};

/** A reduction whose kernels are not in the table. Axes that are not neighbors are moved to the end first. */
function reduced(
  op: "logSumExp" | "norm" | "prod",
  x: Tensor,
  axis: Axis | undefined,
  options: ReduceOptions | undefined,
  kernels: Kernels,
): Tensor {
  readTensor(op, "x", x);
  const { keepDims = false } = readOptions(op, options, ["keepDims"]);
  readBoolean(op, "keepDims", keepDims);
  const axes = axesOf(op, axis, x.shape);
  const rest = x.shape.map((_, i) => i).filter((i) => !axes.includes(i));
  const shape = keepDims ? x.shape.map((n, i) => (axes.includes(i) ? 1 : n)) : rest.map((i) => x.shape[i]!);
  const [first, end] = [axes[0] ?? 0, (axes.at(-1) ?? -1) + 1];
  if (end - first !== axes.length) {
    const last = axes.map((_, i) => rest.length + i);
    return reshape(reduced(op, transpose(x, [...rest, ...axes]), last, undefined, kernels), shape);
  }
  const sizes = {
    outer: sizeOf(x.shape.slice(0, first)),
    n: sizeOf(x.shape.slice(first, end)),
    inner: sizeOf(x.shape.slice(end)),
  };
  const y = alloc(sizeOf(shape));
  kernels.forward(sizes, x.data, y);
  return record(op, { axis: axes, keepDims }, [x], shape, y, (dy, into) =>
    into(x, (dx, accumulate) => kernels.gradient(sizes, x.data, y, dy, dx, accumulate)),
  );
}

/**
 * Returns the product over axes; 1 for no elements. The gradient is exact at zeros.
 * @param x - any shape
 * @param axis - an axis or a list of axes; negative axes count from the end (default: all axes)
 * @example
 * console.log(prod(tensor([2, 3, 4]))); //=> Tensor [] 24
 */
export const prod = (x: Tensor, axis?: Axis, options?: ReduceOptions): Tensor =>
  reduced("prod", x, axis, options, {
    forward: prodKernel,
    gradient: (sizes, v, _, dy, dx, accumulate) => prodGrad(sizes, v, dy, dx, accumulate),
  });

/**
 * Returns the Euclidean norm over axes, √Σx²; 0 for no elements. Squares do not overflow. The gradient at 0 is 0.
 * @param x - any shape
 * @param axis - an axis or a list of axes; negative axes count from the end (default: all axes)
 * @example
 * console.log(norm(tensor([[3, 4], [6, 8]]), 1)); //=> Tensor [2] 5 10
 */
export const norm = (x: Tensor, axis?: Axis, options?: ReduceOptions): Tensor =>
  reduced("norm", x, axis, options, { forward: normKernel, gradient: normGrad });

/**
 * Returns ln Σeˣ over axes, without overflow. −∞ for no elements, or if all are −∞ (then the gradient is 0).
 * @param x - any shape
 * @param axis - an axis or a list of axes; negative axes count from the end (default: all axes)
 * @example
 * console.log(logSumExp(tensor([1000, 1000]))); //=> Tensor [] 1001
 */
export const logSumExp = (x: Tensor, axis?: Axis, options?: ReduceOptions): Tensor =>
  reduced("logSumExp", x, axis, options, {
    forward: logSumExpKernel,
    gradient: (sizes, v, _, dy, dx, accumulate) => logSumExpGrad(sizes, v, dy, dx, accumulate),
  });

/**
 * Returns the cumulative sum along an axis. The shape stays.
 * @param x - any shape
 * @param axis - the axis (default −1, the last)
 * @example
 * console.log(cumsum(tensor([1, 2, 3]))); //=> Tensor [3] 1 3 6
 */
export function cumsum(x: Tensor, axis = -1): Tensor {
  readTensor("cumsum", "x", x);
  const along = axisOf("cumsum", axis, x.shape);
  const sizes = { outer: sizeOf(x.shape.slice(0, along)), n: x.shape[along]!, inner: sizeOf(x.shape.slice(along + 1)) };
  const y = alloc(x.size);
  cumsumKernel(sizes, x.data, y, false, false);
  return record("cumsum", { axis: along }, [x], x.shape, y, (dy, into) =>
    into(x, (dx, accumulate) => cumsumKernel(sizes, dy, dx, true, accumulate)),
  );
}

/** Options of `variance` and `standardDeviation`, which include {@link ReduceOptions}. */
export type VarianceOptions = ReduceOptions & {
  /** Subtracted from the count before the division (default 0). 1 gives the unbiased estimate, PyTorch's default. */
  readonly correction?: number;
};

/** x − mean, the axes, and one over the count of numbers less the correction. */
function deviations(who: string, x: Tensor, axis: Axis | undefined, options: VarianceOptions | undefined) {
  readTensor(who, "x", x);
  const { keepDims = false, correction = 0 } = readOptions(who, options, ["keepDims", "correction"]);
  readBoolean(who, "keepDims", keepDims);
  readNumber(who, "correction", correction, { least: 0 });
  const axes = axesOf(who, axis, x.shape);
  const count = sizeOf(axes.map((i) => x.shape[i]!));
  return { centered: sub(x, mean(x, axes, { keepDims: true })), axes, keepDims, scale: 1 / Math.max(0, count - correction) };
}

/**
 * Returns the variance over axes, the mean of (x − mean)²: biased by default, as in NumPy; `{ correction: 1 }` is
 * unbiased. NaN for no elements, or if the elements are equal and the divisor is 0.
 * @param x - any shape
 * @param axis - an axis or a list of axes; negative axes count from the end (default: all axes)
 * @example
 * const x = tensor([1, 2, 3, 4]);
 * console.log(variance(x), variance(x, 0, { correction: 1 })); //=> Tensor [] 1.25 Tensor [] 1.667
 */
export function variance(x: Tensor, axis?: Axis, options?: VarianceOptions): Tensor {
  const { centered, axes, keepDims, scale } = deviations("variance", x, axis, options);
  return mul(sum(square(centered), axes, { keepDims }), scale);
}

/**
 * Returns the standard deviation over axes: the square root of `variance`, with the same options. The gradient is 0 if
 * all elements are equal.
 * @param x - any shape
 * @param axis - an axis or a list of axes; negative axes count from the end (default: all axes)
 * @example
 * console.log(standardDeviation(tensor([1, 3]))); //=> Tensor [] 1
 */
export function standardDeviation(x: Tensor, axis?: Axis, options?: VarianceOptions): Tensor {
  const { centered, axes, keepDims, scale } = deviations("standardDeviation", x, axis, options);
  return mul(norm(centered, axes, { keepDims }), Math.sqrt(scale));
}
