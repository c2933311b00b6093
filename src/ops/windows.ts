import type { Windows } from "../kernels/index.ts";
import { type Shape, ShapeError, show } from "../tensor/index.ts";

/**
 * What lies outside the image. "valid": nothing, windows stay inside. "same": zeros, so that the output has ⌈n/stride⌉ rows; the odd one
 * goes after (TensorFlow). Or exactly: `[[top, bottom], [left, right]]`.
 */
export type Padding = "same" | "valid" | readonly [readonly [number, number], readonly [number, number]];

/** One number for both directions, or [down, across]. */
export type Pair = number | readonly [number, number];

export const pairOf = (pair: Pair): readonly [number, number] => (typeof pair === "number" ? [pair, pair] : pair);

/** How a window moves over one axis of n pixels. */
function axisWindows(
  who: string,
  x: Shape,
  n: number,
  k: number,
  stride: number,
  dilation: number,
  padding: "same" | "valid" | readonly [number, number],
): { out: number; before: number } {
  if (
    !(Number.isInteger(k) && k >= 1 && Number.isInteger(stride) && stride >= 1 && Number.isInteger(dilation) && dilation >= 1)
  ) {
    throw new ShapeError(who, `window ${k}, stride ${stride}, dilation ${dilation}: whole numbers of at least 1`);
  }
  const span = (k - 1) * dilation + 1;
  if (padding === "same") {
    const out = Math.ceil(n / stride);
    const total = Math.max((out - 1) * stride + span - n, 0);
    return { out, before: Math.floor(total / 2) };
  }
  const [before, after] = padding === "valid" ? [0, 0] : padding;
  if (!(Number.isInteger(before) && Number.isInteger(after) && before >= 0 && after >= 0)) {
    throw new ShapeError(who, `padding [${before}, ${after}]: whole numbers of at least 0`);
  }
  const room = n + before + after - span;
  if (room < 0) {
    throw new ShapeError(
      who,
      `x ${show(x)}: a window of ${span} does not fit into ${n} pixels with padding [${before}, ${after}]; use "same"`,
    );
  }
  return { out: Math.floor(room / stride) + 1, before };
}

/** The windows of a kernel over images x [batch, height, width, channels]. */
export function windowsOf(who: string, x: Shape, kernel: Pair, strides: Pair, dilations: Pair, padding: Padding): Windows {
  if (x.length !== 4) throw new ShapeError(who, `x ${show(x)}: need images [batch, height, width, channels]`);
  if (padding !== "same" && padding !== "valid" && !(Array.isArray(padding) && padding.length === 2)) {
    throw new ShapeError(who, `padding ${JSON.stringify(padding)}: "same", "valid" or [[top, bottom], [left, right]]`);
  }
  const [batch, height, width, channels] = x as readonly [number, number, number, number];
  const [kernelHeight, kernelWidth] = pairOf(kernel);
  const [strideY, strideX] = pairOf(strides);
  const [dilationY, dilationX] = pairOf(dilations);
  const [paddingY, paddingX] = typeof padding === "string" ? [padding, padding] : padding;
  const y = axisWindows(who, x, height, kernelHeight, strideY, dilationY, paddingY);
  const across = axisWindows(who, x, width, kernelWidth, strideX, dilationX, paddingX);
  return {
    batch,
    height,
    width,
    channels,
    outHeight: y.out,
    outWidth: across.out,
    kernelHeight,
    kernelWidth,
    strideY,
    strideX,
    dilationY,
    dilationX,
    padTop: y.before,
    padLeft: across.before,
  };
}
