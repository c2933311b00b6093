// Convolution of each channel by itself, multiplier 1. The inner loops take four channels at a time.

import { madd } from "./madd";
import {
  batch, channels, dilationX, dilationY, endTap, firstTap, height, kernelHeight, kernelWidth, outHeight, outWidth, padLeft, padTop,
  readSizes, readTurnedSizes, strideX, strideY, width,
} from "./sizes";
import { firstWindow, frameNumbers, pitch, planStrips, rowsHere, strip, strips } from "./strips";
import { argument, cut, partsFor, run, setArgument } from "./threads";

/** Multiplications worth a part. */
const PART: i32 = 1 << 17;
const MOST_PARTS: i32 = 64;
/** A kernel's gradient is summed by so many parts at most. */
const MOST_SUMS: i32 = 16;

function products(): i32 {
  return <i32>min<i64>(i32.MAX_VALUE, <i64>(batch * outHeight) * outWidth * channels * kernelHeight * kernelWidth);
}

function plan(turned: bool): void {
  if (turned) readTurnedSizes();
  else readSizes();
  planStrips(i32.MAX_VALUE, 1);
}

/** Whether the kernel is 3 × 3 with taps and outputs side by side, for which there are loops of their own, four channels at a time. */
function isNine(): bool {
  return kernelHeight == 3 && kernelWidth == 3 && dilationX == 1 && strideX == 1 && channels >= 4;
}

/**
 * Bytes of work memory that each thread needs for itself: a frame, and a row of the output, which the loops for 3 × 3 walk in steps of a
 * pixel, and memory had rather front to back. `turned`: for the convolution that leads from dy back to x at stride 1.
 */
export function depthwiseOwn(turned: bool): i32 {
  plan(turned);
  return (4 * (frameNumbers() + outWidth * channels) + 63) & ~63;
}

/** y (+)= x ∗ kernel. */
export function depthwise(x: usize, kernel: usize, y: usize, accumulate: bool, work: usize): void {
  convolve(false, x, kernel, y, accumulate, work);
}

function convolve(turned: bool, x: usize, kernel: usize, y: usize, accumulate: bool, work: usize): void {
  const own = depthwiseOwn(turned);
  setArgument(0, turned);
  setArgument(1, <i32>x);
  setArgument(2, <i32>kernel);
  setArgument(3, <i32>y);
  setArgument(4, accumulate);
  run(stripsPart, max(1, min(strips, partsFor(products(), PART, MOST_PARTS))), work, own);
}

function stripsPart(part: i32, parts: i32, work: usize): void {
  plan(argument(0) != 0);
  const kernel = <usize>argument(2);
  const accumulate = argument(4) != 0;
  const pixel: usize = 4 * <usize>channels;
  const buffer = work + 4 * <usize>frameNumbers();
  const across: usize = <usize>strideX * pixel;
  const whole: usize = pixel & ~15;
  const nine = isNine() && !accumulate;
  const end = cut(strips, part + 1, parts, 1);
  for (let index = cut(strips, part, parts, 1); index < end; index++) {
    let row = strip(index, <usize>argument(1), work);
    let y = <usize>argument(3) + <usize>firstWindow(index) * pixel;
    for (let r = 0; r < rowsHere; r++, row += <usize>strideY * pitch) {
      let x = row;
      let left = outWidth;
      if (nine) {
        const line: usize = <usize>dilationY * pitch;
        for (let c: usize = 0; c < whole; c += 16) nineTaps(outWidth & ~3, x + c, line, kernel + c, pixel, buffer + c);
        memory.copy(y, buffer, (outWidth & ~3) * pixel);
      }
      for (; left >= 4; left -= 4, x += 4 * across, y += 4 * pixel) {
        if (!nine) four(x, across, kernel, y, accumulate);
        if (whole < pixel) for (let i: usize = 0; i < 4; i++) one(x + i * across, kernel, y + i * pixel, whole, accumulate);
      }
      for (; left > 0; left--, x += across, y += pixel) one(x, kernel, y, 0, accumulate);
    }
  }
}

