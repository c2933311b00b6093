// Max pooling over images [batch, height, width, channels], and its gradient.
//
// - Forward: y = the largest number under each window. Parts: rows of windows.
// - Gradient: each window gives its dy to the first tap that holds its maximum. The taps are searched again, so that no
//   index is stored:
//
//       x under a window      y      dy given to dx
//       1  3                         0  dy
//       2  3                  3      0  0
//
//   Parts: images, because windows of one image may overlap.
// - Vectors: four channels; windows of 2 × 2 taps, the most frequent, have a loop of their own.
// - NaN counts as the largest number; padding never does.
// - Work memory: if more than 48 windows share a pixel, each thread sums the gradient of an image in float64
//   (doubles.ts); otherwise none.

import {
  batch, channels, dilationX, dilationY, height, kernelHeight, kernelWidth, outHeight, outWidth, padLeft, padTop, readSizes, strideX, strideY,
  width,
} from "./sizes";
import { hasManyWindows, imageNumbers, imageTotals, roundImage, widenImage } from "./doubles";
import { ARGUMENTS, cut, partsFor, run, runWith } from "./threads";
import { across, corner, down, enterRow, enterWindow, lines, taps } from "./windows";

/** A part has at least this number of elements. */
const PART: i32 = 1 << 15;
const MOST_PARTS: i32 = 64;

/** The arguments of the parts: images, maxima and their gradients. */
@unmanaged
class Arguments {
  x: usize;
  y: usize;
  dy: usize;
  dx: usize;
  accumulate: bool;
}
const args = changetype<Arguments>(ARGUMENTS);

/** y = the largest number under each window. */
export function maxPool(_n: i32, x: usize, y: usize): void {
  readSizes();
  args.x = x;
  args.y = y;
  const rows = batch * outHeight;
  run(maxPoolPart, max(1, min(rows, partsFor(<i32>min<i64>(i32.MAX_VALUE, batch * imageNumbers()), PART, MOST_PARTS))), 0, 0);
}

/** Some rows of windows. */
function maxPoolPart(part: i32, parts: i32, _work: usize): void {
  readSizes();
  const pixel: usize = 4 * <usize>channels;
  const end = cut(batch * outHeight, part + 1, parts, 1);
  for (let row = cut(batch * outHeight, part, parts, 1); row < end; row++) {
    enterRow(row);
    let y = args.y + <usize>(row * outWidth) * pixel;
    for (let ox = 0; ox < outWidth; ox++, y += pixel) {
      enterWindow(ox);
      storeLargest(args.x + corner, lines, down, taps, across, pixel, y);
    }
  }
}

/** y [channels] = the largest numbers of the taps. */
// @ts-ignore: decorator
@inline
function storeLargest(x: usize, lines: i32, down: usize, taps: i32, across: usize, pixel: usize, y: usize): void {
  let c: usize = 0;
  if (lines == 2 && taps == 2) {
    for (; c + 16 <= pixel; c += 16) v128.store(y + c, largestOfFour(x + c, across, down));
  }
  for (; c + 16 <= pixel; c += 16) {
    let best = f32x4.splat(-Infinity);
    let bad = f32x4.splat(0); // all bits of a lane are 1 after a NaN, which is itself a NaN
    let from = x + c;
    for (let ky = 0; ky < lines; ky++, from += down) {
      let p = from;
      for (let kx = 0; kx < taps; kx++, p += across) {
        const v = v128.load(p);
        best = f32x4.pmax(best, v);
        bad = v128.or(bad, f32x4.ne(v, v));
      }
    }
    best = v128.or(best, bad);
    v128.store(y + c, best);
  }
  for (; c < pixel; c += 4) {
    let best: f32 = -Infinity;
    let from = x + c;
    for (let ky = 0; ky < lines; ky++, from += down) {
      let p = from;
      for (let kx = 0; kx < taps; kx++, p += across) {
        const v = load<f32>(p);
        if (v > best || v != v) best = v;
      }
    }
    store<f32>(y + c, best);
  }
}

/** The largest number of each channel under a window of 2 × 2. Without loops it takes a third of the time. */
// @ts-ignore: decorator
@inline
function largestOfFour(x: usize, across: usize, down: usize): v128 {
  const a = v128.load(x);
  const b = v128.load(x + across);
  const c = v128.load(x + down);
  const d = v128.load(x + down + across);
  const bad = v128.or(v128.or(f32x4.ne(a, a), f32x4.ne(b, b)), v128.or(f32x4.ne(c, c), f32x4.ne(d, d)));
  return v128.or(f32x4.pmax(f32x4.pmax(f32x4.pmax(a, b), c), d), bad);
}

/** The number of parts of the gradient. */
function gradParts(): i32 {
  return max(1, min(batch, partsFor(<i32>min<i64>(i32.MAX_VALUE, batch * imageNumbers()), PART, MOST_PARTS)));
}

/** dx (+)= dy at the first tap that holds the window's maximum. */
export function maxPoolGrad(_n: i32, x: usize, y: usize, dy: usize, dx: usize, accumulate: bool): void {
  readSizes();
  args.x = x;
  args.y = y;
  args.dy = dy;
  args.dx = dx;
  args.accumulate = accumulate;
  if (hasManyWindows()) runWith(manyWindowsPart, gradParts(), imageTotals());
  else run(maxPoolGradPart, gradParts(), 0, 0);
}

