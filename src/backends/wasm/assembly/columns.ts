// Kernels over the columns of x [rows, columns]: sums, mean and variance.
//
// Rows are read as they lie in memory, some rows at a time, and added to one total for each column:
//
//     x        c0 c1 c2 c3 | c4 …        4 columns × some rows: the sums of a block stay in registers
//              …           |
//     totals   t0 t1 t2 t3 | t4 …        float64
//
// - Vectors: two float64 numbers; four columns at a time.
// - Parts: ranges of rows, each with its own totals, at most 16 parts; the totals are added in the order of the parts.
// - Work memory: columns are taken in blocks of at most 4,096, so it is at most 1.2 MB for any number of columns.
//   Layout, in rows of `stride` bytes: a row of origins, then two rows of totals for each part.
// - Mean and variance take one pass. It adds the distances from the column's first number, and their squares. The first
//   number is at most √rows standard deviations from the mean, so the difference of the two sums loses at most
//   log₂(rows) of 53 bits. Equal numbers have the exact variance 0.

import { read } from "./pairs";
import { ARGUMENTS, cut, partsFor, reserveShared, run, runWith } from "./threads";

/** A part of a sum has at least this number of elements, because it costs a row of totals. */
const SUM_PART: i32 = 1 << 15;
const MOST_SUM_PARTS: i32 = 16;
/** A part that writes has at least this number of elements. */
const PART: i32 = 1 << 14;
const MOST_PARTS: i32 = 64;
/** Elements that are read for all columns before the next rows: about half of the L1 cache. */
const BLOCK: i32 = 1 << 12;
/** Columns in a block. */
const MOST_COLUMNS: i32 = 1 << 12;

// What a sum adds: x; the distances of x from an origin, and their squares in a second row of totals.
class Sum {}
class Distances {}
// The number of pairs of columns that one pass sums.
class One {}
class Two {}

/**
 * totals [columns] (f64) += Σ over rows; x: rows of `columns` numbers that lie `row` bytes apart; origins [columns]
 * (f64).
 */
function addColumns<T>(rows: i32, columns: i32, row: usize, x: usize, origins: usize, totals: usize): void {
  const most = max(1, BLOCK / columns);
  for (let r = 0; r < rows; r += most) {
    const count = min(most, rows - r);
    const at = <usize>r * row;
    let j = 0;
    for (; j + 4 <= columns; j += 4) addPairs<T, Two>(count, columns, row, x + at, origins, totals, j);
    for (; j < columns; j += 2) addPairs<T, One>(count, columns, row, x + at, origins, totals, j);
  }
}

/** The same for one or two pairs of columns from j on. The sums stay in registers while the loop runs down the rows. */
// @ts-ignore: decorator
@inline
function addPairs<T, Pairs>(rows: i32, columns: i32, row: usize, x: usize, origins: usize, totals: usize, j: i32): void {
  let p = x + 4 * <usize>j;
  const to = totals + 8 * <usize>j;
  const two = idof<Pairs>() == idof<Two>(), distances = idof<T>() == idof<Distances>();
  let s0 = f64x2.splat(0), s1 = f64x2.splat(0), t0 = f64x2.splat(0), t1 = f64x2.splat(0);
  let m0 = f64x2.splat(0), m1 = f64x2.splat(0);
  if (distances) {
    m0 = v128.load(origins + 8 * <usize>j);
    if (two) m1 = v128.load(origins + 8 * <usize>j, 16);
  }
  for (let i = 0; i < rows; i++, p += row) {
    let x0 = read(p), x1 = two ? read(p + 8) : x0;
    if (distances) {
      x0 = f64x2.sub(x0, m0);
      t0 = f64x2.add(t0, f64x2.mul(x0, x0));
    }
    s0 = f64x2.add(s0, x0);
    if (two) {
      if (distances) {
        x1 = f64x2.sub(x1, m1);
        t1 = f64x2.add(t1, f64x2.mul(x1, x1));
      }
      s1 = f64x2.add(s1, x1);
    }
  }
  // If the number of columns is odd, the last pair writes one number past the totals: rows of totals lie two numbers
  // apart.
  v128.store(to, f64x2.add(v128.load(to), s0));
  if (two) v128.store(to, f64x2.add(v128.load(to, 16), s1), 16);
  if (distances) {
    const behind = to + 8 * <usize>(columns + 2);
    v128.store(behind, f64x2.add(v128.load(behind), t0));
    if (two) v128.store(behind, f64x2.add(v128.load(behind, 16), t1), 16);
  }
}

/** The number of elements, at most 2³¹ − 1. */
export function numbersOf(rows: i32, columns: i32): i32 {
  return <i32>min<i64>(i32.MAX_VALUE, <i64>rows * columns);
}

/** The number of parts of a sum. */
export function sumParts(rows: i32, columns: i32): i32 {
  return min(max(1, rows), partsFor(numbersOf(rows, columns), SUM_PART, MOST_SUM_PARTS));
}

/** Bytes from one row of origins or totals (f64) to the next. */
// @ts-ignore: decorator
@inline
function stride(columns: i32): usize {
  return 8 * <usize>(columns + 2);
}

/** Asks for the work memory of a block of columns, at most 1.2 MB. */
function reserveBlock(rows: i32, columns: i32): usize {
  const most = min(columns, MOST_COLUMNS);
  return reserveShared(<f64>(stride(most) * (1 + 2 * sumParts(rows, most))));
}

/**
 * The arguments of the parts: `columns` columns of rows that lie `row` bytes apart. For `sumMiddle`, rows is outer and
 * row is n.
 */
@unmanaged
class Arguments {
  rows: i32;
  columns: i32;
  row: usize;
  x: usize;
  work: usize;
  y: usize;
  accumulate: bool;
  scale: f64;
}
const args = changetype<Arguments>(ARGUMENTS);

