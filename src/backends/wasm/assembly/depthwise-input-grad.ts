// The gradient of a depthwise convolution's input.
//
// - Stride 1: a convolution of dy with the kernel rotated by 180 degrees (depthwise.ts). Shared work memory: the
//   rotated kernel.
// - Otherwise: every product dy·tap is added to the pixel that its tap read. Vectors: four channels. Parts: images, at
//   most 64 parts, because windows of one image may overlap. Accuracy: if more than 48 windows share a pixel, the
//   gradient of an image is summed in float64 (doubles.ts). Work memory of a thread: these sums, 8 bytes for each
//   number of an image; otherwise none.

import { addWindow, args, enterRow, firstLine, firstTaps, imageParts, lines, planRows, TO_PIXELS } from "./depthwise-rows";
import { convolveTurned } from "./depthwise";
import { addPair, hasManyWindows, imageNumbers, imageTotals, roundImage, widenImage } from "./doubles";
import { read } from "./pairs";
import {
  batch, channels, dilationX, dilationY, endTap, firstTap, kernelHeight, kernelWidth, outHeight, outWidth, padLeft, strideX, strideY,
  width,
} from "./sizes";
import { cut, reserveShared, runWith } from "./threads";

/** dx (+)= the gradient of the input for dy. */
export function depthwiseConv2dInputGrad(_n: i32, dy: usize, kernel: usize, dx: usize, accumulate: bool): void {
  planRows(false);
  if (strideY == 1 && strideX == 1) {
    const pixel: usize = 4 * <usize>channels;
    const taps = kernelHeight * kernelWidth, shared = reserveShared(4 * <f64>kernelHeight * <f64>kernelWidth * <f64>channels);
    for (let tap = 0; tap < taps; tap++) memory.copy(shared + <usize>tap * pixel, kernel + <usize>(taps - 1 - tap) * pixel, pixel);
    return convolveTurned(dy, shared, dx, accumulate);
  }
  args.x = dy;
  args.kernel = kernel;
  args.y = dx;
  args.accumulate = accumulate;
  runWith(scatterPart, imageParts, hasManyWindows() ? imageTotals() : 0);
}

/** dx of some images at any stride: adds every product to the pixel that its tap read. */
function scatterPart(part: i32, parts: i32, work: usize): void {
  planRows(false);
  const pixel: usize = 4 * <usize>channels, numbers = <usize>imageNumbers();
  const many = hasManyWindows(), accumulate = args.accumulate;
  const end = cut(batch, part + 1, parts, 1);
  for (let b = cut(batch, part, parts, 1); b < end; b++) {
    const dx = args.y + 4 * <usize>b * numbers;
    if (many) widenImage(dx, numbers, work, accumulate);
    else if (!accumulate) memory.fill(dx, 0, 4 * numbers);
    let dy = args.x + <usize>(b * outHeight) * <usize>outWidth * pixel;
    for (let row = b * outHeight; row < (b + 1) * outHeight; row++) {
      enterRow(row, args.y, args.kernel);
      for (let o = 0; o < outWidth; o++, dy += pixel) {
        if (many) addToTotals(o, dy, dx, work);
        else addWindow(o, dy, 0, TO_PIXELS);
      }
    }
    if (many) roundImage(work, numbers, dx);
  }
}

/** Adds the products y·tap of one window of the current row to the totals of its image, which begins at `image`. */
function addToTotals(window: i32, y: usize, image: usize, totals: usize): void {
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
