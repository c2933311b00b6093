import { type Parameter, readFunction, readObject, readText } from "../tensor/index.ts";
import { stateOf } from "./state.ts";
import { readCreator, type Variable, type VariableCreator } from "./variable.ts";

/**
 * The creator that a scope names variables for, and what stands before the names: a scope of a scope asks the creator
 * itself.
 */
type Origin = { readonly vars: VariableCreator; readonly path: string };

const origins = new WeakMap<VariableCreator, Origin>();

/**
 * Returns a view of a creator for a named part of the model: scope "conv" names the variable "kernel" "conv/kernel".
 * `variables()` and `parameters()` list only that part. If a variable of the part lies in a pool, its parameters
 * include the factors of the pool, which all parts share.
 * @param vars - the creator, or a scope of the creator
 * @param prefix - the name of the part
 * @example
 * const vars = new DenseVariables();
 * dense(scope(scope(vars, "head"), "out"), 3, 2);
 * console.log(vars.variables().map(({ name }) => name)); //=> [ 'head/out/kernel', 'head/out/bias' ]
 */
export function scope(vars: VariableCreator, prefix: string): VariableCreator {
  readCreator("scope", "vars", vars);
  readText("scope", "prefix", prefix);
  const outer = origins.get(vars) ?? { vars, path: "" };
  const root = outer.vars;
  const path = `${outer.path}${prefix}/`;
  const full = `${root.prefix ?? ""}${path}`;
  const inner: VariableCreator = {
    create: (name, shape, options) => root.create(path + readText("create", "name", name), shape, options),
    variables: () => root.variables().filter(({ name }) => name.startsWith(full)),
    parameters: () => parametersUnder(root, full),
    prefix: full,
    state: () => stateOf(root), // of the whole model: the part of a pool that one scope uses cannot be saved alone
  };
  origins.set(inner, { vars: root, path });
  return inner;
}

/** The parameters of the variables whose names begin with `prefix`, and those of the pool if a variable lies in it. */
function parametersUnder(root: VariableCreator, prefix: string): readonly Parameter[] {
  const isOwn = ({ name }: Variable | Parameter): boolean => name.startsWith(prefix);
  const variables = root.variables();
  if (!variables.some((variable) => variable.storage === "pool" && isOwn(variable))) return root.parameters().filter(isOwn);
  const names = new Set(variables.map(({ name }) => name));
  return root.parameters().filter((parameter) => isOwn(parameter) || isShared(parameter, names));
}

/**
 * Whether a parameter is neither a variable of a layer nor a modifier's, `<variable>/<suffix>`: then it is a pool's.
 */
function isShared({ name }: Parameter, names: ReadonlySet<string>): boolean {
  for (let end = name.length; end > 0; end = name.lastIndexOf("/", end - 1)) if (names.has(name.slice(0, end))) return false;
  return true;
}

/**
 * Creators of `uniqueNames` and of `shared`. Wrapping them, or a scope of them, again changes nothing, so nesting stays
 * flat.
 */
const [unique, sharing] = [new WeakSet<VariableCreator>(), new WeakSet<VariableCreator>()];

/** Whether a creator, or the creator of which it is a scope, is in a set. */
const isIn = (set: WeakSet<VariableCreator>, vars: VariableCreator): boolean => set.has(origins.get(vars)?.vars ?? vars);

/** A creator that makes variables in its own way, and lists and saves what `vars` does. */
function viewOf(vars: VariableCreator, create: VariableCreator["create"]): VariableCreator {
  return {
    create,
    variables: () => vars.variables(),
    parameters: () => vars.parameters(),
    prefix: vars.prefix ?? "",
    state: () => stateOf(vars),
  };
}

/** A view of a creator that numbers names which exist already: `kernel`, `kernel_1`, `kernel_2`. */
export function uniqueNames(vars: VariableCreator): VariableCreator {
  readCreator("uniqueNames", "vars", vars);
  if (isIn(unique, vars)) return vars;
  const { prefix = "" } = vars;
  const numbered = viewOf(vars, (name, shape, options) => {
    const taken = new Set(vars.variables().map((variable) => variable.name));
    let free = readText("create", "name", name);
    for (let i = 1; taken.has(prefix + free); i++) free = `${name}_${i}`;
    return vars.create(free, shape, options);
  });
  unique.add(numbered);
  return numbered;
}

/**
 * Returns a view of a creator that returns the existing variable for a name that exists. Two layers built with the view
 * share their weights.
 * @param vars - the creator, or a scope of the creator
 * @throws VariableError from `create` if the variable has another shape.
 * @example
 * const vars = new DenseVariables();
 * const encoder = dense(scope(vars, "code"), 64, 8);
 * const again = dense(shared(scope(vars, "code")), 64, 8); // the same kernel and bias
 * console.log(vars.variables().length); //=> 2
 */
export function shared(vars: VariableCreator): VariableCreator {
  readCreator("shared", "vars", vars);
  if (isIn(sharing, vars)) return vars;
  const reusing = viewOf(vars, (name, shape, options) => vars.create(name, shape, { ...options, reuse: true }));
  sharing.add(reusing);
  return reusing;
}

/**
 * Builds a part of a model with variables of `creator`. Each call of `create` makes a new variable. Layers without
 * their own scope get `kernel`, `bias`, `kernel_1`, … (TensorFlow 2's variable_creator_scope).
 * @param creator - the variable creator
 * @param build - builds the part with the variable creator that it gets
 * @returns what `build` returns
 * @example
 * const creator = new DenseVariables();
 * variableCreatorScope(creator, (vars) => sequential(dense(vars, 3, 4), dense(vars, 4, 2)));
 * console.log(creator.variables().map(({ name }) => name)); //=> [ 'kernel', 'bias', 'kernel_1', 'bias_1' ]
 */
export function variableCreatorScope<T>(creator: VariableCreator, build: (vars: VariableCreator) => T): T {
  readCreator("variableCreatorScope", "creator", creator);
  readFunction("variableCreatorScope", "build", build);
  return build(uniqueNames(creator));
}

/**
 * Builds a part of a model under a name, with variables of `creator`. A name that exists returns the existing variable,
 * as in TensorFlow 1's variable_scope with a custom getter.
 * @param name - the name of the part
 * @param build - builds the part with the variable creator that it gets
 * @returns what `build` returns
 * @example
 * const creator = new DenseVariables();
 * const build = (vars: VariableCreator) => dense(vars, 3, 2);
 * variableScope("head", { creator }, build);
 * variableScope("head", { creator }, build); // the same kernel and bias
 * console.log(creator.variables().map(({ name }) => name)); //=> [ 'head/kernel', 'head/bias' ]
 */
export function variableScope<T>(
  name: string,
  options: {
    /** The creator of the variables. */
    readonly creator: VariableCreator;
  },
  build: (vars: VariableCreator) => T,
): T {
  readText("variableScope", "name", name);
  const { creator } = readObject("variableScope", "options", options);
  readCreator("variableScope", "creator", creator);
  readFunction("variableScope", "build", build);
  return build(shared(scope(creator, name)));
}
