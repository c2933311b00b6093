import type { OpAttributes } from "../ops/index.ts";
import type { Shape } from "../tensor/index.ts";
import type { Exporter, Value } from "./exporter.ts";
import type { OnnxAttributes } from "./graph.ts";
import type { Writer, Writers } from "./writer.ts";

// Convolutions and pools. ONNX has images [batch, channels, height, width] and kernels [outputs, channels/groups,
// height, width].

/** The order of axes that turns a kernel [height, width, channels, outputs] into [outputs, channels, height, width]. */
const KERNEL = [3, 2, 0, 1];

type Windows = {
  readonly size: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly padding: OpAttributes["conv2d"]["padding"];
};

const spanOf = ({ size, dilations }: Windows, axis: number): number => (size[axis]! - 1) * dilations[axis]! + 1;

/**
 * The padding [top, left, bottom, right] that windows from images x to images y read. Padding that no window reads is
 * left out: ONNX refuses pools whose padding is not smaller than the window.
 */
function padsOf(windows: Windows, x: Shape, y: Shape): number[] {
  const sides = [0, 1].map((axis) => {
    const total = (y[axis + 1]! - 1) * windows.strides[axis]! + spanOf(windows, axis) - x[axis + 1]!;
    const { padding } = windows;
    const before = padding === "valid" ? 0 : padding === "same" ? Math.floor(Math.max(total, 0) / 2) : padding[axis]![0];
    return [before, Math.max(total - before, 0)];
  });
  return [sides[0]![0]!, sides[1]![0]!, sides[0]![1]!, sides[1]![1]!];
}

function attributesOf(windows: Windows, pads: readonly number[]): OnnxAttributes {
  const { size, strides, dilations } = windows;
  return { kernel_shape: size, strides, pads, ...(dilations.every((n) => n === 1) ? {} : { dilations }) };
}

const first = (name: string): Value => ({ name, first: true });
/** The bias, if there is one. */
const biasOf = (to: Exporter, inputs: readonly number[]): string[] => inputs.slice(2).map((at) => to.last(at));

const conv2d: Writer<OpAttributes["conv2d"]> = (to, i, { inputs, attributes, shape }) => {
  const [x, kernel] = inputs as [number, number];
  const windows = { ...attributes, size: to.fixed(i, kernel).slice(0, 2) };
  const own = { ...attributesOf(windows, padsOf(windows, to.fixed(i, x, 1), shape)), group: attributes.groups };
  return first(to.emit(i, "Conv", [to.first(x), to.arranged(kernel, to.shape(kernel), KERNEL), ...biasOf(to, inputs)], own));
};

const depthwiseConv2d: Writer<OpAttributes["depthwiseConv2d"]> = (to, i, { inputs, attributes, shape }) => {
  const [x, kernel] = inputs as [number, number];
  const [height = 0, width = 0, channels = 0, multiplier = 0] = to.fixed(i, kernel);
  const windows = { ...attributes, size: [height, width] };
  // [height, width, channels, multiplier] → [channels·multiplier, 1, height, width]
  const weights = to.arranged(kernel, to.shape(kernel), [2, 3, 0, 1], [channels * multiplier, 1, height, width]);
  const own = { ...attributesOf(windows, padsOf(windows, to.fixed(i, x, 1), shape)), group: channels };
  return first(to.emit(i, "Conv", [to.first(x), weights, ...biasOf(to, inputs)], own));
};

const conv2dTranspose: Writer<OpAttributes["conv2dTranspose"]> = (to, i, { inputs, attributes, shape }) => {
  const [x, kernel] = inputs as [number, number];
  const windows = { ...attributes, size: to.fixed(i, kernel).slice(0, 2) };
  // What is cut off at the end, or added there, follows from the length of the result.
  const sides = [0, 1].map((axis) => {
    const { padding } = attributes;
    const [stride, span] = [attributes.strides[axis]!, spanOf(windows, axis)];
    const before = padding === "valid" ? 0 : padding === "same" ? Math.floor(Math.max(span - stride, 0) / 2) : padding[axis]![0];
    const after =
      (to.fixed(i, x, 1)[axis + 1]! - 1) * stride + span - before - shape[axis + 1]! + attributes.outputPadding[axis]!;
    return { before, after: Math.max(after, 0), more: attributes.outputPadding[axis]! + Math.max(-after, 0) };
  });
  const pads = [...sides.map(({ before }) => before), ...sides.map(({ after }) => after)];
  const own = { ...attributesOf(windows, pads), group: attributes.groups, output_padding: sides.map(({ more }) => more) };
  const weights = to.arranged(kernel, to.shape(kernel), KERNEL);
  return first(to.emit(i, "ConvTranspose", [to.first(x), weights, ...biasOf(to, inputs)], own));
};

const pool =
  (op: string): Writer<OpAttributes["maxPool2d"]> =>
  (to, i, { inputs, attributes, shape }) => {
    const [x] = inputs as [number];
    const windows = { ...attributes, dilations: [1, 1] };
    return first(to.emit(i, op, [to.first(x)], attributesOf(windows, padsOf(windows, to.fixed(i, x, 1), shape))));
  };

export const windows: Pick<Writers, "avgPool2d" | "conv2d" | "conv2dTranspose" | "depthwiseConv2d" | "maxPool2d"> = {
  avgPool2d: pool("AveragePool"), // by default padding is not counted
  conv2d,
  conv2dTranspose,
  depthwiseConv2d,
  maxPool2d: pool("MaxPool"),
};
