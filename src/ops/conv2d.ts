import { kernels } from "../backends/index.ts";
import { ACTIVATIONS, type Activation, alloc } from "../kernels/index.ts";
import {
  checkSize,
  describe,
  readName,
  readOptions,
  readPair,
  readTensor,
  ShapeError,
  show,
  sizeOf,
  type Tensor,
} from "../tensor/index.ts";
import { checkBias, pushBias } from "./bias.ts";
import { record } from "./record.ts";
import { activated, isWatched } from "./unary.ts";
import { exactPadding, type Padding, type Pair, windowsOf } from "./windows.ts";

const OPTIONS = ["strides", "dilations", "padding", "bias", "activation"] as const;

/** Options of the op `depthwiseConv2d`. */
export type DepthwiseConv2dOptions = {
  /** The step of the window (default 1). */
  readonly strides?: Pair;
  /** The distance between the pixels that a window reads (default 1). */
  readonly dilations?: Pair;
  /** The padding (default "valid"). */
  readonly padding?: Padding;
  /** A bias [outputs] that is added at every pixel (default none). */
  readonly bias?: Tensor;
  /** The op of this name follows (default "none": no op). Without gradients it needs no memory of its own. */
  readonly activation?: Activation;
};

/** Options of the op `conv2d`, which include {@link DepthwiseConv2dOptions}. */
export type Conv2dOptions = DepthwiseConv2dOptions & {
  /** The number of groups of channels (default 1). */
  readonly groups?: number;
};

/**
 * Convolution (cross-correlation): x [batch, height, width, channels], kernel [kernelHeight, kernelWidth,
 * channels/groups, outputs] → [batch, outHeight, outWidth, outputs]. Group g reads block g of the channels and computes
 * block g of the outputs.
 * @param x - [batch, height, width, channels]
 * @param kernel - [kernelHeight, kernelWidth, channels/groups, outputs]
 * @throws ShapeError if the shapes do not fit, or a window does not fit into the image.
 * @example
 * const y = conv2d(ones([1, 8, 8, 3]), ones([3, 3, 3, 16]), { strides: 2, padding: "same" });
 * console.log(y.shape); //=> [ 1, 4, 4, 16 ]
 */
export function conv2d(x: Tensor, kernel: Tensor, options?: Conv2dOptions): Tensor {
  readTensor("conv2d", "x", x);
  readTensor("conv2d", "kernel", kernel);
  const {
    strides: stride = 1,
    dilations: dilation = 1,
    padding: given = "valid",
    groups = 1,
    bias,
    activation = "none",
  } = readOptions("conv2d", options, [...OPTIONS, "groups"]);
  const [strides, dilations] = [readPair("conv2d", "strides", stride), readPair("conv2d", "dilations", dilation)];
  const [kernelHeight = 0, kernelWidth = 0, share = 0, outChannels = 0] = kernel.shape;
  if (
    x.shape.length !== 4 ||
    kernel.shape.length !== 4 ||
    !(Number.isInteger(groups) && groups >= 1) ||
    share * groups !== x.shape[3] ||
    outChannels % groups !== 0
  ) {
    throw new ShapeError(
      "conv2d",
      `x ${show(x.shape)}, kernel ${show(kernel.shape)}, groups ${describe(groups)}: need [batch, height, width, channels] and [kernelHeight, kernelWidth, channels/groups, outputs], outputs a multiple of groups`,
    );
  }
  checkBias("conv2d", bias, outChannels);
  readName("conv2d", "activation", activation, ACTIVATIONS);
  const padding = exactPadding("conv2d", given);
  const windows = windowsOf("conv2d", x.shape, [kernelHeight, kernelWidth], strides, dilations, padding);
  // `windows` last, because { ...windows, groups } makes a new hidden class at each call (Node.js 20).
  const sizes = { outChannels, groups, ...windows };
  const shape = [sizes.batch, sizes.outHeight, sizes.outWidth, outChannels];
  checkSize("conv2d", shape);
  const y = alloc(sizeOf(shape));
  kernels.conv2d(sizes, x.data, kernel.data, bias?.data ?? null, y);
  const inputs = bias === undefined ? [x, kernel] : [x, kernel, bias];
  const made = record("conv2d", { strides, dilations, padding, groups }, inputs, shape, y, (dy, into) => {
    into(x, (dx, accumulate) => kernels.conv2dInputGrad(sizes, dy, kernel.data, dx, accumulate));
    into(kernel, (dkernel, accumulate) => kernels.conv2dKernelGrad(sizes, x.data, dy, dkernel, accumulate));
    pushBias(bias, dy, into);
  });
  return activated(activation, made);
}

