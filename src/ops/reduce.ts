import { kernels } from "../backends/index.ts";
import { alloc, type Reduced } from "../kernels/index.ts";
import {
  axesOf,
  axisOf,
  readBoolean,
  readOptions,
  readTensor,
  type Shape,
  ShapeError,
  show,
  sizeOf,
  type Tensor,
} from "../tensor/index.ts";
import type { OpAttributes } from "./graph.ts";
import { reshape, transpose } from "./movement.ts";
import { record } from "./record.ts";

/** The axes to reduce: one, or a list. Negative numbers count from the end. Default: all axes. */
export type Axis = number | readonly number[];

/** Options of all reductions. */
export type ReduceOptions = {
  /** Keeps reduced axes with length 1 (default false). */
  readonly keepDims?: boolean;
};

/** How x is reduced. */
type Plan = {
  /** x read as [outer, n, inner], n being reduced. Only if the axes lie side by side. */
  readonly sizes: Reduced;
  readonly attributes: OpAttributes["sum"];
  readonly shape: Shape;
  /** If the axes do not lie side by side: an order of axes that has them at the end. */
  readonly order: readonly number[] | null;
};

function plan(who: string, x: Tensor, given: Axis | undefined, options: ReduceOptions | undefined): Plan {
  readTensor(who, "x", x);
  const { keepDims = false } = readOptions(who, options, ["keepDims"]);
  readBoolean(who, "keepDims", keepDims);
  const axis = axesOf(who, given, x.shape);
  const rest = x.shape.map((_, i) => i).filter((i) => !axis.includes(i));
  const shape = keepDims ? x.shape.map((n, i) => (axis.includes(i) ? 1 : n)) : rest.map((i) => x.shape[i]!);
  const [first, last] = [axis[0] ?? 0, axis.at(-1) ?? -1];
  const outer = sizeOf(x.shape.slice(0, first));
  const sizes = { outer, n: sizeOf(axis.map((i) => x.shape[i]!)), inner: sizeOf(x.shape.slice(last + 1)) };
  const order = last - first + 1 === axis.length ? null : [...rest, ...axis];
  return { sizes, attributes: { axis, keepDims }, shape, order };
}

/** The reduction of axes that do not lie side by side: of x with these axes at its end. */
function reduceApart(op: (x: Tensor, axis: Axis) => Tensor, x: Tensor, { attributes, shape, order }: Plan): Tensor {
  const { axis, keepDims } = attributes;
  const first = x.shape.length - axis.length;
  const y = op(
    transpose(x, order!),
    axis.map((_, i) => first + i),
  );
  return keepDims ? reshape(y, shape) : y;
}

/**
 * Returns the sum over axes; 0 for no elements: [2, 3] over axis 1 → [2].
 * @param x - any shape
 * @param axis - an axis or a list of axes; negative axes count from the end (default: all axes)
 * @example
 * const x = tensor([[1, 2], [3, 4]]);
 * console.log(sum(x), sum(x, 0), sum(x, 1, { keepDims: true })); //=> Tensor [] 10 Tensor [2] 4 6 Tensor [2, 1] 3 7
 */
export const sum = (x: Tensor, axis?: Axis, options?: ReduceOptions): Tensor => scaledSum("sum", x, axis, options);
/**
 * Returns the mean over axes; NaN for no elements, as in NumPy: [2, 3] over axis 1 → [2].
 * @param x - any shape
 * @param axis - an axis or a list of axes; negative axes count from the end (default: all axes)
 * @example
 * console.log(mean(tensor([[1, 2], [3, 4]]), 0)); //=> Tensor [2] 2 3
 */
export const mean = (x: Tensor, axis?: Axis, options?: ReduceOptions): Tensor => scaledSum("mean", x, axis, options);

function scaledSum(op: "sum" | "mean", x: Tensor, axis: Axis | undefined, options: ReduceOptions | undefined): Tensor {
  const planned = plan(op, x, axis, options);
  const { sizes, attributes, shape, order } = planned;
  if (order !== null) return reduceApart(op === "sum" ? sum : mean, x, planned);
  const scale = op === "mean" ? 1 / sizes.n : 1;
  const y = alloc(sizeOf(shape));
  kernels.sum(sizes, x.data, y, scale, false);
  return record(op, attributes, [x], shape, y, (dy, into) =>
    into(x, (dx, accumulate) => kernels.sumGrad(sizes, dy, dx, scale, accumulate)),
  );
}

