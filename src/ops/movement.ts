import { kernels } from "../backends/index.ts";
import { alloc, type View } from "../kernels/index.ts";
import {
  axisOf,
  broadcastShapes,
  checkShape,
  checkSize,
  describe,
  MOST_AXES,
  MOST_NUMBERS,
  readCount,
  readIndices,
  readList,
  readNumber,
  readOptions,
  readTensor,
  readTensors,
  type Shape,
  ShapeError,
  sameShape,
  show,
  sizeOf,
  stopGradient,
  stridesOf,
  Tensor,
  ValueError,
} from "../tensor/index.ts";
import type { OpAttributes } from "./graph.ts";
import { added, record } from "./record.ts";

/** The elements of x that a view names, as a new array. Their gradient goes back to the same elements of x. */
export function viewed<Op extends "flip" | "slice" | "transpose">(
  op: Op,
  attributes: OpAttributes[Op],
  x: Tensor,
  view: View,
): Tensor {
  checkSize(op, view.shape);
  const y = alloc(sizeOf(view.shape));
  kernels.readView(view, x.data, y);
  return record(op, attributes, [x], view.shape, y, (dy, into) => into.partly(x, (dx) => kernels.writeView(view, dy, dx, true)));
}

/** x, of any shape, with another shape. One length may be −1; it follows from the others. No copy. */
export function reshape(x: Tensor, shape: Shape): Tensor {
  readTensor("reshape", "x", x);
  const wanted = [...readList("reshape", "shape", shape)];
  if (wanted.length > MOST_AXES) checkShape("reshape", wanted);
  const open = wanted.indexOf(-1);
  if (open >= 0) {
    wanted[open] = 1;
    const rest = sizeOf(wanted);
    wanted[open] = rest === 0 ? 0 : x.size / rest;
  }
  if (sizeOf(wanted) !== x.size || !wanted.every((n) => Number.isInteger(n) && n >= 0)) {
    throw new ShapeError("reshape", `x ${show(x.shape)} has ${x.size} elements, ${show(shape)} cannot hold exactly these`);
  }
  return reshaped(x, wanted);
}

/** `reshape` to a shape that is known to hold the numbers of x. */
export function reshaped(x: Tensor, shape: Shape): Tensor {
  return record("reshape", { shape }, [x], shape, x.data, (dy, into) => into.same(x, dy), x.lifetime);
}

/** x with its axes in another order: axis i of the result is axis `order[i]` of x. Default: the axes reversed. */
export function transpose(x: Tensor, order?: readonly number[]): Tensor {
  readTensor("transpose", "x", x);
  if (order !== undefined) readList("transpose", "order", order);
  const found = (order ?? x.shape.map((_, i) => x.shape.length - 1 - i)).map((axis) => axisOf("transpose", axis, x.shape));
  if (found.length !== x.shape.length || new Set(found).size !== found.length) {
    throw new ShapeError(
      "transpose",
      `order ${show(order ?? [])} of x ${show(x.shape)}: name each of the ${x.shape.length} axes once`,
    );
  }
  const strides = stridesOf(x.shape);
  const view = { shape: found.map((axis) => x.shape[axis]!), strides: found.map((axis) => strides[axis]!), offset: 0 };
  return viewed("transpose", { order: found }, x, view);
}

/**
 * x repeated along axes of length 1, and along new axes in front, until it has `shape`: [3, 1] → [2, 3, 4], as in
 * NumPy.
 */
