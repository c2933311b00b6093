/**
 * Writes models as ONNX files.
 * @module onnx
 */
import { replaceFile } from "../io/index.ts";
import { joinBytes } from "../kernels/index.ts";
import {
  readFunction,
  readList,
  readName,
  readOptions,
  readTensors,
  readText,
  type Tensor,
  ValueError,
} from "../tensor/index.ts";
import { Exporter } from "./exporter.ts";
import { FLOAT, INT64, type Length, type Port } from "./graph.ts";
import { fileLength, type Message } from "./protobuf.ts";
import { OnnxError, type Traceable, tracesOf } from "./traces.ts";
import { write } from "./writers.ts";

export type { Traceable };
export { OnnxError };

/** Options of `encodeOnnx` and `saveOnnx`. */
export type OnnxOptions = {
  /**
   * How the file holds the weights of a pool. "graph" (default): the numbers of the pool, and the ops that compute the
   * weights. "materialized": the weights. Both are the same for a dense model.
   */
  readonly pool?: "graph" | "materialized";
  /**
   * The axes of inputs and outputs with four axes in the file. "NHWC" (default): [batch, height, width, channels], as
   * in the library. "NCHW": [batch, channels, height, width], as in PyTorch.
   */
  readonly layout?: "NHWC" | "NCHW";
  /**
   * "dynamic" (default): the file takes a batch of any size. "fixed": the file takes inputs of the shapes of `inputs`
   * only.
   */
  readonly batch?: "dynamic" | "fixed";
  /** The names of the inputs in the file. Default "input"; "input_1", "input_2", … if there are several. */
  readonly inputNames?: readonly string[];
  /** The names of the outputs in the file. Default "output"; "output_1", "output_2", … if there are several. */
  readonly outputNames?: readonly string[];
};

/**
 * A model as the bytes of an ONNX file (opset 17, float32).
 *
 * Runs the model on the given inputs to record its graph, in inference mode and with the layout of the library: images
 * are [batch, height, width, channels]. The batch is the first axis of the first input, and of each other input whose
 * first axis has the same length. The model runs on batches of 2 and 3 examples, which repeat the examples of `inputs`.
 * An input that is used only as indices, such as the ids of an `embedding`, is int64 in the file.
 * @param model - a function of tensors, such as a layer
 * @param inputs - example inputs, which give the shapes
 * @throws OnnxError if an op has no counterpart in ONNX; the message names the op and its layer. Also if a graph cannot
 * express how the model depends on the batch, or if the file would be larger than 2 GiB. MemoryError if there is no
 * memory for the file. ValueError if an argument is of the wrong kind.
 * @example
 * const model = dense(new DenseVariables(), 3, 2);
 * console.log(encodeOnnx(model, [ones([1, 3])]).length > 0); //=> true
 */
export function encodeOnnx(model: Traceable, inputs: readonly Tensor[], options?: OnnxOptions): Uint8Array<ArrayBuffer> {
  const { pieces, length } = exported("encodeOnnx", model, inputs, options);
  return joinBytes("encodeOnnx", pieces, length, "saveOnnx writes the file piece by piece");
}

/**
 * Writes `encodeOnnx(model, inputs, options)` to a file. Writes a temporary file in the same folder, then renames it,
 * so a crash never leaves a partial file. Needs Node.js, Deno or Bun.
 * @param path - the path of the file
 * @param model - a function of tensors, such as a layer
 * @param inputs - example inputs, which give the shapes
 * @throws FileError if the file system refuses; the file stays as it was. OnnxError and ValueError as `encodeOnnx`.
 */
export function saveOnnx(path: string, model: Traceable, inputs: readonly Tensor[], options?: OnnxOptions): void {
  replaceFile("saveOnnx", path, exported("saveOnnx", model, inputs, options).pieces);
}

function exported(
  who: string,
  model: Traceable,
  inputs: readonly Tensor[],
  options: OnnxOptions | undefined,
): { readonly pieces: Message; readonly length: number } {
  readFunction(who, "model", model);
  readTensors(who, "inputs", inputs);
  const known = ["pool", "layout", "batch", "inputNames", "outputNames"] as const;
  const { pool = "graph", layout = "NHWC", batch = "dynamic", inputNames, outputNames } = readOptions(who, options, known);
  readName(who, "pool", pool, ["graph", "materialized"]);
  readName(who, "layout", layout, ["NHWC", "NCHW"]);
  readName(who, "batch", batch, ["dynamic", "fixed"]);
  const imagesFirst = layout === "NCHW";
  const traces = tracesOf(who, model, inputs, batch === "fixed");
  const names = readNames(who, "inputNames", inputNames, "input", inputs.length);
  const results = readNames(who, "outputNames", outputNames, "output", traces.outputs.length);
  const shared = names.find((name) => results.includes(name));
  if (shared !== undefined) throw new ValueError(who, `an input and an output have the name ${JSON.stringify(shared)}`);
  const to = new Exporter(traces, { who, materialized: pool === "materialized", inputs: names, imagesFirst });
  for (const name of results) to.graph.name(name);
  for (const i of traces.pairs.keys()) write(to, i);
  const outputs = traces.outputs.map((i, at) => {
    const isImage = imagesFirst && to.shape(i).length === 4;
    to.graph.node(results[at]!, "Identity", [isImage ? to.first(i) : to.last(i)]);
    return portOf(to, i, results[at]!, FLOAT, isImage);
  });
  const ports = traces.inputs.map((i, at) =>
    portOf(to, i, names[at]!, to.isIndex(i) ? INT64 : FLOAT, imagesFirst && to.shape(i).length === 4),
  );
  const pieces = to.graph.file("hashgrad", ports, outputs);
  const remedy =
    pool === "graph" ? "the format holds at most 2 GiB" : 'the format holds at most 2 GiB; { pool: "graph" } stores the pool';
  const length = fileLength(pieces, (bytes) => {
    throw new OnnxError(who, `the file would have ${Math.ceil(bytes / 1e6)} MB; ${remedy}`);
  });
  return { pieces, length };
}

function portOf(to: Exporter, i: number, name: string, type: number, isImage: boolean): Port {
  const lengths = to.openDims(i).map((n): Length => (typeof n === "object" ? (n?.perExample === 1 ? "batch" : null) : n));
  return { name, type, shape: isImage ? [0, 3, 1, 2].map((axis) => lengths[axis]!) : lengths };
}

/** Names that differ, one for each input or output. */
function readNames(
  who: string,
  option: string,
  given: readonly string[] | undefined,
  word: string,
  count: number,
): readonly string[] {
  if (given === undefined) return Array.from({ length: count }, (_, at) => (count === 1 ? word : `${word}_${at + 1}`));
  const names = readList(who, option, given).map((name, at) => readText(who, `${option}[${at}]`, name));
  if (names.length === count && new Set(names).size === count && !names.includes("")) return names;
  throw new ValueError(who, `${option} must be ${count} different names, got ${JSON.stringify(names)}`);
}
