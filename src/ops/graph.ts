import type { Activation, Kernels, Numbers } from "../kernels/index.ts";
import type { Attributes, Shape, Tensor } from "../tensor/index.ts";
import type { ExactPadding } from "./windows.ts";

type Forward = (x: Numbers, y: Numbers) => void;
type Backward = (x: Numbers, y: Numbers, dy: Numbers, dx: Numbers, accumulate: boolean) => void;
/** Ops of one tensor that are a kernel `op(x, y)` and its gradient `opGrad(x, y, dy, dx, accumulate)`. */
export type Unary = {
  [K in keyof Kernels]: `${K}Grad` extends keyof Kernels
    ? [Kernels[K], Kernels[`${K}Grad`]] extends [Forward, Backward]
      ? K
      : never
    : never;
}[keyof Kernels];

/** Ops without attributes: their result depends on their inputs only. */
type Plain =
  | Unary
  | "add"
  | "cos"
  | "div"
  | "equal"
  | "floor"
  | "greater"
  | "greaterEqual"
  | "less"
  | "lessEqual"
  | "maximum"
  | "minimum"
  | "mish"
  | "mul"
  | "mulUnlessZero"
  | "notEqual"
  | "pow"
  | "round"
  | "sin"
  | "straightThroughSign"
  | "sub"
  | "where";

type Reduce = { readonly axis: readonly number[]; readonly keepDims: boolean };
type AlongAxis = { readonly axis: number };
type Epsilon = { readonly epsilon: number };
type BatchNorm = Epsilon & { readonly activation: Activation; readonly gamma: boolean; readonly beta: boolean };
type Lengths = readonly [height: number, width: number];
type Pooling = { readonly size: Lengths; readonly strides: Lengths; readonly padding: ExactPadding };
type Convolution = { readonly strides: Lengths; readonly dilations: Lengths; readonly padding: ExactPadding };

/**
 * The attributes of each op, with defaults filled in and axes counted from 0. Calling the function of the op's name
 * with the inputs and these attributes returns the recorded numbers; docs/graph.md lists the calls. Other functions,
 * such as `crossEntropy` with its reduction or `globalAvgPool2d`, are recorded as the ops that they call.
 */
export type OpAttributes = Readonly<Record<Plain, Readonly<Record<string, never>>>> & {
  readonly avgPool2d: Pooling;
  /** Inputs [x, mean, variance], then gamma and beta, as far as the attributes say that they are there. */
  readonly batchNormInference: BatchNorm;
  /**
   * Inputs [x], then gamma and beta, as far as they are there. `output`: which of the three results of the function
   * this is.
   */
  readonly batchNormTraining: BatchNorm & { readonly output: "y" | "mean" | "variance" };
  readonly broadcastTo: { readonly shape: Shape };
  readonly clip: { readonly low: number; readonly high: number };
  readonly concat: AlongAxis;
  /** Inputs [x, kernel], or [x, kernel, bias]. */
  readonly conv2d: Convolution & { readonly groups: number };
  /** Inputs [x, kernel], or [x, kernel, bias]. */
  readonly conv2dTranspose: Convolution & { readonly outputPadding: Lengths; readonly groups: number };
  /** One loss per row of logits. */
  readonly crossEntropy: { readonly labels: Int32Array; readonly labelSmoothing: number; readonly reduction: "none" };
  readonly cumsum: AlongAxis;
  readonly cyclicSlice: { readonly begin: number; readonly length: number };
  /** Inputs [x, kernel], or [x, kernel, bias]. */
  readonly depthwiseConv2d: Convolution;
  readonly elu: { readonly alpha: number };
  readonly flip: { readonly axis: readonly number[] };
  readonly gather: AlongAxis & { readonly indices: Int32Array };
  readonly gelu: { readonly approximate: "tanh" | "none" };
  /** Input [x]: gamma and beta are a `mul` and an `add` that follow. */
  readonly layerNorm: Epsilon;
  readonly leakyRelu: { readonly alpha: number };
  readonly logSoftmax: AlongAxis;
  readonly logSumExp: Reduce;
  /** Inputs [a, b], or [a, b, bias]. */
  readonly matmul: { readonly transposeA: boolean; readonly transposeB: boolean };
  readonly max: Reduce;
  readonly maxPool2d: Pooling;
  readonly mean: Reduce;
  readonly min: Reduce;
  readonly norm: Reduce;
  readonly pad: { readonly padding: readonly (readonly [before: number, after: number])[]; readonly value: number };
  readonly prod: Reduce;
  readonly reshape: { readonly shape: Shape };
  /** No strides if all are 1. */
  readonly slice: { readonly begin: readonly number[]; readonly size: readonly number[]; readonly strides?: readonly number[] };
  readonly softmax: AlongAxis;
  readonly sum: Reduce;
  /** Inputs [x, indices]. */
  readonly take: AlongAxis;
  /** The values, not the indices. */
  readonly topK: AlongAxis & { readonly k: number };
  readonly transpose: { readonly order: readonly number[] };
};

type Named = {
  readonly shape: Shape;
  /**
   * The name of the variable whose numbers these are, or null. Computed weights of a pool have the name of their
   * variable.
   */
  readonly name: string | null;
};

type Result = Named & {
  /** The nodes that the op reads, in the order of its arguments. */
  readonly inputs: readonly number[];
};

/** The node of one op. */
type OpNodes = {
  readonly [Op in keyof OpAttributes]: Result & {
    readonly kind: "op";
    readonly op: Op;
    readonly attributes: OpAttributes[Op];
  };
};

/**
 * One tensor of a graph.
 * - "input": an argument of the traced function.
 * - "parameter": a variable. `tensor` is the variable itself, with its current numbers.
 * - "constant": a tensor that no op of the function computed. `tensor` is a copy.
 * - "op": the result of an op of the library.
 * - "custom": the result of a user's op that called `record`. Only its name, its attributes and its inputs are known.
 */
export type GraphNode =
  | (Named & { readonly kind: "input" })
  | (Named & { readonly kind: "parameter"; readonly trainable: boolean; readonly tensor: Tensor })
  | (Named & { readonly kind: "constant"; readonly tensor: Tensor })
  | OpNodes[keyof OpNodes]
  | (Result & { readonly kind: "custom"; readonly op: string; readonly attributes: Attributes });

/** The graph of a function. A node comes after the nodes that it reads. */
export type Graph = {
  /** All nodes, in the order of computation. */
  readonly nodes: readonly GraphNode[];
  /** The nodes of the function's arguments, in their order. */
  readonly inputs: readonly number[];
  /** The nodes of the function's results, in their order. */
  readonly outputs: readonly number[];
};
