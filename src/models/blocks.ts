import * as nn from "../nn/index.ts";
import { relu, relu6 } from "../ops/index.ts";
import { readCount, readFunction, readOptions, ValueError } from "../tensor/index.ts";
import { type Initializer, readCreator, scope, type VariableCreator, varianceScaling } from "../variables/index.ts";

/** Options of all blocks. */
export type BlockOptions = {
  /** The stride of the block (default 1). */
  readonly stride?: number;
  /** Epsilon of batch normalization (default 1e-5). */
  readonly epsilon?: number;
  /** Momentum of batch normalization (default 0.9). */
  readonly momentum?: number;
  /** Applied to a branch before its shortcut joins, such as `stochasticDepth(rate, random)` (default: nothing). */
  readonly drop?: nn.Layer;
};

const identity: nn.Layer = (x) => x;

/** How kernels start: normal with deviation √(2/fanOut), as torchvision's models. */
const INIT: Initializer = /* @__PURE__ */ varianceScaling(2, "out", "normal");

type ConvNormOptions = BlockOptions & { readonly activation?: nn.Layer; readonly depthwise?: boolean };

/**
 * Convolution without bias, batch normalization, activation (none). Pads (k − 1)/2 on all sides, as PyTorch;
 * TensorFlow's "same" differs at stride 2. Variables: `conv1/kernel` and `norm1/…` if `name` is "conv1", else
 * `<name>/kernel` and `<name>Norm/…`.
 */
export function convNorm(
  vars: VariableCreator,
  name: string,
  [channels, filters]: readonly [number, number],
  kernelSize: number,
  { stride = 1, epsilon = 1e-5, momentum = 0.9, activation = identity, depthwise = false }: ConvNormOptions,
): nn.Layer {
  const options = { strides: stride, padding: (kernelSize - 1) / 2, bias: false, init: INIT };
  const [conv, norm] = [scope(vars, name), name.startsWith("conv") ? name.replace("conv", "norm") : `${name}Norm`];
  return nn.sequential(
    depthwise ? nn.depthwiseConv2d(conv, channels, kernelSize, options) : nn.conv2d(conv, channels, filters, kernelSize, options),
    nn.batchNorm(scope(vars, norm), filters, { epsilon, momentum, activation }),
  );
}

/** The checked options of a block. */
function readBlock<Options extends BlockOptions>(
  who: string,
  [vars, channels, filters, options]: readonly [VariableCreator, number, number, Options | undefined],
  more: readonly (keyof Options & string)[],
): Options & { readonly stride: number; readonly drop: nn.Layer } {
  const read = readOptions<Partial<Options>>(who, options, ["stride", "epsilon", "momentum", "drop", ...more]);
  const given = { stride: 1, drop: identity, ...read };
  readCreator(who, "vars", vars);
  readCount(who, "channels", channels, 1);
  readCount(who, "filters", filters, 1);
  readCount(who, "stride", given.stride, 1);
  readFunction(who, "drop", given.drop);
  return given as Options & typeof given;
}

/** Options of residual blocks, which include {@link BlockOptions}. */
export type ResidualOptions = BlockOptions & {
  /**
   * The position of the zero channels in the shortcut of a block that changes the shape (option A). Default: the
   * shortcut is a 1×1 projection.
   */
  readonly shortcutZeros?: nn.ShortcutZeros;
};

/**
 * Makes a residual block: x [batch, height, width, channels] → [batch, ⌈height/stride⌉, ⌈width/stride⌉, filters].
 * @param channels - the channels of x
 * @param filters - the channels of the result
 */
export type ResidualBlock = (vars: VariableCreator, channels: number, filters: number, options?: ResidualOptions) => nn.Layer;

/**
 * A branch of convolutions [filters, kernel size, stride], relu between them, a shortcut, and relu after the addition.
 */
function residualBlock(
  who: string,
  convolutions: (filters: number, stride: number) => readonly (readonly [number, number, number])[],
): ResidualBlock {
  return (vars, channels, filters, options) => {
    const given = readBlock<ResidualOptions>(who, [vars, channels, filters, options], ["shortcutZeros"]);
    const { stride, drop, shortcutZeros: zeros } = given;
    const rows = convolutions(filters, stride);
    const branch = rows.map(([outputs, size, step], i) => {
      const own = { ...given, stride: step, activation: i < rows.length - 1 ? relu : drop };
      return convNorm(vars, `conv${i + 1}`, [rows[i - 1]?.[0] ?? channels, outputs], size, own);
    });
    const same = stride === 1 && channels === filters;
    const changed = (): nn.Layer =>
      zeros === undefined
        ? convNorm(vars, "shortcut", [channels, filters], 1, given)
        : nn.optionAShortcut(channels, filters, stride, zeros);
    return nn.sequential(nn.residual(nn.sequential(...branch), same ? identity : changed()), relu);
  };
}

