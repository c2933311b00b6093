// Convolution as a matrix product whose left side, one row per window (im2col), is never made: a row lies in the image as runs of
// numbers, which the register tile reads in place.

import { product, GEMM_WORK } from "./gemm";
import { madd } from "./madd";
import {
  batch, channels, dilationX, dilationY, groups, height, kernelHeight, kernelWidth, outHeight, outputs, outWidth, padLeft, padTop,
  readSizes, readTurnedSizes, strideX, strideY, width,
} from "./sizes";
import { BLOCK, firstWindow, frameNumbers, pitch, planStrips, rowsHere, strip, stripRows, strips } from "./strips";
import { argument, cut, partsFor, run, setArgument } from "./threads";
import { copyEdge, EDGE, MR, NR, tile, tileOffsets } from "./tile";
import {
  transformPanel, winogradGradOwn, winogradGradStrip, winogradKernelGrad, winogradOwn, winogradStrip, winogradSums,
} from "./winograd";

/** With fewer channels or outputs Winograd's transforms take longer than the products that they save. */
const LEAST_CHANNELS: i32 = 16;
/** In fewer windows too many tiles, or places of a group of five tiles, are empty. */
const LEAST_WINDOWS: i32 = 25;
/** With more channels times outputs, reading the transformed kernel from memory for each block takes longer than it saves. */
const MOST_WEIGHTS: i64 = 1 << 17;
/** Runs shorter than this are read through a table of offsets. */
const SHORT: i32 = 12;
/** Windows in a strip for the kernel's gradient: what is read of them once per tile stays in the nearest cache. */
const GRAD_WINDOWS: i32 = 192;
/** Multiplications worth a part, and how many parts there are at most. */
const PART: i64 = 1 << 18;
const MOST_PARTS: i64 = 64;
/** Numbers that the partial sums of a kernel's gradient may take. */
const SUMS: i32 = 1 << 21;
/** Winograd's sums are not worth their size where fewer parts can have them. */
const LEAST_PARTS: i32 = 4;

let share: i32, outShare: i32, depth: i32, panels: i32, winograd: bool;

/** What follows from the sizes that were read, with images in strips of at most `windows` windows. */
function plan(windows: i32, tiled: bool): void {
  share = channels / groups;
  outShare = outputs / groups;
  depth = kernelHeight * kernelWidth * share;
  panels = (outShare + NR - 1) / NR;
  winograd = tiled && groups == 1 && kernelHeight == 3 && kernelWidth == 3 && strideY * strideX * dilationY * dilationX == 1
    && (channels & 3) == 0 && channels >= LEAST_CHANNELS && outputs >= LEAST_CHANNELS && <i64>channels * outputs <= MOST_WEIGHTS
    && outHeight * outWidth >= LEAST_WINDOWS;
  planStrips(windows, winograd ? 2 : 1);
}

/** Multiplications of the convolution whose sizes were read. */
function products(): i64 {
  return <i64>(batch * outHeight) * outWidth * depth * outputs;
}

// Forward, and towards the image at stride 1, which is the same with the kernel turned round.

function planConv2d(turned: bool): void {
  if (turned) readTurnedSizes();
  else readSizes();
  plan(i32.MAX_VALUE, true);
}

/** Bytes of work memory that all threads share, for the kernel in panels; and that each needs for itself. */
export function conv2dShared(turned: bool): i32 {
  planConv2d(turned);
  return 4 * groups * panels * depth * NR + (winograd ? 4 * 16 * panels * channels * NR : 0);
}

export function conv2dOwn(turned: bool): i32 {
  planConv2d(turned);
  if (winograd) return (winogradOwn() + 4 * frameNumbers() + 63) & ~63;
  return (EDGE + 4 * (paddedDepth() + frameNumbers()) + 63) & ~63;
}

/** y = x ∗ kernel + bias; `bias` may be 0. */
export function conv2d(x: usize, kernel: usize, bias: usize, y: usize, shared: usize, work: usize): void {
  convolve(false, x, kernel, bias, y, false, shared, work);
}

function convolve(
  turned: bool, x: usize, kernel: usize, bias: usize, y: usize, accumulate: bool, shared: usize, work: usize,
): void {
  const own = conv2dOwn(turned);
  setArgument(0, turned);
  setArgument(1, <i32>x);
  setArgument(2, <i32>kernel);
  setArgument(3, <i32>bias);
  setArgument(4, <i32>y);
  setArgument(5, accumulate);
  setArgument(6, <i32>shared);
  const all = groups * panels;
  run(panelPart, partsFor(all * depth * NR, 1 << 15, all), work, own);
  run(winograd ? winogradPart : conv2dPart, <i32>max<i64>(1, min<i64>(min<i64>(MOST_PARTS, strips), products() / PART)), work, own);
}

