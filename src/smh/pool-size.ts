import { type Model, survey } from "../variables/index.ts";
import { type ApplyTo, selector } from "./variable-factory.ts";

/**
 * How many weights a model will take from a pool: the `poolSize` it needs. The model is built once, without allocating its weights.
 *
 * @param options `applyTo` as for the factory.
 */
export function poolSizeFor(model: Model, { applyTo }: { readonly applyTo?: ApplyTo | null } = {}): number {
  const takes = selector(applyTo);
  return survey(model).reduce((sum, { name, shape, size, trainable }) => sum + (trainable && takes(name, shape) ? size : 0), 0);
}
