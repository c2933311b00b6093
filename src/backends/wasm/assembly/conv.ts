// Convolution, and the gradient of its input at stride 1, which is a convolution with the kernel turned (rotated by 180
// degrees).
//
// Algorithm: implicit matrix product, y [windows, outputs] = patches [windows, depth] · kernel [depth, outputs] with
// depth = kernelHeight · kernelWidth · channels / groups. The matrix of patches (im2col) is never built. The numbers of
// one of its rows are the pixels under one window: `kernelHeight` lines of the image. The register tile (tile.ts) reads
// the lines of four windows in place:
//
//     image (a strip)     . . [window 0] . . . .        line 0: kernelWidth · channels numbers side by side
//                         . . [        ] . . . .        line 1: `pitch` bytes further
//                         . . [        ] . . . .        line 2
//                             [window 1] begins strideX pixels further to the right
//
// - Layout: the kernel is copied into panels [group, panel, depth, 8] once; the images are cut into strips of rows of
//   windows (strips.ts).
// - Vectors: a tile has 4 windows × 8 outputs, two vectors for each window.
// - Runs: a run is a sequence of adjacent numbers under a window: a whole line, or, with dilation or groups, the
//   channels of one pixel. If runs have less than 12 numbers, the tile reads them through a table of offsets.
// - Parts: ranges of strips, at most 64. An earlier job fills the panels.
// - Work memory: all threads share the panels; each thread has one frame (strips.ts), a table of offsets and one tile.
// - Other algorithms: 1 × 1 kernels are one matrix product (gemm.ts); 3 × 3 kernels of many channels use Winograd's
//   (winograd.ts).
//
// Source: Chetlur et al. 2014, "cuDNN: Efficient Primitives for Deep Learning" (implicit GEMM); the tile is that of
// BLIS.

import * as plan from "./conv-plan";
import { args } from "./conv-plan";
import { gemm } from "./gemm";
import { computeLongTile } from "./long-tile";
import { packColumns } from "./pack";
import {
  batch, channels, dilationX, dilationY, groups, height, kernelHeight, kernelWidth, outputs, outWidth, readSizes, strideX, strideY,
  width,
} from "./sizes";
import { enterStrip, firstWindow, pitch, rowsHere, strips } from "./strips";
import { cut, partsFor, reserveShared, reserveSlots, run } from "./threads";
import { computeTile, computeTileOffsetsHere, copyEdge, FOLD, MR, NR } from "./tile";
import { computeWinogradStrips, transformPanel, winogradBytes } from "./winograd";

/** Runs with fewer numbers are read through a table of offsets. */
const SHORT: i32 = 12;

/** y = x ∗ kernel + bias. `bias` 0: no bias. */
export function conv2d(_n: i32, x: usize, kernel: usize, bias: usize, y: usize): void {
  readSizes();
  if (!plan.isPointwise()) return convolve(false, x, kernel, bias, y, false);
  gemm(batch * height * width, outputs, channels, x, channels, 1, kernel, outputs, 1, y, outputs, false, bias);
}

/**
 * y (+)= x ∗ kernel + bias. `turned`: the kernel is rotated by 180 degrees and its channels and outputs change places.
 */
export function convolve(turned: bool, x: usize, kernel: usize, bias: usize, y: usize, accumulate: bool): void {
  plan.planConv2d(turned);
  args.turned = turned;
  args.x = x;
  args.kernel = kernel;
  args.bias = bias;
  args.y = y;
  args.accumulate = accumulate;
  args.panels = reserveShared(plan.sharedBytes);
  // Before the first job, so that no job has run if this throws a MemoryError.
  const work = reserveSlots(plan.parts, plan.slotBytes);
  const all = groups * plan.panels;
  run(panelPart, partsFor(all * plan.depth * NR, plan.winograd ? 1 << 13 : 1 << 15, all), 0, 0);
  run(plan.winograd ? winogradPart : conv2dPart, plan.parts, work, <usize>plan.slotBytes);
}

/**
 * Copies a part of the kernel into panels [group, panel, depth, 8]: for each number under a window, the weights of 8
 * outputs. Weights past the last output are arbitrary. With Winograd's algorithm, also writes the transforms of the
 * panels, after the last panel.
 */
