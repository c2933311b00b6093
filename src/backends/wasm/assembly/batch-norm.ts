// Batch normalization (kernels/batch-norm.ts): u = (x − mean)·scale + beta with scale = rate·gamma, y = activation(u),
// and the gradients.
//
//     x      r0  c0 c1 c2 c3 | c4 …       4 columns × ROWS rows: the numbers of a column stay in registers
//            r1              |
//            …
//
// - Vectors: four float32 numbers. The mean is split into two float32 numbers, high + low, and x − high − low rounds
//   twice, by a share of the distance from the mean and not of the mean. So large means lose no digits.
// - Sums: those of ROWS rows are float32, then they are added to float64 totals.
// - Parts: ranges of rows. Parts of sums have totals of their own, which are added in the order of the parts.
// - Work memory: columns are taken in blocks of at most 4,096, so it is at most 1.2 MB. Layout: rows of float32 numbers
//   for each column, then two rows of totals (f64) for each part.

import { HARD_SWISH, HardSwish, NONE, None, RELU, RELU6, Relu, Relu6, SILU, Silu } from "./activate";
import { addParts, numbersOf, sumParts } from "./columns";
import { read, write } from "./fours";
import { madd } from "./madd";
import { ARGUMENTS, cut, partsFor, reserveShared, run } from "./threads";

/** Rows whose sums are float32: fewer than FEW_TERMS, because the terms themselves are rounded. */
const ROWS: i32 = 16;
/** A part that writes has at least this number of elements. */
const PART: i32 = 1 << 14;
const MOST_PARTS: i32 = 64;
/** Columns in a block. */
const MOST_COLUMNS: i32 = 1 << 12;

/** Bytes from one row of float32 numbers to the next: whole vectors. */
// @ts-ignore: decorator
@inline
function stride(columns: i32): usize {
  return 4 * <usize>((columns + 3) & -4);
}

// The rows of numbers for each column, from `work` on.
const HIGH: i32 = 0;
const LOW: i32 = 1;
const SCALE: i32 = 2;
const BETA: i32 = 3;
/** mean(du), and rate·mean(du·z). */
const MEAN: i32 = 4;
const SLOPE: i32 = 5;
const TOTALS: i32 = 6;

/** The arguments of the parts: `columns` columns of rows that lie `row` bytes apart. */
@unmanaged
class Arguments {
  rows: i32;
  columns: i32;
  row: usize;
  x: usize;
  dy: usize;
  y: usize;
  work: usize;
  sloped: bool;
  accumulate: bool;
}
const args = changetype<Arguments>(ARGUMENTS);

/** y = activation(u). scales [4, columns]: mean, rate, gamma, beta (f64). */
export function batchNorm(n: i32, columns: i32, activation: i32, x: usize, scales: usize, y: usize): void {
  const rows = n / columns, work = reserve(0, columns);
  for (let first = 0; first < columns; first += MOST_COLUMNS) {
    const at = give(rows, columns, first, scales, work);
    args.x = x + at;
    args.y = y + at;
    const parts = writingParts(rows);
    if (activation == NONE) runNorm<None>(parts);
    else if (activation == RELU) runNorm<Relu>(parts);
    else if (activation == RELU6) runNorm<Relu6>(parts);
    else if (activation == HARD_SWISH) runNorm<HardSwish>(parts);
    else runNorm<Silu>(parts);
  }
}

