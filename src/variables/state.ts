import type { Parameter, Tensor } from "../tensor/index.ts";
import { type ModelState, readCreator, type Variable, type VariableCreator } from "./variable.ts";

/** All that a file must hold to restore the model. A creator without `state` has its own numbers only. */
export function stateOf(vars: VariableCreator): ModelState {
  return vars.state?.() ?? { weights: numbersOf(vars.parameters(), vars.variables()), pool: null };
}

/** Every number that makes a model what it is, by name: its parameters and what is not trained. Live tensors, not copies. */
export function weightsOf(vars: VariableCreator): Map<string, Tensor> {
  return new Map(stateOf(readCreator("weightsOf", "vars", vars)).weights);
}

/** Trained numbers first, then those of the variables that are not trained. */
export function numbersOf(parameters: readonly Parameter[], variables: readonly Variable[]): Map<string, Tensor> {
  const rest = variables.filter((v) => !v.trainable);
  return new Map([
    ...parameters.map((p): [string, Tensor] => [p.name, p.tensor]),
    ...rest.map((v): [string, Tensor] => [v.name, v.read()]),
  ]);
}
