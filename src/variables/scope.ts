import { stateOf } from "./state.ts";
import type { VariableCreator } from "./variable.ts";

/** The same creator, seen from inside a named part of the model: "conv" + "kernel" → "conv/kernel". */
export function scope(vars: VariableCreator, prefix: string): VariableCreator {
  return {
    create: (name, shape, options) => vars.create(`${prefix}/${name}`, shape, options),
    variables: () => vars.variables(),
    parameters: () => vars.parameters(),
    prefix: `${vars.prefix ?? ""}${prefix}/`,
    state: () => stateOf(vars), // of the whole model: the part of a pool that one scope uses cannot be saved alone
  };
}

/** The same creator, never giving a variable twice: a name that is taken gets a number, `kernel`, `kernel_1`, `kernel_2`. */
export function uniqueNames(vars: VariableCreator): VariableCreator {
  const { prefix = "" } = vars;
  return {
    create: (name, shape, options) => {
      const taken = new Set(vars.variables().map((variable) => variable.name));
      let free = name;
      for (let i = 1; taken.has(prefix + free); i++) free = `${name}_${i}`;
      return vars.create(free, shape, options);
    },
    variables: () => vars.variables(),
    parameters: () => vars.parameters(),
    prefix,
    state: () => stateOf(vars),
  };
}

/**
 * Builds a part of a model with variables from `creator`, each call of `create` a new variable: layers without a scope of their own get
 * `kernel`, `bias`, `kernel_1`, … (TensorFlow 2's variable_creator_scope).
 */
export function variableCreatorScope<T>(creator: VariableCreator, build: (vars: VariableCreator) => T): T {
  return build(uniqueNames(creator));
}

/** Builds a part of a model under a name, its variables from `creator` (TensorFlow 1's variable_scope with a custom getter). */
export function variableScope<T>(
  name: string,
  { creator }: { readonly creator: VariableCreator },
  build: (vars: VariableCreator) => T,
): T {
  return build(scope(creator, name));
}
