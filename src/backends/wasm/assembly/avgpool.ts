// Average pooling over images [batch, height, width, channels], and its gradient. Only taps inside the image count.
//
// - Forward: y = the mean under each window, summed in float64. Vectors: two channels. Parts: rows of windows.
// - Gradient: each tap gets dy / (number of taps). Vectors: four channels. Parts: images, because windows of one image may overlap.
// - Work memory: if more than 48 windows share a pixel, each thread sums the gradient of an image in float64 (doubles.ts); otherwise none.

import {
  batch, channels, dilationX, dilationY, endTap, firstTap, height, kernelHeight, kernelWidth, outHeight, outWidth, padLeft, padTop,
  readSizes, strideX, strideY, width,
} from "./sizes";
import { addPair, hasManyWindows, imageNumbers, imageTotals, roundImage, widenImage } from "./doubles";
import { read, write } from "./pairs";
import { ARGUMENTS, cut, partsFor, run, runWith } from "./threads";

/** A part has at least this number of elements. */
const PART: i32 = 1 << 14;
const MOST_PARTS: i32 = 64;

/** The arguments of the parts. x: the images or their gradient; y: the means or their gradient. */
@unmanaged
class Arguments {
  x: usize;
  y: usize;
  accumulate: bool;
}
const args = changetype<Arguments>(ARGUMENTS);

/** y = the mean under each window. */
export function avgPool(_n: i32, x: usize, y: usize): void {
  readSizes();
  args.x = x;
  args.y = y;
  args.accumulate = false;
  const rows = batch * outHeight;
  run(avgPoolPart, max(1, min(rows, partsFor(<i32>min<i64>(i32.MAX_VALUE, batch * imageNumbers()), PART, MOST_PARTS))), 0, 0);
}

/** Some rows of windows. */
function avgPoolPart(part: i32, parts: i32, _work: usize): void {
  readSizes();
  const end = cut(batch * outHeight, part + 1, parts, 1);
  for (let row = cut(batch * outHeight, part, parts, 1); row < end; row++) poolRow(row);
}

/** The number of parts of the gradient. */
function gradParts(): i32 {
  return max(1, min(batch, partsFor(<i32>min<i64>(i32.MAX_VALUE, batch * imageNumbers()), PART, MOST_PARTS)));
}

/** dx (+)= dy/count at every tap. */
export function avgPoolGrad(_n: i32, dy: usize, dx: usize, accumulate: bool): void {
  readSizes();
  args.x = dx;
  args.y = dy;
  args.accumulate = accumulate;
  runWith(avgPoolGradPart, gradParts(), hasManyWindows() ? imageTotals() : 0);
}

/** The gradient of some images. */
function avgPoolGradPart(part: i32, parts: i32, work: usize): void {
  readSizes();
  const numbers = <usize>imageNumbers(), accumulate = args.accumulate, many = hasManyWindows();
  const end = cut(batch, part + 1, parts, 1);
  for (let b = cut(batch, part, parts, 1); b < end; b++) {
    const dx = args.x + 4 * <usize>b * numbers;
    if (many) widenImage(dx, numbers, work, accumulate);
    else if (!accumulate) memory.fill(dx, 0, 4 * numbers);
    for (let row = b * outHeight; row < (b + 1) * outHeight; row++) {
      if (many) shareRowInTotals(row, work);
      else shareRow(row);
    }
    if (many) roundImage(work, numbers, dx);
  }
}

/** y = the means of one row of windows. */
function poolRow(row: i32): void {
  const pixel: usize = 4 * <usize>channels, across: usize = <usize>dilationX * pixel;
  const line: usize = <usize>width * pixel, down: usize = <usize>dilationY * line;
  const top = (row % outHeight) * strideY - padTop;
  const ky = firstTap(top, dilationY), lines = endTap(top, dilationY, kernelHeight, height) - ky;
  const image = args.x + <usize>(row / outHeight) * <usize>height * line;
  let y = args.y + <usize>row * <usize>outWidth * pixel;
  for (let ox = 0; ox < outWidth; ox++, y += pixel) {
    const left = ox * strideX - padLeft;
    const kx = firstTap(left, dilationX), taps = endTap(left, dilationX, kernelWidth, width) - kx;
    const corner = image + <usize>((top + ky * dilationY) * width + left + kx * dilationX) * pixel;
    storeMean(corner, lines, down, taps, across, pixel, y);
  }
}

