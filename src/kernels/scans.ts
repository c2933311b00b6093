import type { Numbers } from "./memory.ts";
import type { Reduced } from "./reduce.ts";

// Reductions and running sums over the middle axis of [outer, n, inner], in double precision. reference.ts does not
// export these kernels, so bundlers drop those that a program does not use.

/**
 * Calls `line(at, step, index)` for each line along n. The line begins at element `at`, its elements are `step` apart,
 * and `index` is its number in [outer, inner].
 */
function eachLine({ outer, n, inner }: Reduced, line: (at: number, step: number, index: number) => void): void {
  for (let o = 0; o < outer; o++) for (let j = 0; j < inner; j++) line(o * n * inner + j, inner, o * inner + j);
}

/** y[i] (+)= x[0] + … + x[i] along n. If `reverse` is true, x[i] + … + x[n−1]: the gradient. */
export function cumsum(sizes: Reduced, x: Numbers, y: Numbers, reverse: boolean, accumulate: boolean): void {
  eachLine(sizes, (at, step) => {
    let total = 0;
    for (let i = 0; i < sizes.n; i++) {
      const k = at + (reverse ? sizes.n - 1 - i : i) * step;
      total += x[k]!;
      y[k] = accumulate ? y[k]! + total : total;
    }
  });
}

/** y [outer, inner] = the product along n. */
export function prod(sizes: Reduced, x: Numbers, y: Numbers): void {
  eachLine(sizes, (at, step, index) => {
    let product = 1;
    for (let i = 0; i < sizes.n; i++) product *= x[at + i * step]!;
    y[index] = product;
  });
}

/** dx (+)= dy · the product of all other elements. Does not divide, so elements may be 0. */
export function prodGrad(sizes: Reduced, x: Numbers, dy: Numbers, dx: Numbers, accumulate: boolean): void {
  const before = new Float64Array(sizes.n); // the product of all elements before each
  eachLine(sizes, (at, step, index) => {
    let product = 1;
    for (let i = 0; i < sizes.n; i++) {
      before[i] = product;
      product *= x[at + i * step]!;
    }
    let after = dy[index]!;
    for (let i = sizes.n - 1; i >= 0; i--) {
      const k = at + i * step;
      const d = before[i]! * after;
      dx[k] = accumulate ? dx[k]! + d : d;
      after *= x[k]!;
    }
  });
}

/** y [outer, inner] = √Σ x². */
export function norm(sizes: Reduced, x: Numbers, y: Numbers): void {
  eachLine(sizes, (at, step, index) => {
    let total = 0;
    for (let i = 0; i < sizes.n; i++) total += x[at + i * step]! ** 2;
    y[index] = Math.sqrt(total);
  });
}

/** dx (+)= dy·x/y, 0 where y is 0. */
export function normGrad(sizes: Reduced, x: Numbers, y: Numbers, dy: Numbers, dx: Numbers, accumulate: boolean): void {
  eachLine(sizes, (at, step, index) => {
    for (let i = 0; i < sizes.n; i++) {
      const k = at + i * step;
      const d = y[index] === 0 ? 0 : (dy[index]! * x[k]!) / y[index]!;
      dx[k] = accumulate ? dx[k]! + d : d;
    }
  });
}

/** y [outer, inner] = ln Σ eˣ, computed from the largest x so that nothing overflows. */
export function logSumExp(sizes: Reduced, x: Numbers, y: Numbers): void {
  eachLine(sizes, (at, step, index) => {
    let largest = Number.NEGATIVE_INFINITY;
    for (let i = 0; i < sizes.n; i++) largest = Math.max(largest, x[at + i * step]!);
    if (!Number.isFinite(largest)) {
      y[index] = largest; // ∞ − ∞ would be NaN
      return;
    }
    let total = 0;
    for (let i = 0; i < sizes.n; i++) total += Math.exp(x[at + i * step]! - largest);
    y[index] = largest + Math.log(total);
  });
}

/** dx (+)= dy·softmax(x), 0 where all of x is −∞. */
export function logSumExpGrad(sizes: Reduced, x: Numbers, dy: Numbers, dx: Numbers, accumulate: boolean): void {
  eachLine(sizes, (at, step, index) => {
    let largest = Number.NEGATIVE_INFINITY;
    for (let i = 0; i < sizes.n; i++) largest = Math.max(largest, x[at + i * step]!);
    const top = largest === Number.NEGATIVE_INFINITY ? 0 : largest;
    let total = 0;
    for (let i = 0; i < sizes.n; i++) total += Math.exp(x[at + i * step]! - top);
    for (let i = 0; i < sizes.n; i++) {
      const k = at + i * step;
      const d = total === 0 ? 0 : (dy[index]! * Math.exp(x[k]! - top)) / total;
      dx[k] = accumulate ? dx[k]! + d : d;
    }
  });
}

/**
 * winners [outer, count, inner] = the indices along n of the `count` largest elements, the largest first. Of equal
 * elements, the first comes first. NaN is larger than all numbers.
 */
export function largest(sizes: Reduced, count: number, x: Numbers, winners: Int32Array): void {
  const { n, inner } = sizes;
  const line = new Float64Array(n);
  const order = new Int32Array(n);
  eachLine(sizes, (at, step, index) => {
    for (let i = 0; i < n; i++) {
      line[i] = x[at + i * step]!;
      order[i] = i;
    }
    order.sort((i, j) => {
      const [u, v] = [line[i]!, line[j]!];
      if (u === v) return i - j;
      const [uIsNaN, vIsNaN] = [Number.isNaN(u), Number.isNaN(v)];
      return uIsNaN || vIsNaN ? Number(vIsNaN) - Number(uIsNaN) || i - j : v - u > 0 ? 1 : -1;
    });
    const to = Math.floor(index / inner) * count * inner + (index % inner);
    for (let i = 0; i < count; i++) winners[to + i * inner] = order[i]!;
  });
}
