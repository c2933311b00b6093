// Convolution of each channel by itself, multiplier 1. Images are read where they lie, a row of windows after the other; the inner loops take
// four channels at a time and, where all their taps are inside the image, four outputs side by side.

import {
  addPair, collect, FEW_TERMS, hasManyWindows, imageNumbers, imageTotals, roundImage, widenImage,
} from "./doubles";
import { madd } from "./madd";
import { read, write } from "./pairs";
import {
  batch, channels, dilationX, dilationY, endTap, firstTap, height, kernelHeight, kernelWidth, outHeight, outWidth, padLeft, padTop,
  readSizes, readTurnedSizes, strideX, strideY, width,
} from "./sizes";
import { ARGUMENTS, cut, partsFor, runWith, sharedMemory } from "./threads";

/** Multiplications worth a part. */
const PART: i32 = 1 << 17;
const MOST_PARTS: i32 = 64;
/** A kernel's gradient is summed by so many parts at most. */
const MOST_SUMS: i32 = 16;

function products(): i32 {
  const count = <f64>batch * <f64>outHeight * <f64>outWidth * <f64>channels * <f64>kernelHeight * <f64>kernelWidth;
  return <i32>min<f64>(<f64>i32.MAX_VALUE, count);
}

function readEither(turned: bool): void {
  if (turned) readTurnedSizes();
  else readSizes();
}

/**
 * Whether kernels have three taps side by side, in three lines at most, that move by single columns, and channels come in fours, as most do:
 * there are loops of their own for these.
 */
function isThreeByThree(): bool {
  const dense = kernelWidth == 3 && kernelHeight <= 3 && dilationY == 1 && dilationX == 1 && strideX == 1;
  return dense && channels % 4 == 0 && nearTo() - nearFrom() >= 4;
}

/** Windows of a row that reach beyond the image by one column at most: the first, and the first behind them. */
function nearFrom(): i32 {
  return max(0, padLeft - 1);
}
function nearTo(): i32 {
  return min(outWidth, width + padLeft - 1);
}

/** Zeros as far apart as the lines of an image, so that they can stand for a pixel of each line; numbers from the first to the last. */
function zeroNumbers(): i64 {
  return (<i64>(kernelHeight - 1) * width + 1) * channels;
}
/** Clears them, and the four pixels behind. */
function clear(zeros: usize): void {
  const pixel: usize = 4 * <usize>channels;
  for (let line = 0; line < kernelHeight; line++) memory.fill(zeros + <usize>line * <usize>width * pixel, 0, pixel);
  memory.fill(zeros + 4 * <usize>zeroNumbers(), 0, 4 * pixel);
}

/** Bytes of one slot: those zeros and four pixels. */
function zerosSlot(): f64 {
  return isThreeByThree() ? Math.ceil(4 * (<f64>zeroNumbers() + 4 * <f64>channels) / 64) * 64 : 0;
}

function rowParts(): i32 {
  const rows = <i32>min<i64>(i32.MAX_VALUE, <i64>batch * outHeight);
  return max(1, min(rows, partsFor(products(), PART, MOST_PARTS)));
}

/** Where the parts find their arrays. Forward: x, kernel, y; towards the image: dy, kernel, dx; towards the kernel: x, dy, and sums. */
@unmanaged
class Arguments {
  turned: bool;
  accumulate: bool;
  x: usize;
  kernel: usize;
  y: usize;
  sums: usize;
}
const args = changetype<Arguments>(ARGUMENTS);

/** y (+)= x ∗ kernel. */
export function depthwiseConv2d(_n: i32, x: usize, kernel: usize, y: usize, accumulate: bool): void {
  convolve(false, x, kernel, y, accumulate);
}

function convolve(turned: bool, x: usize, kernel: usize, y: usize, accumulate: bool): void {
  readEither(turned);
  args.turned = turned;
  args.x = x;
  args.kernel = kernel;
  args.y = y;
  args.accumulate = accumulate;
  runWith(rowsPart, rowParts(), zerosSlot());
}

/** Of a row of windows: how many lines of their taps are inside the image, and where the first begins in x and in the kernel. */
let lines: i32, firstLine: usize, firstTaps: usize;

function findRow(row: i32, x: usize, taps: usize): void {
  const pixel: usize = 4 * <usize>channels;
  const top = (row % outHeight) * strideY - padTop;
  const first = firstTap(top, dilationY);
  lines = max(0, endTap(top, dilationY, kernelHeight, height) - first);
  firstLine = x + <usize>(((row / outHeight) * height + top + first * dilationY) * width) * pixel;
  firstTaps = taps + <usize>(first * kernelWidth) * pixel;
}

