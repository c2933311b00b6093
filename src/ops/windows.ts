import type { Windows } from "../kernels/index.ts";
import { describe, readPair, type Shape, ShapeError, show } from "../tensor/index.ts";

/**
 * What lies outside the image. "valid": nothing, windows stay inside. "same": zeros, so that the output has ⌈n/stride⌉ rows; the odd one
 * goes after (TensorFlow). Or exactly: `[[top, bottom], [left, right]]`.
 */
export type Padding = "same" | "valid" | readonly [readonly [number, number], readonly [number, number]];

/** One number for both directions, or [down, across]. */
export type Pair = number | readonly [number, number];

/** Kernels compute positions in signed 32-bit integers. */
const MOST_EXTENT = 2 ** 31 - 1;

const isCount = (n: unknown, least: number): boolean =>
  typeof n === "number" && Number.isInteger(n) && n >= least && n <= MOST_EXTENT;

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
  if (!(isCount(k, 1) && isCount(stride, 1) && isCount(dilation, 1))) {
    const given = `window ${describe(k)}, stride ${describe(stride)}, dilation ${describe(dilation)}`;
    throw new ShapeError(who, `${given}: need whole numbers of at least 1 and below 2^31`);
  }
  const span = (k - 1) * dilation + 1;
  if (padding === "same") {
    const out = Math.ceil(n / stride);
    checkExtent(who, Math.max(n, (out - 1) * stride + span) + stride);
    const total = Math.max((out - 1) * stride + span - n, 0);
    return { out, before: Math.floor(total / 2) };
  }
  const [before, after] = padding === "valid" ? [0, 0] : padding;
  if (!(isCount(before, 0) && isCount(after, 0))) {
    throw new ShapeError(
      who,
      `padding [${describe(before)}, ${describe(after)}]: need whole numbers of at least 0 and below 2^31`,
    );
  }
  checkExtent(who, Math.max(n + before + after, span) + stride);
  const room = n + before + after - span;
  if (room < 0) {
    throw new ShapeError(
      who,
      `x ${show(x)}: a window of ${span} does not fit into ${n} pixels with padding [${before}, ${after}]; use "same"`,
    );
  }
  return { out: Math.floor(room / stride) + 1, before };
}

/** Throws unless every position of a window, one stride past the end included, is a signed 32-bit integer. */
function checkExtent(who: string, extent: number): void {
  if (extent > MOST_EXTENT)
    throw new ShapeError(who, `windows over ${extent} pixels, padding and stride included, are too large: need less than 2^31`);
}

/** The windows of a kernel over images x [batch, height, width, channels]. */
export function windowsOf(who: string, x: Shape, kernel: Pair, strides: Pair, dilations: Pair, padding: Padding): Windows {
  if (x.length !== 4) throw new ShapeError(who, `x ${show(x)}: need images [batch, height, width, channels]`);
  const isPair = (sides: unknown): boolean => Array.isArray(sides) && sides.length === 2;
  if (padding !== "same" && padding !== "valid" && !(Array.isArray(padding) && isPair(padding) && padding.every(isPair))) {
    const given = Array.isArray(padding) ? `[${Array.from(padding, describe).join(", ")}]` : describe(padding);
    throw new ShapeError(who, `padding ${given}: "same", "valid" or [[top, bottom], [left, right]]`);
  }
  const [batch, height, width, channels] = x as readonly [number, number, number, number];
  const [kernelHeight, kernelWidth] = readPair(who, "window", kernel);
  const [strideY, strideX] = readPair(who, "strides", strides);
  const [dilationY, dilationX] = readPair(who, "dilations", dilations);
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
