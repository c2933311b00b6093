// Convolution by im2col and gemm, a block of windows at a time. `sizes` points at 15 numbers (i32) in the order of `Windows`, then
// outChannels and groups.
import { GEMM_WORK, gemm } from "./gemm";

/** Numbers that the block of patches may hold; at least 4 windows whatever their size. */
const BLOCK: i32 = 1 << 16;

/** Bytes of work memory for patches of `depth` numbers, and a kernel of `size` numbers turned round. */
export function convWork(depth: i32, size: i32): i32 {
  return GEMM_WORK + 4 * (max(BLOCK, 4 * depth) + size);
}

let height: i32, width: i32, channels: i32, outHeight: i32, outWidth: i32, kernelHeight: i32, kernelWidth: i32;
let strideY: i32, strideX: i32, dilationY: i32, dilationX: i32, padTop: i32, padLeft: i32;
let outputs: i32, groups: i32, windows: i32, share: i32, outShare: i32, depth: i32, rows: i32;

function readSizes(sizes: usize): void {
  const batch = load<i32>(sizes);
  height = load<i32>(sizes, 4);
  width = load<i32>(sizes, 8);
  channels = load<i32>(sizes, 12);
  outHeight = load<i32>(sizes, 16);
  outWidth = load<i32>(sizes, 20);
  kernelHeight = load<i32>(sizes, 24);
  kernelWidth = load<i32>(sizes, 28);
  strideY = load<i32>(sizes, 32);
  strideX = load<i32>(sizes, 36);
  dilationY = load<i32>(sizes, 40);
  dilationX = load<i32>(sizes, 44);
  padTop = load<i32>(sizes, 48);
  padLeft = load<i32>(sizes, 52);
  outputs = load<i32>(sizes, 56);
  groups = load<i32>(sizes, 60);
  windows = batch * outHeight * outWidth;
  share = channels / groups;
  outShare = outputs / groups;
  depth = kernelHeight * kernelWidth * share;
  rows = max(4, BLOCK / max(1, depth));
}

export function conv2d(sizes: usize, x: usize, kernel: usize, y: usize, accumulate: bool, work: usize): void {
  readSizes(sizes);
  convolve(x, kernel, y, accumulate, work);
}

function convolve(x: usize, kernel: usize, y: usize, accumulate: bool, work: usize): void {
  const patches = work + GEMM_WORK;
  for (let first = 0; first < windows; first += rows) {
    const count = min(rows, windows - first);
    for (let g = 0; g < groups; g++) {
      readPatches(x, g, first, count, patches);
      const at = y + 4 * (<usize>first * outputs + g * outShare);
      gemm(count, outShare, depth, patches, depth, 1, kernel + 4 * <usize>(g * outShare), outputs, 1, at, outputs, accumulate, work);
    }
  }
}

export function conv2dKernelGrad(sizes: usize, x: usize, dy: usize, dkernel: usize, accumulate: bool, work: usize): void {
  readSizes(sizes);
  const patches = work + GEMM_WORK;
  if (windows == 0 && !accumulate) memory.fill(dkernel, 0, 4 * <usize>(depth * outputs));
  for (let first = 0; first < windows; first += rows) {
    const count = min(rows, windows - first);
    for (let g = 0; g < groups; g++) {
      readPatches(x, g, first, count, patches);
      const at = dy + 4 * (<usize>first * outputs + g * outShare);
      const to = dkernel + 4 * <usize>(g * outShare);
      gemm(depth, outShare, count, patches, 1, depth, at, outputs, 1, to, outputs, accumulate || first > 0, work);
    }
  }
}

/**
 * With stride 1 the gradient towards the image is itself a convolution, of dy with the kernel turned round. Otherwise the gradients of
 * patches are computed block by block and added where the patches were read.
 */
export function conv2dInputGrad(sizes: usize, dy: usize, kernel: usize, dx: usize, accumulate: bool, work: usize): void {
  readSizes(sizes);
  const patches = work + GEMM_WORK;
  if (strideY == 1 && strideX == 1 && groups == 1) {
    const turned = patches + 4 * <usize>max(BLOCK, 4 * kernelHeight * kernelWidth * outputs);
    turnKernel(kernel, turned);
    turnSizes();
    convolve(dy, turned, dx, accumulate, work);
    return;
  }
  if (!accumulate) memory.fill(dx, 0, 4 * <usize>(windows / max(1, outHeight * outWidth)) * height * width * channels);
  for (let first = 0; first < windows; first += rows) {
    const count = min(rows, windows - first);
    for (let g = 0; g < groups; g++) {
      const at = dy + 4 * (<usize>first * outputs + g * outShare);
      gemm(count, depth, outShare, at, outputs, 1, kernel + 4 * <usize>(g * outShare), 1, outputs, patches, depth, false, work);
      addPatches(patches, g, first, count, dx);
    }
  }
}

