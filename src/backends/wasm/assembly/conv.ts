// Convolution as a matrix product whose left side, one row per window (im2col), is never made: a row lies in the image as runs of
// numbers, which the register tile reads in place.

import { collect, hasManyWindows, imageNumbers, imageTotals, roundImage, widenImage } from "./doubles";
import { gemm, product, productWork } from "./gemm";
import { madd } from "./madd";
import {
  batch, channels, dilationX, dilationY, groups, height, kernelHeight, kernelWidth, outHeight, outputs, outWidth, padLeft, padTop,
  readSizes, readTurnedSizes, strideX, strideY, width,
} from "./sizes";
import { BLOCK, firstWindow, frameNumbers, pitch, planStrips, rowsHere, strip, stripRows, strips } from "./strips";
import { ARGUMENTS, cut, partsFor, run, runWith, sharedMemory, slotMemory } from "./threads";
import { copyEdge, EDGE, FOLD, MR, NR, tile, tileOffsets, tileOffsetsHere } from "./tile";
import {
  transformPanel, winogradGradBegin, winogradGradCollect, winogradGradOwn, winogradGradStrip, winogradKernelGrad, winogradOwn, winogradStrip, winogradSums,
} from "./winograd";

/** With fewer channels or outputs Winograd's transforms take longer than the products that they save. */
const LEAST_CHANNELS: i32 = 16;
/** In fewer windows too many tiles, or places of a group of five tiles, are empty. */
const LEAST_WINDOWS: i32 = 25;
/** With more channels times outputs, reading the transformed kernel from memory for each block takes longer than it saves. */
const MOST_WEIGHTS: i64 = 1 << 17;
/** With more channels float32 sums over them would lose digits. */
const MOST_CHANNELS: i32 = 256;
/** So many float32 sums of a tile are added up in float32; more are collected in double precision. */
const MOST_FOLDS: i32 = 12;
/** Windows that a tile of the kernel's gradient sums at once: two rows of 28. */
const GRAD_FOLD: i32 = 56;
const GRAD_FOLDS: i32 = 8;
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

/**
 * Where the parts find their arrays; each of x, kernel and y is the array of that name or its gradient. panels: the kernel in panels; sums:
 * partial sums of the kernel's gradient.
 */
@unmanaged
class Arguments {
  turned: bool;
  accumulate: bool;
  x: usize;
  kernel: usize;
  bias: usize;
  y: usize;
  panels: usize;
  sums: usize;
}
const args = changetype<Arguments>(ARGUMENTS);

let share: i32, outShare: i32, depth: i32, panels: i32, winograd: bool;

/** What follows from the sizes that were read, with images in strips of at most `windows` windows. */
function plan(windows: i32, tiled: bool): void {
  share = channels / groups;
  outShare = outputs / groups;
  depth = kernelHeight * kernelWidth * share;
  panels = (outShare + NR - 1) / NR;
  winograd = tiled && groups == 1 && kernelHeight == 3 && kernelWidth == 3 && strideY * strideX * dilationY * dilationX == 1
    && (channels & 3) == 0 && channels >= LEAST_CHANNELS && channels <= MOST_CHANNELS && outputs >= LEAST_CHANNELS && <i64>channels * outputs <= MOST_WEIGHTS
    && outHeight * outWidth >= LEAST_WINDOWS;
  planStrips(windows, winograd ? 2 : 1);
}

/** Multiplications of the convolution whose sizes were read. */
function products(): i64 {
  const count = <f64>batch * <f64>outHeight * <f64>outWidth * <f64>outputs * <f64>kernelHeight * <f64>kernelWidth * <f64>share;
  return <i64>min<f64>(count, 9e18);
}

// Forward, and towards the image at stride 1, which is the same with the kernel turned round.

function planConv2d(turned: bool): void {
  if (turned) readTurnedSizes();
  else readSizes();
  plan(i32.MAX_VALUE, true);
}

/** Numbers of the kernel in panels of eight outputs. */
function panelNumbers(): f64 {
  return <f64>groups * <f64>panels * (<f64>kernelHeight * <f64>kernelWidth * <f64>share) * NR;
}

