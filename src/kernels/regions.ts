/**
 * The free regions of an address space, in order of address. No two regions touch. `take` returns the smallest region
 * that fits, at its beginning, so equal sequences of calls return equal addresses.
 */
export class Regions {
  readonly #begins: number[] = [];
  readonly #ends: number[] = [];

  /**
   * Takes `length` addresses out of the smallest region that holds them, the lowest of equals. Returns -1 if none does.
   */
  take(length: number): number {
    let [best, least] = [-1, Number.POSITIVE_INFINITY];
    for (let i = 0; i < this.#begins.length; i++) {
      const room = this.#ends[i]! - this.#begins[i]!;
      if (room >= length && room < least) [best, least] = [i, room];
    }
    if (best < 0) return -1;
    const begin = this.#begins[best]!;
    if (least > length) this.#begins[best] = begin + length;
    else this.#remove(best, 1);
    return begin;
  }

  /** Adds a region, which becomes one with its neighbors. */
  give(begin: number, end: number): void {
    const i = this.#indexOf(begin);
    const touchesBefore = i > 0 && this.#ends[i - 1] === begin;
    const touchesAfter = this.#begins[i] === end;
    if (touchesBefore && touchesAfter) {
      this.#ends[i - 1] = this.#ends[i]!;
      this.#remove(i, 1);
    } else if (touchesBefore) this.#ends[i - 1] = end;
    else if (touchesAfter) this.#begins[i] = begin;
    else {
      this.#begins.splice(i, 0, begin);
      this.#ends.splice(i, 0, end);
    }
  }

  /** Removes these addresses if all of them are free. Returns whether they were. */
  cut(begin: number, end: number): boolean {
    const i = this.#indexOf(begin + 1) - 1;
    if (i < 0 || this.#ends[i]! < end) return false;
    const [low, high] = [this.#begins[i]!, this.#ends[i]!];
    this.#remove(i, 1);
    if (low < begin) this.give(low, begin);
    if (end < high) this.give(end, high);
    return true;
  }

  /** The beginning of the region that ends at `end`; `end` if there is none. */
  beginOf(end: number): number {
    const i = this.#ends.lastIndexOf(end);
    return i < 0 ? end : this.#begins[i]!;
  }

  clear(): void {
    this.#remove(0, this.#begins.length);
  }

  /** The index of the first region that begins at `address` or above. */
  #indexOf(address: number): number {
    let [low, high] = [0, this.#begins.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#begins[middle]! < address) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #remove(at: number, count: number): void {
    this.#begins.splice(at, count);
    this.#ends.splice(at, count);
  }
}
