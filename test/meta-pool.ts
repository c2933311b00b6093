import { HashVariablePool, MetaVariablePool, type PoolOptions, ProductVariablePool, type VariablePool } from "hashgrad/smh";

export type PartKind = "product" | "kronecker" | "hash";

/** A meta pool with equal parts, as in the reference code: each of n parts has fraction/n and stddev/n. */
export function metaPool(
  parts: readonly PartKind[],
  reduce: "sum" | "product",
  { fraction, stddev = 1, name, ...options }: PoolOptions,
): MetaVariablePool {
  const poolOf = (kind: PartKind, i: number): VariablePool => {
    const own = `part_${i}`;
    const share = {
      ...options,
      fraction: fraction / parts.length,
      stddev: stddev / parts.length,
      name: name === undefined ? own : `${name}/${own}`,
    };
    if (kind === "hash") return new HashVariablePool(share);
    return new ProductVariablePool({ ...share, useKroneckerProduct: kind === "kronecker" });
  };
  return new MetaVariablePool({ parts: parts.map(poolOf), reduce });
}
