// Matrix product: c [m, n] (+)= op(a) [m, k] · op(b) [k, n] + bias, float32.
//
// Algorithm: blocks of op(a) and op(b) are copied (packed) into panels, which a register tile (tile.ts) reads from
// front to back:
//
//                      n                              panel of b: KC rows of NR = 8 numbers
//              +---------------+                      b00 … b07 b10 … b17 …
//            k |   |KC×NC of b |                      panel of a: PANEL = 5 rows of KC numbers,
//              +---------------+                      in one of the two orders of pack.ts
//          k
//     +--------+---------------+
//     | MC×KC  |   | c         |                      for NC columns:  for KC of k: pack b
//   m | of a   |   | [5×8]     |                        for MC rows: pack a; for each panel of b, for each panel of a:
//   one tile
//     +--------+---------------+
//
// - Sizes: a panel of b (9 kB) fits the L1 cache. The packed block of a (135 kB) fits the L2 cache, and the packed
//   block of b (576 kB) fits the L3 cache.
// - Products of few rows are not packed (few-rows.ts).
// - Vectors: eight columns of c.
// - Parts: a grid of blocks of c; the bits of c do not depend on the grid.
// - Accuracy: a tile sums at most 48 terms (FOLD) before it adds them to c, and c collects at most 12 such sums. If k
//   is larger than 576, c collects 576 terms at a time and adds them to totals in float64, which are rounded once.
// - Work memory of a thread: at most 2.7 MB (`productWork`).
//
// Sources: Goto and van de Geijn 2008, "Anatomy of High-Performance Matrix Multiplication"; Van Zee and van de Geijn
// 2015, "BLIS".
//
// Pointers are byte addresses; row and column strides (aRow, bColumn, …) count numbers.

import { computeFewRows } from "./few-rows";
import { blocksBytes, packBlocks, packColumns, packRows } from "./pack";
import { ARGUMENTS, cut, runWith, threadCount } from "./threads";
import { computeTilePanels, computeTileRows, copyEdge, EDGE, FOLD, loadEdge, NR, PANEL } from "./tile";

/** Terms of a block. */
const KC: i32 = 6 * FOLD;
/** Terms that c collects in float32. */
const MOST_TERMS: i32 = 2 * KC;
/** Rows of c whose totals are kept at a time. */
const TOTAL_ROWS: i32 = 480;
/** Rows of a block: a multiple of the rows of both tiles, 4 and 5. */
const MC: i32 = 120;
/** Columns of a block. */
const NC: i32 = 512;
/** With at most this number of rows, a panel of b is not read often enough to be worth its copy. */
const FEW_ROWS: i32 = 8;
/**
 * With at most this number of columns, packing a takes so long that blocks, which are faster to pack, are worth their
 * slower reading.
 */
const FEW_COLUMNS: i32 = 32;
/** A part has at least this number of multiplications: 64³. */
const PART: i32 = 1 << 18;
/** Parts for each thread. With several, other threads can take the remaining parts of a thread that is late. */
const SHARE: i32 = 4;

/** Bytes of a thread's panels, which begin at a multiple of 64, and of a tile at an edge. */
const GEMM_WORK: i32 = 64 + 4 * (MC * KC + NC * KC) + EDGE;

/**
 * Bytes of a thread's work memory for a product of this size or a part of it: panels and, if k is large, totals. At
 * most 2.7 MB.
 */
export function productWork(m: i32, n: i32, k: i32): i32 {
  return GEMM_WORK + (k > MOST_TERMS ? 8 * min(max(0, m), TOTAL_ROWS) * min(max(0, n), NC) : 0);
}

/** The arguments of the parts: those of `gemm`, and the number of parts into which the rows are cut (`down`). */
@unmanaged
class Arguments {
  m: i32;
  n: i32;
  k: i32;
  a: usize;
  aRow: i32;
  aColumn: i32;
  b: usize;
  bRow: i32;
  bColumn: i32;
  c: usize;
  cRow: i32;
  accumulate: bool;
  down: i32;
  bias: usize;
}
const args = changetype<Arguments>(ARGUMENTS);

/** The number of parts of a product. */
function gemmParts(m: i32, n: i32, k: i32): i32 {
  const products = <f64>m * <f64>n * <f64>k / <f64>PART;
  return threadCount() == 1 ? 1 : <i32>min<f64>(SHARE * threadCount(), max<f64>(1, products));
}

/**
 * c (+)= op(a) · op(b) + bias. Element (i, p) of op(a) is a[i·aRow + p·aColumn], element (p, j) of op(b) is b[p·bRow +
 * j·bColumn], and row i of c begins at c + 4·i·cRow. `bias`: a row that is added to every row of c, or 0 for none.
 * Assumes bias is 0 if `accumulate`.
 */
