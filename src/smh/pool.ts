import { concat, reshape } from "../ops/index.ts";
import {
  checkShape,
  describe,
  FLOAT32,
  full,
  Generator,
  type Parameter,
  readBoolean,
  readFunction,
  readList,
  readNumber,
  readObject,
  readOptions,
  readTensor,
  readText,
  type Shape,
  ShapeError,
  sameShape,
  show,
  sizeOf,
  type Tensor,
  ValueError,
  variable,
} from "../tensor/index.ts";
import { type Description, type Distribution, type Initializer, readInitializer, readSeed, seedFor } from "../variables/index.ts";
import { type IndexStore, type IndexStoreKind, PADDING, type Range, readRanges } from "./index-store.ts";

/** A slice of a pool. `read()` returns its current numbers with history, so gradients reach the factors of the pool. */
export type PoolSlice = {
  /** The shape of the slice. */
  readonly shape: Shape;
  /** The position in the pool; for a pool of pools, the position in each part. */
  readonly placement: readonly (readonly Range[])[];
  /** Returns the current numbers. */
  readonly read: () => Tensor;
};

/** A vector of virtual weights, computed from fewer trained numbers. Layers get slices of it. */
export type VariablePool = {
  /** The trained numbers. */
  readonly coreVariables: readonly Parameter[];
  /** The number of trained numbers. */
  readonly coreSize: number;
  /** The number of virtual weights. */
  readonly poolSize: number;
  /** The number of assigned virtual weights. With a cyclic store: the position of the next weight. */
  readonly status: number;
  /** The standard deviation of virtual weights at the start. */
  readonly stddev: number;
  /** Throws PoolError if `getSlice` would refuse this number of weights. */
  readonly check: (length: number) => void;
  /** The next weights of the pool in this shape. @throws PoolError if too few are left. */
  readonly getSlice: (shape: Shape) => PoolSlice;
  /**
   * Kind and options: all that determines how the trained numbers become weights. Files record the description, so that
   * loading into a model with another pool is an error. Default: the name of the class and the sizes.
   */
  readonly description?: Description;
};

/** The description of a pool that files record. */
export function poolDescription(pool: VariablePool): Description {
  const { poolSize, coreSize, stddev } = pool;
  return pool.description ?? { kind: pool.constructor?.name || "a pool without a name", poolSize, coreSize, stddev };
}

/**
 * The kind of an index store that files record. For a custom store, the `placements` of the factory record its effect.
 */
export function storeKind(kind: IndexStoreKind = "basic"): string {
  return typeof kind === "string" ? kind : kind.name || "a function without a name";
}

/** Options of all pools. */
export type PoolOptions = {
  /** The number of weights that the pool must hold; `poolSizeFor(model)` counts them. */
  readonly poolSize: number;
  /** Trained numbers as a share of `poolSize`, above 0 and at most 1. */
  readonly fraction: number;
  /** The standard deviation of virtual weights at the start (default 1). */
  readonly stddev?: number;
  /** The index store (default "basic"). */
  readonly indexStore?: IndexStoreKind;
  /** Whether the numbers of the pool are trained (default true). */
  readonly trainable?: boolean;
  /** The seed of the starting values (default 0). */
  readonly seed?: number;
  /** A prefix of the names of the core variables, `name/…`, for models with several pools (default none). */
  readonly name?: string;
};

/**
 * The rate factor of a pool's numbers, measured on the toy network (docs/accuracy.md). A number of a pool is around 0.4
 * or 1, a dense weight of the last layer around 0.02, so a pool needs larger steps.
 */
export const CORE_RATE_FACTOR = 15;

/** A trained array of a pool. Its starting values depend on the seed and its name. */
export function coreParameter(
  who: string,
  leaf: string,
  shape: Shape,
  init: Initializer,
  { seed = 0, name, trainable = true }: PoolOptions,
): Parameter {
  const path = name === undefined ? leaf : `${name}/${leaf}`;
  checkShape(who, shape);
  const drawn = readTensor(who, "what initializer.draw returns", init.draw(shape, new Generator(seedFor(seed, path))));
  if (!sameShape(drawn.shape, shape))
    throw new ShapeError(who, `initializer.draw returned ${show(drawn.shape)}, "${path}" has shape ${show(shape)}`);
  const tensor = variable(drawn);
  tensor.name = path;
  if (!trainable) tensor.history = null;
  return { name: path, tensor, decay: true, rateFactor: CORE_RATE_FACTOR };
}

/** The options of every pool. */
const COMMON = ["poolSize", "fraction", "stddev", "indexStore", "trainable", "seed", "name"] as const;

/** The options of a pool. Checks the options of all pools; `own` lists the other options. */
export function readPoolOptions<T extends PoolOptions>(who: string, options: T, own: readonly (keyof T & string)[]): T {
  const given = readOptions(who, readObject(who, "options", options), [...COMMON, ...own]);
  const { poolSize, fraction, stddev = 1, trainable = true, seed, name } = given;
  readNumber(who, "poolSize", poolSize, { least: 1, most: Number.MAX_SAFE_INTEGER });
  readNumber(who, "fraction", fraction, { above: 0, most: 1 });
  readNumber(who, "stddev", stddev, { above: 0, most: FLOAT32.most! });
  readBoolean(who, "trainable", trainable);
  readSeed(who, seed);
  if (name !== undefined) readText(who, "name", name);
  return given;
}

/** A pool of this library, or a custom object with the same fields. */
export function readPool(who: string, name: string, pool: VariablePool): VariablePool {
  const isPool = typeof pool === "object" && pool !== null && typeof pool.getSlice === "function";
  if (!isPool) throw new ValueError(who, `${name} must be a pool, such as new ProductVariablePool(...), got ${describe(pool)}`);
  readFunction(who, `${name}.check`, pool.check);
  readList(who, `${name}.coreVariables`, pool.coreVariables);
  readNumber(who, `${name}.stddev`, pool.stddev, { least: 0 });
  return pool;
}

/** A slice of a pool. `virtual` computes a range as a vector. */
export function sliceOf(store: IndexStore, poolSize: number, shape: Shape, virtual: (range: Range) => Tensor): PoolSlice {
  checkShape("getSlice", shape);
  const length = sizeOf(shape);
  const ranges = readRanges("getSlice", store.allocate(length), length, poolSize);
  const read = (): Tensor => {
    const parts = ranges.map((range) => (range.begin < 0 ? full([range.length], PADDING) : virtual(range)));
    return reshape(parts.length === 1 ? parts[0]! : parts.length === 0 ? full([0], 0) : concat(parts), shape);
  };
  return { shape: [...shape], placement: [ranges], read };
}

/** Advice that gives the smallest fraction, rounded up to four digits. */
export function leastAdvice(poolSize: number, least: number): string {
  if (least > 1) return `no fraction works for ${poolSize} weights`;
  const digits = 10 ** (4 - Math.ceil(Math.log10(least)));
  return `the least fraction for ${poolSize} weights is ${Number((Math.ceil(least * digits - 1e-9) / digits).toPrecision(4))}`;
}

/** Throws if the name of a distribution is unknown. */
export function checkDistribution(who: string, given: Distribution | Initializer): void {
  const known = ["normal", "truncated normal", "uniform"];
  if (typeof given === "object" && given !== null) readInitializer(who, "initializer", given);
  else if (!known.includes(given))
    throw new ValueError(
      who,
      `initializer must be ${known.map((name) => `"${name}"`).join(", ")} or an initializer, got ${describe(given)}`,
    );
}
