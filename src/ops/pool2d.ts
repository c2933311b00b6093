import { kernels } from "../backends/index.ts";
import { alloc, type Windows } from "../kernels/index.ts";
import { checkSize, readOptions, readPair, readTensor, ShapeError, type Tensor } from "../tensor/index.ts";
import type { OpAttributes } from "./graph.ts";
import { record } from "./record.ts";
import { mean } from "./reduce.ts";
import { checkFilled, exactPadding, type Padding, type Pair, windowsOf } from "./windows.ts";

/** Options of `maxPool2d` and `avgPool2d`. */
export type Pool2dOptions = {
  /** The step of the window (default: its size). */
  readonly strides?: Pair;
  /** The padding (default "valid"). */
  readonly padding?: Padding;
};

function poolWindows(
  who: string,
  x: Tensor,
  window: Pair,
  options: Pool2dOptions | undefined,
): { w: Windows; attributes: OpAttributes["maxPool2d"] } {
  readTensor(who, "x", x);
  const size = readPair(who, "window", window);
  const { strides: stride = size, padding: given = "valid" } = readOptions(who, options, ["strides", "padding"]);
  const strides = readPair(who, "strides", stride);
  const padding = exactPadding(who, given);
  const w = windowsOf(who, x.shape, size, strides, 1, padding);
  checkSize(who, outShape(w));
  checkFilled(who, given, w.height, w.kernelHeight, w.outHeight, w.strideY, w.padTop);
  checkFilled(who, given, w.width, w.kernelWidth, w.outWidth, w.strideX, w.padLeft);
  return { w, attributes: { size, strides, padding } };
}

const outShape = (w: Windows): number[] => [w.batch, w.outHeight, w.outWidth, w.channels];

/**
 * Returns the maximum of each window per channel: x [batch, height, width, channels] → [batch, outHeight, outWidth,
 * channels]. Padding is never the maximum. A window with NaN returns NaN. At a tie the first pixel in row-major order
 * gets the gradient.
 * @param x - [batch, height, width, channels]
 * @param size - the side of the window, or [height, width]
 * @example
 * console.log(maxPool2d(reshape(range(0, 16), [1, 4, 4, 1]), 2)); //=> Tensor [1, 2, 2, 1] 5 7 13 15
 */
export function maxPool2d(x: Tensor, size: Pair, options?: Pool2dOptions): Tensor {
  const { w, attributes } = poolWindows("maxPool2d", x, size, options);
  const shape = outShape(w);
  const y = alloc(shape.reduce((a, b) => a * b));
  kernels.maxPool(w, x.data, y);
  return record("maxPool2d", attributes, [x], shape, y, (dy, into) =>
    into(x, (dx, accumulate) => kernels.maxPoolGrad(w, x.data, y, dy, dx, accumulate)),
  );
}

/**
 * Returns the mean of each window per channel; padding is not counted: x [batch, height, width, channels] → [batch,
 * outHeight, outWidth, channels].
 * @param x - [batch, height, width, channels]
 * @param size - the side of the window, or [height, width]
 * @example
 * console.log(avgPool2d(reshape(range(0, 16), [1, 4, 4, 1]), 2)); //=> Tensor [1, 2, 2, 1] 2.5 4.5 10.5 12.5
 */
export function avgPool2d(x: Tensor, size: Pair, options?: Pool2dOptions): Tensor {
  const { w, attributes } = poolWindows("avgPool2d", x, size, options);
  const shape = outShape(w);
  const y = alloc(shape.reduce((a, b) => a * b));
  kernels.avgPool(w, x.data, y);
  return record("avgPool2d", attributes, [x], shape, y, (dy, into) =>
    into(x, (dx, accumulate) => kernels.avgPoolGrad(w, dy, dx, accumulate)),
  );
}

/**
 * Returns the mean of each channel over the whole image: x [batch, height, width, channels] → [batch, channels].
 * @param x - [batch, height, width, channels]
 * @example
 * console.log(globalAvgPool2d(ones([2, 4, 4, 3])).shape); //=> [ 2, 3 ]
 */
export function globalAvgPool2d(x: Tensor): Tensor {
  readTensor("globalAvgPool2d", "x", x);
  if (x.shape.length !== 4)
    throw new ShapeError("globalAvgPool2d", `x [${x.shape.join(", ")}]: need images [batch, height, width, channels]`);
  return mean(x, [1, 2]);
}
