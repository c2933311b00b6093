import { type Layer, stochasticDepth } from "../nn/index.ts";
import { Generator, readCount, readNumber, readOptions } from "../tensor/index.ts";
import { type Initializer, readCreator, type VariableCreator, varianceScaling } from "../variables/index.ts";

/** What all families take. Images may have any height and width: the last layer but one is a mean over the image. */
export type ModelOptions = {
  /** How many classes the logits have (CIFAR ResNet 10, others 1000). */
  readonly classes?: number;
  /** Channels of the images (3). */
  readonly channels?: number;
  /** Scales the channels of all layers (1). */
  readonly width?: number;
  /** Rate of the dropout before the last layer, in training mode (ResNets 0, MobileNets 0.2, EfficientNets 0.2 to 0.5). */
  readonly dropout?: number;
  /** Rate of stochastic depth: block i of n is skipped at rate·i/n, in training mode (EfficientNets 0.2, others 0). */
  readonly stochasticDepth?: number;
  /** Draws what is dropped (new Generator(0)). Save its state beside a checkpoint to resume a run exactly. */
  readonly random?: Generator;
};

const OPTIONS = ["classes", "channels", "width", "dropout", "stochasticDepth", "random"] as const;

type Defaults = { readonly classes?: number; readonly dropout?: number; readonly stochasticDepth?: number };

/** How kernels start: normal with deviation √(2/fanOut), as torchvision's models. */
export const INIT: Initializer = /* @__PURE__ */ varianceScaling(2, "out", "normal");

/** The options with their defaults. `dropAt(i/n)` is the stochastic depth of block i of n. */
export type Settings = Required<ModelOptions> & { readonly dropAt: (share: number) => Layer };

/** The checked options. */
export function readModel<Options extends ModelOptions>(
  who: string,
  vars: VariableCreator,
  options: Options | undefined,
  defaults: Defaults,
  more: readonly (keyof Options & string)[] = [],
): Omit<Options, keyof ModelOptions> & Settings {
  readCreator(who, "vars", vars);
  const given = {
    classes: 1000,
    channels: 3,
    width: 1,
    dropout: 0,
    stochasticDepth: 0,
    ...defaults,
    ...readOptions(who, options, [...OPTIONS, ...more]),
  };
  const random = given.random ?? new Generator(0);
  readCount(who, "classes", given.classes, 1);
  readCount(who, "channels", given.channels, 1);
  readNumber(who, "width", given.width, { above: 0, most: 100 });
  readNumber(who, "dropout", given.dropout, { least: 0, below: 1 });
  readNumber(who, "stochasticDepth", given.stochasticDepth, { least: 0, below: 1 });
  return {
    ...(given as Options & typeof given),
    random,
    dropAt: (share) => stochasticDepth(given.stochasticDepth * share, random),
  };
}