// What a window adds to: its output y += x·tap; the gradient of its taps += x·y; the gradient of its pixels += y·tap.
const TO_OUTPUT: i32 = 0;
const TO_TAPS: i32 = 1;
const TO_PIXELS: i32 = 2;

/** One window of the row, whose output or its gradient is y, by those of its taps that are inside the image; channels from byte `c` on. */
function alone(window: i32, y: usize, c: usize, to: i32): void {
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

function rowsPart(part: i32, parts: i32, work: usize): void {
  readEither(args.turned);
  const pixel: usize = 4 * <usize>channels;
  const accumulate = args.accumulate;
  const three = isThreeByThree();
  if (three) clear(work);
  const end = cut(batch * outHeight, part + 1, parts, 1);
  for (let row = cut(batch * outHeight, part, parts, 1); row < end; row++) {
    findRow(row, args.x, args.kernel);
    const y = args.y + <usize>(row * outWidth) * pixel;
    if (hasManyTaps()) rowOfMany(y, pixel, accumulate);
    else if (three) rowOfThree(y, pixel, accumulate, work);
    else rowOfAny(y, pixel, accumulate);
  }
}

/** Whether an output has too many terms for a float32 total. */
function hasManyTaps(): bool {
  return <i64>kernelHeight * kernelWidth > FEW_TERMS;
}

/** A row of outputs, each summed in double precision. */
function rowOfMany(y: usize, pixel: usize, accumulate: bool): void {
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

/** One output of a row of outputs y, its channels from byte `c` on. */
function output(window: i32, y: usize, c: usize, accumulate: bool): void {
  const to = y + 4 * <usize>(window * channels);
  if (!accumulate) memory.fill(to + c, 0, 4 * channels - c);
  alone(window, to, c, TO_OUTPUT);
}

function rowOfAny(y: usize, pixel: usize, accumulate: bool): void {
  const room = width + padLeft - (kernelWidth - 1) * dilationX - 1;
  const inside = room < 0 ? 0 : min(outWidth, room / strideX + 1); // windows that do not reach beyond the image at the right
  for (let o = 0; o < outWidth; ) {
    const left = o * strideX - padLeft;
    if (left < 0 || o + 4 > inside) {
      output(o++, y, 0, accumulate);
      continue;
    }
    const done = four(firstLine + <usize>left * pixel, y + <usize>o * pixel, accumulate);
    for (const next = o + 4; o < next; o++) if (done < pixel) output(o, y, done, accumulate);
  }
}

function rowOfThree(y: usize, pixel: usize, accumulate: bool, work: usize): void {
  const from = nearFrom(), to = nearTo();
  const down: usize = <usize>width * pixel;
  const spare = work + 4 * <usize>zeroNumbers();
  for (let o = 0; o < from; o++) output(o, y, 0, accumulate);
  for (let o = from; o < to; o += 4) {
    const at = min(o, to - 4); // the last four may be partly those before, once more
    const yAt = y + <usize>at * pixel;
    const x = firstLine + <usize>(at - padLeft + 1) * pixel;
    acrossFour(lines, down, x, toFirst(at, x, work), toSixth(at, x, work), firstTaps, pixel, accumulate ? spare : yAt);
    const before = <usize>(o - at) * pixel;
    if (accumulate) addNumbers(4 * pixel - before, spare + before, yAt + before);
  }
  for (let o = to; o < outWidth; o++) output(o, y, 0, accumulate);
}

/** c += a, `bytes` of each. */
function addNumbers(bytes: usize, a: usize, c: usize): void {
  let i: usize = 0;
  for (; i + 16 <= bytes; i += 16) v128.store(c + i, f32x4.add(v128.load(c + i), v128.load(a + i)));
  for (; i < bytes; i += 4) store<f32>(c + i, load<f32>(c + i) + load<f32>(a + i));
}

/** Of the six pixels under four windows side by side: how far the first, and the sixth, is from the second, or zeros are. */
// @ts-ignore: decorator
@inline
function toFirst(window: i32, x: usize, zeros: usize): usize {
  return window < padLeft ? zeros - x : -4 * <usize>channels;
}
// @ts-ignore: decorator
@inline
function toSixth(window: i32, x: usize, zeros: usize): usize {
  return window - padLeft + 5 < width ? 16 * <usize>channels : zeros - x;
}

/** start + a·p + b·q + c·r. */
// @ts-ignore: decorator
@inline
function three(a: v128, p: v128, b: v128, q: v128, c: v128, r: v128, start: v128): v128 {
  return madd(c, r, madd(b, q, madd(a, p, start)));
}

/**
 * Four outputs side by side, Σ x·kernel over `lines` lines, which lie `down` bytes apart; x is the second of the six pixels they need of
 * each. In a form that V8 keeps in registers: it puts the loads of a block first, so that a block has one line of taps; the sums go from
 * block to block, which no function called for each line could do without memory.
 */
export function acrossFour(lines: i32, down: usize, x: usize, toFirst: usize, toSixth: usize, kernel: usize, pixel: usize, y: usize): void {
  const end = y + pixel;
  let p = x + down, q = p + down, k = kernel + 3 * pixel, l = k + 3 * pixel;
  for (; y < end; y += 16, x += 16, p += 16, q += 16, kernel += 16, k += 16, l += 16) {
    let s0 = f32x4.splat(0), s1 = s0, s2 = s0, s3 = s0;
    let k0: v128, k1: v128, k2: v128, v0: v128, v1: v128, v2: v128, v3: v128, v4: v128, v5: v128;
    if (lines > 0) {
      k0 = v128.load(kernel), k1 = v128.load(kernel + pixel), k2 = v128.load(kernel + 2 * pixel);
      v0 = v128.load(x + toFirst), v1 = v128.load(x), v2 = v128.load(x + pixel);
      v3 = v128.load(x + 2 * pixel), v4 = v128.load(x + 3 * pixel), v5 = v128.load(x + toSixth);
      s0 = three(v0, k0, v1, k1, v2, k2, s0);
      s1 = three(v1, k0, v2, k1, v3, k2, s1);
      s2 = three(v2, k0, v3, k1, v4, k2, s2);
      s3 = three(v3, k0, v4, k1, v5, k2, s3);
    }
    if (lines > 1) {
      k0 = v128.load(k), k1 = v128.load(k + pixel), k2 = v128.load(k + 2 * pixel);
      v0 = v128.load(p + toFirst), v1 = v128.load(p), v2 = v128.load(p + pixel);
      v3 = v128.load(p + 2 * pixel), v4 = v128.load(p + 3 * pixel), v5 = v128.load(p + toSixth);
      s0 = three(v0, k0, v1, k1, v2, k2, s0);
      s1 = three(v1, k0, v2, k1, v3, k2, s1);
      s2 = three(v2, k0, v3, k1, v4, k2, s2);
      s3 = three(v3, k0, v4, k1, v5, k2, s3);
    }
    if (lines > 2) {
      k0 = v128.load(l), k1 = v128.load(l + pixel), k2 = v128.load(l + 2 * pixel);
      v0 = v128.load(q + toFirst), v1 = v128.load(q), v2 = v128.load(q + pixel);
      v3 = v128.load(q + 2 * pixel), v4 = v128.load(q + 3 * pixel), v5 = v128.load(q + toSixth);
      s0 = three(v0, k0, v1, k1, v2, k2, s0);
      s1 = three(v1, k0, v2, k1, v3, k2, s1);
      s2 = three(v2, k0, v3, k1, v4, k2, s2);
      s3 = three(v3, k0, v4, k1, v5, k2, s3);
    }
    v128.store(y, s0);
    v128.store(y + pixel, s1);
    v128.store(y + 2 * pixel, s2);
    v128.store(y + 3 * pixel, s3);
  }
}

/**
 * Four outputs side by side of any kernel, four channels of each at a time. The last four may be partly those before, once more; where that
 * cannot be, what is behind the last four is left to others. Bytes of each output that are done.
 */
function four(x: usize, y: usize, accumulate: bool): usize {
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

function imageParts(): i32 {
  return max(1, min(batch, partsFor(products(), PART, MOST_PARTS)));
}

/**
 * dx (+)= dy ∗ kernel, the other way. At stride 1 that is a convolution with the kernel turned round, in work memory; otherwise
 * products are added where their taps were read.
 */
export function depthwiseConv2dInputGrad(_n: i32, dy: usize, kernel: usize, dx: usize, accumulate: bool): void {
  readSizes();
  if (strideY == 1 && strideX == 1) {
    const pixel: usize = 4 * <usize>channels;
    const taps = kernelHeight * kernelWidth, shared = sharedMemory(4 * <f64>kernelHeight * <f64>kernelWidth * <f64>channels);
    for (let tap = 0; tap < taps; tap++) memory.copy(shared + <usize>tap * pixel, kernel + <usize>(taps - 1 - tap) * pixel, pixel);
    return convolve(true, dy, shared, dx, accumulate);
  }
  args.x = dy;
  args.kernel = kernel;
  args.y = dx;
  args.accumulate = accumulate;
  runWith(scatterPart, imageParts(), hasManyWindows() ? imageTotals() : 0);
}

/** dx of some images at any stride: every product where its tap was read. */
function scatterPart(part: i32, parts: i32, work: usize): void {
  readSizes();
  const pixel: usize = 4 * <usize>channels, numbers = <usize>imageNumbers();
  const many = hasManyWindows(), accumulate = args.accumulate;
  const end = cut(batch, part + 1, parts, 1);
  for (let b = cut(batch, part, parts, 1); b < end; b++) {
    const dx = args.y + 4 * <usize>b * numbers;
    if (many) widenImage(dx, numbers, work, accumulate);
    else if (!accumulate) memory.fill(dx, 0, 4 * numbers);
    let dy = args.x + <usize>(b * outHeight) * <usize>outWidth * pixel;
    for (let row = b * outHeight; row < (b + 1) * outHeight; row++) {
      findRow(row, args.y, args.kernel);
      for (let o = 0; o < outWidth; o++, dy += pixel) {
        if (many) toTotals(o, dy, dx, work);
        else alone(o, dy, 0, TO_PIXELS);
      }
    }
    if (many) roundImage(work, numbers, dx);
  }
}

/** One window of the row: its products y·tap are added to the totals of its image, which begins at `image`. */
function toTotals(window: i32, y: usize, image: usize, totals: usize): void {
  const pixel: usize = 4 * <usize>channels, down: usize = <usize>dilationY * <usize>width * pixel;
  const left = window * strideX - padLeft;
  const first = firstTap(left, dilationX), end = endTap(left, dilationX, kernelWidth, width);
  let line = firstLine + <usize>(left + first * dilationX) * pixel - image, taps = firstTaps + <usize>first * pixel;
  for (let ky = 0; ky < lines; ky++, line += down, taps += <usize>kernelWidth * pixel) {
    let at = line, tap = taps;
    for (let kx = first; kx < end; kx++, at += <usize>dilationX * pixel, tap += pixel) {
      for (let c: usize = 0; c < pixel; c += 8) {
        addPair(totals + 2 * (at + c), f64x2.mul(read(y + c), read(tap + c)), pixel - c);
      }
    }
  }
}

function sumParts(): i32 {
  const rows = <i32>min<i64>(i32.MAX_VALUE, <i64>batch * outHeight);
  return max(1, min(rows, partsFor(products(), PART, MOST_SUMS)));
}

/** Numbers of one part's sums: the kernel's, in whole vectors. */
function sumNumbers(): i64 {
  return (<i64>kernelHeight * kernelWidth * channels + 3) & ~3;
}

/** Bytes for the sums of the kernel's gradient: for each part its totals (f64) and its sums of few windows (f32). */
function sumsBytes(parts: i32): f64 {
  return 12 * <f64>sumNumbers() * <f64>parts;
}

/** dkernel (+)= Σ x·dy: some rows are one part, and the parts are added in order. */
export function depthwiseConv2dKernelGrad(_n: i32, x: usize, dy: usize, dkernel: usize, accumulate: bool): void {
  readSizes();
  const parts = sumParts(), shared = sharedMemory(sumsBytes(parts));
  args.x = x;
  args.y = dy;
  args.sums = shared;
  runWith(sumRowsPart, parts, zerosSlot());
  const next: usize = 12 * <usize>sumNumbers(), end = dkernel + 4 * <usize>(kernelHeight * kernelWidth) * <usize>channels;
  for (let at = shared; dkernel < end; dkernel += 4, at += 8) {
    let sum: f64 = accumulate ? load<f32>(dkernel) : 0;
    for (let part = 0, from = at; part < parts; part++, from += next) sum += load<f64>(from);
    store<f32>(dkernel, <f32>sum);
  }
}

/** Sums of few windows (f32), the totals that collect them (f64), and how many windows the sums hold. */
let fewSums: usize, totals: usize, windowsHeld: i32;

/** Makes sure that the sums may hold so many windows more. */
function expectWindows(count: i32): void {
  if (windowsHeld + count > FEW_TERMS) {
    collect(fewSums, <usize>sumNumbers(), totals);
    windowsHeld = 0;
  }
  windowsHeld += count;
}

function sumRowsPart(part: i32, parts: i32, work: usize): void {
  readSizes();
  const pixel: usize = 4 * <usize>channels;
  const numbers = <usize>sumNumbers();
  totals = args.sums + <usize>part * 12 * numbers;
  fewSums = totals + 8 * numbers;
  windowsHeld = 0;
  memory.fill(totals, 0, 12 * numbers);
  const three = isThreeByThree();
  if (three) clear(work);
  const end = cut(batch * outHeight, part + 1, parts, 1);
  for (let row = cut(batch * outHeight, part, parts, 1); row < end; row++) {
    findRow(row, args.x, fewSums);
    const dy = args.y + <usize>row * <usize>outWidth * pixel;
    if (three) sumRowOfThree(dy, pixel, work);
    else for (let o = 0; o < outWidth; o += FEW_TERMS) sumRowOfAny(dy, pixel, o, min(outWidth, o + FEW_TERMS));
  }
  collect(fewSums, numbers, totals);
}

/** sums += Σ x·dy over the windows begin … end - 1 of a row, of any kernel, tap by tap. */
function sumRowOfAny(dy: usize, pixel: usize, begin: i32, end: i32): void {
  expectWindows(end - begin);
  const across: usize = <usize>strideX * pixel;
  let sums = firstTaps, line = firstLine;
  for (let ky = 0; ky < lines; ky++, line += <usize>dilationY * <usize>width * pixel) {
    for (let kx = 0; kx < kernelWidth; kx++, sums += pixel) {
      // The windows whose tap is inside the image.
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

function sumRowOfThree(dy: usize, pixel: usize, work: usize): void {
  const from = nearFrom(), to = nearTo();
  const down: usize = <usize>width * pixel;
  const spare = work + 4 * <usize>zeroNumbers();
  for (let o = 0; o < from; o++) aloneToTaps(o, dy, pixel);
  for (let o = from; o < to; o += 4) {
    expectWindows(4);
    const at = min(o, to - 4);
    const before = <usize>(o - at) * pixel;
    let d = dy + <usize>at * pixel;
    if (before > 0) {
      // Those that were counted before are zeros now.
      memory.copy(spare + before, d + before, 4 * pixel - before);
      d = spare;
    }
    const x = firstLine + <usize>(at - padLeft + 1) * pixel;
    sumsOfFour(lines, down, x, toFirst(at, x, work), toSixth(at, x, work), d, pixel, firstTaps);
  }
  for (let o = to; o < outWidth; o++) aloneToTaps(o, dy, pixel);
}

function aloneToTaps(window: i32, dy: usize, pixel: usize): void {
  expectWindows(1);
  alone(window, dy + <usize>window * pixel, 0, TO_TAPS);
}

/** sums [lines, 3, channels] += Σ x·dy over four windows side by side; what is read, and how, as in `acrossFour`. */
export function sumsOfFour(lines: i32, down: usize, x: usize, toFirst: usize, toSixth: usize, dy: usize, pixel: usize, sums: usize): void {
  const end = dy + pixel;
  let p = x + down, q = p + down, t = sums + 3 * pixel, u = t + 3 * pixel;
  for (; dy < end; dy += 16, x += 16, p += 16, q += 16, sums += 16, t += 16, u += 16) {
    const d0 = v128.load(dy), d1 = v128.load(dy + pixel), d2 = v128.load(dy + 2 * pixel), d3 = v128.load(dy + 3 * pixel);
    if (lines > 0) sumsOfLine(x, toFirst, toSixth, d0, d1, d2, d3, pixel, sums);
    if (lines > 1) sumsOfLine(p, toFirst, toSixth, d0, d1, d2, d3, pixel, t);
    if (lines > 2) sumsOfLine(q, toFirst, toSixth, d0, d1, d2, d3, pixel, u);
  }
}

/** Four channels of one line of them. */
// @ts-ignore: decorator
@inline
function sumsOfLine(
  x: usize, toFirst: usize, toSixth: usize, d0: v128, d1: v128, d2: v128, d3: v128, pixel: usize, sums: usize,
): void {
  const v0 = v128.load(x + toFirst), v1 = v128.load(x), v2 = v128.load(x + pixel);
  const v3 = v128.load(x + 2 * pixel), v4 = v128.load(x + 3 * pixel), v5 = v128.load(x + toSixth);
  const s0 = v128.load(sums), s1 = v128.load(sums + pixel), s2 = v128.load(sums + 2 * pixel);
  v128.store(sums, madd(v3, d3, three(v0, d0, v1, d1, v2, d2, s0)));
  v128.store(sums + pixel, madd(v4, d3, three(v1, d0, v2, d1, v3, d2, s1)));
  v128.store(sums + 2 * pixel, madd(v5, d3, three(v2, d0, v3, d1, v4, d2, s2)));
}
