import { add, mul, relu, straightThroughSign } from "../ops/index.ts";
import {
  checkLengths,
  readFunction,
  readNumber,
  readObject,
  readTensor,
  readText,
  type Shape,
  type Tensor,
} from "../tensor/index.ts";
import { fansOf, type Initializer, onesInit, readInitializer } from "../variables/index.ts";

/** What a modifier may know of the variable whose slice it changes. */
export type ModifierContext = {
  readonly name: string;
  readonly shape: Shape;
  /** How the layer would have started the variable, had it its own numbers. */
  readonly init: Initializer;
  /** The standard deviation that slices of the pool start with. */
  readonly stddev: number;
  /**
   * A trained variable of the modifier's own, `<name>/<suffix>`: the same on every read, never taken from the pool. `shape` [] and ones
   * where left out.
   */
  readonly variable: (suffix: string, shape?: Shape, init?: Initializer) => Tensor;
};

/**
 * Changes a slice of the pool before the layer sees it. Runs on every read, and once on zeros when the variable is created, so that
 * variables it asks for exist from the start.
 */
export type Modifier = {
  (slice: Tensor, context: ModifierContext): Tensor;
  /**
   * What files record, so that a model with another modifier is refused. Left out: the name of the function, which a minifier changes
   * and an unnamed function lacks; `namedModifier` sets it.
   */
  readonly kind?: string;
};

/** The same modifier with a kind that files record: it should name all options that change the weights. */
export function namedModifier(kind: string, modifier: Modifier): Modifier {
  readText("namedModifier", "kind", kind);
  readFunction("namedModifier", "modifier", modifier);
  return Object.assign((slice: Tensor, context: ModifierContext): Tensor => modifier(slice, context), { kind });
}

/** What files record of a modifier. */
export function modifierKind(modifier: Modifier | null): string {
  if (modifier === null) return "none";
  if (typeof modifier.kind === "string") return modifier.kind;
  return modifier.name === "" ? "a function without a name" : modifier.name;
}

/** A modifier of the library: its arguments are checked, and files record `kind`. */
function builtIn(name: string, kind: string, modify: Modifier): Modifier {
  return namedModifier(kind, (slice, context) => {
    readTensor(name, "slice", slice);
    const { shape, stddev, variable, init } = readObject(name, "context", context);
    checkLengths(name, shape);
    readNumber(name, "context.stddev", stddev);
    readFunction(name, "context.variable", variable);
    readInitializer(name, "context.init", init);
    const checked: ModifierContext["variable"] = (...args) =>
      readTensor(name, "what context.variable returns", variable(...args));
    return modify(slice, { ...context, variable: checked });
  });
}

/** No negative weights. */
export const reluModifier: Modifier = /* @__PURE__ */ builtIn("reluModifier", "relu", (slice) => relu(slice));

/** √(2/(kh·kw·out)) for kernels [kh, kw, in, out], 1/√out for matrices [in, out], 1 for anything else (EfficientNet's scale). */
export function fanoutScale(shape: Shape): number {
  checkLengths("fanoutScale", shape);
  if (shape.length === 4) return Math.sqrt(2 / (shape[0]! * shape[1]! * shape[3]!));
  return shape.length === 2 ? 1 / Math.sqrt(shape[1]!) : 1;
}

/** Times `fanoutScale(shape)`. */
export const constantFanoutScaleModifier: Modifier = /* @__PURE__ */ builtIn(
  "constantFanoutScaleModifier",
  "constant fan-out scale",
  (slice, { shape }) => mul(slice, fanoutScale(shape)),
);

/** What the seed calls `constantFanoutScaleModifier`. */
export const fanoutScaleModifier: Modifier = constantFanoutScaleModifier;

/** Times √(1/fanIn), fanIn being the numbers one output reads; 1 for biases and other shapes with fewer than two axes. */
export const constantFaninScaleModifier: Modifier = /* @__PURE__ */ builtIn(
  "constantFaninScaleModifier",
  "constant fan-in scale",
  (slice, { shape }) => mul(slice, shape.length < 2 ? 1 : Math.sqrt(1 / fansOf(shape).fanIn)),
);

/** Times a learned number, `<name>/scale`, which starts at 1. */
export const variableScaleModifier: Modifier = /* @__PURE__ */ builtIn(
  "variableScaleModifier",
  "learned scale",
  (slice, { variable }) => mul(slice, variable("scale")),
);

/** Times `fanoutScale(shape)` and a learned number. */
export const variableFanoutScaleModifier: Modifier = /* @__PURE__ */ builtIn(
  "variableFanoutScaleModifier",
  "learned fan-out scale",
  (slice, { shape, variable }) => mul(slice, mul(variable("scale"), fanoutScale(shape))),
);

/** −1, 0 or 1 by the sign; the gradient passes as if nothing had happened (straight through). */
export const signModifier: Modifier = /* @__PURE__ */ builtIn("signModifier", "sign", (slice) => straightThroughSign(slice));

/** One after another, from left to right. The variables of the second, third, … get their place in the name: `scale`, `scale_1`. */
export function composeModifiers(...modifiers: readonly Modifier[]): Modifier {
  for (const [i, modifier] of modifiers.entries()) readFunction("composeModifiers", `modifier ${i}`, modifier);
  return builtIn("composeModifiers", `compose(${modifiers.map(modifierKind).join(", ")})`, (slice, context) =>
    modifiers.reduce((x, modifier, i) => {
      const variable: ModifierContext["variable"] = (suffix, shape = [], init = onesInit) =>
        context.variable(i === 0 ? suffix : `${suffix}_${i}`, shape, init);
      return readTensor("composeModifiers", `the result of modifier ${i}`, modifier(x, { ...context, variable }));
    }, slice),
  );
}

/** What a variable whose own initialiser is a constant varies by when it is taken from the pool. */
const CONSTANT_DEVIATION = 0.01;

/**
 * What a factory does where no modifier is given: each slice starts with the mean and deviation of the layer's own initialiser, and its
 * scale is learned (the paper's section on scaling): init.mean + slice·(init.deviation/stddev)·scale. A constant initialiser has no
 * deviation; 0.01 stands in for it.
 */
export const initializerScaleModifier: Modifier = /* @__PURE__ */ builtIn(
  "initializerScaleModifier",
  "initializer scale",
  (slice, { shape, init, stddev, variable }) => {
    const deviation = init.deviation(shape) || CONSTANT_DEVIATION;
    const scaled = mul(slice, mul(variable("scale"), deviation / stddev));
    return init.mean === 0 ? scaled : add(scaled, init.mean);
  },
);
