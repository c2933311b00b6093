import {
  avgPool2d as average,
  avgPool1d as average1d,
  flatten as flat,
  globalAvgPool2d as globalAverage,
  maxPool2d as maximum,
  maxPool1d as maximum1d,
  type Pair,
  type Pool1dOptions,
  type Pool2dOptions,
  type ResizeOptions,
  resize as resized,
} from "../ops/index.ts";
import type { Layer } from "./layer.ts";

/** A layer of the op `maxPool2d`: the maximum of each window. */
export const maxPool2d =
  (size: Pair, options: Pool2dOptions = {}): Layer =>
  (x) =>
    maximum(x, size, options);

/** A layer of the op `avgPool2d`: the mean of each window. */
export const avgPool2d =
  (size: Pair, options: Pool2dOptions = {}): Layer =>
  (x) =>
    average(x, size, options);

/** A layer of the op `maxPool1d`: the maximum of each window of a sequence. */
export const maxPool1d =
  (size: number, options: Pool1dOptions = {}): Layer =>
  (x) =>
    maximum1d(x, size, options);

/** A layer of the op `avgPool1d`: the mean of each window of a sequence. */
export const avgPool1d =
  (size: number, options: Pool1dOptions = {}): Layer =>
  (x) =>
    average1d(x, size, options);

/** A layer of the op `resize`: images of another height and width. */
export const resize =
  (size: readonly [number, number], options: ResizeOptions = {}): Layer =>
  (x) =>
    resized(x, size, options);

/**
 * A layer of the op `globalAvgPool2d`: [batch, height, width, channels] → the mean of each channel, [batch, channels].
 */
export const globalAvgPool2d = (): Layer => globalAverage;

/** A layer that reshapes each example to one row: [batch, …] → [batch, rest]. */
export const flatten = (): Layer => flat;
