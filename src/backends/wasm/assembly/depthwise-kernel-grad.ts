// The gradient of a depthwise convolution's kernel: dkernel [tap, c] = Σ over windows x [tap of the window, c] · dy
// [window, c].
//
// - Layout: of each part, totals [kernelHeight, kernelWidth, channels] in float64 and, behind them, sums of the same
//   shape in float32.
// - Vectors: four channels. For kernels 3 wide, four windows side by side share the six pixels of a line.
// - Kernels five wide: depthwise-five.ts.
// - Accuracy: the sums collect at most 48 windows before they are added to the totals.
// - Parts: rows of windows, at most 16 parts, each with its own totals.
// - Work memory: totals and sums, 12 bytes for each number of the kernel and part. For kernels 3 wide, each thread has
//   zeros for at most three lines of the image and four pixels.

import { sumRowsOfFive } from "./depthwise-five";
import {
  addWindow, args, clearZeros, enterRow, firstLine, firstTaps, five, lines, madd3, nearFrom, nearTo, offsetOfFirst, offsetOfSixth, planRows,
  sumBytes, sumNumbers, sumParts, threadBytes, threeByThree, TO_TAPS, zeroNumbers,
} from "./depthwise-rows";
import { collect, FEW_TERMS } from "./doubles";
import { madd } from "./madd";
import {
  batch, channels, dilationX, dilationY, endTap, firstTap, kernelHeight, kernelWidth, outHeight, outWidth, padLeft, strideX, width,
} from "./sizes";
import { cut, reserveShared, runWith } from "./threads";

/** dkernel (+)= Σ x·dy. The parts are added in their order, so the result does not depend on the number of threads. */
export function depthwiseConv2dKernelGrad(_n: i32, x: usize, dy: usize, dkernel: usize, accumulate: bool): void {
  planRows(false);
  const parts = sumParts, shared = reserveShared(sumBytes);
  args.x = x;
  args.y = dy;
  args.sums = shared;
  runWith(sumRowsPart, parts, threadBytes);
  const next: usize = 12 * <usize>sumNumbers, end = dkernel + 4 * <usize>(kernelHeight * kernelWidth) * <usize>channels;
  for (let at = shared; dkernel < end; dkernel += 4, at += 8) {
    let sum: f64 = accumulate ? load<f32>(dkernel) : 0;
    for (let part = 0, from = at; part < parts; part++, from += next) sum += load<f64>(from);
    store<f32>(dkernel, <f32>sum);
  }
}

// The sums of the current part. `sumRowsPart` sets the addresses, `countWindows` the count.

/**
 * The addresses of the sums of few windows (f32) and of the totals that collect them (f64); windows that the sums hold.
 */
let fewSums: usize, totals: usize, windowsHeld: i32;

/** Counts `count` more windows. If the sums cannot hold them, it first adds the sums to the totals and clears them. */
function countWindows(count: i32): void {
  if (windowsHeld + count > FEW_TERMS) {
    collect(fewSums, <usize>sumNumbers, totals);
    windowsHeld = 0;
  }
  windowsHeld += count;
}

/** Sums some rows of windows. */
function sumRowsPart(part: i32, parts: i32, work: usize): void {
  planRows(false);
  const pixel: usize = 4 * <usize>channels;
  const numbers = <usize>sumNumbers;
  totals = args.sums + <usize>part * 12 * numbers;
  fewSums = totals + 8 * numbers;
  windowsHeld = 0;
  const begin = cut(batch * outHeight, part, parts, 1), end = cut(batch * outHeight, part + 1, parts, 1);
  if (five) return sumRowsOfFive(begin, end, totals, work);
  memory.fill(totals, 0, 12 * numbers);
  if (threeByThree) clearZeros(work);
  for (let row = begin; row < end; row++) {
    enterRow(row, args.x, fewSums);
    const dy = args.y + <usize>row * <usize>outWidth * pixel;
    if (threeByThree) sumRow3(dy, pixel, work);
    else for (let o = 0; o < outWidth; o += FEW_TERMS) sumRow(dy, pixel, o, min(outWidth, o + FEW_TERMS));
  }
  collect(fewSums, numbers, totals);
}

