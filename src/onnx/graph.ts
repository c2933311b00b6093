import { type Shape, sizeOf, type Tensor } from "../tensor/index.ts";
import { float, floatBytes, int, int64Bytes, type Message, nested, text } from "./protobuf.ts";

// The graph of an ONNX file. Field numbers are those of https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.

/** The version of the operators, and the version of the format that came with it (ONNX 1.12). */
export const OPSET = 17;
const IR_VERSION = 8;

/** Element types of `TensorProto.DataType`. */
export const FLOAT = 1;
export const INT64 = 7;
export const BOOL = 9;

/** Whole numbers, or a float32 number. */
export type OnnxAttributes = Readonly<Record<string, number | readonly number[] | { readonly float: number }>>;

/** A length in the type of an input or output: a number, a name, or null if it is neither. */
export type Length = number | string | null;
/** An input or output of the graph. */
export type Port = { readonly name: string; readonly type: number; readonly shape: readonly Length[] };

type OnnxNode = {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly output: string;
  /** Outputs that no node reads. */
  readonly unused: readonly string[];
  readonly attributes: OnnxAttributes;
};
type Initializer = { readonly type: number; readonly shape: Shape; readonly bytes: () => Uint8Array };

/**
 * Collects nodes and initializers. Names are unique. Equal lists of whole numbers and equal scalars are stored once.
 */
export class OnnxGraph {
  readonly #nodes: OnnxNode[] = [];
  readonly #initializers = new Map<string, Initializer>();
  readonly #small = new Map<string, string>();
  readonly #names = new Set<string>();

  /** The name itself if it is free, else the name with a number. */
  name(wanted: string): string {
    let found = wanted;
    for (let i = 2; this.#names.has(found); i++) found = `${wanted}_${i}`;
    this.#names.add(found);
    return found;
  }

  /** Adds a node. Returns the name of its first output. */
  node(
    output: string,
    op: string,
    inputs: readonly string[],
    attributes: OnnxAttributes = {},
    unused: readonly string[] = [],
  ): string {
    this.#nodes.push({ op, inputs, output, unused, attributes });
    return output;
  }

  /** Adds a tensor of float32 numbers. Returns its name. */
  tensor(wanted: string, tensor: Tensor): string {
    return this.#initializer(wanted, { type: FLOAT, shape: tensor.shape, bytes: () => floatBytes(tensor.data) });
  }

  /** `shape` filled with one number; default: a scalar. */
  filled(x: number, shape: Shape = []): string {
    const bytes = (): Uint8Array => floatBytes(new Float32Array(sizeOf(shape)).fill(x));
    return this.#once(`${x}${shape.length === 0 ? "" : ` [${shape}]`}`, { type: FLOAT, shape, bytes });
  }

  /** A vector of whole numbers. */
  ints(numbers: ArrayLike<number>): string {
    const shape = [numbers.length];
    return this.#once(`int64 [${Array.from(numbers)}]`, { type: INT64, shape, bytes: () => int64Bytes(numbers) });
  }

  #initializer(wanted: string, initializer: Initializer): string {
    const name = this.name(wanted);
    this.#initializers.set(name, initializer);
    return name;
  }

  #once(key: string, initializer: Initializer): string {
    const known = this.#small.get(key);
    if (known !== undefined) return known;
    const name = this.#initializer(key.length > 40 ? `int64 of ${initializer.shape[0]}` : key, initializer);
    this.#small.set(key, name);
    return name;
  }

  /** The file. Leaves out nodes and initializers that no output depends on. */
  file(name: string, inputs: readonly Port[], outputs: readonly Port[]): Message {
    const needed = new Set(outputs.map((port) => port.name));
    const nodes = this.#nodes
      .toReversed()
      .filter(({ output, inputs }) => {
        if (needed.has(output)) for (const input of inputs) needed.add(input);
        return needed.has(output);
      })
      .reverse();
    const stored = [...this.#initializers].filter(([name]) => needed.has(name));
    const graph = nested(
      7,
      ...nodes.map((node) => nested(1, nodeMessage(node))),
      text(2, name),
      ...stored.map(([name, initializer]) => nested(5, initializerMessage(name, initializer))),
      ...inputs.map((port) => nested(11, portMessage(port))),
      ...outputs.map((port) => nested(12, portMessage(port))),
    );
    return [int(1, IR_VERSION), text(2, "hashgrad"), graph, nested(8, int(2, OPSET))].flat();
  }
}

function nodeMessage({ op, inputs, output, unused, attributes }: OnnxNode): Message {
  return [
    ...inputs.map((input) => text(1, input)),
    ...[output, ...unused].map((name) => text(2, name)),
    text(3, output),
    text(4, op),
    ...Object.entries(attributes).map(([name, value]) => nested(5, text(1, name), ...valueFields(value))),
  ].flat();
}

/** The value and the type of an attribute. */
function valueFields(value: OnnxAttributes[string]): Message[] {
  if (typeof value === "number") return [int(3, value), int(20, 2)];
  if ("float" in value) return [float(2, value.float), int(20, 1)];
  return [...value.map((n) => int(8, n)), int(20, 7)];
}

function initializerMessage(name: string, { type, shape, bytes }: Initializer): Message {
  return [...shape.map((n) => int(1, n)), int(2, type), text(8, name), nested(9, [bytes()])].flat();
}

function portMessage({ name, type, shape }: Port): Message {
  const lengths = shape.map((n) => nested(1, ...(n === null ? [] : [typeof n === "number" ? int(1, n) : text(2, n)])));
  return [text(1, name), nested(2, nested(1, int(1, type), nested(2, ...lengths)))].flat();
}
