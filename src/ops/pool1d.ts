import { checkSize, readOptions, readTensor, ShapeError, show, type Tensor } from "../tensor/index.ts";
import { reshape } from "./movement.ts";
import { avgPool2d, maxPool2d } from "./pool2d.ts";
import { axisWindows, checkFilled, type Padding1d, readPadding1d } from "./windows.ts";

/** Options of `maxPool1d` and `avgPool1d`. */
export type Pool1dOptions = {
  /** The step of the window (default: its size). */
  readonly strides?: number;
  /** The padding (default "valid"). */
  readonly padding?: Padding1d;
};

/** A pool over sequences: the pool over images of one row. */
function pooled(
  who: "maxPool1d" | "avgPool1d",
  pool2d: typeof maxPool2d,
  x: Tensor,
  size: number,
  options?: Pool1dOptions,
): Tensor {
  readTensor(who, "x", x);
  const { strides = size, padding = "valid" } = readOptions(who, options, ["strides", "padding"]);
  const [batch = 0, length = 0, channels = 0] = x.shape;
  if (x.shape.length !== 3) throw new ShapeError(who, `x ${show(x.shape)}: need sequences [batch, length, channels]`);
  const sides = readPadding1d(who, padding);
  const { out, before } = axisWindows(who, x.shape, length, size, strides, 1, sides);
  checkFilled(who, padding, length, size, out, strides, before);
  checkSize(who, [batch, out, channels]);
  const y = pool2d(reshape(x, [batch, 1, length, channels]), [1, size], {
    strides: [1, strides],
    padding: typeof sides === "string" ? sides : [[0, 0], sides],
  });
  return reshape(y, [batch, out, channels]);
}

/**
 * Returns the maximum of each window per channel: x [batch, length, channels] → [batch, outLength, channels]. Padding
 * is never the maximum. A window with NaN returns NaN. At a tie the first position gets the gradient.
 * @param x - [batch, length, channels]
 * @param size - the length of the window
 * @example
 * console.log(maxPool1d(tensor([1, 3, 2, 4], [1, 4, 1]), 2)); //=> Tensor [1, 2, 1] 3 4
 */
export const maxPool1d = (x: Tensor, size: number, options?: Pool1dOptions): Tensor =>
  pooled("maxPool1d", maxPool2d, x, size, options);

/**
 * Returns the mean of each window per channel; padding is not counted: x [batch, length, channels] → [batch, outLength,
 * channels].
 * @param x - [batch, length, channels]
 * @param size - the length of the window
 * @example
 * console.log(avgPool1d(tensor([1, 3, 2, 4], [1, 4, 1]), 2)); //=> Tensor [1, 2, 1] 2 3
 */
export const avgPool1d = (x: Tensor, size: number, options?: Pool1dOptions): Tensor =>
  pooled("avgPool1d", avgPool2d, x, size, options);
