import { type GraphNode, trace } from "../ops/index.ts";
import { fresh, HashgradError, sameShape, type Tensor, ValueError } from "../tensor/index.ts";

/** A model cannot be written as ONNX. The message names the op, its layer and the remedy. */
export class OnnxError extends HashgradError {}

/** What is exported: a function of tensors, such as a model or a layer. */
export type Traceable = (...inputs: Tensor[]) => Tensor | readonly Tensor[];

/** A length: a number, or a multiple of the batch. */
export type Dim = number | { readonly perExample: number };

/** One node, recorded for two sizes of the batch. Both records are the same one if the batch is fixed. */
export type Pair<Node extends GraphNode = GraphNode> = readonly [Node, Node];

/** A graph, recorded for two sizes of the batch. Equal numbers in both records do not depend on the batch. */
export type Traces = {
  readonly pairs: readonly Pair[];
  /** The numbers of a node that depends on no input; null for all other nodes. */
  readonly known: readonly (Tensor | null)[];
  /** Whether a node depends on a parameter. */
  readonly trained: readonly boolean[];
  /** For messages and names: the layer of the nearest variable. */
  readonly layers: readonly (string | null)[];
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  readonly sizes: readonly [number, number];
};

const SIZES = [2, 3] as const;

/** The remedy if a model depends on the size of the batch. */
export const FIXED = '{ batch: "fixed" } exports the given batch only';

/** Records the model for batches of two sizes, or (`isFixed`) once for the given batch. */
export function tracesOf(who: string, model: Traceable, inputs: readonly Tensor[], isFixed: boolean): Traces {
  const batch = inputs[0]?.shape[0];
  if (isFixed || batch === undefined) {
    const traced = trace(model, inputs);
    return joined(who, traced, traced, [1, 1]);
  }
  if (batch === 0) throw new ValueError(who, "inputs must hold at least one example; the model is run on them");
  const run = (size: number): ReturnType<typeof trace> => {
    const batches = inputs.map((x) => (x.shape[0] === batch ? repeated(x, size) : x));
    try {
      return trace(model, batches);
    } catch (cause) {
      trace(model, inputs); // an error that does not depend on the batch passes unchanged
      const message = cause instanceof Error ? cause.message : String(cause);
      throw new OnnxError(who, `the model fails for a batch of ${size}: ${message}; ${FIXED}`, { cause });
    }
  };
  return joined(who, run(SIZES[0]), run(SIZES[1]), SIZES);
}

/** A batch of another size: the examples of x in turns. */
function repeated(x: Tensor, size: number): Tensor {
  const each = x.size / x.shape[0]!;
  return fresh(
    [size, ...x.shape.slice(1)],
    Float32Array.from({ length: size * each }, (_, i) => x.data[i % x.size]!),
  );
}

type Recorded = ReturnType<typeof trace>;

function joined(who: string, first: Recorded, second: Recorded, sizes: readonly [number, number]): Traces {
  const [nodes, others] = [first.graph.nodes, second.graph.nodes];
  const pairs: Pair[] = [];
  const known: (Tensor | null)[] = [];
  const trained: boolean[] = [];
  const layers: (string | null)[] = [];
  for (const [i, node] of nodes.entries()) {
    const other = others[i];
    const sources = "inputs" in node ? node.inputs : [];
    layers.push(layerOf(node, sources, nodes, layers));
    if (other === undefined || !isSame(node, other)) {
      const title = titleOf(node, layers[i]!);
      throw new OnnxError(who, `${title}: the model runs other ops for a batch of ${sizes[0]} than of ${sizes[1]}; ${FIXED}`);
    }
    const [value, again] = [first.values[i]!, second.values[i]!];
    const isKnown = node.kind !== "input" && sources.every((at) => known[at] !== null) && sameShape(value.shape, again.shape);
    known.push(isKnown && hasSameNumbers(value, again) ? value : null);
    trained.push(node.kind === "parameter" || sources.some((at) => trained[at]));
    pairs.push([node, other]);
  }
  const { inputs, outputs } = first.graph;
  return { pairs, known, trained, layers, inputs, outputs, sizes };
}

const isSame = (a: GraphNode, b: GraphNode): boolean =>
  a.kind === b.kind &&
  a.shape.length === b.shape.length &&
  (!("inputs" in a) || ("inputs" in b && a.op === b.op && String(a.inputs) === String(b.inputs)));

const hasSameNumbers = (x: Tensor, y: Tensor): boolean => x === y || x.data.every((v, i) => Object.is(v, y.data[i]));

/**
 * The layer of a node: that of a variable it has the numbers of or reads, else that of the first input that has a
 * layer.
 */
function layerOf(
  node: GraphNode,
  sources: readonly number[],
  nodes: readonly GraphNode[],
  layers: readonly (string | null)[],
): string | null {
  const name = node.name ?? sources.map((at) => nodes[at]!.name).find((name) => name !== null);
  if (name === undefined) return sources.map((at) => layers[at]!).find((layer) => layer !== null) ?? null;
  return name.includes("/") ? name.slice(0, name.lastIndexOf("/")) : name;
}

/** What messages call a node. */
export function titleOf(node: GraphNode, layer: string | null): string {
  const what = "op" in node ? node.op : node.kind === "constant" ? "a constant" : node.kind;
  return layer === null ? what : `${what} in layer "${layer}"`;
}

/**
 * A length that is n for the first size of the batch and m for the second; null if it follows the batch in another way.
 */
export function dimOf(n: number, m: number, [first, second]: readonly [number, number]): Dim | null {
  if (n === m) return n;
  return n * second === m * first && n % first === 0 ? { perExample: n / first } : null;
}