export function broadcastTo(x: Tensor, shape: Shape): Tensor {
  readTensor("broadcastTo", "x", x);
  if (Array.isArray(shape) && sameShape(x.shape, shape)) return x;
  checkShape("broadcastTo", shape);
  if (!sameShape(broadcastShapes("broadcastTo", x.shape, shape), shape)) {
    throw new ShapeError(
      "broadcastTo",
      `x ${show(x.shape)} does not broadcast to ${show(shape)}: its lengths must be 1 or equal, counted from the last axis`,
    );
  }
  const added = shape.length - x.shape.length;
  const repeated = shape.flatMap((n, axis) => (n !== 1 && (axis < added || x.shape[axis - added] === 1) ? [axis] : []));
  // Along one run of neighboring axes after another: the other way round each is a sum, which is kept in double
  // precision.
  const run = repeated.slice(0, repeated.findIndex((axis, i) => repeated[i + 1] !== axis + 1) + 1);
  if (run.length < repeated.length) {
    const others = shape.map((n, axis) => (run.includes(axis) ? 1 : n));
    return broadcastTo(broadcastTo(x, others), shape);
  }
  const [first, end] = [run[0] ?? 0, (run.at(-1) ?? -1) + 1];
  const sizes = { outer: sizeOf(shape.slice(0, first)), n: sizeOf(shape.slice(first, end)), inner: sizeOf(shape.slice(end)) };
  const y = alloc(sizeOf(shape));
  kernels.sumGrad(sizes, x.data, y, 1, false);
  const own = [...shape];
  return record("broadcastTo", { shape: own }, [x], own, y, (dy, into) =>
    into(x, (dx, accumulate) => kernels.sum(sizes, dy, dx, 1, accumulate)),
  );
}

/** Options of `slice`. */
export type SliceOptions = {
  /** The step along each axis (default 1). Negative strides go backwards. */
  readonly strides?: readonly number[];
};

/**
 * The block of x, of any shape, that begins at `begin` and has lengths `size`, one number per axis. If a list is
 * shorter, the remaining axes are whole.
 * - A negative begin counts from the end: −1 is the last index.
 * - A negative size counts from the end, too: −1 includes the last index, −2 excludes it, and so on.
 * - A stride s > 1 takes the first index of the block and each s-th index after it. A negative stride starts at the
 *   last index of the block.
 *
 * A block of whole rows without strides is a view: it copies nothing, and its gradient costs its own length.
 *
 * @example NumPy's x[1:-1], x[::2] and x[::-1] are slice(x, [1], [-2]), slice(x, [0], [-1], { strides: [2] }) and
 * slice(x, [0], [-1], { strides: [-1] }).
 */
export function slice(x: Tensor, begin: readonly number[], size?: readonly number[], options?: SliceOptions): Tensor {
  readTensor("slice", "x", x);
  const { strides } = readOptions("slice", options, ["strides"]);
  const lists = { begin, ...(size === undefined ? {} : { size }), ...(strides === undefined ? {} : { strides }) };
  for (const [name, list] of Object.entries(lists)) {
    if (readList("slice", name, list).length > x.shape.length) {
      throw new ShapeError("slice", `${name} ${show(list)} of x ${show(x.shape)}: need at most one number per axis`);
    }
  }
  const from = x.shape.map((whole, axis) => ((begin[axis] ?? 0) < 0 ? begin[axis]! + whole : (begin[axis] ?? 0)));
  const lengths = x.shape.map((whole, axis) => {
    const length = size?.[axis] ?? -1;
    return length < 0 ? whole + 1 + length - from[axis]! : length;
  });
  for (const [axis, length] of lengths.entries()) {
    const [at, whole] = [from[axis]!, x.shape[axis]!];
    if (!Number.isInteger(at) || !Number.isInteger(length) || at < 0 || length < 0 || at + length > whole) {
      const given = size === undefined ? "" : `, size ${show(size)}`;
      throw new ShapeError("slice", `begin ${show(begin)}${given} leaves x ${show(x.shape)} at axis ${axis}`);
    }
  }
  const apart = stridesOf(x.shape);
  if (strides?.some((step) => step !== 1)) return steps(x, from, lengths, strides, apart);
  const offset = from.reduce((sum, at, axis) => sum + at * apart[axis]!, 0);
  const attributes = { begin: from, size: lengths };
  // One run of numbers where axes before one have length 1, and those behind it are whole.
  const first = lengths.findIndex((length) => length !== 1);
  if (!lengths.every((length, axis) => axis <= first || first < 0 || length === x.shape[axis])) {
    return viewed("slice", attributes, x, { shape: lengths, strides: apart, offset });
  }
  const end = offset + sizeOf(lengths);
  return record(
    "slice",
    attributes,
    [x],
    lengths,
    x.data.subarray(offset, end),
    (dy, into) =>
      into(x, (dx, accumulate) => {
        if (!accumulate) dx.fill(0, 0, offset).fill(0, end);
        kernels.axpy(1, dy, dx.subarray(offset, end), accumulate);
      }),
    x.lifetime,
  );
}

