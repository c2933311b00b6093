import { conv2d as convolve, depthwiseConv2d as convolveDepthwise, type Padding, type Pair } from "../ops/index.ts";
import { readBoolean, readCount, readOptions, readPair, ShapeError } from "../tensor/index.ts";
import {
  glorotUniform,
  type Initializer,
  readCreator,
  readInitializer,
  type VariableCreator,
  varianceScaling,
  zerosInit,
} from "../variables/index.ts";
import { asConvolution } from "./fold.ts";
import type { Layer } from "./layer.ts";

/** Options that all convolution layers for images have. */
export type ConvLayerOptions = {
  /** The step of the window (default 1). */
  readonly strides?: Pair;
  /** The distance between the pixels that a window reads (default 1). */
  readonly dilations?: Pair;
  /** The padding (default "valid"). */
  readonly padding?: Padding;
  /** Whether the layer has a bias (default true). */
  readonly bias?: boolean;
  /** The initializer of the kernel (default Glorot uniform; `depthwiseConv2d` has its own). */
  readonly init?: Initializer;
  /** The initializer of the bias (default zeros). */
  readonly biasInit?: Initializer;
};

export const OPTIONS = ["strides", "dilations", "padding", "bias", "init", "biasInit"] as const;

/** Checks the arguments that all convolution layers have; returns height and width of the kernel. */
export function readLayer(
  who: string,
  vars: VariableCreator,
  channels: number,
  kernelSize: Pair,
  { biased, init, biasInit }: { readonly biased: boolean; readonly init: Initializer; readonly biasInit: Initializer },
): readonly [number, number] {
  readCreator(who, "vars", vars);
  readCount(who, "channels", channels, 0);
  readBoolean(who, "bias", biased);
  readInitializer(who, "init", init);
  readInitializer(who, "biasInit", biasInit);
  const [height, width] = readPair(who, "kernelSize", kernelSize);
  readCount(who, "kernelSize", height, 1);
  readCount(who, "kernelSize", width, 1);
  return [height, width];
}

/** Options of the layer `conv2d`, which include {@link ConvLayerOptions}. */
export type Conv2dLayerOptions = ConvLayerOptions & {
  /** The number of groups of channels (default 1). */
  readonly groups?: number;
};

/**
 * A convolution layer: x [batch, height, width, channels] → [batch, outHeight, outWidth, filters].
 * Variables: `kernel` [kernelHeight, kernelWidth, channels/groups, filters] (Glorot uniform), `bias` [filters] (zeros).
 * @param channels - the channels of x
 * @param filters - the channels of the result
 * @param kernelSize - the side of the kernel, or [height, width]
 * @example
 * const layer = conv2d(new DenseVariables(), 3, 16, 3, { strides: 2, padding: "same" });
 * console.log(layer(ones([1, 8, 8, 3])).shape); //=> [ 1, 4, 4, 16 ]
 */
export function conv2d(
  vars: VariableCreator,
  channels: number,
  filters: number,
  kernelSize: Pair,
  options?: Conv2dLayerOptions,
): Layer {
  const given = readOptions("conv2d", options, [...OPTIONS, "groups"]);
  const { bias: biased = true, init = glorotUniform, biasInit = zerosInit, ...geometry } = given;
  const [height, width] = readLayer("conv2d", vars, channels, kernelSize, { biased, init, biasInit });
  readCount("conv2d", "filters", filters, 0);
  const groups = readCount("conv2d", "groups", geometry.groups ?? 1, 1);
  if (channels % groups !== 0)
    throw new ShapeError("conv2d", `${channels} channels in ${groups} groups: need a multiple of groups`);
  const kernel = vars.create("kernel", [height, width, channels / groups, filters], { init });
  const bias = biased ? vars.create("bias", [filters], { init: biasInit }) : null;
  return asConvolution((x) => convolve(x, kernel.read(), bias === null ? geometry : { bias: bias.read(), ...geometry }), {
    outputs: filters,
    kernel,
    bias,
    run: (x, kernel, options) => convolve(x, kernel, { ...geometry, ...options }),
  });
}

/** Options of the layer `depthwiseConv2d`, which include {@link ConvLayerOptions}. */
export type DepthwiseConv2dLayerOptions = ConvLayerOptions & {
  /** The number of outputs per channel (default 1). */
  readonly multiplier?: number;
};

/**
 * A layer that convolves each channel separately: x [batch, height, width, channels] → [batch, outHeight, outWidth,
 * channels·multiplier].
 * Variables: `kernel` [kernelHeight, kernelWidth, channels, multiplier], uniform with standard deviation
 * √(1/(kernelHeight·kernelWidth)), because an output reads one channel only; `bias` [channels·multiplier] (zeros).
 * @param channels - the channels of x
 * @param kernelSize - the side of the kernel, or [height, width]
 * @example
 * const layer = depthwiseConv2d(new DenseVariables(), 8, 3, { padding: "same" });
 * console.log(layer(ones([1, 8, 8, 8])).shape); //=> [ 1, 8, 8, 8 ]
 */
export function depthwiseConv2d(
  vars: VariableCreator,
  channels: number,
  kernelSize: Pair,
  options?: DepthwiseConv2dLayerOptions,
): Layer {
  const given = readOptions("depthwiseConv2d", options, [...OPTIONS, "multiplier"]);
  const { bias: biased = true, multiplier = 1, biasInit = zerosInit, init: givenInit = glorotUniform, ...geometry } = given;
  const [height, width] = readLayer("depthwiseConv2d", vars, channels, kernelSize, { biased, init: givenInit, biasInit });
  readCount("depthwiseConv2d", "multiplier", multiplier, 0);
  const init = given.init ?? varianceScaling(1, height * width, "uniform");
  const kernel = vars.create("kernel", [height, width, channels, multiplier], { init });
  const bias = biased ? vars.create("bias", [channels * multiplier], { init: biasInit }) : null;
  return asConvolution(
    (x) => convolveDepthwise(x, kernel.read(), bias === null ? geometry : { bias: bias.read(), ...geometry }),
    {
      outputs: channels * multiplier,
      kernel,
      bias,
      run: (x, kernel, options) => convolveDepthwise(x, kernel, { ...geometry, ...options }),
    },
  );
}