/** Panels of 8 outputs: for each number under a window the weights of the 8; those beyond the last are zeros. With their transforms. */
function panelPart(part: i32, parts: i32, _work: usize): void {
  const turned = argument(0) != 0;
  planConv2d(turned);
  const kernel = <usize>argument(2);
  const all = groups * panels;
  const end = cut(all, part + 1, parts, 1);
  const taps = kernelHeight * kernelWidth;
  for (let i = cut(all, part, parts, 1); i < end; i++) {
    const group = i / panels;
    const first = (i % panels) * NR;
    const count = min(NR, outShare - first);
    let to = <usize>argument(6) + 4 * <usize>(i * depth * NR);
    for (let tap = 0; tap < taps; tap++) {
      for (let c = 0; c < share; c++, to += 4 * NR) {
        if (turned) {
          // kernel [last tap − tap, output of the group, channel]: what was an output is read, and the other way round.
          const from = kernel + 4 * (<usize>((taps - 1 - tap) * outShare + first) * channels + group * share + c);
          for (let j = 0; j < NR; j++) {
            store<f32>(to + 4 * <usize>j, j < count ? load<f32>(from + 4 * <usize>(j * channels)) : 0);
          }
        } else {
          const from = kernel + 4 * (<usize>(tap * share + c) * outputs + group * outShare + first);
          if (count == NR) {
            v128.store(to, v128.load(from));
            v128.store(to, v128.load(from, 16), 16);
          } else {
            for (let j = 0; j < NR; j++) store<f32>(to + 4 * <usize>j, j < count ? load<f32>(from + 4 * <usize>j) : 0);
          }
        }
      }
    }
    if (winograd) transformPanel(i, panels, <usize>argument(6), transformed());
  }
}

/** Where Winograd's transforms of the panels are: behind them. */
function transformed(): usize {
  return <usize>argument(6) + 4 * <usize>(panels * depth * NR);
}

function winogradPart(part: i32, parts: i32, work: usize): void {
  planConv2d(argument(0) != 0);
  const u = transformed();
  const frame = work + winogradOwn();
  const end = cut(strips, part + 1, parts, 1);
  for (let index = cut(strips, part, parts, 1); index < end; index++) {
    winogradStrip(index, <usize>argument(1), u, panels, <usize>argument(3), <usize>argument(4), argument(5) != 0, frame, work);
  }
}

function conv2dPart(part: i32, parts: i32, work: usize): void {
  planConv2d(argument(0) != 0);
  const x = <usize>argument(1);
  const bias = <usize>argument(3);
  const accumulate = argument(5) != 0;
  const edge = work;
  const pixel: usize = 4 * <usize>channels;
  const across: usize = <usize>strideX * pixel;
  const outStep: usize = 4 * <usize>outputs;
  const sideBySide = dilationX == 1 && groups == 1; // the taps of a line are one run
  const runs = sideBySide ? 1 : kernelWidth;
  const length = sideBySide ? kernelWidth * share : share;
  const short = length < SHORT;
  const offsets = work + EDGE;
  const frame = offsets + 4 * <usize>paddedDepth();
  const first = cut(strips, part, parts, 1);
  const end = cut(strips, part + 1, parts, 1);
  for (let index = first; index < end; index++) {
    const source = strip(index, x, frame);
    if (short && index == first) writeOffsets(offsets);
    const count = rowsHere * outWidth;
    const down: usize = <usize>strideY * pitch;
    const out = <usize>argument(4) + <usize>firstWindow(index) * outStep;
    for (let i = 0; i < groups * panels; i++) {
      const group = i / panels;
      const output = group * outShare + (i % panels) * NR;
      const columns = min(NR, outShare - (i % panels) * NR);
      const panel = <usize>argument(6) + 4 * <usize>(i * depth * NR);
      let row = source + 4 * <usize>(group * share);
      let column = 0;
      let to = out + 4 * <usize>output;
      for (let w = 0; w < count; w += MR, to += MR * outStep) {
        // The next four windows; beyond the last, the last again.
        const left = min(MR, count - w);
        const a0 = row + <usize>column * across;
        let a1 = a0;
        let a2 = a0;
        let a3 = a0;
        if (left == MR && column + MR <= outWidth) {
          a1 += across;
          a2 = a1 + across;
          a3 = a2 + across;
          column += MR;
        } else {
          for (let i = 1; i <= left; i++) {
            if (++column == outWidth) {
              column = 0;
              row += down;
            }
            if (i == left) break;
            const a = row + <usize>column * across;
            if (i == 1) a1 = a;
            else if (i == 2) a2 = a;
            else a3 = a;
          }
        }
        if (column == outWidth) {
          column = 0;
          row += down;
        }
        const start: usize = accumulate ? to : bias == 0 ? 0 : bias + 4 * <usize>output;
        const startStep: usize = accumulate ? outStep : 0;
        const line: usize = <usize>dilationY * pitch;
        const step: usize = <usize>dilationX * pixel;
        const fits = left == MR && columns == NR;
        const at = fits ? to : edge;
        const atStep: usize = fits ? outStep : 4 * NR;
        const from: usize = fits ? start : 0;
        if (short) tileOffsets(depth, offsets, a0, a1, a2, a3, panel, at, atStep, from, startStep);
        else tile(kernelHeight, line, runs, step, length, a0, a1, a2, a3, panel, 4 * NR, at, atStep, from, startStep);
        if (!fits) copyEdge(edge, to, outStep, start, startStep, left, columns);
      }
    }
  }
}