/** Four outputs side by side, four channels of each at a time. */
function four(x: usize, across: usize, kernel: usize, y: usize, accumulate: bool): void {
  const pixel: usize = 4 * <usize>channels;
  const step: usize = <usize>dilationX * pixel;
  const line: usize = <usize>dilationY * pitch;
  for (let c: usize = 0; c + 16 <= pixel; c += 16, x += 16, y += 16) {
    let s0 = accumulate ? v128.load(y) : f32x4.splat(0);
    let s1 = accumulate ? v128.load(y + pixel) : f32x4.splat(0);
    let s2 = accumulate ? v128.load(y + 2 * pixel) : f32x4.splat(0);
    let s3 = accumulate ? v128.load(y + 3 * pixel) : f32x4.splat(0);
    let k = kernel + c;
    let row = x;
    for (let ky = 0; ky < kernelHeight; ky++, row += line) {
      let p = row;
      for (let kx = 0; kx < kernelWidth; kx++, p += step, k += pixel) {
        const tap = v128.load(k);
        s0 = madd(v128.load(p), tap, s0);
        s1 = madd(v128.load(p + across), tap, s1);
        s2 = madd(v128.load(p + 2 * across), tap, s2);
        s3 = madd(v128.load(p + 3 * across), tap, s3);
      }
    }
    v128.store(y, s0);
    v128.store(y + pixel, s1);
    v128.store(y + 2 * pixel, s2);
    v128.store(y + 3 * pixel, s3);
  }
}

/**
 * Four channels of a row of outputs, four outputs at a time, for kernels of 3 × 3 at stride 1, the commonest. In a form that V8 keeps in
 * registers: see tile.ts.
 */
export function nineTaps(count: i32, x: usize, line: usize, kernel: usize, pixel: usize, y: usize): void {
  const k00 = v128.load(kernel), k01 = v128.load(kernel + pixel), k02 = v128.load(kernel + 2 * pixel);
  kernel += 3 * pixel;
  const k10 = v128.load(kernel), k11 = v128.load(kernel + pixel), k12 = v128.load(kernel + 2 * pixel);
  kernel += 3 * pixel;
  const k20 = v128.load(kernel), k21 = v128.load(kernel + pixel), k22 = v128.load(kernel + 2 * pixel);
  const zero = f32x4.splat(0); // the sums begin with it, or some were -0
  for (const end = y + <usize>count * pixel; y < end; y += 4 * pixel, x += 4 * pixel) {
    let v = v128.load(x);
    let s0 = madd(v, k00, zero);
    v = v128.load(x + pixel);
    s0 = madd(v, k01, s0);
    let s1 = madd(v, k00, zero);
    v = v128.load(x + 2 * pixel);
    s0 = madd(v, k02, s0);
    s1 = madd(v, k01, s1);
    let s2 = madd(v, k00, zero);
    v = v128.load(x + 3 * pixel);
    s1 = madd(v, k02, s1);
    s2 = madd(v, k01, s2);
    let s3 = madd(v, k00, zero);
    v = v128.load(x + 4 * pixel);
    s2 = madd(v, k02, s2);
    s3 = madd(v, k01, s3);
    v = v128.load(x + 5 * pixel);
    s3 = madd(v, k02, s3);
    const p = x + line;
    v = v128.load(p);
    s0 = madd(v, k10, s0);
    v = v128.load(p + pixel);
    s0 = madd(v, k11, s0);
    s1 = madd(v, k10, s1);
    v = v128.load(p + 2 * pixel);
    s0 = madd(v, k12, s0);
    s1 = madd(v, k11, s1);
    s2 = madd(v, k10, s2);
    v = v128.load(p + 3 * pixel);
    s1 = madd(v, k12, s1);
    s2 = madd(v, k11, s2);
    s3 = madd(v, k10, s3);
    v = v128.load(p + 4 * pixel);
    s2 = madd(v, k12, s2);
    s3 = madd(v, k11, s3);
    v = v128.load(p + 5 * pixel);
    s3 = madd(v, k12, s3);
    const q = p + line;
    v = v128.load(q);
    s0 = madd(v, k20, s0);
    v = v128.load(q + pixel);
    s0 = madd(v, k21, s0);
    s1 = madd(v, k20, s1);
    v = v128.load(q + 2 * pixel);
    s0 = madd(v, k22, s0);
    s1 = madd(v, k21, s1);
    s2 = madd(v, k20, s2);
    v = v128.load(q + 3 * pixel);
    s1 = madd(v, k22, s1);
    s2 = madd(v, k21, s2);
    s3 = madd(v, k20, s3);
    v = v128.load(q + 4 * pixel);
    s2 = madd(v, k22, s2);
    s3 = madd(v, k21, s3);
    v = v128.load(q + 5 * pixel);
    s3 = madd(v, k22, s3);
    v128.store(y, s0);
    v128.store(y + pixel, s1);
    v128.store(y + 2 * pixel, s2);
    v128.store(y + 3 * pixel, s3);
  }
}

