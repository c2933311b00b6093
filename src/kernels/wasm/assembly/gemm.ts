// c [m, n] (+)= op(a) · op(b) in float32, as Goto and BLIS do it: blocks of op(b) are copied into panels that a register tile reads from
// front to back, and blocks of op(a) likewise where they are read often enough. Every pointer is a byte address; rows and columns are counted in numbers.

import { argument, cut, run, setArgument, threadCount } from "./threads";
import { copyEdge, EDGE, MR, NR, packColumns, packRows, PANEL, tile, tilePanels } from "./tile";

const KC: i32 = 256;
/** A multiple of the rows of both tiles. */
const MC: i32 = 120;
const NC: i32 = 512;
/** With so few rows a panel would not be read often enough to be worth its copy. */
const FEW_ROWS: i32 = 8;
/** With so few columns rows of op(a) are read where they lie. */
const FEW_COLUMNS: i32 = 32;
/** Multiplications worth a part: 64³. */
const PART: i64 = 1 << 18;
/** Parts for each thread: enough for one that is late to leave its last to others. Every element is summed in the same order in any part. */
const SHARE: i32 = 4;

/** Bytes of work memory that one thread needs. */
export const GEMM_WORK: i32 = 4 * (MC * KC + NC * KC) + EDGE;
export function gemmWork(): i32 {
  return GEMM_WORK;
}

/**
 * Element (i, p) of op(a) is a[i·aRow + p·aColumn], element (p, j) of op(b) is b[p·bRow + j·bColumn]; row i of c begins at c + 4·i·cRow.
 * `bias`: a row that is added to every row; may be 0, and is when `accumulate`.
 */
export function gemm(
  m: i32, n: i32, k: i32,
  a: usize, aRow: i32, aColumn: i32,
  b: usize, bRow: i32, bColumn: i32,
  c: usize, cRow: i32, accumulate: bool, bias: usize, work: usize,
): void {
  const parts = threadCount() == 1 ? 1 : <i32>min<i64>(SHARE * threadCount(), max<i64>(1, (<i64>m * n * k) / PART));
  if (parts == 1) return product(m, n, k, a, aRow, aColumn, b, bRow, bColumn, c, cRow, accumulate, bias, work);
  // The grid of parts that copies least: every part copies its columns of op(b), and reads its rows of op(a) once.
  let down = 1;
  let least: i64 = i64.MAX_VALUE;
  for (let i = 1; i <= parts; i++) {
    const across = parts / i;
    if (i > (m + 15) / 16 || across > (n + 15) / 16) continue;
    const copied = <i64>i * n + <i64>across * m;
    if (i * across * 4 > parts * 3 && copied < least) {
      least = copied;
      down = i;
    }
  }
  setArgument(0, m);
  setArgument(1, n);
  setArgument(2, k);
  setArgument(3, <i32>a);
  setArgument(4, aRow);
  setArgument(5, aColumn);
  setArgument(6, <i32>b);
  setArgument(7, bRow);
  setArgument(8, bColumn);
  setArgument(9, <i32>c);
  setArgument(10, cRow);
  setArgument(11, accumulate);
  setArgument(12, down);
  setArgument(13, <i32>bias);
  run(gemmPart, down * (parts / down), work, GEMM_WORK);
}

function gemmPart(part: i32, parts: i32, work: usize): void {
  const down = argument(12);
  const across = parts / down;
  const m = argument(0);
  const n = argument(1);
  const i0 = cut(m, part / across, down, PANEL);
  const i1 = cut(m, part / across + 1, down, PANEL);
  const j0 = cut(n, part % across, across, NR);
  const j1 = cut(n, part % across + 1, across, NR);
  const a = <usize>argument(3) + 4 * <usize>(i0 * argument(4));
  const b = <usize>argument(6) + 4 * <usize>(j0 * argument(8));
  const c = <usize>argument(9) + 4 * <usize>(i0 * argument(10) + j0);
  const accumulate = argument(11) != 0;
  const bias = argument(13) == 0 ? 0 : <usize>argument(13) + 4 * <usize>j0;
  product(
    i1 - i0, j1 - j0, argument(2), a, argument(4), argument(5), b, argument(7), argument(8), c, argument(10), accumulate, bias, work,
  );
}

/** The whole product, or a part of it, by one thread. */
export function product(
  m: i32, n: i32, k: i32,
  a: usize, aRow: i32, aColumn: i32,
  b: usize, bRow: i32, bColumn: i32,
  c: usize, cRow: i32, accumulate: bool, bias: usize, work: usize,
): void {
  const aPanels = work;
  const panels = aPanels + 4 * MC * KC;
  const edge = panels + 4 * NC * KC;
  const cStep: usize = 4 * <usize>cRow;
  if (k == 0 && !accumulate) {
    for (let i = 0; i < m; i++) {
      if (bias == 0) memory.fill(c + <usize>i * cStep, 0, 4 * n);
      else memory.copy(c + <usize>i * cStep, bias, 4 * n);
    }
    return;
  }
  const inPlace = m <= FEW_ROWS && bColumn == 1 && aColumn == 1;
  const packed = !inPlace && (aColumn != 1 || n > FEW_COLUMNS);
  const high = packed ? PANEL : MR;
  for (let j = 0; j < n; j += NC) {
    const columns = min(NC, n - j);
    for (let p = 0; p < k; p += KC) {
      const depth = min(KC, k - p);
      const bBlock = b + 4 * <usize>(p * bRow + j * bColumn);
      if (!inPlace) packColumns(bBlock, columns, depth, 4 * <usize>bColumn, 4 * <usize>bRow, panels);
      for (let i = 0; i < m; i += MC) {
        const rows = min(MC, m - i);
        const x = a + 4 * <usize>(i * aRow + p * aColumn);
        const xStep: usize = 4 * <usize>aRow;
        if (packed) packRows(x, rows, depth, xStep, 4 * <usize>aColumn, aPanels);
        for (let jj = 0; jj < columns; jj += NR) {
          const panel = inPlace ? bBlock + 4 * <usize>jj : panels + 4 * <usize>(jj * depth);
          const bStep: usize = inPlace ? 4 * <usize>bRow : 4 * NR;
          for (let ii = 0; ii < rows; ii += high) {
            const at = c + <usize>(i + ii) * cStep + 4 * <usize>(j + jj);
            const added = accumulate || p > 0;
            const start: usize = added ? at : bias == 0 ? 0 : bias + 4 * <usize>(j + jj);
            const startStep: usize = added ? cStep : 0;
            const left = rows - ii;
            const fits = left >= high && jj + NR <= columns;
            const to = fits ? at : edge;
            const toStep: usize = fits ? cStep : 4 * NR;
            const from: usize = fits ? start : 0;
            if (packed) tilePanels(depth, aPanels + 4 * <usize>(ii * depth), panel, to, toStep, from, startStep);
            else {
              const a0 = x + <usize>ii * xStep;
              const a1 = left > 1 ? a0 + xStep : a0;
              const a2 = left > 2 ? a1 + xStep : a1;
              const a3 = left > 3 ? a2 + xStep : a2;
              tile(1, 0, 1, 0, depth, a0, a1, a2, a3, panel, bStep, to, toStep, from, startStep);
            }
            if (!fits) copyEdge(edge, at, cStep, start, startStep, min(high, left), min(NR, columns - jj));
          }
        }
      }
    }
  }
}
