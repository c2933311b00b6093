import { alloc, kernels, type Reduced } from "../kernels/index.ts";
import {
  axesOf,
  axisOf,
  readBoolean,
  readOptions,
  readTensor,
  record,
  type Shape,
  ShapeError,
  show,
  sizeOf,
  type Tensor,
} from "../tensor/index.ts";
import { reshape, transpose } from "./movement.ts";

/** The axes to reduce: one, or a list. Negative numbers count from the end. Left out: all axes. */
export type Axis = number | readonly number[];

/** `keepDims` (false): whether reduced axes stay as axes of length 1. */
export type ReduceOptions = { readonly keepDims?: boolean };

/** x with the axes to reduce side by side, so that it reads as [outer, n, inner]; and the shapes of the result. */
function plan(
  who: string,
  x: Tensor,
  axis: Axis | undefined,
  options: ReduceOptions | undefined,
): { x: Tensor; sizes: Reduced; shape: Shape } {
  readTensor(who, "x", x);
  const { keepDims = false } = readOptions(who, options, ["keepDims"]);
  readBoolean(who, "keepDims", keepDims);
  const reduced = axesOf(who, axis, x.shape);
  const rest = x.shape.map((_, i) => i).filter((i) => !reduced.includes(i));
  const shape = keepDims ? x.shape.map((n, i) => (reduced.includes(i) ? 1 : n)) : rest.map((i) => x.shape[i]!);
  const [first, last] = [reduced[0] ?? 0, reduced.at(-1) ?? -1];
  const adjacent = last - first + 1 === reduced.length;
  const moved = adjacent ? x : transpose(x, [...rest, ...reduced]);
  const n = sizeOf(reduced.map((i) => x.shape[i]!));
  const outer = adjacent ? sizeOf(x.shape.slice(0, first)) : sizeOf(shape);
  const inner = adjacent ? sizeOf(x.shape.slice(last + 1)) : 1;
  return { x: moved, sizes: { outer, n, inner }, shape };
}

function scaledSum(op: "sum" | "mean", input: Tensor, axis: Axis | undefined, options: ReduceOptions | undefined): Tensor {
  const { x, sizes, shape } = plan(op, input, axis, options);
  const scale = op === "mean" ? 1 / sizes.n : 1;
  const y = alloc(sizeOf(shape));
  kernels.sum(sizes, x.data, y, scale, false);
  return record(op, { axis, keepDims: options?.keepDims ?? false }, [x], shape, y, (dy, into) =>
    into(x, (dx, accumulate) => kernels.sumGrad(sizes, dy, dx, scale, accumulate)),
  );
}

/** The sum over axes; 0 where there is nothing to add. */
export const sum = (x: Tensor, axis?: Axis, options?: ReduceOptions): Tensor => scaledSum("sum", x, axis, options);
/** The mean over axes; NaN where there is nothing to average, as in NumPy. */
export const mean = (x: Tensor, axis?: Axis, options?: ReduceOptions): Tensor => scaledSum("mean", x, axis, options);

function extreme(op: "max" | "min", input: Tensor, axis: Axis | undefined, options: ReduceOptions | undefined): Tensor {
  const { x, sizes, shape } = plan(op, input, axis, options);
  if (sizes.n === 0)
    throw new ShapeError(
      op,
      `x ${show(input.shape)} has nothing along axis ${show(axesOf(op, axis, input.shape))}: there is no ${op} of no numbers`,
    );
  const winners = new Int32Array(sizeOf(shape));
  kernels.argExtreme(sizes, op === "min", x.data, winners);
  const y = alloc(sizeOf(shape));
  kernels.readWinners(sizes, winners, x.data, y);
  return record(op, { axis, keepDims: options?.keepDims ?? false }, [x], shape, y, (dy, into) =>
    into.partly(x, (dx) => kernels.addWinners(sizes, winners, dy, dx)),
  );
}

/** The largest number over axes; NaN wins. At a tie the first in row-major order gets the gradient. */
export const max = (x: Tensor, axis?: Axis, options?: ReduceOptions): Tensor => extreme("max", x, axis, options);
/** The smallest number over axes; NaN wins. At a tie the first in row-major order gets the gradient. */
export const min = (x: Tensor, axis?: Axis, options?: ReduceOptions): Tensor => extreme("min", x, axis, options);

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

/** Where along an axis (the last) the largest number is, the first of equals: whole numbers, row by row, that axis gone. NaN wins. */
export const argMax = (x: Tensor, axis = -1): Int32Array => argExtreme("argMax", x, axis);
/** Where along an axis (the last) the smallest number is, the first of equals: whole numbers, row by row, that axis gone. NaN wins. */
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

/** Images or whatever else as one row of numbers per example: [batch, …] → [batch, rest]. */
export function flatten(x: Tensor): Tensor {
  readTensor("flatten", "x", x);
  if (x.shape.length === 0) throw new ShapeError("flatten", "a scalar has no batch axis");
  return reshape(x, [x.shape[0]!, sizeOf(x.shape.slice(1))]);
}