/**
 * The block of x at `begin` of lengths `size`, in steps along each axis. `apart`: how far neighbors along each axis lie
 * apart.
 */
function steps(
  x: Tensor,
  begin: readonly number[],
  size: readonly number[],
  given: readonly number[],
  apart: readonly number[],
): Tensor {
  for (const [axis, step] of given.entries()) {
    readCount("slice", `strides[${axis}]`, step, Number.MIN_SAFE_INTEGER);
    if (step === 0) throw new ValueError("slice", `strides[${axis}] must not be 0; -1 goes backwards`);
  }
  const strides = size.map((_, axis) => given[axis] ?? 1);
  const first = begin.map((at, axis) => (strides[axis]! < 0 ? at + size[axis]! - 1 : at));
  const view = {
    shape: size.map((length, axis) => Math.ceil(length / Math.abs(strides[axis]!))),
    strides: strides.map((step, axis) => step * apart[axis]!),
    offset: first.reduce((sum, at, axis) => sum + at * apart[axis]!, 0),
  };
  return viewed("slice", { begin, size, strides }, x, view);
}

/**
 * `length` elements of a vector from `begin` on, repeating the vector at its end: [n] → [length]. Gradients of elements
 * that are used twice add up.
 */
export function cyclicSlice(x: Tensor, begin: number, length: number): Tensor {
  readTensor("cyclicSlice", "x", x);
  readCount("cyclicSlice", "begin", begin, 0);
  readCount("cyclicSlice", "length", length, 0, MOST_NUMBERS - 1);
  if (x.shape.length !== 1 || x.size === 0) {
    throw new ShapeError("cyclicSlice", `x ${show(x.shape)}: need a vector that is not empty`);
  }
  const y = alloc(length);
  kernels.readCyclic(begin, x.data, y);
  return record("cyclicSlice", { begin, length }, [x], [length], y, (dy, into) =>
    into.partly(x, (dx) => kernels.addCyclic(begin, dy, dx)),
  );
}

/**
 * The concatenation of tensors along an axis (default 0): [2, n] and [3, n] → [5, n]. All other lengths must be equal.
 */
export function concat(tensors: readonly Tensor[], axis = 0): Tensor {
  const xs = readTensors("concat", "tensors", tensors).slice(); // the list may change before its gradient is asked for
  const first = xs[0];
  if (first === undefined) throw new ShapeError("concat", "need at least one tensor");
  const along = axisOf("concat", axis, first.shape);
  for (const x of xs) {
    if (x.shape.length !== first.shape.length || !x.shape.every((n, i) => i === along || n === first.shape[i])) {
      throw new ShapeError(
        "concat",
        `${show(first.shape)} and ${show(x.shape)} along axis ${along}: all other lengths must be equal`,
      );
    }
  }
  const shape = first.shape.map((n, i) => (i === along ? xs.reduce((sum, x) => sum + x.shape[along]!, 0) : n));
  checkSize("concat", shape);
  const strides = stridesOf(shape);
  const y = alloc(sizeOf(shape));
  let at = 0;
  const views = xs.map((x): View => {
    const view = { shape: x.shape, strides, offset: at * strides[along]! };
    at += x.shape[along]!;
    kernels.writeView(view, x.data, y, false);
    return view;
  });
  return record("concat", { axis: along }, xs, shape, y, (dy, into) => {
    for (const [i, x] of xs.entries())
      into(x, (dx, accumulate) => added(dx, accumulate, (to) => kernels.readView(views[i]!, dy, to)));
  });
}

