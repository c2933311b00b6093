import { fillRows, type Gemm } from "./gemm.ts";
import type { Numbers } from "./memory.ts";

/**
 * The loops of Goto and BLIS around one 4×4 register tile: a block of `op(b)` and a block of `op(a)` are copied into panels that the
 * tile reads from front to back. Panels hold doubles: the tile multiplies doubles anyway, so each number is converted once, not k times.
 */
const MR = 4;
const NR = 4;
const KC = 256;
const MC = 128;
const NC = 512;
const aPanels = new Float64Array(MC * KC);
const bPanels = new Float64Array(NC * KC);

/**
 * Writes rows `row … row+rows-1`, columns `column … column+columns-1` of a matrix as panels of 4 rows: panel by panel, column by column,
 * 4 numbers each; rows beyond the last are zeros. Called once per block, so it may do anything (transpose, read image patches, …).
 */
export type Pack = (row: number, rows: number, column: number, columns: number, panels: Float64Array) => void;

/** Packs a matrix whose element (i, j) is `x[offset + i·rowStep + j·columnStep]`. */
export function packMatrix(x: Numbers, offset: number, rowStep: number, columnStep: number): Pack {
  return (row, rows, column, columns, panels) => {
    let to = 0;
    for (let i = 0; i < rows; i += 4) {
      const at = offset + (row + i) * rowStep + column * columnStep;
      if (i + 4 <= rows) {
        let [p0, p1, p2, p3] = [at, at + rowStep, at + 2 * rowStep, at + 3 * rowStep];
        for (let j = 0; j < columns; j++) {
          panels[to] = x[p0]!;
          panels[to + 1] = x[p1]!;
          panels[to + 2] = x[p2]!;
          panels[to + 3] = x[p3]!;
          p0 += columnStep;
          p1 += columnStep;
          p2 += columnStep;
          p3 += columnStep;
          to += 4;
        }
      } else {
        const left = rows - i;
        for (let j = 0; j < columns; j++) {
          for (let r = 0; r < 4; r++) panels[to++] = r < left ? x[at + j * columnStep + r * rowStep]! : 0;
        }
      }
    }
  };
}

/** `gemm` as the reference computes it, but a block at a time. Sums over k beyond 256 are rounded to float32 once per 256. */
export function gemm({ m, n, k, a, b, c, transA = false, transB = false, accumulate = false, bias = null }: Gemm): void {
  if (bias !== null) fillRows(bias, c);
  const packA = packMatrix(a, 0, transA ? 1 : k, transA ? m : 1);
  const packB = packMatrix(b, 0, transB ? k : 1, transB ? 1 : n);
  gemmPacked({ m, n, k, packA, packB, c, at: 0, row: n, accumulate: accumulate || bias !== null });
}

/**
 * A product of an A and a B that are known only by how their panels are packed (`packB` packs the columns of B as rows).
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

export function gemmPacked({ m, n, k, packA, packB, c, at, row, accumulate }: PackedGemm): void {
  if (k === 0 && !accumulate) for (let i = 0; i < m; i++) c.fill(0, at + i * row, at + i * row + n);
  for (let j = 0; j < n; j += NC) {
    const columns = Math.min(NC, n - j);
    for (let p = 0; p < k; p += KC) {
      const depth = Math.min(KC, k - p);
      packB(j, columns, p, depth, bPanels);
      for (let i = 0; i < m; i += MC) {
        const rows = Math.min(MC, m - i);
        packA(i, rows, p, depth, aPanels);
        block(rows, columns, depth, c, at + i * row + j, row, accumulate || p > 0);
      }
    }
  }
}

function block(rows: number, columns: number, depth: number, c: Numbers, at: number, row: number, accumulate: boolean): void {
  for (let j = 0; j < columns; j += NR) {
    const nr = Math.min(NR, columns - j);
    for (let i = 0; i < rows; i += MR) {
      const mr = Math.min(MR, rows - i);
      tile(depth, i * depth, j * depth, c, at + i * row + j, row, mr, nr, accumulate);
    }
  }
}

const edge = new Float64Array(MR * NR);

/**
 * c[mr×nr] (+)= a-panel · b-panel.
 *
 * Assumes (the packers guarantee): a-panel is `depth` columns of 4 numbers, b-panel `depth` rows of 4, both zero-padded.
 * Does not assume anything about c beyond its row length; mr, nr ≤ 4 at the edges. Never reads c when !accumulate.
 */
