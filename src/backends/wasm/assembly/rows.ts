// Kernels over the rows of x [count, columns]: softmax, log-softmax, cross-entropy, normalization of rows, sums and dot
// products.
//
// A kernel reads a row in at most three passes: find the maximum, sum, write the result. For softmax:
//
//     x [columns]  --largest-->  top  --sumExponentials-->  work: e^(x − top) in float64, and their sum  --fill-->  y
//
// - Vectors: two numbers in float64. All sums are in float64.
// - Parts: ranges of rows, at most 64. Sums of fewer than 16 long rows are cut into at most 16 pieces, whose totals are
//   added in order.
// - Work memory of a thread: the exponentials of a row, at most 256 kB. For rows longer than LONG they are not stored
//   but computed twice. Sums in pieces: 8 bytes for each piece, shared.
//
// `computeRow` serves all kernels. Its type parameter names the kernel; the compiler keeps only the branch of that
// kernel.

import { exp, log } from "./math";
import { read, write } from "./pairs";
import { ARGUMENTS, cut, partsFor, reserveShared, run, runWith } from "./threads";

/** A part has at least this number of elements. */
const PART: i32 = 1 << 14;
const MOST_PARTS: i32 = 64;
/** Most numbers of a row whose exponentials are stored. */
const LONG: i32 = 1 << 15;

// Type parameters that select the terms of a sum along a row: x, x·y or (x − shift)².
class Sum {}
class Products {}
class SquaredDistances {}

/** Two terms of a sum, from the numbers at a and b. */
// @ts-ignore: decorator
@inline
function term<T>(a: usize, b: usize, shift: v128): v128 {
  const x = read(a);
  if (idof<T>() == idof<Sum>()) return x;
  if (idof<T>() == idof<Products>()) return f64x2.mul(x, read(b));
  const d = f64x2.sub(x, shift);
  return f64x2.mul(d, d);
}

/** The sum of n terms of kind T, from the numbers at a and b. */
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

/** Returns Σ e^(x − top). Stores the exponentials at `to` in float64, unless `to` is 0. */
function sumExponentials(n: i32, x: usize, top: f64, to: usize): f64 {
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

/** The largest of n numbers; NaN if one of them is NaN. */
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

// Type parameters that select the kernel, and what `fill` writes to a row. Shifted: x − p. Long…: computes the
// exponentials again.
class Softmax {}
class SoftmaxGrad {}
class Shifted {}
class LogSoftmax {}
class LogSoftmaxGrad {}
class CrossEntropy {}
class CrossEntropyGrad {}
class LongSoftmax {}
class LongCrossEntropyGrad {}
class Standardized {}
class StandardizedGrad {}

/**
 * y [n] (+)= the formula of T, from the n numbers at a and at b. For Softmax and CrossEntropyGrad, a holds exponentials
 * in float64. p, q, r and top are the constants of the row, such as its sum; each formula below says what they mean.
 */
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
    else if (idof<T>() == idof<Standardized>()) v = f64x2.mul(f64x2.sub(v, ps), qs);
    else v = f64x2.mul(f64x2.sub(f64x2.sub(read(b), ps), f64x2.mul(v, qs)), rs);
    write(y, v, end - y, accumulate);
  }
}

/**
 * The arguments of the parts. a: the first input, and y: the output, both `count` rows of `columns` numbers. b, c: the
 * kernel's other arrays. number: smoothing, epsilon or scale.
 */
@unmanaged
class Arguments {
  count: i32;
  columns: i32;
  a: usize;
  b: usize;
  c: usize;
  y: usize;
  accumulate: bool;
  number: f64;
}
const args = changetype<Arguments>(ARGUMENTS);

/** Sets the arguments of the parts. */
function setRows(count: i32, columns: i32, a: usize, b: usize, c: usize, y: usize, accumulate: bool, number: f64): void {
  args.count = count;
  args.columns = columns;
  args.a = a;
  args.b = b;
  args.c = c;
  args.y = y;
  args.accumulate = accumulate;
  args.number = number;
}

/** Runs kernel T in parts on n numbers, in rows of `columns` numbers. */
function runRows<T>(n: i32, columns: i32, a: usize, b: usize, c: usize, y: usize, accumulate: bool = false, number: f64 = 0): void {
  const count = n / columns;
  setRows(count, columns, a, b, c, y, accumulate, number);
  runWith((part: i32, parts: i32, work: usize): void => rowsPart<T>(part, parts, work), rowsParts(count, columns), rowsSlot(columns));
}

/** The number of parts of `count` rows. */
function rowsParts(count: i32, columns: i32): i32 {
  return min(max(1, count), partsFor(<i32>min<i64>(i32.MAX_VALUE, <i64>count * columns), PART, MOST_PARTS));
}

