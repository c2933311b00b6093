import { checkSize, describe, readOptions, readTensor, ShapeError, show, type Tensor } from "../tensor/index.ts";
import { checkBias } from "./bias.ts";
import { conv2d } from "./conv2d.ts";
import { reshape } from "./movement.ts";
import { axisWindows, type Padding1d, readPadding1d } from "./windows.ts";

/** Options of the op `conv1d`. */
export type Conv1dOptions = {
  /** The step of the window (default 1). */
  readonly strides?: number;
  /** The distance between the positions that a window reads (default 1). */
  readonly dilations?: number;
  /** The padding (default "valid"). */
  readonly padding?: Padding1d;
  /** The number of groups of channels (default 1). */
  readonly groups?: number;
  /** A bias [outputs] that is added at every position (default none). */
  readonly bias?: Tensor;
};

/**
 * Convolution of sequences: x [batch, length, channels], kernel [kernelLength, channels/groups, outputs] → [batch,
 * outLength, outputs]. Calls `conv2d` on images of one row.
 * @param x - [batch, length, channels]
 * @param kernel - [kernelLength, channels/groups, outputs]
 * @throws ShapeError if the shapes do not fit.
 * @example
 * console.log(conv1d(ones([1, 5, 1]), ones([3, 1, 1]), { padding: "same" })); //=> Tensor [1, 5, 1] 2 3 3 3 2
 */
export function conv1d(x: Tensor, kernel: Tensor, options?: Conv1dOptions): Tensor {
  readTensor("conv1d", "x", x);
  readTensor("conv1d", "kernel", kernel);
  const {
    strides = 1,
    dilations = 1,
    padding = "valid",
    groups = 1,
    bias,
  } = readOptions("conv1d", options, ["strides", "dilations", "padding", "groups", "bias"]);
  const [batch = 0, length = 0, channels = 0] = x.shape;
  const [taps = 0, share = 0, outputs = 0] = kernel.shape;
  if (
    x.shape.length !== 3 ||
    kernel.shape.length !== 3 ||
    !(Number.isInteger(groups) && groups >= 1) ||
    share * groups !== channels ||
    outputs % groups !== 0
  ) {
    throw new ShapeError(
      "conv1d",
      `x ${show(x.shape)}, kernel ${show(kernel.shape)}, groups ${describe(groups)}: need [batch, length, channels] and [kernelLength, channels/groups, outputs], outputs a multiple of groups`,
    );
  }
  checkBias("conv1d", bias, outputs);
  const sides = readPadding1d("conv1d", padding);
  const { out } = axisWindows("conv1d", x.shape, length, taps, strides, dilations, sides);
  checkSize("conv1d", [batch, out, outputs]);
  const y = conv2d(reshape(x, [batch, 1, length, channels]), reshape(kernel, [1, taps, share, outputs]), {
    strides: [1, strides],
    dilations: [1, dilations],
    padding: typeof sides === "string" ? sides : [[0, 0], sides],
    groups,
    ...(bias === undefined ? {} : { bias }),
  });
  return reshape(y, [batch, out, outputs]);
}
