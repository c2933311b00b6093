// Depthwise convolution with kernels five taps wide at stride 1, and the gradient of the kernel, for rows of more than
// four windows. Four windows side by side read eight pixels of a line:
//
//     pixels     0   1   2   3   4   5   6   7
//     window 0   [-----------------]
//     window 3               [-----------------]
//
// Each pixel and each tap is loaded once for four windows.
//
// - Layout: channels are taken in blocks of 16 (a cache line), so that the taps and some lines of the image stay in the
//   nearest cache. Lines are copied to a frame, between columns of zeros, so that all windows are inside.
// - Vectors: four channels.
// - Work memory of a thread: the frame, FRAME_LINES lines of a block; taps, or float32 sums of taps and float64 totals;
//   a row of dy or outputs.

import { args, BLOCK, FRAME_LINES, frameColumns } from "./depthwise-rows";
import { collect, FEW_TERMS } from "./doubles";
import { madd } from "./madd";
import { channels, height, kernelHeight, outHeight, outWidth, padLeft, padTop, strideY, width } from "./sizes";

// The current row of windows, of the current block. `enterRow` fills these.

/**
 * Lines that its windows read; the first of them, in the frame; the first line of taps that reads them; bytes of a line
 * of the frame.
 */
let lines: i32, firstLine: usize, firstTaps: i32, frameRow: usize;
/** The image whose lines frameTop … frameEnd - 1 are in the frame. */
let image: i32, frameTop: i32, frameEnd: i32;

/** Clears the frame. */
function openFrame(frame: usize): void {
  frameRow = <usize>frameColumns() * BLOCK;
  memory.fill(frame, 0, <usize>FRAME_LINES * frameRow);
}

/** Copies `count` pixels of a block: `bytes` of each. */
function copyPixels(count: i32, bytes: usize, to: usize, toNext: usize, from: usize, fromNext: usize): void {
  for (let i = 0; i < count; i++, to += toNext, from += fromNext) {
    for (let c: usize = 0; c < bytes; c += 16) v128.store(to + c, v128.load(from + c));
  }
}

/** Makes `row` the current row. x: the images, from the block's first channel on. */
function enterRow(row: i32, x: usize, bytes: usize, frame: usize): void {
  const b = row / outHeight, start = (row % outHeight) * strideY - padTop, top = max(0, start), end = min(height, start + kernelHeight);
  const pixel: usize = 4 * <usize>channels;
  lines = max(0, end - top);
  firstTaps = top - start;
  if (lines == 0) return;
  if (b != image || end > frameTop + FRAME_LINES) {
    image = b;
    frameTop = frameEnd = top;
  }
  for (; frameEnd < end; frameEnd++) {
    const to = frame + <usize>(frameEnd - frameTop) * frameRow + <usize>padLeft * BLOCK;
    copyPixels(width, bytes, to, BLOCK, x + <usize>((b * height + frameEnd) * width) * pixel, pixel);
  }
  firstLine = frame + <usize>(top - frameTop) * frameRow;
}

/** y (+)= x ∗ kernel for rows begin … end - 1 of windows. */
export function computeRowsOfFive(begin: i32, end: i32, work: usize): void {
  const pixel: usize = 4 * <usize>channels;
  openFrame(work);
  const taps = work + <usize>FRAME_LINES * frameRow, spare = taps + 25 * BLOCK;
  for (let c: usize = 0; c < pixel; c += BLOCK) {
    const bytes = min(BLOCK, pixel - c);
    copyPixels(5 * kernelHeight, bytes, taps, BLOCK, args.kernel + c, pixel);
    image = -1;
    for (let row = begin; row < end; row++) {
      enterRow(row, args.x + c, bytes, work);
      const y = args.y + <usize>(row * outWidth) * pixel + c, k = taps + <usize>(5 * firstTaps) * BLOCK;
      for (let o = 0; o < outWidth; o += 4) {
        const at = min(o, outWidth - 4), x = firstLine + <usize>at * BLOCK; // the last four may overlap the four before
        if (!args.accumulate) computeFour(x, k, bytes, y + <usize>at * pixel, pixel);
        else {
          computeFour(x, k, bytes, spare, BLOCK);
          for (let i = o; i < at + 4; i++) addPixel(bytes, spare + <usize>(i - at) * BLOCK, y + <usize>i * pixel);
        }
      }
    }
  }
}

/** y += x, `bytes` of each. */
function addPixel(bytes: usize, x: usize, y: usize): void {
  for (let c: usize = 0; c < bytes; c += 16) v128.store(y + c, f32x4.add(v128.load(y + c), v128.load(x + c)));
}

