// The taps of a pooling window that are inside the image: `lines` lines of `taps` taps, the first at `corner`.
//
//     corner ─ across ─ tap ─ …
//       │
//      down
//
// `enterRow` and `enterWindow` fill the globals below; no other function writes to them.

import {
  channels, dilationX, dilationY, endTap, firstTap, height, kernelHeight, kernelWidth, outHeight, padLeft, padTop, strideX, strideY, width,
} from "./sizes";

/** Counts; 0 if all taps are outside. */
export let lines: i32, taps: i32;
/** Bytes from the first image to the first tap, from line to line, and from tap to tap. */
export let corner: usize, down: usize, across: usize;
/** The first line of the current row of windows, counted from the first image on. */
let firstLine: i32;

/** Makes `row` of the batch's rows of windows the current row. */
export function enterRow(row: i32): void {
  const top = (row % outHeight) * strideY - padTop, first = firstTap(top, dilationY);
  lines = max(0, endTap(top, dilationY, kernelHeight, height) - first);
  firstLine = (row / outHeight) * height + top + first * dilationY;
  across = 4 * <usize>dilationX * <usize>channels;
  down = 4 * <usize>dilationY * <usize>width * <usize>channels;
}

/** Makes window `ox` of the current row the current window. */
// @ts-ignore: decorator
@inline
export function enterWindow(ox: i32): void {
  const left = ox * strideX - padLeft, first = firstTap(left, dilationX);
  taps = max(0, endTap(left, dilationX, kernelWidth, width) - first);
  corner = 4 * (<usize>firstLine * <usize>width + <usize>(left + first * dilationX)) * <usize>channels;
}
