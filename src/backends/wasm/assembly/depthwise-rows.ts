// What the depthwise convolution (depthwise.ts) and its gradients (depthwise-input-grad.ts, depthwise-kernel-grad.ts)
// share: the plan, the current row of windows, and a loop for a single window.
//
// Images are [batch, height, width, channels] and kernels [kernelHeight, kernelWidth, channels]. A row of windows reads
// `lines` lines of the image; only taps inside the image count:
//
//     image   . . . . . . . . . .        o: a window that extends past the border, computed tap by tap (`addWindow`)
//     window  [o] . . . . . . . [o]      between them: windows whose taps are all inside, four side by side

import { madd } from "./madd";
import {
  batch, channels, dilationX, dilationY, endTap, firstTap, height, kernelHeight, kernelWidth, outHeight, outWidth, padLeft, padTop,
  readSizes, readTurnedSizes, strideX, strideY, width,
} from "./sizes";
import { ARGUMENTS, partsFor } from "./threads";

/** A part has at least this number of multiplications. */
const PART: i32 = 1 << 17;
const MOST_PARTS: i32 = 64;
/** At most this number of parts keep partial sums of the kernel's gradient. */
const MOST_SUMS: i32 = 16;

/**
 * The arguments of the parts. Forward: x, kernel, bias, activation, y. Gradient of the input: dy, kernel, dx. Gradient
 * of the kernel: x, dy, and sums.
 */
@unmanaged
class Arguments {
  turned: bool;
  accumulate: bool;
  x: usize;
  kernel: usize;
  bias: usize;
  activation: i32;
  y: usize;
  sums: usize;
}
export const args = changetype<Arguments>(ARGUMENTS);

// The plan. `planRows` fills it at the start of a kernel and at the start of each of its parts, because each worker
// thread has its own globals. No other function writes to it.

/**
 * True if the kernel has three taps side by side, at most three lines of them, stride and dilation 1, and channels come
 * in fours. Most depthwise kernels are like that; they have loops of their own.
 */
export let threeByThree: bool;
/** Windows nearFrom … nearTo - 1 of a row reach past the image by at most one column. */
export let nearFrom: i32, nearTo: i32;
/** Numbers between the first and the last pixel of the zeros (`clearZeros`), for `threeByThree`. */
export let zeroNumbers: i64;
/** Parts: rows of windows; images; rows of windows, each part with its own sums. */
export let rowParts: i32, imageParts: i32, sumParts: i32;
/** Numbers of one part's sums of the kernel's gradient: those of the kernel, in whole vectors. */
export let sumNumbers: i64;
/** True if the kernel is five taps wide and rows have more than four windows: see depthwise-five.ts. */
export let five: bool;
/**
 * Bytes of work memory: of each thread, for zeros and four pixels or for blocks; of all threads, for the sums of the
 * parts.
 */
export let threadBytes: f64, sumBytes: f64;

/** Plans a depthwise convolution or gradient; `turned`: the gradient of the input at stride 1, as a convolution. */
export function planRows(turned: bool): void {
  if (turned) readTurnedSizes();
  else readSizes();
  nearFrom = max(0, padLeft - 1);
  nearTo = min(outWidth, width + padLeft - 1);
  const near = dilationY == 1 && dilationX == 1 && strideX == 1;
  threeByThree = kernelWidth == 3 && kernelHeight <= 3 && near && channels % 4 == 0 && nearTo - nearFrom >= 4;
  zeroNumbers = (<i64>(kernelHeight - 1) * width + 1) * channels;
  five = kernelWidth == 5 && kernelHeight <= 5 && near && padLeft >= 0 && channels % 4 == 0 && outWidth > 4;
  const zeros = Math.ceil(4 * (<f64>zeroNumbers + 4 * <f64>channels) / 64) * 64;
  threadBytes = threeByThree ? zeros : five ? blockBytes() : 0;
  sumNumbers = (<i64>kernelHeight * kernelWidth * channels + 3) & ~3;
  const products = <f64>batch * <f64>outHeight * <f64>outWidth * <f64>channels * <f64>kernelHeight * <f64>kernelWidth;
  const worth = <i32>min<f64>(<f64>i32.MAX_VALUE, products), rows = <i32>min<i64>(i32.MAX_VALUE, <i64>batch * outHeight);
  rowParts = max(1, min(rows, partsFor(worth, PART, MOST_PARTS)));
  imageParts = max(1, min(batch, partsFor(worth, PART, MOST_PARTS)));
  sumParts = max(1, min(rows, partsFor(worth, PART, MOST_SUMS)));
  sumBytes = 12 * <f64>sumNumbers * <f64>sumParts; // totals (f64) and, behind them, sums of a few windows (f32)
}