/** Adds windows begin … end - 1 of the current row, of any kernel, tap by tap. */
function sumRow(dy: usize, pixel: usize, begin: i32, end: i32): void {
  countWindows(end - begin);
  const across: usize = <usize>strideX * pixel;
  let sums = firstTaps, line = firstLine;
  for (let ky = 0; ky < lines; ky++, line += <usize>dilationY * <usize>width * pixel) {
    for (let kx = 0; kx < kernelWidth; kx++, sums += pixel) {
      // Windows from … to - 1 have this tap inside the image.
      const offset = kx * dilationX - padLeft;
      const from = max(begin, firstTap(offset, strideX)), to = endTap(offset, strideX, end, width);
      sumProducts(to - from, line + <usize>(from * strideX + offset) * pixel, across, dy + <usize>from * pixel, pixel, sums);
    }
  }
}

/** sums [channels] += Σ over `count` windows of x·dy. */
function sumProducts(count: i32, x: usize, across: usize, dy: usize, pixel: usize, sums: usize): void {
  const end = dy + <usize>max(0, count) * pixel;
  let c: usize = 0;
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

/** Adds all windows of the current row if `threeByThree`. work: zeros and, behind them, four pixels. */
function sumRow3(dy: usize, pixel: usize, work: usize): void {
  const from = nearFrom, to = nearTo;
  const down: usize = <usize>width * pixel;
  const spare = work + 4 * <usize>zeroNumbers;
  for (let o = 0; o < from; o++) sumWindow(o, dy, pixel);
  for (let o = from; o < to; o += 4) {
    countWindows(4);
    const at = min(o, to - 4);
    const before = <usize>(o - at) * pixel;
    let d = dy + <usize>at * pixel;
    if (before > 0) {
      // The last four windows overlap the four before: dy of the windows that were added before becomes 0.
      memory.copy(spare + before, d + before, 4 * pixel - before);
      d = spare;
    }
    const x = firstLine + <usize>(at - padLeft + 1) * pixel;
    sumFourWindows(lines, down, x, offsetOfFirst(at, x, work), offsetOfSixth(at, x, work), d, pixel, firstTaps);
  }
  for (let o = to; o < outWidth; o++) sumWindow(o, dy, pixel);
}

/** Adds one window of the current row. */
function sumWindow(window: i32, dy: usize, pixel: usize): void {
  countWindows(1);
  addWindow(window, dy + <usize>window * pixel, 0, TO_TAPS);
}

/**
 * sums [lines, 3, channels] += Σ x·dy over four windows side by side. Arguments and form are those of
 * `computeFourOutputs`; the module exports it for the same reason.
 */
export function sumFourWindows(lines: i32, down: usize, x: usize, toFirst: usize, toSixth: usize, dy: usize, pixel: usize, sums: usize): void {
  const end = dy + pixel;
  let p = x + down, q = p + down, t = sums + 3 * pixel, u = t + 3 * pixel;
  for (; dy < end; dy += 16, x += 16, p += 16, q += 16, sums += 16, t += 16, u += 16) {
    const d0 = v128.load(dy), d1 = v128.load(dy + pixel), d2 = v128.load(dy + 2 * pixel), d3 = v128.load(dy + 3 * pixel);
    if (lines > 0) sumLine(x, toFirst, toSixth, d0, d1, d2, d3, pixel, sums);
    if (lines > 1) sumLine(p, toFirst, toSixth, d0, d1, d2, d3, pixel, t);
    if (lines > 2) sumLine(q, toFirst, toSixth, d0, d1, d2, d3, pixel, u);
  }
}

/** The same for four channels of one line. */
// @ts-ignore: decorator
@inline
function sumLine(
  x: usize, toFirst: usize, toSixth: usize, d0: v128, d1: v128, d2: v128, d3: v128, pixel: usize, sums: usize,
): void {
  const v0 = v128.load(x + toFirst), v1 = v128.load(x), v2 = v128.load(x + pixel);
  const v3 = v128.load(x + 2 * pixel), v4 = v128.load(x + 3 * pixel), v5 = v128.load(x + toSixth);
  const s0 = v128.load(sums), s1 = v128.load(sums + pixel), s2 = v128.load(sums + 2 * pixel);
  v128.store(sums, madd(v3, d3, madd3(v0, d0, v1, d1, v2, d2, s0)));
  v128.store(sums + pixel, madd(v4, d3, madd3(v1, d0, v2, d1, v3, d2, s1)));
  v128.store(sums + 2 * pixel, madd(v5, d3, madd3(v2, d0, v3, d1, v4, d2, s2)));
}
