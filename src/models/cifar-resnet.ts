import { type Layer, type ShortcutZeros, sequential } from "../nn/index.ts";
import { relu } from "../ops/index.ts";
import { readCount, readName, ValueError } from "../tensor/index.ts";
import type { VariableCreator } from "../variables/index.ts";
import { basicBlock, convNorm } from "./blocks.ts";
import { type ModelOptions, readModel } from "./options.ts";
import { classifier, stages } from "./stages.ts";

/** `shortcutZeros` ("around"): where option A puts new channels. Classes: 10. */
export type CifarResNetOptions = ModelOptions & { readonly shortcutZeros?: ShortcutZeros };

/**
 * Residual network for small images (He et al. 2015, section 4.2) of `depth` = 6n + 2 layers, such as 20, 32, 44, 56, 110: images
 * [batch, height, width, channels] → logits [batch, classes].
 *
 * | output | layers |
 * |--|--|
 * | 32×32 | conv 3×3, 16 |
 * | 32×32 | n × [3×3, 16; 3×3, 16] |
 * | 16×16 | n × [3×3, 32; 3×3, 32] |
 * | 8×8 | n × [3×3, 64; 3×3, 64] |
 * | 1×1 | mean, dense |
 *
 * Shortcuts add no parameters (option A). Batch normalization: epsilon 1e-5, momentum 0.9.
 *
 * @throws ValueError if `depth` is not 6n + 2.
 * @example const model = cifarResNet(new DenseVariables(), 20);
 */
export function cifarResNet(vars: VariableCreator, depth: number, options?: CifarResNetOptions): Layer {
  const who = "cifarResNet";
  const settings = readModel(who, vars, options, { classes: 10 }, ["shortcutZeros"]);
  const { shortcutZeros = "around", channels, width, dropAt } = settings;
  readName(who, "shortcutZeros", shortcutZeros, ["around", "after"]);
  const repeats = (readCount(who, "depth", depth, 8, 6002) - 2) / 6;
  if (!Number.isInteger(repeats)) throw new ValueError(who, `depth must be 6n + 2, such as 20, 32 or 44, got ${depth}`);
  const wide = (filters: number): number => Math.max(1, Math.round(filters * width));
  const rows = [
    { filters: wide(16), repeats, stride: 1 },
    { filters: wide(32), repeats, stride: 2 },
    { filters: wide(64), repeats, stride: 2 },
  ];
  return sequential(
    convNorm(vars, "conv1", [channels, wide(16)], 3, { activation: relu }),
    stages(vars, wide(16), rows, ({ filters }, at) =>
      basicBlock(at.vars, at.channels, filters, { stride: at.stride, drop: dropAt(at.share), shortcutZeros }),
    ),
    classifier(vars, wide(64), settings),
  );
}
