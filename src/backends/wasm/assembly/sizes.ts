// The sizes of windows over images (kernels/windows.ts). The caller writes 16 numbers (i32) at `sizesAt()`: the 14
// numbers of `Windows` in their order, then outputs and groups. `readSizes` and `readTurnedSizes` copy them to the
// globals below; no other function writes to these. Every kernel and every part reads the sizes when it starts, because
// each worker thread has its own globals.

const SIZES: usize = 1024;

export let batch: i32, height: i32, width: i32, channels: i32, outHeight: i32, outWidth: i32;
export let kernelHeight: i32, kernelWidth: i32, strideY: i32, strideX: i32, dilationY: i32, dilationX: i32;
export let padTop: i32, padLeft: i32, outputs: i32, groups: i32;

/** The address at which the caller writes the sizes. */
export function sizesAt(): usize {
  return SIZES;
}

/** Reads the sizes. */
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
 * Reads the sizes of the turned convolution, which computes the gradient of the input at stride 1: input and output
 * change places. For a depthwise convolution the caller also writes its channels as outputs.
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

/** The first tap inside the image, of a window that begins at `start`. */
// @ts-ignore: decorator
@inline
export function firstTap(start: i32, dilation: i32): i32 {
  return start < 0 ? (dilation - 1 - start) / dilation : 0;
}

/** One past the last tap inside an image of length n. */
// @ts-ignore: decorator
@inline
export function endTap(start: i32, dilation: i32, taps: i32, n: i32): i32 {
  return n > start ? min(taps, (n - 1 - start) / dilation + 1) : 0;
}
