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

/** What a modifier knows of the variable whose slice it changes. */
export type ModifierContext = {
  /** The name of the variable. */
  readonly name: string;
  /** The shape of the variable. */
  readonly shape: Shape;
  /** The initializer that the layer gave for the variable. */
  readonly init: Initializer;
  /** The standard deviation of slices at the start. */
  readonly stddev: number;
  /**
   * A trained variable of the modifier, named `<name>/<suffix>`. Every read returns the same variable. It never comes
   * from the pool.
   * Default shape [], default initializer ones.
   */
  readonly variable: (suffix: string, shape?: Shape, init?: Initializer) => Tensor;
};

/**
 * Changes a slice of the pool before the layer reads it. Runs on every read. It also runs once on zeros when the
 * variable is created, so that its own variables exist from the start.
 */
export type Modifier = {
  (slice: Tensor, context: ModifierContext): Tensor;
  /**
   * Files record the kind, so that loading into a model with another modifier is an error. Default: the name of the
   * function. A minifier changes this name, and an unnamed function has none; `namedModifier` sets a kind.
   */
  readonly kind?: string;
};

/**
 * Returns the same modifier with a kind that files record. The kind should name all options that change the weights.
 * @param kind - the kind
 * @param modifier - the modifier
 * @example
 * const half = namedModifier("half", (slice) => mul(slice, 0.5));
 * console.log(half.kind); //=> half
 */
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

/** Modifier: replaces negative weights by 0. */
export const reluModifier: Modifier = /* @__PURE__ */ builtIn("reluModifier", "relu", (slice) => relu(slice));

/**
 * Returns the scale of EfficientNet: √(2/(kh·kw·out)) for kernels [kh, kw, in, out], 1/√out for matrices [in, out],
 * else 1.
 * @param shape - the shape of a variable
 * @example
 * console.log(fanoutScale([3, 3, 8, 2]), fanoutScale([8, 4])); //=> 0.3333333333333333 0.5
 */
export function fanoutScale(shape: Shape): number {
  checkLengths("fanoutScale", shape);
  if (shape.length === 4) return Math.sqrt(2 / (shape[0]! * shape[1]! * shape[3]!));
  return shape.length === 2 ? 1 / Math.sqrt(shape[1]!) : 1;
}

/** Modifier: multiplies by `fanoutScale(shape)`. */
export const constantFanoutScaleModifier: Modifier = /* @__PURE__ */ builtIn(
  "constantFanoutScaleModifier",
  "constant fan-out scale",
  (slice, { shape }) => mul(slice, fanoutScale(shape)),
);

/** The name of `constantFanoutScaleModifier` in the original README. */
export const fanoutScaleModifier: Modifier = constantFanoutScaleModifier;

/**
 * Modifier: multiplies by √(1/fanIn). fanIn is the number of values that one output reads. The factor is 1 for shapes
 * with fewer than two axes.
 */
export const constantFaninScaleModifier: Modifier = /* @__PURE__ */ builtIn(
  "constantFaninScaleModifier",
  "constant fan-in scale",
  (slice, { shape }) => mul(slice, shape.length < 2 ? 1 : Math.sqrt(1 / fansOf(shape).fanIn)),
);

/** Modifier: multiplies by a learned number, `<name>/scale`, which starts at 1. */
export const variableScaleModifier: Modifier = /* @__PURE__ */ builtIn(
  "variableScaleModifier",
  "learned scale",
  (slice, { variable }) => mul(slice, variable("scale")),
);

/** Modifier: multiplies by `fanoutScale(shape)` and a learned number. */
export const variableFanoutScaleModifier: Modifier = /* @__PURE__ */ builtIn(
  "variableFanoutScaleModifier",
  "learned fan-out scale",
  (slice, { shape, variable }) => mul(slice, mul(variable("scale"), fanoutScale(shape))),
);

/**
 * Modifier: replaces weights by their signs, −1, 0 or 1. The gradient passes unchanged (straight-through estimator).
 */
export const signModifier: Modifier = /* @__PURE__ */ builtIn("signModifier", "sign", (slice) => straightThroughSign(slice));

/**
 * Returns a modifier that applies modifiers from left to right. Variables of later modifiers have numbered names:
 * `scale`, `scale_1`.
 * @param modifiers - the modifiers
 * @example
 * const modifier = composeModifiers(reluModifier, variableScaleModifier);
 * const { vars } = compress((vars) => dense(vars, 20, 20), { fraction: 0.5, modifier });
 * console.log(vars.parameters().map(({ name }) => name).slice(2)); //=> [ 'kernel/scale_1', 'bias' ]
 */
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

/** The deviation of a pooled variable whose initializer is a constant. */
const CONSTANT_DEVIATION = 0.01;

/**
 * The default modifier of a factory. Each slice starts with the mean and the standard deviation of the layer's
 * initializer, and its scale is learned (section on scaling of the paper): init.mean +
 * slice·(init.deviation/stddev)·scale.
 * A constant initializer has no deviation; the modifier uses 0.01.
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
