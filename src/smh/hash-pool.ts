import { cyclicSlice } from "../ops/index.ts";
import type { Parameter, Shape } from "../tensor/index.ts";
import { type Description, type Distribution, type Initializer, ofDeviation } from "../variables/index.ts";
import { type IndexStore, indexStore, PoolError } from "./index-store.ts";
import {
  checkDistribution,
  coreParameter,
  leastAdvice,
  type PoolOptions,
  type PoolSlice,
  readPoolOptions,
  sliceOf,
  storeKind,
  type VariablePool,
} from "./pool.ts";

/** Options of `HashVariablePool`, which include {@link PoolOptions}. */
export type HashPoolOptions = PoolOptions & {
  /**
   * The distribution of the starting values (default "normal", with standard deviation `stddev`), or an initializer,
   * used unchanged.
   */
  readonly initializer?: Distribution | Initializer;
};

/**
 * A pool with plain weight sharing, for comparison: H = ⌊fraction·poolSize⌋ trained numbers; virtual weight i is number
 * i mod H.
 * @throws ValueError if the fraction is outside (0, 1]. PoolError if H is 0, or for a padding store.
 * @example
 * const pool = new HashVariablePool({ poolSize: 1000, fraction: 0.1 });
 * console.log(pool.coreSize, pool.getSlice([10, 20]).read().shape); //=> 100 [ 10, 20 ]
 */
export class HashVariablePool implements VariablePool {
  readonly coreVariables: readonly Parameter[];
  readonly coreSize: number;
  readonly poolSize: number;
  readonly stddev: number;
  readonly description: Description;
  readonly #hash: Parameter;
  readonly #store: IndexStore;

  constructor(given: HashPoolOptions) {
    const options = readPoolOptions("HashVariablePool", given, ["initializer"]);
    const { poolSize, fraction, stddev = 1, initializer = "normal", indexStore: kind = "basic" } = options;
    if (kind === "padding") {
      throw new PoolError(
        "HashVariablePool",
        'a padding store does not fit a hash pool, which has no end; use "basic" or "cyclic"',
      );
    }
    const size = Math.floor(fraction * poolSize);
    if (size === 0) {
      throw new PoolError(
        "HashVariablePool",
        `fraction ${fraction} of ${poolSize} weights leaves a hash of size 0; ${leastAdvice(poolSize, 1 / poolSize)}`,
      );
    }
    checkDistribution("HashVariablePool", initializer);
    const init = typeof initializer === "string" ? ofDeviation(initializer, stddev) : initializer;
    this.#hash = coreParameter("HashVariablePool", "hash", [size], init, options);
    this.coreVariables = [this.#hash];
    this.coreSize = size;
    this.poolSize = Math.floor(poolSize);
    this.stddev = typeof initializer === "string" ? stddev : init.deviation([size]);
    this.#store = indexStore("HashVariablePool", kind, this.poolSize);
    this.description = { kind: "hash", poolSize, fraction, stddev: this.stddev, indexStore: storeKind(kind) };
  }

  get status(): number {
    return this.#store.current;
  }

  /**
   * Throws a PoolError if `getSlice` would refuse this number of weights.
   * @param length - the number of weights
   */
  check(length: number): void {
    this.#store.check(length);
  }

  /**
   * Returns the next weights of the pool in this shape.
   * @param shape - the shape of the slice
   * @throws PoolError if too few weights are left.
   */
  getSlice(shape: Shape): PoolSlice {
    return sliceOf(this.#store, this.poolSize, shape, ({ begin, length }) =>
      cyclicSlice(this.#hash.tensor, begin % this.coreSize, length),
    );
  }
}