/** du, unless it is 0, and sums [2, columns] (f64): Σ du and Σ du·z. */
export function batchNormSums(
  n: i32, columns: i32, activation: i32, x: usize, scales: usize, dy: usize, du: usize, sums: usize,
): void {
  const rows = n / columns, work = reserve(rows, columns);
  for (let first = 0; first < columns; first += MOST_COLUMNS) {
    const at = give(rows, columns, first, scales, work), count = args.columns;
    args.x = x + at;
    args.dy = dy + at;
    args.y = du != 0 ? du + at : 0;
    const parts = sumParts(rows, count), totals = work + <usize>TOTALS * stride(count), row = 2 * stride(count);
    memory.fill(totals, 0, 2 * row * parts);
    if (activation == NONE) runSums<None>(parts);
    else if (activation == RELU) runSums<Relu>(parts);
    else if (activation == RELU6) runSums<Relu6>(parts);
    else if (activation == HARD_SWISH) runSums<HardSwish>(parts);
    else runSums<Silu>(parts);
    addParts(totals, <i32>(row / 4), parts);
    const to = sums + 8 * <usize>first, rates = scales + 8 * <usize>(columns + first);
    for (let j: usize = 0; j < 8 * <usize>count; j += 8) {
      store<f64>(to + j, load<f64>(totals + j));
      store<f64>(to + 8 * <usize>columns + j, load<f64>(totals + row + j) * load<f64>(rates + j));
    }
  }
}

/** dx (+)= scale·(du − mean(du) − z·mean(du·z)), or scale·du if sums is 0. du may be dx. */
export function batchNormGrad(
  n: i32, columns: i32, x: usize, scales: usize, sums: usize, du: usize, dx: usize, accumulate: bool,
): void {
  const rows = n / columns, work = reserve(0, columns);
  for (let first = 0; first < columns; first += MOST_COLUMNS) {
    const at = give(rows, columns, first, scales, work), next = stride(args.columns), count = <usize>args.columns;
    for (let j: usize = 0; sums != 0 && j < count; j++) {
      const from = sums + 8 * (<usize>first + j), rate = load<f64>(scales + 8 * (<usize>(columns + first) + j));
      store<f32>(work + <usize>MEAN * next + 4 * j, <f32>(load<f64>(from) / rows));
      store<f32>(work + <usize>SLOPE * next + 4 * j, <f32>((rate * load<f64>(from + 8 * <usize>columns)) / rows));
    }
    args.x = x + at;
    args.dy = du + at;
    args.y = dx + at;
    args.sloped = sums != 0;
    args.accumulate = accumulate;
    run(gradPart, writingParts(rows), 0, 0);
  }
}

/** Asks for the work memory of a block of columns, with totals for sums of `rows` rows (0: no totals). */
function reserve(rows: i32, columns: i32): usize {
  const most = min(columns, MOST_COLUMNS);
  return reserveShared(<f64>(stride(most) * (TOTALS + (rows > 0 ? 4 * sumParts(rows, most) : 0))));
}

/**
 * Writes what the parts share for the block of columns from `first` on: their arguments but the arrays, and the numbers
 * of the columns. Returns the bytes in a row before the block.
 */
function give(rows: i32, columns: i32, first: i32, scales: usize, work: usize): usize {
  const count = min(MOST_COLUMNS, columns - first), next = stride(count), column = 8 * <usize>columns;
  args.rows = rows;
  args.columns = count;
  args.row = 4 * <usize>columns;
  args.work = work;
  memory.fill(work, 0, TOTALS * next);
  for (let j: usize = 0; j < <usize>count; j++) {
    const from = scales + 8 * (<usize>first + j), to = work + 4 * j;
    const mean = load<f64>(from), high = <f32>mean;
    store<f32>(to + <usize>HIGH * next, high);
    store<f32>(to + <usize>LOW * next, isFinite(high) ? <f32>(mean - <f64>high) : 0);
    store<f32>(to + <usize>SCALE * next, <f32>(load<f64>(from + column) * load<f64>(from + 2 * column)));
    store<f32>(to + <usize>BETA * next, <f32>load<f64>(from + 3 * column));
  }
  return 4 * <usize>first;
}

function writingParts(rows: i32): i32 {
  return min(max(1, rows), partsFor(numbersOf(rows, args.columns), PART, MOST_PARTS));
}

function runNorm<A>(parts: i32): void {
  run((part: i32, parts: i32, _work: usize): void => {
    const end = cut(args.rows, part + 1, parts, 1);
    for (let r = cut(args.rows, part, parts, 1); r < end; r += ROWS) normRows<A>(<usize>r, min(ROWS, end - r));
  }, parts, 0, 0);
}

