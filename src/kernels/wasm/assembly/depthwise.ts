// Convolution of each channel by itself, multiplier 1. `sizes` points at 14 numbers (i32) in the order of `Windows`.

import { madd } from "./madd";

let batch: i32, height: i32, width: i32, channels: i32, outHeight: i32, outWidth: i32, kernelHeight: i32, kernelWidth: i32;
let strideY: i32, strideX: i32, dilationY: i32, dilationX: i32, padTop: i32, padLeft: i32;

function readSizes(sizes: usize): void {
  batch = load<i32>(sizes);
  height = load<i32>(sizes, 4);
  width = load<i32>(sizes, 8);
  channels = load<i32>(sizes, 12);
  outHeight = load<i32>(sizes, 16);
  outWidth = load<i32>(sizes, 20);
  kernelHeight = load<i32>(sizes, 24);
  kernelWidth = load<i32>(sizes, 28);
  strideY = load<i32>(sizes, 32);
  strideX = load<i32>(sizes, 36);
  dilationY = load<i32>(sizes, 40);
  dilationX = load<i32>(sizes, 44);
  padTop = load<i32>(sizes, 48);
  padLeft = load<i32>(sizes, 52);
}

/** The first tap of a window that begins at `start` which is not before the image. */
// @ts-ignore: decorator
@inline
function firstTap(start: i32, dilation: i32): i32 {
  return start < 0 ? (dilation - 1 - start) / dilation : 0;
}

/** The end of the taps that are inside an image of length n. */
// @ts-ignore: decorator
@inline
function endTap(start: i32, dilation: i32, taps: i32, n: i32): i32 {
  return n > start ? min(taps, (n - 1 - start) / dilation + 1) : 0;
}

/** y (+)= x ∗ kernel. */
export function depthwise(sizes: usize, x: usize, kernel: usize, y: usize, accumulate: bool): void {
  readSizes(sizes);
  const pixel: usize = 4 * <usize>channels;
  const tapRow: usize = <usize>kernelWidth * pixel;
  const zero = f32x4.splat(0);
  for (let b = 0; b < batch; b++, x += <usize>(height * width) * pixel) {
    for (let oy = 0; oy < outHeight; oy++) {
      const top = oy * strideY - padTop;
      const ky0 = firstTap(top, dilationY);
      const ky1 = endTap(top, dilationY, kernelHeight, height);
      for (let ox = 0; ox < outWidth; ox++, y += pixel) {
        const left = ox * strideX - padLeft;
        const kx0 = firstTap(left, dilationX);
        const kx1 = endTap(left, dilationX, kernelWidth, width);
        const step: usize = <usize>dilationX * pixel;
        let c: usize = 0;
        for (; c + 64 <= pixel; c += 64) {
          let s0 = accumulate ? v128.load(y + c) : zero;
          let s1 = accumulate ? v128.load(y + c, 16) : zero;
          let s2 = accumulate ? v128.load(y + c, 32) : zero;
          let s3 = accumulate ? v128.load(y + c, 48) : zero;
          for (let ky = ky0; ky < ky1; ky++) {
            let from = x + <usize>((top + ky * dilationY) * width + left + kx0 * dilationX) * pixel + c;
            let tap = kernel + <usize>ky * tapRow + <usize>kx0 * pixel + c;
            for (let kx = kx0; kx < kx1; kx++, from += step, tap += pixel) {
              s0 = madd(v128.load(from), v128.load(tap), s0);
              s1 = madd(v128.load(from, 16), v128.load(tap, 16), s1);
              s2 = madd(v128.load(from, 32), v128.load(tap, 32), s2);
              s3 = madd(v128.load(from, 48), v128.load(tap, 48), s3);
            }
          }
          v128.store(y + c, s0);
          v128.store(y + c, s1, 16);
          v128.store(y + c, s2, 32);
          v128.store(y + c, s3, 48);
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
    }
  }
}

/** dx += dy ∗ kernel, the other way. */
export function depthwiseInputGrad(sizes: usize, dy: usize, kernel: usize, dx: usize): void {
  readSizes(sizes);
  walk(dy, dx, kernel, true);
}

/** dkernel += Σ x·dy; the sum over one image is added at a time, from `sums`, which has room for a kernel. */
export function depthwiseKernelGrad(sizes: usize, x: usize, dy: usize, dkernel: usize, sums: usize): void {
  readSizes(sizes);
  const images = batch;
  const kernelSize = kernelHeight * kernelWidth * channels;
  const inSize: usize = 4 * <usize>(height * width) * channels;
  const outSize: usize = 4 * <usize>(outHeight * outWidth) * channels;
  for (let b = 0; b < images; b++, x += inSize, dy += outSize) {
    memory.fill(sums, 0, 4 * <usize>kernelSize);
    batch = 1;
    walk(dy, x, sums, false);
    let i = 0;
    for (; i + 4 <= kernelSize; i += 4) {
      const at: usize = 4 * <usize>i;
      v128.store(dkernel + at, f32x4.add(v128.load(dkernel + at), v128.load(sums + at)));
    }
    for (; i < kernelSize; i++) {
      const at: usize = 4 * <usize>i;
      store<f32>(dkernel + at, load<f32>(dkernel + at) + load<f32>(sums + at));
    }
  }
}

/** For every tap: image += dy·kernel, or kernel += dy·image. */
function walk(dy: usize, image: usize, kernel: usize, towardsImage: bool): void {
  const pixel: usize = 4 * <usize>channels;
  const tapRow: usize = <usize>kernelWidth * pixel;
  for (let b = 0; b < batch; b++, image += <usize>(height * width) * pixel) {
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
          for (let kx = kx0; kx < kx1; kx++, at += <usize>dilationX * pixel, tap += pixel) {
            if (towardsImage) addProducts(pixel, dy, tap, at);
            else addProducts(pixel, dy, at, tap);
          }
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
  for (; i + 32 <= bytes; i += 32) {
    v128.store(c + i, madd(v128.load(a + i), v128.load(b + i), v128.load(c + i)));
    v128.store(c + i, madd(v128.load(a + i, 16), v128.load(b + i, 16), v128.load(c + i, 16)), 16);
  }
  for (; i < bytes; i += 4) store<f32>(c + i, load<f32>(c + i) + load<f32>(a + i) * load<f32>(b + i));
}
