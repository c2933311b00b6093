// The gradient of a convolution's kernel: dkernel [depth, outputs] = patchesᵀ [depth, windows] · dy [windows, outputs].
//
// Algorithm: as in conv.ts the matrix of patches is never built. A tile holds 4 numbers of a window × 8 outputs and
// runs over the windows:
//
//     sums [4, 8] += Σ over windows w:  x (w, offsets d … d + 3)  ⊗  dy (w, outputs o … o + 7)
//
// - Layout: totals [part, group, panel, depth, 8] in float64 and, behind those of each part, sums of the same shape in
//   float32.
// - Vectors: 8 outputs, two vectors. Four numbers of x are broadcast; they lie at four offsets from the beginning of
//   the window.
// - Accuracy: a tile sums at most 56 windows (a piece). The sums collect 8 pieces before they are added to the totals.
// - Parts: ranges of strips, each with its own totals, or ranges of the depth if the kernel is large. A second job adds
//   the totals of all parts in their order, so the result does not depend on the number of threads.
// - Work memory: totals and sums of all parts, 12 bytes · 2²¹ numbers (24 MB), or those of one part if they are larger.
//   Each thread has one frame (strips.ts) and a table of offsets.
// - Other algorithms: for few pixels, the gradient of a large 1 × 1 kernel is one matrix product (gemm.ts), dkernel
//   [channels, outputs] = xᵀ [channels, pixels] · dy [pixels, outputs]. 3 × 3 kernels of many channels use Winograd's
//   algorithm (winograd-grad.ts).

import * as plan from "./conv-plan";
import { args } from "./conv-plan";
import { collect } from "./doubles";
import { gemm } from "./gemm";
import { madd } from "./madd";
import { write } from "./pairs";
import { batch, channels, groups, height, outputs, outWidth, readSizes, strideX, strideY, width } from "./sizes";
import { enterStrip, firstWindow, pitch, rowsHere, strips } from "./strips";
import { cut, partsFor, reserveShared, run, runWith } from "./threads";
import { MR, NR } from "./tile";
import {
  addWinogradGradStrip, beginWinogradGrad, computeWinogradKernelGrad, endWinogradGrad, winogradGradBytes, winogradSums,
} from "./winograd-grad";
import { addRow } from "./winograd-tile";

/** Windows that a tile sums at a time: two rows of 28. */
const GRAD_FOLD: i32 = 56;
/** Pieces that the sums collect before they are added to the totals. */
const GRAD_FOLDS: i32 = 8;
/**
 * With at most this number of pixels for each weight, a matrix product computes the gradient of a 1 × 1 kernel. With
 * fewer pixels, the sums and totals of the parts cost more than the multiplications. With more, parts along the pixels
 * need no packed copies.
 */
const FEW_PIXELS: i64 = 2;

/** dkernel (+)= the gradient of the kernel for x and dy. */
export function conv2dKernelGrad(_n: i32, x: usize, dy: usize, dkernel: usize, accumulate: bool): void {
  readSizes();
  const pixels = <i64>batch * height * width;
  if (plan.isPointwise() && pixels <= FEW_PIXELS * channels * outputs)
    return gemm(channels, outputs, <i32>pixels, x, 1, channels, dy, outputs, 1, dkernel, outputs, accumulate, 0);
  plan.planKernelGrad();
  args.x = x;
  args.y = dy;
  args.kernel = dkernel;
  args.accumulate = accumulate;
  args.sums = reserveShared(plan.sharedBytes);
  if (plan.winograd) {
    runWith(winogradGradPart, plan.windowParts, plan.slotBytes);
    runWith(winogradKernelPart, partsFor(winogradSums(), 1 << 15, outputs), plan.slotBytes);
    return;
  }
  runWith(kernelGradPart, plan.parts, plan.slotBytes);
  run(addSumsPart, partsFor(<i32>min<i64>(i32.MAX_VALUE, <i64>plan.depth * outputs * plan.windowParts), 1 << 15, plan.depth), 0, 0);
}

