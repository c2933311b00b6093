import { readCount, readFunction, readList, readName, readNumber, readObject, readOptions, ValueError } from "../tensor/index.ts";
import type { CompressionReport, Model } from "../variables/index.ts";
import type { ApplyTo } from "./apply-to.ts";
import { HashVariablePool } from "./hash-pool.ts";
import type { Modifier } from "./modifiers.ts";
import type { VariablePool } from "./pool.ts";
import { poolSizes } from "./pool-size.ts";
import { ProductVariablePool } from "./product-pool.ts";
import type { PoolRule } from "./rule.ts";
import { VariableFactory } from "./variable-factory.ts";

/** How a part of a model is compressed. */
export type CompressRule = {
  /**
   * Trained numbers as a share of the compressed weights, above 0 and at most 1. There is no default: only rules
   * with `pool: null` leave it out.
   */
  readonly fraction?: number;
  /** The kind of the pool (default "product"); null: the weights stay dense. */
  readonly pool?: "product" | "kronecker" | "hash" | null;
  /** Selects the variables to compress. Default: variables with two axes or more. */
  readonly applyTo?: ApplyTo | null;
  /** Changes each slice before a layer reads it. Default `initializerScaleModifier`; null for none. */
  readonly modifier?: Modifier | null;
  /**
   * Whether inference computes the weights of one layer at a time and caches none (default false). A hash pool never
   * caches weights, so the option does not change it.
   */
  readonly streaming?: boolean;
};

/** Options of `compress`: those of one {@link CompressRule}, or several `rules`. */
export type CompressOptions = CompressRule & {
  /**
   * A pool for each part of the model; the first rule that selects a variable applies. Default: one rule, with the
   * options `fraction`, `pool`, `applyTo`, `modifier` and `streaming` of this call. With `rules` these must be absent.
   */
  readonly rules?: readonly CompressRule[];
  /** The seed of all starting values (default 0). */
  readonly seed?: number;
};

/** A compressed model, its variables, and its sizes. */
export type Compressed<T> = { readonly model: T; readonly vars: VariableFactory; readonly report: CompressionReport };

const RULE = ["fraction", "pool", "applyTo", "modifier", "streaming"] as const;

/**
 * Builds a model whose weights come from pools. Counts the weights, makes pools of that size, then builds the model
 * from slices of the pools. With several rules, the names of the arrays of rule i start with `pool_i/`, from i = 0 on.
 * @param build - the model as a function of a variable creator. `compress` calls it twice: to count the weights and to
 * build.
 * @throws PoolError if the fraction is too small for one trained column; the message gives the smallest fraction.
 * ValueError if a rule selects no variable.
 * @example
 * const { report } = compress((vars) => toyNetwork(vars), { fraction: 0.1 });
 * console.log(report.denseSize, report.trainedSize); //=> 31786 2892
 *
 * const rules = [{ applyTo: "conv/", pool: null }, { fraction: 0.1 }]; // the convolution stays dense
 * console.log(compress((vars) => toyNetwork(vars), { rules }).report.trainedSize); //=> 3275
 */
export function compress<T>(build: Model<T>, options: CompressOptions): Compressed<T> {
  readFunction("compress", "the model", build);
  const {
    rules,
    seed = 0,
    ...one
  } = readOptions("compress", readObject("compress", "options", options), [...RULE, "rules", "seed"]);
  readCount("compress", "seed", seed, Number.MIN_SAFE_INTEGER);
  if (rules !== undefined && Object.keys(one).length > 0)
    throw new ValueError("compress", `takes either rules or ${Object.keys(one).join(", ")}; put these into a rule`);
  const asked = rules === undefined ? [one] : readList("compress", "rules", rules);
  for (const [i, rule] of asked.entries()) checkRule(rules === undefined ? "compress" : `compress: rule ${i}`, rule);
  const sizes = poolSizes(
    "compress",
    build,
    asked.map(({ applyTo }) => applyTo),
  );
  const made = asked.map((rule, i): PoolRule => {
    const { applyTo = null, modifier } = rule;
    if (sizes[i] === 0) {
      const which = rules === undefined ? "the model has no variable to compress" : `rule ${i} selects no variable`;
      throw new ValueError("compress", `${which}; a string as applyTo must match from the start of a name, such as ".*kernel"`);
    }
    const name = asked.length === 1 ? {} : { name: `pool_${i}` };
    const pool = poolOf(rule, { ...name, poolSize: sizes[i]!, seed });
    return { pool, applyTo, ...(modifier === undefined ? {} : { modifier }) };
  });
  const vars = new VariableFactory({ rules: made, seed });
  const model = build(vars);
  return { model, vars, report: vars.report() };
}

/** Checks a rule. The factory checks `applyTo` and `modifier`, the product pool checks `streaming`. */
function checkRule(who: string, given: CompressRule): void {
  const { pool = "product", fraction } = readOptions(who, given, RULE);
  if (pool === null && fraction !== undefined) throw new ValueError(who, "has a fraction but pool null; leave one of them out");
  if (pool === null) return;
  readName(who, "pool", pool, ["product", "kronecker", "hash"]);
  readNumber(who, "fraction", fraction, { above: 0, most: 1 });
}

type Size = { readonly poolSize: number; readonly seed: number; readonly name?: string };
function poolOf({ pool: kind = "product", fraction = 1, streaming = false }: CompressRule, size: Size): VariablePool | null {
  if (kind === null) return null;
  if (kind === "hash") return new HashVariablePool({ ...size, fraction });
  return new ProductVariablePool({ ...size, fraction, streaming, useKroneckerProduct: kind === "kronecker" });
}
