// Statistics of the columns of [rows, columns], as the columns of normalise.ts and of reduce.ts; in double precision.

import { read, write } from "./pairs";
import { rowsWork } from "./rows";
import { argument, cut, numberArgument, partsFor, run, setArgument, setNumberArgument } from "./threads";

/** Numbers worth a part: of sums, each of which costs a row of totals, and of what is written. */
const SUM_PART: i32 = 1 << 15;
const MOST_SUM_PARTS: i32 = 16;
const PART: i32 = 1 << 14;
const MOST_PARTS: i32 = 64;
/** Numbers that are read once for all columns before the next: about half of the nearest cache. */
const BLOCK: i32 = 1 << 12;

// What is added up along columns: x; (x − mean)²; dy, and dy·y behind it.
class Sum {}
class SquaredDistances {}
class SumAndProducts {}
// In how many pairs.
class One {}
class Two {}

/** totals [columns] (f64) += Σ over rows; a, b: [rows, columns]; means [columns] (f64). */
function addColumns<T>(rows: i32, columns: i32, a: usize, b: usize, means: usize, totals: usize): void {
  const most = max(1, BLOCK / columns);
  for (let r = 0; r < rows; r += most) {
    const count = min(most, rows - r);
    const at: usize = 4 * <usize>(r * columns);
    let j = 0;
    for (; j + 4 <= columns; j += 4) addPairs<T, Two>(count, columns, a + at, b + at, means, totals, j);
    for (; j < columns; j += 2) addPairs<T, One>(count, columns, a + at, b + at, means, totals, j);
  }
}

