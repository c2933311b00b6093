import { MemoryError } from "../../kernels/index.ts";

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

type Region = { readonly begin: number; readonly end: number };

/**
 * A space over `memory` from address `first` on. A request takes the smallest free region that holds it (the lowest of equals), or grows the
 * memory. Free neighbors merge, so memory that one step gave back in pieces serves a later step as a whole.
 */
export function createSpace(memory: Growable, first: number): Space {
  const taken = new Map<number, number>(); // address → length
  let free: Region[] = []; // in order of address; no two touch
  let top = whole(first); // no region lies above
  let used = 0;

  const claim = (begin: number, length: number): number => {
    taken.set(begin, length);
    used += length;
    return begin;
  };

  return {
    take: (bytes, who, what) => {
      if (!(bytes >= 0)) throw new MemoryError(who, `${what} of ${bytes} bytes cannot be made`);
      const length = Math.max(UNIT, whole(bytes));
      let best = -1;
      for (const [i, { begin, end }] of free.entries()) {
        if (end - begin < length) continue;
        if (best < 0 || end - begin < free[best]!.end - free[best]!.begin) best = i;
      }
      if (best >= 0) {
        const { begin, end } = free[best]!;
        free.splice(best, 1, ...(end - begin > length ? [{ begin: begin + length, end }] : []));
        return claim(begin, length);
      }
      const last = free.at(-1);
      const begin = last?.end === top ? last.begin : top; // a free region at the top grows
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
      if (begin !== top) free.pop();
      top = end;
      return claim(begin, length);
    },
    give: (address) => {
      const length = taken.get(address);
      if (length === undefined) return;
      taken.delete(address);
      used -= length;
      free = merged(free, { begin: address, end: address + length });
    },
    used: () => used,
  };
}

/** What `take` returns; if there is no memory, `trim` gives some back and the request is made once more. */
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

/** The free regions with one more, joined with its neighbors. */
function merged(free: readonly Region[], region: Region): Region[] {
  const before = free.filter(({ end }) => end < region.begin);
  const after = free.filter(({ begin }) => begin > region.end);
  const touching = free.slice(before.length, free.length - after.length);
  const begin = Math.min(region.begin, touching[0]?.begin ?? region.begin);
  const end = Math.max(region.end, touching.at(-1)?.end ?? region.end);
  return [...before, { begin, end }, ...after];
}