/** Bytes of work memory that all threads share, for the kernel in panels. */
function panelBytes(): f64 {
  return 4 * (panelNumbers() + (winograd ? <f64>(16 * panels * channels * NR) : 0));
}

/** Bytes of the tile that does not fit, and of its totals in double precision. */
const TILES: i32 = EDGE + 8 * MR * NR;

/** The number of parts of a convolution. */
function convParts(): i32 {
  return <i32>max<i64>(1, min<i64>(min<i64>(MOST_PARTS, strips), products() / PART));
}

/** Bytes of one slot of work memory. */
function convSlot(): f64 {
  const bytes = winograd ? winogradOwn() : TILES + 4 * paddedDepths();
  return Math.ceil((bytes + 4 * frameNumbers()) / 64) * 64;
}

/** A 1×1 kernel that looks at every pixel once: the images are one matrix [pixels, channels]. */
function isPointwise(): bool {
  return kernelHeight == 1 && kernelWidth == 1 && groups == 1 && outHeight == height && outWidth == width && strideY == 1 && strideX == 1
    && padTop == 0 && padLeft == 0;
}

/** y = x ∗ kernel + bias; `bias` may be 0. */
export function conv2d(_n: i32, x: usize, kernel: usize, bias: usize, y: usize): void {
  readSizes();
  if (!isPointwise()) return convolve(false, x, kernel, bias, y, false);
  gemm(batch * height * width, outputs, channels, x, channels, 1, kernel, outputs, 1, y, outputs, false, bias);
}

function convolve(
  turned: bool, x: usize, kernel: usize, bias: usize, y: usize, accumulate: bool,
): void {
  planConv2d(turned);
  args.turned = turned;
  args.x = x;
  args.kernel = kernel;
  args.bias = bias;
  args.y = y;
  args.accumulate = accumulate;
  args.panels = sharedMemory(panelBytes());
  const parts = convParts(), slot = convSlot(), work = slotMemory(parts, slot); // before anything runs: there may be too little
  const all = groups * panels;
  run(panelPart, partsFor(all * depth * NR, 1 << 15, all), 0, 0);
  run(winograd ? winogradPart : conv2dPart, parts, work, <usize>slot);
}

/** Panels of 8 outputs: for each number under a window the weights of the 8; those beyond the last are zeros. With their transforms. */
function panelPart(part: i32, parts: i32, _work: usize): void {
  const turned = args.turned;
  planConv2d(turned);
  const kernel = args.kernel;
  const all = groups * panels;
  const end = cut(all, part + 1, parts, 1);
  const taps = kernelHeight * kernelWidth;
  for (let i = cut(all, part, parts, 1); i < end; i++) {
    const group = i / panels;
    const first = (i % panels) * NR;
    const count = min(NR, outShare - first);
    let to = args.panels + 4 * NR * <usize>i * <usize>depth;
    for (let tap = 0; tap < taps; tap++) {
      for (let c = 0; c < share; c++, to += 4 * NR) {
        if (turned) {
          // kernel [last tap − tap, output of the group, channel]: what was an output is read, and the other way round.
          const from = kernel + 4 * ((<usize>(taps - 1 - tap) * <usize>outShare + <usize>first) * <usize>channels + <usize>(group * share + c));
          for (let j = 0; j < NR; j++) {
            store<f32>(to + 4 * <usize>j, j < count ? load<f32>(from + 4 * <usize>(j * channels)) : 0);
          }
        } else {
          const from = kernel + 4 * (<usize>(tap * share + c) * <usize>outputs + <usize>(group * outShare + first));
          if (count == NR) {
            v128.store(to, v128.load(from));
            v128.store(to, v128.load(from, 16), 16);
          } else {
            for (let j = 0; j < NR; j++) store<f32>(to + 4 * <usize>j, j < count ? load<f32>(from + 4 * <usize>j) : 0);
          }
        }
      }
    }
    if (winograd) transformPanel(i, panels, args.panels, transformed());
  }
}

/** Where Winograd's transforms of the panels are: behind them. */
function transformed(): usize {
  return args.panels + 4 * <usize>(panels * depth * NR);
}

