import { MemoryError } from "./errors.ts";

/** What every kernel reads and writes. */
export type Numbers = Float32Array<ArrayBufferLike>;

/**
 * How long numbers may be read: once `ended` says why not, a tensor refuses to show them. `version` counts how often a variable's
 * numbers were changed in place; views of a variable share its lifetime, so they see its version.
 */
export type Lifetime = { ended: string | null; version: number };

/** The lifetime of ordinary arrays: the garbage collector sees to them. */
const forever: Lifetime = { ended: null, version: 0 };

/**
 * Memory of one step: arrays are cut one after another from slabs and all given back at once. The arrays are not cleared. Slabs are kept
 * from step to step: once the largest step has run, nothing is allocated.
 */
type Arena = { slabs: Numbers[]; slab: number; used: number; lifetime: Lifetime };

const LEAST_SLAB = 1 << 20; // numbers: 4 MiB
const ALIGN = 16; // numbers: one cache line

const newArena = (): Arena => ({ slabs: [], slab: 0, used: 0, lifetime: { ended: null, version: 0 } });

/** Two arenas take turns, so that the tensors of a step stay readable until the next step ends. */
const arenas = [newArena(), newArena()] as const;
let steps = 0;
let open: Arena | null = null;
let ordinary = 0;
let newSlab: (length: number) => Numbers = (length) => orMemoryError(length, () => new Float32Array(length));

let beforeFirst: (() => void) | null = null;

/** Runs `choose` before the first array is allocated, so that an import alone costs nothing. */
export function beforeFirstUse(choose: () => void): void {
  beforeFirst = choose;
}

/** Where slabs come from, for kernels that read some memory in place. */
export function provideSlabs(slab: (length: number) => Numbers): void {
  newSlab = slab;
}

/** The only door to memory for numbers. Inside a step the contents are arbitrary: whoever allocates writes every element. */
export function alloc(length: number): Numbers {
  if (beforeFirst !== null) {
    const choose = beforeFirst;
    beforeFirst = null;
    choose();
  }
  if (open === null || length === 0) {
    return allocLasting(length);
  }
  const padded = Math.ceil(length / ALIGN) * ALIGN;
  const arena = open;
  while (arena.slab < arena.slabs.length && arena.used + padded > arena.slabs[arena.slab]!.length) {
    arena.slab++;
    arena.used = 0;
  }
  if (arena.slab === arena.slabs.length) arena.slabs.push(grownBy(arena, padded));
  const at = arena.used;
  arena.used += padded;
  return arena.slabs[arena.slab]!.subarray(at, at + length);
}

/**
 * One more slab, as large as all others together: steps of ever other sizes leave gaps, and so they hold four times what the largest
 * step needs at most. Where that does not fit into memory, as large as it must be.
 */
function grownBy({ slabs }: Arena, length: number): Numbers {
  const held = slabs.reduce((sum, slab) => sum + slab.length, 0);
  try {
    return newSlab(Math.max(length, LEAST_SLAB, held));
  } catch (error) {
    if (held <= length) throw error;
    return newSlab(Math.max(length, LEAST_SLAB));
  }
}

/** What `take` returns; where it throws because `length` numbers do not fit, the error that says so. */
export function orMemoryError<T>(length: number, take: () => T): T {
  try {
    return take();
  } catch (error) {
    const wanted = `${Math.ceil((4 * length) / 1e6)} MB more do not fit into memory`;
    const remedy = "a smaller batch may help (WebAssembly has 4 GiB for two steps, HASHGRAD_BACKEND=plain has no such limit)";
    throw new MemoryError("alloc", `${wanted}; ${remedy}`, { cause: error });
  }
}

/** Like `alloc`, but the numbers outlive the step: parameters, optimizer state, what `keep` names. All zeros. */
export function allocLasting(length: number): Numbers {
  const numbers = orMemoryError(length, () => new Float32Array(length));
  ordinary += length;
  return numbers;
}

/** The lifetime of what `alloc` hands out now. */
export function lifetimeNow(): Lifetime {
  return open === null ? forever : open.lifetime;
}

/** The lifetime of what `allocLasting` hands out. */
export function lasting(): Lifetime {
  return forever;
}

/** Whether a step is running. */
export function isInArena(): boolean {
  return open !== null;
}

/** Runs `fn` with `alloc` handing out step memory. Steps do not nest: an inner one joins the outer. */
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
  } finally {
    open = null;
  }
}

/**
 * What the allocator holds, in bytes: `arenas` is memory kept for steps, `inUse` the part of it that the last two steps wrote;
 * `ordinary` counts every array ever handed to the garbage collector's care (it only grows: flat means nothing new is allocated).
 */
export function memory(): { arenas: number; inUse: number; ordinary: number } {
  const held = (a: Arena): number => a.slabs.reduce((sum, slab) => sum + slab.byteLength, 0);
  const used = (a: Arena): number => 4 * (a.slabs.slice(0, a.slab).reduce((sum, slab) => sum + slab.length, 0) + a.used);
  return { arenas: held(arenas[0]) + held(arenas[1]), inUse: used(arenas[0]) + used(arenas[1]), ordinary: 4 * ordinary };
}
