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

/** The largest number under each window; see the op of the same name. */
export const maxPool2d =
  (size: Pair, options: Pool2dOptions = {}): Layer =>
  (x) =>
    maximum(x, size, options);

/** The mean under each window; see the op of the same name. */
export const avgPool2d =
  (size: Pair, options: Pool2dOptions = {}): Layer =>
  (x) =>
    average(x, size, options);

/** The largest number under each window of a sequence; see the op of the same name. */
export const maxPool1d =
  (size: number, options: Pool1dOptions = {}): Layer =>
  (x) =>
    maximum1d(x, size, options);

/** The mean under each window of a sequence; see the op of the same name. */
export const avgPool1d =
  (size: number, options: Pool1dOptions = {}): Layer =>
  (x) =>
    average1d(x, size, options);

/** Images of another height and width, such as those that a decoder makes larger; see the op of the same name. */
export const resize =
  (size: readonly [number, number], options: ResizeOptions = {}): Layer =>
  (x) =>
    resized(x, size, options);

/** Each channel's mean over the image: [batch, height, width, channels] → [batch, channels]. */
export const globalAvgPool2d = (): Layer => globalAverage;

/** One row of numbers per example: [batch, …] → [batch, rest]. */
export const flatten = (): Layer => flat;