function winogradPart(part: i32, parts: i32, work: usize): void {
  planConv2d(args.turned);
  const u = transformed();
  const frame = work + winogradOwn();
  const end = cut(strips, part + 1, parts, 1);
  for (let index = cut(strips, part, parts, 1); index < end; index++) {
    winogradStrip(index, args.x, u, panels, args.bias, args.y, args.accumulate, frame, work);
  }
}

// Whether a window has so many numbers that they are summed in pieces: one loop over windows for each case, since with both in one loop V8
// keeps less in registers (the toy network's convolution took 1.16 times as long).
class FewTerms {}
class ManyTerms {}

function conv2dPart(part: i32, parts: i32, work: usize): void {
  planConv2d(args.turned);
  if (depth > FOLD) convolveStrips<ManyTerms>(part, parts, work);
  else convolveStrips<FewTerms>(part, parts, work);
}

function convolveStrips<T>(part: i32, parts: i32, work: usize): void {
  const x = args.x;
  const bias = args.bias;
  const accumulate = args.accumulate;
  const edge = work;
  const pixel: usize = 4 * <usize>channels;
  const across: usize = <usize>strideX * pixel;
  const outStep: usize = 4 * <usize>outputs;
  const sideBySide = dilationX == 1 && groups == 1; // the taps of a line are one run
  const runs = sideBySide ? 1 : kernelWidth;
  const length = sideBySide ? kernelWidth * share : share;
  const short = length < SHORT;
  const offsets = work + TILES;
  const frame = offsets + 4 * <usize>paddedDepth();
  const first = cut(strips, part, parts, 1);
  const end = cut(strips, part + 1, parts, 1);
  for (let index = first; index < end; index++) {
    const source = strip(index, x, frame);
    if (short && index == first) writeOffsets(offsets);
    const count = rowsHere * outWidth;
    const down: usize = <usize>strideY * pitch;
    const out = args.y + <usize>firstWindow(index) * outStep;
    for (let i = 0; i < groups * panels; i++) {
      const group = i / panels;
      const output = group * outShare + (i % panels) * NR;
      const columns = min(NR, outShare - (i % panels) * NR);
      const panel = args.panels + 4 * NR * <usize>i * <usize>depth;
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
        if (idof<T>() == idof<ManyTerms>()) {
          const done = longTile(
            short, offsets, line, runs, step, length, a0, a1, a2, a3, panel, edge, at, atStep, from, startStep, to, outStep, start, left, columns,
          );
          if (done) continue;
        } else if (short) tileOffsetsHere(depth, offsets, a0, a1, a2, a3, panel, at, atStep, from, startStep);
        else tile(kernelHeight, line, runs, step, length, a0, a1, a2, a3, panel, 4 * NR, at, atStep, from, startStep);
        if (!fits) copyEdge(edge, to, outStep, start, startStep, left, columns);
      }
    }
  }
}

// Tiles of more than FOLD terms are computed in pieces: each is added to the tile in float32 or, if there are many pieces, to totals in
// double precision, a few pieces at a time.

/**
 * A tile of more than FOLD terms. True if it was written to `to`; else it is at `at`. Exported, as `tilePanels` is: inlined into the loop over
 * windows it makes V8 keep the sums of short tiles in memory.
 */
export function longTile(
  short: bool, offsets: usize, line: usize, runs: i32, step: usize, length: i32, a0: usize, a1: usize, a2: usize, a3: usize, panel: usize,
  edge: usize, at: usize, atStep: usize, from: usize, startStep: usize, to: usize, toStep: usize, start: usize, rows: i32, columns: i32,
): bool {
  beginSum(edge, at, atStep, from, startStep);
  if (short) sumOffsets(offsets, a0, a1, a2, a3, panel);
  else sumRuns(line, runs, step, length, a0, a1, a2, a3, panel);
  return endSum(to, toStep, start, startStep, rows, columns);
}

let sumTo: usize, sumStep: usize, sumFrom: usize, sumFromStep: usize, sumTotals: usize, folds: i32;

