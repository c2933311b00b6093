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

/**
 * Returns a layer of the op `maxPool2d`: the maximum of each window.
 * @param size - the side of the window, or [height, width]
 * @example
 * console.log(maxPool2d(2)(ones([1, 8, 8, 3])).shape); //=> [ 1, 4, 4, 3 ]
 */
export const maxPool2d =
  (size: Pair, options: Pool2dOptions = {}): Layer =>
  (x) =>
    maximum(x, size, options);

/**
 * Returns a layer of the op `avgPool2d`: the mean of each window.
 * @param size - the side of the window, or [height, width]
 * @example
 * console.log(avgPool2d(2)(ones([1, 8, 8, 3])).shape); //=> [ 1, 4, 4, 3 ]
 */
export const avgPool2d =
  (size: Pair, options: Pool2dOptions = {}): Layer =>
  (x) =>
    average(x, size, options);

/**
 * Returns a layer of the op `maxPool1d`: the maximum of each window of a sequence.
 * @param size - the length of the window
 * @example
 * console.log(maxPool1d(2)(ones([1, 8, 3])).shape); //=> [ 1, 4, 3 ]
 */
export const maxPool1d =
  (size: number, options: Pool1dOptions = {}): Layer =>
  (x) =>
    maximum1d(x, size, options);

/**
 * Returns a layer of the op `avgPool1d`: the mean of each window of a sequence.
 * @param size - the length of the window
 * @example
 * console.log(avgPool1d(2)(ones([1, 8, 3])).shape); //=> [ 1, 4, 3 ]
 */
export const avgPool1d =
  (size: number, options: Pool1dOptions = {}): Layer =>
  (x) =>
    average1d(x, size, options);

/**
 * Returns a layer of the op `resize`: images of another height and width.
 * @param size - [height, width] of the result
 * @example
 * console.log(resize([16, 16])(ones([1, 8, 8, 3])).shape); //=> [ 1, 16, 16, 3 ]
 */
export const resize =
  (size: readonly [number, number], options: ResizeOptions = {}): Layer =>
  (x) =>
    resized(x, size, options);

/**
 * Returns a layer that computes the mean of each channel: [batch, height, width, channels] → [batch, channels].
 * @example
 * console.log(globalAvgPool2d()(ones([1, 8, 8, 3])).shape); //=> [ 1, 3 ]
 */
export const globalAvgPool2d = (): Layer => globalAverage;

/**
 * Returns a layer that reshapes each example to one row: [batch, …] → [batch, rest].
 * @example
 * console.log(flatten()(ones([2, 8, 8, 3])).shape); //=> [ 2, 192 ]
 */
export const flatten = (): Layer => flat;
