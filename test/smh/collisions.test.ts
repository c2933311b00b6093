import fc from "fast-check";
import { assign, DenseVariables, Generator, noGrad, randomUniform } from "hashgrad";
import { toyNetwork } from "hashgrad/nn";
import {
  type Collisions,
  collisions,
  compress,
  HashVariablePool,
  type IndexStoreKind,
  MetaVariablePool,
  type PoolSlice,
  ProductVariablePool,
  type VariablePool,
} from "hashgrad/smh";
import { shapes } from "hashgrad/testing/arbitraries";
import { describe, expect, test } from "vitest";
import { sizeOf } from "../../src/tensor/index.ts";
import "../fixed-seed.ts";
import { thrown } from "../thrown.ts";

/** Trained numbers between 0.5 and 1.5, so that no product or sum is 0. */
function fill(pool: VariablePool): void {
  const random = new Generator(1);
  for (const { tensor } of pool.coreVariables) assign(tensor, randomUniform(tensor.shape, random, 0.5, 1.5));
}

/** The weights that change if one trained number is doubled, for each number of each array. */
function changes(pool: VariablePool, slice: PoolSlice): ReadonlyMap<string, readonly (readonly number[])[]> {
  const read = (): Float32Array => noGrad(() => slice.read().toArray());
  const before = read();
  return new Map(
    pool.coreVariables.map(({ name, tensor }) => {
      const numbers = tensor.toArray();
      const weights = Array.from(numbers, (number, at) => {
        assign(
          tensor,
          numbers.map((other, i) => (i === at ? 2 * number : other)),
        );
        const after = read();
        return [...before.keys()].filter((i) => after[i] !== before[i]);
      });
      assign(tensor, numbers);
      return [name, weights];
    }),
  );
}

/** What `collisions` must return, from the changed weights. */
function expected(pool: VariablePool, slice: PoolSlice) {
  const changed = changes(pool, slice);
  const weights = Array.from({ length: sizeOf(slice.shape) }, (_, i) => i);
  const numbersOf = weights.map((weight) =>
    Object.fromEntries([...changed].map(([name, lists]) => [name, [...lists.keys()].filter((n) => lists[n]!.includes(weight))])),
  );
  const alike = new Map<string, number[]>();
  for (const weight of weights) {
    const numbers = numbersOf[weight]!;
    if (Object.values(numbers).some(({ length }) => length > 0))
      alike.set(JSON.stringify(numbers), [...(alike.get(JSON.stringify(numbers)) ?? []), weight]);
  }
  return {
    groups: [...alike.values()].filter(({ length }) => length > 1),
    uses: Object.fromEntries([...changed].map(([name, lists]) => [name, lists.map(({ length }) => length)])),
    numbersOf,
    weightsOf: changed,
  };
}

function got(
  pool: VariablePool,
  slice: PoolSlice,
  { groups, uses, numbersOf, weightsOf }: Collisions,
): ReturnType<typeof expected> {
  return {
    groups: groups.map((group) => [...group]),
    uses: Object.fromEntries(Object.entries(uses).map(([name, counts]) => [name, [...counts]])),
    numbersOf: Array.from({ length: sizeOf(slice.shape) }, (_, i) =>
      Object.fromEntries(Object.entries(numbersOf(i)).map(([name, numbers]) => [name, [...numbers]])),
    ),
    weightsOf: new Map(
      pool.coreVariables.map(({ name, tensor }) => [name, Array.from({ length: tensor.size }, (_, i) => weightsOf(name, i))]),
    ),
  };
}

type Kind = "product" | "kronecker" | "hash";
const kinds = fc.constantFrom<Kind>("product", "kronecker", "hash");
type Part = { readonly kind: Kind; readonly indexStore: IndexStoreKind; readonly streaming: boolean; readonly fraction: number };
const partsOf = (kind: Kind): fc.Arbitrary<Part> =>
  fc.record({
    kind: fc.constant(kind),
    indexStore: fc.constantFrom<IndexStoreKind>("basic", "cyclic", ...(kind === "hash" ? [] : (["padding"] as const))),
    streaming: fc.boolean(),
    fraction: fc.double({ min: 0.1, max: 1, noNaN: true }),
  });
