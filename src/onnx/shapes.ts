import type { OpAttributes } from "../ops/index.ts";
import type { Shape } from "../tensor/index.ts";
import { type Exporter, toFirst, type Value } from "./exporter.ts";
import { dimOf, FIXED } from "./traces.ts";
import type { Writer, Writers } from "./writer.ts";

// Ops that move numbers, and ops along axes.

/** The position of an axis of the library in a value. */
export const placeOf = ({ first }: Value, axis: number, rank: number): number => (first ? toFirst(rank).indexOf(axis) : axis);

/** The end of an axis, or what lies before its beginning: ONNX clips indices. */
const FAR = 2 ** 31 - 1;

const reshape: Writer<OpAttributes["reshape"]> = (to, i, { inputs, shape }) => {
  const dims = to.dims(i);
  const open = dims.filter((n) => typeof n !== "number").length;
  const hasEmpty = dims.includes(0);
  // One length may follow from the others.
  const vector =
    open === 1 && !hasEmpty ? to.graph.ints(dims.map((n) => (typeof n === "number" ? n : -1))) : to.shapeVector(i, dims);
  return to.emit(i, "Reshape", [to.last(inputs[0]!), vector], shape.includes(0) ? { allowzero: 1 } : {});
};

/** `Expand` leaves an axis as it is if the wanted length is 1. */
const broadcastTo: Writer<OpAttributes["broadcastTo"]> = (to, i, { inputs, shape }) => {
  const [x] = inputs as [number];
  const [have, want] = [to.dims(x), to.dims(i)];
  const added = shape.length - have.length;
  const wanted = want.map((n, axis) => (axis >= added && JSON.stringify(have[axis - added]) === JSON.stringify(n) ? 1 : n));
  return to.emit(i, "Expand", [to.last(x), to.shapeVector(i, wanted)]);
};

const transpose: Writer<OpAttributes["transpose"]> = (to, i, { inputs, attributes, shape }) => {
  const x = to.native(inputs[0]!);
  return to.emit(i, "Transpose", [x.name], { perm: attributes.order.map((axis) => placeOf(x, axis, shape.length)) });
};

const concat: Writer<OpAttributes["concat"]> = (to, i, { inputs, attributes, shape }) => {
  const first = inputs.some((at) => to.isFirst(at));
  const names = inputs.map((at) => (first ? to.first(at) : to.last(at)));
  const value = { name: "", first };
  return { ...value, name: to.emit(i, "Concat", names, { axis: placeOf(value, attributes.axis, shape.length) }) };
};

const pad: Writer<OpAttributes["pad"]> = (to, i, { inputs, attributes, shape }) => {
  const { name, first } = to.native(inputs[0]!);
  if (shape.length === 0) return to.emit(i, "Identity", [name]); // onnxruntime does not pad a scalar
  const order = first ? toFirst(shape.length) : shape.map((_, axis) => axis);
  const sides = [0, 1].flatMap((side) => order.map((axis) => attributes.padding[axis]![side]!));
  return { name: to.emit(i, "Pad", [name, to.graph.ints(sides), to.graph.filled(attributes.value)]), first };
};

/** A block of one axis. `size` is null if the block ends where the axis ends. */
type Cut = { readonly axis: number; readonly begin: number; readonly size: number | null; readonly step: number };

function sliced(to: Exporter, i: number, x: number, cuts: readonly Cut[]): Value {
  const value = to.native(x);
  const parts = cuts.filter(({ begin, size, step }) => begin !== 0 || size !== null || step !== 1);
  if (parts.length === 0) return { ...value, name: to.emit(i, "Identity", [value.name]) };
  const bounds = parts.map(({ begin, size, step }) => {
    if (size === 0) return [begin, begin, 1];
    const end = size === null ? FAR : begin + size;
    return step > 0 ? [begin, end, step] : [size === null ? FAR : end - 1, begin === 0 ? -FAR : begin - 1, step];
  });
  const axes = parts.map(({ axis }) => placeOf(value, axis, to.shape(x).length));
  const vectors = [bounds.map(([start]) => start!), bounds.map(([, end]) => end!), axes, bounds.map(([, , step]) => step!)];
  return { ...value, name: to.emit(i, "Slice", [value.name, ...vectors.map((list) => to.graph.ints(list))]) };
}

const slice: Writer<OpAttributes["slice"]> = (to, i, node, other) => {
  const [x] = node.inputs as [number];
  const [{ begin, size, strides }, again] = [node.attributes, other.attributes];
  const lengths = [to.shape(x), to.shape(x, 1)] as const;
  const cuts = begin.map((at, axis): Cut => {
    const toEnd = [at + size[axis]! === lengths[0][axis], again.begin[axis]! + again.size[axis]! === lengths[1][axis]];
    const isWhole = toEnd[0] === true && toEnd[1] === true;
    const step = strides?.[axis] ?? 1;
    const isOpen = isWhole ? Math.abs(step) > 1 && lengths[0][axis] !== lengths[1][axis] : size[axis] !== again.size[axis];
    if (at !== again.begin[axis] || isOpen) {
      to.refuse(i, `the block along axis ${axis} depends on the batch; only a whole axis may follow the batch, or ${FIXED}`);
    }
    return { axis, begin: at, size: isWhole ? null : size[axis]!, step };
  });
  return sliced(to, i, x, cuts);
};

