import { MemoryError, Regions } from "../../kernels/index.ts";

/** What holds the bytes: WebAssembly's memory, or a model of it in tests. */
export type Growable = {
  readonly byteLength: () => number;
  /** Makes the memory at least `bytes` long, or throws. */
  readonly growTo: (bytes: number) => void;
};

/** Hands out regions of one address space. All sizes are JavaScript numbers, so that nothing wraps at 2³². */
export type Space = {
  /**
   * The address of `bytes` unused bytes, a multiple of 64. `who` and `what` name the request in the error.
   * @throws MemoryError if the address space or the machine's memory is too small.
   */
  readonly take: (bytes: number, who: string, what: string) => number;
  /** Gives back the region that `take` returned. */
  readonly give: (address: number) => void;
  /** How many bytes are handed out. */
  readonly used: () => number;
};

/** One byte beyond the last address of 32 bits. */
export const ADDRESSES: number = 2 ** 32;
const UNIT = 64;
/** Kernels load whole vectors: they may read, and ignore, up to this many bytes beyond the end of a region. */
const BEYOND = 64;

const whole = (bytes: number): number => Math.ceil(bytes / UNIT) * UNIT;

/**
 * A space over `memory` from address `first` on. A request takes the smallest free region that holds it (the lowest of
 * equals), or grows the memory. Free neighbors merge, so memory that one step gave back in pieces serves a later step
 * as a whole.
 */
export function createSpace(memory: Growable, first: number): Space {
  const taken = new Map<number, number>(); // address → length
  const free = new Regions();
  let top = whole(first); // no region lies above
  let used = 0;

  /** Raises the top, so that the last free region has `length` bytes and ends at the top. */
  const grow = (length: number, bytes: number, who: string, what: string): void => {
    const begin = free.beginOf(top);
    const end = begin + length;
    if (end + BEYOND > ADDRESSES) {
      const left = ADDRESSES - BEYOND - begin;
      throw new MemoryError(
        who,
        `${what} takes ${megabytes(bytes)}, and ${megabytes(left)} of WebAssembly's 4 GiB are left; ${REMEDY}`,
      );
    }
    if (end + BEYOND > memory.byteLength()) {
      try {
        memory.growTo(end + BEYOND);
      } catch (cause) {
        throw new MemoryError(who, `${what} takes ${megabytes(bytes)}, which this machine does not give; ${REMEDY}`, { cause });
      }
    }
    free.give(top, end);
    top = end;
  };

  return {
    take: (bytes, who, what) => {
      if (!(bytes >= 0)) throw new MemoryError(who, `${what} of ${bytes} bytes cannot be made`);
      const length = Math.max(UNIT, whole(bytes));
      let begin = free.take(length);
      if (begin < 0) {
        grow(length, bytes, who, what);
        begin = free.take(length);
      }
      taken.set(begin, length);
      used += length;
      return begin;
    },
    give: (address) => {
      const length = taken.get(address);
      if (length === undefined) return;
      taken.delete(address);
      used -= length;
      free.give(address, address + length);
    },
    used: () => used,
  };
}

/** Calls `take`. If memory is short, calls `trim`, which gives memory back, and tries once more. */
export function takeOrTrim(space: Space, trim: () => void, bytes: number, who: string, what: string): number {
  try {
    return space.take(bytes, who, what);
  } catch (error) {
    if (!(error instanceof MemoryError)) throw error;
    trim();
    return space.take(bytes, who, what);
  }
}

const REMEDY = "a smaller batch may help, and HASHGRAD_BACKEND=plain has no such limit";

const megabytes = (bytes: number): string => `${Math.ceil(bytes / 1e6)} MB`;