/** Computes four outputs side by side, which lie `next` bytes apart. */
function computeFour(x: usize, kernel: usize, bytes: usize, y: usize, next: usize): void {
  for (let c: usize = 0; c < bytes; c += 16) {
    let s0 = f32x4.splat(0), s1 = s0, s2 = s0, s3 = s0;
    let p = x + c, k = kernel + c;
    for (let line = 0; line < lines; line++, p += frameRow, k += 5 * BLOCK) {
      const k0 = v128.load(k), k1 = v128.load(k, BLOCK), k2 = v128.load(k, 2 * BLOCK), k3 = v128.load(k, 3 * BLOCK);
      const k4 = v128.load(k, 4 * BLOCK);
      const v3 = v128.load(p, 3 * BLOCK), v4 = v128.load(p, 4 * BLOCK);
      let v = v128.load(p);
      s0 = madd(v, k0, s0);
      v = v128.load(p, BLOCK);
      s0 = madd(v, k1, s0), s1 = madd(v, k0, s1);
      v = v128.load(p, 2 * BLOCK);
      s0 = madd(v, k2, s0), s1 = madd(v, k1, s1), s2 = madd(v, k0, s2);
      s0 = madd(v3, k3, s0), s1 = madd(v3, k2, s1), s2 = madd(v3, k1, s2), s3 = madd(v3, k0, s3);
      s0 = madd(v4, k4, s0), s1 = madd(v4, k3, s1), s2 = madd(v4, k2, s2), s3 = madd(v4, k1, s3);
      v = v128.load(p, 5 * BLOCK);
      s1 = madd(v, k4, s1), s2 = madd(v, k3, s2), s3 = madd(v, k2, s3);
      v = v128.load(p, 6 * BLOCK);
      s2 = madd(v, k4, s2), s3 = madd(v, k3, s3);
      s3 = madd(v128.load(p, 7 * BLOCK), k4, s3);
    }
    v128.store(y + c, s0);
    v128.store(y + c + next, s1);
    v128.store(y + c + 2 * next, s2);
    v128.store(y + c + 3 * next, s3);
  }
}

/** totals [taps, channels] (f64) = Σ x·dy over rows begin … end - 1 of windows. */
export function sumRowsOfFive(begin: i32, end: i32, totals: usize, work: usize): void {
  const pixel: usize = 4 * <usize>channels, taps = 5 * kernelHeight, numbers: usize = 16 * <usize>taps;
  openFrame(work);
  const sums = work + <usize>FRAME_LINES * frameRow, own = sums + <usize>taps * BLOCK, dy = own + 50 * BLOCK;
  memory.fill(dy, 0, <usize>((outWidth + 3) & ~3) * BLOCK); // windows past the last have a dy of 0
  for (let c: usize = 0; c < pixel; c += BLOCK) {
    const bytes = min(BLOCK, pixel - c);
    memory.fill(sums, 0, 12 * numbers);
    image = -1;
    let held = 0;
    for (let row = begin; row < end; row++) {
      enterRow(row, args.x + c, bytes, work);
      copyPixels(outWidth, bytes, dy, BLOCK, args.y + <usize>(row * outWidth) * pixel + c, pixel);
      for (let o = 0; o < outWidth; o += 4) {
        if ((held += 4) > FEW_TERMS) {
          collect(sums, numbers, own);
          held = 4;
        }
        sumFour(firstLine + <usize>o * BLOCK, dy + <usize>o * BLOCK, bytes, sums + <usize>(5 * firstTaps) * BLOCK);
      }
    }
    collect(sums, numbers, own);
    copyPixels(taps, 2 * bytes, totals + 2 * c, 2 * pixel, own, 2 * BLOCK);
  }
}

/** sums [lines, 5, channels] += Σ x·dy over four windows side by side. */
function sumFour(x: usize, dy: usize, bytes: usize, sums: usize): void {
  for (let c: usize = 0; c < bytes; c += 16) {
    const d0 = v128.load(dy + c), d1 = v128.load(dy + c, BLOCK), d2 = v128.load(dy + c, 2 * BLOCK), d3 = v128.load(dy + c, 3 * BLOCK);
    let p = x + c, t = sums + c;
    for (let line = 0; line < lines; line++, p += frameRow, t += 5 * BLOCK) {
      const v0 = v128.load(p), v1 = v128.load(p, BLOCK), v2 = v128.load(p, 2 * BLOCK), v3 = v128.load(p, 3 * BLOCK);
      const v4 = v128.load(p, 4 * BLOCK), v5 = v128.load(p, 5 * BLOCK), v6 = v128.load(p, 6 * BLOCK), v7 = v128.load(p, 7 * BLOCK);
      v128.store(t, madd4(v0, d0, v1, d1, v2, d2, v3, d3, v128.load(t)));
      v128.store(t, madd4(v1, d0, v2, d1, v3, d2, v4, d3, v128.load(t, BLOCK)), BLOCK);
      v128.store(t, madd4(v2, d0, v3, d1, v4, d2, v5, d3, v128.load(t, 2 * BLOCK)), 2 * BLOCK);
      v128.store(t, madd4(v3, d0, v4, d1, v5, d2, v6, d3, v128.load(t, 3 * BLOCK)), 3 * BLOCK);
      v128.store(t, madd4(v4, d0, v5, d1, v6, d2, v7, d3, v128.load(t, 4 * BLOCK)), 4 * BLOCK);
    }
  }
}

/** start + a·p + b·q + c·r + d·s. */
// @ts-ignore: decorator
@inline
function madd4(a: v128, p: v128, b: v128, q: v128, c: v128, r: v128, d: v128, s: v128, start: v128): v128 {
  return madd(d, s, madd(c, r, madd(b, q, madd(a, p, start))));
}
