import { broadcastTo, type GraphNode, reshape, slice, transpose } from "../ops/index.ts";
import { broadcastShapes, noGrad, type Shape, sameShape, show, sizeOf, type Tensor } from "../tensor/index.ts";
import { type OnnxAttributes, OnnxGraph } from "./graph.ts";
import { type Dim, dimOf, FIXED, OnnxError, type Pair, type Traces, titleOf } from "./traces.ts";

/**
 * The name of a value. `first`: whether its axes are in the order of ONNX, with the channels after the batch (0, last,
 * 1, 2, …), instead of the order of the library.
 */
export type Value = { readonly name: string; readonly first: boolean };

/**
 * The order of axes that moves channels to the front, and the order that moves them back. Up to two axes stay as they
 * are.
 */
export const toFirst = (rank: number): number[] => Array.from({ length: rank }, (_, i) => (i < 1 ? 0 : i < 2 ? rank - 1 : i - 1));
const toLast = (rank: number): number[] => Array.from({ length: rank }, (_, i) => (i < 1 ? 0 : i < rank - 1 ? i + 1 : 1));

/** The options of an export, with defaults filled in. */
export type Settings = {
  readonly who: string;
  readonly materialized: boolean;
  readonly inputs: readonly string[];
  readonly imagesFirst: boolean;
};

/** Writes the nodes of a graph, one after another, as nodes of ONNX. */
export class Exporter {
  readonly graph: OnnxGraph = new OnnxGraph();
  readonly traces: Traces;
  readonly #settings: Settings;
  /** The constants that depend on the batch, replaced by a broadcast of a smaller constant. */
  readonly #pairs: Pair[];
  readonly #known: (Tensor | null)[];
  readonly #values = new Map<number, Value>();
  /** Values in the other order of axes, and arranged constants. */
  readonly #arranged = new Map<string, string>();
  #batch: string | null = null;