/**
 * Convolution of each channel separately: x [batch, height, width, channels], kernel [kernelHeight, kernelWidth,
 * channels, multiplier] → [batch, outHeight, outWidth, channels·multiplier]. Output c·multiplier + m reads channel c.
 * @param x - [batch, height, width, channels]
 * @param kernel - [kernelHeight, kernelWidth, channels, multiplier]
 * @throws ShapeError if the shapes do not fit, or a window does not fit into the image.
 * @example
 * console.log(depthwiseConv2d(ones([1, 8, 8, 3]), ones([3, 3, 3, 2])).shape); //=> [ 1, 6, 6, 6 ]
 */
export function depthwiseConv2d(x: Tensor, kernel: Tensor, options?: DepthwiseConv2dOptions): Tensor {
  readTensor("depthwiseConv2d", "x", x);
  readTensor("depthwiseConv2d", "kernel", kernel);
  const {
    strides: stride = 1,
    dilations: dilation = 1,
    padding: given = "valid",
    bias,
    activation = "none",
  } = readOptions("depthwiseConv2d", options, OPTIONS);
  const strides = readPair("depthwiseConv2d", "strides", stride);
  const dilations = readPair("depthwiseConv2d", "dilations", dilation);
  const [kernelHeight = 0, kernelWidth = 0, channels = 0, multiplier = 0] = kernel.shape;
  if (x.shape.length !== 4 || kernel.shape.length !== 4 || channels !== x.shape[3]) {
    throw new ShapeError(
      "depthwiseConv2d",
      `x ${show(x.shape)}, kernel ${show(kernel.shape)}: need [batch, height, width, channels] and [kernelHeight, kernelWidth, channels, multiplier]`,
    );
  }
  const outputs = channels * multiplier;
  checkBias("depthwiseConv2d", bias, outputs);
  readName("depthwiseConv2d", "activation", activation, ACTIVATIONS);
  const padding = exactPadding("depthwiseConv2d", given);
  const windows = windowsOf("depthwiseConv2d", x.shape, [kernelHeight, kernelWidth], strides, dilations, padding);
  const sizes = { multiplier, ...windows };
  const shape = [sizes.batch, sizes.outHeight, sizes.outWidth, outputs];
  checkSize("depthwiseConv2d", shape);
  const y = alloc(sizeOf(shape));
  const isSeparate = activation !== "none" && isWatched([x, kernel, bias]);
  kernels.depthwiseConv2d(sizes, x.data, kernel.data, bias?.data ?? null, isSeparate ? 0 : ACTIVATIONS.indexOf(activation), y);
  const inputs = bias === undefined ? [x, kernel] : [x, kernel, bias];
  const made = record("depthwiseConv2d", { strides, dilations, padding }, inputs, shape, y, (dy, into) => {
    into(x, (dx, accumulate) => kernels.depthwiseConv2dInputGrad(sizes, dy, kernel.data, dx, accumulate));
    into(kernel, (dkernel, accumulate) => kernels.depthwiseConv2dKernelGrad(sizes, x.data, dy, dkernel, accumulate));
    pushBias(bias, dy, into);
  });
  return isSeparate ? activated(activation, made) : made;
}
