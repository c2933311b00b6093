import { fillRows, type Gemm, type Numbers } from "../../kernels/index.ts";

/**
 * The loops of Goto and BLIS around one 2×2 register tile. A block of `op(b)` and a block of `op(a)` are copied into
 * panels, which the tile reads from front to back. Panels hold doubles: the tile multiplies doubles anyway, so each
 * number is converted once, not k times.
 */
// Not exported: V8 takes an exported constant for a variable.
const PANEL = 2;
const KC = 256;
const MC = 128;
const NC = 512;
/**
 * A sum over more than so many blocks of k collects the blocks in double precision, for at most so many rows of c at a
 * time.
 */
const FEW_BLOCKS = 8;
const TOTAL_ROWS = 4 * MC;
const aPanels = new Float64Array(MC * KC);
const bPanels = new Float64Array(NC * KC);
/** Totals of TOTAL_ROWS × NC numbers (2 MiB), once a product needs them. */
let totals: Float64Array | null = null;

/**
 * Writes rows `row … row+rows-1`, columns `column … column+columns-1` of a matrix as panels of 2 rows: panel by panel,
 * column by column, 2 numbers each; rows beyond the last are zeros. Called once per block, so it may do anything
 * (transpose, read image patches, …).
 */
export type Pack = (row: number, rows: number, column: number, columns: number, panels: Float64Array) => void;

/** Packs a matrix whose element (i, j) is `x[offset + i·rowStep + j·columnStep]`. */
export function packMatrix(x: Numbers, offset: number, rowStep: number, columnStep: number): Pack {
  return (row, rows, column, columns, panels) => {
    let to = 0;
    for (let i = 0; i < rows; i += PANEL) {
      const at = offset + (row + i) * rowStep + column * columnStep;
      const below = i + 1 < rows;
      for (let j = 0, p = at; j < columns; j++, p += columnStep) {
        panels[to++] = x[p]!;
        panels[to++] = below ? x[p + rowStep]! : 0;
      }
    }
  };
}

/**
 * `gemm` as the reference computes it, but a block at a time. Sums over k are rounded to float32 once per 256 terms if
 * k is at most 2,048, otherwise once.
 */
export function gemm({ m, n, k, a, b, c, transA = false, transB = false, accumulate = false, bias = null }: Gemm): void {
  if (bias !== null) fillRows(bias, c);
  const packA = packMatrix(a, 0, transA ? 1 : k, transA ? m : 1);
  const packB = packMatrix(b, 0, transB ? k : 1, transB ? 1 : n);
  gemmPacked({ m, n, k, packA, packB, c, at: 0, row: n, accumulate: accumulate || bias !== null });
}

/**
 * A product of an A and a B that are known only by how their panels are packed (`packB` packs the columns of B as
 * rows).
 * Element (i, j) of the product goes to `c[at + i·row + j]`.
 */
export type PackedGemm = {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly packA: Pack;
  readonly packB: Pack;
  readonly c: Numbers;
  readonly at: number;
  readonly row: number;
  readonly accumulate: boolean;
};

export function gemmPacked(g: PackedGemm): void {
  const { m, n, k, c, at, row, accumulate } = g;
  if (k === 0 && !accumulate) for (let i = 0; i < m; i++) c.fill(0, at + i * row, at + i * row + n);
  const isDeep = k > FEW_BLOCKS * KC;
  const high = isDeep ? TOTAL_ROWS : Math.max(1, m);
  for (let i = 0; i < m; i += high) {
    for (let j = 0; j < n; j += NC) {
      const [rows, columns] = [Math.min(high, m - i), Math.min(NC, n - j)];
      if (isDeep) deepBlock(g, i, rows, j, columns);
      else flatBlock(g, i, rows, j, columns, 0, k, c, at + i * row + j, row, accumulate);
    }
  }
}

/**
 * Rows i … i+rows-1 and columns j … j+columns-1 of the product over p … end-1, to `c[at]` on, or added to what is
 * there.
 */
function flatBlock(
  { packA, packB }: PackedGemm,
  i: number,
  rows: number,
  j: number,
  columns: number,
  begin: number,
  end: number,
  c: Numbers | Float64Array,
  at: number,
  row: number,
  accumulate: boolean,
): void {
  for (let p = begin; p < end; p += KC) {
    const depth = Math.min(KC, end - p);
    packB(j, columns, p, depth, bPanels);
    for (let h = 0; h < rows; h += MC) {
      const high = Math.min(MC, rows - h);
      packA(i + h, high, p, depth, aPanels);
      block(high, columns, depth, c, at + h * row, row, accumulate || p > begin);
    }
  }
}

/** The same over all of k, with totals in double precision that are rounded once. */
function deepBlock(g: PackedGemm, i: number, rows: number, j: number, columns: number): void {
  const { k, c, at, row, accumulate } = g;
  totals ??= new Float64Array(TOTAL_ROWS * NC);
  const from = at + i * row + j;
  if (accumulate) {
    for (let h = 0; h < rows; h++) for (let l = 0; l < columns; l++) totals[h * NC + l] = c[from + h * row + l]!;
  }
  flatBlock(g, i, rows, j, columns, 0, k, totals, 0, NC, accumulate);
  for (let h = 0; h < rows; h++) for (let l = 0; l < columns; l++) c[from + h * row + l] = totals[h * NC + l]!;
}

function block(
  rows: number,
  columns: number,
  depth: number,
  c: Numbers | Float64Array,
  at: number,
  row: number,
  accumulate: boolean,
): void {
  for (let j = 0; j < columns; j += PANEL) {
    for (let i = 0; i < rows; i += PANEL) {
      tile(depth, i * depth, j * depth, c, at + i * row + j, row, i + 1 < rows, j + 1 < columns, accumulate);
    }
  }
}

/**
 * c[2×2] (+)= a-panel · b-panel. `below`: c has a second row. `beside`: c has a second column. Never reads c when
 * !accumulate.
 *
 * Assumes (the packers guarantee): panels are `depth` pairs of numbers.
 *
 * The tile has four sums because V8 puts the loads of the loop first: with eight sums V8 runs out of registers, and the
 * loop is half as fast. Sums of indices are cut to 32 bits, because V8 otherwise tests every index for overflow.
 */
function tile(
  depth: number,
  a: number,
  b: number,
  c: Numbers | Float64Array,
  at: number,
  row: number,
  below: boolean,
  beside: boolean,
  accumulate: boolean,
): void {
  let c00 = 0;
  let c01 = 0;
  let c10 = 0;
  let c11 = 0;
  const end = (a + PANEL * depth) | 0;
  for (; a < end; a = (a + PANEL) | 0, b = (b + PANEL) | 0) {
    const b0 = bPanels[b]!;
    const b1 = bPanels[(b + 1) | 0]!;
    const a0 = aPanels[a]!;
    const a1 = aPanels[(a + 1) | 0]!;
    c00 += a0 * b0;
    c01 += a0 * b1;
    c10 += a1 * b0;
    c11 += a1 * b1;
  }
  c[at] = accumulate ? c[at]! + c00 : c00;
  if (beside) c[at + 1] = accumulate ? c[at + 1]! + c01 : c01;
  if (!below) return;
  at += row;
  c[at] = accumulate ? c[at]! + c10 : c10;
  if (beside) c[at + 1] = accumulate ? c[at + 1]! + c11 : c11;
}
