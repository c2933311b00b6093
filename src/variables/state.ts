import type { Tensor } from "../tensor/index.ts";
import { type ModelState, readCreator, type Variable, type VariableCreator } from "./variable.ts";

/**
 * All that a file must hold to restore the model. For a creator without `state`: the numbers of its dense variables.
 */
export function stateOf(vars: VariableCreator): ModelState {
  if (vars.state !== undefined) return vars.state();
  const weights = new Map(vars.parameters().map(({ name, tensor }): [string, Tensor] => [name, tensor]));
  for (const [name, tensor] of denseWeights(vars.variables())) weights.set(name, tensor);
  return { weights, pools: [] };
}

/**
 * Returns all numbers of a model by name: trained, frozen, and never trained. The tensors are live, not copies.
 * @param vars - the creator of the model
 * @example
 * const vars = new DenseVariables();
 * dense(vars, 3, 2);
 * console.log(weightsOf(vars).get("bias")); //=> Tensor [2] 0 0
 */
export function weightsOf(vars: VariableCreator): Map<string, Tensor> {
  return new Map(stateOf(readCreator("weightsOf", "vars", vars)).weights);
}

/** The numbers of variables outside a pool, those that are trained first. */
export function denseWeights(variables: readonly Variable[]): Map<string, Tensor> {
  const dense = variables.filter(({ storage }) => storage === "dense");
  const ordered = [...dense.filter((v) => v.trainable), ...dense.filter((v) => !v.trainable)];
  return new Map(ordered.map((v): [string, Tensor] => [v.name, v.read()]));
}
