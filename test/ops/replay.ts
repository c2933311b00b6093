import * as ops from "../../src/ops/index.ts";
import { show, type Tensor, tensor } from "../../src/tensor/index.ts";

type Op = keyof ops.OpAttributes;
type WithoutAttributes = { [K in Op]: ops.OpAttributes[K] extends Readonly<Record<string, never>> ? K : never }[Op];
type Calls = {
  readonly [K in Exclude<Op, WithoutAttributes>]: (
    attributes: ops.OpAttributes[K],
    x: Tensor,
    y: Tensor,
    z: Tensor,
    ...more: Tensor[]
  ) => Tensor;
};

/**
 * How the public function of each op with attributes is called with these and the inputs; docs/graph.md says the same
 * in a table. Other ops are called with their inputs.
 */
export const calls: Calls = {
  avgPool2d: ({ size, ...options }, x) => ops.avgPool2d(x, size, options),
  batchNormInference: ({ epsilon, activation, ...there }, x, mean, variance, ...vectors) =>
    ops.batchNormInference(x, ...placed(there, vectors), mean, variance, epsilon, { activation }),
  batchNormTraining: ({ epsilon, activation, output, ...there }, x, ...vectors) =>
    ops.batchNormTraining(x, ...placed(there, vectors), epsilon, { activation })[output],
  broadcastTo: ({ shape }, x) => ops.broadcastTo(x, shape),
  clip: ({ low, high }, x) => ops.clip(x, low, high),
  concat: ({ axis }, ...xs) => ops.concat(xs, axis),
  conv2dTranspose: (options, x, kernel, bias) => ops.conv2dTranspose(x, kernel, { ...options, ...optional(bias) }),
  conv2d: (options, x, kernel, bias) => ops.conv2d(x, kernel, { ...options, ...optional(bias) }),
  crossEntropy: ({ labels, ...options }, logits) => ops.crossEntropy(logits, labels, options),
  cumsum: ({ axis }, x) => ops.cumsum(x, axis),
  cyclicSlice: ({ begin, length }, x) => ops.cyclicSlice(x, begin, length),
  depthwiseConv2d: (options, x, kernel, bias) => ops.depthwiseConv2d(x, kernel, { ...options, ...optional(bias) }),
  elu: ({ alpha }, x) => ops.elu(x, alpha),
  flip: ({ axis }, x) => ops.flip(x, axis),
  gather: ({ indices, axis }, x) => ops.gather(x, indices, axis),
  gelu: (options, x) => ops.gelu(x, options),
  layerNorm: ({ epsilon }, x) => ops.layerNorm(x, undefined, undefined, epsilon),
  leakyRelu: ({ alpha }, x) => ops.leakyRelu(x, alpha),
  logSoftmax: ({ axis }, x) => ops.logSoftmax(x, axis),
  logSumExp: ({ axis, ...options }, x) => ops.logSumExp(x, axis, options),
  matmul: (options, a, b, bias) => ops.matmul(a, b, { ...options, ...optional(bias) }),
  max: ({ axis, ...options }, x) => ops.max(x, axis, options),
  maxPool2d: ({ size, ...options }, x) => ops.maxPool2d(x, size, options),
  mean: ({ axis, ...options }, x) => ops.mean(x, axis, options),
  min: ({ axis, ...options }, x) => ops.min(x, axis, options),
  norm: ({ axis, ...options }, x) => ops.norm(x, axis, options),
  pad: ({ padding, value }, x) => ops.pad(x, padding, value),
  prod: ({ axis, ...options }, x) => ops.prod(x, axis, options),
  reshape: ({ shape }, x) => ops.reshape(x, shape),
  slice: ({ begin, size, ...options }, x) => ops.slice(x, begin, size, options),
  softmax: ({ axis }, x) => ops.softmax(x, axis),
  sum: ({ axis, ...options }, x) => ops.sum(x, axis, options),
  take: ({ axis }, x, ids) => ops.take(x, ids, axis),
  topK: ({ k, axis }, x) => ops.topK(x, k, axis).values,
  transpose: ({ order }, x) => ops.transpose(x, order),
};

