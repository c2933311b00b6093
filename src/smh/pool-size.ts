import { readFunction, readOptions } from "../tensor/index.ts";
import { type Model, survey } from "../variables/index.ts";
import { type ApplyTo, selectorOf } from "./variable-factory.ts";

/**
 * The number of weights that a model takes from a pool: its `poolSize`. Builds the model once, without allocating
 * weights.
 */
export function poolSizeFor(
  model: Model,
  options?: {
    /** Selects the variables of the pool, as for the factory. Default: kernels and matrices. */
    readonly applyTo?: ApplyTo | null;
  },
): number {
  readFunction("poolSizeFor", "model", model);
  const takes = selectorOf("poolSizeFor", readOptions("poolSizeFor", options, ["applyTo"]).applyTo);
  return survey(model).reduce((sum, { name, shape, size, trainable }) => sum + (trainable && takes(name, shape) ? size : 0), 0);
}
