import { checkLengths, describe, readCount, readList, readName, type Shape, sizeOf, ValueError } from "../tensor/index.ts";
import { HashVariablePool } from "./hash-pool.ts";
import { type Range, readRanges } from "./index-store.ts";
import { MetaVariablePool } from "./meta-pool.ts";
import { type PoolSlice, poolDescription, readPool, type VariablePool } from "./pool.ts";
import { ProductVariablePool } from "./product-pool.ts";
import type { PooledVariable } from "./rule.ts";

/**
 * Which weights of a variable share trained numbers. Weights and numbers are named by their positions in the row-major
 * order of their array, from 0 on.
 */
export type Collisions = {
  /** The number of weights that have equal values for all trained numbers, because they depend on the same numbers. */
  readonly count: number;
  /** These weights, in groups of two or more that depend on exactly the same numbers. */
  readonly groups: readonly (readonly number[])[];
  /** For each array of the pool: the number of weights that depend on each trained number. */
  readonly uses: Readonly<Record<string, Uint32Array>>;
  /** Returns the trained numbers that a weight depends on, for each array of the pool. Padding depends on none. */
  readonly numbersOf: (weight: number) => Readonly<Record<string, readonly number[]>>;
  /** Returns the weights that depend on a number of the array `name`. */
  readonly weightsOf: (name: string, number: number) => readonly number[];
};

/**
 * Returns which weights of a variable share trained numbers of its pool.
 * - Product pool: a weight depends on one row of `left` and one column of `right`. Weights at different positions of
 *   the pool never depend on exactly the same numbers.
 * - Kronecker product: on one place [i, j] of each matrix in `left`, and one place of each matrix in `right`.
 * - Hash pool: on one number. The weights of a group are the hash collisions.
 * - Meta pool: on the numbers of the weight in each part.
 *
 * Follows from the positions of the weights, not from values: a weight depends on a number even if the other factor is
 * 0. Leaves out the numbers of modifiers.
 * @param pool - a product, hash or meta pool
 * @param variable - a variable of the pool, `vars.pooled(pool).get(name)`, or a slice, `pool.getSlice(shape)`
 * @throws ValueError if the pool is of another class, or if the slice cannot come from this pool.
 * @example
 * const hash = new HashVariablePool({ poolSize: 12, fraction: 0.5 }); // six numbers
 * const { groups, numbersOf, weightsOf } = collisions(hash, hash.getSlice([2, 4]));
 * console.log(groups, numbersOf(7), weightsOf("hash", 1)); //=> [ [ 0, 6 ], [ 1, 7 ] ] { hash: [ 1 ] } [ 1, 7 ]
 */
export function collisions(pool: VariablePool, variable: PooledVariable | PoolSlice): Collisions {
  const parts = partsOf(readPool("collisions", "pool", pool));
  const { shape, placement } = readSlice(parts, variable);
  const size = sizeOf(shape);
  const arrays = parts.flatMap((part, i) => arraysOf(part, positionsOf(placement[i]!, size)));
  const groups = equalWeights(arrays, size);
  return {
    count: groups.reduce((sum, { length }) => sum + length, 0),
    groups,
    uses: Object.fromEntries(arrays.map((array) => [array.name, usesOf(array)])),
    numbersOf: (weight) => {
      readCount("numbersOf", "weight", weight, 0, size - 1);
      return Object.fromEntries(arrays.map(({ name, blocks, numbersIn }) => [name, numbersIn(blocks[weight]!)]));
    },
    weightsOf: (name, number) => {
      const names = arrays.map((array) => array.name);
      const { blocks, size, blockOf } = arrays[names.indexOf(readName("weightsOf", "name", name, names))]!;
      const block = blockOf(readCount("weightsOf", "number", number, 0, size - 1));
      const weights: number[] = [];
      for (let i = 0; i < blocks.length; i++) if (blocks[i] === block) weights.push(i);
      return weights;
    },
  };
}

/** The pools without parts that make the weights of a pool, in the order of the placements of a slice. */
function partsOf(pool: VariablePool): readonly VariablePool[] {
  if (pool instanceof MetaVariablePool) return pool.parts.flatMap(partsOf);
  if (pool instanceof ProductVariablePool || pool instanceof HashVariablePool) return [pool];
  const { kind } = poolDescription(pool);
  throw new ValueError("collisions", `takes product, hash and meta pools, got a pool of the kind ${describe(kind)}`);
}