const parts = kinds.chain(partsOf);

/** A pool of a kind; at least one column or number is left. */
function poolOf({ kind, streaming, fraction, ...part }: Part, size: number, name: string): VariablePool {
  const poolSize = part.indexStore === "basic" ? size : Math.max(1, Math.floor(0.7 * size)); // others go past their end
  const options = { poolSize, fraction: Math.min(1, Math.max(fraction, 1 / poolSize)), name, indexStore: part.indexStore };
  if (kind === "hash") return new HashVariablePool(options);
  const side = kind === "kronecker" ? Math.ceil(poolSize ** 0.25) ** 2 : Math.ceil(Math.sqrt(poolSize));
  const least = (2 * side + 0.01) / poolSize;
  const large = { ...options, poolSize: least > 1 ? poolSize + 40 : poolSize, fraction: Math.max(fraction, Math.min(1, least)) };
  return new ProductVariablePool({ ...large, streaming, useKroneckerProduct: kind === "kronecker" });
}

test("collisions finds the weights that change if one trained number changes, for each kind of pool and slice", () => {
  const pools = fc.tuple(
    fc.array(parts, { minLength: 1, maxLength: 3 }),
    fc.constantFrom("sum" as const, "product" as const),
    fc.array(shapes({ minAxes: 0, maxAxes: 3, minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 3 }),
  );
  fc.assert(
    fc.property(pools, ([made, reduce, taken]) => {
      const size = taken.reduce((sum, shape) => sum + sizeOf(shape), 0);
      const all = made.map((part, i) => poolOf(part, size, `part_${i}`));
      const inner = all.length === 3 ? [all[0]!, new MetaVariablePool({ parts: all.slice(1), reduce: "sum" })] : all;
      const pool = all.length === 1 ? all[0]! : new MetaVariablePool({ parts: inner, reduce });
      fill(pool);
      const slice = taken.map((shape) => pool.getSlice(shape)).at(-1)!;
      const want = expected(pool, slice);
      const found = collisions(pool, slice);
      expect(got(pool, slice, found)).toEqual(want);
      expect(found.count).toBe(want.groups.flat().length);
    }),
    { numRuns: 150 },
  );
});

const slice = { poolSize: 20, fraction: 0.5 };

describe("the structure of each pool", () => {
  test("in a hash pool, weights whose positions differ by a multiple of the hash size collide", () => {
    const pool = new HashVariablePool({ poolSize: 20, fraction: 0.35 }); // seven numbers
    pool.getSlice([3]);
    const { groups, count, uses, numbersOf } = collisions(pool, pool.getSlice([2, 8])); // positions 3 to 18
    expect(groups).toEqual([
      [0, 7, 14],
      [1, 8, 15],
      [2, 9],
      [3, 10],
      [4, 11],
      [5, 12],
      [6, 13],
    ]);
    expect(count).toBe(16);
    expect(uses).toEqual({ hash: Uint32Array.of(2, 2, 2, 3, 3, 2, 2) });
    expect(numbersOf(15)).toEqual({ hash: [4] });
  });

  test("in a product pool, weights of a row share a row of left, and no two weights share all numbers", () => {
    const pool = new ProductVariablePool({ poolSize: 25, fraction: 0.8 }); // d = 5, r = 2
    pool.getSlice([3]);
    const { groups, count, uses, numbersOf, weightsOf } = collisions(pool, pool.getSlice([9])); // positions 3 to 11
    expect([groups, count]).toEqual([[], 0]);
    expect(numbersOf(8)).toEqual({ variable_left: [4, 5], variable_right: [1, 6] }); // row 2, column 1
    expect(weightsOf("variable_left", 2)).toEqual([2, 3, 4, 5, 6]); // row 1
    expect(weightsOf("variable_right", 9)).toEqual([1, 6]); // column 4
    expect([...uses.variable_left!]).toEqual([2, 2, 5, 5, 2, 2, 0, 0, 0, 0]);
  });

  test("weights of a product pool collide only if the store gives a position twice, and padding never collides", () => {
    const cyclic = new ProductVariablePool({ poolSize: 9, fraction: 1, indexStore: "cyclic" });
    expect(collisions(cyclic, cyclic.getSlice([11])).groups).toEqual([
      [0, 9],
      [1, 10],
    ]);
    const padded = new ProductVariablePool({ poolSize: 9, fraction: 1, indexStore: "padding" });
    const { groups, numbersOf, uses } = collisions(padded, padded.getSlice([12]));
    expect(groups).toEqual([]);
    expect(numbersOf(11)).toEqual({ variable_left: [], variable_right: [] });
    expect([...uses.variable_left!]).toEqual([3, 3, 3]);
  });

  test("a variable of a compressed model has the collisions of its slice", () => {
    const { vars } = compress((vars) => toyNetwork(vars), { fraction: 0.1, pool: "hash" });
    const pool = vars.pool!;
    const kernel = vars.pooled(pool).get("dense/kernel")!;
    const { count, groups, uses } = collisions(pool, kernel);
    expect([count, groups.length]).toEqual([31_360, 3176]);
    expect(uses.hash!.reduce((a, b) => a + b)).toBe(31_360);
    const weights = kernel.slice.read().toArray();
    expect(groups.every((group) => group.every((weight) => weights[weight] === weights[group[0]!]))).toBe(true);
    expect(groups).toEqual(collisions(pool, kernel.slice).groups);
  });
});

describe("errors", () => {
  const pool = new HashVariablePool(slice);
  const made = collisions(pool, pool.getSlice([4]));

  test.each<[string, () => unknown, string]>([
    [
      "a variable that the pool does not make",
      () =>
        collisions(
          pool,
          compress((vars) => toyNetwork(vars), { fraction: 0.1 })
            .vars.pooled(pool)
            .get("conv/kernel")!,
        ),
      "ValueError: collisions: variable must be a variable or slice of the pool, got undefined; vars.pooled(pool).get(name) returns the variable, or undefined if the pool does not make it",
    ],
    [
      "a dense variable",
      () => collisions(pool, new DenseVariables().create("w", [2]) as never),
      "ValueError: collisions: variable must be a variable or slice of the pool, got an object with the keys name, shape, trainable, storage, read, ...; vars.pooled(pool).get(name) returns the variable, or undefined if the pool does not make it",
    ],
    [
      "a slice of a larger pool",
      () => collisions(pool, new HashVariablePool({ poolSize: 30, fraction: 0.5 }).getSlice([30])),
      "ValueError: collisions: the slice ends at 30, the pool at 20; take the variable from vars.pooled(pool) with the same pool",
    ],
    [
      "a slice of a part of a meta pool",
      () =>
        collisions(new MetaVariablePool({ parts: [pool, new ProductVariablePool(slice)], reduce: "sum" }), pool.getSlice([2])),
      "ValueError: collisions: placements of the slice: 1, parts of the pool: 2; take the variable from vars.pooled(pool) with the same pool",
    ],
    [
      "a custom pool",
      () =>
        collisions(
          { ...pool, description: { kind: "mine" }, check: () => {}, getSlice: () => pool.getSlice([1]) } as never,
          pool.getSlice([1]),
        ),
      'ValueError: collisions: takes product, hash and meta pools, got a pool of the kind "mine"',
    ],
    [
      "a weight past the end",
      () => made.numbersOf(4),
      "ValueError: numbersOf: weight must be a whole number of at least 0 and at most 3, got 4",
    ],
    ["an unknown array", () => made.weightsOf("left", 0), 'ValueError: weightsOf: name must be "hash", got "left"'],
    [
      "a number past the end",
      () => made.weightsOf("hash", 10),
      "ValueError: weightsOf: number must be a whole number of at least 0 and at most 9, got 10",
    ],
  ])("collisions refuses %s", (_, run, message) => {
    expect(thrown(run)).toBe(message);
  });
});
