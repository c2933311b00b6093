import { dense, dropout, globalAvgPool2d, type Layer, sequential, stochasticDepth } from "../nn/index.ts";
import { Generator, readCount, readNumber, readOptions } from "../tensor/index.ts";
import { readCreator, scope, type VariableCreator } from "../variables/index.ts";
import type { BlockOptions } from "./blocks.ts";

/** Options of all models. Images may have any height and width: the features are averaged over the image. */
export type ModelOptions = {
  /** The number of classes (default 10 for `cifarResNet`, else 1000). */
  readonly classes?: number;
  /** Channels of the images (default 3). */
  readonly channels?: number;
  /** Scales the channels of all layers (default 1). */
  readonly width?: number;
  /**
   * Rate of dropout before the last layer, in training mode. Default 0 for ResNets, 0.2 for MobileNets, 0.2 to 0.5 for
   * EfficientNets.
   */
  readonly dropout?: number;
  /**
   * Rate of stochastic depth: block i of n is skipped at rate·i/n, in training mode. Default 0.2 for EfficientNets,
   * else 0.
   */
  readonly stochasticDepth?: number;
  /** Draws what is dropped (default `new Generator(0)`). Save its state beside a checkpoint to resume a run exactly. */
  readonly random?: Generator;
  /** Epsilon of batch normalization. Default 1e-5; 1e-3 for MobileNetV3 and EfficientNet-B5 to B7. */
  readonly epsilon?: number;
  /** Momentum of batch normalization. Default 0.9; 0.99 for MobileNetV3 and EfficientNet-B5 to B7. */
  readonly momentum?: number;
};

const DEFAULTS = { classes: 1000, channels: 3, width: 1, dropout: 0, stochasticDepth: 0, epsilon: 1e-5, momentum: 0.9 };

/** The checked options of a family: those given, then the family's own defaults, then `DEFAULTS`. */
export function readModel<Options extends ModelOptions>(
  who: string,
  vars: VariableCreator,
  options: Options | undefined,
  defaults: Partial<typeof DEFAULTS> = {},
  more: readonly (keyof Options & string)[] = [],
): Options & Required<ModelOptions> {
  readCreator(who, "vars", vars);
  const known = [...(Object.keys(DEFAULTS) as (keyof typeof DEFAULTS)[]), "random", ...more] as const;
  const given = { random: new Generator(0), ...DEFAULTS, ...defaults, ...readOptions<Partial<Options>>(who, options, known) };
  readCount(who, "classes", given.classes, 1);
  readCount(who, "channels", given.channels, 1);
  readNumber(who, "width", given.width, { above: 0, most: 100 });
  readNumber(who, "stochasticDepth", given.stochasticDepth, { least: 0, below: 1 });
  return given as Options & Required<ModelOptions>;
}

/** What a table does not say of a block: input channels, its index in the row, and the options that all blocks take. */
type Place = { readonly channels: number; readonly index: number; readonly options: Required<BlockOptions> };

/**
 * The blocks of all rows, `repeats` each, the first with the row's stride. Variables of block i of row s (from 1):
 * `layer<s>/<i>/…`.
 */
export function stages<Row extends { readonly filters: number; readonly repeats: number; readonly stride: number }>(
  vars: VariableCreator,
  { stochasticDepth: rate, random, epsilon, momentum }: Required<ModelOptions>,
  channels: number,
  rows: readonly Row[],
  block: (vars: VariableCreator, row: Row, place: Place) => Layer,
): Layer {
  const count = rows.reduce((sum, { repeats }) => sum + repeats, 0);
  const blocks: Layer[] = [];
  let inputs = channels;
  for (const [s, row] of rows.entries()) {
    for (let index = 0; index < row.repeats; index++) {
      const drop = stochasticDepth((rate * blocks.length) / count, random);
      const options = { stride: index === 0 ? row.stride : 1, epsilon, momentum, drop };
      blocks.push(block(scope(vars, `layer${s + 1}/${index}`), row, { channels: inputs, index, options }));
      inputs = row.filters;
    }
  }
  return sequential(...blocks);
}

/**
 * Each channel's mean, `hidden`, dropout and a dense layer `fc/`: x [batch, height, width, channels] → logits [batch,
 * classes].
 */
export function classifier(vars: VariableCreator, channels: number, model: Required<ModelOptions>, ...hidden: Layer[]): Layer {
  const out = [dropout(model.dropout, model.random), dense(scope(vars, "fc"), channels, model.classes)];
  return sequential(globalAvgPool2d(), ...hidden, ...out);
}

/**
 * Returns the multiple of 8 nearest to v, at least 8 and at least 0.9·v: the mobile families round channels in this way
 * (Sandler et al. 2018).
 * @param v - a number of channels
 * @example
 * console.log(makeDivisible(37)); //=> 40
 */
export function makeDivisible(v: number): number {
  const nearest = Math.max(8, 8 * Math.floor((readNumber("makeDivisible", "v", v, { least: 0 }) + 4) / 8));
  return nearest < 0.9 * v ? nearest + 8 : nearest;
}
