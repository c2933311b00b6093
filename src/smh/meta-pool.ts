import { add, mul } from "../ops/index.ts";
import {
  checkLengths,
  type Parameter,
  readList,
  readName,
  readObject,
  readOptions,
  type Shape,
  sizeOf,
  ValueError,
} from "../tensor/index.ts";
import type { Description } from "../variables/index.ts";
import { type PoolSlice, poolDescription, readPool, type VariablePool } from "./pool.ts";

/** Options of `MetaVariablePool`. */
export type MetaPoolOptions = {
  /** The pools that are combined. Each has its own fraction, standard deviation and `name`. */
  readonly parts: readonly VariablePool[];
  /** Adds or multiplies the weights of the parts. */
  readonly reduce: "sum" | "product";
};

/**
 * A pool that adds or multiplies the weights of several pools, which may be of any kind and have different shares. Its
 * standard deviation follows from those of the parts: √(Σ stddev²) for a sum, their product for a product. In the
 * reference code each of n parts has fraction/n and stddev/n.
 * @throws ValueError if there is no part, a part is no pool, the reducer is unknown, or two parts have arrays of one
 * name.
 * @example
 * const product = new ProductVariablePool({ poolSize: 1000, fraction: 0.2, stddev: 0.5, name: "product" });
 * const hash = new HashVariablePool({ poolSize: 1000, fraction: 0.05, stddev: 0.5, name: "hash" });
 * const pool = new MetaVariablePool({ parts: [product, hash], reduce: "sum" });
 * console.log(pool.coreSize, pool.stddev, pool.getSlice([10, 20]).read().shape); //=> 242 0.7071067811865476 [ 10, 20 ]
 */
export class MetaVariablePool implements VariablePool {
  readonly coreVariables: readonly Parameter[];
  readonly coreSize: number;
  /** The number of virtual weights of the first part, as in the reference code. Each slice must fit into all parts. */
  readonly poolSize: number;
  readonly stddev: number;
  readonly description: Description;
  /** The pools whose weights are added or multiplied. */
  readonly parts: readonly VariablePool[];
  readonly #reduce: "sum" | "product";

  constructor(given: MetaPoolOptions) {
    const { parts, reduce } = readOptions("MetaVariablePool", readObject("MetaVariablePool", "options", given), [
      "parts",
      "reduce",
    ]);
    for (const [i, part] of readList("MetaVariablePool", "parts", parts).entries())
      readPool("MetaVariablePool", `parts[${i}]`, part);
    if (parts.length === 0) throw new ValueError("MetaVariablePool", "needs at least one part");
    readName("MetaVariablePool", "reduce", reduce, ["sum", "product"]);
    this.parts = [...parts];
    this.#reduce = reduce;
    this.coreVariables = parts.flatMap((part) => part.coreVariables);
    const names = this.coreVariables.map(({ name }) => name);
    const twice = names.find((name, i) => names.indexOf(name) !== i);
    if (twice !== undefined) {
      throw new ValueError(
        "MetaVariablePool",
        `two parts have an array "${twice}"; give each part a name: new ProductVariablePool({ …, name: "first" })`,
      );
    }
    this.coreSize = parts.reduce((sum, part) => sum + part.coreSize, 0);
    this.poolSize = parts[0]!.poolSize;
    this.description = { kind: "meta", parts: parts.map(poolDescription), reduce };
    const deviations = parts.map((part) => part.stddev);
    this.stddev = reduce === "sum" ? Math.hypot(...deviations) : deviations.reduce((a, b) => a * b);
  }

  get status(): number {
    return this.parts[0]!.status;
  }

  /**
   * Throws a PoolError if `getSlice` would refuse this number of weights.
   * @param length - the number of weights
   */
  check(length: number): void {
    for (const part of this.parts) part.check(length);
  }

  /**
   * Returns the next weights of the pool in this shape.
   * @param shape - the shape of the slice
   * @throws PoolError if too few weights are left.
   */
  getSlice(shape: Shape): PoolSlice {
    checkLengths("getSlice", shape);
    this.check(sizeOf(shape)); // all or none: a part that refuses must not leave the others one slice ahead
    const slices = this.parts.map((part) => part.getSlice(shape));
    const reduce = this.#reduce === "sum" ? add : mul;
    return {
      shape: [...shape],
      placement: slices.flatMap((slice) => slice.placement),
      read: () => slices.map((slice) => slice.read()).reduce((a, b) => reduce(a, b)),
    };
  }
}