/**
 * A {@link ResidualBlock} of two 3×3 convolutions and a shortcut (He et al. 2015, figure 5 left): x [batch, height,
 * width, channels] → [batch, ⌈height/stride⌉, ⌈width/stride⌉, filters].
 * Variables: `conv1/`, `norm1/`, `conv2/`, `norm2/`; of a projection `shortcut/`, `shortcutNorm/`.
 * @example
 * const block = basicBlock(new DenseVariables(), 16, 32, { stride: 2 });
 * console.log(block(ones([1, 8, 8, 16])).shape); //=> [ 1, 4, 4, 32 ]
 */
export const basicBlock: ResidualBlock = /* @__PURE__ */ residualBlock("basicBlock", (filters, stride) => [
  [filters, 3, stride],
  [filters, 3, 1],
]);

/**
 * A {@link ResidualBlock} of 1×1, 3×3 and 1×1 convolutions and a shortcut (He et al. 2015, figure 5 right), with the
 * shapes of `basicBlock`. Inside there are filters/4 channels. The 3×3 convolution has the stride (version 1.5).
 * Variables: `conv1/`, `norm1/` to `norm3/`; of a projection `shortcut/`, `shortcutNorm/`.
 * @example
 * const block = bottleneck(new DenseVariables(), 64, 256);
 * console.log(block(ones([1, 8, 8, 64])).shape); //=> [ 1, 8, 8, 256 ]
 */
export const bottleneck: ResidualBlock = /* @__PURE__ */ residualBlock("bottleneck", (filters, stride) => [
  [Math.ceil(filters / 4), 1, 1],
  [Math.ceil(filters / 4), 3, stride],
  [filters, 1, 1],
]);

/** Options of `invertedResidual`, which include {@link BlockOptions}. */
export type InvertedOptions = BlockOptions & {
  /** Channels of the depthwise convolution (default 6·channels). With as many as `channels` there is no expansion. */
  readonly expanded?: number;
  /** The side of the depthwise kernel, an odd number (default 3). */
  readonly kernelSize?: number;
  /** The function after the expansion and after the depthwise convolution (default `relu6`). */
  readonly activation?: nn.Layer;
  /** A squeeze-excite block after the depthwise activation (default none). */
  readonly squeezeExcite?: nn.SqueezeExciteOptions;
};

/**
 * Returns a block of a 1×1 expansion, a depthwise convolution and a 1×1 projection (Sandler et al. 2018, figure 4),
 * with the shapes of `basicBlock`. If the stride is 1 and the channels stay, x is added after `drop`. Variables:
 * `expand/`, `depthwise/`, `squeeze/`, `excite/`, `project/`, and `expandNorm/`, `depthwiseNorm/`, `projectNorm/`.
 * @param channels - the channels of x
 * @param filters - the channels of the result
 * @example
 * const block = invertedResidual(new DenseVariables(), 16, 24, { stride: 2 });
 * console.log(block(ones([1, 8, 8, 16])).shape); //=> [ 1, 4, 4, 24 ]
 */
export function invertedResidual(vars: VariableCreator, channels: number, filters: number, options?: InvertedOptions): nn.Layer {
  const known = ["expanded", "kernelSize", "activation", "squeezeExcite"] as const;
  const given = readBlock<InvertedOptions>("invertedResidual", [vars, channels, filters, options], known);
  const { expanded = 6 * channels, kernelSize = 3, activation = relu6, squeezeExcite: squeeze, stride, drop } = given;
  readCount("invertedResidual", "expanded", expanded, 1);
  if (readCount("invertedResidual", "kernelSize", kernelSize, 1) % 2 === 0)
    throw new ValueError("invertedResidual", `kernelSize ${kernelSize} must be odd`);
  const joins = stride === 1 && channels === filters;
  const branch = nn.sequential(
    expanded === channels ? identity : convNorm(vars, "expand", [channels, expanded], 1, { ...given, stride: 1, activation }),
    convNorm(vars, "depthwise", [expanded, expanded], kernelSize, { ...given, activation, depthwise: true }),
    squeeze === undefined ? identity : nn.squeezeExcite(vars, expanded, { init: INIT, ...squeeze }),
    convNorm(vars, "project", [expanded, filters], 1, { ...given, stride: 1, activation: joins ? drop : identity }),
  );
  return joins ? nn.residual(branch) : branch;
}
