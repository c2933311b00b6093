import { readFunction, readOptions } from "../tensor/index.ts";
import { type Model, survey } from "../variables/index.ts";
import { type ApplyTo, selectorOf } from "./variable-factory.ts";

/**
 * How many weights a model will take from a pool: the `poolSize` it needs. The model is built once, without allocating its weights.
 *
 * @param options `applyTo` as for the factory.
 */
export function poolSizeFor(model: Model, options?: { readonly applyTo?: ApplyTo | null }): number {
  readFunction("poolSizeFor", "model", model);
  const takes = selectorOf("poolSizeFor", readOptions("poolSizeFor", options, ["applyTo"]).applyTo);
  return survey(model).reduce((sum, { name, shape, size, trainable }) => sum + (trainable && takes(name, shape) ? size : 0), 0);
}
