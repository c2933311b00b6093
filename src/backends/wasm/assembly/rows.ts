// Kernels over rows of `columns` numbers, as softmax.ts, the rows of normalise.ts and of reduce.ts; sums are in double precision.

import { exp, log } from "./math";
import { read, write } from "./pairs";
import { argument, cut, numberArgument, partsFor, run, setArgument, setNumberArgument, slots } from "./threads";

/** Numbers worth a part. */
const PART: i32 = 1 << 14;
const MOST_PARTS: i32 = 64;
/** The exponentials of rows up to this length are kept; those of longer rows are computed twice, so that a thread needs 256 kB at most. */
const LONG: i32 = 1 << 15;

// What is added up along a row.
class Sum {}
class Products {}
class SquaredDistances {}

/** Two terms from the numbers at a and b. */
// @ts-ignore: decorator
@inline
function term<T>(a: usize, b: usize, shift: v128): v128 {
  const x = read(a);
  if (idof<T>() == idof<Sum>()) return x;
  if (idof<T>() == idof<Products>()) return f64x2.mul(x, read(b));
  const d = f64x2.sub(x, shift);
  return f64x2.mul(d, d);
}

/** Σ over n numbers; `shift` is taken off first where there are distances. */
function total<T>(n: i32, a: usize, b: usize, shift: f64): f64 {
  const shifts = f64x2.splat(shift);
  let even = f64x2.splat(0), odd = f64x2.splat(0);
  let i = 0;
  for (; i + 4 <= n; i += 4, a += 16, b += 16) {
    even = f64x2.add(even, term<T>(a, b, shifts));
    odd = f64x2.add(odd, term<T>(a + 8, b + 8, shifts));
  }
  even = f64x2.add(even, odd);
  for (; i < n; i += 2, a += 8, b += 8) {
    const t = term<T>(a, b, shifts);
    even = f64x2.add(even, i + 2 <= n ? t : f64x2.replace_lane(t, 1, 0));
  }
  return f64x2.extract_lane(even, 0) + f64x2.extract_lane(even, 1);
}

/** Σ e^(x − top); the exponentials are kept at `to`, in double precision, unless `to` is 0. */
function exponentials(n: i32, x: usize, top: f64, to: usize): f64 {
  const tops = f64x2.splat(top);
  const keep = to != 0;
  let sum = f64x2.splat(0);
  for (let i = 0; i < n; i += 2, x += 8, to += 16) {
    let e = exp(f64x2.sub(read(x), tops));
    if (i + 1 == n) e = f64x2.replace_lane(e, 1, 0);
    if (keep) v128.store(to, e);
    sum = f64x2.add(sum, e);
  }
  return f64x2.extract_lane(sum, 0) + f64x2.extract_lane(sum, 1);
}

/** The largest of n numbers; NaN where there is one. */
function largest(n: i32, x: usize): f64 {
  let top = f32x4.splat(-Infinity);
  let i = 0;
  for (; i + 4 <= n; i += 4, x += 16) top = f32x4.max(top, v128.load(x));
  for (; i < n; i++, x += 4) top = f32x4.max(top, v128.load32_splat(x));
  const half = f32x4.max(top, v128.shuffle<f32>(top, top, 2, 3, 0, 1));
  return max<f32>(f32x4.extract_lane(half, 0), f32x4.extract_lane(half, 1));
}

// @ts-ignore: decorator
@inline
function logOf(x: f64): f64 {
  return f64x2.extract_lane(log(f64x2.splat(x)), 0);
}

// What is written to a row.
class Softmax {}
class SoftmaxGrad {}
class Shifted {}
class LogSoftmaxGrad {}
class CrossEntropyGrad {}
class LongSoftmax {}
class LongCrossEntropyGrad {}
class Standardised {}
class StandardisedGrad {}

/** y (+)= what T makes of n numbers at a (in double precision if they are kept exponentials) and b, and of four that the row shares. */
function fill<T>(n: i32, a: usize, b: usize, y: usize, accumulate: bool, p: f64, q: f64, r: f64, top: f64 = 0): void {
  const ps = f64x2.splat(p), qs = f64x2.splat(q), rs = f64x2.splat(r), tops = f64x2.splat(top);
  const end = y + 4 * <usize>n;
  for (; y < end; y += 8, a += idof<T>() == idof<Softmax>() || idof<T>() == idof<CrossEntropyGrad>() ? 16 : 8, b += 8) {
    let v = idof<T>() == idof<Softmax>() || idof<T>() == idof<CrossEntropyGrad>() ? v128.load(a) : read(a);
    if (idof<T>() == idof<LongSoftmax>() || idof<T>() == idof<LongCrossEntropyGrad>()) v = exp(f64x2.sub(v, tops));
    if (idof<T>() == idof<Softmax>() || idof<T>() == idof<LongSoftmax>()) v = f64x2.div(v, ps);
    else if (idof<T>() == idof<SoftmaxGrad>()) v = f64x2.mul(v, f64x2.sub(read(b), ps));
    else if (idof<T>() == idof<Shifted>()) v = f64x2.sub(v, ps);
    else if (idof<T>() == idof<LogSoftmaxGrad>()) v = f64x2.sub(read(b), f64x2.mul(exp(v), ps));
    else if (idof<T>() == idof<CrossEntropyGrad>() || idof<T>() == idof<LongCrossEntropyGrad>()) v = f64x2.mul(qs, f64x2.sub(f64x2.div(v, ps), rs));
    else if (idof<T>() == idof<Standardised>()) v = f64x2.mul(f64x2.sub(v, ps), qs);
    else v = f64x2.mul(f64x2.sub(f64x2.sub(read(b), ps), f64x2.mul(v, qs)), rs);
    write(y, v, end - y, accumulate);
  }
}

