import { conv2dTranspose as convolve, type Pair } from "../ops/index.ts";
import { readCount, readOptions, ShapeError } from "../tensor/index.ts";
import { glorotUniform, type VariableCreator, zerosInit } from "../variables/index.ts";
import { type ConvLayerOptions, OPTIONS, readLayer } from "./conv2d.ts";
import type { Layer } from "./layer.ts";

/** Options of the layer `conv2dTranspose`, which include {@link ConvLayerOptions}. */
export type Conv2dTransposeLayerOptions = ConvLayerOptions & {
  /** The number of groups of channels (default 1). */
  readonly groups?: number;
  /** Pixels that are added to the output at its end (default 0). */
  readonly outputPadding?: Pair;
};

/**
 * A layer of transposed convolution, which enlarges images: x [batch, height, width, channels] → [batch, outHeight,
 * outWidth, filters]. The op `conv2dTranspose` documents the sizes.
 * Variables: `kernel` [kernelHeight, kernelWidth, filters/groups, channels] (Glorot uniform), `bias` [filters] (zeros).
 * @param channels - the channels of x
 * @param filters - the channels of the result
 * @param kernelSize - the side of the kernel, or [height, width]
 * @example
 * const layer = conv2dTranspose(new DenseVariables(), 8, 3, 2, { strides: 2 });
 * console.log(layer(ones([1, 4, 4, 8])).shape); //=> [ 1, 8, 8, 3 ]
 */
export function conv2dTranspose(
  vars: VariableCreator,
  channels: number,
  filters: number,
  kernelSize: Pair,
  options?: Conv2dTransposeLayerOptions,
): Layer {
  const given = readOptions("conv2dTranspose", options, [...OPTIONS, "groups", "outputPadding"]);
  const { bias: biased = true, init = glorotUniform, biasInit = zerosInit, ...geometry } = given;
  const [height, width] = readLayer("conv2dTranspose", vars, channels, kernelSize, { biased, init, biasInit });
  readCount("conv2dTranspose", "filters", filters, 0);
  const groups = readCount("conv2dTranspose", "groups", geometry.groups ?? 1, 1);
  if (channels % groups !== 0 || filters % groups !== 0) {
    throw new ShapeError(
      "conv2dTranspose",
      `${channels} channels and ${filters} filters in ${groups} groups: need multiples of groups`,
    );
  }
  const kernel = vars.create("kernel", [height, width, filters / groups, channels], { init });
  const bias = biased ? vars.create("bias", [filters], { init: biasInit }) : null;
  return (x) => convolve(x, kernel.read(), bias === null ? geometry : { bias: bias.read(), ...geometry });
}
