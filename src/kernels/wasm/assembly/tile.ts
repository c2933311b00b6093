// The innermost loop of matrix products and convolutions: a register tile of 4 rows and 8 columns.

import { madd } from "./madd";

export const MR: i32 = 4;
export const NR: i32 = 8;

/** Bytes of a tile that does not fit where it belongs. */
export const EDGE: i32 = 4 * MR * NR;

// The loops below are not unrolled: with four times as much in them V8 spills registers, and they run at two thirds of the speed.

/**
 * c [4, 8] = start + a · b, where row i of a is read from aᵢ on: `lines` lines of `runs` runs of `length` numbers side by side, lines and
 * runs beginning lineStep and runStep bytes apart. b has a row of 8 numbers every bStep bytes. Rows of c and of start lie cStep and
 * startStep bytes apart; start 0: nothing is added, and c is not read.
 */
export function tile(
  lines: i32, lineStep: usize, runs: i32, runStep: usize, length: i32,
  a0: usize, a1: usize, a2: usize, a3: usize, b: usize, bStep: usize,
  c: usize, cStep: usize, start: usize, startStep: usize,
): void {
  let c00 = f32x4.splat(0), c01 = f32x4.splat(0);
  let c10 = f32x4.splat(0), c11 = f32x4.splat(0);
  let c20 = f32x4.splat(0), c21 = f32x4.splat(0);
  let c30 = f32x4.splat(0), c31 = f32x4.splat(0);
  const all: usize = 4 * <usize>length;
  a1 -= a0;
  a2 -= a0;
  a3 -= a0;
  for (let line = 0; line < lines; line++, a0 += lineStep) {
    let run = a0;
    for (let r = 0; r < runs; r++, run += runStep) {
      let p0 = run;
      let p1 = run + a1;
      let p2 = run + a2;
      let p3 = run + a3;
      for (const end = run + all; p0 < end; p0 += 4, p1 += 4, p2 += 4, p3 += 4, b += bStep) {
        const x0 = v128.load(b);
        const x1 = v128.load(b, 16);
        let v = v128.load32_splat(p0);
        c00 = madd(v, x0, c00);
        c01 = madd(v, x1, c01);
        v = v128.load32_splat(p1);
        c10 = madd(v, x0, c10);
        c11 = madd(v, x1, c11);
        v = v128.load32_splat(p2);
        c20 = madd(v, x0, c20);
        c21 = madd(v, x1, c21);
        v = v128.load32_splat(p3);
        c30 = madd(v, x0, c30);
        c31 = madd(v, x1, c31);
      }
    }
  }
  finish(c00, c01, c10, c11, c20, c21, c30, c31, c, cStep, start, startStep);
}

/** The same where runs are short: row i of a is read at aᵢ + each of `depth` offsets (i32, bytes). b is a panel. */
export function tileOffsets(
  depth: i32, offsets: usize, a0: usize, a1: usize, a2: usize, a3: usize, b: usize,
  c: usize, cStep: usize, start: usize, startStep: usize,
): void {
  let c00 = f32x4.splat(0), c01 = f32x4.splat(0);
  let c10 = f32x4.splat(0), c11 = f32x4.splat(0);
  let c20 = f32x4.splat(0), c21 = f32x4.splat(0);
  let c30 = f32x4.splat(0), c31 = f32x4.splat(0);
  for (const end = offsets + 4 * <usize>depth; offsets < end; offsets += 4, b += 4 * NR) {
    const o = <usize>load<i32>(offsets);
    const x0 = v128.load(b);
    const x1 = v128.load(b, 16);
    let v = v128.load32_splat(a0 + o);
    c00 = madd(v, x0, c00);
    c01 = madd(v, x1, c01);
    v = v128.load32_splat(a1 + o);
    c10 = madd(v, x0, c10);
    c11 = madd(v, x1, c11);
    v = v128.load32_splat(a2 + o);
    c20 = madd(v, x0, c20);
    c21 = madd(v, x1, c21);
    v = v128.load32_splat(a3 + o);
    c30 = madd(v, x0, c30);
    c31 = madd(v, x1, c31);
  }
  finish(c00, c01, c10, c11, c20, c21, c30, c31, c, cStep, start, startStep);
}