/** Begins a tile at c, on top of `start` unless that is 0. If it has many terms, it grows in the tile at `edge` and the totals behind it. */
function beginSum(edge: usize, c: usize, cStep: usize, start: usize, startStep: usize): void {
  folds = 0;
  sumTotals = depth > MOST_FOLDS * FOLD ? edge + EDGE : 0;
  sumTo = sumTotals ? edge : c;
  sumStep = sumTotals ? 4 * NR : cStep;
  sumFrom = sumTotals ? 0 : start;
  sumFromStep = startStep;
  if (sumTotals) memory.fill(sumTotals, 0, 8 * MR * NR);
}

/** After a piece: the next is added to it. */
// @ts-ignore: decorator
@inline
function nextPiece(): void {
  sumFrom = sumTo;
  sumFromStep = sumStep;
  if (sumTotals && ++folds == GRAD_FOLDS) {
    collect(sumTo, MR * NR, sumTotals);
    folds = 0;
  }
}

/** Pieces of a tile whose numbers are read through a table of offsets. */
function sumOffsets(offsets: usize, a0: usize, a1: usize, a2: usize, a3: usize, panel: usize): void {
  for (let d = 0; d < depth; d += FOLD, offsets += 4 * FOLD, panel += 4 * NR * FOLD) {
    tileOffsets(min(FOLD, depth - d), offsets, a0, a1, a2, a3, panel, sumTo, sumStep, sumFrom, sumFromStep);
    nextPiece();
  }
}

/** Pieces of a tile whose numbers are kernelHeight lines of `runs` runs of `length`: whole lines, whole runs, or parts of a run. */
function sumRuns(
  line: usize, runs: i32, step: usize, length: i32, a0: usize, a1: usize, a2: usize, a3: usize, panel: usize,
): void {
  const inLine = runs * length;
  const manyLines = max(1, FOLD / inLine), manyRuns = max(1, FOLD / length);
  const part = min(length, FOLD);
  for (let ky = 0; ky < kernelHeight; ky += manyLines) {
    const lines = min(manyLines, kernelHeight - ky);
    const down = <usize>ky * line;
    for (let r = 0; r < runs; ) {
      const count = inLine <= FOLD ? runs : min(manyRuns, runs - r);
      for (let i = 0; i < length; i += part) {
        const n = min(part, length - i), at = down + <usize>r * step + 4 * <usize>i;
        tile(lines, line, count, step, n, a0 + at, a1 + at, a2 + at, a3 + at, panel, 4 * NR, sumTo, sumStep, sumFrom, sumFromStep);
        nextPiece();
        panel += 4 * NR * <usize>(lines * count * n);
      }
      r += count;
    }
  }
}

/** Writes what totals hold to the `rows` × `columns` numbers at c; false if there were no totals. */
function endSum(c: usize, cStep: usize, start: usize, startStep: usize, rows: i32, columns: i32): bool {
  if (sumTotals == 0) return false;
  collect(sumTo, MR * NR, sumTotals);
  for (let i = 0; i < rows; i++, c += cStep, start += startStep) {
    for (let j: usize = 0; j < <usize>columns; j++) {
      const sum = load<f64>(sumTotals + 8 * (NR * <usize>i + j));
      store<f32>(c + 4 * j, <f32>(startStep == 0 && start == 0 ? sum : sum + <f64>load<f32>(start + 4 * j)));
    }
  }
  return true;
}

// Towards the kernel.

/** Partial sums are kept by so many parts of the windows; where a kernel is too large for that, by one, cut along its depth instead. */
function windowParts(): i32 {
  const most = <i32>max<f64>(1, min<f64>(SUMS / max<f64>(1, partSums()), 16));
  return <i32>max<i64>(1, min<i64>(min<i64>(most, strips), products() / PART));
}

function depthParts(): i32 {
  return windowParts() > 1 ? 1 : <i32>max<i64>(1, min<i64>(min<i64>(MOST_PARTS, depth / MR), products() / PART));
}

function paddedDepth(): i32 {
  return (depth + MR - 1) & ~(MR - 1);
}

/** The same as a number that does not wrap. */
function paddedDepths(): f64 {
  return Math.ceil(<f64>kernelHeight * <f64>kernelWidth * <f64>share / MR) * MR;
}