/**
 * Kernel `op` on `count` rows; the ops are numbered in `row` below, and named in loops.ts. a, b, c: its operands that are read or, where they are
 * [rows], written; y: its last. number: smoothing, epsilon.
 */
export function rows(
  op: i32, count: i32, columns: i32, a: usize, b: usize, c: usize, y: usize, accumulate: bool, number: f64, work: usize,
): void {
  setArgument(0, op);
  setArgument(1, count);
  setArgument(2, columns);
  setArgument(3, <i32>a);
  setArgument(4, <i32>b);
  setArgument(5, <i32>c);
  setArgument(6, <i32>y);
  setArgument(7, accumulate);
  setNumberArgument(8, number);
  run(rowsPart, rowsParts(count, columns), work, rowsSlot(columns));
}

function rowsParts(count: i32, columns: i32): i32 {
  return min(max(1, count), partsFor(<i32>min<i64>(i32.MAX_VALUE, <i64>count * columns), PART, MOST_PARTS));
}

/** Bytes of one slot, for the exponentials of a row: whole cache lines, so that no two threads write to one. */
function rowsSlot(columns: i32): usize {
  return columns > LONG ? 64 : <usize>((8 * (columns + 2) + 63) & -64);
}

/** Bytes of work memory that `rows` needs for all threads. */
export function rowsWork(count: i32, columns: i32): f64 {
  return <f64>rowsSlot(columns) * <f64>slots(rowsParts(count, columns));
}

function rowsPart(part: i32, parts: i32, work: usize): void {
  const end = cut(argument(1), part + 1, parts, 1);
  for (let r = cut(argument(1), part, parts, 1); r < end; r++) row(argument(0), r, argument(2), work);
}

function row(op: i32, r: i32, n: i32, work: usize): void {
  const at: usize = 4 * <usize>r * <usize>n, one: usize = 4 * <usize>r; // where the row begins; where its one number is
  const a = <usize>argument(3) + at;
  const b = <usize>argument(4), c = <usize>argument(5);
  const y = <usize>argument(6) + at;
  const add = argument(7) != 0;
  const number = numberArgument(8);
  switch (op) {
    case 0: { // softmax: x, y
      const top = largest(n, a);
      if (n > LONG) return fill<LongSoftmax>(n, a, a, y, add, exponentials(n, a, top, 0), 0, 0, top);
      return fill<Softmax>(n, work, a, y, add, exponentials(n, a, top, work), 0, 0);
    }
    case 1: // softmaxGrad: y, dy, dx
      return fill<SoftmaxGrad>(n, a, b + at, y, add, total<Products>(n, a, b + at, 0), 0, 0);
    case 2: { // logSoftmax: x, y
      const top = largest(n, a);
      return fill<Shifted>(n, a, a, y, add, top + logOf(exponentials(n, a, top, 0)), 0, 0);
    }
    case 3: // logSoftmaxGrad: y, dy, dx
      return fill<LogSoftmaxGrad>(n, a, b + at, y, add, total<Sum>(n, b + at, a, 0), 0, 0);
    case 4: { // crossEntropy: x, labels, losses
      const top = largest(n, a);
      const shift = top + logOf(exponentials(n, a, top, 0));
      let loss = number < 1 ? (1 - number) * (shift - <f64>load<f32>(a + 4 * <usize>load<i32>(b + one))) : 0; // 0·∞ is 0
      if (number > 0) loss += (number / n) * (n * shift - total<Sum>(n, a, a, 0));
      return store<f32>(<usize>argument(6) + one, <f32>loss);
    }
    case 5: { // crossEntropyGrad: x, labels, dlosses, dx
      const long = n > LONG, top = largest(n, a), sum = exponentials(n, a, top, long ? 0 : work);
      const labelled: usize = 4 * <usize>load<i32>(b + one), dloss = <f64>load<f32>(c + one);
      const before = add ? <f64>load<f32>(y + labelled) : 0;
      const logit = <f64>load<f32>(a + labelled);
      if (long) fill<LongCrossEntropyGrad>(n, a, a, y, add, sum, dloss, number / n, top);
      else fill<CrossEntropyGrad>(n, work, a, y, add, sum, dloss, number / n);
      const chance = f64x2.extract_lane(exp(f64x2.splat(logit - top)), 0) / sum;
      return store<f32>(y + labelled, <f32>(before + dloss * (chance - (number / n + (1 - number)))));
    }
    case 6: { // standardiseRows: x, rates, y
      const mean = total<Sum>(n, a, a, 0) / n;
      const rate = 1 / sqrt(total<SquaredDistances>(n, a, a, mean) / n + number);
      store<f64>(b + 2 * one, rate);
      return fill<Standardised>(n, a, a, y, add, mean, rate, 0);
    }
    default: { // standardiseRowsGrad: y, rates, dy, dx
      const sum = total<Sum>(n, c + at, c, 0), dot = total<Products>(n, c + at, a, 0);
      return fill<StandardisedGrad>(n, a, c + at, y, add, sum / n, dot / n, load<f64>(b + 2 * one));
    }
  }
}

