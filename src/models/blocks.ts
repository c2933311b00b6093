import {
  batchNorm,
  conv2d,
  depthwiseConv2d,
  type Layer,
  optionAShortcut,
  residual,
  type ShortcutZeros,
  type SqueezeExciteOptions,
  sequential,
  squeezeExcite,
} from "../nn/index.ts";
import { relu, relu6 } from "../ops/index.ts";
import { readCount, readFunction, readOptions, ValueError } from "../tensor/index.ts";
import { readCreator, scope, type VariableCreator } from "../variables/index.ts";
import { INIT } from "./options.ts";

/** What all blocks take. */
export type BlockOptions = {
  /** Stride of the block (1). */
  readonly stride?: number;
  /** Epsilon (1e-5) and momentum (0.9) of the block's batch normalization. */
  readonly epsilon?: number;
  readonly momentum?: number;
  /** Applied to the branch before the shortcut joins, such as `stochasticDepth(rate, random)`. Left out: nothing. */
  readonly drop?: Layer;
};

const OPTIONS = ["stride", "epsilon", "momentum", "drop"] as const;

/** `x` as it is: a layer that does nothing. */
export const identity: Layer = (x) => x;

type ConvNormOptions = BlockOptions & { readonly activation?: Layer; readonly depthwise?: boolean };

/**
 * Convolution without bias, batch normalization, activation (none). Symmetric padding (k − 1)/2, as PyTorch pads; TensorFlow's "same"
 * differs at stride 2. Variables: `conv1/kernel` and `norm1/…` if `name` is "conv1", else `<name>/kernel` and `<name>Norm/…`.
 */
export function convNorm(
  vars: VariableCreator,
  name: string,
  [channels, filters]: readonly [number, number],
  kernelSize: number,
  { stride = 1, epsilon = 1e-5, momentum = 0.9, activation = identity, depthwise = false }: ConvNormOptions,
): Layer {
  const options = { strides: stride, padding: (kernelSize - 1) / 2, bias: false, init: INIT };
  const norm = name.startsWith("conv") ? name.replace("conv", "norm") : `${name}Norm`;
  return sequential(
    depthwise
      ? depthwiseConv2d(scope(vars, name), channels, kernelSize, options)
      : conv2d(scope(vars, name), channels, filters, kernelSize, options),
    batchNorm(scope(vars, norm), filters, { epsilon, momentum }),
    activation,
  );
}

/** The checked options of a block. */
function readBlock<Options extends BlockOptions>(
  who: string,
  vars: VariableCreator,
  channels: number,
  filters: number,
  options: Options | undefined,
  more: readonly (keyof Options & string)[],
): Options & Required<Pick<BlockOptions, "stride" | "drop">> {
  readCreator(who, "vars", vars);
  readCount(who, "channels", channels, 1);
  readCount(who, "filters", filters, 1);
  const given = { stride: 1, drop: identity, ...readOptions<Partial<Options>>(who, options, [...OPTIONS, ...more]) };
  readCount(who, "stride", given.stride, 1);
  readFunction(who, "drop", given.drop);
  return given as Options & typeof given;
}

/** Options of `basicBlock` and `bottleneck`. */
export type ResidualOptions = BlockOptions & {
  /** Zero channels instead of a projection where the shape changes (option A of He et al. 2015); see `ShortcutZeros`. */
  readonly shortcutZeros?: ShortcutZeros;
};

/**
 * Two 3×3 convolutions around a shortcut (He et al. 2015, figure 5 left): x [batch, height, width, channels] → [batch, ⌈height/stride⌉,
 * ⌈width/stride⌉, filters]. The shortcut is x itself, or, if the shape changes, a 1×1 projection or zero channels (`shortcutZeros`).
 * Variables: `conv1/`, `norm1/`, `conv2/`, `norm2/`; of a projection `shortcut/`, `shortcutNorm/`.
 */
export function basicBlock(vars: VariableCreator, channels: number, filters: number, options?: ResidualOptions): Layer {
  const given = readBlock<ResidualOptions>("basicBlock", vars, channels, filters, options, ["shortcutZeros"]);
  const branch = sequential(
    convNorm(vars, "conv1", [channels, filters], 3, { ...given, activation: relu }),
    convNorm(vars, "conv2", [filters, filters], 3, { ...given, stride: 1 }),
    given.drop,
  );
  return sequential(residual(branch, shortcutOf(vars, channels, filters, given)), relu);
}

