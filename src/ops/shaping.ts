import { alloc } from "../kernels/index.ts";
import {
  axesOf,
  checkShape,
  fresh,
  readCount,
  readList,
  readTensor,
  ShapeError,
  show,
  stridesOf,
  type Tensor,
} from "../tensor/index.ts";
import { where } from "./elementwise.ts";
import { broadcastTo, reshape, viewed } from "./movement.ts";
import type { Axis } from "./reduce.ts";

/**
 * Returns x with a new axis of length 1 before axis `axis`: [2, 3] → [2, 3, 1] for −1. Copies nothing.
 * @param x - any shape
 * @param axis - the position of the new axis; −1 appends it
 * @example
 * console.log(expandDims(tensor([1, 2]), 0)); //=> Tensor [1, 2] 1 2
 */
export function expandDims(x: Tensor, axis: number): Tensor {
  readTensor("expandDims", "x", x);
  checkShape("expandDims", [...x.shape, 1]);
  const axes = x.shape.length + 1;
  readCount("expandDims", "axis", axis, -axes, axes - 1);
  const at = axis < 0 ? axis + axes : axis;
  return reshape(x, [...x.shape.slice(0, at), 1, ...x.shape.slice(at)]);
}

/**
 * Returns x without the given axes, which must have length 1: [2, 1, 3] → [2, 3]. Copies nothing.
 * @param x - any shape
 * @param axis - an axis or a list of axes (default: all axes of length 1)
 * @throws ShapeError if one of these axes has another length.
 * @example
 * console.log(squeeze(ones([2, 1, 3])).shape); //=> [ 2, 3 ]
 */
export function squeeze(x: Tensor, axis?: Axis): Tensor {
  readTensor("squeeze", "x", x);
  const named = axesOf("squeeze", axis, x.shape);
  const long = named.find((i) => x.shape[i] !== 1);
  if (axis !== undefined && long !== undefined)
    throw new ShapeError("squeeze", `axis ${long} of x ${show(x.shape)} has length ${x.shape[long]}: need length 1`);
  return reshape(
    x,
    x.shape.filter((n, i) => n !== 1 || !named.includes(i)),
  );
}

/**
 * Returns x repeated as a whole, `repeats[axis]` times along each axis. If the lists differ in length, ones are added
 * in front of the shorter list, as in NumPy: [2, 3] tiled by [4] → [2, 12].
 * @param x - any shape
 * @param repeats - counts of at least 0
 * @example
 * console.log(tile(tensor([[1, 2]]), [2, 2])); //=> Tensor [2, 4] 1 2 1 2 1 2 …
 */
export function tile(x: Tensor, repeats: readonly number[]): Tensor {
  readTensor("tile", "x", x);
  readList("tile", "repeats", repeats);
  for (const [i, count] of repeats.entries()) readCount("tile", `repeats[${i}]`, count, 0);
  const axes = Math.max(repeats.length, x.shape.length);
  const filled = (list: readonly number[]): number[] => [...new Array<number>(axes - list.length).fill(1), ...list];
  const [lengths, counts] = [filled(x.shape), filled(repeats)];
  const shape = lengths.map((n, axis) => n * counts[axis]!);
  checkShape("tile", shape);
  // A new axis of length 1 before each axis that is repeated, broadcast, and then merged with it.
  const parts = lengths.map((n, axis): [number[], number[]] =>
    counts[axis] === 1
      ? [[n], [n]]
      : [
          [1, n],
          [counts[axis]!, n],
        ],
  );
  checkShape(
    "tile",
    parts.flatMap(([from]) => from),
  );
  const apart = reshape(
    x,
    parts.flatMap(([from]) => from),
  );
  return reshape(
    broadcastTo(
      apart,
      parts.flatMap(([, to]) => to),
    ),
    shape,
  );
}

/**
 * Returns x in reverse order along one axis or several axes. The shape stays.
 * @param x - any shape
 * @param axis - an axis or a list of axes (default: all axes)
 * @example
 * console.log(flip(tensor([[1, 2], [3, 4]]), 1)); //=> Tensor [2, 2] 2 1 4 3
 */
export function flip(x: Tensor, axis?: Axis): Tensor {
  readTensor("flip", "x", x);
  const flipped = axesOf("flip", axis, x.shape);
  const strides = stridesOf(x.shape);
  const offset = flipped.reduce((sum, i) => sum + (x.shape[i]! - 1) * strides[i]!, 0);
  const view = { shape: x.shape, strides: strides.map((n, i) => (flipped.includes(i) ? -n : n)), offset };
  return viewed("flip", { axis: flipped }, x, view);
}

/**
 * Returns a matrix with ones on the diagonal and zeros elsewhere: [rows, columns].
 * @param rows - the number of rows
 * @param columns - the number of columns (default: `rows`)
 * @example
 * console.log(eye(2)); //=> Tensor [2, 2] 1 0 0 1
 */
export function eye(rows: number, columns: number = rows): Tensor {
  readCount("eye", "rows", rows, 0);
  readCount("eye", "columns", columns, 0);
  checkShape("eye", [rows, columns]);
  const y = alloc(rows * columns).fill(0);
  for (let i = 0; i < Math.min(rows, columns); i++) y[i * columns + i] = 1;
  return fresh([rows, columns], y);
}

/** x [..., rows, columns] if `keeps(column − row)`, else 0. */
function triangle(who: string, x: Tensor, diagonal: number, keeps: (distance: number) => boolean): Tensor {
  readTensor(who, "x", x);
  readCount(who, "diagonal", diagonal, Number.MIN_SAFE_INTEGER);
  if (x.shape.length < 2) throw new ShapeError(who, `x ${show(x.shape)}: need matrices [..., rows, columns]`);
  const [rows, columns] = x.shape.slice(-2) as [number, number];
  const mask = alloc(rows * columns);
  for (let i = 0; i < mask.length; i++) mask[i] = keeps((i % columns) - Math.floor(i / columns)) ? 1 : 0;
  return where(fresh([rows, columns], mask), x, 0);
}

/**
 * Returns the lower triangle of each matrix, including `diagonal` diagonals above the main one. Zeros elsewhere.
 * @param x - [..., rows, columns]
 * @param diagonal - the number of diagonals (default 0)
 * @example
 * console.log(tril(ones([2, 2]))); //=> Tensor [2, 2] 1 0 1 1
 */
export const tril = (x: Tensor, diagonal = 0): Tensor => triangle("tril", x, diagonal, (distance) => distance <= diagonal);
/**
 * Returns the upper triangle of each matrix, from `diagonal` above the main diagonal on. Zeros elsewhere.
 * @param x - [..., rows, columns]
 * @param diagonal - the first diagonal (default 0)
 * @example
 * console.log(triu(ones([2, 2]), 1)); //=> Tensor [2, 2] 0 1 0 0
 */
export const triu = (x: Tensor, diagonal = 0): Tensor => triangle("triu", x, diagonal, (distance) => distance >= diagonal);
