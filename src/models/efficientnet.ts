import { type Layer, sequential } from "../nn/index.ts";
import { silu } from "../ops/index.ts";
import { readCount } from "../tensor/index.ts";
import type { VariableCreator } from "../variables/index.ts";
import { convNorm, invertedResidual } from "./blocks.ts";
import { classifier, type ModelOptions, makeDivisible, readModel, stages } from "./family.ts";

/** Expansion, kernel size, output channels, blocks, stride of the first block. */
const TABLE = [
  [1, 3, 16, 1, 1],
  [6, 3, 24, 2, 2],
  [6, 5, 40, 2, 2],
  [6, 3, 80, 3, 2],
  [6, 5, 112, 3, 1],
  [6, 5, 192, 4, 2],
  [6, 3, 320, 1, 1],
] as const;

// B0 to B7:
const WIDTHS = [1, 1, 1.1, 1.2, 1.4, 1.6, 1.8, 2] as const;
const DEPTHS = [1, 1.1, 1.2, 1.4, 1.8, 2.2, 2.6, 3.1] as const;
const DROPOUTS = [0.2, 0.2, 0.3, 0.3, 0.4, 0.4, 0.5, 0.5] as const;

/**
 * EfficientNet-B0 to B7 (Tan and Le 2019, table 1 and compound scaling), `member` 0 to 7: images [batch, height, width,
 * channels] → logits [batch, classes]. `width` multiplies the member's own width.
 * @param member - the number of the model, from 0 (B0) to 7 (B7)
 * @example
 * const rows = survey((vars) => efficientNet(vars, 0));
 * console.log(rows.reduce((total, { size, trainable }) => total + (trainable ? size : 0), 0)); //=> 5288548
 */
export function efficientNet(vars: VariableCreator, member: number, options?: ModelOptions): Layer {
  const depth = DEPTHS[readCount("efficientNet", "member", member, 0, 7)]!;
  const norm = member < 5 ? {} : { epsilon: 1e-3, momentum: 0.99 };
  const model = readModel("efficientNet", vars, options, { dropout: DROPOUTS[member]!, stochasticDepth: 0.2, ...norm });
  const wide = (channels: number): number => makeDivisible(channels * WIDTHS[member]! * model.width);
  const rows = TABLE.map(([t, k, c, n, s]) => ({ t, kernelSize: k, filters: wide(c), repeats: Math.ceil(n * depth), stride: s }));
  return sequential(
    convNorm(vars, "stem", [model.channels, wide(32)], 3, { ...model, stride: 2, activation: silu }),
    stages(vars, model, wide(32), rows, (vars, { filters, kernelSize, t }, { channels, options }) => {
      const squeezeExcite = { squeezed: Math.max(1, Math.floor(channels / 4)), activation: silu };
      const expanded = makeDivisible(channels * t);
      return invertedResidual(vars, channels, filters, { ...options, kernelSize, expanded, activation: silu, squeezeExcite });
    }),
    convNorm(vars, "last", [wide(320), 4 * wide(320)], 1, { ...model, activation: silu }),
    classifier(vars, 4 * wide(320), model),
  );
}
