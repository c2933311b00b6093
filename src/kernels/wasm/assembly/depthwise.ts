// Convolution of each channel by itself, multiplier 1.

import { madd } from "./madd";
import {
  batch, channels, dilationX, dilationY, endTap, firstTap, height, kernelHeight, kernelWidth, outHeight, outWidth, padLeft, padTop,
  readSizes, readTurnedSizes, strideX, strideY, width,
} from "./sizes";
import { argument, cut, partsFor, run, setArgument } from "./threads";

/** Multiplications worth a part. */
const PART: i32 = 1 << 17;
const MOST_PARTS: i32 = 64;
/** A kernel's gradient is summed by so many parts at most. */
const MOST_SUMS: i32 = 16;

function products(): i32 {
  return <i32>min<i64>(i32.MAX_VALUE, <i64>(batch * outHeight) * outWidth * channels * kernelHeight * kernelWidth);
}

/** y (+)= x ∗ kernel. */
export function depthwise(x: usize, kernel: usize, y: usize, accumulate: bool): void {
  readSizes();
  setArgument(0, 0);
  setArgument(1, <i32>x);
  setArgument(2, <i32>kernel);
  setArgument(3, <i32>y);
  setArgument(4, accumulate);
  run(rowsPart, min(batch * outHeight, partsFor(products(), PART, MOST_PARTS)), 0, 0);
}

function rowsPart(part: i32, parts: i32, _work: usize): void {
  if (argument(0) != 0) readTurnedSizes();
  else readSizes();
  const x = <usize>argument(1);
  const y = <usize>argument(3);
  const pixel: usize = 4 * <usize>channels;
  const end = cut(batch * outHeight, part + 1, parts, 1);
  for (let row = cut(batch * outHeight, part, parts, 1); row < end; row++) {
    const image = x + <usize>((row / outHeight) * height * width) * pixel;
    outRow(image, row % outHeight, <usize>argument(2), y + <usize>(row * outWidth) * pixel, argument(4) != 0);
  }
}

/** One row of the output. */
function outRow(x: usize, oy: i32, kernel: usize, y: usize, accumulate: bool): void {
  const pixel: usize = 4 * <usize>channels;
  const top = oy * strideY - padTop;
  const ky0 = firstTap(top, dilationY);
  const ky1 = endTap(top, dilationY, kernelHeight, height);
  const reach = (kernelWidth - 1) * dilationX;
  // Outputs whose taps are all inside the row are done four at a time.
  const inside = min(outWidth, max(0, (padLeft + strideX - 1) / strideX));
  const insideEnd = max(inside, min(outWidth, (width - 1 - reach + padLeft) < 0 ? 0 : (width - 1 - reach + padLeft) / strideX + 1));
  const line: usize = <usize>(dilationY * width) * pixel;
  const from = x + <usize>((top + ky0 * dilationY) * width - padLeft) * pixel;
  const taps = kernel + <usize>(ky0 * kernelWidth) * pixel;
  const across: usize = <usize>strideX * pixel;
  const whole: usize = pixel & ~31;
  let ox = 0;
  for (; ox < inside; ox++) outPixel(x, ky0, ky1, top, ox, kernel, y, 0, accumulate);
  for (; ox + 4 <= insideEnd; ox += 4) {
    for (let c: usize = 0; c < whole; c += 32) {
      fourPixels(ky1 - ky0, line, from + <usize>ox * across + c, across, taps + c, y + <usize>ox * pixel + c, accumulate);
    }
    if (whole < pixel) for (let i = 0; i < 4; i++) outPixel(x, ky0, ky1, top, ox + i, kernel, y, whole, accumulate);
  }
  for (; ox < outWidth; ox++) outPixel(x, ky0, ky1, top, ox, kernel, y, 0, accumulate);
}