function normRows<A>(first: usize, count: i32): void {
  const columns = args.columns, row = args.row, next = stride(columns);
  for (let j = 0; j < columns; j += 4) {
    const at = 4 * <usize>j, c = args.work + at, left = columns - j;
    const high = v128.load(c), low = v128.load(c + LOW * next), scale = v128.load(c + SCALE * next), beta = v128.load(c + BETA * next);
    let x = args.x + first * row + at, y = args.y + first * row + at;
    for (let i = 0; i < count; i++, x += row, y += row) {
      const d = f32x4.sub(f32x4.sub(read(x, left), high), low);
      write(y, changetype<A>(0).of(madd(d, scale, beta)), left);
    }
  }
}

function runSums<A>(parts: i32): void {
  run((part: i32, parts: i32, _work: usize): void => {
    const end = cut(args.rows, part + 1, parts, 1), next = stride(args.columns);
    const totals = args.work + (<usize>TOTALS + 4 * <usize>part) * next;
    for (let r = cut(args.rows, part, parts, 1); r < end; r += ROWS) sumRows<A>(<usize>r, min(ROWS, end - r), totals);
  }, parts, 0, 0);
}

/** du of some rows, unless it is 0. Adds Σ du and Σ du·(x − mean) to two rows of totals. */
function sumRows<A>(first: usize, count: i32, totals: usize): void {
  const columns = args.columns, row = args.row, next = stride(columns);
  for (let j = 0; j < columns; j += 4) {
    const at = 4 * <usize>j, c = args.work + at, left = columns - j;
    const high = v128.load(c), low = v128.load(c + LOW * next), scale = v128.load(c + SCALE * next), beta = v128.load(c + BETA * next);
    let x = args.x + first * row + at, dy = args.dy + first * row + at, to = args.y + first * row + at;
    const writes = args.y != 0;
    let sum = f32x4.splat(0), product = f32x4.splat(0);
    for (let i = 0; i < count; i++, x += row, dy += row, to += row) {
      const d = f32x4.sub(f32x4.sub(read(x, left), high), low);
      const du = changetype<A>(0).grad(madd(d, scale, beta), read(dy, left));
      if (writes) write(to, du, left);
      sum = f32x4.add(sum, du);
      product = madd(du, d, product);
    }
    addFour(totals + 2 * at, sum);
    addFour(totals + 2 * next + 2 * at, product);
  }
}

/** totals (f64) += four float32 numbers. */
// @ts-ignore: decorator
@inline
function addFour(totals: usize, x: v128): void {
  v128.store(totals, f64x2.add(v128.load(totals), f64x2.promote_low_f32x4(x)));
  v128.store(totals, f64x2.add(v128.load(totals, 16), f64x2.promote_low_f32x4(v128.shuffle<f32>(x, x, 2, 3, 2, 3))), 16);
}

function gradPart(part: i32, parts: i32, _work: usize): void {
  const end = cut(args.rows, part + 1, parts, 1);
  for (let r = cut(args.rows, part, parts, 1); r < end; r += ROWS) gradRows(<usize>r, min(ROWS, end - r));
}

function gradRows(first: usize, count: i32): void {
  const columns = args.columns, row = args.row, next = stride(columns), sloped = args.sloped, accumulate = args.accumulate;
  for (let j = 0; j < columns; j += 4) {
    const at = 4 * <usize>j, c = args.work + at, left = columns - j;
    const high = v128.load(c), low = v128.load(c + LOW * next), scale = v128.load(c + SCALE * next);
    const mean = v128.load(c + MEAN * next), slope = v128.load(c + SLOPE * next);
    let x = args.x + first * row + at, du = args.dy + first * row + at, dx = args.y + first * row + at;
    for (let i = 0; i < count; i++, x += row, du += row, dx += row) {
      let v = read(du, left);
      if (sloped) {
        const d = f32x4.sub(f32x4.sub(read(x, left), high), low);
        v = f32x4.sub(f32x4.sub(v, mean), f32x4.mul(d, slope));
      }
      v = f32x4.mul(v, scale);
      write(dx, accumulate ? f32x4.add(read(dx, left), v) : v, left);
    }
  }
}
