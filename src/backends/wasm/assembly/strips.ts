// Images in strips of whole rows of windows; where windows reach beyond the image, the strip is copied into a frame of zeros first, so that
// no loop over windows need know of edges.

import {
  batch, channels, dilationX, dilationY, height, kernelHeight, kernelWidth, outHeight, outWidth, padLeft, padTop, strideX, strideY, width,
} from "./sizes";

/** Numbers that a strip, or a block of patches, may hold; but one row of windows, or of tiles of them, whatever its size. */
export const BLOCK: i32 = 1 << 15;

/** Rows of windows in a strip, and strips in all. */
export let stripRows: i32, strips: i32;
let framed: bool, frame: f64, stripWidth: i32, tileSide: i32, stripsInImage: i32;

/** So many windows in whole tiles. */
// @ts-ignore: decorator
@inline
function whole(windows: i32): i32 {
  return (windows + tileSide - 1) / tileSide * tileSide;
}

/**
 * How images, whose sizes were read, are cut into strips of at most `windows` windows. Windows come in tiles of `side` × `side`; there are
 * zeros under those of a tile that are beyond the last.
 */
export function planStrips(windows: i32, side: i32): void {
  tileSide = side;
  const reachY = <i64>(kernelHeight - 1) * dilationY + 1;
  const across = (<i64>whole(outWidth) - 1) * strideX + <i64>(kernelWidth - 1) * dilationX + 1;
  const bottom = (<i64>whole(outHeight) - 1) * strideY + reachY - padTop;
  framed = padTop != 0 || padLeft != 0 || bottom > height || across > width;
  const line = (framed ? across : <i64>width) * channels;
  const fitting = (BLOCK / max<i64>(1, line) - reachY) / strideY + 1;
  stripRows = max(side, <i32>min<i64>(whole(outHeight), min<i64>(fitting, windows / max(1, outWidth)) / side * side));
  stripsInImage = (outHeight + stripRows - 1) / stripRows;
  strips = <i32>min<i64>(i32.MAX_VALUE, <i64>batch * stripsInImage);
  stripWidth = <i32>across; // if a frame fits into memory, so does its width into 32 bits
  frame = framed ? <f64>((<i64>stripRows - 1) * strideY + reachY) * <f64>across * <f64>channels : 0;
}

/** Numbers of a frame. */
export function frameNumbers(): f64 {
  return frame;
}

/** Of the strip that is on: how many rows of windows there are, and how many bytes its rows of pixels are apart. */
export let rowsHere: i32, pitch: usize;
let firstRow: i32;

/** Where the pixels under the windows of a strip begin. */
export function strip(index: i32, x: usize, frameAt: usize): usize {
  const image = index / stripsInImage;
  firstRow = (index % stripsInImage) * stripRows;
  rowsHere = min(stripRows, outHeight - firstRow);
  const pixel: usize = 4 * <usize>channels;
  const line: usize = <usize>width * pixel;
  const from = x + <usize>image * <usize>height * line;
  const top = firstRow * strideY - padTop;
  if (!framed) {
    pitch = line;
    return from + <usize>top * line;
  }
  pitch = <usize>stripWidth * pixel;
  const before = max(0, padLeft);
  const first = max(0, -padLeft); // padding may be negative: the first window begins inside
  const inside = max(0, min(stripWidth - before, width - first));
  const end = top + (whole(rowsHere) - 1) * strideY + (kernelHeight - 1) * dilationY + 1;
  let to = frameAt;
  for (let y = top; y < end; y++, to += pitch) {
    if (y < 0 || y >= height) {
      memory.fill(to, 0, pitch);
      continue;
    }
    const left: usize = <usize>min(before, stripWidth) * pixel;
    const middle: usize = <usize>inside * pixel;
    memory.fill(to, 0, left);
    memory.copy(to + left, from + <usize>y * line + <usize>first * pixel, middle);
    memory.fill(to + left + middle, 0, pitch - left - middle);
  }
  return frameAt;
}

/** Where the first row of windows of a strip lies in the output, in pixels. */
export function firstWindow(index: i32): i32 {
  return ((index / stripsInImage) * outHeight + firstRow) * outWidth;
}