/** The same where a is a panel, too: for each of `depth` columns the 4 numbers below one another. */
export function tilePanels(depth: i32, a: usize, b: usize, c: usize, cStep: usize, start: usize, startStep: usize): void {
  let c00 = f32x4.splat(0), c01 = f32x4.splat(0);
  let c10 = f32x4.splat(0), c11 = f32x4.splat(0);
  let c20 = f32x4.splat(0), c21 = f32x4.splat(0);
  let c30 = f32x4.splat(0), c31 = f32x4.splat(0);
  for (const end = a + 4 * MR * <usize>depth; a < end; a += 4 * MR, b += 4 * NR) {
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
  finish(c00, c01, c10, c11, c20, c21, c30, c31, c, cStep, start, startStep);
}

// @ts-ignore: decorator
@inline
function finish(
  c00: v128, c01: v128, c10: v128, c11: v128, c20: v128, c21: v128, c30: v128, c31: v128,
  c: usize, cStep: usize, start: usize, startStep: usize,
): void {
  if (start != 0) {
    c00 = f32x4.add(v128.load(start), c00);
    c01 = f32x4.add(v128.load(start, 16), c01);
    start += startStep;
    c10 = f32x4.add(v128.load(start), c10);
    c11 = f32x4.add(v128.load(start, 16), c11);
    start += startStep;
    c20 = f32x4.add(v128.load(start), c20);
    c21 = f32x4.add(v128.load(start, 16), c21);
    start += startStep;
    c30 = f32x4.add(v128.load(start), c30);
    c31 = f32x4.add(v128.load(start, 16), c31);
  }
  v128.store(c, c00);
  v128.store(c, c01, 16);
  c += cStep;
  v128.store(c, c10);
  v128.store(c, c11, 16);
  c += cStep;
  v128.store(c, c20);
  v128.store(c, c21, 16);
  c += cStep;
  v128.store(c, c30);
  v128.store(c, c31, 16);
}

/** The part of a tile at `edge` that exists. */
export function copyEdge(
  edge: usize, c: usize, cStep: usize, start: usize, startStep: usize, rows: i32, columns: i32,
): void {
  const add = start != 0;
  for (let i = 0; i < rows; i++, c += cStep, start += startStep) {
    for (let j = 0; j < columns; j++) {
      const at: usize = 4 * <usize>j;
      const x = load<f32>(edge + 4 * <usize>(i * NR + j));
      store<f32>(c + at, add ? load<f32>(start + at) + x : x);
    }
  }
}

/**
 * Panels of 8 columns: for each of `depth` rows the 8 numbers side by side; missing columns are zeros. Element (row, column) is at
 * x + row·rowStep + column·columnStep bytes.
 */
export function packColumns(x: usize, columns: i32, depth: i32, columnStep: usize, rowStep: usize, to: usize): void {
  for (let i = 0; i < columns; i += NR) {
    let p = x + <usize>i * columnStep;
    const left = min(NR, columns - i);
    if (left == NR && columnStep == 4) {
      for (let j = 0; j < depth; j++, p += rowStep, to += 32) {
        v128.store(to, v128.load(p));
        v128.store(to, v128.load(p, 16), 16);
      }
      continue;
    }
    let j = 0;
    if (left == NR && rowStep == 4) {
      for (; j + 4 <= depth; j += 4, p += 16, to += 128) {
        transpose(p, columnStep, to, 32);
        transpose(p + 4 * columnStep, columnStep, to + 16, 32);
      }
    }
    for (; j < depth; j++, p += rowStep, to += 32) {
      for (let r = 0; r < NR; r++) store<f32>(to + 4 * <usize>r, r < left ? load<f32>(p + <usize>r * columnStep) : 0);
    }
  }
}

/** 4×4 numbers with rows and columns exchanged, in registers; rows lie fromStep and toStep bytes apart. */
// @ts-ignore: decorator
@inline
export function transpose(from: usize, fromStep: usize, to: usize, toStep: usize): void {
  const r0 = v128.load(from);
  const r1 = v128.load(from + fromStep);
  const r2 = v128.load(from + 2 * fromStep);
  const r3 = v128.load(from + 3 * fromStep);
  const t0 = v128.shuffle<f32>(r0, r1, 0, 4, 1, 5);
  const t1 = v128.shuffle<f32>(r2, r3, 0, 4, 1, 5);
  const t2 = v128.shuffle<f32>(r0, r1, 2, 6, 3, 7);
  const t3 = v128.shuffle<f32>(r2, r3, 2, 6, 3, 7);
  v128.store(to, v128.shuffle<f32>(t0, t1, 0, 1, 4, 5));
  v128.store(to + toStep, v128.shuffle<f32>(t0, t1, 2, 3, 6, 7));
  v128.store(to + 2 * toStep, v128.shuffle<f32>(t2, t3, 0, 1, 4, 5));
  v128.store(to + 3 * toStep, v128.shuffle<f32>(t2, t3, 2, 3, 6, 7));
}

/** Panels of 4 rows: for each of `depth` columns the 4 numbers below one another; missing rows are zeros. Steps as in `packColumns`. */
export function packRows(x: usize, rows: i32, depth: i32, rowStep: usize, columnStep: usize, to: usize): void {
  for (let i = 0; i < rows; i += MR) {
    let p = x + <usize>i * rowStep;
    const left = min(MR, rows - i);
    let j = 0;
    if (left == MR && rowStep == 4) {
      for (; j < depth; j++, p += columnStep, to += 16) v128.store(to, v128.load(p));
      continue;
    }
    if (left == MR && columnStep == 4) for (; j + 4 <= depth; j += 4, p += 16, to += 64) transpose(p, rowStep, to, 16);
    for (; j < depth; j++, p += columnStep, to += 16) {
      for (let r = 0; r < MR; r++) store<f32>(to + 4 * <usize>r, r < left ? load<f32>(p + <usize>r * rowStep) : 0);
    }
  }
}
