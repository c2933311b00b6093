// Packing: copies blocks of a matrix to panels, which the register tiles (tile.ts) read from front to back.
//
//     packColumns   panels of 8 columns   for each term 8 numbers:            b00 … b07 b10 … b17 …
//     packBlocks    panels of 5 rows      for each block of 16 terms 5 rows:  a00 … a0F a10 … a1F a20 … a4F …
//     packRows      panels of 5 rows      for each term 5 numbers:            a00 … a40 a01 … a41 …
//
// - `packBlocks` is for matrices whose rows lie in memory as such, `packRows` for all others. Copies of 16 numbers take
//   a fifth of the time of a transposition.
// - Vectors: four numbers. No parts, no work memory of its own.

import { BLOCK_TERMS, NR, PANEL } from "./tile";

/** The bytes of a panel of `packBlocks`: `depth` terms, in whole blocks. */
export function blocksBytes(depth: i32): i32 {
  return 4 * PANEL * (depth + BLOCK_TERMS - 1 & ~(BLOCK_TERMS - 1));
}

/**
 * Packs panels of 5 rows in blocks of 16 terms. Row i begins at x + i·rowStep. Past the last row and the last term,
 * panels hold arbitrary numbers: a block reads up to 60 bytes past the last term. The memory exists (BEYOND in
 * space.ts), and no result uses the values.
 */
export function packBlocks(x: usize, rows: i32, depth: i32, rowStep: usize, to: usize): void {
  const panel = <usize>blocksBytes(depth);
  for (let i = 0; i < rows; i++, x += rowStep) {
    let at = to + <usize>(i / PANEL) * panel + 4 * BLOCK_TERMS * <usize>(i % PANEL);
    for (let p = x, end = x + 4 * <usize>depth; p < end; p += 4 * BLOCK_TERMS, at += 4 * BLOCK_TERMS * PANEL) {
      v128.store(at, v128.load(p));
      v128.store(at, v128.load(p, 16), 16);
      v128.store(at, v128.load(p, 32), 32);
      v128.store(at, v128.load(p, 48), 48);
    }
  }
}

/**
 * Packs panels of 8 columns: for each of `depth` rows, 8 adjacent numbers. Past the last column, panels hold arbitrary
 * numbers. Element (row, column) is at address x + row·rowStep + column·columnStep.
 */
export function packColumns(x: usize, columns: i32, depth: i32, columnStep: usize, rowStep: usize, to: usize): void {
  for (let i = 0; i < columns; i += NR) {
    let p = x + <usize>i * columnStep;
    const left = min(NR, columns - i);
    if (columnStep == 4) {
      // May read past the last column. The memory exists (BEYOND in space.ts), and no result uses the values.
      for (let j = 0; j < depth; j++, p += rowStep, to += 4 * NR) {
        v128.store(to, v128.load(p));
        v128.store(to, v128.load(p, 16), 16);
      }
      continue;
    }
    let j = 0;
    if (left == NR && rowStep == 4) {
      for (; j + 4 <= depth; j += 4, p += 16, to += 128) {
        const q = p + 4 * columnStep;
        transpose(v128.load(p), v128.load(p + columnStep), v128.load(p + 2 * columnStep), v128.load(p + 3 * columnStep), to, 32);
        transpose(v128.load(q), v128.load(q + columnStep), v128.load(q + 2 * columnStep), v128.load(q + 3 * columnStep), to + 16, 32);
      }
    }
    for (; j < depth; j++, p += rowStep, to += 32) {
      for (let r = 0; r < NR; r++) store<f32>(to + 4 * <usize>r, r < left ? load<f32>(p + <usize>r * columnStep) : 0);
    }
  }
}

/** Transposes 4×4 numbers in registers; stores the columns toStep bytes apart. */
// @ts-ignore: decorator
@inline
function transpose(r0: v128, r1: v128, r2: v128, r3: v128, to: usize, toStep: usize): void {
  const t0 = v128.shuffle<f32>(r0, r1, 0, 4, 1, 5);
  const t1 = v128.shuffle<f32>(r2, r3, 0, 4, 1, 5);
  const t2 = v128.shuffle<f32>(r0, r1, 2, 6, 3, 7);
  const t3 = v128.shuffle<f32>(r2, r3, 2, 6, 3, 7);
  v128.store(to, v128.shuffle<f32>(t0, t1, 0, 1, 4, 5));
  v128.store(to + toStep, v128.shuffle<f32>(t0, t1, 2, 3, 6, 7));
  v128.store(to + 2 * toStep, v128.shuffle<f32>(t2, t3, 0, 1, 4, 5));
  v128.store(to + 3 * toStep, v128.shuffle<f32>(t2, t3, 2, 3, 6, 7));
}

/**
 * Packs panels of 5 rows: for each of `depth` columns, the 5 numbers of this column. Past the last row, panels hold
 * arbitrary numbers. Steps as in `packColumns`.
 */
export function packRows(x: usize, rows: i32, depth: i32, rowStep: usize, columnStep: usize, to: usize): void {
  const panel: usize = 4 * PANEL * <usize>depth;
  for (let i = 0; i < rows; i += PANEL, to += panel) {
    const p = x + <usize>i * rowStep;
    // In place of rows past the last, the last row is packed again.
    const last = <usize>(min(PANEL, rows - i) - 1) * rowStep;
    const p1 = p + min<usize>(rowStep, last), p2 = p + min<usize>(2 * rowStep, last), p3 = p + min<usize>(3 * rowStep, last);
    packPanel(depth, columnStep, p, p1, p2, p3, p + min<usize>(4 * rowStep, last), to);
  }
}

/** Packs one panel of `packRows`: row r begins at xᵣ, its numbers lie `step` bytes apart. */
function packPanel(depth: i32, step: usize, x0: usize, x1: usize, x2: usize, x3: usize, x4: usize, to: usize): void {
  const end = to + 4 * PANEL * <usize>depth;
  if (x1 == x0 + 4 && x2 == x1 + 4 && x3 == x2 + 4 && x4 == x3 + 4) {
    for (; to < end; x0 += step, to += 4 * PANEL) {
      v128.store(to, v128.load(x0));
      store<f32>(to, load<f32>(x0, 16), 16);
    }
    return;
  }
  if (step == 4) {
    for (const whole = to + 4 * PANEL * <usize>(depth & ~3); to < whole; to += 16 * PANEL) {
      transpose(v128.load(x0), v128.load(x1), v128.load(x2), v128.load(x3), to, 4 * PANEL);
      const last = v128.load(x4);
      v128.store32_lane(to, last, 0, 16);
      v128.store32_lane(to, last, 1, 4 * PANEL + 16);
      v128.store32_lane(to, last, 2, 8 * PANEL + 16);
      v128.store32_lane(to, last, 3, 12 * PANEL + 16);
      x0 += 16;
      x1 += 16;
      x2 += 16;
      x3 += 16;
      x4 += 16;
    }
  }
  for (; to < end; to += 4 * PANEL) {
    store<f32>(to, load<f32>(x0));
    store<f32>(to, load<f32>(x1), 4);
    store<f32>(to, load<f32>(x2), 8);
    store<f32>(to, load<f32>(x3), 12);
    store<f32>(to, load<f32>(x4), 16);
    x0 += step;
    x1 += step;
    x2 += step;
    x3 += step;
    x4 += step;
  }
}
