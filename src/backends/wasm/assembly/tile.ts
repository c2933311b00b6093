// Register tiles: the innermost loops of matrix products and convolutions, and the packing of their operands.
//
// A tile of c stays in registers while a loop runs over its terms. For each term it loads a row of b (8 numbers, two vectors), broadcasts one
// number of each row of a, and multiplies and adds:
//
//                    b:  x0 (4)  x1 (4)
//     a row 0:  v        c00     c01              c(row, ·) += v · x
//     a row 1:  v        c10     c11
//     …
//     a row 4:  v        c40     c41              (`computeTilePanels` only)
//
// - `computeTile`: 4 rows of a, read in place as runs of numbers.
// - `computeTileOffsets`: the same through a table of offsets, for short runs.
// - `computeTilePanels`: 5 rows of a, packed. V8 has 16 vector registers: 10 for sums, 2 for b, 1 for a.
// - The loops are not unrolled: with four terms in a pass V8 spills registers, and the loop runs at two thirds of its speed.
//
// The three loops are written out, because a shared one would keep its sums in memory. No parts, no work memory. Source: the micro-kernel
// of BLIS (Van Zee and van de Geijn 2015).

import { madd } from "./madd";

/** Rows and columns of a tile whose rows are read in place. */
export const MR: i32 = 4;
export const NR: i32 = 8;

/** Rows of a tile whose rows are packed: the most that V8 keeps in registers. More sums in flight hide the latency of an addition. */
export const PANEL: i32 = 5;

/**
 * Terms that a tile sums before its caller adds them to c. The rounding errors of a float32 sum of 44 equal terms are at most 7e-7 of the
 * sum. An addition to c costs about as much as one term.
 */
export const FOLD: i32 = 44;

/** Bytes of a tile that is computed in work memory because c ends inside it. */
export const EDGE: i32 = 4 * PANEL * NR;

/**
 * c [4, 8] = start + a · b. Row i of a begins at aᵢ. It has `lines` lines, lineStep bytes apart, of `runs` runs, runStep bytes apart, of
 * `length` numbers side by side. Rows of b (8 numbers) lie bStep bytes apart, rows of c cStep bytes, rows of start startStep bytes.
 * start 0: nothing is added. Never reads c.
 */
export function computeTile(
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

/** The same with a table: row i of a is read at aᵢ + each of `depth` offsets (i32, bytes). b is a panel. Inlined where it is called. */
// @ts-ignore: decorator
@inline
export function computeTileOffsetsHere(
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

/** The same as a function that is called, for tiles whose terms take much longer than a call. */
export function computeTileOffsets(
  depth: i32, offsets: usize, a0: usize, a1: usize, a2: usize, a3: usize, b: usize,
  c: usize, cStep: usize, start: usize, startStep: usize,
): void {
  computeTileOffsetsHere(depth, offsets, a0, a1, a2, a3, b, c, cStep, start, startStep);
}

/**
 * c [5, 8] = start + a · b, both packed: for each of `depth` terms, 5 numbers of a and 8 of b.
 *
 * The end is written twice, with and without addition. With one end that has a condition, V8 keeps the sums of the whole loop in memory,
 * which halves the speed. The module exports this function for the same reason: otherwise the compiler inlines it.
 */
export function computeTilePanels(depth: i32, a: usize, b: usize, c: usize, cStep: usize, start: usize, startStep: usize): void {
  let c00 = f32x4.splat(0), c01 = f32x4.splat(0);
  let c10 = f32x4.splat(0), c11 = f32x4.splat(0);
  let c20 = f32x4.splat(0), c21 = f32x4.splat(0);
  let c30 = f32x4.splat(0), c31 = f32x4.splat(0);
  let c40 = f32x4.splat(0), c41 = f32x4.splat(0);
  for (const end = a + 4 * PANEL * <usize>depth; a < end; a += 4 * PANEL, b += 4 * NR) {
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
    v = v128.load32_splat(a, 16);
    c40 = madd(v, x0, c40);
    c41 = madd(v, x1, c41);
  }
  if (start == 0) {
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
    c += cStep;
    v128.store(c, c40);
    v128.store(c, c41, 16);
  } else {
    v128.store(c, f32x4.add(v128.load(start), c00));
    v128.store(c, f32x4.add(v128.load(start, 16), c01), 16);
    c += cStep;
    start += startStep;
    v128.store(c, f32x4.add(v128.load(start), c10));
    v128.store(c, f32x4.add(v128.load(start, 16), c11), 16);
    c += cStep;
    start += startStep;
    v128.store(c, f32x4.add(v128.load(start), c20));
    v128.store(c, f32x4.add(v128.load(start, 16), c21), 16);
    c += cStep;
    start += startStep;
    v128.store(c, f32x4.add(v128.load(start), c30));
    v128.store(c, f32x4.add(v128.load(start, 16), c31), 16);
    c += cStep;
    start += startStep;
    v128.store(c, f32x4.add(v128.load(start), c40));
    v128.store(c, f32x4.add(v128.load(start, 16), c41), 16);
  }
}

/** c [4, 8] = start + the sums of a tile. */
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

/** Copies rows × columns numbers of a tile of c to the tile at `edge`. */
export function loadEdge(from: usize, step: usize, edge: usize, rows: i32, columns: i32): void {
  for (let i = 0; i < rows; i++, from += step, edge += 4 * NR) {
    for (let j = 0; j < columns; j++) store<f32>(edge + 4 * <usize>j, load<f32>(from + 4 * <usize>j));
  }
}

/** Copies rows × columns numbers of the tile at `edge` to c, on top of `start` unless that is 0. */
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
 * Packs panels of 8 columns: for each of `depth` rows, 8 numbers side by side. Numbers of columns past the last are undefined. Element (row,
 * column) is at x + row·rowStep + column·columnStep bytes.
 */
export function packColumns(x: usize, columns: i32, depth: i32, columnStep: usize, rowStep: usize, to: usize): void {
  for (let i = 0; i < columns; i += NR) {
    let p = x + <usize>i * columnStep;
    const left = min(NR, columns - i);
    if (columnStep == 4) {
      // May read past the last column: there is memory, and the values do not matter.
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
 * Packs panels of 5 rows: for each of `depth` columns, 5 numbers below one another. Numbers of rows past the last are undefined. Steps as in
 * `packColumns`.
 */
export function packRows(x: usize, rows: i32, depth: i32, rowStep: usize, columnStep: usize, to: usize): void {
  const panel: usize = 4 * PANEL * <usize>depth;
  for (let i = 0; i < rows; i += PANEL, to += panel) {
    const p = x + <usize>i * rowStep;
    // Rows past the last repeat it.
    const last = <usize>(min(PANEL, rows - i) - 1) * rowStep;
    const p1 = p + min<usize>(rowStep, last), p2 = p + min<usize>(2 * rowStep, last), p3 = p + min<usize>(3 * rowStep, last);
    packPanel(depth, columnStep, p, p1, p2, p3, p + min<usize>(4 * rowStep, last), to);
  }
}

/** Packs one panel: row r begins at xᵣ, its numbers lie `step` bytes apart. */
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