/** The same for one or two pairs of columns from j on, from top to bottom, so that the sums stay in registers. */
// @ts-ignore: decorator
@inline
function addPairs<T, Pairs>(rows: i32, columns: i32, a: usize, b: usize, means: usize, totals: usize, j: i32): void {
  let p = a + 4 * <usize>j, q = b + 4 * <usize>j;
  const row: usize = 4 * <usize>columns;
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

/** How many parts a sum has. */
function sumParts(rows: i32, columns: i32): i32 {
  return min(max(1, rows), partsFor(rows * columns, SUM_PART, MOST_SUM_PARTS));
}

/** From one row of constants or totals (f64) to the next. */
// @ts-ignore: decorator
@inline
function stride(columns: i32): usize {
  return 8 * <usize>(columns + 2);
}

/** Bytes of work memory: three rows of constants, and two of totals for each part. */
export function columnsWork(rows: i32, columns: i32): i32 {
  return <i32>stride(columns) * (3 + 2 * sumParts(rows, columns));
}

const SUM: i32 = 0;
const SQUARED_DISTANCES: i32 = 1;
const SUM_AND_PRODUCTS: i32 = 2;

/** Σ of all rows in the first part's totals. */
function sums(kind: i32, rows: i32, columns: i32, a: usize, b: usize, work: usize): usize {
  setArgument(0, rows);
  setArgument(1, columns);
  setArgument(2, <i32>a);
  setArgument(3, <i32>b);
  setArgument(4, <i32>work);
  setArgument(5, kind);
  const totals = work + 3 * stride(columns), parts = sumParts(rows, columns);
  memory.fill(totals, 0, 2 * stride(columns) * parts);
  run(sumsPart, parts, 0, 0);
  const numbers = 2 * (columns + 2);
  for (let part = 1; part < parts; part++) {
    for (let j = 0; j < numbers; j += 2) {
      const to = totals + 8 * <usize>j;
      v128.store(to, f64x2.add(v128.load(to), v128.load(to + 8 * <usize>(part * numbers))));
    }
  }
  return totals;
}

function sumsPart(part: i32, parts: i32, _work: usize): void {
  const columns = argument(1), first = cut(argument(0), part, parts, 1), end = cut(argument(0), part + 1, parts, 1);
  const at: usize = 4 * <usize>(first * columns);
  const means = <usize>argument(4), totals = means + (3 + 2 * part) * stride(columns);
  const a = <usize>argument(2) + at, b = <usize>argument(3) + at;
  if (argument(5) == SUM) addColumns<Sum>(end - first, columns, a, b, means, totals);
  else if (argument(5) == SQUARED_DISTANCES) addColumns<SquaredDistances>(end - first, columns, a, b, means, totals);
  else addColumns<SumAndProducts>(end - first, columns, a, b, means, totals);
}

// @ts-ignore: decorator
@inline
function storeTotal(to: usize, total: f64, accumulate: bool): void {
  store<f32>(to, <f32>(accumulate ? <f64>load<f32>(to) + total : total));
}

/** y [inner] (+)= scale·Σₙ x [n, inner]. */
export function sumColumns(n: i32, inner: i32, x: usize, y: usize, scale: f64, accumulate: bool, work: usize): void {
  const totals = sums(SUM, n, inner, x, x, work);
  for (let j = 0; j < inner; j++) storeTotal(y + 4 * <usize>j, load<f64>(totals + 8 * <usize>j) * scale, accumulate);
}

/** mean and variance of each column. */
export function columnMoments(rows: i32, columns: i32, x: usize, mean: usize, variance: usize, work: usize): void {
  const totals = sums(SUM, rows, columns, x, x, work);
  for (let j = 0; j < columns; j++) {
    const m = load<f64>(totals + 8 * <usize>j) / rows;
    store<f64>(work + 8 * <usize>j, m);
    store<f32>(mean + 4 * <usize>j, <f32>m);
  }
  sums(SQUARED_DISTANCES, rows, columns, x, x, work);
  for (let j = 0; j < columns; j++) store<f32>(variance + 4 * <usize>j, <f32>(load<f64>(totals + 8 * <usize>j) / rows));
}

/**
 * y (+)= (a − mean − b·slope)·rate with rate = 1/√(variance + epsilon). mean: given, [columns], or 0 for none. Where b is given mean and
 * slope are those of a and of a·b.
 */
export function standardise(
  rows: i32, columns: i32, a: usize, b: usize, mean: usize, variance: usize, epsilon: f64, y: usize, accumulate: bool, work: usize,
): void {
  const next = stride(columns);
  const totals = b != 0 ? sums(SUM_AND_PRODUCTS, rows, columns, a, b, work) : 0;
  for (let j = 0; j < columns; j++) {
    const to = work + 8 * <usize>j;
    store<f64>(to, 1 / sqrt(<f64>load<f32>(variance + 4 * <usize>j) + epsilon));
    store<f64>(to + next, totals ? load<f64>(totals + 8 * <usize>j) / rows : mean ? <f64>load<f32>(mean + 4 * <usize>j) : 0);
    if (totals) store<f64>(to + 2 * next, load<f64>(totals + next + 8 * <usize>j) / rows);
  }
  setArgument(0, rows);
  setArgument(1, columns);
  setArgument(2, <i32>a);
  setArgument(3, <i32>b);
  setArgument(4, <i32>work);
  setArgument(5, <i32>y);
  setArgument(6, accumulate);
  run(standardisePart, min(max(1, rows), partsFor(rows * columns, PART, MOST_PARTS)), 0, 0);
}

function standardisePart(part: i32, parts: i32, _work: usize): void {
  const columns = argument(1), first = cut(argument(0), part, parts, 1), end = cut(argument(0), part + 1, parts, 1);
  const at: usize = 4 * <usize>(first * columns), row: usize = 4 * <usize>columns, next = stride(columns);
  let a = <usize>argument(2) + at, b = <usize>argument(3) + at, y = <usize>argument(5) + at;
  const sloped = argument(3) != 0, accumulate = argument(6) != 0;
  for (let r = first; r < end; r++) {
    let rate = <usize>argument(4);
    for (let left = row; <isize>left > 0; left -= 8, a += 8, b += 8, y += 8, rate += 16) {
      let v = f64x2.sub(read(a), v128.load(rate + next));
      if (sloped) v = f64x2.sub(v, f64x2.mul(read(b), v128.load(rate + 2 * next)));
      write(y, f64x2.mul(v, v128.load(rate)), left, accumulate);
    }
    if (columns & 1) a -= 4, b -= 4, y -= 4;
  }
}

/** y [outer, inner] (+)= scale·Σₙ x [outer, n, inner], cut along outer only; each thread needs as much work memory as `rows` does. */
export function sumMiddle(outer: i32, n: i32, inner: i32, x: usize, y: usize, scale: f64, accumulate: bool, work: usize): void {
  setArgument(0, outer);
  setArgument(1, n);
  setArgument(2, inner);
  setArgument(3, <i32>x);
  setArgument(4, <i32>y);
  setArgument(5, accumulate);
  setNumberArgument(8, scale);
  run(sumMiddlePart, min(max(1, outer), partsFor(outer * n * inner, PART, MOST_PARTS)), work, rowsWork(inner));
}

function sumMiddlePart(part: i32, parts: i32, work: usize): void {
  const n = argument(1), inner = argument(2), end = cut(argument(0), part + 1, parts, 1);
  for (let o = cut(argument(0), part, parts, 1); o < end; o++) {
    memory.fill(work, 0, stride(inner));
    const x = <usize>argument(3) + 4 * <usize>(o * n * inner);
    addColumns<Sum>(n, inner, x, x, 0, work);
    const y = <usize>argument(4) + 4 * <usize>(o * inner);
    for (let j: usize = 0; j < <usize>inner; j++) {
      storeTotal(y + 4 * j, load<f64>(work + 8 * j) * numberArgument(8), argument(5) != 0);
    }
  }
}
