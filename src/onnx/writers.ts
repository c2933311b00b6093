import type { OpAttributes } from "../ops/index.ts";
import { activated, curves } from "./curves.ts";
import type { Exporter } from "./exporter.ts";
import { placeOf, shapes } from "./shapes.ts";
import { windows } from "./windows.ts";
import type { Writer, Writers } from "./writer.ts";

/** A reduction. `asInput`: the axes are an input of the op, as ONNX has it for sums since opset 13. */
function reduction(
  op: string,
  { asInput = false, ofNone = "Identity" }: { readonly asInput?: boolean; readonly ofNone?: string } = {},
): Writer<OpAttributes["sum"]> {
  return (to, i, { inputs, attributes }) => {
    const { axis, keepDims } = attributes;
    const x = to.native(inputs[0]!);
    if (axis.length === 0) return { ...x, name: to.emit(i, ofNone, [x.name]) };
    const rank = to.shape(inputs[0]!).length;
    const kept = Array.from({ length: rank }, (_, at) => at).filter((at) => !axis.includes(at));
    const isInOrder = kept.map((at) => placeOf(x, at, rank)).every((place, k, all) => k === 0 || place > all[k - 1]!);
    const value = keepDims || isInOrder ? x : { name: to.last(inputs[0]!), first: false };
    const axes = axis.map((at) => placeOf(value, at, rank));
    const keepdims = keepDims ? 1 : 0;
    const name = asInput
      ? to.emit(i, op, [value.name, to.graph.ints(axes)], { keepdims })
      : to.emit(i, op, [value.name], { axes, keepdims });
    return { name, first: keepDims && value.first };
  };
}

/** An op along one axis, whose result has the axes of its input. */
function along(op: string): Writer<OpAttributes["softmax"]> {
  return (to, i, { inputs, attributes, shape }) => {
    const x = to.native(inputs[0]!);
    return { ...x, name: to.emit(i, op, [x.name], { axis: placeOf(x, attributes.axis, shape.length) }) };
  };
}

const cumsum: Writer<OpAttributes["cumsum"]> = (to, i, { inputs, attributes, shape }) => {
  const x = to.native(inputs[0]!);
  return { ...x, name: to.emit(i, "CumSum", [x.name, to.graph.ints([placeOf(x, attributes.axis, shape.length)])]) };
};

const topK: Writer<OpAttributes["topK"]> = (to, i, { inputs, attributes, shape }) => {
  const x = to.native(inputs[0]!);
  const axis = placeOf(x, attributes.axis, shape.length);
  return { ...x, name: to.emit(i, "TopK", [x.name, to.graph.ints([attributes.k])], { axis }, ["indices"]) };
};

const layerNorm: Writer<OpAttributes["layerNorm"]> = (to, i, { inputs, attributes, shape }) => {
  const ones = to.graph.filled(1, [to.fixed(i, inputs[0]!, shape.length - 1).at(-1)!]);
  return to.emit(i, "LayerNormalization", [to.last(inputs[0]!), ones], { epsilon: { float: attributes.epsilon } });
};

/** ONNX has the channels of images after the batch. */
const batchNormInference: Writer<OpAttributes["batchNormInference"]> = (to, i, { inputs, attributes, shape }) => {
  const [x, mean, variance, ...vectors] = inputs as [number, number, number, ...number[]];
  const channels = to.fixed(i, x, shape.length - 1).at(-1)!;
  const gamma = attributes.gamma ? to.last(vectors[0]!) : to.graph.filled(1, [channels]);
  const beta = attributes.beta ? to.last(vectors.at(-1)!) : to.graph.filled(0, [channels]);
  const isVector = shape.length === 1;
  const image = isVector ? to.emit(i, "Reshape", [to.last(x), to.graph.ints([1, channels])]) : to.first(x);
  const parameters = [gamma, beta, to.last(mean), to.last(variance)];
  const y = to.emit(i, "BatchNormalization", [image, ...parameters], { epsilon: { float: attributes.epsilon } });
  const name = activated(to, i, attributes.activation, y);
  return isVector ? to.emit(i, "Reshape", [name, to.graph.ints([channels])]) : { name, first: true };
};

const refused =
  (why: string): Writer<unknown> =>
  (to, i) =>
    to.refuse(i, why);

export const writers: Writers = {
  ...curves,
  ...shapes,
  ...windows,
  batchNormInference,
  batchNormTraining: refused("statistics of a batch belong to training; export layers, or call batchNormInference"),
  crossEntropy: refused("a loss belongs to training, and its labels are constants; export a model that returns the logits"),
  cumsum,
  layerNorm,
  logSoftmax: along("LogSoftmax"),
  logSumExp: reduction("ReduceLogSumExp"),
  max: reduction("ReduceMax"),
  mean: reduction("ReduceMean"),
  min: reduction("ReduceMin"),
  norm: reduction("ReduceL2", { ofNone: "Abs" }),
  prod: reduction("ReduceProd"),
  softmax: along("Softmax"),
  sum: reduction("ReduceSum", { asInput: true }),
  topK,
};

/** The attributes of these ops may follow the batch: their mappings compare both records. */
const FOLLOWS: readonly (keyof OpAttributes)[] = ["broadcastTo", "crossEntropy", "gather", "reshape", "slice"];

/** Writes node i, unless the file stores its numbers. */
export function write(to: Exporter, i: number): void {
  const [node, other] = to.pair(i);
  if (to.stored(i) !== null || !("op" in node)) return;
  if (node.kind === "custom") to.refuse(i, "a user's op has no counterpart in ONNX; write it with ops of the library");
  const again = other as typeof node;
  if (!FOLLOWS.includes(node.op) && JSON.stringify(node.attributes) !== JSON.stringify(again.attributes))
    to.refuse(i, "its attributes depend on the batch; compute with tensors, not with numbers that are read from them");
  const written = (writers[node.op] as Writer<unknown>)(to, i, node, again);
  to.set(i, typeof written === "string" ? { name: written, first: false } : written);
}