/** Four outputs side by side, eight channels of each; all taps are inside. */
function fourPixels(lines: i32, line: usize, x: usize, across: usize, tap: usize, y: usize, accumulate: bool): void {
  const pixel: usize = 4 * <usize>channels;
  const step: usize = <usize>dilationX * pixel;
  let a0 = f32x4.splat(0), a1 = f32x4.splat(0);
  let b0 = f32x4.splat(0), b1 = f32x4.splat(0);
  let c0 = f32x4.splat(0), c1 = f32x4.splat(0);
  let d0 = f32x4.splat(0), d1 = f32x4.splat(0);
  const y1 = y + pixel;
  const y2 = y1 + pixel;
  const y3 = y2 + pixel;
  if (accumulate) {
    a0 = v128.load(y), a1 = v128.load(y, 16);
    b0 = v128.load(y1), b1 = v128.load(y1, 16);
    c0 = v128.load(y2), c1 = v128.load(y2, 16);
    d0 = v128.load(y3), d1 = v128.load(y3, 16);
  }
  for (let ky = 0; ky < lines; ky++, x += line) {
    let p = x;
    for (let kx = 0; kx < kernelWidth; kx++, p += step, tap += pixel) {
      const k0 = v128.load(tap);
      const k1 = v128.load(tap, 16);
      a0 = madd(v128.load(p), k0, a0);
      a1 = madd(v128.load(p, 16), k1, a1);
      let q = p + across;
      b0 = madd(v128.load(q), k0, b0);
      b1 = madd(v128.load(q, 16), k1, b1);
      q += across;
      c0 = madd(v128.load(q), k0, c0);
      c1 = madd(v128.load(q, 16), k1, c1);
      q += across;
      d0 = madd(v128.load(q), k0, d0);
      d1 = madd(v128.load(q, 16), k1, d1);
    }
  }
  v128.store(y, a0), v128.store(y, a1, 16);
  v128.store(y1, b0), v128.store(y1, b1, 16);
  v128.store(y2, c0), v128.store(y2, c1, 16);
  v128.store(y3, d0), v128.store(y3, d1, 16);
}

/** One output anywhere, its channels from byte `c` on. */
function outPixel(x: usize, ky0: i32, ky1: i32, top: i32, ox: i32, kernel: usize, row: usize, c: usize, accumulate: bool): void {
  const pixel: usize = 4 * <usize>channels;
  const tapRow: usize = <usize>kernelWidth * pixel;
  const y = row + <usize>ox * pixel;
  const left = ox * strideX - padLeft;
  const kx0 = firstTap(left, dilationX);
  const kx1 = endTap(left, dilationX, kernelWidth, width);
  const step: usize = <usize>dilationX * pixel;
  for (; c + 16 <= pixel; c += 16) {
    let sum = accumulate ? v128.load(y + c) : f32x4.splat(0);
    for (let ky = ky0; ky < ky1; ky++) {
      let from = x + <usize>((top + ky * dilationY) * width + left + kx0 * dilationX) * pixel + c;
      let tap = kernel + <usize>ky * tapRow + <usize>kx0 * pixel + c;
      for (let kx = kx0; kx < kx1; kx++, from += step, tap += pixel) sum = madd(v128.load(from), v128.load(tap), sum);
    }
    v128.store(y + c, sum);
  }
  for (; c < pixel; c += 4) {
    let sum: f32 = accumulate ? load<f32>(y + c) : 0;
    for (let ky = ky0; ky < ky1; ky++) {
      let from = x + <usize>((top + ky * dilationY) * width + left + kx0 * dilationX) * pixel + c;
      let tap = kernel + <usize>ky * tapRow + <usize>kx0 * pixel + c;
      for (let kx = kx0; kx < kx1; kx++, from += step, tap += pixel) sum += load<f32>(from) * load<f32>(tap);
    }
    store<f32>(y + c, sum);
  }
}

/** dx (+)= dy ∗ kernel, the other way. At stride 1 that is a convolution with the kernel turned round, for which `work` has room. */
export function depthwiseInputGrad(dy: usize, kernel: usize, dx: usize, accumulate: bool, work: usize): void {
  readSizes();
  setArgument(4, accumulate);
  if (strideY == 1 && strideX == 1) {
    const pixel: usize = 4 * <usize>channels;
    const taps = kernelHeight * kernelWidth;
    for (let tap = 0; tap < taps; tap++) memory.copy(work + <usize>tap * pixel, kernel + <usize>(taps - 1 - tap) * pixel, pixel);
    readTurnedSizes();
    setArgument(0, 1);
    setArgument(1, <i32>dy);
    setArgument(2, <i32>work);
    setArgument(3, <i32>dx);
    run(rowsPart, min(batch * outHeight, partsFor(products(), PART, MOST_PARTS)), 0, 0);
    return;
  }
  setArgument(1, <i32>dy);
  setArgument(2, <i32>kernel);
  setArgument(3, <i32>dx);
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
  return max(1, min(batch * outHeight, partsFor(products(), PART, MOST_SUMS)));
}

