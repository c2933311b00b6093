// Statistics of the columns of [rows, columns], as the columns of normalise.ts and of reduce.ts; in double precision.

//
// Columns are taken in blocks of at most 4,096, so that work memory is at most 1.2 MB for any number of columns.

import { read, write } from "./pairs";
import { ARGUMENTS, cut, partsFor, run, runWith, sharedMemory } from "./threads";

/** Numbers worth a part: of sums, each of which costs a row of totals, and of what is written. */
const SUM_PART: i32 = 1 << 15;
const MOST_SUM_PARTS: i32 = 16;
const PART: i32 = 1 << 14;
const MOST_PARTS: i32 = 64;
/** Numbers that are read once for all columns before the next: about half of the nearest cache. */
const BLOCK: i32 = 1 << 12;
/** Columns in a block. */
const MOST_COLUMNS: i32 = 1 << 12;

// What is added up along columns: x; (x − mean)²; dy, and dy·y behind it.
class Sum {}
class SquaredDistances {}
class SumAndProducts {}
// In how many pairs.
class One {}
class Two {}

/** totals [columns] (f64) += Σ over rows; a, b: rows of `columns` numbers that lie `row` bytes apart; means [columns] (f64). */
function addColumns<T>(rows: i32, columns: i32, row: usize, a: usize, b: usize, means: usize, totals: usize): void {
  const most = max(1, BLOCK / columns);
  for (let r = 0; r < rows; r += most) {
    const count = min(most, rows - r);
    const at = <usize>r * row;
    let j = 0;
    for (; j + 4 <= columns; j += 4) addPairs<T, Two>(count, columns, row, a + at, b + at, means, totals, j);
    for (; j < columns; j += 2) addPairs<T, One>(count, columns, row, a + at, b + at, means, totals, j);
  }
}

/** The same for one or two pairs of columns from j on, from top to bottom, so that the sums stay in registers. */
// @ts-ignore: decorator
@inline
function addPairs<T, Pairs>(
  rows: i32, columns: i32, row: usize, a: usize, b: usize, means: usize, totals: usize, j: i32,
): void {
  let p = a + 4 * <usize>j, q = b + 4 * <usize>j;
  const m = means + 8 * <usize>j, to = totals + 8 * <usize>j;
  const two = idof<Pairs>() == idof<Two>();
  const products = idof<T>() == idof<SumAndProducts>();
  let s0 = f64x2.splat(0), s1 = f64x2.splat(0), t0 = f64x2.splat(0), t1 = f64x2.splat(0);
  let m0 = f64x2.splat(0), m1 = f64x2.splat(0);
  if (idof<T>() == idof<SquaredDistances>()) {
    m0 = v128.load(m);
    if (two) m1 = v128.load(m, 16);
  }
  for (let i = 0; i < rows; i++, p += row, q += row) {
    const x0 = read(p), x1 = two ? read(p + 8) : x0;
    if (idof<T>() == idof<SquaredDistances>()) {
      const d0 = f64x2.sub(x0, m0), d1 = f64x2.sub(x1, m1);
      s0 = f64x2.add(s0, f64x2.mul(d0, d0));
      if (two) s1 = f64x2.add(s1, f64x2.mul(d1, d1));
    } else {
      s0 = f64x2.add(s0, x0);
      if (two) s1 = f64x2.add(s1, x1);
    }
    if (products) {
      t0 = f64x2.add(t0, f64x2.mul(x0, read(q)));
      if (two) t1 = f64x2.add(t1, f64x2.mul(x1, read(q + 8)));
    }
  }
  // What an odd column's pair adds to the number behind it is not read: totals stand apart by a pair at least.
  v128.store(to, f64x2.add(v128.load(to), s0));
  if (two) v128.store(to, f64x2.add(v128.load(to, 16), s1), 16);
  if (products) {
    const behind = to + 8 * <usize>(columns + 2);
    v128.store(behind, f64x2.add(v128.load(behind), t0));
    if (two) v128.store(behind, f64x2.add(v128.load(behind, 16), t1), 16);
  }
}

/** How many numbers rows and columns are, as far as it matters for parts. */
function numbersOf(rows: i32, columns: i32): i32 {
  return <i32>min<i64>(i32.MAX_VALUE, <i64>rows * columns);
}

/** How many parts a sum has. */
function sumParts(rows: i32, columns: i32): i32 {
  return min(max(1, rows), partsFor(numbersOf(rows, columns), SUM_PART, MOST_SUM_PARTS));
}

/** From one row of constants or totals (f64) to the next. */
// @ts-ignore: decorator
@inline
function stride(columns: i32): usize {
  return 8 * <usize>(columns + 2);
}

