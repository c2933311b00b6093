import { mean, mul, relu, sigmoid } from "../ops/index.ts";
import { readCount, readFunction, readOptions, type Tensor, tidy } from "../tensor/index.ts";
import { type Initializer, readCreator, scope, type VariableCreator } from "../variables/index.ts";
import { conv2d } from "./conv2d.ts";
import { type Layer, sequential } from "./layer.ts";

/** Options of `squeezeExcite`. */
export type SqueezeExciteOptions = {
  /** The number of channels between the two convolutions. */
  readonly squeezed: number;
  /** The function after the first convolution (default `relu`). */
  readonly activation?: Layer;
  /** The function after the second convolution, with results from 0 to 1 (default `sigmoid`). */
  readonly gate?: Layer;
  /** The initializer of the kernels (default Glorot uniform). */
  readonly init?: Initializer;
};

/**
 * Scales each channel by a gate that sees all channels' means (Hu et al. 2018): x [batch, height, width, channels] →
 * the same shape, y = x·gate(excite(activation(squeeze(mean(x))))). Variables: `squeeze/` and `excite/`, each with
 * `kernel` and `bias` of a 1×1 convolution.
 * @param channels - the channels of x
 * @example
 * const layer = squeezeExcite(new DenseVariables(), 32, { squeezed: 8 });
 * console.log(layer(ones([1, 8, 8, 32])).shape); //=> [ 1, 8, 8, 32 ]
 */
export function squeezeExcite(vars: VariableCreator, channels: number, options: SqueezeExciteOptions): Layer {
  const given = readOptions("squeezeExcite", options, ["squeezed", "activation", "gate", "init"]);
  const { squeezed, activation = relu, gate = sigmoid, ...kernels } = given;
  readCreator("squeezeExcite", "vars", vars);
  readCount("squeezeExcite", "channels", channels, 1);
  readCount("squeezeExcite", "squeezed", squeezed, 1);
  readFunction("squeezeExcite", "activation", activation);
  readFunction("squeezeExcite", "gate", gate);
  const scale = sequential(
    (x: Tensor) => mean(x, [1, 2], { keepDims: true }),
    conv2d(scope(vars, "squeeze"), channels, squeezed, 1, kernels),
    activation,
    conv2d(scope(vars, "excite"), squeezed, channels, 1, kernels),
    gate,
  );
  return (x) => tidy(() => mul(x, scale(x)));
}
