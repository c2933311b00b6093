import { readCount, readFunction, readName, readNumber, readObject, readOptions, ValueError } from "../tensor/index.ts";
import type { CompressionReport, Model } from "../variables/index.ts";
import { HashVariablePool } from "./hash-pool.ts";
import type { Modifier } from "./modifiers.ts";
import { poolSizeFor } from "./pool-size.ts";
import { ProductVariablePool } from "./product-pool.ts";
import { type ApplyTo, VariableFactory } from "./variable-factory.ts";

/** Options of `compress`. */
export type CompressOptions = {
  /** Trained numbers as a share of the compressed weights, above 0 and at most 1. */
  readonly fraction: number;
  /** The kind of the pool (default "product"). */
  readonly pool?: "product" | "kronecker" | "hash";
  /** Selects the variables to compress. Default: kernels and matrices. */
  readonly applyTo?: ApplyTo | null;
  /** Changes each slice before a layer reads it. Default `initializerScaleModifier`; null for none. */
  readonly modifier?: Modifier | null;
  /** The seed of all starting values (default 0). */
  readonly seed?: number;
};

/** A compressed model, its variables, and its sizes. */
export type Compressed<T> = { readonly model: T; readonly vars: VariableFactory; readonly report: CompressionReport };

/**
 * Builds a model whose weights come from one pool. Counts the weights, makes a pool of that size, then builds the model
 * from slices of the pool.
 *
 * @param build The model as a function of a variable creator. `compress` calls it twice: to count the weights and to
 * build.
 * @throws PoolError if the fraction is too small for one trained column; the message gives the smallest fraction.
 * @example const { model, vars, report } = compress((vars) => toyNetwork(vars), { fraction: 0.1 });
 */
export function compress<T>(build: Model<T>, options: CompressOptions): Compressed<T> {
  readFunction("compress", "the model", build);
  readObject("compress", "options", options);
  const known = ["fraction", "pool", "applyTo", "modifier", "seed"] as const;
  const { fraction, pool: kind = "product", applyTo = null, modifier, seed = 0 } = readOptions("compress", options, known);
  readName("compress", "pool", kind, ["product", "kronecker", "hash"]);
  readNumber("compress", "fraction", fraction, { above: 0, most: 1 });
  readCount("compress", "seed", seed, Number.MIN_SAFE_INTEGER);
  const poolSize = poolSizeFor(build, { applyTo });
  if (poolSize === 0)
    throw new ValueError(
      "compress",
      'the model has no variable to compress; applyTo must match the start of a name, such as ".*kernel"',
    );
  const size = { poolSize, fraction, seed };
  const pool =
    kind === "hash"
      ? new HashVariablePool(size)
      : new ProductVariablePool({ ...size, useKroneckerProduct: kind === "kronecker" });
  const vars = new VariableFactory({ pool, applyTo, seed, ...(modifier === undefined ? {} : { modifier }) });
  const model = build(vars);
  return { model, vars, report: vars.report() };
}
