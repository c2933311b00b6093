import { kernels } from "../backends/index.ts";
import { alloc, largest } from "../kernels/index.ts";
import { axisOf, readCount, readTensor, sizeOf, type Tensor } from "../tensor/index.ts";
import { record } from "./record.ts";

/** The result of `topK`: the values, and their indices along the axis, in row-major order of the values. */
export type TopK = { readonly values: Tensor; readonly indices: Int32Array };

/**
 * Returns the k largest numbers along an axis, in descending order: x [..., n] → values [..., k]. NaN counts as the
 * largest number. Equal numbers keep their order. The gradient of each value goes to its place in x.
 * @param x - any shape
 * @param k - a whole number from 0 to the length of the axis
 * @param axis - the axis (default −1, the last)
 * @throws ValueError if k is not a whole number from 0 to the length of the axis.
 * @example
 * const { values, indices } = topK(tensor([3, 9, 5]), 2);
 * console.log(values, indices); //=> Tensor [2] 9 5 Int32Array(2) [ 1, 2 ]
 */
export function topK(x: Tensor, k: number, axis = -1): TopK {
  readTensor("topK", "x", x);
  const along = axisOf("topK", axis, x.shape);
  const n = x.shape[along]!;
  readCount("topK", "k", k, 0, n);
  const inner = sizeOf(x.shape.slice(along + 1));
  const shape = x.shape.with(along, k);
  const indices = new Int32Array(sizeOf(shape));
  largest({ outer: sizeOf(x.shape.slice(0, along)), n, inner }, k, x.data, indices);
  // Position i of the result is [outer, k, inner]; its number lies at [outer, indices[i], inner] of x.
  const places = indices.map((index, i) => (Math.floor(i / (k * inner)) * n + index) * inner + (i % inner));
  const y = alloc(indices.length);
  kernels.readRows(places, 1, x.data, y);
  const values = record("topK", { k, axis: along }, [x], shape, y, (dy, into) =>
    into.partly(x, (dx) => kernels.addRows(places, 1, dy, dx)),
  );
  return { values, indices };
}
