import { kernels } from "../backends/index.ts";
import { alloc } from "../kernels/index.ts";
import {
  checkSize,
  describe,
  readCount,
  readOptions,
  readPair,
  readTensor,
  type Shape,
  ShapeError,
  show,
  sizeOf,
  type Tensor,
} from "../tensor/index.ts";
import { checkBias, pushBias } from "./bias.ts";
import { added, record } from "./record.ts";
import { checkExtent, exactPadding, type Padding, type Pair, readPadding, readSides, type Sides, spanOf } from "./windows.ts";

/** Options of the op `conv2dTranspose`. */
export type Conv2dTransposeOptions = {
  /** The step of the window (default 1). */
  readonly strides?: Pair;
  /** The distance between the pixels that a window reads (default 1). */
  readonly dilations?: Pair;
  /** The padding (default "valid"). */
  readonly padding?: Padding;
  /** Pixels that are added to the output at its end (default 0). */
  readonly outputPadding?: Pair;
  /** The number of groups of channels (default 1). */
  readonly groups?: number;
  /** A bias [outputs] that is added at every pixel (default none). */
  readonly bias?: Tensor;
};

/**
 * Transposed convolution, the gradient of `conv2d` with respect to its image: x [batch, height, width, channels],
 * kernel [kernelHeight, kernelWidth, outputs/groups, channels] → [batch, outHeight, outWidth, outputs].
 *
 * The kernel has the layout of the `conv2d` from `outputs` to `channels`, as in TensorFlow. Each pixel of x adds its
 * multiple of the kernel to the output. Padding is cut off.
 * An axis of n pixels becomes (n − 1)·stride + dilation·(kernel − 1) + 1 − padding before − padding after +
 * outputPadding, as in PyTorch; with "same" n·stride.
 * `outputPadding` is smaller than the stride. It selects one of the image sizes that `conv2d` maps to the same n.
 * @param x - [batch, height, width, channels]
 * @param kernel - [kernelHeight, kernelWidth, outputs/groups, channels]
 * @throws ShapeError if the shapes do not fit, or the output has no pixels.
 * @example
 * const y = conv2dTranspose(ones([1, 4, 4, 8]), ones([2, 2, 3, 8]), { strides: 2 });
 * console.log(y.shape); //=> [ 1, 8, 8, 3 ]
 */
export function conv2dTranspose(x: Tensor, kernel: Tensor, options?: Conv2dTransposeOptions): Tensor {
  const who = "conv2dTranspose";
  readTensor(who, "x", x);
  readTensor(who, "kernel", kernel);
  const {
    strides: stride = 1,
    dilations: dilation = 1,
    padding: given = "valid",
    outputPadding: more = 0,
    groups = 1,
    bias,
  } = readOptions(who, options, ["strides", "dilations", "padding", "outputPadding", "groups", "bias"]);
  const [batch = 0, height = 0, width = 0, channels = 0] = x.shape;
  const [kernelHeight = 0, kernelWidth = 0, share = 0] = kernel.shape;
  checkShapes(who, x.shape, kernel.shape, groups);
  const outputs = share * groups;
  checkBias(who, bias, outputs);
  const strides = readPair(who, "strides", stride);
  const dilations = readPair(who, "dilations", dilation);
  const outputPadding = readPair(who, "outputPadding", more);
  const [[strideY, strideX], [dilationY, dilationX], [moreY, moreX]] = [strides, dilations, outputPadding];
  const padding = exactPadding(who, given);
  const sides = readPadding(who, padding);
  const [outHeight, padTop] = grownAxis(who, x.shape, height, kernelHeight, strideY, dilationY, moreY, sides[0]);
  const [outWidth, padLeft] = grownAxis(who, x.shape, width, kernelWidth, strideX, dilationX, moreX, sides[1]);
  const shape = [batch, outHeight, outWidth, outputs];
  checkSize(who, shape);
  // The convolution that leads back: its image is y, its result has the shape of x.
  const sizes = {
    outChannels: channels,
    groups,
    batch,
    height: outHeight,
    width: outWidth,
    channels: outputs,
    outHeight: height,
    outWidth: width,
    kernelHeight,
    kernelWidth,
    strideY,
    strideX,
    dilationY,
    dilationX,
    padTop,
    padLeft,
  };
  const y = alloc(sizeOf(shape));
  if (bias !== undefined) kernels.sumGrad({ outer: 1, n: y.length / outputs, inner: outputs }, bias.data, y, 1, false);
  kernels.conv2dInputGrad(sizes, x.data, kernel.data, y, bias !== undefined);
  const inputs = bias === undefined ? [x, kernel] : [x, kernel, bias];
  return record(who, { strides, dilations, padding, outputPadding, groups }, inputs, shape, y, (dy, into) => {
    into(x, (dx, accumulate) => added(dx, accumulate, (to) => kernels.conv2d(sizes, dy, kernel.data, null, to)));
    into(kernel, (dkernel, accumulate) => kernels.conv2dKernelGrad(sizes, dy, x.data, dkernel, accumulate));
    pushBias(bias, dy, into);
  });
}

/** Throws unless x is [batch, height, width, channels] and the kernel fits to it. */
function checkShapes(who: string, x: Shape, kernel: Shape, groups: number): void {
  const channels = x[3] ?? 0;
  const fits = x.length === 4 && kernel.length === 4 && kernel[3] === channels;
  if (fits && Number.isInteger(groups) && groups >= 1 && channels % groups === 0) return;
  throw new ShapeError(
    who,
    `x ${show(x)}, kernel ${show(kernel)}, groups ${describe(groups)}: need [batch, height, width, channels] and [kernelHeight, kernelWidth, outputs/groups, channels], channels a multiple of groups`,
  );
}

/** The pixels of the output along an axis of n pixels, and the pixels that padding cuts off before the first. */
function grownAxis(
  who: string,
  x: Shape,
  n: number,
  k: number,
  stride: number,
  dilation: number,
  outputPadding: number,
  side: Sides,
): [out: number, before: number] {
  const span = spanOf(who, k, stride, dilation);
  const same = Math.max(span - stride, 0);
  const [before, after] =
    side === "valid" ? [0, 0] : side === "same" ? [Math.floor(same / 2), Math.ceil(same / 2)] : readSides(who, side);
  readCount(who, "outputPadding", outputPadding, 0, side === "same" ? 0 : stride - 1);
  const whole = (n - 1) * stride + span;
  checkExtent(who, whole + outputPadding + stride);
  const out = side === "same" ? n * stride : whole - before - after + outputPadding;
  if (n > 0 && out >= 1) return [out, before];
  throw new ShapeError(
    who,
    `x ${show(x)}: a window of ${span} with stride ${stride} and padding [${before}, ${after}] makes no pixel of ${n}`,
  );
}
