import { add, mul } from "../ops/index.ts";
import { checkLengths, type Parameter, readList, readName, type Shape, sizeOf, ValueError } from "../tensor/index.ts";
import type { Description } from "../variables/index.ts";
import { HashVariablePool } from "./hash-pool.ts";
import { PoolError } from "./index-store.ts";
import { leastAdvice, type PoolOptions, type PoolSlice, readPoolOptions, storeKind, type VariablePool } from "./pool.ts";
import { leastProductFraction, ProductVariablePool } from "./product-pool.ts";

/** Options of `MetaVariablePool`, which include {@link PoolOptions}. */
export type MetaPoolOptions = PoolOptions & {
  /** The kinds of the parts. */
  readonly parts: readonly ("product" | "kronecker" | "hash")[];
  /** Adds or multiplies the weights of the parts. */
  readonly reduce: "sum" | "product";
};

/**
 * A pool that adds or multiplies the weights of several pools. As in the reference, each of n parts gets fraction/n and
 * stddev/n. So virtual weights have the standard deviation stddev/√n for a sum and (stddev/n)ⁿ for a product; `stddev`
 * returns this value. `poolSize` and `status` are those of the first part.
 *
 * @throws ValueError if a part or the reducer is unknown; errors of the parts.
 */
export class MetaVariablePool implements VariablePool {
  readonly coreVariables: readonly Parameter[];
  readonly coreSize: number;
  readonly poolSize: number;
  readonly stddev: number;
  readonly description: Description;
  readonly parts: readonly VariablePool[];
  readonly #reduce: "sum" | "product";

  constructor(given: MetaPoolOptions) {
    const { parts, reduce, ...options } = readPoolOptions("MetaVariablePool", given, ["parts", "reduce"]);
    for (const [i, kind] of readList("MetaVariablePool", "parts", parts).entries())
      readName("MetaVariablePool", `parts[${i}]`, kind, ["product", "kronecker", "hash"]);
    if (parts.length === 0) throw new ValueError("MetaVariablePool", "needs at least one part");
    readName("MetaVariablePool", "reduce", reduce, ["sum", "product"]);
    const { fraction, poolSize, stddev = 1, name } = options;
    const leastOf = (kind: (typeof parts)[number]): number =>
      kind === "hash" ? 1 / poolSize : leastProductFraction(poolSize, kind === "kronecker");
    const least = parts.reduce((most, kind) => Math.max(most, leastOf(kind)), 0);
    if (fraction < least * parts.length) {
      throw new PoolError(
        "MetaVariablePool",
        `fraction ${fraction} leaves nothing of a part, of which each gets 1/${parts.length}; ${leastAdvice(poolSize, least * parts.length)}`,
      );
    }
    this.parts = parts.map((kind, i) => {
      const own = `part_${i}`;
      const share = {
        ...options,
        fraction: fraction / parts.length,
        stddev: stddev / parts.length,
        name: name === undefined ? own : `${name}/${own}`,
      };
      if (kind === "hash") return new HashVariablePool(share);
      return new ProductVariablePool({ ...share, useKroneckerProduct: kind === "kronecker" });
    });
    this.#reduce = reduce;
    const indexStore = storeKind(options.indexStore);
    this.description = { kind: "meta", parts: [...parts], reduce, poolSize, fraction, stddev, indexStore };
    this.coreVariables = this.parts.flatMap((part) => part.coreVariables);
    this.coreSize = this.parts.reduce((sum, part) => sum + part.coreSize, 0);
    this.poolSize = this.parts[0]!.poolSize;
    const deviations = this.parts.map((part) => part.stddev);
    this.stddev =
      reduce === "sum"
        ? Math.sqrt(deviations.reduce((total, deviation) => total + deviation ** 2, 0))
        : deviations.reduce((a, b) => a * b);
  }

  get status(): number {
    return this.parts[0]!.status;
  }

  check(length: number): void {
    for (const part of this.parts) part.check(length);
  }

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
