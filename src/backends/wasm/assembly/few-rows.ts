// Products of few rows, such as the layers of a network that sees a single image. Neither a nor b is packed: b is read
// too seldom.
//
// A tile has one row and 32 columns or two rows and 16 columns, so that it reads whole cache lines of a row of b. All
// columns are computed with 48 terms (FOLD), then with the next 48:
//
//     b   48 rows   [tile][tile][tile] …        c   [tile][tile][tile] …   += the products of 48 terms
//         48 rows   …
//
// - Columns that are left are computed in work memory, by the tile of tile.ts.
// - Vectors: four columns. Parts: those of gemm.ts. Work memory: one tile, EDGE bytes.

import { madd } from "./madd";
import { computeTile, copyEdge, FOLD, loadEdge, NR } from "./tile";

/**
 * c [m, n] = a [m, k] · b [k, n], added to c if `accumulate`, otherwise to the row `bias` unless that is 0. Steps are
 * bytes between rows.
 */
export function computeFewRows(
  m: i32, n: i32, k: i32, a: usize, aStep: usize, b: usize, bStep: usize, c: usize, cStep: usize, accumulate: bool, bias: usize, edge: usize,
): void {
  for (let p = 0; p < k; p += FOLD, a += 4 * FOLD, b += bStep * FOLD) {
    const terms = min(FOLD, k - p), added = accumulate || p > 0;
    for (let i = 0; i < m; i += 2) {
      const two = m - i > 1, x = a + <usize>i * aStep, to = c + <usize>i * cStep;
      const start = added ? to : bias, startStep: usize = added ? cStep : 0;
      let j = 0;
      for (const width = two ? 16 : 32; j + width <= n; j += width) {
        const at: usize = 4 * <usize>j, from = start == 0 ? 0 : start + at;
        if (two) computeTwoRows(terms, x, aStep, b + at, bStep, to + at, cStep, from, startStep);
        else computeRow(terms, x, b + at, bStep, to + at, from);
      }
      for (; j < n; j += NR) {
        const at: usize = 4 * <usize>j, left = min(NR, n - j), rows = two ? 2 : 1, x1 = two ? x + aStep : x;
        if (start != 0) loadEdge(start + at, startStep, edge, rows, left);
        computeTile(1, 0, 1, 0, terms, x, x1, x1, x1, b + at, bStep, edge, 4 * NR, start == 0 ? 0 : edge, 4 * NR);
        copyEdge(edge, to + at, cStep, 0, 0, rows, left);
      }
    }
  }
}

/** c [32] = start + a · b over `depth` terms; without start if its address is 0. */
export function computeRow(depth: i32, a: usize, b: usize, bStep: usize, c: usize, start: usize): void {
  let c0 = f32x4.splat(0), c1 = f32x4.splat(0), c2 = f32x4.splat(0), c3 = f32x4.splat(0);
  let c4 = f32x4.splat(0), c5 = f32x4.splat(0), c6 = f32x4.splat(0), c7 = f32x4.splat(0);
  for (const end = a + 4 * <usize>depth; a < end; a += 4, b += bStep) {
    const v = v128.load32_splat(a);
    c0 = madd(v, v128.load(b), c0);
    c1 = madd(v, v128.load(b, 16), c1);
    c2 = madd(v, v128.load(b, 32), c2);
    c3 = madd(v, v128.load(b, 48), c3);
    c4 = madd(v, v128.load(b, 64), c4);
    c5 = madd(v, v128.load(b, 80), c5);
    c6 = madd(v, v128.load(b, 96), c6);
    c7 = madd(v, v128.load(b, 112), c7);
  }
  put(c, c0, start, 0);
  put(c + 16, c1, start, 16);
  put(c + 32, c2, start, 32);
  put(c + 48, c3, start, 48);
  put(c + 64, c4, start, 64);
  put(c + 80, c5, start, 80);
  put(c + 96, c6, start, 96);
  put(c + 112, c7, start, 112);
}

/** c [2, 16] = start + a · b over `depth` terms; without start if its address is 0. */
export function computeTwoRows(
  depth: i32, a: usize, aStep: usize, b: usize, bStep: usize, c: usize, cStep: usize, start: usize, startStep: usize,
): void {
  let c00 = f32x4.splat(0), c01 = f32x4.splat(0), c02 = f32x4.splat(0), c03 = f32x4.splat(0);
  let c10 = f32x4.splat(0), c11 = f32x4.splat(0), c12 = f32x4.splat(0), c13 = f32x4.splat(0);
  for (const end = a + 4 * <usize>depth; a < end; a += 4, b += bStep) {
    const v0 = v128.load32_splat(a), v1 = v128.load32_splat(a + aStep);
    let x = v128.load(b);
    c00 = madd(v0, x, c00);
    c10 = madd(v1, x, c10);
    x = v128.load(b, 16);
    c01 = madd(v0, x, c01);
    c11 = madd(v1, x, c11);
    x = v128.load(b, 32);
    c02 = madd(v0, x, c02);
    c12 = madd(v1, x, c12);
    x = v128.load(b, 48);
    c03 = madd(v0, x, c03);
    c13 = madd(v1, x, c13);
  }
  put(c, c00, start, 0);
  put(c + 16, c01, start, 16);
  put(c + 32, c02, start, 32);
  put(c + 48, c03, start, 48);
  c += cStep;
  if (start != 0) start += startStep;
  put(c, c10, start, 0);
  put(c + 16, c11, start, 16);
  put(c + 32, c12, start, 32);
  put(c + 48, c13, start, 48);
}

/** Stores a sum, on top of the numbers at start + offset unless start is 0. */
// @ts-ignore: decorator
@inline
function put(c: usize, sum: v128, start: usize, offset: usize): void {
  v128.store(c, start == 0 ? sum : f32x4.add(v128.load(start + offset), sum));
}
