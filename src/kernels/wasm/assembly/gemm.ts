// c [m, n] (+)= op(a) · op(b) in float32, as Goto and BLIS do it: blocks of op(b) and op(a) are copied into panels that a 4×8 register
// tile reads from front to back. Every pointer is a byte address; steps and rows are counted in numbers.

import { madd } from "./madd";

const MR: i32 = 4;
const NR: i32 = 8;
const KC: i32 = 256;
const MC: i32 = 128;
const NC: i32 = 512;

export const GEMM_WORK: i32 = 4 * (MC * KC + NC * KC + MR * NR);

/** Bytes of panel memory that `gemm` needs at `work`. */
export function gemmWork(): i32 {
  return GEMM_WORK;
}

/**
 * Element (i, p) of op(a) is a[i·aRow + p·aColumn], element (p, j) of op(b) is b[p·bRow + j·bColumn]; row i of c begins at c + 4·i·cRow.
 */
export function gemm(
  m: i32, n: i32, k: i32,
  a: usize, aRow: i32, aColumn: i32,
  b: usize, bRow: i32, bColumn: i32,
  c: usize, cRow: i32, accumulate: bool, work: usize,
): void {
  const aPanels = work;
  const bPanels = aPanels + 4 * MC * KC;
  const edge = bPanels + 4 * NC * KC;
  if (k == 0 && !accumulate) {
    for (let i = 0; i < m; i++) memory.fill(c + 4 * <usize>(i * cRow), 0, 4 * n);
    return;
  }
  for (let j = 0; j < n; j += NC) {
    const columns = min(NC, n - j);
    for (let p = 0; p < k; p += KC) {
      const depth = min(KC, k - p);
      pack8(b + 4 * <usize>(p * bRow + j * bColumn), columns, depth, bColumn, bRow, bPanels);
      for (let i = 0; i < m; i += MC) {
        const rows = min(MC, m - i);
        pack4(a + 4 * <usize>(i * aRow + p * aColumn), rows, depth, aRow, aColumn, aPanels);
        const add = accumulate || p > 0;
        for (let jj = 0; jj < columns; jj += NR) {
          for (let ii = 0; ii < rows; ii += MR) {
            const at = c + 4 * (<usize>(i + ii) * cRow + j + jj);
            const aPanel = aPanels + 4 * <usize>(ii * depth);
            const bPanel = bPanels + 4 * <usize>(jj * depth);
            if (ii + MR <= rows && jj + NR <= columns) tile(depth, aPanel, bPanel, at, cRow, add);
            else {
              tile(depth, aPanel, bPanel, edge, NR, false);
              copyEdge(edge, at, cRow, min(MR, rows - ii), min(NR, columns - jj), add);
            }
          }
        }
      }
    }
  }
}

/** Panels of 4 rows: for each of `depth` columns the 4 numbers below one another; missing rows are zeros. */
function pack4(x: usize, rows: i32, depth: i32, rowStep: i32, step: i32, to: usize): void {
  const row: usize = 4 * <usize>rowStep;
  const next: usize = 4 * <usize>step;
  for (let i = 0; i < rows; i += 4) {
    let p0 = x + <usize>i * row;
    if (i + 4 <= rows) {
      if (rowStep == 1) {
        for (let j = 0; j < depth; j++, p0 += next, to += 16) v128.store(to, v128.load(p0));
        continue;
      }
      let p1 = p0 + row;
      let p2 = p1 + row;
      let p3 = p2 + row;
      let j = 0;
      if (step == 1) {
        // Four columns at a time: a 4×4 transpose in registers.
        for (; j + 4 <= depth; j += 4, p0 += 16, p1 += 16, p2 += 16, p3 += 16, to += 64) {
          const r0 = v128.load(p0);
          const r1 = v128.load(p1);
          const r2 = v128.load(p2);
          const r3 = v128.load(p3);
          const t0 = v128.shuffle<f32>(r0, r1, 0, 4, 1, 5);
          const t1 = v128.shuffle<f32>(r2, r3, 0, 4, 1, 5);
          const t2 = v128.shuffle<f32>(r0, r1, 2, 6, 3, 7);
          const t3 = v128.shuffle<f32>(r2, r3, 2, 6, 3, 7);
          v128.store(to, v128.shuffle<f32>(t0, t1, 0, 1, 4, 5));
          v128.store(to, v128.shuffle<f32>(t0, t1, 2, 3, 6, 7), 16);
          v128.store(to, v128.shuffle<f32>(t2, t3, 0, 1, 4, 5), 32);
          v128.store(to, v128.shuffle<f32>(t2, t3, 2, 3, 6, 7), 48);
        }
      }
      for (; j < depth; j++, p0 += next, p1 += next, p2 += next, p3 += next, to += 16) {
        store<f32>(to, load<f32>(p0));
        store<f32>(to, load<f32>(p1), 4);
        store<f32>(to, load<f32>(p2), 8);
        store<f32>(to, load<f32>(p3), 12);
      }
    } else {
      const left = rows - i;
      for (let j = 0; j < depth; j++, p0 += next, to += 16) {
        for (let r = 0; r < 4; r++) store<f32>(to + 4 * <usize>r, r < left ? load<f32>(p0 + <usize>r * row) : 0);
      }
    }
  }
}