/** The address of a part's totals. */
function totalsOf(part: i32): usize {
  return args.sums + 12 * <usize>part * <usize>plan.partSums;
}

function winogradGradPart(part: i32, parts: i32, work: usize): void {
  plan.planKernelGrad();
  const frame = work + winogradGradBytes();
  beginWinogradGrad(args.sums + <usize>(part * plan.partBytes), plan.hasTotals);
  const end = cut(strips, part + 1, parts, 1);
  for (let index = cut(strips, part, parts, 1); index < end; index++) addWinogradGradStrip(index, args.x, args.y, frame, work);
  endWinogradGrad(work);
}

function winogradKernelPart(part: i32, parts: i32, work: usize): void {
  plan.planKernelGrad();
  const first = cut(outputs, part, parts, 1);
  const end = cut(outputs, part + 1, parts, 1);
  computeWinogradKernelGrad(first, end, args.sums, plan.windowParts, plan.hasTotals, args.kernel, args.accumulate, work);
}

/**
 * Computes the totals of a part: a range of the windows with the whole depth, or all windows with a range of the depth.
 */
function kernelGradPart(part: i32, parts: i32, work: usize): void {
  plan.planKernelGrad();
  const alongWindows = plan.windowParts;
  const alongDepth = plan.depthParts;
  const x = args.x;
  const offsets = work;
  const frame = work + 4 * <usize>plan.paddedDepth;
  const from = cut(plan.depth, part % alongDepth, alongDepth, MR);
  const to = cut(plan.depth, part % alongDepth + 1, alongDepth, MR);
  const windowPart = part / alongDepth;
  const totals = totalsOf(windowPart);
  const sums = totals + 8 * <usize>plan.partSums;
  const first = cut(strips, windowPart, alongWindows, 1);
  const end = cut(strips, windowPart + 1, alongWindows, 1);
  clearSums(totals, sums, from, to);
  let held = 0; // pieces that the sums hold
  for (let index = first; index < end; index++) {
    const source = enterStrip(index, x, frame);
    if (index == first) plan.writeOffsets(offsets);
    // A piece is `rows` rows of windows, or one of the `perRow` pieces of a row.
    const rows = max(1, GRAD_FOLD / outWidth), perRow = (outWidth + GRAD_FOLD - 1) / GRAD_FOLD;
    const pieces = perRow > 1 ? rowsHere * perRow : (rowsHere + rows - 1) / rows;
    for (let piece = 0; piece < pieces; ) {
      if (held == GRAD_FOLDS) {
        collectSums(totals, sums, from, to);
        held = 0;
      }
      const last = min(pieces, piece + GRAD_FOLDS - held);
      addPieces(piece, last, rows, perRow, source, <usize>firstWindow(index), offsets, sums, from, to);
      held += last - piece;
      piece = last;
    }
  }
  collectSums(totals, sums, from, to);
}

/** The index of the sum of panel i, depth d, output 0. */
// @ts-ignore: decorator
@inline
function sumsAt(i: i32, d: i32): usize {
  return (<usize>i * <usize>plan.paddedDepth + <usize>d) * NR;
}

function clearSums(totals: usize, sums: usize, from: i32, to: i32): void {
  const numbers = <usize>(to - from + MR - 1 & ~(MR - 1)) * NR;
  for (let i = 0; i < groups * plan.panels; i++) {
    memory.fill(totals + 8 * sumsAt(i, from), 0, 8 * numbers);
    memory.fill(sums + 4 * sumsAt(i, from), 0, 4 * numbers);
  }
}

function collectSums(totals: usize, sums: usize, from: i32, to: i32): void {
  const numbers = <usize>(to - from + MR - 1 & ~(MR - 1)) * NR;
  for (let i = 0; i < groups * plan.panels; i++) collect(sums + 4 * sumsAt(i, from), numbers, totals + 8 * sumsAt(i, from));
}

/**
 * Adds pieces first … last - 1 of a strip to the sums of depths from … to - 1. `window`: the number of the strip's
 * first window.
 */