  constructor(traces: Traces, settings: Settings) {
    this.traces = traces;
    this.#settings = settings;
    this.#pairs = [...traces.pairs];
    this.#known = [...traces.known];
    for (const [at, i] of traces.inputs.entries()) {
      const name = this.graph.name(settings.inputs[at]!);
      this.#values.set(i, { name, first: settings.imagesFirst && this.shape(i).length === 4 });
    }
    for (const [i, [node]] of traces.pairs.entries()) if (node.kind === "constant" && this.#known[i] === null) this.#shrink(i);
  }

  node(i: number): GraphNode {
    return this.#pairs[i]![0];
  }

  /** The node and its record for the other size of the batch. */
  pair(i: number): Pair {
    return this.#pairs[i]!;
  }

  /** The shape for the first size of the batch, or (1) for the second. */
  shape(i: number, size: 0 | 1 = 0): Shape {
    return this.#pairs[i]![size].shape;
  }

  /** The lengths of a node; null for a length that is no multiple of the batch. */
  openDims(i: number): readonly (Dim | null)[] {
    return this.shape(i).map((n, axis) => dimOf(n, this.shape(i, 1)[axis]!, this.traces.sizes));
  }

  /** The lengths of a node that the file has to write down. */
  dims(i: number): readonly Dim[] {
    const dims = this.openDims(i);
    const at = dims.indexOf(null);
    if (at < 0) return dims as readonly Dim[];
    const [small, large] = this.traces.sizes;
    const lengths = `${this.shape(i)[at]} for a batch of ${small} and ${this.shape(i, 1)[at]} for a batch of ${large}`;
    return this.refuse(i, `axis ${at} has length ${lengths}: lengths must be multiples of the batch; ${FIXED}`);
  }

  /** The shape of an input of node i, whose axes from `from` on must not follow the batch. */
  fixed(i: number, input: number, from = 0): Shape {
    const at = this.openDims(input).findIndex((n, axis) => axis >= from && typeof n !== "number");
    return at < 0 ? this.shape(input) : this.refuse(i, `axis ${at} of an input follows the batch; ${FIXED}`);
  }

  refuse(i: number, why: string): never {
    throw new OnnxError(this.#settings.who, `${titleOf(this.node(i), this.traces.layers[i] ?? null)}: ${why}`);
  }

  /** The numbers that the file stores instead of the ops that compute them; null if the file holds ops. */
  stored(i: number): Tensor | null {
    const node = this.node(i);
    const isOp = node.kind === "op" || node.kind === "custom";
    return isOp && this.traces.trained[i] === true && !this.#settings.materialized ? null : this.#known[i]!;
  }

  /** Adds a node for node i of the graph. Returns the name of its first output. */
  emit(i: number, op: string, inputs: readonly string[], attributes?: OnnxAttributes, unused: readonly string[] = []): string {
    const scope = this.node(i).name ?? this.traces.layers[i] ?? null;
    const name = this.graph.name(scope === null ? op : `${scope}/${op}`);
    const others = unused.map((output) => this.graph.name(`${name}/${output}`));
    return this.graph.node(name, op, inputs, attributes, others);
  }

  set(i: number, value: Value): void {
    this.#values.set(i, value);
  }

  /** Whether node i was computed with its channels in front. */
  isFirst(i: number): boolean {
    return this.#values.get(i)?.first === true && this.shape(i).length > 2;
  }

  /** Node i in the order of axes in which it was computed. */
  native(i: number): Value {
    return this.isFirst(i) ? this.#values.get(i)! : { name: this.last(i), first: false };
  }

  /** Node i with its axes as in the library. */
  last(i: number): string {
    const value = this.#values.get(i);
    if (value === undefined) {
      const stored = this.stored(i)!;
      const isScalar = stored.shape.length === 0 && this.node(i).kind === "constant";
      const name = isScalar ? this.graph.filled(stored.item()) : this.graph.tensor(this.#nameOf(i), stored);
      this.#values.set(i, { name, first: false });
      return name;
    }
    return this.isFirst(i) ? this.#once(`${i} last`, () => this.#moved(i, value.name, toLast(this.shape(i).length))) : value.name;
  }

  /** Node i with its channels in front. */
  first(i: number): string {
    const rank = this.shape(i).length;
    if (this.isFirst(i)) return this.#values.get(i)!.name;
    return rank < 3 ? this.last(i) : this.arranged(i, this.shape(i), toFirst(rank));
  }

  /**
   * Node i as an operand of `rank` axes with its channels in front: NumPy adds axes of length 1 in front of its own
   * axes.
   */
  firstOperand(i: number, rank: number): string {
    const shape = this.shape(i);
    if (shape.length === rank) return this.first(i);
    return sizeOf(shape) === 1
      ? this.last(i)
      : this.arranged(i, [...new Array<number>(rank - shape.length).fill(1), ...shape], toFirst(rank));
  }

  /**
   * Node i, read with the lengths `from`, its axes in another order, and then read with the lengths `to`. Stored
   * numbers are moved here.
   */
  arranged(i: number, from: Shape, order: readonly number[], to?: Shape): string {
    return this.#once(`${i} [${from}] [${order}] [${to}]`, () => {
      const stored = this.stored(i);
      if (stored !== null) {
        const moved = noGrad(() => transpose(reshape(stored, from), order));
        return this.graph.tensor(this.#nameOf(i), to === undefined ? moved : reshape(moved, to));
      }
      const reshaped = (name: string, shape: Shape): string => this.emit(i, "Reshape", [name, this.graph.ints(shape)]);
      const whole = sameShape(from, this.shape(i)) ? this.last(i) : reshaped(this.last(i), from);
      const moved = this.#moved(i, whole, order);
      return to === undefined ? moved : reshaped(moved, to);
    });
  }

  #moved(i: number, name: string, order: readonly number[]): string {
    return this.emit(i, "Transpose", [name], { perm: order });
  }

  /** The inputs of an elementwise op, which may broadcast: without the broadcasts that ONNX does by itself. */
  operands(i: number): { readonly names: readonly string[]; readonly first: boolean } {
    const node = this.#pairs[i]![0] as Extract<GraphNode, { readonly kind: "op" }>;
    const rank = node.shape.length;
    const sources = this.#unbroadcast(i, node.inputs);
    const isFirst = sources.some((at) => this.isFirst(at) && this.shape(at).length === rank);
    const isFixed = (at: number): boolean => this.openDims(at).every((n) => typeof n === "number");
    const first = isFirst && sources.every((at) => this.shape(at).length === rank || isFixed(at));
    return { names: sources.map((at) => (first ? this.firstOperand(at, rank) : this.last(at))), first };
  }

  #unbroadcast(i: number, inputs: readonly number[]): readonly number[] {
    const sources = inputs.map((at) => {
      let source = at;
      for (;;) {
        const node = this.node(source);
        if (node.kind !== "op" || node.op !== "broadcastTo") return source;
        source = node.inputs[0]!;
      }
    });
    const isWhole = [0, 1].every((size) => {
      const shapes = sources.map((at) => this.#pairs[at]![size]!.shape);
      const whole = shapes.reduce((a, b) => broadcastShapes(this.#settings.who, a, b));
      return sameShape(whole, this.#pairs[i]![size]!.shape);
    });
    return isWhole ? sources : inputs;
  }

  /** A shape as a vector of int64, which the file computes from the batch if it has to. */
  shapeVector(i: number, dims: readonly Dim[]): string {
    if (dims.every((n) => typeof n === "number")) return this.graph.ints(dims);
    const parts = dims.map((n) => {
      if (typeof n === "number") return this.graph.ints([n]);
      return n.perExample === 1
        ? this.#batchVector()
        : this.emit(i, "Mul", [this.#batchVector(), this.graph.ints([n.perExample])]);
    });
    return parts.length === 1 ? parts[0]! : this.emit(i, "Concat", parts, { axis: 0 });
  }

  #batchVector(): string {
    const input = this.#values.get(this.traces.inputs[0]!)!.name;
    this.#batch ??= this.graph.node(this.graph.name("batch"), "Shape", [input], { start: 0, end: 1 });
    return this.#batch;
  }

  /** Whether node i is an input that is used for indices only. */
  isIndex(i: number): boolean {
    if (this.node(i).kind !== "input" || this.traces.outputs.includes(i)) return false;
    const uses = this.#pairs.flatMap(([node]) =>
      "inputs" in node ? node.inputs.flatMap((at, k) => (at === i ? [node.op === "take" && k === 1] : [])) : [],
    );
    return uses.length > 0 && uses.every((isIndex) => isIndex);
  }

  #nameOf(i: number): string {
    const node = this.node(i);
    const layer = this.traces.layers[i] ?? null;
    return node.name ?? `${layer === null ? "" : `${layer}/`}${"op" in node ? node.op : "constant"}`;
  }

  /** Replaces a constant whose length follows the batch by a broadcast of its numbers for one example. */
  #shrink(i: number): void {
    const [node, other] = this.#pairs[i]! as Pair<Extract<GraphNode, { readonly kind: "constant" }>>;
    const grown = node.shape.flatMap((n, axis) => (n === other.shape[axis] ? [] : [axis]));
    const size = node.shape.map((n, axis) => (grown.includes(axis) ? 1 : n));
    const begin = node.shape.map(() => 0);
    const [small, again] = noGrad(() => [slice(node.tensor, begin, size), slice(other.tensor, begin, size)]);
    if (grown.length === 0 || !repeats(node.tensor, small) || !repeats(other.tensor, again) || !repeats(again, small)) {
      const reader = this.#pairs.findIndex(([{ kind }, other]) => kind === "op" && "inputs" in other && other.inputs.includes(i));
      const why = `reads a constant ${show(node.shape)} whose numbers depend on the batch, such as random numbers or item()`;
      this.refuse(Math.max(reader, 0), `${why}; compute them from the inputs by ops, or ${FIXED}`);
    }
    const at = this.#pairs.length;
    const constant: GraphNode = { ...node, shape: size, tensor: small };
    this.#pairs.push([constant, constant]);
    this.#known.push(small);
    const broadcast = ({ shape }: GraphNode): GraphNode => ({
      kind: "op",
      op: "broadcastTo",
      attributes: { shape },
      inputs: [at],
      shape,
      name: null,
    });
    this.#pairs[i] = [broadcast(node), broadcast(other)];
  }

  #once(key: string, make: () => string): string {
    const known = this.#arranged.get(key);
    if (known !== undefined) return known;
    const name = make();
    this.#arranged.set(key, name);
    return name;
  }
}

/** Whether x is `one`, broadcast to the shape of x. */
function repeats(x: Tensor, one: Tensor): boolean {
  const whole = noGrad(() => broadcastTo(one, x.shape)).data;
  return x.data.every((v, i) => Object.is(v, whole[i]));
}
