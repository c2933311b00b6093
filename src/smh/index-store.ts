import { describe, HashgradError, readCount, readFunction, readList, readObject, ValueError } from "../tensor/index.ts";

/** A pool that is full, or that cannot be made: too small a fraction, unknown parts. */
export class PoolError extends HashgradError {}

/** `length` elements of a pool from `begin` on; a `begin` of −1 stands for constants that are not in the pool. */
export type Range = { readonly begin: number; readonly length: number };

/** Hands out positions of a pool of `size` elements. */
export type IndexStore = {
  readonly size: number;
  /** How many elements are handed out; for a cyclic store the position of the next one. */
  readonly current: number;
  /** Throws PoolError where a request of this length would be refused; takes nothing. */
  readonly check: (length: number) => void;
  /** The ranges for a request, in order. A refused request takes nothing. */
  readonly allocate: (length: number) => Range[];
};

/** How a pool hands out its elements: "basic", "cyclic" or "padding", or a store of one's own. */
export type IndexStoreKind = "basic" | "cyclic" | "padding" | ((size: number) => IndexStore);

/** The store of a pool; `who` is the pool's class, for messages. */
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

/** Each element once; a request that does not fit is an error. */
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

/** Starts over when the pool is used up; a request longer than the pool repeats it. */
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

/** Past the end of the pool the elements are a constant (`PADDING`). */
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

/** The constant that a padding store gives past the end. */
export const PADDING = 0.01;

/** A cyclic store repeats the pool at most so many times for one variable. */
const MOST_REPEATS = 1e6;

/** The ranges that a store hands out for `length` elements: a store of one's own may be wrong. */
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