/** Pieces of a row that are added up apart, so that one long row has parts too. */
function pieces(outer: i32, n: i32): i32 {
  return outer >= 16 ? 1 : partsFor(n, PART, 16);
}

/** Bytes of work memory that `sumRows` needs: one total for each piece of a row. */
export function sumRowsWork(outer: i32, n: i32): f64 {
  const count = pieces(outer, n);
  return count > 1 ? 8 * <f64>outer * <f64>count : 8;
}

/** y [outer] (+)= scale·Σₙ x [outer, n]. */
export function sumRows(outer: i32, n: i32, x: usize, y: usize, scale: f64, accumulate: bool, work: usize): void {
  const count = pieces(outer, n);
  if (count == 1) return sumWholeRows(outer, n, x, y, scale, accumulate);
  sumPieces(outer, n, x, 0, work);
  for (let o = 0; o < outer; o++) storeSum(y + 4 * <usize>o, addPieces(count, work + 8 * <usize>(o * count)) * scale, accumulate);
}

// @ts-ignore: decorator
@inline
function storeSum(to: usize, sum: f64, accumulate: bool): void {
  store<f32>(to, <f32>(accumulate ? <f64>load<f32>(to) + sum : sum));
}

/** The same if rows are not cut. */
function sumWholeRows(outer: i32, n: i32, x: usize, y: usize, scale: f64, accumulate: bool): void {
  setArgument(0, outer);
  setArgument(1, n);
  setArgument(2, <i32>x);
  setArgument(3, <i32>y);
  setArgument(4, accumulate);
  setNumberArgument(8, scale);
  run(wholeRowsPart, rowsParts(outer, n), 0, 0);
}

function wholeRowsPart(part: i32, parts: i32, _work: usize): void {
  const n = argument(1), end = cut(argument(0), part + 1, parts, 1);
  for (let o = cut(argument(0), part, parts, 1); o < end; o++) {
    const x = <usize>argument(2) + 4 * <usize>o * <usize>n;
    storeSum(<usize>argument(3) + 4 * <usize>o, total<Sum>(n, x, x, 0) * numberArgument(8), argument(4) != 0);
  }
}

/** Σ x·y, with the work memory of one row's sum. */
export function sumOfProducts(n: i32, x: usize, y: usize, work: usize): f64 {
  sumPieces(1, n, x, y, work);
  return addPieces(pieces(1, n), work);
}

/** The sum of a row, of its pieces in their order. */
function addPieces(count: i32, at: usize): f64 {
  let sum: f64 = 0;
  for (let i = 0; i < count; i++, at += 8) sum += load<f64>(at);
  return sum;
}

/** Sums of the pieces of rows of x or, where y is not 0, of x·y. */
function sumPieces(outer: i32, n: i32, x: usize, y: usize, work: usize): void {
  const count = pieces(outer, n);
  setArgument(0, outer * count);
  setArgument(1, count);
  setArgument(2, n);
  setArgument(3, <i32>x);
  setArgument(4, <i32>work);
  setArgument(5, <i32>y);
  run(sumPiecesPart, min(max(1, outer * count), partsFor(<i32>min<i64>(i32.MAX_VALUE, <i64>outer * n), PART, MOST_PARTS)), 0, 0);
}

function sumPiecesPart(part: i32, parts: i32, _work: usize): void {
  const end = cut(argument(0), part + 1, parts, 1);
  const count = argument(1), n = argument(2);
  for (let i = cut(argument(0), part, parts, 1); i < end; i++) {
    const begin = cut(n, i % count, count, 16), length = cut(n, (i % count) + 1, count, 16) - begin;
    const at: usize = 4 * <usize>((i / count) * n + begin);
    const x = <usize>argument(3) + at;
    const y = <usize>argument(5) + at;
    store<f64>(<usize>argument(4) + 8 * <usize>i, argument(5) ? total<Products>(length, x, y, 0) : total<Sum>(length, x, x, 0));
  }
}