function addPieces(
  first: i32, last: i32, rows: i32, perRow: i32, source: usize, window: usize, offsets: usize, sums: usize, from: i32, to: i32,
): void {
  const outStep: usize = 4 * <usize>outputs;
  const across: usize = 4 * <usize>strideX * <usize>channels, down: usize = <usize>strideY * pitch;
  for (let i = 0; i < groups * plan.panels; i++) {
    const group = i / plan.panels;
    const image = source + 4 * <usize>(group * plan.share);
    const dy = args.y + window * outStep + 4 * <usize>(group * plan.outShare + (i % plan.panels) * NR);
    for (let d = from; d < to; d += MR) {
      const at = sums + 4 * sumsAt(i, d);
      if (perRow == 1) {
        const row = first * rows;
        addGradTile(
          min((last - first) * rows, rowsHere - row), rows, down, outWidth, across, image + <usize>row * down, offsets + 4 * <usize>d,
          dy + <usize>row * <usize>outWidth * outStep, outStep, at,
        );
        continue;
      }
      for (let piece = first; piece < last; piece++) {
        const row = piece / perRow, column = (piece % perRow) * GRAD_FOLD;
        addGradTile(
          1, 1, down, min(GRAD_FOLD, outWidth - column), across, image + <usize>row * down + <usize>column * across,
          offsets + 4 * <usize>d, dy + (<usize>row * <usize>outWidth + <usize>column) * outStep, outStep, at,
        );
      }
    }
  }
}

/**
 * sums [4, 8] += Σ over rows × columns windows of x (at four offsets) · dy (eight outputs), in pieces of `fold` rows.
 * Rows of windows lie `down` bytes apart in x, windows of a row `across` bytes; windows lie `dyStep` bytes apart in dy.
 */
function addGradTile(
  rows: i32, fold: i32, down: usize, columns: i32, across: usize, x: usize, offsets: usize, dy: usize, dyStep: usize, sums: usize,
): void {
  const o0 = <usize>load<i32>(offsets);
  const o1 = <usize>load<i32>(offsets, 4) - o0;
  const o2 = <usize>load<i32>(offsets, 8) - o0;
  const o3 = <usize>load<i32>(offsets, 12) - o0;
  x += o0;
  const length = <usize>columns * across;
  const near = o1 == 4 && o2 == 8 && o3 == 12;
  for (let r = 0; r < rows; ) {
    let c00 = f32x4.splat(0), c01 = f32x4.splat(0);
    let c10 = f32x4.splat(0), c11 = f32x4.splat(0);
    let c20 = f32x4.splat(0), c21 = f32x4.splat(0);
    let c30 = f32x4.splat(0), c31 = f32x4.splat(0);
    for (const end = min(rows, r + fold); r < end; r++, x += down) {
      if (near) {
        for (let p = x, stop = x + length; p < stop; p += across, dy += dyStep) {
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
        for (let p = x, stop = x + length; p < stop; p += across, dy += dyStep) {
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
    addRow(sums, c00, c01);
    addRow(sums + 32, c10, c11);
    addRow(sums + 64, c20, c21);
    addRow(sums + 96, c30, c31);
  }
}

/** dkernel [depth, outputs] (+)= the totals of all parts, added in the order of the parts. */
function addSumsPart(part: i32, parts: i32, _work: usize): void {
  plan.planKernelGrad();
  const next = <usize>plan.partBytes;
  const end = cut(plan.depth, part + 1, parts, 1);
  for (let d = cut(plan.depth, part, parts, 1); d < end; d++) {
    for (let group = 0; group < groups; group++) {
      for (let j = 0; j < plan.outShare; j += 2) {
        let from = args.sums + 8 * (sumsAt(group * plan.panels + j / NR, d) + <usize>(j % NR));
        let sum = v128.load(from);
        for (let p = 1; p < plan.windowParts; p++) {
          from += next;
          sum = f64x2.add(sum, v128.load(from));
        }
        const to = args.kernel + 4 * <usize>(d * outputs + group * plan.outShare + j);
        write(to, sum, 4 * <usize>(plan.outShare - j), args.accumulate);
      }
    }
  }
}
