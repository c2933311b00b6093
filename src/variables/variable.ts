import { describe, HashgradError, type Parameter, type Shape, type Tensor, ValueError } from "../tensor/index.ts";
import type { Initializer } from "./initializers.ts";

/** A name exists already, a shape differs, or a variable cannot be written. */
export class VariableError extends HashgradError {
  /**
   * @param name - the name of the variable
   * @param what - the rule and the remedy
   */
  constructor(name: string, what: string) {
    super(`variable "${name}"`, what, { between: " " }); // a sentence: the variable is its subject
  }
}

/** A named array of a model. The creator decides how it is stored; `read()` returns its current numbers. */
export type Variable = {
  /** The full name, such as "conv1/kernel". */
  readonly name: string;
  /** The shape. */
  readonly shape: Shape;
  /** Whether the variable gets gradients. */
  readonly trainable: boolean;
  /** "dense": the variable has its own numbers. "pool": it is a slice of a pool. */
  readonly storage: "dense" | "pool";
  /** Returns the current numbers. */
  readonly read: () => Tensor;
  /** Overwrites the numbers. Throws for a slice of a pool, whose numbers all slices share. */
  readonly assign: (values: Tensor | ArrayLike<number>) => void;
};

/** Options of `VariableCreator.create`. */
export type CreateOptions = {
  /** The initializer. Default: Glorot uniform for two axes or more, else zeros. */
  readonly init?: Initializer;
  /** False for variables without gradient, such as running statistics (default true). */
  readonly trainable?: boolean;
  /** Returns the existing variable if the name exists (default false: an existing name is an error). See `shared`. */
  readonly reuse?: boolean;
  /** Only "float32" (default). */
  readonly dtype?: "float32";
};

/**
 * Creates the variables of layers, and is the registry of a model: there is no Module class.
 * A name that exists is an error unless the request has `reuse: true`, so two layers never share a variable by
 * accident. A reused variable must have the same shape.
 */
export interface VariableCreator {
  /**
   * Returns a new variable, or the existing one if `reuse` is set.
   * @param name - the full name, such as "conv1/kernel"
   * @param shape - the shape of the variable
   */
  create(name: string, shape: Shape, options?: CreateOptions): Variable;
  /** All variables of layers, each once, in the order of creation. */
  variables(): readonly Variable[];
  /**
   * The trained parameters. A dense model: its trainable variables. A compressed model: factors of the pool, scales,
   * and dense variables.
   */
  parameters(): readonly Parameter[];
  /** The prefix of the names, if this creator is a `scope` of another creator. Default: no prefix. */
  readonly prefix?: string;
  /**
   * All that a file must hold to restore the model. Default: the numbers of `parameters()` and of all variables outside
   * a pool.
   */
  state?(): ModelState;
}

/** A description of a pool or modifier that files record: its kind and its options. Values are compared as JSON. */
export type Description = { readonly kind: string; readonly [option: string]: unknown };

/** All that a file must hold to restore a model. */
export type ModelState = {
  /** All numbers of the model by name. Live tensors, not copies. */
  readonly weights: ReadonlyMap<string, Tensor>;
  /** How each pool makes weights of its numbers. Empty for a dense model. */
  readonly pools: readonly PooledState[];
};

/** All that determines the weights of a pool besides its numbers. */
export type PooledState = {
  /** The names of the pool's own numbers among `weights`. */
  readonly core: readonly string[];
  /** The number of virtual weights, and the number of assigned virtual weights. */
  readonly poolSize: number;
  /** The number of assigned virtual weights. */
  readonly used: number;
  /** The kind and the options of the pool. */
  readonly description: Description;
  /** The kind of the modifier: a declared kind, or the name of its function. */
  readonly modifier: string;
  /** The position of each variable in the pool. */
  readonly placements: ReadonlyMap<string, unknown>;
  /** Mean and standard deviation of the layers' initializers, for each variable whose modifier uses them. */
  readonly initializers: ReadonlyMap<string, readonly [mean: number | null, deviation: number | null]>;
};
/**
 * A variable creator: `new DenseVariables()`, `new VariableFactory(...)`, or a custom object with the same functions.
 */
export function readCreator<T extends VariableCreator>(who: string, name: string, value: T): T {
  const isCreator =
    typeof value === "object" &&
    value !== null &&
    (["create", "variables", "parameters"] as const).every((key) => typeof value[key] === "function");
  if (isCreator) return value;
  throw new ValueError(who, `${name} must make variables, got ${describe(value)}; pass new DenseVariables() or a scope of it`);
}

/** A model as a function of its variable creator: `(vars) => layer`. */
export type Model<T = unknown> = (vars: VariableCreator) => T;