// Towards the kernel.

/** Partial sums are kept by so many parts of the windows; where a kernel is too large for that, by one, cut along its depth instead. */
function windowParts(): i32 {
  const most = max(1, SUMS / max(1, partSums()));
  return <i32>max<i64>(1, min<i64>(min<i64>(min(16, most), strips), products() / PART));
}

function depthParts(): i32 {
  return windowParts() > 1 ? 1 : <i32>max<i64>(1, min<i64>(min<i64>(MOST_PARTS, depth / MR), products() / PART));
}

function paddedDepth(): i32 {
  return (depth + MR - 1) & ~(MR - 1);
}

/** Numbers of one part's sums. */
function partSums(): i32 {
  return winograd ? winogradSums() : groups * panels * paddedDepth() * NR;
}

function planKernelGrad(): void {
  readSizes();
  plan(2 * GRAD_WINDOWS, true);
  if (!winograd || SUMS / winogradSums() < LEAST_PARTS) plan(GRAD_WINDOWS, false);
}

export function conv2dKernelGradShared(): i32 {
  planKernelGrad();
  return 4 * windowParts() * partSums();
}

export function conv2dKernelGradOwn(): i32 {
  planKernelGrad();
  return (4 * frameNumbers() + (winograd ? winogradGradOwn() : 4 * paddedDepth()) + 63) & ~63;
}

export function conv2dKernelGrad(x: usize, dy: usize, dkernel: usize, accumulate: bool, shared: usize, work: usize): void {
  const own = conv2dKernelGradOwn();
  setArgument(0, <i32>x);
  setArgument(1, <i32>dy);
  setArgument(2, <i32>dkernel);
  setArgument(3, accumulate);
  setArgument(4, <i32>shared);
  if (winograd) {
    run(winogradGradPart, windowParts(), work, own);
    run(winogradKernelPart, partsFor(winogradSums(), 1 << 15, outputs), work, own);
    return;
  }
  run(kernelGradPart, windowParts() * depthParts(), work, own);
  run(addSumsPart, partsFor(depth * outputs * windowParts(), 1 << 15, depth), work, own);
}

function winogradGradPart(part: i32, parts: i32, work: usize): void {
  planKernelGrad();
  const sums = <usize>argument(4) + 4 * <usize>part * <usize>winogradSums();
  const frame = work + winogradGradOwn();
  memory.fill(sums, 0, 4 * winogradSums());
  const end = cut(strips, part + 1, parts, 1);
  for (let index = cut(strips, part, parts, 1); index < end; index++) {
    winogradGradStrip(index, <usize>argument(0), <usize>argument(1), sums, frame, work);
  }
}

function winogradKernelPart(part: i32, parts: i32, work: usize): void {
  planKernelGrad();
  const first = cut(outputs, part, parts, 1);
  const end = cut(outputs, part + 1, parts, 1);
  winogradKernelGrad(first, end, <usize>argument(4), windowParts(), <usize>argument(2), argument(3) != 0, work);
}