/**
 * 1×1, 3×3 and 1×1 convolutions around a shortcut (He et al. 2015, figure 5 right): x [batch, height, width, channels] → [batch,
 * ⌈height/stride⌉, ⌈width/stride⌉, filters], with filters/4 channels inside. The 3×3 convolution has the stride (version 1.5).
 * Variables: `conv1/`, `norm1/` to `conv3/`, `norm3/`; of a projection `shortcut/`, `shortcutNorm/`.
 */
export function bottleneck(vars: VariableCreator, channels: number, filters: number, options?: ResidualOptions): Layer {
  const given = readBlock<ResidualOptions>("bottleneck", vars, channels, filters, options, ["shortcutZeros"]);
  const inner = Math.max(1, Math.round(filters / 4));
  const branch = sequential(
    convNorm(vars, "conv1", [channels, inner], 1, { ...given, stride: 1, activation: relu }),
    convNorm(vars, "conv2", [inner, inner], 3, { ...given, activation: relu }),
    convNorm(vars, "conv3", [inner, filters], 1, { ...given, stride: 1 }),
    given.drop,
  );
  return sequential(residual(branch, shortcutOf(vars, channels, filters, given)), relu);
}

function shortcutOf(vars: VariableCreator, channels: number, filters: number, options: ResidualOptions): Layer {
  const { stride = 1, shortcutZeros } = options;
  if (stride === 1 && channels === filters) return identity;
  if (shortcutZeros !== undefined) return optionAShortcut(channels, filters, stride, shortcutZeros);
  return convNorm(vars, "shortcut", [channels, filters], 1, options);
}

export type InvertedResidualOptions = BlockOptions & {
  /** Channels of the depthwise convolution; as many as `channels`: no expansion (6·channels). */
  readonly expanded?: number;
  /** Side of the depthwise kernel, odd (3). */
  readonly kernelSize?: number;
  /** After the expansion and the depthwise convolution (relu6). */
  readonly activation?: Layer;
  /** A squeeze-excite block after the depthwise activation (none). */
  readonly squeezeExcite?: SqueezeExciteOptions;
};

/**
 * 1×1 expansion, depthwise convolution, 1×1 projection without activation (Sandler et al. 2018): x [batch, height, width, channels] →
 * [batch, ⌈height/stride⌉, ⌈width/stride⌉, filters]. x is added if the stride is 1 and the channels stay.
 * Variables: `expand/`, `expandNorm/`, `depthwise/`, `depthwiseNorm/`, `squeeze/`, `excite/`, `project/`, `projectNorm/`.
 */
export function invertedResidual(
  vars: VariableCreator,
  channels: number,
  filters: number,
  options?: InvertedResidualOptions,
): Layer {
  const who = "invertedResidual";
  const known = ["expanded", "kernelSize", "activation", "squeezeExcite"] as const;
  const given = readBlock<InvertedResidualOptions>(who, vars, channels, filters, options, known);
  const { expanded = 6 * channels, kernelSize = 3, activation = relu6, squeezeExcite: squeeze, stride, drop } = given;
  readCount(who, "expanded", expanded, 1);
  if (readCount(who, "kernelSize", kernelSize, 1) % 2 === 0)
    throw new ValueError(who, `kernelSize must be odd, got ${kernelSize}`);
  readFunction(who, "activation", activation);
  const branch = sequential(
    expanded === channels ? identity : convNorm(vars, "expand", [channels, expanded], 1, { ...given, stride: 1, activation }),
    convNorm(vars, "depthwise", [expanded, expanded], kernelSize, { ...given, activation, depthwise: true }),
    squeeze === undefined ? identity : squeezeExcite(vars, expanded, squeeze),
    convNorm(vars, "project", [expanded, filters], 1, { ...given, stride: 1, activation: identity }),
  );
  return stride === 1 && channels === filters ? residual(sequential(branch, drop)) : branch;
}