function panelPart(part: i32, parts: i32, _work: usize): void {
  plan.planConv2d(args.turned);
  const all = groups * plan.panels;
  const end = cut(all, part + 1, parts, 1);
  const taps = kernelHeight * kernelWidth;
  for (let i = cut(all, part, parts, 1); i < end; i++) {
    const group = i / plan.panels;
    const first = (i % plan.panels) * NR;
    const count = min(NR, plan.outShare - first);
    let to = args.panels + 4 * NR * <usize>i * <usize>plan.depth;
    for (let tap = 0; tap < taps; tap++, to += 4 * NR * <usize>plan.share) {
      if (args.turned) {
        // The kernel is [tap, channel, output] of the forward convolution. The turned convolution reads dy, so its
        // channels are outputs of the forward convolution.
        const row = <usize>(taps - 1 - tap) * <usize>plan.outShare + <usize>first;
        const from = args.kernel + 4 * (row * <usize>channels + <usize>(group * plan.share));
        packColumns(from, count, plan.share, 4 * <usize>channels, 4, to);
      } else {
        const from = args.kernel + 4 * (<usize>(tap * plan.share) * <usize>outputs + <usize>(group * plan.outShare + first));
        packColumns(from, count, plan.share, 4, 4 * <usize>outputs, to);
      }
    }
    if (plan.winograd) transformPanel(i, args.panels, transformed());
  }
}

/** The address of Winograd's transforms: after the last panel. */
function transformed(): usize {
  return args.panels + 4 * <usize>(plan.panels * plan.depth * NR);
}

function winogradPart(part: i32, parts: i32, work: usize): void {
  plan.planConv2d(args.turned);
  const u = transformed();
  const frame = work + winogradBytes();
  const first = cut(strips, part, parts, 1), end = cut(strips, part + 1, parts, 1);
  computeWinogradStrips(first, end, args.x, u, plan.panels, args.bias, args.y, args.accumulate, frame, work);
}

// `convolveStrips` is compiled twice: for tiles of at most FOLD terms and for longer tiles (long-tile.ts). With both
// cases in one loop, V8 keeps fewer values in registers, and the convolution of the toy network takes 1.16 times as
// long.
class FewTerms {}
class ManyTerms {}

function conv2dPart(part: i32, parts: i32, work: usize): void {
  plan.planConv2d(args.turned);
  if (plan.depth > FOLD) convolveStrips<ManyTerms>(part, parts, work);
  else convolveStrips<FewTerms>(part, parts, work);
}

/** Computes the strips of one part: for each strip and each panel, tiles of 4 windows × 8 outputs. */
function convolveStrips<T>(part: i32, parts: i32, work: usize): void {
  const x = args.x;
  const bias = args.bias;
  const accumulate = args.accumulate;
  const edge = work;
  const pixel: usize = 4 * <usize>channels;
  const across: usize = <usize>strideX * pixel;
  const outStep: usize = 4 * <usize>outputs;
  const sideBySide = dilationX == 1 && groups == 1; // all taps of a line are one run
  const runs = sideBySide ? 1 : kernelWidth;
  const length = sideBySide ? kernelWidth * plan.share : plan.share;
  const short = length < SHORT;
  const offsets = work + plan.TILES;
  const frame = offsets + 4 * <usize>plan.paddedDepth;
  const first = cut(strips, part, parts, 1);
  const end = cut(strips, part + 1, parts, 1);
  for (let index = first; index < end; index++) {
    const source = enterStrip(index, x, frame);
    if (short && index == first) plan.writeOffsets(offsets);
    const count = rowsHere * outWidth;
    const down: usize = <usize>strideY * pitch;
    const out = args.y + <usize>firstWindow(index) * outStep;
    for (let i = 0; i < groups * plan.panels; i++) {
      const group = i / plan.panels;
      const output = group * plan.outShare + (i % plan.panels) * NR;
      const columns = min(NR, plan.outShare - (i % plan.panels) * NR);
      const panel = args.panels + 4 * NR * <usize>i * <usize>plan.depth;
      let row = source + 4 * <usize>(group * plan.share);
      let column = 0;
      let to = out + 4 * <usize>output;
      for (let w = 0; w < count; w += MR, to += MR * outStep) {
        // a0 … a3: addresses of the next four windows. If fewer are left, the other addresses stay a0, and `copyEdge`
        // (or `computeLongTile`) stores only the `left` first rows.
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
        if (idof<T>() == idof<ManyTerms>()) {
          const done = computeLongTile(
            short, offsets, line, runs, step, length, a0, a1, a2, a3, panel, edge, at, atStep, from, startStep, to, outStep, start, left,
            columns,
          );
          if (done) continue;
        } else if (short) computeTileOffsetsHere(plan.depth, offsets, a0, a1, a2, a3, panel, at, atStep, from, startStep);
        else computeTile(kernelHeight, line, runs, step, length, a0, a1, a2, a3, panel, 4 * NR, at, atStep, from, startStep);
        if (!fits) copyEdge(edge, to, outStep, start, startStep, left, columns);
      }
    }
  }
}