/** Numbers of one part's sums. */
function partSums(): f64 {
  return winograd ? winogradSums() : <f64>groups * <f64>panels * paddedDepths() * NR;
}

function planKernelGrad(): void {
  readSizes();
  plan(2 * GRAD_WINDOWS, true);
  if (!winograd || SUMS / winogradSums() < LEAST_PARTS) plan(GRAD_WINDOWS, false);
}

/** Bytes that all threads share: for each part of the windows the totals of its sums (f64) and, behind them, sums of few windows (f32). */
function sumsBytes(): f64 {
  return 12 * <f64>windowParts() * partSums();
}

/** Bytes of one slot. */
function kernelGradSlot(): f64 {
  const bytes: f64 = winograd ? winogradGradOwn() : 4 * paddedDepths();
  return Math.ceil((4 * frameNumbers() + bytes) / 64) * 64;
}

/** The parts in which the sums of Winograd's gradient become the kernel's gradient. */
function kernelParts(): i32 {
  return partsFor(winogradSums(), 1 << 15, outputs);
}

export function conv2dKernelGrad(_n: i32, x: usize, dy: usize, dkernel: usize, accumulate: bool): void {
  planKernelGrad();
  args.x = x;
  args.y = dy;
  args.kernel = dkernel;
  args.accumulate = accumulate;
  args.sums = sharedMemory(sumsBytes());
  if (winograd) {
    runWith(winogradGradPart, windowParts(), kernelGradSlot());
    runWith(winogradKernelPart, kernelParts(), kernelGradSlot());
    return;
  }
  runWith(kernelGradPart, windowParts() * depthParts(), kernelGradSlot());
  run(addSumsPart, partsFor(<i32>min<i64>(i32.MAX_VALUE, <i64>depth * outputs * windowParts()), 1 << 15, depth), 0, 0);
}

/** Where the totals of a part are. */
function totalsOf(part: i32): usize {
  return args.sums + 12 * <usize>part * <usize>partSums();
}

function winogradGradPart(part: i32, parts: i32, work: usize): void {
  planKernelGrad();
  const totals = totalsOf(part);
  const frame = work + winogradGradOwn();
  winogradGradBegin(totals);
  const end = cut(strips, part + 1, parts, 1);
  for (let index = cut(strips, part, parts, 1); index < end; index++) {
    winogradGradStrip(index, args.x, args.y, totals, frame, work);
  }
  winogradGradCollect(totals);
}

function winogradKernelPart(part: i32, parts: i32, work: usize): void {
  planKernelGrad();
  const first = cut(outputs, part, parts, 1);
  const end = cut(outputs, part + 1, parts, 1);
  winogradKernelGrad(first, end, args.sums, windowParts(), args.kernel, args.accumulate, work);
}

/**
 * Totals [part, group, panel, depth, 8] (f64) of a part of the windows, or of all for a part of the depth. Windows are summed in float32,
 * at most 56 at a time (a piece: some rows, or a part of a row), and after 8 pieces added to the totals.
 */
