// The plan of a convolution or of one of its gradients: everything that follows from its sizes, the bytes of work
// memory included. conv.ts, conv-kernel-grad.ts and conv-input-grad.ts read it as `plan.…`.

import { hasManyWindows, imageTotals } from "./doubles";
import { productWork } from "./gemm";
import {
  batch, channels, dilationX, dilationY, groups, height, kernelHeight, kernelWidth, outHeight, outputs, outWidth, padLeft, padTop,
  readSizes, readTurnedSizes, strideX, strideY, width,
} from "./sizes";
import { BLOCK, frameNumbers, pitch, planStrips, stripRows, strips } from "./strips";
import { ARGUMENTS, partsFor, threadCount } from "./threads";
import { EDGE, MR, NR } from "./tile";
import { tilesIn, winogradBytes } from "./winograd";
import { FEW_TILES, PART_TILES, winogradGradBytes, winogradSums } from "./winograd-grad";

/** With fewer channels or outputs, Winograd's transforms take longer than the multiplications that they save. */
const LEAST_CHANNELS: i32 = 16;
/**
 * With fewer windows in an image, too much of the work is padding: windows of tiles at the border, and tiles of panels
 * of five.
 */
const LEAST_WINDOWS: i32 = 25;
/**
 * With more channels · outputs, the transformed kernel does not stay in the cache. Reading it for every block costs
 * more than Winograd saves.
 */
const MOST_WEIGHTS: i64 = 1 << 17;
/** With more channels, the rounding errors of float32 sums over the channels are too large. */
const MOST_CHANNELS: i32 = 256;

/** A part has at least this number of multiplications. */
const PART: i64 = 1 << 18;
const MOST_PARTS: i64 = 64;
/** Parts of Winograd's algorithm for each thread. */
const WINOGRAD_SHARE: i64 = 4;

/**
 * The kernel gradient takes strips of at most this number of windows. A tile reads a strip once, so the strip should
 * fit the L1 cache.
 */
const GRAD_WINDOWS: i32 = 192;
/**
 * A part of the kernel gradient has at least this number of windows. With fewer, adding the totals of all parts takes
 * too long.
 */
const PART_WINDOWS: i64 = 512;
/** The partial sums of a kernel gradient have at most this number of elements. */
const SUMS: i32 = 1 << 21;
/** At most this number of parts keep partial sums. */
const MOST_SUMS: f64 = 16;
/**
 * Winograd's sums are 16/9 as large as the kernel. If fewer parts than this can keep them, the direct algorithm is
 * used.
 */
const LEAST_WINOGRAD_PARTS: i32 = 4;

/** Bytes for one tile in work memory, computed there if it is not full, and for its float64 totals (long-tile.ts). */
export const TILES: i32 = EDGE + 8 * MR * NR;

/**
 * The arguments of the parts. x, kernel and y are the arrays of these names or their gradients. panels: the kernel in
 * panels; sums: partial sums of the kernel gradient.
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
export const args = changetype<Arguments>(ARGUMENTS);

// The plan. `planConv2d`, `planKernelGrad` and `planInputGrad` fill it; no other function writes to it. The calling
// thread plans when a kernel starts. Every part plans again when it starts, because each worker thread has its own
// globals.

/**
 * share: channels of a group. outShare: outputs of a group. depth: terms of one output, kernelHeight · kernelWidth ·
 * share. panels: panels of 8 outputs in a group.
 */
export let share: i32, outShare: i32, depth: i32, panels: i32;
/** The depth, rounded up to a multiple of 4. */
export let paddedDepth: i32;
/** True if Winograd's algorithm computes this kernel. */
export let winograd: bool;
/** Parts of the job. The kernel gradient has windowParts · depthParts parts; at least one of the two factors is 1. */
export let parts: i32, windowParts: i32, depthParts: i32;
/** Elements of the sums that one part of the kernel gradient keeps. */
export let partSums: f64;
/** True if a part of the kernel gradient keeps totals in float64 besides sums in float32; the bytes of both. */
export let hasTotals: bool, partBytes: f64;
/**
 * Gradient of the input: windows of a block of patches, and bytes of work memory for the matrix product that computes
 * the block.
 */
export let patchWindows: i32, patchProduct: i32;
/**
 * Bytes of work memory: shared by all threads, and for each thread. Double precision, because the product of sizes may
 * exceed 32 bits.
 */
export let sharedBytes: f64, slotBytes: f64;

/** Plans a convolution, or the gradient of the input at stride 1 if `turned`. */
export function planConv2d(turned: bool): void {
  if (turned) readTurnedSizes();
  else readSizes();
  planShapes(i32.MAX_VALUE, true);
  // Winograd's blocks go on from image to image, so its parts should be long. Its bits do not depend on the parts.
  parts = partsOfAtMost(min<i64>(winograd ? WINOGRAD_SHARE * threadCount() : MOST_PARTS, strips));
  sharedBytes = 4 * (<f64>groups * <f64>panels * depthAsDouble() * NR + (winograd ? <f64>(16 * panels * channels * NR) : 0));
  planSlot(winograd ? winogradBytes() : TILES + 4 * paddedDepthAsDouble());
}