type Vectors = readonly [gamma: Tensor | undefined, beta: Tensor | undefined];
/** gamma and beta, of which the attributes say whether they are there. */
const placed = ({ gamma, beta }: { readonly gamma: boolean; readonly beta: boolean }, given: readonly Tensor[]): Vectors => [
  gamma ? given[0] : undefined,
  beta ? given.at(-1) : undefined,
];

const optional = (bias: Tensor | undefined): { readonly bias?: Tensor } => (bias === undefined ? {} : { bias });

type OpNode = Extract<ops.GraphNode, { readonly kind: "op" }>;
type Call = (attributes: OpNode["attributes"], ...inputs: readonly Tensor[]) => Tensor;

function callOf({ op, attributes }: OpNode, xs: readonly Tensor[]): Tensor {
  const call = (calls as Readonly<Record<string, Call | undefined>>)[op];
  if (call !== undefined) return call(attributes, ...xs);
  const plain: unknown = Reflect.get(ops, op);
  if (typeof plain !== "function" || Object.keys(attributes).length > 0) throw new Error(`${op} is not an op of the table`);
  return Reflect.apply(plain, null, xs) as Tensor;
}

/** The tensor of every node of a graph, for other inputs too. */
export function replay(graph: ops.Graph, inputs: readonly Tensor[]): Tensor[] {
  const values: Tensor[] = [];
  for (const [i, node] of graph.nodes.entries()) values.push(tensorOf(node, i));
  return values;

  function tensorOf(node: ops.GraphNode, i: number): Tensor {
    if (node.kind === "input") return inputs[graph.inputs.indexOf(i)]!;
    if (node.kind === "constant" || node.kind === "parameter") return node.tensor;
    if (node.kind === "custom") throw new Error(`${node.op} is a user's op`);
    return callOf(
      node,
      node.inputs.map((at) => values[at]!),
    );
  }
}

/** Throws unless two tensors have the same shape and the same bits; all NaN are equal. */
function compare(what: string, got: Tensor, want: Tensor): void {
  if (show(got.shape) !== show(want.shape))
    throw new Error(`${what}: replayed shape ${show(got.shape)}, not ${show(want.shape)}`);
  for (let i = 0; i < want.size; i++) {
    if (!Object.is(got.data[i], want.data[i])) throw new Error(`${what}: element ${i} is ${got.data[i]}, not ${want.data[i]}`);
  }
}

/** The ops that `checkReplay` has met. */
export const met: Set<string> = new Set();

/**
 * Calls each op of f's graph by its name and attributes. Throws unless this gives the numbers of f bit for bit: all
 * nodes for `xs`, and the results for other inputs.
 */
export function checkReplay(f: (...xs: Tensor[]) => Tensor | readonly Tensor[], xs: readonly Tensor[]): void {
  const { graph, outputs, values } = ops.trace(f, xs);
  for (const node of graph.nodes) if (node.kind === "op") met.add(node.op);
  for (const [i, value] of replay(graph, xs).entries()) compare(nameOf(graph.nodes[i]!), value, values[i]!);
  for (const [i, at] of graph.outputs.entries()) compare(`result ${i}`, values[at]!, outputs[i]!);
  const others = xs.map((x) =>
    tensor(
      Float32Array.from(x.data, (v) => 0.75 * v),
      x.shape,
    ),
  );
  const result = f(...others);
  const replayed = replay(graph, others);
  const wanted = Array.isArray(result) ? result : [result];
  for (const [i, want] of wanted.entries()) compare(`result ${i} of other inputs`, replayed[graph.outputs[i]!]!, want);
}

const nameOf = (node: ops.GraphNode): string => ("op" in node ? `${node.op} ${JSON.stringify(node.attributes)}` : node.kind);
