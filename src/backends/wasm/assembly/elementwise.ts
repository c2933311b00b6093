// The elementwise kernels that need no float64: ReLU, addition, multiplication, scaling, and repetition along an axis
// (`sumGrad`).
//
// - Layout: arrays of n numbers.
// - Vectors: four numbers; a scalar loop takes the rest.
// - Parts: ranges that begin at multiples of 16 numbers (a cache line). No work memory.
//
// The loops are written out: each has 2 or 3 arrays and its own instruction. map.ts holds the ops that compute in
// float64.

import { ARGUMENTS, cut, Part, partsFor, run } from "./threads";

/** A part has at least this number of elements. */
const PART: i32 = 1 << 15;
const MOST_PARTS: i32 = 64;

/**
 * The arguments of the parts: n numbers of up to three arrays. For `sumGrad`, n rows [outer, count] of `inner` numbers.
 */
@unmanaged
class Arguments {
  n: i32;
  accumulate: bool;
  a: usize;
  b: usize;
  c: usize;
  count: i32;
  inner: i32;
  scale: f32;
}
const args = changetype<Arguments>(ARGUMENTS);

/** Runs a part function over n numbers of up to three arrays. */
function runEach(job: Part, n: i32, a: usize, b: usize, c: usize, accumulate: bool): void {
  args.n = n;
  args.a = a;
  args.b = b;
  args.c = c;
  args.accumulate = accumulate;
  run(job, partsFor(n, PART, MOST_PARTS), 0, 0);
}

/** y = max(x, 0); NaN stays NaN. */
export function relu(n: i32, x: usize, y: usize): void {
  runEach(reluPart, n, x, y, 0, false);
}

function reluPart(part: i32, parts: i32, _work: usize): void {
  const zero = f32x4.splat(0);
  let i = cut(args.n, part, parts, 16);
  const end = cut(args.n, part + 1, parts, 16);
  let x = args.a + 4 * <usize>i;
  let y = args.b + 4 * <usize>i;
  for (; i + 4 <= end; i += 4, x += 16, y += 16) {
    const v = v128.load(x);
    v128.store(y, v128.andnot(v, f32x4.lt(v, zero))); // v < 0 is false for NaN, so NaN stays
  }
  for (; i < end; i++, x += 4, y += 4) {
    const v = load<f32>(x);
    store<f32>(y, v < 0 ? 0 : v);
  }
}

/** dx (+)= dy if x > 0. */
export function reluGrad(n: i32, x: usize, dy: usize, dx: usize, accumulate: bool): void {
  runEach(reluGradPart, n, x, dy, dx, accumulate);
}

function reluGradPart(part: i32, parts: i32, _work: usize): void {
  const zero = f32x4.splat(0);
  let i = cut(args.n, part, parts, 16);
  const end = cut(args.n, part + 1, parts, 16);
  let x = args.a + 4 * <usize>i;
  let dy = args.b + 4 * <usize>i;
  let dx = args.c + 4 * <usize>i;
  const accumulate = args.accumulate;
  for (; i + 4 <= end; i += 4, x += 16, dy += 16, dx += 16) {
    const d = v128.and(v128.load(dy), f32x4.gt(v128.load(x), zero));
    v128.store(dx, accumulate ? f32x4.add(v128.load(dx), d) : d);
  }
  for (; i < end; i++, x += 4, dy += 4, dx += 4) {
    const d: f32 = load<f32>(x) > 0 ? load<f32>(dy) : 0;
    store<f32>(dx, accumulate ? load<f32>(dx) + d : d);
  }
}

/** y = a + b. */
export function add(n: i32, a: usize, b: usize, y: usize): void {
  runEach(addPart, n, a, b, y, false);
}

function addPart(part: i32, parts: i32, _work: usize): void {
  let i = cut(args.n, part, parts, 16);
  const end = cut(args.n, part + 1, parts, 16);
  let a = args.a + 4 * <usize>i;
  let b = args.b + 4 * <usize>i;
  let y = args.c + 4 * <usize>i;
  for (; i + 4 <= end; i += 4, a += 16, b += 16, y += 16) v128.store(y, f32x4.add(v128.load(a), v128.load(b)));
  for (; i < end; i++, a += 4, b += 4, y += 4) store<f32>(y, load<f32>(a) + load<f32>(b));
}

/** y (+)= a·b. */
export function mul(n: i32, a: usize, b: usize, y: usize, accumulate: bool): void {
  runEach(mulPart, n, a, b, y, accumulate);
}