/** One output, its channels from byte `c` on. */
function one(x: usize, kernel: usize, y: usize, c: usize, accumulate: bool): void {
  const pixel: usize = 4 * <usize>channels;
  const step: usize = <usize>dilationX * pixel;
  const line: usize = <usize>dilationY * pitch;
  for (; c + 16 <= pixel; c += 16) {
    let sum = accumulate ? v128.load(y + c) : f32x4.splat(0);
    let k = kernel + c;
    let row = x + c;
    for (let ky = 0; ky < kernelHeight; ky++, row += line) {
      for (let kx = 0, p = row; kx < kernelWidth; kx++, p += step, k += pixel) sum = madd(v128.load(p), v128.load(k), sum);
    }
    v128.store(y + c, sum);
  }
  for (; c < pixel; c += 4) {
    let sum: f32 = accumulate ? load<f32>(y + c) : 0;
    let k = kernel + c;
    let row = x + c;
    for (let ky = 0; ky < kernelHeight; ky++, row += line) {
      for (let kx = 0, p = row; kx < kernelWidth; kx++, p += step, k += pixel) sum += load<f32>(p) * load<f32>(k);
    }
    store<f32>(y + c, sum);
  }
}

/**
 * dx (+)= dy ∗ kernel, the other way. At stride 1 that is a convolution with the kernel turned round, for which `shared` has room; otherwise
 * products are added where their taps were read.
 */
export function depthwiseInputGrad(dy: usize, kernel: usize, dx: usize, accumulate: bool, shared: usize, work: usize): void {
  readSizes();
  if (strideY == 1 && strideX == 1) {
    const pixel: usize = 4 * <usize>channels;
    const taps = kernelHeight * kernelWidth;
    for (let tap = 0; tap < taps; tap++) memory.copy(shared + <usize>tap * pixel, kernel + <usize>(taps - 1 - tap) * pixel, pixel);
    return convolve(true, dy, shared, dx, accumulate, work);
  }
  setArgument(1, <i32>dy);
  setArgument(2, <i32>kernel);
  setArgument(3, <i32>dx);
  setArgument(4, accumulate);
  run(scatterPart, min(batch, partsFor(products(), PART, MOST_PARTS)), 0, 0);
}