/** The shape and the placement of a variable or a slice, checked against the pools that make its weights. */
function readSlice(parts: readonly VariablePool[], variable: PooledVariable | PoolSlice): Pick<PoolSlice, "shape" | "placement"> {
  const slice = typeof variable === "object" && variable !== null && "slice" in variable ? variable.slice : variable;
  if (typeof slice !== "object" || slice === null || !("placement" in slice)) {
    throw new ValueError(
      "collisions",
      `variable must be a variable or slice of the pool, got ${describe(variable)}; vars.pooled(pool).get(name) returns the variable, or undefined if the pool does not make it`,
    );
  }
  const { shape, placement } = slice;
  checkLengths("collisions", shape);
  readList("collisions", "the placement of the slice", placement);
  const other = "; take the variable from vars.pooled(pool) with the same pool";
  if (placement.length !== parts.length)
    throw new ValueError(
      "collisions",
      `placements of the slice: ${placement.length}, parts of the pool: ${parts.length}${other}`,
    );
  for (const [i, ranges] of placement.entries()) {
    const { poolSize } = parts[i]!;
    const end = readList("collisions", "a placement", ranges).reduce(
      (most, { begin, length }) => Math.max(most, begin + length),
      0,
    );
    if (end > poolSize) throw new ValueError("collisions", `the slice ends at ${end}, the pool at ${poolSize}${other}`);
    readRanges("collisions", ranges, sizeOf(shape), poolSize);
  }
  return { shape, placement };
}

/** The position in the pool of each weight; −1 for padding. */
function positionsOf(ranges: readonly Range[], size: number): Float64Array {
  const positions = new Float64Array(size);
  let at = 0;
  for (const { begin, length } of ranges) for (let i = 0; i < length; i++) positions[at++] = begin < 0 ? -1 : begin + i;
  return positions;
}

/**
 * A trained array, cut into blocks such as the rows of `left`. A weight depends on all numbers of one block, and on no
 * other number of the array.
 */
type TrainedArray = {
  readonly name: string;
  /** The number of trained numbers. */
  readonly size: number;
  /** The number of blocks. */
  readonly count: number;
  /** The block of each weight; −1 for padding. */
  readonly blocks: Int32Array;
  readonly blockOf: (number: number) => number;
  readonly numbersIn: (block: number) => number[];
};

function arraysOf(pool: VariablePool, positions: Float64Array): readonly TrainedArray[] {
  const [first, second] = pool.coreVariables.map(({ name, tensor }) => ({ name, size: tensor.size, shape: tensor.shape }));
  const blocksBy = (of: (position: number) => number): Int32Array =>
    Int32Array.from(positions, (position) => (position < 0 ? -1 : of(position)));
  /** Block b holds the numbers b, b + count, b + 2·count, … */
  const strided = (array: { name: string; size: number }, count: number, of: (position: number) => number): TrainedArray => ({
    ...array,
    count,
    blocks: blocksBy(of),
    blockOf: (number) => number % count,
    numbersIn: (block) => (block < 0 ? [] : Array.from({ length: array.size / count }, (_, k) => k * count + block)),
  });
  if (!(pool instanceof ProductVariablePool)) return [strided(first!, first!.size, (position) => position % first!.size)];
  const { dim: d, replicas: r } = pool;
  if (isKronecker(first!.shape)) {
    // Position ((i·d + p)·d + j)·d + q depends on left[k, i, j] and right[k, p, q].
    const digit = (position: number, place: number): number => Math.floor(position / d ** place) % d;
    return [
      strided(first!, d * d, (position) => digit(position, 3) * d + digit(position, 1)),
      strided(second!, d * d, (position) => digit(position, 2) * d + digit(position, 0)),
    ];
  }
  const rows: TrainedArray = {
    ...first!,
    count: d,
    blocks: blocksBy((position) => Math.floor(position / d)),
    blockOf: (number) => Math.floor(number / r),
    numbersIn: (block) => (block < 0 ? [] : Array.from({ length: r }, (_, k) => block * r + k)),
  };
  return [rows, strided(second!, d, (position) => position % d)];
}

const isKronecker = (shape: Shape): boolean => shape.length === 3;

function usesOf({ size, count, blocks, blockOf }: TrainedArray): Uint32Array {
  const weights = new Uint32Array(count);
  for (const block of blocks) if (block >= 0) weights[block]!++;
  return Uint32Array.from({ length: size }, (_, number) => weights[blockOf(number)]!);
}

/**
 * The groups of weights with the same block in every array, and a block in at least one array. Sorts the weights by
 * their blocks, one array after the other, with a stable counting sort.
 */
function equalWeights(arrays: readonly TrainedArray[], size: number): number[][] {
  let order = Uint32Array.from({ length: size }, (_, i) => i);
  for (const { blocks, count } of arrays) {
    const next = new Uint32Array(count + 2); // where the next weight of block b goes: next[b + 1]
    for (const block of blocks) next[block + 2]!++;
    for (let i = 1; i < next.length; i++) next[i]! += next[i - 1]!;
    const sorted = new Uint32Array(size);
    for (const weight of order) sorted[next[blocks[weight]! + 1]!++] = weight;
    order = sorted;
  }
  const same = (a: number, b: number): boolean => arrays.every(({ blocks }) => blocks[a] === blocks[b]);
  const groups: number[][] = [];
  for (let begin = 0, end = 0; begin < size; begin = end) {
    for (end = begin + 1; end < size && same(order[begin]!, order[end]!); ) end++;
    const isPadding = arrays.every(({ blocks }) => blocks[order[begin]!]! < 0);
    if (end - begin > 1 && !isPadding) groups.push(Array.from(order.subarray(begin, end)));
  }
  return groups.sort(([a], [b]) => a! - b!);
}