/** dx += dy / (number of taps) for one row of windows. */
function shareRow(row: i32): void {
  const pixel: usize = 4 * <usize>channels, across: usize = <usize>dilationX * pixel;
  const line: usize = <usize>width * pixel, down: usize = <usize>dilationY * line;
  const top = (row % outHeight) * strideY - padTop;
  const ky = firstTap(top, dilationY), lines = endTap(top, dilationY, kernelHeight, height) - ky;
  const image = args.x + <usize>(row / outHeight) * <usize>height * line;
  let dy = args.y + <usize>row * <usize>outWidth * pixel;
  for (let ox = 0; ox < outWidth; ox++, dy += pixel) {
    const left = ox * strideX - padLeft;
    const kx = firstTap(left, dilationX), taps = endTap(left, dilationX, kernelWidth, width) - kx;
    const corner = image + <usize>((top + ky * dilationY) * width + left + kx * dilationX) * pixel;
    const count = f32x4.splat(<f32>(max(0, lines) * max(0, taps)));
    for (let c: usize = 0; c < pixel; c += 16) {
      const share = f32x4.div(v128.load(dy + c), count);
      let from = corner + c;
      for (let i = 0; i < lines; i++, from += down) {
        let p = from;
        for (let j = 0; j < taps; j++, p += across) put(p, f32x4.add(v128.load(p), share), pixel - c);
      }
    }
  }
}

/** y [channels] = the mean of the taps; NaN (0/0) if no tap is inside the image, as in the plain kernel. */
function storeMean(corner: usize, lines: i32, down: usize, taps: i32, across: usize, pixel: usize, y: usize): void {
  const count = f64x2.splat(<f64>max(0, lines) * <f64>max(0, taps));
  for (let c: usize = 0; c < pixel; c += 8) {
    let sum = f64x2.splat(0), from = corner + c;
    for (let i = 0; i < lines; i++, from += down) {
      let p = from;
      for (let j = 0; j < taps; j++, p += across) sum = f64x2.add(sum, read(p));
    }
    write(y + c, f64x2.div(sum, count), pixel - c, false);
  }
}

/** totals += dy / (number of taps) for one row of windows. */
function shareRowInTotals(row: i32, totals: usize): void {
  const pixel: usize = 4 * <usize>channels;
  const top = (row % outHeight) * strideY - padTop;
  const ky = firstTap(top, dilationY), lines = endTap(top, dilationY, kernelHeight, height) - ky;
  let dy = args.y + <usize>row * <usize>outWidth * pixel;
  for (let ox = 0; ox < outWidth; ox++, dy += pixel) {
    const left = ox * strideX - padLeft;
    const kx = firstTap(left, dilationX), taps = endTap(left, dilationX, kernelWidth, width) - kx;
    const corner = <usize>((top + ky * dilationY) * width + left + kx * dilationX) * pixel;
    const count = f64x2.splat(<f64>(max(0, lines)) * <f64>(max(0, taps)));
    for (let c: usize = 0; c < pixel; c += 8) {
      const share = f64x2.div(read(dy + c), count);
      for (let i = 0; i < lines; i++) {
        for (let j = 0; j < taps; j++) {
          const at = corner + <usize>(i * dilationY * width + j * dilationX) * pixel + c;
          addPair(totals + 2 * at, share, pixel - c);
        }
      }
    }
  }
}

/** Stores four numbers, or the first of them if less than 16 bytes are `left`. */
// @ts-ignore: decorator
@inline
function put(p: usize, v: v128, left: usize): void {
  if (left >= 16) return v128.store(p, v);
  v128.store32_lane(p, v, 0);
  if (left >= 8) v128.store32_lane(p, v, 1, 4);
  if (left >= 12) v128.store32_lane(p, v, 2, 8);
}