/** turned [ky, kx, output, channel] = kernel [last ky − ky, last kx − kx, channel, output]. */
function turnKernel(kernel: usize, turned: usize): void {
  const taps = kernelHeight * kernelWidth;
  for (let tap = taps - 1; tap >= 0; tap--) {
    const from = kernel + 4 * <usize>(tap * channels) * outputs;
    for (let o = 0; o < outputs; o++) {
      for (let c = 0; c < channels; c++, turned += 4) store<f32>(turned, load<f32>(from + 4 * <usize>(c * outputs + o)));
    }
  }
}

/** The sizes of the convolution that leads from dy back to dx. */
function turnSizes(): void {
  const batch = windows / max(1, outHeight * outWidth);
  let swap = height;
  height = outHeight;
  outHeight = swap;
  swap = width;
  width = outWidth;
  outWidth = swap;
  swap = channels;
  channels = outputs;
  outputs = swap;
  padTop = (kernelHeight - 1) * dilationY - padTop;
  padLeft = (kernelWidth - 1) * dilationX - padLeft;
  windows = batch * outHeight * outWidth;
  share = channels;
  outShare = outputs;
  depth = kernelHeight * kernelWidth * share;
  rows = max(4, BLOCK / max(1, depth));
}

/** patches [count, depth] = what lies under the windows from `first` on; zeros outside the image. */
function readPatches(x: usize, group: i32, first: i32, count: i32, patches: usize): void {
  let ox = first % outWidth;
  let oy = (first / outWidth) % outHeight;
  let image = first / (outWidth * outHeight);
  const run: usize = 4 * <usize>share;
  const tapsInRow = dilationX == 1 && groups == 1 ? kernelWidth : 1; // taps side by side in memory are one run
  for (let w = 0; w < count; w++) {
    for (let ky = 0; ky < kernelHeight; ky++) {
      const iy = oy * strideY - padTop + ky * dilationY;
      const left = ox * strideX - padLeft;
      if (iy < 0 || iy >= height) {
        memory.fill(patches, 0, run * kernelWidth);
        patches += run * kernelWidth;
        continue;
      }
      const line = x + 4 * (<usize>((image * height + iy) * width) * channels + group * share);
      if (tapsInRow > 1 && left >= 0 && left + kernelWidth <= width) {
        copy(patches, line + <usize>left * run, share * kernelWidth);
        patches += run * kernelWidth;
        continue;
      }
      for (let kx = 0; kx < kernelWidth; kx++, patches += run) {
        const ix = left + kx * dilationX;
        if (ix >= 0 && ix < width) copy(patches, line + 4 * <usize>(ix * channels), share);
        else memory.fill(patches, 0, run);
      }
    }
    if (++ox < outWidth) continue;
    ox = 0;
    if (++oy < outHeight) continue;
    oy = 0;
    image++;
  }
}

/** dx += patches, each where it was read. */
function addPatches(patches: usize, group: i32, first: i32, count: i32, dx: usize): void {
  let ox = first % outWidth;
  let oy = (first / outWidth) % outHeight;
  let image = first / (outWidth * outHeight);
  const run: usize = 4 * <usize>share;
  for (let w = 0; w < count; w++) {
    for (let ky = 0; ky < kernelHeight; ky++) {
      const iy = oy * strideY - padTop + ky * dilationY;
      for (let kx = 0; kx < kernelWidth; kx++, patches += run) {
        const ix = ox * strideX - padLeft + kx * dilationX;
        if (iy < 0 || iy >= height || ix < 0 || ix >= width) continue;
        const to = dx + 4 * (<usize>((image * height + iy) * width + ix) * channels + group * share);
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
    if (++oy < outHeight) continue;
    oy = 0;
    image++;
  }
}

// @ts-ignore: decorator
@inline
function copy(to: usize, from: usize, n: i32): void {
  let i = 0;
  for (; i + 4 <= n; i += 4) v128.store(to + 4 * <usize>i, v128.load(from + 4 * <usize>i));
  for (; i < n; i++) store<f32>(to + 4 * <usize>i, load<f32>(from + 4 * <usize>i));
}
