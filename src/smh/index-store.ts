import { describe, HashgradError, readCount, readFunction, readList, readObject, ValueError } from "../tensor/index.ts";

/** A pool is full, or cannot be made: the fraction is too small, or a part is unknown. */
export class PoolError extends HashgradError {}

/** `length` elements of a pool from `begin` on. A `begin` of −1 means constants that are not in the pool. */
export type Range = { readonly begin: number; readonly length: number };

/** Assigns positions of a pool of `size` elements to requests. */
export type IndexStore = {
  /** The number of elements of the pool. */
  readonly size: number;
  /** The number of assigned elements. For a cyclic store: the position of the next element. */
  readonly current: number;
  /** Throws PoolError if `allocate` would refuse this length. Assigns nothing. */
  readonly check: (length: number) => void;
  /** The ranges for a request, in order. A refused request assigns nothing. */
  readonly allocate: (length: number) => Range[];
};

/** The index store of a pool: "basic", "cyclic" or "padding", or a function that makes a custom store. */
export type IndexStoreKind = "basic" | "cyclic" | "padding" | ((size: number) => IndexStore);

/** The store of a pool. `who` is the class of the pool, for messages. */
export function indexStore(who: string, kind: IndexStoreKind, size: number): IndexStore {
  if (typeof kind === "function") {
    const store = readObject(who, "the result of indexStore", kind(size));
    readFunction(who, "the store's check", store.check);
    readFunction(who, "the store's allocate", store.allocate);
    return store;
  }
  if (kind === "basic") return basicStore(size);
  if (kind === "cyclic") return cyclicStore(size);
  if (kind === "padding") return paddingStore(size);
  throw new ValueError(who, `indexStore must be "basic", "cyclic", "padding" or a function of the size, got ${describe(kind)}`);
}

/**
 * Returns a store that assigns each element once and refuses a request that does not fit.
 * @param size - the number of elements of the pool
 * @example
 * const store = basicStore(10);
 * console.log(store.allocate(4), store.allocate(6)); //=> [ { begin: 0, length: 4 } ] [ { begin: 4, length: 6 } ]
 */
export function basicStore(size: number): IndexStore {
  readCount("basicStore", "size", size, 0);
  let current = 0;
  const check = (length: number): void => {
    checkLength(length);
    if (current + length > size)
      throw new PoolError("pool is full", `${length} weights asked, ${size - current} of ${size} left`);
  };
  return {
    size,
    get current(): number {
      return current;
    },
    check,
    allocate: (length) => {
      check(length);
      const begin = current;
      current += length;
      return length === 0 ? [] : [{ begin, length }];
    },
  };
}

/**
 * Returns a store that starts over at the end of the pool. A request longer than the pool repeats the pool.
 * @param size - the number of elements of the pool
 * @example
 * console.log(cyclicStore(3).allocate(4)); //=> [ { begin: 0, length: 3 }, { begin: 0, length: 1 } ]
 */
export function cyclicStore(size: number): IndexStore {
  readCount("cyclicStore", "size", size, 1);
  let current = 0;
  return {
    size,
    get current(): number {
      return current;
    },
    check: checkLength,
    allocate: (length) => {
      checkLength(length);
      if (length / size > MOST_REPEATS)
        throw new PoolError("allocate", `${length} weights of a cyclic pool of ${size}: more than ${MOST_REPEATS} repeats`);
      const ranges: Range[] = [];
      for (let left = length; left > 0; ) {
        const taken = Math.min(left, size - current);
        ranges.push({ begin: current, length: taken });
        current = (current + taken) % size;
        left -= taken;
      }
      return ranges;
    },
  };
}

/**
 * Returns a store that returns a constant (`PADDING`) past the end of the pool.
 * @param size - the number of elements of the pool
 * @example
 * console.log(paddingStore(3).allocate(4)); //=> [ { begin: 0, length: 3 }, { begin: -1, length: 1 } ]
 */
export function paddingStore(size: number): IndexStore {
  readCount("paddingStore", "size", size, 0);
  let current = 0;
  return {
    size,
    get current(): number {
      return current;
    },
    check: checkLength,
    allocate: (length) => {
      checkLength(length);
      const taken = Math.min(length, size - current);
      const ranges: Range[] = [];
      if (taken > 0) ranges.push({ begin: current, length: taken });
      if (length > taken) ranges.push({ begin: -1, length: length - taken });
      current += taken;
      return ranges;
    },
  };
}

/** The constant of a padding store past the end of the pool. */
export const PADDING = 0.01;

/** The largest number of repeats of a cyclic pool for one variable. */
const MOST_REPEATS = 1e6;

/** The ranges that a store assigns to `length` elements, checked: a custom store may be wrong. */
export function readRanges(who: string, ranges: readonly Range[], length: number, size: number): readonly Range[] {
  let total = 0;
  for (const [i, range] of readList(who, "the ranges of the index store", ranges).entries()) {
    const { begin, length: part } = readObject(who, `range ${i} of the index store`, range);
    readCount(who, `the length of range ${i} of the index store`, part, 0);
    readCount(who, `the begin of range ${i} of the index store`, begin, -1);
    if (begin >= 0 && begin + part > size)
      throw new PoolError(who, `range ${i} of the index store, ${begin} to ${begin + part}, lies outside the pool of ${size}`);
    total += part;
  }
  if (total !== length)
    throw new PoolError(who, `the ranges of the index store have ${total} elements, ${length} were asked for`);
  return ranges;
}

function checkLength(length: number): void {
  readCount("allocate", "a length", length, 0);
}
