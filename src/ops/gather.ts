import { kernels } from "../backends/index.ts";
import { alloc } from "../kernels/index.ts";
import {
  axisOf,
  checkShape,
  readIndices,
  readTensor,
  type Shape,
  sizeOf,
  stopGradient,
  Tensor,
  ValueError,
} from "../tensor/index.ts";
import { transpose } from "./movement.ts";
import { record } from "./record.ts";

/**
 * Returns the rows of x along an axis in the order of a list of indices. The axis gets the length of the list:
 * [5, 3] → [4, 3] for 4 indices. Gradients of a row that is used several times add up. `take` reads a tensor of
 * indices.
 * @param x - any shape
 * @param indices - whole numbers from 0 to the length of the axis − 1
 * @param axis - the axis; a negative axis counts from the end (default 0)
 * @example
 * console.log(gather(tensor([[1, 2], [3, 4], [5, 6]]), [2, 0, 2])); //=> Tensor [3, 2] 5 6 1 2 5 6
 */
export function gather(x: Tensor, indices: Int32Array | readonly number[], axis = 0): Tensor {
  readTensor("gather", "x", x);
  if (indices instanceof Tensor)
    throw new ValueError("gather", "indices must be a list or an Int32Array, got a tensor; take(x, indices, axis) reads tensors");
  const along = axisOf("gather", axis, x.shape);
  const read = readIndices("gather", "indices", indices, x.shape[along]!);
  return rowsAt("gather", x, read, [read.length], along, null);
}

/**
 * Returns the elements of x along an axis at a tensor of indices (float32, exact up to 2²⁴). The axes of the indices
 * replace the axis, as in NumPy: x [5, 3], indices [2, 4] → [2, 4, 3]. Indices get no gradient. An `embedding` is
 * recorded as this op.
 * @param x - any shape
 * @param indices - whole numbers from 0 to the length of the axis − 1
 * @param axis - the axis; a negative axis counts from the end (default 0)
 * @example
 * console.log(take(tensor([10, 20, 30]), tensor([[2, 0], [1, 1]]))); //=> Tensor [2, 2] 30 10 20 20
 */
export function take(x: Tensor, indices: Tensor, axis = 0): Tensor {
  readTensor("take", "x", x);
  readTensor("take", "indices", indices);
  const along = axisOf("take", axis, x.shape);
  return rowsAt(
    "take",
    x,
    readIndices("take", "indices", indices.data, x.shape[along]!),
    indices.shape,
    along,
    stopGradient(indices),
  );
}

/**
 * Elements of x along an axis, which gets the axes of `shape`. ids: the tensor that the indices come from, for the
 * graph.
 */
function rowsAt(
  op: "gather" | "take",
  x: Tensor,
  indices: Int32Array | ArrayLike<number>,
  shape: Shape,
  along: number,
  ids: Tensor | null,
): Tensor {
  if (along > 0) {
    const axes = x.shape.map((_, i) => i);
    const front = transpose(x, [along, ...axes.filter((i) => i !== along)]);
    const own = shape.map((_, i) => i);
    const rest = axes.slice(1).map((i) => shape.length + i - 1);
    return transpose(rowsAt(op, front, indices, shape, 0, ids), [...rest.slice(0, along), ...own, ...rest.slice(along)]);
  }
  const found = Int32Array.from(indices);
  const width = sizeOf(x.shape.slice(1));
  const result = [...shape, ...x.shape.slice(1)];
  checkShape(op, result);
  const y = alloc(found.length * width);
  kernels.readRows(found, width, x.data, y);
  const inputs = ids === null ? [x] : [x, ids];
  return record(op, ids === null ? { axis: 0, indices: found } : { axis: 0 }, inputs, result, y, (dy, into) =>
    into.partly(x, (dx) => kernels.addRows(found, width, dy, dx)),
  );
}
