import type { Windows } from "../kernels/index.ts";
import { describe, readPair, type Shape, ShapeError, show } from "../tensor/index.ts";

/**
 * The padding of images with zeros.
 * - "valid": none.
 * - "same": total padding for ⌈n/stride⌉ output rows; an odd pixel goes after (TensorFlow).
 * - A number: this many pixels on every side (PyTorch).
 * - Exact numbers: `[[top, bottom], [left, right]]`.
 */
export type Padding = number | "same" | "valid" | readonly [readonly [number, number], readonly [number, number]];

/** The padding of sequences: as `Padding`, or exactly `[before, after]`. */
export type Padding1d = number | "same" | "valid" | readonly [number, number];

/** The padding of one axis. */
export type Sides = "same" | "valid" | readonly [number, number];

/** One number for both directions, or [down, across]. */
export type Pair = number | readonly [number, number];

/** Kernels compute positions in signed 32-bit integers. */
const MOST_EXTENT = 2 ** 31 - 1;

const isCount = (n: unknown, least: number): boolean =>
  typeof n === "number" && Number.isInteger(n) && n >= least && n <= MOST_EXTENT;

/** How a window moves over one axis of n pixels. */
export function axisWindows(
  who: string,
  x: Shape,
  n: number,
  k: number,
  stride: number,
  dilation: number,
  padding: Sides,
): { out: number; before: number } {
  const span = spanOf(who, k, stride, dilation);
  if (padding === "same") {
    const out = Math.ceil(n / stride);
    checkExtent(who, Math.max(n, (out - 1) * stride + span) + stride);
    const total = Math.max((out - 1) * stride + span - n, 0);
    return { out, before: Math.floor(total / 2) };
  }
  const [before, after] = padding === "valid" ? [0, 0] : readSides(who, padding);
  checkExtent(who, Math.max(n + before + after, span) + stride);
  const rest = n + before + after - span;
  if (rest < 0) {
    throw new ShapeError(
      who,
      `x ${show(x)}: a window of ${span} does not fit into ${n} pixels with padding [${before}, ${after}]; use "same"`,
    );
  }
  return { out: Math.floor(rest / stride) + 1, before };
}

/** How many pixels a window of k taps reaches over. */
export function spanOf(who: string, k: number, stride: number, dilation: number): number {
  if (!(isCount(k, 1) && isCount(stride, 1) && isCount(dilation, 1))) {
    const given = `window ${describe(k)}, stride ${describe(stride)}, dilation ${describe(dilation)}`;
    throw new ShapeError(who, `${given}: need whole numbers of at least 1 and below 2^31`);
  }
  return (k - 1) * dilation + 1;
}

export function readSides(who: string, [before, after]: readonly [number, number]): readonly [number, number] {
  if (isCount(before, 0) && isCount(after, 0)) return [before, after];
  throw new ShapeError(who, `padding [${describe(before)}, ${describe(after)}]: need whole numbers of at least 0 and below 2^31`);
}

/** Throws unless every position of a window, one stride past the end included, is a signed 32-bit integer. */
export function checkExtent(who: string, extent: number): void {
  if (extent > MOST_EXTENT)
    throw new ShapeError(who, `windows over ${extent} pixels, padding and stride included, are too large: need less than 2^31`);
}

/**
 * Throws unless every window of an axis holds a pixel: the first begins at −before, the last ends at (out − 1)·stride −
 * before + k.
 */
export function checkFilled(
  who: string,
  padding: Padding | Padding1d,
  n: number,
  k: number,
  out: number,
  stride: number,
  before: number,
): void {
  if (out > 0 && (n === 0 || before >= k || (out - 1) * stride - before >= n)) {
    throw new ShapeError(
      who,
      `padding ${JSON.stringify(padding)} leaves windows without a pixel; it must be smaller than the window`,
    );
  }
}

const isPair = (sides: unknown): boolean => Array.isArray(sides) && sides.length === 2;

/** The padding of both axes. */
export function readPadding(who: string, padding: Padding): readonly [Sides, Sides] {
  if (padding === "same" || padding === "valid") return [padding, padding];
  if (typeof padding === "number") return [padding, padding].map((n) => [n, n] as const) as [Sides, Sides];
  if (Array.isArray(padding) && isPair(padding) && Array.from<unknown>(padding).every(isPair)) return padding;
  return refusePadding(who, padding, "[[top, bottom], [left, right]]");
}

/** A padding that does not change with the caller's lists: a word, or the zeros on each side. */
export type ExactPadding = Exclude<Padding, number>;

export function exactPadding(who: string, padding: Padding): ExactPadding {
  if (padding === "same" || padding === "valid") return padding;
  const [[top, bottom], [left, right]] = readPadding(who, padding) as Exclude<ExactPadding, string>;
  return [
    [top, bottom],
    [left, right],
  ];
}

/** The padding of the one axis of a sequence. */
export function readPadding1d(who: string, padding: Padding1d): Sides {
  if (padding === "same" || padding === "valid") return padding;
  if (typeof padding === "number") return [padding, padding];
  return isPair(padding) ? padding : refusePadding(who, padding, "[before, after]");
}

function refusePadding(who: string, padding: unknown, exact: string): never {
  const given = Array.isArray(padding) ? `[${Array.from(padding, describe).join(", ")}]` : describe(padding);
  throw new ShapeError(who, `padding ${given}: need a whole number, "same", "valid" or ${exact}`);
}

/** The windows of a kernel over images x [batch, height, width, channels]. */
export function windowsOf(who: string, x: Shape, kernel: Pair, strides: Pair, dilations: Pair, padding: Padding): Windows {
  if (x.length !== 4) throw new ShapeError(who, `x ${show(x)}: need images [batch, height, width, channels]`);
  const [paddingY, paddingX] = readPadding(who, padding);
  const [batch, height, width, channels] = x as readonly [number, number, number, number];
  const [kernelHeight, kernelWidth] = readPair(who, "window", kernel);
  const [strideY, strideX] = readPair(who, "strides", strides);
  const [dilationY, dilationX] = readPair(who, "dilations", dilations);
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
