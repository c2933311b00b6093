import { MemoryError } from "./errors.ts";
import { Regions } from "./regions.ts";

/** The array type of kernels. */
export type Numbers = Float32Array<ArrayBufferLike>;

/** The source of an arena's memory. */
export type SlabSource = {
  /** `length` unused numbers. @throws MemoryError */
  readonly take: (length: number) => Numbers;
  /** Gives back the slab that `take` returned. */
  readonly give: (slab: Numbers) => void;
  /** If all slabs lie in one memory: an array from byte `offset` on. Then slabs that touch are one range of memory. */
  readonly view?: (offset: number, length: number) => Numbers;
};

const ALIGN = 16; // numbers: one cache line
const LEAST_SLAB = 1 << 20; // numbers: 4 MiB
/**
 * Numbers of an array that is large. Smaller arrays are cut one after another from blocks, and are not released one by
 * one.
 */
const LARGE = 1 << 12;
const BLOCK = 1 << 16;
/** Without `view`, slab i has the addresses from i · APART on, so slabs never touch. */
const APART = 2 ** 32;
const NONE = new Float32Array(0);

const padded = (length: number): number => Math.ceil(length / ALIGN) * ALIGN;

/**
 * The memory of steps. `alloc` returns arrays, `release` takes large arrays back for later calls of `alloc`, and
 * `reset` takes back all arrays. A large array gets the smallest free region that holds it, so steps that ask for the
 * same arrays get the same addresses. Slabs stay for later steps.
 */
export class Arena {
  readonly #source: SlabSource;
  readonly #slabs = new Map<number, Numbers>(); // address, counted in numbers → slab
  #count = 0; // slabs ever taken
  readonly #free = new Regions();
  readonly #live = new Map<Numbers, number>(); // large arrays, and blocks → address
  readonly #blocks: Numbers[] = [];
  #block: Numbers = NONE; // the last block: small arrays are cut from it
  /** Large arrays that `alloc` returns are added to this list, if there is one. */
  made: Numbers[] | null = null;
  #size = 0; // numbers of the block
  #used = 0; // numbers of the block that are used
  #inUse = 0;
  #peak = 0;
  /**
   * For tests: overwrites memory with NaN when `alloc` returns it and when it is free again. In this mode small arrays
   * are allocated and released like large arrays.
   */
  poison = false;

  constructor(source: SlabSource) {
    this.#source = source;
  }

  /** Numbers of all slabs. */
  get held(): number {
    let sum = 0;
    for (const { length } of this.#slabs.values()) sum += length;
    return sum;
  }

  /** Numbers of arrays in use. */
  get inUse(): number {
    return this.#inUse;
  }

  /** The most numbers that were in use at the same time, since the start or `resetPeak`. */
  get peak(): number {
    return this.#peak;
  }

  resetPeak(): void {
    this.#peak = this.#inUse;
  }

  /** An array of arbitrary contents. */
  alloc(length: number): Numbers {
    if (length >= LARGE || this.poison) return this.#allocLarge(length);
    const at = this.#used;
    this.#used += (length + ALIGN - 1) & -ALIGN;
    if (this.#used <= this.#size) return this.#block.subarray(at, at + length);
    this.#block = this.#take(BLOCK);
    this.#blocks.push(this.#block);
    [this.#size, this.#used] = [BLOCK, 0];
    return this.alloc(length);
  }

  #allocLarge(length: number): Numbers {
    const numbers = this.#take(length);
    this.made?.push(numbers);
    return numbers;
  }

  #take(length: number): Numbers {
    const whole = padded(length);
    let begin = this.#free.take(whole);
    if (begin < 0) {
      this.#grow(whole);
      begin = this.#free.take(whole);
    }
    const numbers = this.#view(begin, length);
    this.#live.set(numbers, begin);
    this.#inUse += whole;
    this.#peak = Math.max(this.#peak, this.#inUse);
    if (this.poison) poison(numbers);
    return numbers;
  }

  /**
   * Takes back a large array that `alloc` returned. Does nothing for other arrays, such as views, small arrays and
   * released arrays.
   */
  release(numbers: Numbers): void {
    const begin = this.#live.get(numbers);
    if (begin === undefined) return;
    if (this.poison) poison(numbers);
    const whole = padded(numbers.length);
    this.#live.delete(numbers);
    this.#free.give(begin, begin + whole);
    this.#inUse -= whole;
  }

  /** Takes back all arrays. */
  reset(): void {
    if (this.poison) for (const numbers of this.#live.keys()) poison(numbers);
    this.#live.clear();
    this.#free.clear();
    for (const [begin, { length }] of this.#slabs) this.#free.give(begin, begin + length);
    this.#blocks.length = 0;
    [this.#block, this.#size, this.#used, this.#inUse] = [NONE, 0, 0, 0];
  }

  /** Returns a function that takes back the small arrays that `alloc` returned since this call. */
  mark(): () => void {
    const [count, block, size, used] = [this.#blocks.length, this.#block, this.#size, this.#used];
    return () => {
      for (const later of this.#blocks.splice(count)) this.release(later);
      [this.#block, this.#size, this.#used] = [block, size, used];
    };
  }

  /** Gives back the slabs that hold no array. */
  trim(): void {
    for (const [begin, slab] of this.#slabs) {
      if (!this.#free.cut(begin, begin + slab.length)) continue;
      this.#slabs.delete(begin);
      this.#source.give(slab);
    }
  }

  /**
   * Takes a slab for an array of `length` numbers: as large as all slabs together, so that slabs are few. The operating
   * system gives memory to a slab only as it is written, so a slab that is too large costs addresses only. If addresses
   * are short, takes a small slab.
   */
  #grow(length: number): void {
    let slab: Numbers;
    try {
      slab = this.#source.take(Math.max(length, LEAST_SLAB, this.held));
    } catch (error) {
      if (!(error instanceof MemoryError)) throw error;
      this.trim();
      slab = this.#source.take(Math.max(length, LEAST_SLAB));
    }
    const begin = this.#source.view === undefined ? APART * this.#count++ : slab.byteOffset / 4;
    this.#slabs.set(begin, slab);
    this.#free.give(begin, begin + slab.length);
  }

  #view(address: number, length: number): Numbers {
    if (this.#source.view !== undefined) return this.#source.view(4 * address, length);
    const at = address % APART;
    return this.#slabs.get(address - at)!.subarray(at, at + length);
  }
}

/** A NaN with bits that no kernel computes. */
export const POISON = 0x7fc0_beef;

function poison({ buffer, byteOffset, length }: Numbers): void {
  new Uint32Array(buffer, byteOffset, length).fill(POISON);
}