/**
 * Bytes of a thread's work memory, for the exponentials of a row: whole cache lines, so that no two threads write to
 * one line.
 */
function rowsSlot(columns: i32): f64 {
  return columns > LONG ? 64 : <f64>((8 * (columns + 2) + 63) & -64);
}

/** Kernel T on some rows. */
function rowsPart<T>(part: i32, parts: i32, work: usize): void {
  const end = cut(args.count, part + 1, parts, 1);
  for (let r = cut(args.count, part, parts, 1); r < end; r++) computeRow<T>(r, args.columns, work);
}

export function softmax(n: i32, classes: i32, x: usize, y: usize): void {
  runRows<Softmax>(n, classes, x, 0, 0, y);
}

export function softmaxGrad(n: i32, classes: i32, y: usize, dy: usize, dx: usize, accumulate: bool): void {
  runRows<SoftmaxGrad>(n, classes, y, dy, 0, dx, accumulate);
}

export function logSoftmax(n: i32, classes: i32, x: usize, y: usize): void {
  runRows<LogSoftmax>(n, classes, x, 0, 0, y);
}

export function logSoftmaxGrad(n: i32, classes: i32, y: usize, dy: usize, dx: usize, accumulate: bool): void {
  runRows<LogSoftmaxGrad>(n, classes, y, dy, 0, dx, accumulate);
}

export function crossEntropy(n: i32, classes: i32, smoothing: f64, x: usize, labels: usize, losses: usize): void {
  runRows<CrossEntropy>(n, classes, x, labels, 0, losses, false, smoothing);
}

export function crossEntropyGrad(
  n: i32, classes: i32, smoothing: f64, x: usize, labels: usize, dlosses: usize, dx: usize, accumulate: bool,
): void {
  runRows<CrossEntropyGrad>(n, classes, x, labels, dlosses, dx, accumulate, smoothing);
}

export function standardizeRows(n: i32, columns: i32, x: usize, epsilon: f64, y: usize, rates: usize): void {
  runRows<Standardized>(n, columns, x, rates, 0, y, false, epsilon);
}

export function standardizeRowsGrad(n: i32, columns: i32, y: usize, rates: usize, dy: usize, dx: usize, accumulate: bool): void {
  runRows<StandardizedGrad>(n, columns, y, rates, dy, dx, accumulate);
}

/** Computes row r, of n numbers, of kernel T. The compiler keeps the branch of T only. */
function computeRow<T>(r: i32, n: i32, work: usize): void {
  // Byte offsets in arrays [count, columns] and [count].
  const at: usize = 4 * <usize>r * <usize>n, one: usize = 4 * <usize>r;
  const a = args.a + at;
  const b = args.b, c = args.c;
  const y = args.y + at;
  const add = args.accumulate;
  const number = args.number;
  if (idof<T>() == idof<Softmax>()) {
    const top = largest(n, a);
    if (n > LONG) return fill<LongSoftmax>(n, a, a, y, add, sumExponentials(n, a, top, 0), 0, 0, top);
    return fill<Softmax>(n, work, a, y, add, sumExponentials(n, a, top, work), 0, 0);
  }
  if (idof<T>() == idof<SoftmaxGrad>()) return fill<SoftmaxGrad>(n, a, b + at, y, add, total<Products>(n, a, b + at, 0), 0, 0);
  if (idof<T>() == idof<LogSoftmax>()) {
    const top = largest(n, a);
    return fill<Shifted>(n, a, a, y, add, top + logOf(sumExponentials(n, a, top, 0)), 0, 0);
  }
  if (idof<T>() == idof<LogSoftmaxGrad>()) return fill<LogSoftmaxGrad>(n, a, b + at, y, add, total<Sum>(n, b + at, a, 0), 0, 0);
  if (idof<T>() == idof<CrossEntropy>()) {
    const top = largest(n, a);
    const shift = top + logOf(sumExponentials(n, a, top, 0));
    let loss = number < 1 ? (1 - number) * (shift - <f64>load<f32>(a + 4 * <usize>load<i32>(b + one))) : 0; // 0·∞ is 0
    if (number > 0) loss += (number / n) * (n * shift - total<Sum>(n, a, a, 0));
    return store<f32>(args.y + one, <f32>loss);
  }
  if (idof<T>() == idof<CrossEntropyGrad>()) {
    const long = n > LONG, top = largest(n, a), sum = sumExponentials(n, a, top, long ? 0 : work);
    const labeled: usize = 4 * <usize>load<i32>(b + one), dloss = <f64>load<f32>(c + one);
    const before = add ? <f64>load<f32>(y + labeled) : 0;
    const logit = <f64>load<f32>(a + labeled);
    if (long) fill<LongCrossEntropyGrad>(n, a, a, y, add, sum, dloss, number / n, top);
    else fill<CrossEntropyGrad>(n, work, a, y, add, sum, dloss, number / n);
    const chance = f64x2.extract_lane(exp(f64x2.splat(logit - top)), 0) / sum;
    return store<f32>(y + labeled, <f32>(before + dloss * (chance - (number / n + (1 - number)))));
  }
  if (idof<T>() == idof<Standardized>()) {
    const mean = total<Sum>(n, a, a, 0) / n;
    const rate = 1 / sqrt(total<SquaredDistances>(n, a, a, mean) / n + number);
    store<f64>(b + 2 * one, rate);
    return fill<Standardized>(n, a, a, y, add, mean, rate, 0);
  }
  // StandardizedGrad
  const sum = total<Sum>(n, c + at, c, 0), dot = total<Products>(n, c + at, a, 0);
  fill<StandardizedGrad>(n, a, c + at, y, add, sum / n, dot / n, load<f64>(b + 2 * one));
}

