import {
  assign,
  inference,
  keep,
  noGrad,
  readFunction,
  readTensors,
  refusePromise,
  type Shape,
  type Source,
  stopGradient,
  Tensor,
  traceNow,
  ValueError,
  type Watch,
  watched,
} from "../tensor/index.ts";
import type { Graph, GraphNode } from "./graph.ts";

/**
 * A recorded function. `values[i]` is the tensor of node i, so the first value that is not finite shows the faulty op.
 */
export type Traced = {
  readonly graph: Graph;
  readonly outputs: readonly Tensor[];
  readonly values: readonly Tensor[];
};

/**
 * Runs `fn` once on `inputs`, in inference mode and without gradients. Returns the graph of ops that computed the
 * results, and the values.
 *
 * The graph is valid for inputs of these shapes. Constants are tensors from outside `fn`, and numbers that `fn` reads
 * from a tensor (`item()`, `toArray()`, `argMax`). `stopGradient`, `keep` and `customGradient` leave no node. The graph
 * holds only nodes that the results depend on.
 * @param fn - a synchronous function of tensors, such as a model
 * @param inputs - the arguments of `fn`, of any shape
 * @throws ValueError if `fn` is async, returns anything but tensors, calls `trace`, or assigns to a variable.
 * @example
 * const { graph } = trace((x) => relu(mul(x, 2)), [ones([3])]);
 * const names = graph.nodes.map((node) => (node.kind === "op" ? node.op : node.kind));
 * console.log(names); //=> [ 'input', 'constant', 'mul', 'relu' ]
 */
export function trace(fn: (...inputs: Tensor[]) => Tensor | readonly Tensor[], inputs: readonly Tensor[]): Traced {
  readFunction("trace", "fn", fn);
  if (traceNow() > 0) throw new ValueError("trace", "fn must not call trace");
  // New tensors, because fn may also read the given tensors.
  const given = readTensors("trace", "inputs", inputs).map(stopGradient);
  return watched((watch) => {
    const result = inference(() => noGrad(() => refusePromise("trace", fn(...given))));
    const outputs = result instanceof Tensor ? [result] : readTensors("trace", "the result of fn", result).slice();
    refuseAssigned(watch);
    return { outputs, ...graphOf(given, outputs, watch) };
  }, true);
}

/** Throws if a variable was assigned to, after giving it its numbers back. */
function refuseAssigned({ assigned }: Watch): void {
  const [first] = assigned.keys();
  if (first === undefined) return;
  for (const [x, before] of [...assigned]) assign(x, before);
  const name = first.name === null ? "a variable" : `the variable "${first.name}"`;
  throw new ValueError("trace", `fn assigns to ${name}, which a graph cannot record; call layers outside of training()`);
}

function graphOf(inputs: readonly Tensor[], results: readonly Tensor[], watch: Watch): Omit<Traced, "outputs"> {
  const outputs = results.map((y) => original(y, watch));
  const found = new Set(outputs);
  const inputsOf = (x: Tensor): Tensor[] => (watch.sources.get(x)?.inputs ?? []).map((input) => original(input, watch));
  for (const x of found) for (const input of inputsOf(x)) found.add(input); // grows while it is read
  const orderOf = (x: Tensor): number => watch.sources.get(x)!.order;
  const made = [...found].filter((x) => watch.sources.has(x)).sort((a, b) => orderOf(a) - orderOf(b));
  const isLeaf = (x: Tensor): boolean => !watch.sources.has(x);
  // Inputs, then the other leaves in the order in which they are read, then the ops in the order in which they ran.
  const values = [...new Set([...inputs, ...[...made.flatMap(inputsOf), ...outputs].filter(isLeaf), ...made])];
  const indices = new Map(values.map((x, i) => [x, i]));
  const indexOf = (x: Tensor): number => indices.get(original(x, watch))!;
  const nodes = values.map((x, i): GraphNode => {
    const { shape, name } = x;
    if (i < inputs.length) return { kind: "input", shape, name };
    const source = watch.sources.get(x);
    if (source !== undefined) return nodeOf(source, { shape, name }, source.inputs.map(indexOf), watch.users?.has(x) === true);
    if (x.leaf !== null) return { kind: "parameter", shape, name, trainable: x.tracked, tensor: x };
    return { kind: "constant", shape, name, tensor: keep(x) };
  });
  return { graph: { nodes, inputs: inputs.map(indexOf), outputs: outputs.map(indexOf) }, values };
}

/**
 * The tensor whose numbers x has: for a copy, for x without its history, for what a user's own gradient was wrapped
 * around.
 */
function original(x: Tensor, watch: Watch): Tensor {
  let found = x;
  for (;;) {
    const inner = watch.users?.get(found);
    const source = inner === undefined ? watch.sources.get(found) : undefined;
    const next = inner ?? (source?.op === "stopGradient" || source?.op === "keep" ? source.inputs[0] : undefined);
    if (next === undefined) return found;
    found = next;
  }
}

function nodeOf(
  { op, attributes }: Source,
  own: { readonly shape: Shape; readonly name: string | null },
  inputs: readonly number[],
  custom: boolean,
): GraphNode {
  if (custom) return { kind: "custom", op, attributes: { ...attributes }, inputs, ...own };
  // The compiler checks both types where the library's ops call `record`.
  return { kind: "op", op, attributes: { ...attributes }, inputs, ...own } as GraphNode;
}
