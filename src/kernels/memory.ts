import { Arena, type Numbers, type SlabSource } from "./arena.ts";
import { MemoryError } from "./errors.ts";

export type { Numbers };

/**
 * The state of an array's memory. `ended`: null, or the reason why the array may no longer be read; the tensor then
 * throws. `version`: the number of in-place changes of a variable. Views of a variable share its lifetime, so they see
 * its version.
 */
export type Lifetime = { ended: string | null; version: number };

/** The lifetime of ordinary arrays, which the garbage collector owns. */
const forever: Lifetime = { ended: null, version: 0 };

/** Slabs that the garbage collector owns. */
const ordinarySlabs: SlabSource = { take: newArray, give: () => undefined };

let arena = new Arena(ordinarySlabs);
let isOpen = false; // whether a step is running
// The lifetime of the arrays of the running or last step, or of the running scope.
let lifetime: Lifetime = { ended: null, version: 0 };
let ordinary = 0; // numbers that `allocLasting` has ever returned

let beforeFirst: (() => void) | null = null;

/**
 * Makes the first `alloc` call `choose`, so that an import alone costs nothing. If `choose` throws, the next `alloc`
 * calls it again.
 */
export function beforeFirstUse(choose: () => void): void {
  beforeFirst = choose;
}

/**
 * Sets the source of slabs. A backend provides slabs in its own memory, which its kernels use in place. Slabs of the
 * previous source are not used again, but their arrays stay readable. A running step takes its further arrays from the
 * new source.
 */
export function provideSlabs(source: SlabSource): void {
  const { poison, made } = arena;
  arena = new Arena(source);
  Object.assign(arena, { poison, made });
}

/** Gives back the slabs that hold no array of the running or last step. */
export function trimArena(): void {
  arena.trim();
}

/**
 * Allocates the array of a result or of a gradient. Inside a step the contents are arbitrary, so the caller must write
 * every element. Outside a step the array is like that of `allocLasting`.
 */
export function alloc(length: number): Numbers {
  if (beforeFirst !== null) {
    beforeFirst();
    beforeFirst = null;
  }
  return isOpen && length > 0 ? arena.alloc(length) : allocLasting(length);
}

/**
 * Takes back an array that `alloc` returned in the running step, for later calls of `alloc`. No tensor and no view may
 * use the array any more. Does nothing for small arrays, and for arrays that are not whole results of `alloc`.
 */
export function release(numbers: Numbers): void {
  arena.release(numbers);
}

/** An array of zeros that the garbage collector owns. */
function newArray(length: number): Numbers {
  try {
    return new Float32Array(length);
  } catch (cause) {
    throw new MemoryError("alloc", `${Math.ceil((4 * length) / 1e6)} MB more do not fit into memory; a smaller batch may help`, {
      cause,
    });
  }
}

/**
 * Like `alloc`, but the array outlives the step and is filled with zeros: for parameters, optimizer state and `keep`.
 */
export function allocLasting(length: number): Numbers {
  const numbers = newArray(length);
  ordinary += length;
  return numbers;
}

/** The lifetime of arrays that `alloc` returns now. */
export function lifetimeNow(): Lifetime {
  return isOpen ? lifetime : forever;
}

/** The lifetime of arrays that `allocLasting` returns. */
export function lasting(): Lifetime {
  return forever;
}

/** Whether a step is running. */
export function isInArena(): boolean {
  return isOpen;
}

/**
 * Runs `fn` as a step: during `fn`, `alloc` takes memory from the arena. The arrays stay readable until the next step
 * begins. A step inside a step belongs to the outer step. If memory is too short for a step, all memory of the arena is
 * freed, so that a smaller step fits.
 */
export function inArena<T>(fn: () => T): T {
  if (isOpen) return fn();
  endStep(`its step is over and its memory belongs to a later one; ${REMEDY}`);
  arena.reset();
  isOpen = true;
  try {
    return fn();
  } catch (error) {
    if (error instanceof MemoryError) {
      endStep(`its step failed for lack of memory; ${REMEDY}`);
      arena.reset();
      arena.trim();
    }
    throw error;
  } finally {
    isOpen = false;
  }
}

const REMEDY = "keep(x) inside the step, or return it from step()";

function endStep(reason: string): void {
  lifetime.ended = reason;
  lifetime = { ended: null, version: 0 };
}

/** A part of a step whose memory is taken back before the step ends. */
export type Scope = {
  /**
   * Takes back the arrays that the scope made, except those that hold `results`. Ends the lifetime of all arrays of the
   * scope, also of `results`, and begins a new lifetime.
   */
  readonly settle: (results: readonly Numbers[]) => void;
  /** `settle`, then closes the scope. The arrays of `results` now belong to the surrounding scope or step. */
  readonly close: (results: readonly Numbers[]) => void;
};

const shares = (x: Numbers, y: Numbers): boolean =>
  x.buffer === y.buffer && x.byteOffset < y.byteOffset + y.byteLength && y.byteOffset < x.byteOffset + x.byteLength;

/** Opens a scope of the running step. Scopes close in the reverse order. */
export function openScope(): Scope {
  const [outerMade, outerLifetime] = [arena.made, lifetime];
  let made: Numbers[] = [];
  const begin = (): void => {
    arena.made = made;
    lifetime = { ended: null, version: 0 };
  };
  const settle = (results: readonly Numbers[]): void => {
    lifetime.ended = "its layer is over and its memory belongs to later ones; keep(x) inside the layer";
    const left = made.filter((x) => results.some((y) => shares(x, y)));
    for (const x of made) if (!left.includes(x)) arena.release(x);
    made = left;
    begin();
  };
  begin();
  return {
    settle,
    close: (results) => {
      settle(results);
      outerMade?.push(...made);
      arena.made = outerMade;
      lifetime = outerLifetime;
    },
  };
}

/**
 * Runs `fn` outside steps, with memory of the arena. Arrays of the last step stay readable. Afterwards takes back the
 * small arrays that `fn` made. Scopes of `fn` must take back its large arrays.
 */
export function besideSteps<T>(fn: () => T): T {
  const takeBack = arena.mark();
  isOpen = true;
  try {
    return fn();
  } finally {
    isOpen = false;
    takeBack();
  }
}

/**
 * The memory of the allocator, in bytes. `arenas`: memory held for steps. `inUse`: memory of the arrays of the running
 * or last step. `peak`: the most that was in use at the same time, since the start or `resetPeak`. `ordinary`: the
 * total of all arrays ever allocated outside the arena. It never falls, so a constant value means that nothing new is
 * allocated.
 * @example
 * console.log(Object.keys(memory())); //=> [ 'arenas', 'inUse', 'peak', 'ordinary' ]
 */
export function memory(): { arenas: number; inUse: number; peak: number; ordinary: number } {
  const { held, inUse, peak } = arena;
  return { arenas: 4 * held, inUse: 4 * inUse, peak: 4 * peak, ordinary: 4 * ordinary };
}

/** Begins a new measurement of `memory().peak`. */
export function resetPeak(): void {
  arena.resetPeak();
}

/** For tests: overwrites memory of the arena with NaN before and after each use. */
export function poisonArena(on: boolean): void {
  arena.poison = on;
}
