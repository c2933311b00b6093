// Average pooling over images [batch, height, width, channels], and its gradient. Only taps inside the image count.
//
// - Forward: y = the mean under each window, summed in float64. Vectors: two channels. Parts: rows of windows.
// - Gradient: each tap gets dy / (number of taps). Vectors: four channels. Parts: images, because windows of one image
//   may overlap.
// - Work memory: if more than 48 windows share a pixel, each thread sums the gradient of an image in float64
//   (doubles.ts); otherwise none.

import { batch, channels, outHeight, outWidth, readSizes } from "./sizes";
import { addPair, hasManyWindows, imageNumbers, imageTotals, roundImage, widenImage } from "./doubles";
import { read, write } from "./pairs";
import { ARGUMENTS, cut, partsFor, run, runWith } from "./threads";
import { across, corner, down, enterRow, enterWindow, lines, taps } from "./windows";

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
  const pixel: usize = 4 * <usize>channels;
  enterRow(row);
  let y = args.y + <usize>row * <usize>outWidth * pixel;
  for (let ox = 0; ox < outWidth; ox++, y += pixel) {
    enterWindow(ox);
    storeMean(args.x + corner, lines, down, taps, across, pixel, y);
  }
}

/** y [channels] = the mean of the taps; NaN (0/0) if no tap is inside the image, as in the plain kernel. */
function storeMean(corner: usize, lines: i32, down: usize, taps: i32, across: usize, pixel: usize, y: usize): void {
  const count = f64x2.splat(<f64>lines * <f64>taps);
  for (let c: usize = 0; c < pixel; c += 8) {
    let sum = f64x2.splat(0), from = corner + c;
    for (let i = 0; i < lines; i++, from += down) {
      let p = from;
      for (let j = 0; j < taps; j++, p += across) sum = f64x2.add(sum, read(p));
    }
    write(y + c, f64x2.div(sum, count), pixel - c, false);
  }
}

/** dx += dy / (number of taps) for one row of windows. */
function shareRow(row: i32): void {
  const pixel: usize = 4 * <usize>channels;
  enterRow(row);
  let dy = args.y + <usize>row * <usize>outWidth * pixel;
  for (let ox = 0; ox < outWidth; ox++, dy += pixel) {
    enterWindow(ox);
    share(args.x + corner, lines, down, taps, across, pixel, dy);
  }
}

/** dx += dy / (number of taps) for one window. */
function share(corner: usize, lines: i32, down: usize, taps: i32, across: usize, pixel: usize, dy: usize): void {
  const count = f32x4.splat(<f32>(lines * taps));
  for (let c: usize = 0; c < pixel; c += 16) {
    const part = f32x4.div(v128.load(dy + c), count);
    let from = corner + c;
    for (let i = 0; i < lines; i++, from += down) {
      let p = from;
      for (let j = 0; j < taps; j++, p += across) put(p, f32x4.add(v128.load(p), part), pixel - c);
    }
  }
}

/** totals += dy / (number of taps) for one row of windows. */
function shareRowInTotals(row: i32, totals: usize): void {
  const pixel: usize = 4 * <usize>channels;
  enterRow(row % outHeight); // as if its image were the first
  let dy = args.y + <usize>row * <usize>outWidth * pixel;
  for (let ox = 0; ox < outWidth; ox++, dy += pixel) {
    enterWindow(ox);
    const count = f64x2.splat(<f64>lines * <f64>taps);
    for (let c: usize = 0; c < pixel; c += 8) {
      const part = f64x2.div(read(dy + c), count);
      for (let i: usize = 0; i < <usize>lines; i++) {
        for (let j: usize = 0; j < <usize>taps; j++) addPair(totals + 2 * (corner + i * down + j * across + c), part, pixel - c);
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
