import { MemoryError } from "./errors.ts";

/** The array type of kernels. */
export type Numbers = Float32Array<ArrayBufferLike>;

/**
 * The state of an array's memory. `ended`: null, or the reason why the array may no longer be read; the tensor then throws.
 * `version`: the number of in-place changes of a variable. Views of a variable share its lifetime, so they see its version.
 */
export type Lifetime = { ended: string | null; version: number };

/** The lifetime of ordinary arrays, which the garbage collector owns. */
const forever: Lifetime = { ended: null, version: 0 };

/**
 * The memory of one step. `alloc` cuts arrays one after another from slabs. The next step that uses the arena reuses
 * all of them, without clearing. An arena keeps its slabs for later steps, so after the largest step it takes no more memory.
 * `slab`: the index of the slab in use. `used`: numbers used of this slab.
 */
type Arena = { slabs: Numbers[]; slab: number; used: number; lifetime: Lifetime };

const LEAST_SLAB = 1 << 20; // numbers: 4 MiB
const ALIGN = 16; // numbers: one cache line

const newArena = (): Arena => ({ slabs: [], slab: 0, used: 0, lifetime: { ended: null, version: 0 } });

/** Steps use the two arenas in turn. A step's tensors stay readable until the step after the next begins. */
const arenas = [newArena(), newArena()] as const;
let steps = 0;
let open: Arena | null = null; // the arena of the running step
let ordinary = 0; // numbers that `allocLasting` has ever returned

/** The source of slabs. `give` takes back a slab that `take` returned. */
export type SlabSource = { readonly take: (length: number) => Numbers; readonly give: (slab: Numbers) => void };

let slabs: SlabSource = { take: newArray, give: () => undefined };

let beforeFirst: (() => void) | null = null;

/** Makes the first `alloc` call `choose`, so that an import alone costs nothing. If `choose` throws, the next `alloc` calls it again. */
export function beforeFirstUse(choose: () => void): void {
  beforeFirst = choose;
}

/**
 * Sets the source of slabs: a backend whose kernels use its own memory in place. Slabs of the previous source are not used
 * again, but their arrays stay readable. A running step takes its further arrays from the new source.
 */
export function provideSlabs(source: SlabSource): void {
  slabs = source;
  for (const arena of arenas) [arena.slabs, arena.slab, arena.used] = [[], 0, 0];
}

/** Gives back the slabs that hold no array of the last two steps. */
export function trimArenas(): void {
  for (const arena of arenas) release(arena, arena.slab + (arena.used > 0 ? 1 : 0));
}

function release(arena: Arena, from: number): void {
  for (const slab of arena.slabs.splice(from)) slabs.give(slab);
}

/**
 * Allocates the array of a result or of a gradient. Inside a step the contents are arbitrary, so the caller must write every
 * element. Outside a step the array is like that of `allocLasting`.
 */
export function alloc(length: number): Numbers {
  if (beforeFirst !== null) {
    beforeFirst();
    beforeFirst = null;
  }
  if (open === null || length === 0) {
    return allocLasting(length);
  }
  const padded = Math.ceil(length / ALIGN) * ALIGN;
  const arena = open;
  if (arena.slab === arena.slabs.length || arena.used + padded > arena.slabs[arena.slab]!.length) nextSlab(arena, padded);
  const at = arena.used;
  arena.used += padded;
  return arena.slabs[arena.slab]!.subarray(at, at + length);
}

/** Makes the next slab current: the first unused slab that holds `length` numbers, or a new slab. Smaller unused slabs stay available. */
function nextSlab(arena: Arena, length: number): void {
  const { slabs } = arena;
  if (arena.used > 0) arena.slab++;
  arena.used = 0;
  const { slab } = arena;
  let found = slab;
  while (found < slabs.length && slabs[found]!.length < length) found++;
  const next = slabs[found] ?? grownBy(arena, length); // if memory is short, this frees the unused slabs
  if (found < slabs.length) slabs.splice(found, 1);
  slabs.splice(slab, 0, next);
}

/**
 * Takes a new slab, as large as all slabs of the arena together. Steps of changing sizes then hold at most four times the memory
 * of the largest step. If memory is too short, takes the smallest slab that holds `length` numbers.
 */
function grownBy(arena: Arena, length: number): Numbers {
  const held = arena.slabs.reduce((sum, slab) => sum + slab.length, 0);
  try {
    return slabs.take(Math.max(length, LEAST_SLAB, held));
  } catch (error) {
    if (!(error instanceof MemoryError)) throw error;
    trimArenas();
    return slabs.take(Math.max(length, LEAST_SLAB));
  }
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

/** Like `alloc`, but the array outlives the step and is filled with zeros: for parameters, optimizer state and `keep`. */
export function allocLasting(length: number): Numbers {
  const numbers = newArray(length);
  ordinary += length;
  return numbers;
}

/** The lifetime of arrays that `alloc` returns now. */
export function lifetimeNow(): Lifetime {
  return open === null ? forever : open.lifetime;
}

/** The lifetime of arrays that `allocLasting` returns. */
export function lasting(): Lifetime {
  return forever;
}

/** Whether a step is running. */
export function isInArena(): boolean {
  return open !== null;
}

/**
 * Runs `fn` as a step: during `fn`, `alloc` takes memory from an arena. A step inside a step uses the outer step's arena. If
 * memory is too short for a step, all memory of its arena is freed, so that a smaller step fits.
 */
export function inArena<T>(fn: () => T): T {
  if (open !== null) return fn();
  const arena = arenas[steps++ % 2 === 0 ? 0 : 1];
  arena.lifetime.ended = "its step is over and its memory belongs to a later one";
  arena.lifetime = { ended: null, version: 0 };
  arena.slab = 0;
  arena.used = 0;
  open = arena;
  try {
    return fn();
  } catch (error) {
    if (error instanceof MemoryError) {
      arena.lifetime.ended = "its step failed for lack of memory";
      release(arena, 0);
      [arena.slab, arena.used] = [0, 0];
    }
    throw error;
  } finally {
    open = null;
  }
}

/**
 * The memory of the allocator, in bytes. `arenas`: memory held for steps. `inUse`: memory that the last two steps used.
 * `ordinary`: the total of all arrays ever allocated outside arenas. It never falls, so a constant value means that nothing
 * new is allocated.
 */
export function memory(): { arenas: number; inUse: number; ordinary: number } {
  const held = (a: Arena): number => a.slabs.reduce((sum, slab) => sum + slab.byteLength, 0);
  const used = (a: Arena): number => 4 * (a.slabs.slice(0, a.slab).reduce((sum, slab) => sum + slab.length, 0) + a.used);
  return { arenas: held(arenas[0]) + held(arenas[1]), inUse: used(arenas[0]) + used(arenas[1]), ordinary: 4 * ordinary };
}