function tile(
  depth: number,
  a: number,
  b: number,
  c: Numbers,
  at: number,
  row: number,
  mr: number,
  nr: number,
  accumulate: boolean,
): void {
  let c00 = 0;
  let c01 = 0;
  let c02 = 0;
  let c03 = 0;
  let c10 = 0;
  let c11 = 0;
  let c12 = 0;
  let c13 = 0;
  let c20 = 0;
  let c21 = 0;
  let c22 = 0;
  let c23 = 0;
  let c30 = 0;
  let c31 = 0;
  let c32 = 0;
  let c33 = 0;
  for (let p = 0; p < depth; p++) {
    const b0 = bPanels[b]!;
    const b1 = bPanels[b + 1]!;
    const b2 = bPanels[b + 2]!;
    const b3 = bPanels[b + 3]!;
    let x = aPanels[a]!;
    c00 += x * b0;
    c01 += x * b1;
    c02 += x * b2;
    c03 += x * b3;
    x = aPanels[a + 1]!;
    c10 += x * b0;
    c11 += x * b1;
    c12 += x * b2;
    c13 += x * b3;
    x = aPanels[a + 2]!;
    c20 += x * b0;
    c21 += x * b1;
    c22 += x * b2;
    c23 += x * b3;
    x = aPanels[a + 3]!;
    c30 += x * b0;
    c31 += x * b1;
    c32 += x * b2;
    c33 += x * b3;
    a += 4;
    b += 4;
  }
  if (mr === MR && nr === NR) {
    if (accumulate) {
      c[at] = c[at]! + c00;
      c[at + 1] = c[at + 1]! + c01;
      c[at + 2] = c[at + 2]! + c02;
      c[at + 3] = c[at + 3]! + c03;
      at += row;
      c[at] = c[at]! + c10;
      c[at + 1] = c[at + 1]! + c11;
      c[at + 2] = c[at + 2]! + c12;
      c[at + 3] = c[at + 3]! + c13;
      at += row;
      c[at] = c[at]! + c20;
      c[at + 1] = c[at + 1]! + c21;
      c[at + 2] = c[at + 2]! + c22;
      c[at + 3] = c[at + 3]! + c23;
      at += row;
      c[at] = c[at]! + c30;
      c[at + 1] = c[at + 1]! + c31;
      c[at + 2] = c[at + 2]! + c32;
      c[at + 3] = c[at + 3]! + c33;
    } else {
      c[at] = c00;
      c[at + 1] = c01;
      c[at + 2] = c02;
      c[at + 3] = c03;
      at += row;
      c[at] = c10;
      c[at + 1] = c11;
      c[at + 2] = c12;
      c[at + 3] = c13;
      at += row;
      c[at] = c20;
      c[at + 1] = c21;
      c[at + 2] = c22;
      c[at + 3] = c23;
      at += row;
      c[at] = c30;
      c[at + 1] = c31;
      c[at + 2] = c32;
      c[at + 3] = c33;
    }
    return;
  }
  // One by one: in an array literal the sums would be boxed, in the hot loop above too.
  edge[0] = c00;
  edge[1] = c01;
  edge[2] = c02;
  edge[3] = c03;
  edge[4] = c10;
  edge[5] = c11;
  edge[6] = c12;
  edge[7] = c13;
  edge[8] = c20;
  edge[9] = c21;
  edge[10] = c22;
  edge[11] = c23;
  edge[12] = c30;
  edge[13] = c31;
  edge[14] = c32;
  edge[15] = c33;
  for (let i = 0; i < mr; i++) {
    for (let j = 0; j < nr; j++) {
      const to = at + i * row + j;
      c[to] = (accumulate ? c[to]! : 0) + edge[i * NR + j]!;
    }
  }
}
