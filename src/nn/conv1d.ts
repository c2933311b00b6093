import { conv1d as convolve, type Padding1d } from "../ops/index.ts";
import { readCount, readOptions, ShapeError } from "../tensor/index.ts";
import { glorotUniform, type Initializer, type VariableCreator, zerosInit } from "../variables/index.ts";
import { readLayer } from "./conv2d.ts";
import type { Layer } from "./layer.ts";

/** Options of the layer `conv1d`. */
export type Conv1dLayerOptions = {
  /** The step of the window (default 1). */
  readonly strides?: number;
  /** The distance between the positions that a window reads (default 1). */
  readonly dilations?: number;
  /** The padding (default "valid"). */
  readonly padding?: Padding1d;
  /** The number of groups of channels (default 1). */
  readonly groups?: number;
  /** Whether the layer has a bias (default true). */
  readonly bias?: boolean;
  /** The initializer of the kernel (default Glorot uniform). */
  readonly init?: Initializer;
  /** The initializer of the bias (default zeros). */
  readonly biasInit?: Initializer;
};

/**
 * A layer that convolves sequences: x [batch, length, channels] → [batch, outLength, filters].
 * Variables: `kernel` [kernelSize, channels/groups, filters] (Glorot uniform), `bias` [filters] (zeros).
 * @param channels - the channels of x
 * @param filters - the channels of the result
 * @param kernelSize - the length of the window
 * @example
 * const layer = conv1d(new DenseVariables(), 4, 8, 3, { padding: "same" });
 * console.log(layer(ones([1, 20, 4])).shape); //=> [ 1, 20, 8 ]
 */
export function conv1d(
  vars: VariableCreator,
  channels: number,
  filters: number,
  kernelSize: number,
  options?: Conv1dLayerOptions,
): Layer {
  const given = readOptions("conv1d", options, ["strides", "dilations", "padding", "groups", "bias", "init", "biasInit"]);
  const { bias: biased = true, init = glorotUniform, biasInit = zerosInit, ...geometry } = given;
  readCount("conv1d", "kernelSize", kernelSize, 1);
  readLayer("conv1d", vars, channels, kernelSize, { biased, init, biasInit });
  readCount("conv1d", "filters", filters, 0);
  const groups = readCount("conv1d", "groups", geometry.groups ?? 1, 1);
  if (channels % groups !== 0)
    throw new ShapeError("conv1d", `${channels} channels in ${groups} groups: need a multiple of groups`);
  const kernel = vars.create("kernel", [kernelSize, channels / groups, filters], { init });
  const bias = biased ? vars.create("bias", [filters], { init: biasInit }) : null;
  return (x) => convolve(x, kernel.read(), bias === null ? geometry : { bias: bias.read(), ...geometry });
}
