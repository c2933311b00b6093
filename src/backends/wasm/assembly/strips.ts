// Strips: an image is cut into strips. A strip is a range of rows of windows, small enough that its pixels stay in a
// cache. If windows reach beyond the image, the pixels are first copied into a frame, with zeros around them. Loops
// over windows need not check borders:
//
//     image             frame of strip 0    frame of strip 1
//     a a a a           0 0 0 0 0 0         0 b b b b 0
//     b b b b           0 a a a a 0         0 c c c c 0
//     c c c c           0 b b b b 0         0 d d d d 0
//     d d d d           0 c c c c 0         0 0 0 0 0 0     (3 × 3 windows, padding 1, two rows of windows in a strip)
//
// If no window reaches beyond the image, strips are read in the image, without a copy. Each thread holds one frame at a
// time. A frame has at most BLOCK numbers, or the numbers under one row of windows (of tiles, with Winograd's
// algorithm) if these are more.

import {
  batch, channels, dilationX, dilationY, height, kernelHeight, kernelWidth, outHeight, outWidth, padLeft, padTop, strideX, strideY,
  width,
} from "./sizes";

/** Numbers that a strip, or a block of patches, may hold: 128 kB. */
export const BLOCK: i32 = 1 << 15;

// The plan of the strips. `planStrips` fills it, at the start of a kernel and at the start of each of its parts,
// because each worker thread has its own globals.

/** Rows of windows in a strip, strips of one image and of the whole batch. */
export let stripRows: i32, stripsInImage: i32, strips: i32;
/** Numbers of a frame; 0 if no frame is used. */
export let frameNumbers: f64;
/**
 * framed: strips are copied into frames. stripWidth: pixels in a row of a frame. tileSide: rows and columns of a tile
 * of windows (2 for Winograd's algorithm, otherwise 1).
 */
let framed: bool, stripWidth: i32, tileSide: i32;

// The current strip. `enterStrip` fills it.

/** Rows of windows in the current strip, and bytes from one row of its pixels to the next row. */
export let rowsHere: i32, pitch: usize;
/** The first row of windows of the current strip, counted from the top of the image. */
let firstRow: i32;

/** `windows`, rounded up to whole tiles. */
// @ts-ignore: decorator
@inline
function whole(windows: i32): i32 {
  return (windows + tileSide - 1) / tileSide * tileSide;
}

/**
 * Plans strips of at most `windows` windows. Call `readSizes` first. Windows are computed in tiles of `side` × `side`.
 * A tile that extends past the last window reads zeros.
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
  stripWidth = <i32>across; // a frame that fits into memory has a width of at most 32 bits
  frameNumbers = framed ? <f64>((<i64>stripRows - 1) * strideY + reachY) * <f64>across * <f64>channels : 0;
}

/**
 * Makes strip `index` of x the current strip. Returns the address of its first pixel, in x or in the frame at
 * `frameAt`.
 */
export function enterStrip(index: i32, x: usize, frameAt: usize): usize {
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
  const first = max(0, -padLeft); // padding may be negative: then the first window begins inside the image
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

/** The number of the current strip's first window, counted over the batch. `index`: the number of the current strip. */
export function firstWindow(index: i32): i32 {
  return ((index / stripsInImage) * outHeight + firstRow) * outWidth;
}