/** Work memory for a block of columns, at most 1.2 MB: three rows of constants, and two of totals for each part. */
function blockMemory(rows: i32, columns: i32): usize {
  const most = min(columns, MOST_COLUMNS);
  return sharedMemory(<f64>(stride(most) * (3 + 2 * sumParts(rows, most))));
}

/** A block of `columns` columns of rows that lie `row` bytes apart; for `sumMiddle`: rows is outer, row is n. */
@unmanaged
class Arguments {
  rows: i32;
  columns: i32;
  row: usize;
  a: usize;
  b: usize;
  work: usize;
  y: usize;
  accumulate: bool;
  scale: f64;
}
const args = changetype<Arguments>(ARGUMENTS);

/** Σ (T) of all rows in the first part's totals, of the `columns` columns that begin at a and b; rows lie `row` bytes apart. */
function sums<T>(rows: i32, columns: i32, row: usize, a: usize, b: usize, work: usize): usize {
  args.rows = rows;
  args.columns = columns;
  args.row = row;
  args.a = a;
  args.b = b;
  args.work = work;
  const totals = work + 3 * stride(columns), parts = sumParts(rows, columns);
  memory.fill(totals, 0, 2 * stride(columns) * parts);
  run((part: i32, parts: i32, _work: usize): void => sumsPart<T>(part, parts), parts, 0, 0);
  const numbers = 2 * (columns + 2);
  for (let part = 1; part < parts; part++) {
    for (let j = 0; j < numbers; j += 2) {
      const to = totals + 8 * <usize>j;
      v128.store(to, f64x2.add(v128.load(to), v128.load(to + 8 * <usize>(part * numbers))));
    }
  }
  return totals;
}

function sumsPart<T>(part: i32, parts: i32): void {
  const columns = args.columns, first = cut(args.rows, part, parts, 1), end = cut(args.rows, part + 1, parts, 1);
  const row = args.row, at = <usize>first * row;
  const means = args.work, totals = means + (3 + 2 * part) * stride(columns);
  addColumns<T>(end - first, columns, row, args.a + at, args.b + at, means, totals);
}

// @ts-ignore: decorator
@inline
function storeTotal(to: usize, total: f64, accumulate: bool): void {
  store<f32>(to, <f32>(accumulate ? <f64>load<f32>(to) + total : total));
}

/** y [inner] (+)= scale·Σₙ x [n, inner]. */
export function sumColumns(n: i32, inner: i32, x: usize, y: usize, scale: f64, accumulate: bool): void {
  const work = blockMemory(n, inner);
  for (let first = 0; first < inner; first += MOST_COLUMNS) {
    const count = min(MOST_COLUMNS, inner - first), at: usize = 4 * <usize>first;
    const totals = sums<Sum>(n, count, 4 * <usize>inner, x + at, x + at, work);
    for (let j: usize = 0; j < <usize>count; j++) storeTotal(y + at + 4 * j, load<f64>(totals + 8 * j) * scale, accumulate);
  }
}

/** mean and variance (f64) of each column. */
export function columnMoments(n: i32, columns: i32, x: usize, mean: usize, variance: usize): void {
  const rows = n / columns, row: usize = 4 * <usize>columns, work = blockMemory(rows, columns);
  for (let first = 0; first < columns; first += MOST_COLUMNS) {
    const count = min(MOST_COLUMNS, columns - first), from = x + 4 * <usize>first, at: usize = 8 * <usize>first;
    const bytes: usize = 8 * <usize>count;
    let totals = sums<Sum>(rows, count, row, from, from, work);
    for (let j: usize = 0; j < bytes; j += 8) {
      const m = load<f64>(totals + j) / rows;
      store<f64>(work + j, m);
      store<f64>(mean + at + j, m);
    }
    totals = sums<SquaredDistances>(rows, count, row, from, from, work);
    for (let j: usize = 0; j < bytes; j += 8) store<f64>(variance + at + j, load<f64>(totals + j) / rows);
  }
}

export function standardiseColumns(
  n: i32, columns: i32, x: usize, mean: usize, variance: usize, epsilon: f64, y: usize,
): void {
  standardise(n / columns, columns, x, 0, mean, variance, epsilon, y, false);
}

export function standardiseColumnsGrad(
  n: i32, columns: i32, y: usize, variance: usize, epsilon: f64, dy: usize, dx: usize, accumulate: bool,
): void {
  standardise(n / columns, columns, dy, y, 0, variance, epsilon, dx, accumulate);
}

export function standardiseColumnsLinearGrad(
  n: i32, columns: i32, variance: usize, epsilon: f64, dy: usize, dx: usize, accumulate: bool,
): void {
  standardise(n / columns, columns, dy, 0, 0, variance, epsilon, dx, accumulate);
}