/** Tensors of the same shape, stacked along a new axis (default 0): k tensors [m, n] → [k, m, n]. */
export function stack(xs: readonly Tensor[], axis = 0): Tensor {
  const first = readTensors("stack", "xs", xs)[0];
  if (first === undefined) throw new ShapeError("stack", "need at least one tensor");
  const along = axisOf("stack", axis, [...first.shape, 1]);
  checkShape("stack", [...first.shape, xs.length]);
  for (const x of xs) {
    if (!sameShape(x.shape, first.shape))
      throw new ShapeError("stack", `${show(first.shape)} and ${show(x.shape)}: all shapes must be equal`);
  }
  return concat(
    xs.map((x) => reshape(x, [...x.shape.slice(0, along), 1, ...x.shape.slice(along)])),
    along,
  );
}

/** The largest number of equal parts of an empty axis. */
const MOST_EMPTY = 1024;

/**
 * x of any shape, split along an axis (default 0). `parts` is the number of equal parts, or a list of their lengths.
 */
export function split(x: Tensor, parts: number | readonly number[], axis = 0): Tensor[] {
  readTensor("split", "x", x);
  const along = axisOf("split", axis, x.shape);
  const whole = x.shape[along]!;
  const equal = (count: number): number[] =>
    Number.isInteger(count) && count > 0 && count <= Math.max(whole, MOST_EMPTY)
      ? new Array<number>(count).fill(whole / count)
      : [-1];
  const lengths = typeof parts === "number" ? equal(parts) : readList("split", "parts", parts);
  if (lengths.reduce((sum, n) => sum + n, 0) !== whole || !lengths.every((n) => Number.isInteger(n) && n >= 0)) {
    const asked = typeof parts === "number" ? `${parts} equal parts` : `parts ${show(parts)}`;
    throw new ShapeError(
      "split",
      `x ${show(x.shape)} does not split into ${asked} along axis ${along}, whose length is ${whole}`,
    );
  }
  let at = 0;
  return lengths.map((length) => {
    const begin = x.shape.map((_, i) => (i === along ? at : 0));
    at += length;
    return slice(
      x,
      begin,
      x.shape.map((n, i) => (i === along ? length : n)),
    );
  });
}

/** x padded with `value` (default 0): `padding[axis] = [before, after]`, counts of at least 0. */
export function pad(x: Tensor, padding: readonly (readonly [number, number])[], value = 0): Tensor {
  readTensor("pad", "x", x);
  readList("pad", "padding", padding);
  readNumber("pad", "value", value, { nan: true });
  const isPair = (pair: unknown): boolean =>
    Array.isArray(pair) && pair.length === 2 && pair.every((n) => Number.isSafeInteger(n) && n >= 0);
  if (padding.length !== x.shape.length || !padding.every(isPair)) {
    const given = padding.map((pair) => (Array.isArray(pair) ? `[${Array.from(pair, describe).join(", ")}]` : describe(pair)));
    throw new ShapeError(
      "pad",
      `padding [${given.join(", ")}] of x ${show(x.shape)}: need [before, after] of at least 0 for each axis`,
    );
  }
  const shape = x.shape.map((n, axis) => n + padding[axis]![0] + padding[axis]![1]);
  checkSize("pad", shape);
  const strides = stridesOf(shape);
  const view = { shape: x.shape, strides, offset: padding.reduce((sum, [before], axis) => sum + before * strides[axis]!, 0) };
  const y = alloc(sizeOf(shape)).fill(value);
  kernels.writeView(view, x.data, y, false);
  const own = padding.map(([before, after]) => [before, after] as const);
  return record("pad", { padding: own, value }, [x], shape, y, (dy, into) =>
    into(x, (dx, accumulate) => added(dx, accumulate, (to) => kernels.readView(view, dy, to))),
  );
}

/**
 * Returns the rows of x along an axis in the order of a list of indices. The axis gets the length of the list:
 * [5, 3] → [4, 3] for 4 indices. Gradients of a row that is used several times add up. `take` reads a tensor of
 * indices.
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
 * The elements of x along an axis (default 0) at a tensor of indices (float32, exact up to 2²⁴). The axes of the
 * indices replace the axis, as in NumPy: x [5, 3], indices [2, 4] → [2, 4, 3]. Indices get no gradient. An `embedding`
 * is recorded as this op.
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
