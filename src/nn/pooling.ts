import {
  avgPool2d as average,
  flatten as flat,
  globalAvgPool2d as globalAverage,
  maxPool2d as maximum,
  type Pair,
  type Pool2dOptions,
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

/** Each channel's mean over the image: [batch, height, width, channels] → [batch, channels]. */
export const globalAvgPool2d = (): Layer => globalAverage;

/** One row of numbers per example: [batch, …] → [batch, rest]. */
export const flatten = (): Layer => flat;
