import type { OpAttributes } from "../ops/index.ts";
import type { Exporter } from "./exporter.ts";
import { BOOL, FLOAT, type OnnxAttributes } from "./graph.ts";
import type { WithoutAttributes, Writer, Writers } from "./writer.ts";

// Ops that compute each element separately. They keep the order of axes of their inputs.

/** Adds a node for node i of the graph. */
type Emit = (op: string, inputs: readonly (string | number)[], attributes?: OnnxAttributes) => string;

/** A function of one value, written with `emit`. A number stands for a scalar. */
type Curve<Attributes = unknown> = (emit: Emit, x: string, attributes: Attributes) => string;

const emitter =
  (to: Exporter, i: number): Emit =>
  (op, inputs, attributes) =>
    to.emit(
      i,
      op,
      inputs.map((x) => (typeof x === "number" ? to.graph.filled(x) : x)),
      attributes,
    );

const ofOne =
  <Attributes>(curve: Curve<Attributes>): Writer<Attributes> =>
  (to, i, { inputs, attributes }) => {
    const { name, first } = to.native(inputs[0]!);
    return { name: curve(emitter(to, i), name, attributes), first };
  };

/** The op of ONNX with this name. */
const single = (op: string, attributes?: OnnxAttributes): Writer<unknown> => ofOne((emit, x) => emit(op, [x], attributes));

const silu: Curve = (emit, x) => emit("Mul", [x, emit("Sigmoid", [x])]);
const relu6: Curve = (emit, x) => emit("Clip", [x, 0, 6]);

/** The activations that other ops apply to their results. */
export function activated(to: Exporter, i: number, activation: string, x: string): string {
  const emit = emitter(to, i);
  if (activation === "relu") return emit("Relu", [x]);
  if (activation === "relu6") return relu6(emit, x, null);
  if (activation === "hardSwish") return emit("HardSwish", [x]);
  return activation === "silu" ? silu(emit, x, null) : x;
}

/** x·Φ(x): ½·x·(1 + erf(x/√2)), or with tanh(√(2/π)·(x + 0.044715·x³)) in place of erf. */
const gelu: Curve<OpAttributes["gelu"]> = (emit, x, { approximate }) => {
  const half = emit("Mul", [x, 0.5]);
  if (approximate === "none") return emit("Mul", [half, emit("Add", [emit("Erf", [emit("Mul", [x, Math.SQRT1_2])]), 1])]);
  const cube = emit("Mul", [emit("Mul", [emit("Mul", [x, x]), x]), 0.044715]);
  const inner = emit("Mul", [emit("Add", [x, cube]), Math.sqrt(2 / Math.PI)]);
  return emit("Mul", [half, emit("Add", [emit("Tanh", [inner]), 1])]);
};

type Pairwise = (emit: Emit, operands: readonly string[]) => string;

const ofSeveral =
  (compute: Pairwise): Writer<unknown> =>
  (to, i) => {
    const { names, first } = to.operands(i);
    return { name: compute(emitter(to, i), names), first };
  };

const pairwise = (op: string): Writer<unknown> => ofSeveral((emit, names) => emit(op, names));
const asFloat = (emit: Emit, condition: string): string => emit("Cast", [condition], { to: FLOAT });
const comparison = (op: string): Writer<unknown> => ofSeveral((emit, names) => asFloat(emit, emit(op, names)));

export const curves: Pick<Writers, WithoutAttributes | "clip" | "elu" | "gelu" | "leakyRelu"> = {
  abs: single("Abs"),
  add: pairwise("Add"),
  clip: ofOne<OpAttributes["clip"]>((emit, x, { low, high }) => emit("Clip", [x, low, high])),
  cos: single("Cos"),
  div: pairwise("Div"),
  elu: ofOne<OpAttributes["elu"]>((emit, x, { alpha }) => emit("Elu", [x], { alpha: { float: alpha } })),
  equal: comparison("Equal"),
  erf: single("Erf"),
  exp: single("Exp"),
  floor: single("Floor"),
  gelu: ofOne(gelu),
  greater: comparison("Greater"),
  greaterEqual: comparison("GreaterOrEqual"),
  hardSigmoid: single("HardSigmoid", { alpha: { float: 1 / 6 }, beta: { float: 0.5 } }),
  hardSwish: single("HardSwish"),
  leakyRelu: ofOne<OpAttributes["leakyRelu"]>((emit, x, { alpha }) => emit("LeakyRelu", [x], { alpha: { float: alpha } })),
  less: comparison("Less"),
  lessEqual: comparison("LessOrEqual"),
  log: single("Log"),
  maximum: pairwise("Max"),
  minimum: pairwise("Min"),
  mish: ofOne((emit, x) => emit("Mul", [x, emit("Tanh", [emit("Softplus", [x])])])),
  mul: pairwise("Mul"),
  mulUnlessZero: ofSeveral((emit, [weight, x]) => emit("Where", [emit("Equal", [weight!, 0]), 0, emit("Mul", [weight!, x!])])),
  neg: single("Neg"),
  notEqual: ofSeveral((emit, names) => asFloat(emit, emit("Not", [emit("Equal", names)]))),
  pow: pairwise("Pow"),
  reciprocal: single("Reciprocal"),
  relu: single("Relu"),
  relu6: ofOne(relu6),
  round: single("Round"),
  sigmoid: single("Sigmoid"),
  silu: ofOne(silu),
  sin: single("Sin"),
  softplus: single("Softplus"),
  sqrt: single("Sqrt"),
  square: ofOne((emit, x) => emit("Mul", [x, x])),
  straightThroughSign: single("Sign"),
  sub: pairwise("Sub"),
  tanh: single("Tanh"),
  where: ofSeveral((emit, [condition, x, y]) => emit("Where", [emit("Cast", [condition!], { to: BOOL }), x!, y!])),
};
