// The geometry of windows over images, as kernels/windows.ts describes it: 14 numbers (i32) in the order of `Windows`, then, for
// convolutions, outputs and groups.

const SIZES: usize = 1024;

export let batch: i32, height: i32, width: i32, channels: i32, outHeight: i32, outWidth: i32;
export let kernelHeight: i32, kernelWidth: i32, strideY: i32, strideX: i32, dilationY: i32, dilationX: i32;
export let padTop: i32, padLeft: i32, outputs: i32, groups: i32;

/** Where the sizes are written. */
export function sizesAt(): usize {
  return SIZES;
}

export function readSizes(): void {
  batch = load<i32>(SIZES);
  height = load<i32>(SIZES, 4);
  width = load<i32>(SIZES, 8);
  channels = load<i32>(SIZES, 12);
  outHeight = load<i32>(SIZES, 16);
  outWidth = load<i32>(SIZES, 20);
  kernelHeight = load<i32>(SIZES, 24);
  kernelWidth = load<i32>(SIZES, 28);
  strideY = load<i32>(SIZES, 32);
  strideX = load<i32>(SIZES, 36);
  dilationY = load<i32>(SIZES, 40);
  dilationX = load<i32>(SIZES, 44);
  padTop = load<i32>(SIZES, 48);
  padLeft = load<i32>(SIZES, 52);
  outputs = load<i32>(SIZES, 56);
  groups = load<i32>(SIZES, 60);
}

/**
 * Reads the sizes of the convolution that leads from dy back to x at stride 1: the same with the two images exchanged. A depthwise
 * convolution writes its channels as outputs, too.
 */
export function readTurnedSizes(): void {
  readSizes();
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
}

/** The first tap of a window that begins at `start` which is not before the image. */
// @ts-ignore: decorator
@inline
export function firstTap(start: i32, dilation: i32): i32 {
  return start < 0 ? (dilation - 1 - start) / dilation : 0;
}

/** The end of the taps that are inside an image of length n. */
// @ts-ignore: decorator
@inline
export function endTap(start: i32, dilation: i32, taps: i32, n: i32): i32 {
  return n > start ? min(taps, (n - 1 - start) / dilation + 1) : 0;
}
