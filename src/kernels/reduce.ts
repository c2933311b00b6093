import type { Numbers } from "./memory.ts";

/**
 * A reduction sees an array as [outer, n, inner] and reduces the middle axis. inner = 1: along rows; outer = 1: along
 * columns.
 * Sums are kept in double precision and rounded to float32 once.
 */
export type Reduced = { readonly outer: number; readonly n: number; readonly inner: number };

/** y [outer, inner] (+)= scale · Σₙ x. */
export function sum({ outer, n, inner }: Reduced, x: Numbers, y: Numbers, scale: number, accumulate: boolean): void {
  if (inner === 1) {
    for (let o = 0; o < outer; o++) {
      let total = 0;
      for (let i = 0; i < n; i++) total += x[o * n + i]!;
      y[o] = accumulate ? y[o]! + total * scale : total * scale;
    }
    return;
  }
  const totals = new Float64Array(inner);
  for (let o = 0; o < outer; o++) {
    totals.fill(0);
    for (let i = 0; i < n; i++) {
      const row = (o * n + i) * inner;
      for (let j = 0; j < inner; j++) totals[j]! += x[row + j]!;
    }
    const to = o * inner;
    for (let j = 0; j < inner; j++) y[to + j] = accumulate ? y[to + j]! + totals[j]! * scale : totals[j]! * scale;
  }
}

/** dx [outer, n, inner] (+)= scale · dy [outer, inner], the same for every n. */
export function sumGrad({ outer, n, inner }: Reduced, dy: Numbers, dx: Numbers, scale: number, accumulate: boolean): void {
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < n; i++) {
      const row = (o * n + i) * inner;
      for (let j = 0; j < inner; j++) {
        const d = scale * dy[o * inner + j]!;
        dx[row + j] = accumulate ? dx[row + j]! + d : d;
      }
    }
  }
}

/** y [1] (+)= Σ a·b, in double precision. */
export function dot(a: Numbers, b: Numbers, y: Numbers, accumulate: boolean): void {
  let total = 0;
  for (let i = 0; i < a.length; i++) total += a[i]! * b[i]!;
  y[0] = accumulate ? y[0]! + total : total;
}

/**
 * winners [outer, inner] = the first index along n of the largest element, or, if `least` is true, of the smallest. If
 * there is a NaN, the index of the first NaN.
 */
export function argExtreme({ outer, n, inner }: Reduced, least: boolean, x: Numbers, winners: Int32Array): void {
  for (let o = 0; o < outer; o++) {
    for (let j = 0; j < inner; j++) {
      let best = x[o * n * inner + j]!;
      let winner = 0;
      for (let i = 1; i < n && !Number.isNaN(best); i++) {
        const v = x[(o * n + i) * inner + j]!;
        if (Number.isNaN(v) || (least ? v < best : v > best)) {
          best = v;
          winner = i;
        }
      }
      winners[o * inner + j] = winner;
    }
  }
}

/** y [outer, inner] = the element of x [outer, n, inner] at each winner. */
export function readWinners({ outer, n, inner }: Reduced, winners: Int32Array, x: Numbers, y: Numbers): void {
  for (let o = 0; o < outer; o++) {
    for (let j = 0; j < inner; j++) {
      const at = o * inner + j;
      y[at] = x[(o * n + winners[at]!) * inner + j]!;
    }
  }
}

/** Adds dy [outer, inner] to the elements of dx [outer, n, inner] at the winners. */
export function addWinners({ outer, n, inner }: Reduced, winners: Int32Array, dy: Numbers, dx: Numbers): void {
  for (let o = 0; o < outer; o++) {
    for (let j = 0; j < inner; j++) {
      const to = (o * n + winners[o * inner + j]!) * inner + j;
      dx[to] = dx[to]! + dy[o * inner + j]!;
    }
  }
}