export function gemm(
  m: i32, n: i32, k: i32,
  a: usize, aRow: i32, aColumn: i32,
  b: usize, bRow: i32, bColumn: i32,
  c: usize, cRow: i32, accumulate: bool, bias: usize,
): void {
  const parts = gemmParts(m, n, k);
  // Choose the grid of parts with the least traffic: a part packs its columns of op(b) and reads its rows of op(a)
  // once.
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
  args.m = m;
  args.n = n;
  args.k = k;
  args.a = a;
  args.aRow = aRow;
  args.aColumn = aColumn;
  args.b = b;
  args.bRow = bRow;
  args.bColumn = bColumn;
  args.c = c;
  args.cRow = cRow;
  args.accumulate = accumulate;
  args.down = down;
  args.bias = bias;
  runWith(gemmPart, down * (parts / down), <f64>productWork(m, n, k));
}

function gemmPart(part: i32, parts: i32, work: usize): void {
  const down = args.down;
  const across = parts / down;
  const m = args.m;
  const n = args.n;
  const i0 = cut(m, part / across, down, PANEL);
  const i1 = cut(m, part / across + 1, down, PANEL);
  const j0 = cut(n, part % across, across, NR);
  const j1 = cut(n, part % across + 1, across, NR);
  const a = args.a + 4 * <usize>i0 * <usize>args.aRow;
  const b = args.b + 4 * <usize>j0 * <usize>args.bColumn;
  const c = args.c + 4 * (<usize>i0 * <usize>args.cRow + <usize>j0);
  const accumulate = args.accumulate;
  const bias = args.bias == 0 ? 0 : args.bias + 4 * <usize>j0;
  computeProduct(
    i1 - i0, j1 - j0, args.k, a, args.aRow, args.aColumn, b, args.bRow, args.bColumn, c, args.cRow, accumulate, bias, work,
  );
}

/** Computes a whole product, or a part of it, in the calling thread. `work`: `productWork` bytes. */
export function computeProduct(
  m: i32, n: i32, k: i32,
  a: usize, aRow: i32, aColumn: i32,
  b: usize, bRow: i32, bColumn: i32,
  c: usize, cRow: i32, accumulate: bool, bias: usize, work: usize,
): void {
  const cStep: usize = 4 * <usize>cRow;
  if (k == 0 && !accumulate) {
    for (let i = 0; i < m; i++) {
      if (bias == 0) memory.fill(c + <usize>i * cStep, 0, 4 * n);
      else memory.copy(c + <usize>i * cStep, bias, 4 * n);
    }
    return;
  }
  const deep = k > MOST_TERMS;
  const high = deep ? TOTAL_ROWS : max(1, m);
  for (let i = 0; i < m; i += high) {
    const rows = min(high, m - i);
    const a0 = a + 4 * <usize>i * <usize>aRow, c0 = c + <usize>i * cStep;
    for (let j = 0; j < n; j += NC) {
      const columns = min(NC, n - j);
      const b0 = b + 4 * <usize>j * <usize>bColumn, cAt = c0 + 4 * <usize>j, biasAt = bias == 0 ? 0 : bias + 4 * <usize>j;
      if (!deep) computeSegment(m, rows, n, columns, k, a0, aRow, aColumn, b0, bRow, bColumn, cAt, cStep, accumulate, biasAt, work);
      else computeDeepBlock(m, rows, n, columns, k, a0, aRow, aColumn, b0, bRow, bColumn, cAt, cStep, accumulate, biasAt, work);
    }
  }
}

/**
 * Computes a block of c whose k is large: c holds the sum of one segment of k at a time, totals (f64 [rows, columns])
 * the whole sum.
 */
function computeDeepBlock(
  m: i32, rows: i32, n: i32, columns: i32, k: i32,
  a: usize, aRow: i32, aColumn: i32, b: usize, bRow: i32, bColumn: i32,
  c: usize, cStep: usize, accumulate: bool, bias: usize, work: usize,
): void {
  const totals = work + GEMM_WORK;
  const start = accumulate ? c : bias, startStep: usize = accumulate ? cStep : 0;
  for (let i = 0; i < rows; i++) {
    const to = totals + 8 * <usize>i * <usize>columns, from = start + <usize>i * startStep;
    for (let j: usize = 0; j < <usize>columns; j++) store<f64>(to + 8 * j, start == 0 ? 0 : <f64>load<f32>(from + 4 * j));
  }
  for (let p = 0; p < k; p += MOST_TERMS) {
    const depth = min(MOST_TERMS, k - p);
    computeSegment(
      m, rows, n, columns, depth, a + 4 * <usize>p * <usize>aColumn, aRow, aColumn, b + 4 * <usize>p * <usize>bRow, bRow, bColumn,
      c, cStep, false, 0, work,
    );
    const last = p + MOST_TERMS >= k;
    for (let i = 0; i < rows; i++) addTotals(c + <usize>i * cStep, totals + 8 * <usize>i * <usize>columns, columns, last);
  }
}

