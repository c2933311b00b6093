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

/** A part of a pool, in a shape. `read()` gives the numbers as they are now, with history: gradients reach the pool's factors. */
export type PoolSlice = {
  readonly shape: Shape;
  /** Where in the pool it lies; for a pool of pools, where in each. */
  readonly placement: readonly (readonly Range[])[];
  readonly read: () => Tensor;
};

/** A vector of virtual weights, computed from fewer trained numbers, that is handed out in slices. */
export type VariablePool = {
  /** The trained numbers. */
  readonly coreVariables: readonly Parameter[];
  /** How many trained numbers there are. */
  readonly coreSize: number;
  /** How many virtual weights can be handed out. */
  readonly poolSize: number;
  /** How many are handed out; with a cyclic store the position of the next one. */
  readonly status: number;
  /** The standard deviation that virtual weights start with. */
  readonly stddev: number;
  /** Throws where `getSlice` of so many weights would be refused. */
  readonly check: (length: number) => void;
  /** The next weights of the pool in this shape. @throws PoolError where too few are left. */
  readonly getSlice: (shape: Shape) => PoolSlice;
  /**
   * Kind and options, which files record, so that a model with another pool is refused: all that changes how the trained numbers become
   * weights. Left out: the name of the class and the sizes.
   */
  readonly description?: Description;
};

/** What files record of a pool. */
export function poolDescription(pool: VariablePool): Description {
  const { poolSize, coreSize, stddev } = pool;
  return pool.description ?? { kind: pool.constructor?.name || "a pool without a name", poolSize, coreSize, stddev };
}

/** What files record of an index store; `placements` of a factory say what a user's own store did. */
export function storeKind(kind: IndexStoreKind = "basic"): string {
  return typeof kind === "string" ? kind : kind.name || "a function without a name";
}

/** What all pools take. */
export type PoolOptions = {
  /** How many weights the pool should hold at least; `poolSizeFor(model)` counts them. */
  readonly poolSize: number;
  /** Trained numbers as a share of `poolSize`, above 0 and at most 1. */
  readonly fraction: number;
  /** The standard deviation that virtual weights start with (1). */
  readonly stddev?: number;
  /** How slices are handed out ("basic"). */
  readonly indexStore?: IndexStoreKind;
  /** Whether the pool's numbers are trained (true). */
  readonly trainable?: boolean;
  /** What the starting numbers are drawn from (0). */
  readonly seed?: number;
  /** Goes in front of the names of the core variables, `name/…`, where a model has several pools. */
  readonly name?: string;
};

/**
 * The rate factor of a pool's numbers, measured on the toy network (docs/smh.md). A number of a pool is around 0.4 or 1 where a dense weight
 * of the last layer is around 0.02, so it needs larger steps.
 */
export const CORE_RATE_FACTOR = 15;

/** A trained part of a pool, its numbers drawn by its name. */
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

/** The options of a pool, those that all pools share checked; `own` are those that only this one has. */
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

/** A pool of this library, or an object of one's own with the same fields. */
export function readPool(who: string, name: string, pool: VariablePool): VariablePool {
  const isPool = typeof pool === "object" && pool !== null && typeof pool.getSlice === "function";
  if (!isPool) throw new ValueError(who, `${name} must be a pool, such as new ProductVariablePool(...), got ${describe(pool)}`);
  readFunction(who, `${name}.check`, pool.check);
  readList(who, `${name}.coreVariables`, pool.coreVariables);
  readNumber(who, `${name}.stddev`, pool.stddev, { least: 0 });
  return pool;
}

/** A slice of a pool whose ranges `virtual` computes as vectors. */
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

/** The least fraction that works, rounded up to four digits, as advice. */
export function leastAdvice(poolSize: number, least: number): string {
  if (least > 1) return `no fraction works for ${poolSize} weights`;
  const digits = 10 ** (4 - Math.ceil(Math.log10(least)));
  return `the least fraction for ${poolSize} weights is ${Number((Math.ceil(least * digits - 1e-9) / digits).toPrecision(4))}`;
}

/** Throws for a distribution by an unknown name. */
export function checkDistribution(who: string, given: Distribution | Initializer): void {
  const known = ["normal", "truncated normal", "uniform"];
  if (typeof given === "object" && given !== null) readInitializer(who, "initializer", given);
  else if (!known.includes(given))
    throw new ValueError(
      who,
      `initializer must be ${known.map((name) => `"${name}"`).join(", ")} or an initializer, got ${describe(given)}`,
    );
}