/** Bytes of a pixel of a block of channels: 16 channels, a cache line. */
export const BLOCK: usize = 64;
/** Lines of an image that a frame holds. */
export const FRAME_LINES: i32 = 20;

/** Pixels of a line of the frame, which begins with the padding: those that windows in fours read, or more. */
export function frameColumns(): i64 {
  return max(<i64>padLeft + width, ((<i64>outWidth + 3) & ~3) + 4);
}

/** Bytes of a frame, taps or their sums and totals, and a row of dy or four outputs. */
function blockBytes(): f64 {
  return <f64>BLOCK * (<f64>FRAME_LINES * <f64>frameColumns() + 75 + <f64>((<i64>outWidth + 3) & ~3));
}

/**
 * Clears a pixel of each line, as far apart as the lines of an image, and four pixels behind: they replace pixels
 * outside the image.
 */
export function clearZeros(zeros: usize): void {
  const pixel: usize = 4 * <usize>channels;
  for (let line = 0; line < kernelHeight; line++) memory.fill(zeros + <usize>line * <usize>width * pixel, 0, pixel);
  memory.fill(zeros + 4 * <usize>zeroNumbers, 0, 4 * pixel);
}

// The current row of windows. `enterRow` fills these.

/** Lines of the row's taps that are inside the image; the addresses of the first such line in x and in the kernel. */
export let lines: i32, firstLine: usize, firstTaps: usize;

/** Makes row `row` of the batch's windows the current row. x: the images; taps: the kernel, or sums of its shape. */
export function enterRow(row: i32, x: usize, taps: usize): void {
  const pixel: usize = 4 * <usize>channels;
  const top = (row % outHeight) * strideY - padTop;
  const first = firstTap(top, dilationY);
  lines = max(0, endTap(top, dilationY, kernelHeight, height) - first);
  firstLine = x + <usize>(((row / outHeight) * height + top + first * dilationY) * width) * pixel;
  firstTaps = taps + <usize>(first * kernelWidth) * pixel;
}

// What `addWindow` adds to: the window's output, y += x·tap; the gradient of its taps, taps += x·y; the gradient of its
// pixels, x += y·tap.
export const TO_OUTPUT: i32 = 0;
export const TO_TAPS: i32 = 1;
export const TO_PIXELS: i32 = 2;

/**
 * Adds the products of one window of the current row, for taps inside the image and channels from byte `c` on. y: its
 * output.
 */
export function addWindow(window: i32, y: usize, c: usize, to: i32): void {
  const pixel: usize = 4 * <usize>channels, bytes = pixel - c;
  const left = window * strideX - padLeft;
  const first = firstTap(left, dilationX), end = endTap(left, dilationX, kernelWidth, width);
  const step: usize = <usize>dilationX * pixel, down: usize = <usize>(dilationY * width) * pixel, tapRow: usize = <usize>kernelWidth * pixel;
  let line = firstLine + <usize>(left + first * dilationX) * pixel + c;
  let taps = firstTaps + <usize>first * pixel + c;
  y += c;
  for (let ky = 0; ky < lines; ky++, line += down, taps += tapRow) {
    let x = line, tap = taps;
    for (let kx = first; kx < end; kx++, x += step, tap += pixel) {
      if (to == TO_OUTPUT) addProducts(bytes, x, tap, y);
      else if (to == TO_TAPS) addProducts(bytes, x, y, tap);
      else addProducts(bytes, y, tap, x);
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

// Four windows side by side with three taps each read six pixels of a line:
//
//     pixels     0   1   2   3   4   5
//     window 0   [---------]
//     window 3               [---------]
//
// Pixel 0 may lie before the image and pixel 5 behind it. Loops therefore address them by offsets from pixel 1, which
// may lead to zeros.

/** The offset from pixel 1 of the four windows from `window` on, at x, to their pixel 0, or to zeros. */
// @ts-ignore: decorator
@inline
export function offsetOfFirst(window: i32, x: usize, zeros: usize): usize {
  return window < padLeft ? zeros - x : -4 * <usize>channels;
}

/** The same to pixel 5. */
// @ts-ignore: decorator
@inline
export function offsetOfSixth(window: i32, x: usize, zeros: usize): usize {
  return window - padLeft + 5 < width ? 16 * <usize>channels : zeros - x;
}

/** start + a·p + b·q + c·r. */
// @ts-ignore: decorator
@inline
export function madd3(a: v128, p: v128, b: v128, q: v128, c: v128, r: v128, start: v128): v128 {
  return madd(c, r, madd(b, q, madd(a, p, start)));
}
