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
  stridesOf,
  type Tensor,
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

/**
 * Returns x with another shape. One length may be −1; it follows from the other lengths. Copies nothing.
 * @param x - any shape
 * @param shape - lengths with the same product
 * @example
 * console.log(reshape(range(0, 6), [2, -1])); //=> Tensor [2, 3] 0 1 2 3 4 5
 */
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

/**
 * Returns x with its axes in another order: axis i of the result is axis `order[i]` of x.
 * @param x - any shape
 * @param order - each axis once (default: the axes reversed)
 * @example
 * console.log(transpose(tensor([[1, 2, 3], [4, 5, 6]]))); //=> Tensor [3, 2] 1 4 2 5 3 6
 */
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
 * Returns x repeated along axes of length 1, and along new axes in front, until it has `shape`: [3, 1] → [2, 3, 4], as
 * in NumPy.
 * @param x - any shape that broadcasts to `shape`
 * @param shape - the shape of the result
 * @example
 * console.log(broadcastTo(tensor([[1], [2]]), [2, 3])); //=> Tensor [2, 3] 1 1 1 2 2 2
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
 * - A negative size also counts from the end: −1 includes the last index, −2 excludes it, and so on.
 * - A stride s > 1 takes the first index of the block and each s-th index after it. A negative stride starts at the
 *   last index of the block.
 *
 * A block of whole rows without strides is a view: it copies nothing, and its gradient costs its own length.
 * @param x - any shape
 * @param begin - the first index along each axis
 * @param size - the lengths of the block (default: to the end)
 * @example
 * const x = range(0, 5);
 * console.log(slice(x, [1], [3])); //=> Tensor [3] 1 2 3
 * console.log(slice(x, [1], [-2])); // x[1:-1] of NumPy //=> Tensor [3] 1 2 3
 * console.log(slice(x, [0], [-1], { strides: [2] })); // x[::2] //=> Tensor [3] 0 2 4
 * console.log(slice(x, [0], [-1], { strides: [-1] })); // x[::-1] //=> Tensor [5] 4 3 2 1 0
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
 * Returns `length` elements of a vector from `begin` on, repeating the vector at its end: [n] → [length]. Gradients of
 * elements that are used twice add up.
 * @param x - [n]
 * @param begin - an index of x
 * @param length - the length of the result, at least 0
 * @example
 * console.log(cyclicSlice(tensor([1, 2, 3]), 2, 5)); //=> Tensor [5] 3 1 2 3 1
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
 * Returns the concatenation of tensors along an axis: [2, n] and [3, n] → [5, n].
 * @param tensors - tensors whose other lengths are equal
 * @param axis - the axis; a negative axis counts from the end (default 0)
 * @example
 * console.log(concat([tensor([[1, 2]]), tensor([[3, 4], [5, 6]])])); //=> Tensor [3, 2] 1 2 3 4 5 6
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

/**
 * Returns tensors of the same shape, stacked along a new axis: k tensors [m, n] → [k, m, n].
 * @param xs - tensors of the same shape
 * @param axis - the position of the new axis (default 0)
 * @example
 * console.log(stack([tensor([1, 2]), tensor([3, 4])])); //=> Tensor [2, 2] 1 2 3 4
 */
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
 * Returns the parts of x along an axis: [5, n] → [2, n] and [3, n].
 * @param x - any shape
 * @param parts - the number of equal parts, or a list of their lengths
 * @param axis - the axis; a negative axis counts from the end (default 0)
 * @example
 * console.log(split(range(0, 5), [2, 3])); //=> [ Tensor [2] 0 1, Tensor [3] 2 3 4 ]
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

/**
 * Returns x with `value` before and after the elements of each axis: [2, 3] padded by [[1, 1], [0, 2]] → [4, 5].
 * @param x - any shape
 * @param padding - `[before, after]` for each axis, counts of at least 0
 * @param value - the number of the new elements (default 0)
 * @example
 * console.log(pad(tensor([1, 2]), [[1, 2]])); //=> Tensor [5] 0 1 2 0 0
 */
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
