// Average pooling over images [batch, height, width, channels]: means of the taps inside the image.

import {
  batch, channels, dilationX, dilationY, endTap, firstTap, height, kernelHeight, kernelWidth, outHeight, outWidth, padLeft, padTop,
  readSizes, strideX, strideY, width,
} from "./sizes";
import { argument, cut, partsFor, run, setArgument } from "./threads";

/** Numbers worth a part. */
const PART: i32 = 1 << 14;
const MOST_PARTS: i32 = 64;

/** y = the mean under each window. */
export function avgPool(x: usize, y: usize): void {
  readSizes();
  setArgument(0, <i32>x);
  setArgument(1, <i32>y);
  setArgument(2, false);
  const rows = batch * outHeight;
  run(avgPoolPart, max(1, min(rows, partsFor(batch * height * width * channels, PART, MOST_PARTS))), 0, 0);
}

function avgPoolPart(part: i32, parts: i32, _work: usize): void {
  readSizes();
  const end = cut(batch * outHeight, part + 1, parts, 1);
  for (let row = cut(batch * outHeight, part, parts, 1); row < end; row++) poolRow(row, false);
}

/** dx (+)= dy/count at every tap. */
export function avgPoolGrad(dy: usize, dx: usize, accumulate: bool): void {
  readSizes();
  setArgument(0, <i32>dx);
  setArgument(1, <i32>dy);
  setArgument(2, accumulate);
  run(avgPoolGradPart, max(1, min(batch, partsFor(batch * height * width * channels, PART, MOST_PARTS))), 0, 0);
}

function avgPoolGradPart(part: i32, parts: i32, _work: usize): void {
  readSizes();
  const image: usize = 4 * <usize>(height * width * channels);
  const first = cut(batch, part, parts, 1), end = cut(batch, part + 1, parts, 1);
  if (!argument(2)) memory.fill(<usize>argument(0) + image * first, 0, image * (end - first));
  for (let row = first * outHeight; row < end * outHeight; row++) poolRow(row, true);
}

/** One row of windows: gathers x into y, or `back`, scatters dy over dx. Argument 0 is the image, 1 what the windows hold. */
function poolRow(row: i32, back: bool): void {
  const pixel: usize = 4 * <usize>channels, across: usize = <usize>dilationX * pixel;
  const line: usize = <usize>width * pixel, down: usize = <usize>dilationY * line;
  const top = (row % outHeight) * strideY - padTop;
  const ky = firstTap(top, dilationY), lines = endTap(top, dilationY, kernelHeight, height) - ky;
  const image = <usize>argument(0) + <usize>((row / outHeight) * height) * line;
  let y = <usize>argument(1) + <usize>(row * outWidth) * pixel;
  for (let ox = 0; ox < outWidth; ox++, y += pixel) {
    const left = ox * strideX - padLeft;
    const kx = firstTap(left, dilationX), taps = endTap(left, dilationX, kernelWidth, width) - kx;
    const corner = image + <usize>((top + ky * dilationY) * width + left + kx * dilationX) * pixel;
    const count = <f32>(max(0, lines) * max(0, taps)); // none inside: 0/0, as the plain kernel
    for (let c: usize = 0; c < pixel; c += 16) {
      const share = back ? f32x4.div(v128.load(y + c), f32x4.splat(count)) : f32x4.splat(0);
      let sum = f32x4.splat(0), from = corner + c;
      for (let i = 0; i < lines; i++, from += down) {
        let p = from;
        for (let j = 0; j < taps; j++, p += across) {
          if (back) put(p, f32x4.add(v128.load(p), share), pixel - c);
          else sum = f32x4.add(sum, v128.load(p));
        }
      }
      if (!back) put(y + c, f32x4.div(sum, f32x4.splat(count)), pixel - c);
    }
  }
}

/** Stores four numbers, or as many as `left` bytes hold. */
// @ts-ignore: decorator
@inline
function put(p: usize, v: v128, left: usize): void {
  if (left >= 16) return v128.store(p, v);
  v128.store32_lane(p, v, 0);
  if (left >= 8) v128.store32_lane(p, v, 1, 4);
  if (left >= 12) v128.store32_lane(p, v, 2, 8);
}