/** sums [part, group, panel, depth, 8] of a part of the windows, or of all for a part of the depth. */
function kernelGradPart(part: i32, parts: i32, work: usize): void {
  planKernelGrad();
  const alongWindows = windowParts();
  const alongDepth = depthParts();
  const x = <usize>argument(0);
  const offsets = work;
  const frame = work + 4 * <usize>paddedDepth();
  const outStep: usize = 4 * <usize>outputs;
  const across: usize = 4 * <usize>(strideX * channels);
  const from = cut(depth, part % alongDepth, alongDepth, MR);
  const to = cut(depth, part % alongDepth + 1, alongDepth, MR);
  const windowPart = part / alongDepth;
  const sums = <usize>argument(4) + 4 * <usize>windowPart * <usize>partSums();
  const first = cut(strips, windowPart, alongWindows, 1);
  const end = cut(strips, windowPart + 1, alongWindows, 1);
  if (first == end) memory.fill(sums, 0, 4 * partSums());
  for (let index = first; index < end; index++) {
    const source = strip(index, x, frame);
    if (index == first) writeOffsets(offsets);
    const down: usize = <usize>strideY * pitch;
    const out = <usize>argument(1) + <usize>firstWindow(index) * outStep;
    for (let i = 0; i < groups * panels; i++) {
      const group = i / panels;
      const image = source + 4 * <usize>(group * share);
      const dy = out + 4 * <usize>(group * outShare + (i % panels) * NR);
      for (let d = from; d < to; d += MR) {
        const at = sums + 4 * <usize>((i * paddedDepth() + d) * NR);
        gradTile(rowsHere, down, outWidth, across, image, offsets + 4 * <usize>d, dy, outStep, at, index > first);
      }
    }
  }
}

/** How far, in bytes, each number under a window is from the window's first; beyond the last, the last again. */
function writeOffsets(to: usize): void {
  for (let d = 0; d < paddedDepth(); d++) {
    const real = min(d, depth - 1);
    const c = real % share;
    const kx = (real / share) % kernelWidth;
    const ky = real / (share * kernelWidth);
    store<i32>(to + 4 * <usize>d, <i32>(<usize>(ky * dilationY) * pitch) + 4 * (kx * dilationX * channels + c));
  }
}

/** sums [4, 8] (+)= Σ over the windows of rows × columns of x at four offsets times dy at eight outputs. */
function gradTile(
  rows: i32, down: usize, columns: i32, across: usize, x: usize, offsets: usize, dy: usize, dyStep: usize, sums: usize, add: bool,
): void {
  let c00 = f32x4.splat(0), c01 = f32x4.splat(0);
  let c10 = f32x4.splat(0), c11 = f32x4.splat(0);
  let c20 = f32x4.splat(0), c21 = f32x4.splat(0);
  let c30 = f32x4.splat(0), c31 = f32x4.splat(0);
  const o0 = <usize>load<i32>(offsets);
  const o1 = <usize>load<i32>(offsets, 4) - o0;
  const o2 = <usize>load<i32>(offsets, 8) - o0;
  const o3 = <usize>load<i32>(offsets, 12) - o0;
  x += o0;
  const length = <usize>columns * across;
  const near = o1 == 4 && o2 == 8 && o3 == 12;
  for (let r = 0; r < rows; r++, x += down) {
    if (near) {
      for (let p = x, end = x + length; p < end; p += across, dy += dyStep) {
        const y0 = v128.load(dy);
        const y1 = v128.load(dy, 16);
        let v = v128.load32_splat(p);
        c00 = madd(v, y0, c00);
        c01 = madd(v, y1, c01);
        v = v128.load32_splat(p, 4);
        c10 = madd(v, y0, c10);
        c11 = madd(v, y1, c11);
        v = v128.load32_splat(p, 8);
        c20 = madd(v, y0, c20);
        c21 = madd(v, y1, c21);
        v = v128.load32_splat(p, 12);
        c30 = madd(v, y0, c30);
        c31 = madd(v, y1, c31);
      }
    } else {
      for (let p = x, end = x + length; p < end; p += across, dy += dyStep) {
        const y0 = v128.load(dy);
        const y1 = v128.load(dy, 16);
        let v = v128.load32_splat(p);
        c00 = madd(v, y0, c00);
        c01 = madd(v, y1, c01);
        v = v128.load32_splat(p + o1);
        c10 = madd(v, y0, c10);
        c11 = madd(v, y1, c11);
        v = v128.load32_splat(p + o2);
        c20 = madd(v, y0, c20);
        c21 = madd(v, y1, c21);
        v = v128.load32_splat(p + o3);
        c30 = madd(v, y0, c30);
        c31 = madd(v, y1, c31);
      }
    }
  }
  put(sums, c00, add);
  put(sums + 16, c01, add);
  put(sums + 32, c10, add);
  put(sums + 48, c11, add);
  put(sums + 64, c20, add);
  put(sums + 80, c21, add);
  put(sums + 96, c30, add);
  put(sums + 112, c31, add);
}

// @ts-ignore: decorator
@inline
function put(to: usize, x: v128, add: bool): void {
  v128.store(to, add ? f32x4.add(v128.load(to), x) : x);
}

