// Each loop beside its gradient, as in activations.ts and pairwise.ts. Four numbers at a time, the rest one by one.

import { argument, cut, numberArgument, Part, partsFor, run, setArgument, setNumberArgument } from "./threads";

/** Numbers worth a part. */
const PART: i32 = 1 << 15;
const MOST_PARTS: i32 = 64;

/** Runs a part function over n numbers of up to four arrays. */
function each(job: Part, n: i32, a: usize, b: usize, c: usize, accumulate: bool): void {
  setArgument(0, n);
  setArgument(1, <i32>a);
  setArgument(2, <i32>b);
  setArgument(3, <i32>c);
  setArgument(4, accumulate);
  run(job, partsFor(n, PART, MOST_PARTS), 0, 0);
}

export function relu(n: i32, x: usize, y: usize): void {
  each(reluPart, n, x, y, 0, false);
}

function reluPart(part: i32, parts: i32, _work: usize): void {
  const zero = f32x4.splat(0);
  let i = cut(argument(0), part, parts, 16);
  const end = cut(argument(0), part + 1, parts, 16);
  let x = <usize>argument(1) + 4 * <usize>i;
  let y = <usize>argument(2) + 4 * <usize>i;
  for (; i + 4 <= end; i += 4, x += 16, y += 16) {
    const v = v128.load(x);
    v128.store(y, v128.andnot(v, f32x4.lt(v, zero))); // v < 0 is false for NaN: it stays
  }
  for (; i < end; i++, x += 4, y += 4) {
    const v = load<f32>(x);
    store<f32>(y, v < 0 ? 0 : v);
  }
}

export function reluGrad(n: i32, x: usize, dy: usize, dx: usize, accumulate: bool): void {
  each(reluGradPart, n, x, dy, dx, accumulate);
}

function reluGradPart(part: i32, parts: i32, _work: usize): void {
  const zero = f32x4.splat(0);
  let i = cut(argument(0), part, parts, 16);
  const end = cut(argument(0), part + 1, parts, 16);
  let x = <usize>argument(1) + 4 * <usize>i;
  let dy = <usize>argument(2) + 4 * <usize>i;
  let dx = <usize>argument(3) + 4 * <usize>i;
  const accumulate = argument(4) != 0;
  for (; i + 4 <= end; i += 4, x += 16, dy += 16, dx += 16) {
    const d = v128.and(v128.load(dy), f32x4.gt(v128.load(x), zero));
    v128.store(dx, accumulate ? f32x4.add(v128.load(dx), d) : d);
  }
  for (; i < end; i++, x += 4, dy += 4, dx += 4) {
    const d: f32 = load<f32>(x) > 0 ? load<f32>(dy) : 0;
    store<f32>(dx, accumulate ? load<f32>(dx) + d : d);
  }
}

export function add(n: i32, a: usize, b: usize, y: usize): void {
  each(addPart, n, a, b, y, false);
}

function addPart(part: i32, parts: i32, _work: usize): void {
  let i = cut(argument(0), part, parts, 16);
  const end = cut(argument(0), part + 1, parts, 16);
  let a = <usize>argument(1) + 4 * <usize>i;
  let b = <usize>argument(2) + 4 * <usize>i;
  let y = <usize>argument(3) + 4 * <usize>i;
  for (; i + 4 <= end; i += 4, a += 16, b += 16, y += 16) v128.store(y, f32x4.add(v128.load(a), v128.load(b)));
  for (; i < end; i++, a += 4, b += 4, y += 4) store<f32>(y, load<f32>(a) + load<f32>(b));
}

export function mul(n: i32, a: usize, b: usize, y: usize, accumulate: bool): void {
  each(mulPart, n, a, b, y, accumulate);
}

function mulPart(part: i32, parts: i32, _work: usize): void {
  let i = cut(argument(0), part, parts, 16);
  const end = cut(argument(0), part + 1, parts, 16);
  let a = <usize>argument(1) + 4 * <usize>i;
  let b = <usize>argument(2) + 4 * <usize>i;
  let y = <usize>argument(3) + 4 * <usize>i;
  const accumulate = argument(4) != 0;
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
  setNumberArgument(8, scale);
  each(axpyPart, n, x, y, 0, accumulate);
}