/** dx of some images at any stride: every product where its tap was read. */
function scatterPart(part: i32, parts: i32, _work: usize): void {
  readSizes();
  const pixel: usize = 4 * <usize>channels;
  const tapRow: usize = <usize>kernelWidth * pixel;
  const size: usize = <usize>(height * width) * pixel;
  const kernel = <usize>argument(2);
  const end = cut(batch, part + 1, parts, 1);
  for (let b = cut(batch, part, parts, 1); b < end; b++) {
    const image = <usize>argument(3) + <usize>b * size;
    let dy = <usize>argument(1) + <usize>(b * outHeight * outWidth) * pixel;
    if (argument(4) == 0) memory.fill(image, 0, size);
    for (let oy = 0; oy < outHeight; oy++) {
      const top = oy * strideY - padTop;
      const ky0 = firstTap(top, dilationY);
      const ky1 = endTap(top, dilationY, kernelHeight, height);
      for (let ox = 0; ox < outWidth; ox++, dy += pixel) {
        const left = ox * strideX - padLeft;
        const kx0 = firstTap(left, dilationX);
        const kx1 = endTap(left, dilationX, kernelWidth, width);
        for (let ky = ky0; ky < ky1; ky++) {
          let at = image + <usize>((top + ky * dilationY) * width + left + kx0 * dilationX) * pixel;
          let tap = kernel + <usize>ky * tapRow + <usize>kx0 * pixel;
          for (let kx = kx0; kx < kx1; kx++, at += <usize>dilationX * pixel, tap += pixel) addProducts(pixel, dy, tap, at);
        }
      }
    }
  }
}

/** c += a·b, `bytes` of each. */
// @ts-ignore: decorator
@inline
function addProducts(bytes: usize, a: usize, b: usize, c: usize): void {
  let i: usize = 0;
  for (; i + 16 <= bytes; i += 16) v128.store(c + i, madd(v128.load(a + i), v128.load(b + i), v128.load(c + i)));
  for (; i < bytes; i += 4) store<f32>(c + i, load<f32>(c + i) + load<f32>(a + i) * load<f32>(b + i));
}

function sumParts(): i32 {
  return max(1, min(strips, partsFor(products(), PART, MOST_SUMS)));
}

/** Bytes for the partial sums of the kernel's gradient. */
export function depthwiseKernelGradShared(): i32 {
  plan(false);
  return 4 * sumParts() * kernelHeight * kernelWidth * channels;
}

/** dkernel (+)= Σ x·dy: some strips are one part, and the parts are added in order. */
export function depthwiseKernelGrad(x: usize, dy: usize, dkernel: usize, accumulate: bool, shared: usize, work: usize): void {
  const own = depthwiseOwn(false);
  setArgument(1, <i32>x);
  setArgument(2, <i32>dy);
  setArgument(3, <i32>shared);
  const parts = sumParts();
  const size: usize = 4 * <usize>(kernelHeight * kernelWidth * channels);
  run(kernelGradPart, parts, work, own);
  if (!accumulate) memory.fill(dkernel, 0, size);
  for (let part = 0; part < parts; part++) {
    const sums = shared + <usize>part * size;
    let i: usize = 0;
    for (; i + 16 <= size; i += 16) v128.store(dkernel + i, f32x4.add(v128.load(dkernel + i), v128.load(sums + i)));
    for (; i < size; i += 4) store<f32>(dkernel + i, load<f32>(dkernel + i) + load<f32>(sums + i));
  }
}

function kernelGradPart(part: i32, parts: i32, work: usize): void {
  plan(false);
  const pixel: usize = 4 * <usize>channels;
  const step: usize = <usize>dilationX * pixel;
  const across: usize = <usize>strideX * pixel;
  const sums = <usize>argument(3) + <usize>(part * kernelHeight * kernelWidth) * pixel;
  memory.fill(sums, 0, <usize>(kernelHeight * kernelWidth) * pixel);
  const nine = isNine();
  const buffer = work + 4 * <usize>frameNumbers();
  const end = cut(strips, part + 1, parts, 1);
  for (let index = cut(strips, part, parts, 1); index < end; index++) {
    let row = strip(index, <usize>argument(1), work);
    let dy = <usize>argument(2) + <usize>firstWindow(index) * pixel;
    const line: usize = <usize>dilationY * pitch;
    for (let r = 0; r < rowsHere; r++, row += <usize>strideY * pitch, dy += <usize>outWidth * pixel) {
      let c: usize = 0;
      let even = 0;
      if (nine) {
        even = outWidth & ~1;
        memory.copy(buffer, dy, <usize>outWidth * pixel);
        for (; c + 16 <= pixel; c += 16) nineSums(even, row + c, line, buffer + c, pixel, sums + c);
      }
      let to = sums;
      for (let ky = 0; ky < kernelHeight; ky++) {
        for (let kx = 0; kx < kernelWidth; kx++, to += pixel) {
          const p = row + <usize>ky * line + <usize>kx * step;
          sumProducts(outWidth, p, across, dy, c, pixel, to);
          if (even < outWidth) sumProducts(outWidth - even, p + <usize>even * across, across, dy + <usize>even * pixel, 0, c, to);
        }
      }
    }
  }
}