/**
 * Returns the maximum over axes; NaN if an element is NaN. At a tie the first in row-major order gets the gradient.
 * @param x - any shape
 * @param axis - an axis or a list of axes; negative axes count from the end (default: all axes)
 * @throws ShapeError if there is no element along the axes.
 * @example
 * console.log(max(tensor([[1, 2], [4, 3]]), 1)); //=> Tensor [2] 2 4
 */
export const max = (x: Tensor, axis?: Axis, options?: ReduceOptions): Tensor => extreme("max", x, axis, options);
/**
 * Returns the minimum over axes; NaN if an element is NaN. At a tie the first in row-major order gets the gradient.
 * @param x - any shape
 * @param axis - an axis or a list of axes; negative axes count from the end (default: all axes)
 * @throws ShapeError if there is no element along the axes.
 * @example
 * console.log(min(tensor([[1, 2], [4, 3]]), 1)); //=> Tensor [2] 1 3
 */
export const min = (x: Tensor, axis?: Axis, options?: ReduceOptions): Tensor => extreme("min", x, axis, options);

function extreme(op: "max" | "min", x: Tensor, axis: Axis | undefined, options: ReduceOptions | undefined): Tensor {
  const planned = plan(op, x, axis, options);
  const { sizes, attributes, shape, order } = planned;
  if (sizes.n === 0) {
    const along = `axis ${show(attributes.axis)}`;
    throw new ShapeError(op, `x ${show(x.shape)} has nothing along ${along}: there is no ${op} of no numbers`);
  }
  if (order !== null) return reduceApart(op === "max" ? max : min, x, planned);
  const winners = new Int32Array(sizeOf(shape));
  kernels.argExtreme(sizes, op === "min", x.data, winners);
  const y = alloc(sizeOf(shape));
  kernels.readWinners(sizes, winners, x.data, y);
  return record(op, attributes, [x], shape, y, (dy, into) => into.partly(x, (dx) => kernels.addWinners(sizes, winners, dy, dx)));
}

function argExtreme(op: "argMax" | "argMin", x: Tensor, axis: number): Int32Array {
  readTensor(op, "x", x);
  const along = axisOf(op, axis, x.shape);
  const { sizes, shape } = plan(op, x, along, undefined);
  const name = op === "argMax" ? "max" : "min";
  if (sizes.n === 0)
    throw new ShapeError(op, `x ${show(x.shape)} has nothing along axis ${along}: there is no ${name} of no numbers`);
  const winners = new Int32Array(sizeOf(shape));
  kernels.argExtreme(sizes, op === "argMin", x.data, winners);
  return winners;
}

/**
 * Returns the index of the maximum along an axis, in row-major order without that axis: [2, 3] → 2 indices. The first
 * index at a tie; the index of NaN if there is one.
 * @param x - any shape
 * @param axis - the axis (default −1, the last)
 * @example
 * console.log(argMax(tensor([[1, 5, 2], [7, 0, 3]]))); //=> Int32Array(2) [ 1, 0 ]
 */
export const argMax = (x: Tensor, axis = -1): Int32Array => argExtreme("argMax", x, axis);
/**
 * Returns the index of the minimum along an axis, in row-major order without that axis: [2, 3] → 2 indices. The first
 * index at a tie; the index of NaN if there is one.
 * @param x - any shape
 * @param axis - the axis (default −1, the last)
 * @example
 * console.log(argMin(tensor([[1, 5, 2], [7, 0, 3]]))); //=> Int32Array(2) [ 0, 1 ]
 */
export const argMin = (x: Tensor, axis = -1): Int32Array => argExtreme("argMin", x, axis);

/** x as rows along one axis, a function of rows, and the axis back where it was. */
export function alongLast(who: string, x: Tensor, axis: number, rows: (x: Tensor) => Tensor): Tensor {
  readTensor(who, "x", x);
  const along = axisOf(who, axis, x.shape);
  if (along === x.shape.length - 1) return rows(x);
  const order = x.shape.map((_, i) => i);
  [order[along], order[order.length - 1]] = [order.length - 1, along];
  return transpose(rows(transpose(x, order)), order);
}

/**
 * Returns x with one row per example: [batch, …] → [batch, rest]. Copies nothing.
 * @param x - [batch, ...]
 * @example
 * console.log(flatten(ones([2, 3, 4])).shape); //=> [ 2, 12 ]
 */
export function flatten(x: Tensor): Tensor {
  readTensor("flatten", "x", x);
  if (x.shape.length === 0) throw new ShapeError("flatten", "a scalar has no batch axis");
  return reshape(x, [x.shape[0]!, sizeOf(x.shape.slice(1))]);
}
