import { encodeText } from "../kernels/index.ts";
import {
  assign,
  checkLengths,
  checkShape,
  Generator,
  type Parameter,
  readBoolean,
  readCount,
  readOptions,
  readTensor,
  readText,
  type Shape,
  ShapeError,
  sameShape,
  show,
  type Tensor,
  ValueError,
  variable,
} from "../tensor/index.ts";
import { glorotUniform, type Initializer, readInitializer, zerosInit } from "./initializers.ts";
import { denseWeights } from "./state.ts";
import { type CreateOptions, type ModelState, type Variable, type VariableCreator, VariableError } from "./variable.ts";

/**
 * A variable creator for an uncompressed model: every variable has its own numbers. Starting values depend on the seed
 * and the name of the variable, not on the order of creation.
 * @example
 * const vars = new DenseVariables({ seed: 1 });
 * const model = dense(scope(vars, "out"), 3, 2);
 * console.log(vars.parameters().map(({ name }) => name)); //=> [ 'out/kernel', 'out/bias' ]
 */
export class DenseVariables implements VariableCreator {
  readonly #seed: number;
  readonly #variables = new Map<string, Variable>();
  readonly #parameters: Parameter[] = [];

  constructor(options?: {
    /** The seed of the starting values (default 0). */
    readonly seed?: number;
  }) {
    this.#seed = readSeed("DenseVariables", readOptions("DenseVariables", options, ["seed"]).seed);
  }

  /**
   * Returns a new variable, or the existing one if `reuse` is set.
   * @param name - the full name, such as "conv1/kernel"
   * @param shape - the shape of the variable
   */
  create(name: string, shape: Shape, options?: CreateOptions): Variable {
    checkRequest(name, shape, options);
    const existing = this.#variables.get(name);
    if (existing !== undefined) return sameVariable(existing, shape, options);
    checkShape(`create "${name}"`, shape);
    const { init = defaultInit(shape), trainable = true } = options ?? {};
    const drawn = readTensor(
      `create "${name}"`,
      "what init.draw returns",
      init.draw(shape, new Generator(seedFor(this.#seed, name))),
    );
    if (!sameShape(drawn.shape, shape))
      throw new ShapeError(`create "${name}"`, `init.draw returned ${show(drawn.shape)}, the variable has shape ${show(shape)}`);
    const leaf = variable(drawn);
    leaf.name = name;
    if (!trainable) leaf.history = null;
    else this.#parameters.push({ name, tensor: leaf, decay: shape.length >= 2 });
    const made: Variable = {
      name,
      shape: leaf.shape,
      trainable,
      storage: "dense",
      read: (): Tensor => leaf,
      assign: (values): void => assign(leaf, values),
    };
    this.#variables.set(name, made);
    return made;
  }

  variables(): readonly Variable[] {
    return [...this.#variables.values()];
  }

  parameters(): readonly Parameter[] {
    return [...this.#parameters];
  }

  state(): ModelState {
    return { weights: denseWeights(this.variables()), pools: [] };
  }
}

export function defaultInit(shape: Shape): Initializer {
  return shape.length >= 2 ? glorotUniform : zerosInit;
}

/** The seed of variables, a whole number (0). */
export function readSeed(who: string, seed: number | undefined): number {
  return readCount(who, "seed", seed ?? 0, Number.MIN_SAFE_INTEGER);
}

/** Throws unless name, shape and options are usable. */
export function checkRequest(name: string, shape: Shape, options: CreateOptions | undefined): void {
  if (readText("create", "name", name) === "") throw new ValueError("create", "a variable needs a name");
  const who = `create "${name}"`;
  checkLengths(who, shape);
  const known = ["init", "trainable", "reuse", "dtype"] as const;
  const { dtype = "float32", init, trainable = true, reuse = false } = readOptions(who, options, known);
  readBoolean(who, "trainable", trainable);
  readBoolean(who, "reuse", reuse);
  if (init !== undefined) readInitializer(who, "init", init);
  if (dtype !== "float32") throw new ValueError(`create "${name}"`, `variables are float32, got dtype ${String(dtype)}`);
}

/** The existing variable of a name, if the request shares it and has its shape. */
export function sameVariable(existing: Variable, shape: Shape, options: CreateOptions | undefined): Variable {
  const { name } = existing;
  if (!sameShape(existing.shape, shape))
    throw new VariableError(name, `exists already with shape ${show(existing.shape)}, asked for ${show(shape)}; ${OWN_SCOPE}`);
  if (options?.reuse !== true)
    throw new VariableError(name, `exists already; ${OWN_SCOPE}, or share its weights on purpose: shared(vars)`);
  return existing;
}

const OWN_SCOPE = 'give each layer its own scope(vars, "name")';

/** A seed for each name (FNV-1a over seed and name), so that the order of creation does not matter. */
export function seedFor(seed: number, name: string): number {
  let hash = 0x811c9dc5;
  for (const byte of encodeText(`${seed}/${name}`)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash;
}
