import {
  describe,
  type Parameter,
  readFunction,
  readList,
  readOptions,
  type Shape,
  type Tensor,
  ValueError,
} from "../tensor/index.ts";
import { type ApplyTo, selectorOf } from "./apply-to.ts";
import { initializerScaleModifier, type Modifier } from "./modifiers.ts";
import { type PoolSlice, readPool, type VariablePool } from "./pool.ts";

/** Which variables come from which pool. */
export type PoolRule = {
  /** The pool of the weights; null: the variables are dense. */
  readonly pool: VariablePool | null;
  /** Selects the variables of the rule. Default: kernels and matrices. */
  readonly applyTo?: ApplyTo | null;
  /** Changes each slice before the layer reads it. Default `initializerScaleModifier`; null leaves slices unchanged. */
  readonly modifier?: Modifier | null;
};

/** A variable that comes from a pool. */
export type PooledVariable = {
  readonly shape: Shape;
  readonly slice: PoolSlice;
  /** What the layer reads if the pool's numbers are `slice`. */
  readonly modify: (slice: Tensor) => Tensor;
  /**
   * Mean and deviation that the modifier read from the initializer, or null. Files record them: they change weights.
   */
  readonly moments: readonly [mean: number | null, deviation: number | null];
};

/** A rule of a factory, with the variables that it made. */
export type Rule = {
  readonly pool: VariablePool | null;
  readonly takes: (name: string, shape: Shape) => boolean;
  readonly modifier: Modifier | null;
  /** What `applyTo` is, for messages. */
  readonly shown: string;
  /**
   * The factors of the pool; empty if the pool is not trained. Factors that are frozen later stay listed, so that
   * `unfreeze` finds them.
   */
  readonly core: readonly Parameter[];
  readonly made: Map<string, PooledVariable>;
};

/** The rules of a factory, checked: each pool has its own rule and its own names. */
export function readRules(who: string, rules: readonly PoolRule[]): Rule[] {
  const read = readList(who, "rules", rules).map((rule, i) => readRule(`${who}: rule ${i}`, rule));
  const names = read.flatMap(({ pool }) => pool?.coreVariables.map(({ name }) => name) ?? []);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) {
    throw new ValueError(
      who,
      `two rules have the array "${twice}"; give each rule a pool with a name: new ProductVariablePool({ …, name: "first" })`,
    );
  }
  return read;
}

/** One rule, checked. `who` is the function that got it. */
export function readRule(who: string, given: PoolRule): Rule {
  const { pool, applyTo = null, modifier } = readOptions(who, given, ["pool", "applyTo", "modifier"]);
  if (pool === undefined) throw new ValueError(who, `pool must be a pool, or null for dense variables, got ${describe(pool)}`);
  if (pool !== null) readPool(who, "pool", pool);
  if (modifier !== undefined && modifier !== null) readFunction(who, "modifier", modifier);
  return {
    pool,
    takes: selectorOf(who, applyTo),
    modifier: modifier === undefined ? initializerScaleModifier : modifier,
    shown: applyTo === null ? "kernels and matrices" : String(applyTo),
    core: pool?.coreVariables.filter((core) => core.tensor.tracked) ?? [],
    made: new Map(),
  };
}