/**
 * y (+)= (a − mean − b·slope)·rate with rate = 1/√(variance + epsilon). mean: given, [columns] (f64), or 0 for none. If b is given, mean
 * and slope are those of a and of a·b. variance: [columns] (f64).
 */
function standardise(
  rows: i32, columns: i32, a: usize, b: usize, mean: usize, variance: usize, epsilon: f64, y: usize, accumulate: bool,
): void {
  const work = blockMemory(rows, columns);
  for (let first = 0; first < columns; first += MOST_COLUMNS) {
    const at: usize = 4 * <usize>first, sloped = b != 0;
    standardiseBlock(
      rows, min(MOST_COLUMNS, columns - first), 4 * <usize>columns, a + at, sloped ? b + at : 0, mean ? mean + 2 * at : 0,
      variance + 2 * at, epsilon, y + at, accumulate, work,
    );
  }
}

/** The same for `columns` columns of rows that lie `row` bytes apart. */
function standardiseBlock(
  rows: i32, columns: i32, row: usize, a: usize, b: usize, mean: usize, variance: usize, epsilon: f64, y: usize, accumulate: bool,
  work: usize,
): void {
  const next = stride(columns);
  const totals = b != 0 ? sums<SumAndProducts>(rows, columns, row, a, b, work) : 0;
  for (let j: usize = 0; j < 8 * <usize>columns; j += 8) {
    const to = work + j;
    store<f64>(to, 1 / sqrt(load<f64>(variance + j) + epsilon));
    store<f64>(to + next, totals ? load<f64>(totals + j) / rows : mean ? load<f64>(mean + j) : 0);
    if (totals) store<f64>(to + 2 * next, load<f64>(totals + next + j) / rows);
  }
  args.rows = rows;
  args.columns = columns;
  args.row = row;
  args.a = a;
  args.b = b;
  args.work = work;
  args.y = y;
  args.accumulate = accumulate;
  run(standardisePart, min(max(1, rows), partsFor(numbersOf(rows, columns), PART, MOST_PARTS)), 0, 0);
}

function standardisePart(part: i32, parts: i32, _work: usize): void {
  const columns = args.columns, first = cut(args.rows, part, parts, 1), end = cut(args.rows, part + 1, parts, 1);
  const row = args.row, next = stride(columns), bytes: usize = 4 * <usize>columns;
  const sloped = args.b != 0, accumulate = args.accumulate;
  for (let r = first; r < end; r++) {
    const at = <usize>r * row;
    let a = args.a + at, b = args.b + at, y = args.y + at;
    let rate = args.work;
    for (let left = bytes; <isize>left > 0; left -= 8, a += 8, b += 8, y += 8, rate += 16) {
      let v = f64x2.sub(read(a), v128.load(rate + next));
      if (sloped) v = f64x2.sub(v, f64x2.mul(read(b), v128.load(rate + 2 * next)));
      write(y, f64x2.mul(v, v128.load(rate)), left, accumulate);
    }
  }
}

function middleParts(outer: i32, n: i32, inner: i32): i32 {
  const numbers = min<f64>(<f64>i32.MAX_VALUE, <f64>outer * <f64>n * <f64>inner);
  return min(max(1, outer), partsFor(<i32>numbers, PART, MOST_PARTS));
}

/** Bytes of one slot: a row of totals for a block of columns, in whole cache lines. */
function middleSlot(inner: i32): f64 {
  return <f64>((stride(min(inner, MOST_COLUMNS)) + 63) & -64);
}

/** y [outer, inner] (+)= scale·Σₙ x [outer, n, inner], cut along outer only. */
export function sumMiddle(outer: i32, n: i32, inner: i32, x: usize, y: usize, scale: f64, accumulate: bool): void {
  args.rows = outer;
  args.row = <usize>n;
  args.columns = inner;
  args.a = x;
  args.y = y;
  args.accumulate = accumulate;
  args.scale = scale;
  runWith(sumMiddlePart, middleParts(outer, n, inner), middleSlot(inner));
}

function sumMiddlePart(part: i32, parts: i32, work: usize): void {
  const n = <i32>args.row, inner = args.columns, end = cut(args.rows, part + 1, parts, 1);
  const row: usize = 4 * <usize>inner;
  for (let o = cut(args.rows, part, parts, 1); o < end; o++) {
    for (let first = 0; first < inner; first += MOST_COLUMNS) {
      const count = min(MOST_COLUMNS, inner - first), at: usize = 4 * <usize>first;
      memory.fill(work, 0, stride(count));
      const x = args.a + <usize>o * <usize>n * row + at;
      addColumns<Sum>(n, count, row, x, x, 0, work);
      const y = args.y + <usize>o * row + at;
      for (let j: usize = 0; j < <usize>count; j++) storeTotal(y + 4 * j, load<f64>(work + 8 * j) * args.scale, args.accumulate);
    }
  }
}