/** The number of pieces into which each row is cut for a sum, so that threads can share a few long rows. */
function piecesOf(outer: i32, n: i32): i32 {
  return outer >= 16 ? 1 : partsFor(n, PART, 16);
}

/** y [outer] (+)= scale·Σₙ x [outer, n]. */
export function sumRows(outer: i32, n: i32, x: usize, y: usize, scale: f64, accumulate: bool): void {
  const count = piecesOf(outer, n);
  if (count == 1) return sumWholeRows(outer, n, x, y, scale, accumulate);
  const work = sumPieces(outer, n, x, 0);
  for (let o = 0; o < outer; o++) storeSum(y + 4 * <usize>o, addPieces(count, work + 8 * <usize>(o * count)) * scale, accumulate);
}

/** The float32 at `to` (+)= sum, rounded once. */
// @ts-ignore: decorator
@inline
function storeSum(to: usize, sum: f64, accumulate: bool): void {
  store<f32>(to, <f32>(accumulate ? <f64>load<f32>(to) + sum : sum));
}

/** `sumRows` for rows that are not cut into pieces. */
function sumWholeRows(outer: i32, n: i32, x: usize, y: usize, scale: f64, accumulate: bool): void {
  setRows(outer, n, x, 0, 0, y, accumulate, scale);
  run(wholeRowsPart, rowsParts(outer, n), 0, 0);
}

/** The sums of some rows. */
function wholeRowsPart(part: i32, parts: i32, _work: usize): void {
  const n = args.columns, end = cut(args.count, part + 1, parts, 1);
  for (let o = cut(args.count, part, parts, 1); o < end; o++) {
    const x = args.a + 4 * <usize>o * <usize>n;
    storeSum(args.y + 4 * <usize>o, total<Sum>(n, x, x, 0) * args.number, args.accumulate);
  }
}

/** y [1] (+)= Σ a·b. */
export function dot(n: i32, a: usize, b: usize, y: usize, accumulate: bool): void {
  storeSum(y, addPieces(piecesOf(1, n), sumPieces(1, n, a, b)), accumulate);
}

/** Σ x². */
export function sumOfSquares(n: i32, x: usize): f64 {
  return addPieces(piecesOf(1, n), sumPieces(1, n, x, x));
}

/** Adds the `count` totals (f64) at `at`, in this order. */
function addPieces(count: i32, at: usize): f64 {
  let sum: f64 = 0;
  for (let i = 0; i < count; i++, at += 8) sum += load<f64>(at);
  return sum;
}

/**
 * Sums each piece of each row of x or, if the address y is not 0, of x·y. Returns the address of the totals [outer,
 * pieces] (f64).
 */
function sumPieces(outer: i32, n: i32, x: usize, y: usize): usize {
  const count = piecesOf(outer, n), totals = reserveShared(8 * <f64>outer * <f64>count);
  setRows(outer * count, n, x, y, <usize>count, totals, false, 0);
  run(sumPiecesPart, min(max(1, outer * count), partsFor(<i32>min<i64>(i32.MAX_VALUE, <i64>outer * n), PART, MOST_PARTS)), 0, 0);
  return totals;
}

/** The totals of some pieces. */
function sumPiecesPart(part: i32, parts: i32, _work: usize): void {
  const end = cut(args.count, part + 1, parts, 1);
  const count = <i32>args.c, n = args.columns;
  for (let i = cut(args.count, part, parts, 1); i < end; i++) {
    const begin = cut(n, i % count, count, 16), length = cut(n, (i % count) + 1, count, 16) - begin;
    const at: usize = 4 * <usize>((i / count) * n + begin);
    const x = args.a + at;
    store<f64>(args.y + 8 * <usize>i, args.b ? total<Products>(length, x, args.b + at, 0) : total<Sum>(length, x, x, 0));
  }
}