/** Bytes of work memory for the partial sums of the kernel's gradient. */
export function depthwiseKernelGradWork(): i32 {
  readSizes();
  return 4 * sumParts() * kernelHeight * kernelWidth * channels;
}

/** dkernel (+)= Σ x·dy: some rows of the output are one part, and the parts are added in order. */
export function depthwiseKernelGrad(x: usize, dy: usize, dkernel: usize, accumulate: bool, work: usize): void {
  readSizes();
  setArgument(1, <i32>x);
  setArgument(2, <i32>dy);
  setArgument(3, <i32>work);
  const parts = sumParts();
  const size: usize = 4 * <usize>(kernelHeight * kernelWidth * channels);
  run(kernelGradPart, parts, 0, 0);
  if (!accumulate) memory.fill(dkernel, 0, size);
  for (let part = 0; part < parts; part++) {
    const sums = work + <usize>part * size;
    let i: usize = 0;
    for (; i + 16 <= size; i += 16) v128.store(dkernel + i, f32x4.add(v128.load(dkernel + i), v128.load(sums + i)));
    for (; i < size; i += 4) store<f32>(dkernel + i, load<f32>(dkernel + i) + load<f32>(sums + i));
  }
}

function kernelGradPart(part: i32, parts: i32, _work: usize): void {
  readSizes();
  const pixel: usize = 4 * <usize>channels;
  const sums = <usize>argument(3) + <usize>(part * kernelHeight * kernelWidth) * pixel;
  memory.fill(sums, 0, <usize>(kernelHeight * kernelWidth) * pixel);
  const end = cut(batch * outHeight, part + 1, parts, 1);
  for (let row = cut(batch * outHeight, part, parts, 1); row < end; row++) {
    const dy = <usize>argument(2) + <usize>(row * outWidth) * pixel;
    const image = <usize>argument(1) + <usize>((row / outHeight) * height * width) * pixel;
    for (let ky = 0; ky < kernelHeight; ky++) {
      const iy = (row % outHeight) * strideY - padTop + ky * dilationY;
      if (iy < 0 || iy >= height) continue;
      for (let kx = 0; kx < kernelWidth; kx++) {
        // The outputs whose tap is inside: 0 ≤ ox·strideX + shift < width.
        const shift = kx * dilationX - padLeft;
        const first = shift < 0 ? (strideX - 1 - shift) / strideX : 0;
        const count = (shift >= width ? 0 : min(outWidth, (width - 1 - shift) / strideX + 1)) - first;
        if (count <= 0) continue;
        const x = image + <usize>(iy * width + first * strideX + shift) * pixel;
        sumProducts(count, x, <usize>strideX * pixel, dy + <usize>first * pixel, sums + <usize>(ky * kernelWidth + kx) * pixel);
      }
    }
  }
}

/** sums [channels] += Σ over `count` pixels of x·dy. */
function sumProducts(count: i32, x: usize, across: usize, dy: usize, sums: usize): void {
  const pixel: usize = 4 * <usize>channels;
  const end = dy + <usize>count * pixel;
  let c: usize = 0;
  for (; c + 64 <= pixel; c += 64) {
    let s0 = v128.load(sums + c), s1 = v128.load(sums + c, 16), s2 = v128.load(sums + c, 32), s3 = v128.load(sums + c, 48);
    for (let p = x + c, q = dy + c; q < end; p += across, q += pixel) {
      s0 = madd(v128.load(p), v128.load(q), s0);
      s1 = madd(v128.load(p, 16), v128.load(q, 16), s1);
      s2 = madd(v128.load(p, 32), v128.load(q, 32), s2);
      s3 = madd(v128.load(p, 48), v128.load(q, 48), s3);
    }
    v128.store(sums + c, s0);
    v128.store(sums + c, s1, 16);
    v128.store(sums + c, s2, 32);
    v128.store(sums + c, s3, 48);
  }
  for (; c + 16 <= pixel; c += 16) {
    let sum = v128.load(sums + c);
    for (let p = x + c, q = dy + c; q < end; p += across, q += pixel) sum = madd(v128.load(p), v128.load(q), sum);
    v128.store(sums + c, sum);
  }
  for (; c < pixel; c += 4) {
    let sum = load<f32>(sums + c);
    for (let p = x + c, q = dy + c; q < end; p += across, q += pixel) sum += load<f32>(p) * load<f32>(q);
    store<f32>(sums + c, sum);
  }
}