const flip: Writer<OpAttributes["flip"]> = (to, i, { inputs, attributes }) =>
  sliced(
    to,
    i,
    inputs[0]!,
    attributes.axis.map((axis) => ({ axis, begin: 0, size: null, step: -1 })),
  );

/** A block of a vector; of the repeated vector if the block passes the end. */
const cyclicSlice: Writer<OpAttributes["cyclicSlice"]> = (to, i, { inputs, attributes }) => {
  const [x] = inputs as [number];
  const [n] = to.dims(x) as [number];
  if (typeof n !== "number") to.refuse(i, `the length of the vector follows the batch; ${FIXED}`);
  const [begin, end] = [attributes.begin % n, (attributes.begin % n) + attributes.length];
  const times = Math.ceil(end / n);
  const whole = times <= 1 ? to.last(x) : to.emit(i, "Tile", [to.last(x), to.graph.ints([times])]);
  return to.emit(i, "Slice", [whole, ...[begin, end, 0].map((k) => to.graph.ints([k]))]);
};

const gather: Writer<OpAttributes["gather"]> = (to, i, node, other) => {
  const [x] = node.inputs as [number];
  const { indices, axis } = node.attributes;
  const isFixed =
    indices.length === other.attributes.indices.length && indices.every((k, at) => k === other.attributes.indices[at]);
  if (isFixed) return to.emit(i, "Gather", [to.last(x), to.graph.ints(indices)], { axis });
  // `resize` reads [batch·n, …] at the same places of each example.
  const { sizes } = to.traces;
  const rows = dimOf(to.shape(x)[0]!, to.shape(x, 1)[0]!, sizes);
  const each = indices.length / sizes[0];
  const isRepeated = (list: Int32Array): boolean =>
    typeof rows === "object" &&
    rows !== null &&
    list.every((k, at) => k === indices[at % each]! + Math.floor(at / each) * rows.perExample);
  const rest = to.dims(x).slice(1);
  if (!isRepeated(indices) || !isRepeated(other.attributes.indices) || rest.some((n) => typeof n !== "number" || n === 0))
    to.refuse(i, `the indices depend on the batch; ${FIXED}`);
  const lengths = rest as number[];
  const reshaped = (name: string, shape: Shape): string => to.emit(i, "Reshape", [name, to.graph.ints(shape)]);
  const examples = reshaped(to.last(x), [-1, (rows as { perExample: number }).perExample, ...lengths]);
  const places = to.graph.ints(indices.subarray(0, each));
  return reshaped(to.emit(i, "Gather", [examples, places], { axis: 1 }), [-1, ...lengths]);
};

const take: Writer<OpAttributes["take"]> = (to, i, { inputs, attributes }) => {
  const [x, ids] = inputs as [number, number];
  const places = to.isIndex(ids) ? to.last(ids) : to.emit(i, "Cast", [to.last(ids)], { to: 7 });
  return to.emit(i, "Gather", [to.last(x), places], { axis: attributes.axis });
};

const matmul: Writer<OpAttributes["matmul"]> = (to, i, { inputs, attributes }) => {
  const [a, b, bias] = inputs as [number, number, number?];
  const { transposeA, transposeB } = attributes;
  const isPlain = bias === undefined && !transposeA && !transposeB;
  if (to.shape(a).length === 2 && to.shape(b).length === 2 && !isPlain) {
    const flags = { ...(transposeA ? { transA: 1 } : {}), ...(transposeB ? { transB: 1 } : {}) };
    return to.emit(
      i,
      "Gemm",
      inputs.map((at) => to.last(at)),
      flags,
    );
  }
  const factor = (at: number, isTransposed: boolean): string => {
    if (!isTransposed) return to.last(at);
    const order = to.shape(at).map((_, axis) => axis);
    return to.emit(i, "Transpose", [to.last(at)], { perm: [...order.slice(0, -2), order.at(-1)!, order.at(-2)!] });
  };
  const product = to.emit(i, "MatMul", [factor(a, transposeA), factor(b, transposeB)]);
  return bias === undefined ? product : to.emit(i, "Add", [product, to.last(bias)]);
};

export const shapes: Pick<
  Writers,
  "broadcastTo" | "concat" | "cyclicSlice" | "flip" | "gather" | "matmul" | "pad" | "reshape" | "slice" | "take" | "transpose"
> = {
  broadcastTo,
  concat,
  cyclicSlice,
  flip,
  gather,
  matmul,
  pad,
  reshape,
  slice,
  take,
  transpose,
};