function axpyPart(part: i32, parts: i32, _work: usize): void {
  let i = cut(argument(0), part, parts, 16);
  const end = cut(argument(0), part + 1, parts, 16);
  let x = <usize>argument(1) + 4 * <usize>i;
  let y = <usize>argument(2) + 4 * <usize>i;
  const accumulate = argument(4) != 0;
  const scale = <f32>numberArgument(8);
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

/** dx [outer, n, inner] (+)= scale·dy [outer, inner]. */
export function sumGrad(outer: i32, n: i32, inner: i32, dy: usize, dx: usize, scale: f32, accumulate: bool): void {
  setNumberArgument(8, scale);
  setArgument(5, n);
  setArgument(6, inner);
  setArgument(0, outer * n);
  setArgument(1, <i32>dy);
  setArgument(2, <i32>dx);
  setArgument(4, accumulate);
  run(sumGradPart, min(max(1, outer * n), partsFor(outer * n * inner, PART, MOST_PARTS)), 0, 0);
}

function sumGradPart(part: i32, parts: i32, _work: usize): void {
  const n = argument(5);
  const inner = argument(6);
  const accumulate = argument(4) != 0;
  const scale = <f32>numberArgument(8);
  const scales = f32x4.splat(scale);
  const end = cut(argument(0), part + 1, parts, 1);
  let row = cut(argument(0), part, parts, 1);
  let dx = <usize>argument(2) + 4 * <usize>row * inner;
  for (; row < end; row++) {
    const dy = <usize>argument(1) + 4 * <usize>((row / n) * inner);
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

/** Partial sums of columns: parts are rows, so that they depend on sizes only. */
function sumParts(n: i32, inner: i32): i32 {
  return min(max(1, n), partsFor(n * inner, PART, 16));
}

/** Bytes of work memory that `sumColumns` needs. */
export function sumColumnsWork(n: i32, inner: i32): i32 {
  return 8 * inner * sumParts(n, inner);
}

/** y [inner] (+)= scale·Σₙ x [n, inner], in double precision. */
export function sumColumns(n: i32, inner: i32, x: usize, y: usize, scale: f64, accumulate: bool, work: usize): void {
  setArgument(0, n);
  setArgument(1, inner);
  setArgument(2, <i32>x);
  setArgument(3, <i32>work);
  const parts = sumParts(n, inner);
  run(sumColumnsPart, parts, 0, 0);
  for (let j = 0; j < inner; j++) {
    let sum: f64 = 0;
    for (let p = 0; p < parts; p++) sum += load<f64>(work + 8 * <usize>(p * inner + j));
    const to = y + 4 * <usize>j;
    store<f32>(to, <f32>(accumulate ? <f64>load<f32>(to) + sum * scale : sum * scale));
  }
}

function sumColumnsPart(part: i32, parts: i32, _work: usize): void {
  const inner = argument(1);
  const first = cut(argument(0), part, parts, 1);
  const n = cut(argument(0), part + 1, parts, 1) - first;
  const row: usize = 4 * <usize>inner;
  const x = <usize>argument(2) + <usize>first * row;
  const totals = <usize>argument(3) + 8 * <usize>(part * inner);
  // Eight columns at a time, from top to bottom, so that the sums stay in registers.
  let j = 0;
  for (; j + 8 <= inner; j += 8) {
    let s0 = f64x2.splat(0), s1 = f64x2.splat(0), s2 = f64x2.splat(0), s3 = f64x2.splat(0);
    let p = x + 4 * <usize>j;
    for (let i = 0; i < n; i++, p += row) {
      const v = v128.load(p);
      const w = v128.load(p, 16);
      s0 = f64x2.add(s0, f64x2.promote_low_f32x4(v));
      s1 = f64x2.add(s1, f64x2.promote_low_f32x4(v128.shuffle<f32>(v, v, 2, 3, 2, 3)));
      s2 = f64x2.add(s2, f64x2.promote_low_f32x4(w));
      s3 = f64x2.add(s3, f64x2.promote_low_f32x4(v128.shuffle<f32>(w, w, 2, 3, 2, 3)));
    }
    const to = totals + 8 * <usize>j;
    v128.store(to, s0);
    v128.store(to, s1, 16);
    v128.store(to, s2, 32);
    v128.store(to, s3, 48);
  }
  for (; j < inner; j++) {
    let sum: f64 = 0;
    let p = x + 4 * <usize>j;
    for (let i = 0; i < n; i++, p += row) sum += <f64>load<f32>(p);
    store<f64>(totals + 8 * <usize>j, sum);
  }
}
