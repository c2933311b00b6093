// Register tiles: the innermost loops of matrix products and convolutions. pack.ts packs their operands.
//
// A tile of c stays in registers while a loop runs over its terms. For each term it loads a row of b (8 numbers, two
// vectors), broadcasts one number of each row of a, and multiplies and adds:
//
//                    b:  x0 (4)  x1 (4)
//     a row 0:  v        c00     c01              c(row, ·) += v · x
//     a row 1:  v        c10     c11
//     …
//     a row 4:  v        c40     c41              (packed rows only)
//
// - `computeTile`: 4 rows of a, read in place as runs of numbers.
// - `computeTileOffsets`: the same through a table of offsets, for short runs.
// - `computeTilePanels`, `computeTileRows`: 5 rows of a, packed. V8 has 16 vector registers: 10 for sums, 2 for b, 1
//   for a.
// - The loops are not unrolled: with four terms in a pass V8 spills registers, and the loop runs at two thirds of its
//   speed.
// - V8 computes the address of a broadcast at a fixed offset in each pass. It keeps the address in a register if the
//   same offset occurs before the loop. `computeFive` therefore writes its first term before the loop: 1.17 times as
//   fast with 400 terms, 1.1 with 48.
//
// The three loops are written out: a shared loop would keep its sums in memory instead of registers. No parts, no work
// memory. Source: the micro-kernel of BLIS (Van Zee and van de Geijn 2015).

import { madd } from "./madd";

/** Rows and columns of a tile whose rows are read in place. */
export const MR: i32 = 4;
export const NR: i32 = 8;

/**
 * Rows of a tile whose rows are packed: the most whose sums fit the registers. More independent sums hide the latency
 * of an addition.
 */
export const PANEL: i32 = 5;

/**
 * The most terms that a tile sums in registers. The caller cuts longer sums into pieces of this length and adds the
 * pieces in c. The rounding errors of a float32 sum of 48 equal terms are at most 8e-7 of the sum, those of 12 such
 * sums at most 8.5e-7. A piece is three blocks of 16 terms.
 */
export const FOLD: i32 = 48;

/**
 * Bytes of an edge tile: a tile that reaches past the last row or column of c. It is computed in work memory, then
 * `copyEdge` copies it.
 */
export const EDGE: i32 = 4 * PANEL * NR;

/**
 * c [4, 8] = start + a · b. If the address `start` is 0, c = a · b. Never reads c.
 *
 * - a: row i begins at aᵢ. A row has `lines` lines, a line has `runs` runs, and a run has `length` adjacent numbers.
 *   Lines begin lineStep bytes apart, the runs of a line runStep bytes apart.
 * - b: rows of 8 numbers, bStep bytes apart.
 * - Rows of c are cStep bytes apart, rows of start startStep bytes.
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

/**
 * `computeTile` with a table: term d of row i of a is at aᵢ + offsets[d], for `depth` offsets (i32, in bytes). b is a
 * panel. Inlined.
 */
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

/**
 * `computeTileOffsetsHere` without inlining, for tiles with so many terms that the cost of the call does not matter.
 */
export function computeTileOffsets(
  depth: i32, offsets: usize, a0: usize, a1: usize, a2: usize, a3: usize, b: usize,
  c: usize, cStep: usize, start: usize, startStep: usize,
): void {
  computeTileOffsetsHere(depth, offsets, a0, a1, a2, a3, b, c, cStep, start, startStep);
}

/** The two forms of `computeFive`. */
class Panels {}
class Rows {}

/** Terms of a block of `computeTileRows`. */
export const BLOCK_TERMS: i32 = 16;

/**
 * c [5, 8] = start + a · b; start as in `computeTile`. b is packed: 8 numbers for each of `depth` terms. The 5 numbers
 * of a for a term lie side by side, those of the next term aStep bytes further.
 *
 * The module exports this function, so that the compiler does not inline it. See `computeFive`.
 */
export function computeTilePanels(
  depth: i32, a: usize, aStep: usize, b: usize, c: usize, cStep: usize, start: usize, startStep: usize,
): void {
  computeFive<Panels>(depth, a, aStep, b, c, cStep, start, startStep);
}

/** `computeTilePanels` for rows: a has, for each block of 16 terms, 5 rows of 16 numbers. `a` is a multiple of 64. */
export function computeTileRows(depth: i32, a: usize, b: usize, c: usize, cStep: usize, start: usize, startStep: usize): void {
  computeFive<Rows>(depth, a, 0, b, c, cStep, start, startStep);
}

/**
 * The body of the two functions above. The stores are written twice, with and without the addition of start. If the
 * stores share code, V8 keeps the sums in memory during the loop, which halves the speed. Inlining the function into a
 * loop has the same effect.
 */
// @ts-ignore: decorator
@inline
function computeFive<T>(
  depth: i32, a: usize, aStep: usize, b: usize, c: usize, cStep: usize, start: usize, startStep: usize,
): void {
  const ROW: usize = idof<T>() == idof<Rows>() ? 4 * BLOCK_TERMS : 4;
  let c00 = f32x4.splat(0), c01 = f32x4.splat(0);
  let c10 = f32x4.splat(0), c11 = f32x4.splat(0);
  let c20 = f32x4.splat(0), c21 = f32x4.splat(0);
  let c30 = f32x4.splat(0), c31 = f32x4.splat(0);
  let c40 = f32x4.splat(0), c41 = f32x4.splat(0);
  const end = b + 4 * NR * <usize>depth;
  {
    const x0 = v128.load(b);
    const x1 = v128.load(b, 16);
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
  a += idof<T>() == idof<Rows>() ? 4 : aStep;
  for (b += 4 * NR; b < end; b += 4 * NR) {
    const x0 = v128.load(b);
    const x1 = v128.load(b, 16);
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
    if (idof<T>() == idof<Rows>()) {
      a += 4;
      if ((a & (ROW - 1)) == 0) a += (PANEL - 1) * ROW;
    } else a += aStep;
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

/** Stores a tile: c [4, 8] = start + the sums; without start if its address is 0. */
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

/** Copies rows × columns numbers at `from` to the tile at `edge`. Rows lie `step` bytes apart at `from`. */
export function loadEdge(from: usize, step: usize, edge: usize, rows: i32, columns: i32): void {
  for (let i = 0; i < rows; i++, from += step, edge += 4 * NR) {
    for (let j = 0; j < columns; j++) store<f32>(edge + 4 * <usize>j, load<f32>(from + 4 * <usize>j));
  }
}

/** c [rows, columns] = start + the tile at `edge`; without start if its address is 0. */
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