function mulPart(part: i32, parts: i32, _work: usize): void {
  let i = cut(args.n, part, parts, 16);
  const end = cut(args.n, part + 1, parts, 16);
  let a = args.a + 4 * <usize>i;
  let b = args.b + 4 * <usize>i;
  let y = args.c + 4 * <usize>i;
  const accumulate = args.accumulate;
  for (; i + 4 <= end; i += 4, a += 16, b += 16, y += 16) {
    const d = f32x4.mul(v128.load(a), v128.load(b));
    v128.store(y, accumulate ? f32x4.add(v128.load(y), d) : d);
  }
  for (; i < end; i++, a += 4, b += 4, y += 4) {
    const d = load<f32>(a) * load<f32>(b);
    store<f32>(y, accumulate ? load<f32>(y) + d : d);
  }
}

/** y (+)= scale·x. */
export function axpy(n: i32, scale: f32, x: usize, y: usize, accumulate: bool): void {
  args.scale = scale;
  runEach(axpyPart, n, x, y, 0, accumulate);
}

function axpyPart(part: i32, parts: i32, _work: usize): void {
  let i = cut(args.n, part, parts, 16);
  const end = cut(args.n, part + 1, parts, 16);
  let x = args.a + 4 * <usize>i;
  let y = args.b + 4 * <usize>i;
  const accumulate = args.accumulate;
  const scale = args.scale;
  const scales = f32x4.splat(scale);
  for (; i + 4 <= end; i += 4, x += 16, y += 16) {
    const d = f32x4.mul(scales, v128.load(x));
    v128.store(y, accumulate ? f32x4.add(v128.load(y), d) : d);
  }
  for (; i < end; i++, x += 4, y += 4) {
    const d = scale * load<f32>(x);
    store<f32>(y, accumulate ? load<f32>(y) + d : d);
  }
}

/** y = −x. */
export function neg(n: i32, x: usize, y: usize): void {
  axpy(n, -1, x, y, false);
}

/** dx (+)= −dy. */
export function negGrad(n: i32, dy: usize, dx: usize, accumulate: bool): void {
  axpy(n, -1, dy, dx, accumulate);
}

/** dx (+)= dy·y. */
export function expGrad(n: i32, y: usize, dy: usize, dx: usize, accumulate: bool): void {
  mul(n, dy, y, dx, accumulate);
}

/** dx [outer, count, inner] (+)= scale·dy [outer, inner]. */
export function sumGrad(n: i32, outer: i32, count: i32, inner: i32, dy: usize, dx: usize, scale: f32, accumulate: bool): void {
  args.n = outer * count;
  args.count = count;
  args.inner = inner;
  args.a = dy;
  args.b = dx;
  args.scale = scale;
  args.accumulate = accumulate;
  run(sumGradPart, min(max(1, outer * count), partsFor(n, PART, MOST_PARTS)), 0, 0);
}

function sumGradPart(part: i32, parts: i32, _work: usize): void {
  const count = args.count;
  const inner = args.inner;
  const accumulate = args.accumulate;
  const scale = args.scale;
  const scales = f32x4.splat(scale);
  const end = cut(args.n, part + 1, parts, 1);
  let row = cut(args.n, part, parts, 1);
  if (inner == 1) return repeatNumbers(row, end);
  let dx = args.b + 4 * <usize>row * inner;
  for (; row < end; row++) {
    const dy = args.a + 4 * <usize>((row / count) * inner);
    let j = 0;
    for (; j + 4 <= inner; j += 4, dx += 16) {
      const d = f32x4.mul(scales, v128.load(dy + 4 * <usize>j));
      v128.store(dx, accumulate ? f32x4.add(v128.load(dx), d) : d);
    }
    for (; j < inner; j++, dx += 4) {
      const d = scale * load<f32>(dy + 4 * <usize>j);
      store<f32>(dx, accumulate ? load<f32>(dx) + d : d);
    }
  }
}

/** Rows begin … end - 1 of `sumGrad`, of one number each. */
function repeatNumbers(begin: i32, end: i32): void {
  const accumulate = args.accumulate;
  for (let row = begin; row < end; ) {
    const group = row / args.count, next = min(end, (group + 1) * args.count);
    const d = args.scale * load<f32>(args.a + 4 * <usize>group), ds = f32x4.splat(d);
    let dx = args.b + 4 * <usize>row;
    for (; row + 4 <= next; row += 4, dx += 16) v128.store(dx, accumulate ? f32x4.add(v128.load(dx), ds) : ds);
    for (; row < next; row++, dx += 4) store<f32>(dx, accumulate ? load<f32>(dx) + d : d);
  }
}
