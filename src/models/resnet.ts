import { type Layer, maxPool2d, type ShortcutZeros, sequential } from "../nn/index.ts";
import { relu } from "../ops/index.ts";
import { readCount, readName, ValueError } from "../tensor/index.ts";
import type { VariableCreator } from "../variables/index.ts";
import { basicBlock, bottleneck, convNorm } from "./blocks.ts";
import { classifier, type ModelOptions, readModel, stages } from "./family.ts";

/** Options of `cifarResNet`, which include {@link ModelOptions}. */
export type CifarResNetOptions = ModelOptions & {
  /** Where a shortcut gets new channels of zeros (default "around"). */
  readonly shortcutZeros?: ShortcutZeros;
};

const scaled = (filters: number, width: number): number => Math.max(1, Math.round(filters * width));

/**
 * Residual network for small images (He et al. 2015, section 4.2) of 6n + 2 layers: images [batch, height, width,
 * channels] → logits [batch, classes]. A 3×3 convolution of 16 channels, then n blocks each of 16, 32 and 64 channels,
 * on maps of the image's size, a half and a quarter. Shortcuts have no parameters (option A).
 * @param depth - the number of layers, 6n + 2, such as 20 or 56
 * @throws ValueError if `depth` is not 6n + 2.
 * @example
 * const model = cifarResNet(new DenseVariables(), 20);
 * console.log(model(ones([1, 32, 32, 3])).shape); //=> [ 1, 10 ]
 */
export function cifarResNet(vars: VariableCreator, depth: number, options?: CifarResNetOptions): Layer {
  const model = readModel("cifarResNet", vars, options, { classes: 10 }, ["shortcutZeros"]);
  const { shortcutZeros = "around", channels, width } = model;
  readName("cifarResNet", "shortcutZeros", shortcutZeros, ["around", "after"]);
  const repeats = (readCount("cifarResNet", "depth", depth, 8, 6002) - 2) / 6;
  if (!Number.isInteger(repeats)) throw new ValueError("cifarResNet", `depth must be 6n + 2, such as 20 or 32, got ${depth}`);
  const rows = [16, 32, 64].map((filters, i) => ({ filters: scaled(filters, width), repeats, stride: i === 0 ? 1 : 2 }));
  return sequential(
    convNorm(vars, "conv1", [channels, scaled(16, width)], 3, { ...model, activation: relu }),
    stages(vars, model, scaled(16, width), rows, (vars, { filters }, at) =>
      basicBlock(vars, at.channels, filters, { ...at.options, shortcutZeros }),
    ),
    classifier(vars, scaled(64, width), model),
  );
}

/** Blocks of the four stages (He et al. 2015, table 1). */
const REPEATS = { 18: [2, 2, 2, 2], 34: [3, 4, 6, 3], 50: [3, 4, 6, 3], 101: [3, 4, 23, 3], 152: [3, 8, 36, 3] } as const;

/**
 * Residual network (He et al. 2015, table 1): images [batch, height, width, channels] → logits [batch, classes]. A 7×7
 * convolution and a max pooling, each of stride 2, precede stages of 64, 128, 256 and 512 channels. The stages hold
 * basic blocks up to 34 layers. Deeper networks hold bottlenecks, with four times as many output channels.
 * @param depth - the number of layers
 * @example
 * const rows = survey((vars) => resNet(vars, 18));
 * console.log(rows.reduce((total, { size, trainable }) => total + (trainable ? size : 0), 0)); //=> 11689512
 */
export function resNet(vars: VariableCreator, depth: 18 | 34 | 50 | 101 | 152, options?: ModelOptions): Layer {
  const model = readModel("resNet", vars, options);
  readName("resNet", "depth", `${readCount("resNet", "depth", depth, 18)}`, Object.keys(REPEATS));
  const [block, growth] = depth < 50 ? [basicBlock, 1] : [bottleneck, 4];
  const wide = (filters: number): number => scaled(filters, model.width);
  const rows = REPEATS[depth].map((repeats, i) => ({ filters: growth * wide(64 * 2 ** i), repeats, stride: i === 0 ? 1 : 2 }));
  return sequential(
    convNorm(vars, "conv1", [model.channels, wide(64)], 7, { ...model, stride: 2, activation: relu }),
    maxPool2d(3, { strides: 2, padding: 1 }),
    stages(vars, model, wide(64), rows, (vars, { filters }, at) => block(vars, at.channels, filters, at.options)),
    classifier(vars, growth * wide(512), model),
  );
}
