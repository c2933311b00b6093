import { describe, HashgradError, type Parameter, type Shape, type Tensor, ValueError } from "../tensor/index.ts";
import type { Initializer } from "./initializers.ts";

/** A name that is taken, a shape that does not fit, a variable that cannot be written. */
export class VariableError extends HashgradError {
  constructor(name: string, what: string) {
    super(`variable "${name}"`, what, { between: " " }); // a sentence: the variable is its subject
  }
}

/** A named array of a model. Where its numbers live is the creator's affair: `read()` asks for them anew every time. */
export type Variable = {
  readonly name: string;
  readonly shape: Shape;
  readonly trainable: boolean;
  /** "dense": the variable has its own numbers. "pool": it is a slice of a pool. */
  readonly storage: "dense" | "pool";
  readonly read: () => Tensor;
  /** Overwrites the numbers. Refused for a slice of a pool: its numbers belong to all. */
  readonly assign: (values: Tensor | ArrayLike<number>) => void;
};

export type CreateOptions = {
  /** How it starts; left out: Glorot's uniform for two axes and more, zeros otherwise. */
  readonly init?: Initializer;
  /** False for what no gradient reaches, such as running statistics (true). */
  readonly trainable?: boolean;
  /** Shares the variable if the name exists already (false: a name that exists is an error). See `shared`. */
  readonly reuse?: boolean;
  /** Variables are float32; anything else is refused. */
  readonly dtype?: "float32";
};

/**
 * What layers ask for their weights, and the registry of all of them: there is no Module class. A name that exists is an error unless
 * the request says `reuse: true`: two layers never share a variable by accident. A reused variable must have the same shape.
 */
export interface VariableCreator {
  create(name: string, shape: Shape, options?: CreateOptions): Variable;
  /** Every variable that layers asked for, each once, in the order of creation. */
  variables(): readonly Variable[];
  /** What is trained: for a dense model its trainable variables, for a pooled one the pool's factors, scales and what was left out. */
  parameters(): readonly Parameter[];
  /** What this creator puts in front of the names it is asked for, where it is a `scope` of another one. */
  readonly prefix?: string;
  /** All that a file must hold to restore the model. Left out: the numbers of `parameters()` and of all variables outside a pool. */
  state?(): ModelState;
}

/** What a part of a model is, as files record it: its kind and its options. Values are compared as JSON. */
export type Description = { readonly kind: string; readonly [option: string]: unknown };

/** All that a file must hold to restore a model. */
export type ModelState = {
  /** Every number that makes the model what it is, by name. Live tensors, not copies. */
  readonly weights: ReadonlyMap<string, Tensor>;
  /** What turns the numbers of each pool into weights. Empty if every variable has its own numbers. */
  readonly pools: readonly PooledState[];
};

/** A pool of a compressed model: what determines its weights besides numbers. */
export type PooledState = {
  /** The names of the pool's own numbers among `weights`. */
  readonly core: readonly string[];
  /** How many virtual weights the pool can hand out, and how many it has handed out. */
  readonly poolSize: number;
  readonly used: number;
  readonly description: Description;
  /** The kind of the modifier: a declared kind, or the name of its function. */
  readonly modifier: string;
  /** Where in the pool each variable lies. */
  readonly placements: ReadonlyMap<string, unknown>;
  /** Mean and standard deviation of the layers' initializers, for each variable whose modifier uses them. */
  readonly initializers: ReadonlyMap<string, readonly [mean: number | null, deviation: number | null]>;
};
/** A creator: `new DenseVariables()`, `new VariableFactory(...)`, or an object of one's own with the same three functions. */
export function readCreator<T extends VariableCreator>(who: string, name: string, value: T): T {
  const isCreator =
    typeof value === "object" &&
    value !== null &&
    (["create", "variables", "parameters"] as const).every((key) => typeof value[key] === "function");
  if (isCreator) return value;
  throw new ValueError(who, `${name} must make variables, got ${describe(value)}; pass new DenseVariables() or a scope of it`);
}

/** Everything a model is made of when it is built from variables: `(vars) => layer`. */
export type Model<T = unknown> = (vars: VariableCreator) => T;