/**
 * Sums T over all rows of `columns` columns that begin at x. `work` begins with their origins. Returns the address of
 * the totals, those of the first part.
 */
function sumBlock<T>(rows: i32, columns: i32, row: usize, x: usize, work: usize): usize {
  args.rows = rows;
  args.columns = columns;
  args.row = row;
  args.x = x;
  args.work = work;
  const totals = work + stride(columns), parts = sumParts(rows, columns);
  memory.fill(totals, 0, 2 * stride(columns) * parts);
  run((part: i32, parts: i32, _work: usize): void => sumsPart<T>(part, parts), parts, 0, 0);
  addParts(totals, 2 * (columns + 2), parts);
  return totals;
}

/** The totals of some rows. */
function sumsPart<T>(part: i32, parts: i32): void {
  const columns = args.columns, first = cut(args.rows, part, parts, 1), end = cut(args.rows, part + 1, parts, 1);
  const row = args.row, totals = args.work + (1 + 2 * part) * stride(columns);
  addColumns<T>(end - first, columns, row, args.x + <usize>first * row, args.work, totals);
}

/**
 * Adds the `numbers` totals (f64) of each part to those of the first part, in the order of the parts. `numbers` is
 * even.
 */
export function addParts(totals: usize, numbers: i32, parts: i32): void {
  for (let part = 1; part < parts; part++) {
    for (let j = 0; j < numbers; j += 2) {
      const to = totals + 8 * <usize>j;
      v128.store(to, f64x2.add(v128.load(to), v128.load(to + 8 * <usize>(part * numbers))));
    }
  }
}

/** to (+)= total, rounded once. */
// @ts-ignore: decorator
@inline
function storeTotal(to: usize, total: f64, accumulate: bool): void {
  store<f32>(to, <f32>(accumulate ? <f64>load<f32>(to) + total : total));
}

/** y [inner] (+)= scale·Σₙ x [n, inner]. */
export function sumColumns(n: i32, inner: i32, x: usize, y: usize, scale: f64, accumulate: bool): void {
  const work = reserveBlock(n, inner);
  for (let first = 0; first < inner; first += MOST_COLUMNS) {
    const count = min(MOST_COLUMNS, inner - first), at: usize = 4 * <usize>first;
    const totals = sumBlock<Sum>(n, count, 4 * <usize>inner, x + at, work);
    for (let j: usize = 0; j < <usize>count; j++) storeTotal(y + at + 4 * j, load<f64>(totals + 8 * j) * scale, accumulate);
  }
}

/** mean and variance (f64) of each column. */
export function columnMoments(n: i32, columns: i32, x: usize, mean: usize, variance: usize): void {
  const rows = n / columns, work = reserveBlock(rows, columns);
  for (let first = 0; first < columns; first += MOST_COLUMNS) {
    const count = min(MOST_COLUMNS, columns - first), from = x + 4 * <usize>first, at: usize = 8 * <usize>first;
    for (let j: usize = 0; j < <usize>count; j++) {
      const origin = <f64>load<f32>(from + 4 * j);
      store<f64>(work + 8 * j, isFinite(origin) ? origin : 0); // ∞ − ∞ would hide that the mean is infinite
    }
    const totals = sumBlock<Distances>(rows, count, 4 * <usize>columns, from, work);
    const squares = totals + stride(count);
    for (let j: usize = 0; j < 8 * <usize>count; j += 8) {
      const distance = load<f64>(totals + j) / rows;
      store<f64>(mean + at + j, load<f64>(work + j) + distance);
      store<f64>(variance + at + j, max<f64>(0, load<f64>(squares + j) / rows - distance * distance));
    }
  }
}

/** The number of parts of `sumMiddle`. */
function middleParts(outer: i32, n: i32, inner: i32): i32 {
  const numbers = min<f64>(<f64>i32.MAX_VALUE, <f64>outer * <f64>n * <f64>inner);
  return min(max(1, outer), partsFor(<i32>numbers, PART, MOST_PARTS));
}

/** Bytes of a thread's work memory: a row of totals for a block of columns, in whole cache lines. */
function middleSlot(inner: i32): f64 {
  return <f64>((stride(min(inner, MOST_COLUMNS)) + 63) & -64);
}

/** y [outer, inner] (+)= scale·Σₙ x [outer, n, inner], cut along outer only. */
export function sumMiddle(outer: i32, n: i32, inner: i32, x: usize, y: usize, scale: f64, accumulate: bool): void {
  args.rows = outer;
  args.row = <usize>n;
  args.columns = inner;
  args.x = x;
  args.y = y;
  args.accumulate = accumulate;
  args.scale = scale;
  runWith(sumMiddlePart, middleParts(outer, n, inner), middleSlot(inner));
}

/** The sums of some of the outer blocks. */
function sumMiddlePart(part: i32, parts: i32, work: usize): void {
  const n = <i32>args.row, inner = args.columns, end = cut(args.rows, part + 1, parts, 1);
  const row: usize = 4 * <usize>inner;
  for (let o = cut(args.rows, part, parts, 1); o < end; o++) {
    for (let first = 0; first < inner; first += MOST_COLUMNS) {
      const count = min(MOST_COLUMNS, inner - first), at: usize = 4 * <usize>first;
      memory.fill(work, 0, stride(count));
      const x = args.x + <usize>o * <usize>n * row + at;
      addColumns<Sum>(n, count, row, x, 0, work);
      const y = args.y + <usize>o * row + at;
      for (let j: usize = 0; j < <usize>count; j++) storeTotal(y + 4 * j, load<f64>(work + 8 * j) * args.scale, args.accumulate);
    }
  }
}