/** Panels of 8 rows, as `pack4`. */
function pack8(x: usize, rows: i32, depth: i32, rowStep: i32, step: i32, to: usize): void {
  const row: usize = 4 * <usize>rowStep;
  const next: usize = 4 * <usize>step;
  for (let i = 0; i < rows; i += 8) {
    let p = x + <usize>i * row;
    const left = min(8, rows - i);
    if (left == 8 && rowStep == 1) {
      for (let j = 0; j < depth; j++, p += next, to += 32) {
        v128.store(to, v128.load(p));
        v128.store(to, v128.load(p, 16), 16);
      }
    } else {
      for (let j = 0; j < depth; j++, p += next, to += 32) {
        for (let r = 0; r < 8; r++) store<f32>(to + 4 * <usize>r, r < left ? load<f32>(p + <usize>r * row) : 0);
      }
    }
  }
}

/**
 * c [4, 8] (+)= a-panel · b-panel. Assumes panels as the packers write them, zero-padded, and 4 rows of 8 numbers of room at c.
 * Never reads c when !accumulate.
 */
function tile(depth: i32, a: usize, b: usize, c: usize, cRow: i32, accumulate: bool): void {
  let c00 = f32x4.splat(0), c01 = f32x4.splat(0);
  let c10 = f32x4.splat(0), c11 = f32x4.splat(0);
  let c20 = f32x4.splat(0), c21 = f32x4.splat(0);
  let c30 = f32x4.splat(0), c31 = f32x4.splat(0);
  for (const end = a + 16 * <usize>depth; a < end; a += 16, b += 32) {
    const b0 = v128.load(b);
    const b1 = v128.load(b, 16);
    let x = v128.load32_splat(a);
    c00 = madd(x, b0, c00);
    c01 = madd(x, b1, c01);
    x = v128.load32_splat(a, 4);
    c10 = madd(x, b0, c10);
    c11 = madd(x, b1, c11);
    x = v128.load32_splat(a, 8);
    c20 = madd(x, b0, c20);
    c21 = madd(x, b1, c21);
    x = v128.load32_splat(a, 12);
    c30 = madd(x, b0, c30);
    c31 = madd(x, b1, c31);
  }
  const row: usize = 4 * <usize>cRow;
  put(c, c00, c01, accumulate);
  put(c + row, c10, c11, accumulate);
  put(c + 2 * row, c20, c21, accumulate);
  put(c + 3 * row, c30, c31, accumulate);
}

// @ts-ignore: decorator
@inline
function put(c: usize, x: v128, y: v128, accumulate: bool): void {
  v128.store(c, accumulate ? f32x4.add(v128.load(c), x) : x);
  v128.store(c, accumulate ? f32x4.add(v128.load(c, 16), y) : y, 16);
}

/** The part of an edge tile that exists. */
function copyEdge(edge: usize, c: usize, cRow: i32, rows: i32, columns: i32, accumulate: bool): void {
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) {
      const at = c + 4 * <usize>(i * cRow + j);
      const x = load<f32>(edge + 4 * <usize>(i * NR + j));
      store<f32>(at, accumulate ? load<f32>(at) + x : x);
    }
  }
}
