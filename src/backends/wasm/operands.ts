import { BackendError, type Numbers, trimArena } from "../../kernels/index.ts";
import { type Space, takeOrTrim } from "./space.ts";

/** The arrays of kernels. Copies move their bytes as float32, so integers and doubles keep their bits. */
export type Arrays = Numbers | Int32Array | Float64Array;

const bits = (x: Arrays): Numbers => (x instanceof Float32Array ? x : new Float32Array(x.buffer, x.byteOffset, x.byteLength / 4));

/** Gives a kernel the addresses of its operands and of its work memory. */
export type Operands = {
  /** Whether x lies in WebAssembly's memory. */
  readonly isHere: (x: Arrays) => boolean;
  /**
   * The address of operand number i. If x lies outside WebAssembly's memory, this is the address of a copy. The copy
   * has the numbers of x only if `read` is true.
   */
  readonly address: (i: number, x: Arrays, read: boolean) => number;
  /** Copies the result at address `at` back to x, if x lies outside WebAssembly's memory. */
  readonly bring: (at: number, x: Arrays) => void;
  /** The address of work memory that all threads share, valid until the next call of `shared`. */
  readonly shared: (bytes: number) => number;
  /** The address of work memory in slots, one slot for each thread, valid until the next call of `perThread`. */
  readonly perThread: (bytes: number) => number;
  /** Frees all copies and work memory. Call it only between kernels. */
  readonly trim: () => void;
  /**
   * Throws if a kernel wrote beyond its work memory or the copies of its operands. Without `canaries`, checks nothing.
   */
  readonly checkCanaries: (kernel: string) => void;
};

/** Regions up to this number of bytes get twice the requested size, so that growing requests seldom move them. */
const SMALL = 1 << 24;
/** With canaries, this number of bytes before and after each region has the value CANARY. */
const GUARD = 64;
const CANARY = 0xa5;
/** No kernel has more operands. */
const MOST_OPERANDS = 5;

/**
 * `canaries` (for tests): each region has exactly the requested size, between guard bytes that `checkCanaries` reads.
 */
export function createOperands(
  space: Space,
  buffer: () => ArrayBufferLike,
  isHere: (x: Arrays) => boolean,
  canaries: boolean,
): Operands {
  const guards = new Map<number, string>(); // address of a guard → the name of its region

  /** A region that grows on demand. Calls of `at` reuse the region, so its contents are lost. */
  const scratch = (what: string): { at: (bytes: number) => number; free: () => void } => {
    let [begin, held] = [0, 0];
    const margin = canaries ? GUARD : 0;
    const free = (): void => {
      if (held > 0) space.give(begin);
      guards.delete(begin);
      guards.delete(begin + GUARD + held);
      [begin, held] = [0, 0];
    };
    const at = (bytes: number): number => {
      if (bytes <= held && !canaries) return begin;
      free();
      const wanted = canaries ? Math.max(1, bytes) : bytes > SMALL ? bytes : 2 * bytes;
      begin = takeOrTrim(space, trimArena, wanted + 2 * margin, "backend", what);
      held = wanted;
      if (!canaries) return begin;
      for (const guard of [begin, begin + GUARD + held]) {
        new Uint8Array(buffer(), guard, GUARD).fill(CANARY);
        guards.set(guard, what);
      }
      return begin + GUARD;
    };
    return { at, free };
  };

  const [shared, perThread] = [scratch("work memory"), scratch("work memory of all threads")];
  const stages = Array.from({ length: MOST_OPERANDS }, (_, i) => scratch(`a copy of operand ${i}`));
  return {
    isHere,
    shared: shared.at,
    perThread: perThread.at,
    address: (i, x, read) => {
      if (isHere(x)) return x.byteOffset;
      const at = stages[i]!.at(x.byteLength);
      if (read) new Float32Array(buffer(), at, x.byteLength / 4).set(bits(x));
      return at;
    },
    bring: (at, x) => {
      if (!isHere(x)) bits(x).set(new Float32Array(buffer(), at, x.byteLength / 4));
    },
    trim: () => {
      for (const { free } of [shared, perThread, ...stages]) free();
    },
    checkCanaries: (kernel) => {
      for (const [at, what] of guards) {
        if (new Uint8Array(buffer(), at, GUARD).some((byte) => byte !== CANARY))
          throw new BackendError(kernel, `wrote beyond ${what}, at address ${at}`);
      }
    },
  };
}
