import { conv2d as convolve, depthwiseConv2d as convolveDepthwise, type Padding, type Pair } from "../ops/index.ts";
import { glorotUniform, type Initializer, type VariableCreator, varianceScaling, zerosInit } from "../variables/index.ts";
import type { Layer } from "./layer.ts";

/** Strides (1), dilations (1), padding ("valid"), bias (true) and how the variables start. */
export type ConvLayerOptions = {
  readonly strides?: Pair;
  readonly dilations?: Pair;
  readonly padding?: Padding;
  readonly bias?: boolean;
  readonly init?: Initializer;
  readonly biasInit?: Initializer;
};

/**
 * Convolution: x [batch, height, width, channels] → [batch, outHeight, outWidth, filters].
 * Variables: `kernel` [kernelHeight, kernelWidth, channels/groups, filters] (Glorot's uniform), `bias` [filters] (zeros).
 */
export function conv2d(
  vars: VariableCreator,
  channels: number,
  filters: number,
  kernelSize: Pair,
  options: ConvLayerOptions & { readonly groups?: number } = {},
): Layer {
  const { bias: biased = true, init = glorotUniform, biasInit = zerosInit, ...geometry } = options;
  const [height, width] = typeof kernelSize === "number" ? [kernelSize, kernelSize] : kernelSize;
  const kernel = vars.create("kernel", [height, width, channels / (geometry.groups ?? 1), filters], { init });
  const bias = biased ? vars.create("bias", [filters], { init: biasInit }) : null;
  return (x) => convolve(x, kernel.read(), bias === null ? geometry : { bias: bias.read(), ...geometry });
}

/**
 * Each channel convolved by itself: x [batch, height, width, channels] → [batch, outHeight, outWidth, channels·multiplier].
 * Variables: `kernel` [kernelHeight, kernelWidth, channels, multiplier] (deviation √(1/(kernelHeight·kernelWidth)): an output reads
 * one channel only), `bias` [channels·multiplier] (zeros).
 */
export function depthwiseConv2d(
  vars: VariableCreator,
  channels: number,
  kernelSize: Pair,
  options: ConvLayerOptions & { readonly multiplier?: number } = {},
): Layer {
  const [height, width] = typeof kernelSize === "number" ? [kernelSize, kernelSize] : kernelSize;
  const { bias: biased = true, multiplier = 1, biasInit = zerosInit, ...rest } = options;
  const { init = varianceScaling(1, height * width, "uniform"), ...geometry } = rest;
  const kernel = vars.create("kernel", [height, width, channels, multiplier], { init });
  const bias = biased ? vars.create("bias", [channels * multiplier], { init: biasInit }) : null;
  return (x) => convolveDepthwise(x, kernel.read(), bias === null ? geometry : { bias: bias.read(), ...geometry });
}
