// Depthwise convolution: every channel has its own kernel (multiplier 1), y [.., c] = Σ over taps x [.., c] · kernel
// [tap, c].
//
// Algorithm: direct, row of windows by row of windows, with images read in place. There is no matrix product, because
// no sum runs over channels. Memory is the limit, so the loops load each pixel and each tap once for four windows.
//
// - Layout: depthwise-rows.ts.
// - Vectors: four channels; four windows side by side share the taps, and their pixels if the stride is 1. For kernels
//   3 wide a loop of its own keeps 4 sums, 3 taps and 6 pixels in registers.
// - Windows past the left or right border are computed tap by tap, those of kernels 3 wide with zeros in place of the
//   missing pixel.
// - Kernels five wide: depthwise-five.ts.
// - Parts: rows of windows, at most 64 parts.
// - Accuracy: kernels of more than 48 taps are summed in float64.
// - Work memory of a thread: for kernels 3 wide, zeros of at most three lines of the image and four pixels; otherwise
//   none.

import { finish, NONE } from "./activate";
import { computeRowsOfFive } from "./depthwise-five";
import {
  addWindow, args, clearZeros, enterRow, firstLine, firstTaps, five, lines, madd3, nearFrom, nearTo, offsetOfFirst, offsetOfSixth, planRows,
  rowParts, threadBytes, threeByThree, TO_OUTPUT, zeroNumbers,
} from "./depthwise-rows";
import { FEW_TERMS } from "./doubles";
import { madd } from "./madd";
import { read, write } from "./pairs";
import {
  batch, channels, dilationX, dilationY, endTap, firstTap, kernelHeight, kernelWidth, outHeight, outWidth, padLeft, strideX, width,
} from "./sizes";
import { cut, runWith } from "./threads";

/** y = activation(x ∗ kernel + bias). `bias` 0: no bias. Each row of outputs is finished while it lies in the cache. */
export function depthwiseConv2d(_n: i32, x: usize, kernel: usize, bias: usize, activation: i32, y: usize): void {
  args.bias = bias;
  args.activation = activation;
  convolve(false, x, kernel, y, false);
}

/** dx (+)= dy ∗ kernel, with the sizes of the gradient of the input at stride 1. */
export function convolveTurned(dy: usize, kernel: usize, dx: usize, accumulate: bool): void {
  args.bias = 0;
  args.activation = NONE;
  convolve(true, dy, kernel, dx, accumulate);
}

function convolve(turned: bool, x: usize, kernel: usize, y: usize, accumulate: bool): void {
  planRows(turned);
  args.turned = turned;
  args.x = x;
  args.kernel = kernel;
  args.y = y;
  args.accumulate = accumulate;
  runWith(rowsPart, rowParts, threadBytes);
}

function rowsPart(part: i32, parts: i32, work: usize): void {
  planRows(args.turned);
  const pixel: usize = 4 * <usize>channels;
  const accumulate = args.accumulate;
  const begin = cut(batch * outHeight, part, parts, 1), end = cut(batch * outHeight, part + 1, parts, 1);
  if (five) {
    computeRowsOfFive(begin, end, work);
    return finish(args.activation, (end - begin) * outWidth, channels, args.bias, args.y + <usize>(begin * outWidth) * pixel);
  }
  if (threeByThree) clearZeros(work);
  for (let row = begin; row < end; row++) {
    enterRow(row, args.x, args.kernel);
    const y = args.y + <usize>(row * outWidth) * pixel;
    if (hasManyTaps()) computeLongRow(y, pixel, accumulate);
    else if (threeByThree) computeRow3(y, pixel, accumulate, work);
    else computeRow(y, pixel, accumulate);
    finish(args.activation, outWidth, channels, args.bias, y);
  }
}

/** True if an output has too many terms for a float32 sum. */
function hasManyTaps(): bool {
  return <i64>kernelHeight * kernelWidth > FEW_TERMS;
}

