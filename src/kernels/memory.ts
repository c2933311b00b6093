import { MemoryError } from "./errors.ts";

/** The array type of kernels. */
export type Numbers = Float32Array<ArrayBufferLike>;

/**
 * Whether numbers may be read: if `ended` gives a reason, a tensor refuses. `version` counts the changes in place of a variable.
 * Views of a variable share its lifetime, so they see its version.
 */
export type Lifetime = { ended: string | null; version: number };

/** The lifetime of ordinary arrays, which the garbage collector owns. */
const forever: Lifetime = { ended: null, version: 0 };

/**
 * Memory of one step: arrays are cut one after another from slabs and all given back at once. The arrays are not cleared. An arena keeps
 * its slabs from step to step: once the largest step has run, nothing is allocated.
 */
type Arena = { slabs: Numbers[]; slab: number; used: number; lifetime: Lifetime };

const LEAST_SLAB = 1 << 20; // numbers: 4 MiB
const ALIGN = 16; // numbers: one cache line

const newArena = (): Arena => ({ slabs: [], slab: 0, used: 0, lifetime: { ended: null, version: 0 } });

/** Two arenas alternate, so that the tensors of a step stay readable until the next step ends. */
const arenas = [newArena(), newArena()] as const;
let steps = 0;
let open: Arena | null = null;
let ordinary = 0;

/** The source of slabs. `give` takes back a slab that `take` returned. */
export type SlabSource = { readonly take: (length: number) => Numbers; readonly give: (slab: Numbers) => void };

let slabs: SlabSource = { take: newArray, give: () => undefined };

let beforeFirst: (() => void) | null = null;

/** Runs `choose` before the first array is allocated, so that an import alone costs nothing. It runs again until it succeeds. */
export function beforeFirstUse(choose: () => void): void {
  beforeFirst = choose;
}

/**
 * Sets the source of slabs, for kernels that read some memory in place. The slabs of the last source are not used again: their arrays
 * stay readable, and what an open step allocates from now on comes from the new source.
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
 * Allocates an array; no other code allocates numbers. Inside a step the contents are arbitrary: the caller writes every element.
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

/** Moves on to the next slab that holds `length` numbers, and allocates one if there is none. No empty slab is skipped. */
function nextSlab(arena: Arena, length: number): void {
  const { slabs } = arena;
  if (arena.used > 0) arena.slab++;
  arena.used = 0;
  const { slab } = arena;
  let found = slab;
  while (found < slabs.length && slabs[found]!.length < length) found++;
  const next = slabs[found] ?? grownBy(arena, length); // may give back the slabs from here on
  if (found < slabs.length) slabs.splice(found, 1);
  slabs.splice(slab, 0, next);
}

/**
 * One more slab, as large as all others together, so that steps of changing sizes hold at most four times what the largest step needs. If that
 * does not fit into memory, as large as it must be.
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
 * Runs `fn`; `alloc` returns memory of the step meanwhile. Steps do not nest: an inner step joins the outer one. A step that
 * fails for lack of memory gives back all its memory, so that a smaller step fits.
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
 * The memory of the allocator, in bytes. `arenas`: memory held for steps. `inUse`: the part of it that the last two steps wrote.
 * `ordinary`: all arrays ever given to the garbage collector; it only grows, so a constant value means that nothing new is
 * allocated.
 */
export function memory(): { arenas: number; inUse: number; ordinary: number } {
  const held = (a: Arena): number => a.slabs.reduce((sum, slab) => sum + slab.byteLength, 0);
  const used = (a: Arena): number => 4 * (a.slabs.slice(0, a.slab).reduce((sum, slab) => sum + slab.length, 0) + a.used);
  return { arenas: held(arenas[0]) + held(arenas[1]), inUse: used(arenas[0]) + used(arenas[1]), ordinary: 4 * ordinary };
}