/** dkernel [depth, outputs] (+)= the partial sums, in the order of the parts. */
function addSumsPart(part: i32, parts: i32, _work: usize): void {
  planKernelGrad();
  const count = windowParts();
  const dkernel = <usize>argument(2);
  const accumulate = argument(3) != 0;
  const next: usize = 4 * <usize>partSums();
  const end = cut(depth, part + 1, parts, 1);
  for (let d = cut(depth, part, parts, 1); d < end; d++) {
    for (let o = 0; o < outputs; o++) {
      const j = o % outShare;
      const panel = (o / outShare) * panels + j / NR;
      let from = <usize>argument(4) + 4 * <usize>((panel * paddedDepth() + d) * NR + j % NR);
      const to = dkernel + 4 * <usize>(d * outputs + o);
      let sum: f32 = accumulate ? load<f32>(to) : 0;
      for (let p = 0; p < count; p++, from += next) sum += load<f32>(from);
      store<f32>(to, sum);
    }
  }
}

// Towards the image.

function isTurned(): bool {
  readSizes();
  return strideY == 1 && strideX == 1;
}

export function conv2dInputGradShared(): i32 {
  return isTurned() ? conv2dShared(true) : 0;
}

export function conv2dInputGradOwn(): i32 {
  if (isTurned()) return conv2dOwn(true);
  plan(i32.MAX_VALUE, false);
  return GEMM_WORK + 4 * max(BLOCK, 4 * depth);
}

/**
 * With stride 1 the gradient towards the image is itself a convolution, of dy with the kernel turned round. Otherwise the gradients of
 * patches are computed block by block and added where the patches were read.
 */
export function conv2dInputGrad(dy: usize, kernel: usize, dx: usize, accumulate: bool, shared: usize, work: usize): void {
  if (isTurned()) return convolve(true, dy, kernel, 0, dx, accumulate, shared, work);
  const own = conv2dInputGradOwn();
  setArgument(0, <i32>dy);
  setArgument(1, <i32>kernel);
  setArgument(2, <i32>dx);
  setArgument(3, accumulate);
  run(inputGradPart, partsFor(batch, 1, <i32>max<i64>(1, min<i64>(MOST_PARTS, products() / PART))), work, own);
}

function inputGradPart(part: i32, parts: i32, work: usize): void {
  conv2dInputGradOwn();
  const accumulate = argument(3) != 0;
  const kernel = <usize>argument(1);
  const patches = work + GEMM_WORK;
  const block = max(4, BLOCK / max(1, depth));
  const size: usize = 4 * <usize>(height * width) * <usize>channels;
  const outStep: usize = 4 * <usize>outputs;
  const count = outHeight * outWidth;
  const end = cut(batch, part + 1, parts, 1);
  for (let image = cut(batch, part, parts, 1); image < end; image++) {
    const dx = <usize>argument(2) + <usize>image * size;
    const dy = <usize>argument(0) + <usize>(image * count) * outStep;
    if (!accumulate) memory.fill(dx, 0, size);
    for (let first = 0; first < count; first += block) {
      const here = min(block, count - first);
      for (let g = 0; g < groups; g++) {
        const at = dy + <usize>first * outStep + 4 * <usize>(g * outShare);
        product(here, depth, outShare, at, outputs, 1, kernel + 4 * <usize>(g * outShare), 1, outputs, patches, depth, false, 0, work);
        addPatches(patches, g, first, here, dx);
      }
    }
  }
}

/** dx += patches, each where it was read in its image. */
function addPatches(patches: usize, group: i32, first: i32, count: i32, dx: usize): void {
  let ox = first % outWidth;
  let oy = first / outWidth;
  const run: usize = 4 * <usize>share;
  for (let w = 0; w < count; w++) {
    for (let ky = 0; ky < kernelHeight; ky++) {
      const iy = oy * strideY - padTop + ky * dilationY;
      for (let kx = 0; kx < kernelWidth; kx++, patches += run) {
        const ix = ox * strideX - padLeft + kx * dilationX;
        if (iy < 0 || iy >= height || ix < 0 || ix >= width) continue;
        const to = dx + 4 * (<usize>(iy * width + ix) * channels + group * share);
        let c = 0;
        for (; c + 4 <= share; c += 4) {
          const at: usize = 4 * <usize>c;
          v128.store(to + at, f32x4.add(v128.load(to + at), v128.load(patches + at)));
        }
        for (; c < share; c++) {
          const at: usize = 4 * <usize>c;
          store<f32>(to + at, load<f32>(to + at) + load<f32>(patches + at));
        }
      }
    }
    if (++ox < outWidth) continue;
    ox = 0;
    oy++;
  }
}