/** Computes the current row of outputs, each summed in float64. */
function computeLongRow(y: usize, pixel: usize, accumulate: bool): void {
  const step: usize = <usize>dilationX * pixel, down: usize = <usize>dilationY * <usize>width * pixel;
  for (let o = 0; o < outWidth; o++, y += pixel) {
    const left = o * strideX - padLeft;
    const first = firstTap(left, dilationX), end = endTap(left, dilationX, kernelWidth, width);
    for (let c: usize = 0; c < pixel; c += 8) {
      let sum = f64x2.splat(0);
      let line = firstLine + <usize>(left + first * dilationX) * pixel + c, taps = firstTaps + <usize>first * pixel + c;
      for (let ky = 0; ky < lines; ky++, line += down, taps += <usize>kernelWidth * pixel) {
        let x = line, tap = taps;
        for (let kx = first; kx < end; kx++, x += step, tap += pixel) sum = f64x2.add(sum, f64x2.mul(read(x), read(tap)));
      }
      write(y + c, sum, pixel - c, accumulate);
    }
  }
}

/** Computes output `window` of the current row, which begins at y: channels from byte `c` on. */
function computeOutput(window: i32, y: usize, c: usize, accumulate: bool): void {
  const to = y + 4 * <usize>(window * channels);
  if (!accumulate) memory.fill(to + c, 0, 4 * channels - c);
  addWindow(window, to, c, TO_OUTPUT);
}

/** Computes the current row of outputs of any kernel. */
function computeRow(y: usize, pixel: usize, accumulate: bool): void {
  const room = width + padLeft - (kernelWidth - 1) * dilationX - 1;
  const inside = room < 0 ? 0 : min(outWidth, room / strideX + 1); // windows before this one end inside the image
  for (let o = 0; o < outWidth; ) {
    const left = o * strideX - padLeft;
    if (left < 0 || o + 4 > inside) {
      computeOutput(o++, y, 0, accumulate);
      continue;
    }
    const done = computeFour(firstLine + <usize>left * pixel, y + <usize>o * pixel, accumulate);
    for (const next = o + 4; o < next; o++) if (done < pixel) computeOutput(o, y, done, accumulate);
  }
}

/** Computes the current row of outputs if `threeByThree`. work: zeros and, behind them, four pixels. */
function computeRow3(y: usize, pixel: usize, accumulate: bool, work: usize): void {
  const from = nearFrom, to = nearTo;
  const down: usize = <usize>width * pixel;
  const spare = work + 4 * <usize>zeroNumbers;
  for (let o = 0; o < from; o++) computeOutput(o, y, 0, accumulate);
  for (let o = from; o < to; o += 4) {
    const at = min(o, to - 4); // the last four may overlap the four before, which are then computed again
    const yAt = y + <usize>at * pixel;
    const x = firstLine + <usize>(at - padLeft + 1) * pixel;
    computeFourOutputs(lines, down, x, offsetOfFirst(at, x, work), offsetOfSixth(at, x, work), firstTaps, pixel, accumulate ? spare : yAt);
    const before = <usize>(o - at) * pixel;
    if (accumulate) addNumbers(4 * pixel - before, spare + before, yAt + before);
  }
  for (let o = to; o < outWidth; o++) computeOutput(o, y, 0, accumulate);
}

/** c += a, `bytes` of each. */
function addNumbers(bytes: usize, a: usize, c: usize): void {
  let i: usize = 0;
  for (; i + 16 <= bytes; i += 16) v128.store(c + i, f32x4.add(v128.load(c + i), v128.load(a + i)));
  for (; i < bytes; i += 4) store<f32>(c + i, load<f32>(c + i) + load<f32>(a + i));
}

/**
 * Computes four outputs side by side, Σ x·kernel over `lines` lines that lie `down` bytes apart. x is the second of the
 * six pixels that the outputs read of each line; toFirst and toSixth lead from there to the first and the sixth.
 *
 * The three lines are written out so that V8 keeps all values in registers. It moves the loads of a block to its front,
 * so a block has only one line of taps. The sums pass from block to block; a function called for each line would have
 * to keep them in memory. The module exports this function, because the compiler would inline it otherwise.
 */
