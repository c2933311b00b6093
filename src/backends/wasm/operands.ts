import { BackendError, type Numbers, trimArenas } from "../../kernels/index.ts";
import { type Space, takeOrTrim } from "./space.ts";

/** Where the operands of a kernel lie, and its work memory. */
export type Operands = {
  /** Whether x lies in WebAssembly's memory. */
  readonly isHere: (x: Numbers) => boolean;
  /** The address of operand number i: its own if it lies in this memory, otherwise that of a copy, which is filled if the kernel reads it. */
  readonly address: (i: number, x: Numbers, read: boolean) => number;
  /** Copies a result back to x, if the kernel computed it in a copy. */
  readonly bring: (at: number, x: Numbers) => void;
  /** Work memory that all threads share, and slots of work memory; each is kept until the next call. */
  readonly shared: (bytes: number) => number;
  readonly own: (bytes: number) => number;
  /** Gives back all copies and work memory. No kernel may run. */
  readonly trim: () => void;
  /** Throws if a kernel wrote beyond its work memory or the copies of its operands. Only if canaries were asked for. */
  readonly checkCanaries: (kernel: string) => void;
};

/** Regions up to this size are made twice as large as asked for, so that growing requests seldom move them. */
const SMALL = 1 << 24;
/** Bytes of known value before and behind a region, for tests. */
const GUARD = 64;
const CANARY = 0xa5;
/** No kernel has more operands. */
const MOST_OPERANDS = 5;

/** `canaries`: regions are exactly as large as asked for, and lie between bytes that `checkCanaries` looks at. */
export function createOperands(
  space: Space,
  buffer: () => ArrayBufferLike,
  isHere: (x: Numbers) => boolean,
  canaries: boolean,
): Operands {
  const guards = new Map<number, string>(); // the addresses of guards and what they guard

  /** A region that grows on demand and keeps nothing from one call to the next. */
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
      begin = takeOrTrim(space, trimArenas, wanted + 2 * margin, "backend", what);
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

  const [shared, own] = [scratch("work memory"), scratch("work memory of all threads")];
  const stages = Array.from({ length: MOST_OPERANDS }, (_, i) => scratch(`a copy of operand ${i}`));
  return {
    isHere,
    shared: shared.at,
    own: own.at,
    address: (i, x, read) => {
      if (isHere(x)) return x.byteOffset;
      const at = stages[i]!.at(x.byteLength);
      if (read) new Float32Array(buffer(), at, x.length).set(x);
      return at;
    },
    bring: (at, x) => {
      if (!isHere(x)) x.set(new Float32Array(buffer(), at, x.length));
    },
    trim: () => {
      for (const { free } of [shared, own, ...stages]) free();
    },
    checkCanaries: (kernel) => {
      for (const [at, what] of guards) {
        if (new Uint8Array(buffer(), at, GUARD).some((byte) => byte !== CANARY))
          throw new BackendError(kernel, `wrote beyond ${what}, at address ${at}`);
      }
    },
  };
}