/** totals [n] (f64) += c [n]; if `last`, c = totals, rounded. */
function addTotals(c: usize, totals: usize, n: i32, last: bool): void {
  for (const end = c + 4 * <usize>n; c < end; c += 8, totals += 16) {
    if (end - c < 8) {
      store<f64>(totals, load<f64>(totals) + <f64>load<f32>(c));
      if (last) store<f32>(c, <f32>load<f64>(totals));
      return;
    }
    const sum = f64x2.add(v128.load(totals), f64x2.promote_low_f32x4(v128.load64_zero(c)));
    v128.store(totals, sum);
    if (last) v128.store64_lane(c, f32x4.demote_f64x2_zero(sum), 0);
  }
}

/**
 * Computes `height` rows and at most NC columns of c over k terms. m and n are the rows and columns of the whole
 * product. They decide how a and b are read, so that the bits do not depend on how the product is cut:
 *
 * - few rows (m ≤ FEW_ROWS), a and b row by row: both in place (few-rows.ts);
 * - few columns (n ≤ FEW_COLUMNS), a row by row: a packed in blocks, which is the fastest to pack, b in panels;
 * - otherwise: both in panels, which are the fastest to read.
 */
function computeSegment(
  m: i32, height: i32, n: i32, columns: i32, k: i32,
  a: usize, aRow: i32, aColumn: i32, b: usize, bRow: i32, bColumn: i32,
  c: usize, cStep: usize, accumulate: bool, bias: usize, work: usize,
): void {
  const aPanels = work + 63 & ~63, panels = aPanels + 4 * MC * KC, edge = panels + 4 * NC * KC;
  const aStep: usize = 4 * <usize>aRow, bStep: usize = 4 * <usize>bRow;
  if (m <= FEW_ROWS && bColumn == 1 && aColumn == 1)
    return computeFewRows(height, columns, k, a, aStep, b, bStep, c, cStep, accumulate, bias, edge);
  const inBlocks = n <= FEW_COLUMNS && aColumn == 1;
  for (let p = 0; p < k; p += KC) {
    const depth = min(KC, k - p), added = accumulate || p > 0;
    const aPanel: usize = inBlocks ? blocksBytes(depth) : 4 * PANEL * <usize>depth;
    packColumns(b + <usize>p * bStep, columns, depth, 4 * <usize>bColumn, bStep, panels);
    for (let i = 0; i < height; i += MC) {
      const rows = min(MC, height - i);
      const x = a + 4 * (<usize>i * <usize>aRow + <usize>p * <usize>aColumn);
      if (inBlocks) packBlocks(x, rows, depth, aStep, aPanels);
      else packRows(x, rows, depth, aStep, 4 * <usize>aColumn, aPanels);
      for (let jj = 0; jj < columns; jj += NR) {
        const panel = panels + 4 * <usize>(jj * depth), across = min(NR, columns - jj);
        for (let ii = 0; ii < rows; ii += PANEL) {
          const at = c + <usize>(i + ii) * cStep + 4 * <usize>jj;
          const start: usize = added ? at : bias == 0 ? 0 : bias + 4 * <usize>jj;
          const startStep: usize = added ? cStep : 0;
          const down = min(PANEL, rows - ii);
          const fits = down == PANEL && across == NR;
          const to = fits ? at : edge;
          const toStep: usize = fits ? cStep : 4 * NR;
          // A tile at an edge starts from a copy of c, as a whole tile starts from c: the bits do not depend on how the
          // product is cut.
          if (!fits && start != 0) loadEdge(start, startStep, edge, down, across);
          const from: usize = fits || start == 0 ? start : edge, fromStep: usize = fits ? startStep : 4 * NR;
          sumPieces(inBlocks, depth, aPanels + <usize>(ii / PANEL) * aPanel, panel, to, toStep, from, fromStep);
          if (!fits) copyEdge(edge, at, cStep, 0, 0, down, across);
        }
      }
    }
  }
}

/**
 * c [5, 8] = from + a · b, in pieces of FOLD terms. a: a panel of rows, in blocks if `inBlocks`; b: a panel of columns.
 */
// @ts-ignore: decorator
@inline
function sumPieces(inBlocks: bool, depth: i32, a: usize, b: usize, c: usize, cStep: usize, from: usize, fromStep: usize): void {
  for (; depth > 0; depth -= FOLD, a += 4 * PANEL * FOLD, b += 4 * NR * FOLD) {
    if (inBlocks) computeTileRows(min(FOLD, depth), a, b, c, cStep, from, fromStep);
    else computeTilePanels(min(FOLD, depth), a, 4 * PANEL, b, c, cStep, from, fromStep);
    from = c;
    fromStep = cStep;
  }
}
