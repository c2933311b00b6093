// Tiles of a convolution with more than FOLD (48) terms.
//
// Rounding errors of a float32 sum grow with the number of its terms. A long tile is therefore computed in pieces of at
// most 48 terms:
//
//     terms          | 48 | 48 | 48 | 48 | 48 | 48 | 48 | 48 | 48 | …
//     c (f32)        += each piece                                += each piece
//     totals (f64)                                 += c, c = 0 after 8 pieces
//
// With up to 12 pieces, each piece is added to c in float32. With more, c collects 8 pieces and is then added to totals
// in double precision, which are rounded once. Vectors, parts and layout are those of conv.ts. Work memory: one tile
// and its totals, `TILES` bytes.

import * as plan from "./conv-plan";
import { collect } from "./doubles";
import { kernelHeight } from "./sizes";
import { computeTile, computeTileOffsets, EDGE, FOLD, MR, NR } from "./tile";

/** With at most this number of pieces, a tile adds them in float32. */
const MOST_FOLDS: i32 = 12;
/** Otherwise this number of pieces is added in float32 before they are added to the totals. */
const FOLDS_PER_TOTAL: i32 = 8;

/**
 * Computes a tile of more than FOLD terms: the arguments are those of `computeTile` or, if `short`, of
 * `computeTileOffsets`. Returns true if the tile was written to `to` (on top of `start`), false if it is at `at` (on
 * top of `from`).
 *
 * The module exports this function, because the compiler inlines functions with one call that are not exported. Inside
 * the loop over windows it makes V8 keep the sums of short tiles in memory instead of registers.
 */
export function computeLongTile(
  short: bool, offsets: usize, line: usize, runs: i32, step: usize, length: i32, a0: usize, a1: usize, a2: usize, a3: usize, panel: usize,
  edge: usize, at: usize, atStep: usize, from: usize, startStep: usize, to: usize, toStep: usize, start: usize, rows: i32, columns: i32,
): bool {
  beginSum(edge, at, atStep, from, startStep);
  if (short) sumOffsets(offsets, a0, a1, a2, a3, panel);
  else sumRuns(line, runs, step, length, a0, a1, a2, a3, panel);
  return endSum(to, toStep, start, startStep, rows, columns);
}

// The current tile. `beginSum` fills these, `endPiece` updates them.

/** The address of the tile and the bytes between its rows; what the next piece is added to. */
let sumTo: usize, sumStep: usize, sumFrom: usize, sumFromStep: usize;
/** The address of the totals, or 0 if there are none; pieces since the last addition to them. */
let sumTotals: usize, folds: i32;

/**
 * Begins a tile at c, on top of `start` unless that is 0. If it has more than MOST_FOLDS · FOLD terms, it is summed at
 * `edge` and in the totals behind it.
 */
function beginSum(edge: usize, c: usize, cStep: usize, start: usize, startStep: usize): void {
  folds = 0;
  sumTotals = plan.depth > MOST_FOLDS * FOLD ? edge + EDGE : 0;
  sumTo = sumTotals ? edge : c;
  sumStep = sumTotals ? 4 * NR : cStep;
  sumFrom = sumTotals ? 0 : start;
  sumFromStep = startStep;
  if (sumTotals) memory.fill(sumTotals, 0, 8 * MR * NR);
}

/** Ends a piece: the next piece is added to it. */
// @ts-ignore: decorator
@inline
function endPiece(): void {
  sumFrom = sumTo;
  sumFromStep = sumStep;
  if (sumTotals && ++folds == FOLDS_PER_TOTAL) {
    collect(sumTo, MR * NR, sumTotals);
    folds = 0;
  }
}

/** Computes the pieces of a tile whose numbers are read through a table of offsets. */
function sumOffsets(offsets: usize, a0: usize, a1: usize, a2: usize, a3: usize, panel: usize): void {
  for (let d = 0; d < plan.depth; d += FOLD, offsets += 4 * FOLD, panel += 4 * NR * FOLD) {
    computeTileOffsets(min(FOLD, plan.depth - d), offsets, a0, a1, a2, a3, panel, sumTo, sumStep, sumFrom, sumFromStep);
    endPiece();
  }
}

/**
 * Computes the pieces of a tile whose numbers are kernelHeight lines of `runs` runs of `length`. A piece is some lines,
 * some runs of a line or a part of a run, whichever has at most FOLD terms.
 */
function sumRuns(line: usize, runs: i32, step: usize, length: i32, a0: usize, a1: usize, a2: usize, a3: usize, panel: usize): void {
  const inLine = runs * length;
  const manyLines = max(1, FOLD / inLine), manyRuns = max(1, FOLD / length);
  const part = min(length, FOLD);
  for (let ky = 0; ky < kernelHeight; ky += manyLines) {
    const lines = min(manyLines, kernelHeight - ky);
    const down = <usize>ky * line;
    for (let r = 0; r < runs; ) {
      const count = inLine <= FOLD ? runs : min(manyRuns, runs - r);
      for (let i = 0; i < length; i += part) {
        const n = min(part, length - i), at = down + <usize>r * step + 4 * <usize>i;
        computeTile(lines, line, count, step, n, a0 + at, a1 + at, a2 + at, a3 + at, panel, 4 * NR, sumTo, sumStep, sumFrom, sumFromStep);
        endPiece();
        panel += 4 * NR * <usize>(lines * count * n);
      }
      r += count;
    }
  }
}

/**
 * Rounds the totals to `rows` × `columns` numbers at c, on top of `start` unless that is 0. Returns false if there are
 * no totals.
 */
function endSum(c: usize, cStep: usize, start: usize, startStep: usize, rows: i32, columns: i32): bool {
  if (sumTotals == 0) return false;
  collect(sumTo, MR * NR, sumTotals);
  for (let i = 0; i < rows; i++, c += cStep, start += startStep) {
    for (let j: usize = 0; j < <usize>columns; j++) {
      const sum = load<f64>(sumTotals + 8 * (NR * <usize>i + j));
      store<f32>(c + 4 * j, <f32>(startStep == 0 && start == 0 ? sum : sum + <f64>load<f32>(start + 4 * j)));
    }
  }
  return true;
}