/** The gradient of some images. */
function maxPoolGradPart(part: i32, parts: i32, _work: usize): void {
  readSizes();
  const line: usize = <usize>width * 4 * <usize>channels;
  // If windows cover every pixel exactly once, each pixel is written once and need not be cleared before.
  const apart = strideY == kernelHeight && strideX == kernelWidth && dilationY == 1 && dilationX == 1 && padTop == 0 && padLeft == 0;
  const tiled = apart && outHeight * strideY == height && outWidth * strideX == width;
  const add = args.accumulate || !tiled;
  const end = cut(batch, part + 1, parts, 1);
  for (let b = cut(batch, part, parts, 1); b < end; b++) {
    if (!args.accumulate && !tiled) memory.fill(args.dx + <usize>(b * height) * line, 0, <usize>height * line);
    for (let oy = 0; oy < outHeight; oy++) giveRow(b, oy, add);
  }
}

/** Gives dy of row oy of the windows of image b; `add`: to what is there. */
function giveRow(b: i32, oy: i32, add: bool): void {
  const pixel: usize = 4 * <usize>channels;
  const row = b * outHeight + oy;
  const out: usize = <usize>(row * outWidth) * pixel;
  enterRow(row);
  let y = args.y + out;
  let dy = args.dy + out;
  for (let ox = 0; ox < outWidth; ox++, y += pixel, dy += pixel) {
    enterWindow(ox);
    giveToWindow(args.x + corner, args.dx - args.x, lines, down, taps, across, pixel, y, dy, add);
  }
}

/** Gives dy [channels] to the taps at x; their dx lie toDx bytes behind. */
// @ts-ignore: decorator
@inline
function giveToWindow(
  x: usize, toDx: usize, lines: i32, down: usize, taps: i32, across: usize, pixel: usize, y: usize, dy: usize, add: bool,
): void {
  let c: usize = 0;
  if (lines == 2 && taps == 2) {
    for (; c + 16 <= pixel; c += 16) giveToFour(x + c, across, down, toDx, v128.load(y + c), v128.load(dy + c), add);
  }
  for (; c + 16 <= pixel; c += 16) {
    const best = v128.load(y + c);
    const isNaN = f32x4.ne(best, best);
    let d = v128.load(dy + c);
    let from = x + c;
    for (let ky = 0; ky < lines; ky++, from += down) {
      let p = from;
      for (let kx = 0; kx < taps; kx++, p += across) {
        d = give(p, toDx, best, isNaN, d, add);
      }
    }
  }
  for (; c < pixel; c += 4) {
    const best = load<f32>(y + c);
    let d = load<f32>(dy + c);
    let from = x + c;
    for (let ky = 0; ky < lines; ky++, from += down) {
      let p = from;
      for (let kx = 0; kx < taps; kx++, p += across) {
        const v = load<f32>(p);
        let given: f32 = 0;
        if (v == best || (v != v && best != best)) {
          given = d;
          d = 0;
        }
        store<f32>(p + toDx, add ? load<f32>(p + toDx) + given : given);
      }
    }
  }
}

/** The gradient of some images if many windows share a pixel. */
function manyWindowsPart(part: i32, parts: i32, totals: usize): void {
  readSizes();
  const numbers = <usize>imageNumbers(), end = cut(batch, part + 1, parts, 1);
  for (let b = cut(batch, part, parts, 1); b < end; b++) {
    const at: usize = 4 * <usize>b * numbers;
    widenImage(args.dx + at, numbers, totals, args.accumulate);
    for (let row = b * outHeight; row < (b + 1) * outHeight; row++) {
      enterRow(row % outHeight); // as if its image were the first
      for (let ox = 0; ox < outWidth; ox++) {
        enterWindow(ox);
        giveToTotals(args.x + at, <usize>row * <usize>outWidth + ox, totals);
      }
    }
    roundImage(totals, numbers, args.dx + at);
  }
}

/** Adds dy of the current window of image x to the totals, at the first tap of each channel that holds the maximum. */
function giveToTotals(x: usize, window: usize, totals: usize): void {
  const pixel: usize = 4 * <usize>channels;
  for (let c: usize = 0; c < pixel; c += 4) {
    const best = load<f32>(args.y + window * pixel + c);
    let at: usize = 0;
    let found = false;
    for (let ky = 0; ky < lines && !found; ky++) {
      at = corner + <usize>ky * down + c;
      for (let kx = 0; kx < taps; kx++, at += across) {
        const v = load<f32>(x + at);
        if (v != best && (v == v || best == best)) continue;
        found = true;
        break;
      }
    }
    if (!found) continue;
    const to = totals + 2 * at;
    store<f64>(to, load<f64>(to) + <f64>load<f32>(args.dy + window * pixel + c));
  }
}

/** Gives d to the first of the 2 × 2 taps at x that holds `best`, the window's maximum. */
// @ts-ignore: decorator
@inline
function giveToFour(x: usize, across: usize, down: usize, toDx: usize, best: v128, d: v128, add: bool): void {
  const isNaN = f32x4.ne(best, best);
  d = give(x, toDx, best, isNaN, d, add);
  d = give(x + across, toDx, best, isNaN, d, add);
  d = give(x + down, toDx, best, isNaN, d, add);
  give(x + down + across, toDx, best, isNaN, d, add);
}

/**
 * Gives d to the tap at p in those channels where the tap holds the window's maximum. Returns d with these channels
 * cleared, so that no other tap gets them.
 */
// @ts-ignore: decorator
@inline
function give(p: usize, toDx: usize, best: v128, isNaN: v128, d: v128, add: bool): v128 {
  const v = v128.load(p);
  const hit = v128.or(f32x4.eq(v, best), v128.and(f32x4.ne(v, v), isNaN)); // equal, or both NaN
  const given = v128.and(hit, d);
  v128.store(p + toDx, add ? f32x4.add(v128.load(p + toDx), given) : given);
  return v128.andnot(d, hit);
}