function kernelGradPart(part: i32, parts: i32, work: usize): void {
  planKernelGrad();
  const alongWindows = windowParts();
  const alongDepth = depthParts();
  const x = args.x;
  const offsets = work;
  const frame = work + 4 * <usize>paddedDepth();
  const from = cut(depth, part % alongDepth, alongDepth, MR);
  const to = cut(depth, part % alongDepth + 1, alongDepth, MR);
  const windowPart = part / alongDepth;
  const totals = totalsOf(windowPart);
  const sums = totals + 8 * <usize>partSums();
  const first = cut(strips, windowPart, alongWindows, 1);
  const end = cut(strips, windowPart + 1, alongWindows, 1);
  clearSums(totals, sums, from, to);
  let held = 0; // pieces in the sums
  for (let index = first; index < end; index++) {
    const source = strip(index, x, frame);
    if (index == first) writeOffsets(offsets);
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

/** Where the sums of panel i from depth d on begin, in numbers. */
// @ts-ignore: decorator
@inline
function sumsAt(i: i32, d: i32): usize {
  return (<usize>i * <usize>paddedDepth() + <usize>d) * NR;
}

function clearSums(totals: usize, sums: usize, from: i32, to: i32): void {
  const numbers = <usize>(to - from + MR - 1 & ~(MR - 1)) * NR;
  for (let i = 0; i < groups * panels; i++) {
    memory.fill(totals + 8 * sumsAt(i, from), 0, 8 * numbers);
    memory.fill(sums + 4 * sumsAt(i, from), 0, 4 * numbers);
  }
}

function collectSums(totals: usize, sums: usize, from: i32, to: i32): void {
  const numbers = <usize>(to - from + MR - 1 & ~(MR - 1)) * NR;
  for (let i = 0; i < groups * panels; i++) collect(sums + 4 * sumsAt(i, from), numbers, totals + 8 * sumsAt(i, from));
}

/** Adds the pieces first … last - 1 of a strip, whose first window is number `window`, to the sums. */
function addPieces(
  first: i32, last: i32, rows: i32, perRow: i32, source: usize, window: usize, offsets: usize, sums: usize, from: i32, to: i32,
): void {
  const outStep: usize = 4 * <usize>outputs;
  const across: usize = 4 * <usize>strideX * <usize>channels, down: usize = <usize>strideY * pitch;
  for (let i = 0; i < groups * panels; i++) {
    const group = i / panels;
    const image = source + 4 * <usize>(group * share);
    const dy = args.y + window * outStep + 4 * <usize>(group * outShare + (i % panels) * NR);
    for (let d = from; d < to; d += MR) {
      const at = sums + 4 * sumsAt(i, d);
      if (perRow == 1) {
        const row = first * rows;
        gradTile(
          min((last - first) * rows, rowsHere - row), rows, down, outWidth, across, image + <usize>row * down, offsets + 4 * <usize>d,
          dy + <usize>row * <usize>outWidth * outStep, outStep, at,
        );
        continue;
      }
      for (let piece = first; piece < last; piece++) {
        const row = piece / perRow, column = (piece % perRow) * GRAD_FOLD;
        gradTile(
          1, 1, down, min(GRAD_FOLD, outWidth - column), across, image + <usize>row * down + <usize>column * across,
          offsets + 4 * <usize>d, dy + (<usize>row * <usize>outWidth + <usize>column) * outStep, outStep, at,
        );
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

/** sums [4, 8] += Σ over the windows of rows × columns of x at four offsets times dy at eight outputs, `fold` rows at a time. */
function gradTile(
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
    put(sums, c00);
    put(sums + 16, c01);
    put(sums + 32, c10);
    put(sums + 48, c11);
    put(sums + 64, c20);
    put(sums + 80, c21);
    put(sums + 96, c30);
    put(sums + 112, c31);
  }
}

// @ts-ignore: decorator
@inline
function put(to: usize, x: v128): void {
  v128.store(to, f32x4.add(v128.load(to), x));
}

/** dkernel [depth, outputs] (+)= the totals of the parts, in their order. */
function addSumsPart(part: i32, parts: i32, _work: usize): void {
  planKernelGrad();
  const count = windowParts();
  const dkernel = args.kernel;
  const accumulate = args.accumulate;
  const next: usize = 12 * <usize>partSums();
  const end = cut(depth, part + 1, parts, 1);
  for (let d = cut(depth, part, parts, 1); d < end; d++) {
    for (let o = 0; o < outputs; o++) {
      const j = o % outShare;
      const panel = (o / outShare) * panels + j / NR;
      let from = args.sums + 8 * (sumsAt(panel, d) + <usize>(j % NR));
      const to = dkernel + 4 * (<usize>d * <usize>outputs + <usize>o);
      let sum: f64 = accumulate ? load<f32>(to) : 0;
      for (let p = 0; p < count; p++, from += next) sum += load<f64>(from);
      store<f32>(to, <f32>sum);
    }
  }
}

// Towards the image.

function isTurned(): bool {
  readSizes();
  return strideY == 1 && strideX == 1;
}

function imageParts(): i32 {
  return partsFor(batch, 1, <i32>max<i64>(1, min<i64>(MOST_PARTS, products() / PART)));
}

/** Windows whose patches are computed at a time. */
function patchWindows(): i32 {
  return max(4, BLOCK / max(1, depth));
}

/** Bytes of the product that makes patches, in whole vectors. */
function patchProduct(): i32 {
  return (productWork(patchWindows(), depth, outShare) + 15) & ~15;
}

/** Bytes of one slot: those, the patches and, if many windows share a pixel, the totals of an image. */
function inputGradSlot(): f64 {
  const bytes = <f64>patchProduct() + 4 * max<f64>(BLOCK, 4 * (<f64>kernelHeight * <f64>kernelWidth * <f64>share));
  return Math.ceil(bytes / 64) * 64 + (hasManyWindows() ? imageTotals() : 0);
}

/**
 * With stride 1 the gradient towards the image is itself a convolution, of dy with the kernel turned round. Otherwise the gradients of
 * patches are computed block by block and added where the patches were read.
 */
export function conv2dInputGrad(_n: i32, dy: usize, kernel: usize, dx: usize, accumulate: bool): void {
  readSizes();
  if (isPointwise())
    return gemm(batch * height * width, channels, outputs, dy, outputs, 1, kernel, 1, outputs, dx, channels, accumulate, 0);
  if (strideY == 1 && strideX == 1) return convolve(true, dy, kernel, 0, dx, accumulate);
  plan(i32.MAX_VALUE, false);
  args.y = dy;
  args.kernel = kernel;
  args.x = dx;
  args.accumulate = accumulate;
  runWith(inputGradPart, imageParts(), inputGradSlot());
}

function inputGradPart(part: i32, parts: i32, work: usize): void {
  readSizes();
  plan(i32.MAX_VALUE, false);
  const accumulate = args.accumulate, many = hasManyWindows();
  const kernel = args.kernel;
  const patches = work + patchProduct();
  const numbers = <usize>imageNumbers();
  const totals = work + <usize>(inputGradSlot() - (many ? imageTotals() : 0));
  const block = patchWindows();
  const outStep: usize = 4 * <usize>outputs;
  const count = outHeight * outWidth;
  const end = cut(batch, part + 1, parts, 1);
  for (let image = cut(batch, part, parts, 1); image < end; image++) {
    const dx = args.x + 4 * <usize>image * numbers;
    const dy = args.y + <usize>image * <usize>count * outStep;
    if (many) widenImage(dx, numbers, totals, accumulate);
    else if (!accumulate) memory.fill(dx, 0, 4 * numbers);
    for (let first = 0; first < count; first += block) {
      const here = min(block, count - first);
      for (let g = 0; g < groups; g++) {
        const at = dy + <usize>first * outStep + 4 * <usize>(g * outShare);
        product(here, depth, outShare, at, outputs, 1, kernel + 4 * <usize>(g * outShare), 1, outputs, patches, depth, false, 0, work);
        addPatches(patches, g, first, here, many ? totals : dx, many);
      }
    }
    if (many) roundImage(totals, numbers, dx);
  }
}

/** dx += patches, each where it was read in its image; dx is float32 or, if `wide`, the totals of the image. */
function addPatches(patches: usize, group: i32, first: i32, count: i32, dx: usize, wide: bool): void {
  let ox = first % outWidth;
  let oy = first / outWidth;
  const run: usize = 4 * <usize>share;
  for (let w = 0; w < count; w++) {
    for (let ky = 0; ky < kernelHeight; ky++) {
      const iy = oy * strideY - padTop + ky * dilationY;
      for (let kx = 0; kx < kernelWidth; kx++, patches += run) {
        const ix = ox * strideX - padLeft + kx * dilationX;
        if (iy < 0 || iy >= height || ix < 0 || ix >= width) continue;
        const place = <usize>(iy * width + ix) * <usize>channels + <usize>(group * share);
        if (wide) {
          addWide(patches, share, dx + 8 * place);
          continue;
        }
        const to = dx + 4 * place;
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

/** totals [n] (f64) += x [n]. */
function addWide(x: usize, n: i32, totals: usize): void {
  for (const end = x + 4 * <usize>n; x < end; x += 4, totals += 8) store<f64>(totals, load<f64>(totals) + <f64>load<f32>(x));
}