/**
 * Four channels of the sums [3, 3, channels] += Σ over `count` pixels, an even number, of x·dy at stride 1, two pixels at a time. In a form
 * that V8 keeps in registers: see tile.ts.
 */
export function nineSums(count: i32, x: usize, line: usize, dy: usize, pixel: usize, sums: usize): void {
  const row1 = sums + 3 * pixel;
  const row2 = row1 + 3 * pixel;
  let s00 = v128.load(sums), s01 = v128.load(sums + pixel), s02 = v128.load(sums + 2 * pixel);
  let s10 = v128.load(row1), s11 = v128.load(row1 + pixel), s12 = v128.load(row1 + 2 * pixel);
  let s20 = v128.load(row2), s21 = v128.load(row2 + pixel), s22 = v128.load(row2 + 2 * pixel);
  for (const end = dy + <usize>count * pixel; dy < end; dy += 2 * pixel, x += 2 * pixel) {
    const d = v128.load(dy);
    const e = v128.load(dy + pixel);
    let v = v128.load(x);
    s00 = madd(v, d, s00);
    v = v128.load(x + pixel);
    s01 = madd(v, d, s01);
    s00 = madd(v, e, s00);
    v = v128.load(x + 2 * pixel);
    s02 = madd(v, d, s02);
    s01 = madd(v, e, s01);
    v = v128.load(x + 3 * pixel);
    s02 = madd(v, e, s02);
    const p = x + line;
    v = v128.load(p);
    s10 = madd(v, d, s10);
    v = v128.load(p + pixel);
    s11 = madd(v, d, s11);
    s10 = madd(v, e, s10);
    v = v128.load(p + 2 * pixel);
    s12 = madd(v, d, s12);
    s11 = madd(v, e, s11);
    v = v128.load(p + 3 * pixel);
    s12 = madd(v, e, s12);
    const q = p + line;
    v = v128.load(q);
    s20 = madd(v, d, s20);
    v = v128.load(q + pixel);
    s21 = madd(v, d, s21);
    s20 = madd(v, e, s20);
    v = v128.load(q + 2 * pixel);
    s22 = madd(v, d, s22);
    s21 = madd(v, e, s21);
    v = v128.load(q + 3 * pixel);
    s22 = madd(v, e, s22);
  }
  v128.store(sums, s00);
  v128.store(sums + pixel, s01);
  v128.store(sums + 2 * pixel, s02);
  v128.store(row1, s10);
  v128.store(row1 + pixel, s11);
  v128.store(row1 + 2 * pixel, s12);
  v128.store(row2, s20);
  v128.store(row2 + pixel, s21);
  v128.store(row2 + 2 * pixel, s22);
}

/** sums [channels] += Σ over `count` pixels of x·dy, the channels from byte `c` to byte `last`. */
function sumProducts(count: i32, x: usize, across: usize, dy: usize, c: usize, last: usize, sums: usize): void {
  const pixel: usize = 4 * <usize>channels;
  const end = dy + <usize>count * pixel;
  for (; c + 16 <= last; c += 16) {
    let sum = v128.load(sums + c);
    for (let p = x + c, q = dy + c; q < end; p += across, q += pixel) sum = madd(v128.load(p), v128.load(q), sum);
    v128.store(sums + c, sum);
  }
  for (; c < last; c += 4) {
    let sum = load<f32>(sums + c);
    for (let p = x + c, q = dy + c; q < end; p += across, q += pixel) sum += load<f32>(p) * load<f32>(q);
    store<f32>(sums + c, sum);
  }
}