/** Plans the gradient of the kernel. */
export function planKernelGrad(): void {
  readSizes();
  planShapes(2 * GRAD_WINDOWS, true);
  if (!winograd || SUMS / winogradSums() < LEAST_WINOGRAD_PARTS) planShapes(GRAD_WINDOWS, false);
  partSums = winograd ? winogradSums() : <f64>groups * <f64>panels * paddedDepthAsDouble() * NR;
  // Each part of the windows keeps partial sums. If the kernel is too large for several, parts take ranges of the depth
  // instead.
  windowParts = partsOfAtMost(min<i64>(<i64>max<f64>(1, min<f64>(SUMS / max<f64>(1, partSums), MOST_SUMS)), strips));
  if (!winograd) windowParts = <i32>max<i64>(1, min<i64>(windowParts, <i64>batch * outHeight * outWidth / PART_WINDOWS));
  else windowParts = max(1, min(windowParts, strips / ((PART_TILES + tilesIn(stripRows) - 1) / tilesIn(stripRows))));
  depthParts = windowParts > 1 ? 1 : partsOfAtMost(min<i64>(MOST_PARTS, depth / MR));
  parts = windowParts * depthParts;
  hasTotals = !winograd || <i64>(strips + windowParts - 1) / windowParts * tilesIn(stripRows) > FEW_TILES;
  partBytes = (hasTotals ? 12 : 4) * partSums; // totals (f64) and, behind them, sums of a few windows (f32)
  sharedBytes = <f64>windowParts * partBytes;
  planSlot(winograd ? winogradGradBytes() : 4 * paddedDepthAsDouble());
}

/** Plans the gradient of the input at strides other than 1. */
export function planInputGrad(): void {
  readSizes();
  planShapes(i32.MAX_VALUE, false);
  parts = partsFor(batch, 1, partsOfAtMost(MOST_PARTS));
  patchWindows = max(4, BLOCK / max(1, depth));
  patchProduct = (productWork(patchWindows, depth, outShare) + 15) & ~15; // whole vectors
  sharedBytes = 0;
  const patches = 4 * max<f64>(BLOCK, 4 * depthAsDouble());
  slotBytes = wholeLines(<f64>patchProduct + patches) + (hasManyWindows() ? imageTotals() : 0);
}

/**
 * The part of the plan that all three kernels share. `windows`: most windows of a strip. `tiled`: Winograd's algorithm
 * is allowed.
 */
function planShapes(windows: i32, tiled: bool): void {
  share = channels / groups;
  outShare = outputs / groups;
  depth = kernelHeight * kernelWidth * share;
  paddedDepth = (depth + MR - 1) & ~(MR - 1);
  panels = (outShare + NR - 1) / NR;
  winograd = tiled && groups == 1 && kernelHeight == 3 && kernelWidth == 3 && strideY * strideX * dilationY * dilationX == 1
    && (channels & 3) == 0 && channels >= LEAST_CHANNELS && channels <= MOST_CHANNELS && outputs >= LEAST_CHANNELS
    && <i64>channels * outputs <= MOST_WEIGHTS && outHeight * outWidth >= LEAST_WINDOWS;
  planStrips(windows, winograd ? 2 : 1);
}

/** Sets slotBytes: a frame for a strip and `bytes` more. */
function planSlot(bytes: f64): void {
  slotBytes = wholeLines(bytes + 4 * frameNumbers);
}

/** Bytes in whole cache lines, so that no two threads write to one line. */
function wholeLines(bytes: f64): f64 {
  return Math.ceil(bytes / 64) * 64;
}

function depthAsDouble(): f64 {
  return <f64>kernelHeight * <f64>kernelWidth * <f64>share;
}

function paddedDepthAsDouble(): f64 {
  return Math.ceil(depthAsDouble() / MR) * MR;
}

/** The number of parts, from 1 to `most`, that leaves each part enough multiplications. */
function partsOfAtMost(most: i64): i32 {
  const products = <i64>min<f64>(<f64>batch * <f64>outHeight * <f64>outWidth * <f64>outputs * depthAsDouble(), 9e18);
  return <i32>max<i64>(1, min<i64>(most, products / PART));
}

/**
 * True for a 1×1 kernel that reads every pixel once: the images are one matrix [pixels, channels]. Needs the sizes, not
 * the plan.
 */
export function isPointwise(): bool {
  return kernelHeight == 1 && kernelWidth == 1 && groups == 1 && outHeight == height && outWidth == width && strideY == 1 && strideX == 1
    && padTop == 0 && padLeft == 0;
}

/**
 * Writes a table of `paddedDepth` offsets (i32): the bytes from the first number of a window to each of its numbers.
 * Entries past the last number repeat the last offset. Call `enterStrip` first: it sets `pitch`.
 */
export function writeOffsets(to: usize): void {
  for (let d = 0; d < paddedDepth; d++) {
    const real = min(d, depth - 1);
    const c = real % share;
    const kx = (real / share) % kernelWidth;
    const ky = real / (share * kernelWidth);
    store<i32>(to + 4 * <usize>d, <i32>(<usize>(ky * dilationY) * pitch) + 4 * (kx * dilationX * channels + c));
  }
}
