import { readFunction, readOptions } from "../tensor/index.ts";
import { type Model, survey } from "../variables/index.ts";
import { type ApplyTo, selectorOf } from "./apply-to.ts";

/**
 * Returns the number of weights that a model takes from a pool: its `poolSize`. Builds the model once, without
 * allocating weights.
 * @param model - the model as a function of a variable creator
 * @example
 * console.log(poolSizeFor((vars) => toyNetwork(vars))); //=> 31760
 */
export function poolSizeFor(
  model: Model,
  options?: {
    /** Selects the variables of the pool, as for the factory. Default: kernels and matrices. */
    readonly applyTo?: ApplyTo | null;
  },
): number {
  readFunction("poolSizeFor", "model", model);
  return poolSizes("poolSizeFor", model, [readOptions("poolSizeFor", options, ["applyTo"]).applyTo])[0]!;
}

/** The number of weights that each of several rules selects. The first rule that selects a variable takes it. */
export function poolSizes(who: string, model: Model, rules: readonly (ApplyTo | null | undefined)[]): number[] {
  const takes = rules.map((applyTo) => selectorOf(who, applyTo));
  const sizes = rules.map(() => 0);
  for (const { name, shape, size, trainable } of survey(model)) {
    const rule = trainable ? takes.findIndex((selects) => selects(name, shape)) : -1;
    if (rule >= 0) sizes[rule]! += size;
  }
  return sizes;
}
