// The register tiles of Winograd's products (winograd.ts, winograd-grad.ts): as in tile.ts, but one call computes many
// tiles, because their sums have few terms. A call for each tile of 16 terms would take 1.07 times as long.
//
// - `multiplyRows`: tiles of 5 rows of V × 8 outputs.
// - `addProducts`: tiles of 4 outputs of Z × 8 channels. With 5 rows, V8 keeps the sums in memory.
//
// The first term stands before the loop: see tile.ts. The module exports both functions, so that the compiler does not
// inline them. No parts, no work memory.

import { madd } from "./madd";
import { blocksBytes } from "./pack";
import { BLOCK_TERMS, NR, PANEL } from "./tile";

/** Rows of a tile of `addProducts`. */
export const GROUP: i32 = 4;
/** Bytes between the rows of a panel of V. */
const ROW: usize = 4 * BLOCK_TERMS;

/**
 * c [panels, 5, 8] = a · b. a: panels of 5 rows in blocks of 16 terms (pack.ts), at a multiple of 64; b: 8 numbers for
 * each of `depth` terms.
 */
export function multiplyRows(panels: i32, depth: i32, a: usize, b: usize, c: usize): void {
  const panel = <usize>blocksBytes(depth), first = b, end = b + 4 * NR * <usize>depth;
  for (const stop = c + 4 * PANEL * NR * <usize>panels; c < stop; c += 4 * PANEL * NR) {
    const next = a + panel;
    b = first;
    let c00 = f32x4.splat(0), c01 = f32x4.splat(0), c10 = f32x4.splat(0), c11 = f32x4.splat(0);
    let c20 = f32x4.splat(0), c21 = f32x4.splat(0), c30 = f32x4.splat(0), c31 = f32x4.splat(0);
    let c40 = f32x4.splat(0), c41 = f32x4.splat(0);
    {
      const x0 = v128.load(b), x1 = v128.load(b, 16);
      let v = v128.load32_splat(a);
      c00 = madd(v, x0, c00);
      c01 = madd(v, x1, c01);
      v = v128.load32_splat(a, ROW);
      c10 = madd(v, x0, c10);
      c11 = madd(v, x1, c11);
      v = v128.load32_splat(a, 2 * ROW);
      c20 = madd(v, x0, c20);
      c21 = madd(v, x1, c21);
      v = v128.load32_splat(a, 3 * ROW);
      c30 = madd(v, x0, c30);
      c31 = madd(v, x1, c31);
      v = v128.load32_splat(a, 4 * ROW);
      c40 = madd(v, x0, c40);
      c41 = madd(v, x1, c41);
    }
    a += 4;
    for (b += 4 * NR; b < end; b += 4 * NR) {
      const x0 = v128.load(b), x1 = v128.load(b, 16);
      let v = v128.load32_splat(a);
      c00 = madd(v, x0, c00);
      c01 = madd(v, x1, c01);
      v = v128.load32_splat(a, ROW);
      c10 = madd(v, x0, c10);
      c11 = madd(v, x1, c11);
      v = v128.load32_splat(a, 2 * ROW);
      c20 = madd(v, x0, c20);
      c21 = madd(v, x1, c21);
      v = v128.load32_splat(a, 3 * ROW);
      c30 = madd(v, x0, c30);
      c31 = madd(v, x1, c31);
      v = v128.load32_splat(a, 4 * ROW);
      c40 = madd(v, x0, c40);
      c41 = madd(v, x1, c41);
      a += 4;
      if ((a & (ROW - 1)) == 0) a += (PANEL - 1) * ROW;
    }
    v128.store(c, c00);
    v128.store(c, c01, 16);
    v128.store(c, c10, 32);
    v128.store(c, c11, 48);
    v128.store(c, c20, 64);
    v128.store(c, c21, 80);
    v128.store(c, c30, 96);
    v128.store(c, c31, 112);
    v128.store(c, c40, 128);
    v128.store(c, c41, 144);
    a = next;
  }
}

/**
 * c [panels, 4, 8] += a · b. a: 4 neighboring numbers for each of `depth` terms, aStep bytes apart; b: panels that lie
 * bStep bytes apart, of 8 numbers for each term.
 */
export function addProducts(panels: i32, depth: i32, a: usize, aStep: usize, b: usize, bStep: usize, c: usize): void {
  const first = a;
  for (const stop = c + 4 * GROUP * NR * <usize>panels; c < stop; c += 4 * GROUP * NR) {
    const end = b + 4 * NR * <usize>depth, next = b + bStep;
    a = first;
    let c00 = f32x4.splat(0), c01 = f32x4.splat(0);
    let c10 = f32x4.splat(0), c11 = f32x4.splat(0);
    let c20 = f32x4.splat(0), c21 = f32x4.splat(0);
    let c30 = f32x4.splat(0), c31 = f32x4.splat(0);
    {
      const x0 = v128.load(b);
      const x1 = v128.load(b, 16);
      let v = v128.load32_splat(a);
      c00 = madd(v, x0, c00);
      c01 = madd(v, x1, c01);
      v = v128.load32_splat(a, 4);
      c10 = madd(v, x0, c10);
      c11 = madd(v, x1, c11);
      v = v128.load32_splat(a, 8);
      c20 = madd(v, x0, c20);
      c21 = madd(v, x1, c21);
      v = v128.load32_splat(a, 12);
      c30 = madd(v, x0, c30);
      c31 = madd(v, x1, c31);
    }
    a += aStep;
    for (b += 4 * NR; b < end; b += 4 * NR) {
      const x0 = v128.load(b);
      const x1 = v128.load(b, 16);
      let v = v128.load32_splat(a);
      c00 = madd(v, x0, c00);
      c01 = madd(v, x1, c01);
      v = v128.load32_splat(a, 4);
      c10 = madd(v, x0, c10);
      c11 = madd(v, x1, c11);
      v = v128.load32_splat(a, 8);
      c20 = madd(v, x0, c20);
      c21 = madd(v, x1, c21);
      v = v128.load32_splat(a, 12);
      c30 = madd(v, x0, c30);
      c31 = madd(v, x1, c31);
      a += aStep;
    }
    addRow(c, c00, c01);
    addRow(c + 32, c10, c11);
    addRow(c + 64, c20, c21);
    addRow(c + 96, c30, c31);
    b = next;
  }
}

/** to [8] += x0, x1. */
// @ts-ignore: decorator
@inline
export function addRow(to: usize, x0: v128, x1: v128): void {
  v128.store(to, f32x4.add(v128.load(to), x0));
  v128.store(to, f32x4.add(v128.load(to, 16), x1), 16);
}