export function computeFourOutputs(lines: i32, down: usize, x: usize, toFirst: usize, toSixth: usize, kernel: usize, pixel: usize, y: usize): void {
  const end = y + pixel;
  let p = x + down, q = p + down, k = kernel + 3 * pixel, l = k + 3 * pixel;
  for (; y < end; y += 16, x += 16, p += 16, q += 16, kernel += 16, k += 16, l += 16) {
    let s0 = f32x4.splat(0), s1 = s0, s2 = s0, s3 = s0;
    let k0: v128, k1: v128, k2: v128, v0: v128, v1: v128, v2: v128, v3: v128, v4: v128, v5: v128;
    if (lines > 0) {
      k0 = v128.load(kernel), k1 = v128.load(kernel + pixel), k2 = v128.load(kernel + 2 * pixel);
      v0 = v128.load(x + toFirst), v1 = v128.load(x), v2 = v128.load(x + pixel);
      v3 = v128.load(x + 2 * pixel), v4 = v128.load(x + 3 * pixel), v5 = v128.load(x + toSixth);
      s0 = madd3(v0, k0, v1, k1, v2, k2, s0);
      s1 = madd3(v1, k0, v2, k1, v3, k2, s1);
      s2 = madd3(v2, k0, v3, k1, v4, k2, s2);
      s3 = madd3(v3, k0, v4, k1, v5, k2, s3);
    }
    if (lines > 1) {
      k0 = v128.load(k), k1 = v128.load(k + pixel), k2 = v128.load(k + 2 * pixel);
      v0 = v128.load(p + toFirst), v1 = v128.load(p), v2 = v128.load(p + pixel);
      v3 = v128.load(p + 2 * pixel), v4 = v128.load(p + 3 * pixel), v5 = v128.load(p + toSixth);
      s0 = madd3(v0, k0, v1, k1, v2, k2, s0);
      s1 = madd3(v1, k0, v2, k1, v3, k2, s1);
      s2 = madd3(v2, k0, v3, k1, v4, k2, s2);
      s3 = madd3(v3, k0, v4, k1, v5, k2, s3);
    }
    if (lines > 2) {
      k0 = v128.load(l), k1 = v128.load(l + pixel), k2 = v128.load(l + 2 * pixel);
      v0 = v128.load(q + toFirst), v1 = v128.load(q), v2 = v128.load(q + pixel);
      v3 = v128.load(q + 2 * pixel), v4 = v128.load(q + 3 * pixel), v5 = v128.load(q + toSixth);
      s0 = madd3(v0, k0, v1, k1, v2, k2, s0);
      s1 = madd3(v1, k0, v2, k1, v3, k2, s1);
      s2 = madd3(v2, k0, v3, k1, v4, k2, s2);
      s3 = madd3(v3, k0, v4, k1, v5, k2, s3);
    }
    v128.store(y, s0);
    v128.store(y + pixel, s1);
    v128.store(y + 2 * pixel, s2);
    v128.store(y + 3 * pixel, s3);
  }
}

/**
 * Computes four outputs side by side of any kernel whose taps are all inside the image, four channels at a time.
 * Returns the bytes of each output that it computed. The last four channels may overlap the four before. If y
 * accumulates, or there are fewer than four channels, that is not possible, and the caller computes the rest.
 */
function computeFour(x: usize, y: usize, accumulate: bool): usize {
  const pixel: usize = 4 * <usize>channels;
  const across: usize = <usize>strideX * pixel, step: usize = <usize>dilationX * pixel;
  const down: usize = <usize>(dilationY * width) * pixel;
  for (let c: usize = 0; c < pixel; c += 16) {
    if (c + 16 > pixel) {
      if (accumulate || pixel < 16) return c;
      c = pixel - 16;
    }
    const to = y + c;
    let s0 = accumulate ? v128.load(to) : f32x4.splat(0);
    let s1 = accumulate ? v128.load(to + pixel) : f32x4.splat(0);
    let s2 = accumulate ? v128.load(to + 2 * pixel) : f32x4.splat(0);
    let s3 = accumulate ? v128.load(to + 3 * pixel) : f32x4.splat(0);
    let k = firstTaps + c;
    let row = x + c;
    for (let ky = 0; ky < lines; ky++, row += down) {
      let p = row;
      for (let kx = 0; kx < kernelWidth; kx++, p += step, k += pixel) {
        const tap = v128.load(k);
        s0 = madd(v128.load(p), tap, s0);
        s1 = madd(v128.load(p + across), tap, s1);
        s2 = madd(v128.load(p + 2 * across), tap, s2);
        s3 = madd(v128.load(p + 3 * across), tap, s3);
      }
    }
    v128.store(to, s0);
    v128.store(to + pixel, s1);
    v128.store(to + 2 * pixel, s2);
    v128.store(to + 3 * pixel, s3);
  }
  return pixel;
}
