import { dense, type Layer, sequential } from "../nn/index.ts";
import { hardSigmoid, hardSwish, relu, relu6 } from "../ops/index.ts";
import { readName } from "../tensor/index.ts";
import { scope, type VariableCreator } from "../variables/index.ts";
import { convNorm, invertedResidual } from "./blocks.ts";
import { classifier, type ModelOptions, makeDivisible, readModel, stages } from "./family.ts";

/** Expansion, output channels, blocks, stride of the first block. */
const V2 = [
  [1, 16, 1, 1],
  [6, 24, 2, 2],
  [6, 32, 3, 2],
  [6, 64, 4, 2],
  [6, 96, 3, 1],
  [6, 160, 3, 2],
  [6, 320, 1, 1],
] as const;

/**
 * MobileNetV2 (Sandler et al. 2018, table 2): images [batch, height, width, channels] → logits [batch, classes]. The
 * last convolution grows with `width`, but does not shrink below 1280 channels.
 * @example
 * const vars = new DenseVariables();
 * mobileNetV2(vars, { classes: 10, width: 0.25 });
 * console.log(sizesOf(vars).denseSize); //=> 250922
 */
export function mobileNetV2(vars: VariableCreator, options?: ModelOptions): Layer {
  const model = readModel("mobileNetV2", vars, options, { dropout: 0.2 });
  const wide = (channels: number): number => makeDivisible(channels * model.width);
  const last = makeDivisible(1280 * Math.max(1, model.width));
  const rows = V2.map(([t, c, n, s]) => ({ expansion: t, filters: wide(c), repeats: n, stride: s }));
  return sequential(
    convNorm(vars, "stem", [model.channels, wide(32)], 3, { ...model, stride: 2, activation: relu6 }),
    stages(vars, model, wide(32), rows, (vars, { filters, expansion }, { channels, options }) =>
      invertedResidual(vars, channels, filters, { ...options, expanded: channels * expansion }),
    ),
    convNorm(vars, "last", [wide(320), last], 1, { ...model, activation: relu6 }),
    classifier(vars, last, model),
  );
}

/**
 * Kernel size, expanded channels of each block, output channels, squeeze-excite, activation, stride of the first block.
 */
type Row = readonly [number, readonly number[], number, "SE" | "", Layer, number];

const V3_LARGE: readonly Row[] = [
  [3, [16], 16, "", relu, 1],
  [3, [64, 72], 24, "", relu, 2],
  [5, [72, 120, 120], 40, "SE", relu, 2],
  [3, [240, 200, 184, 184], 80, "", hardSwish, 2],
  [3, [480, 672], 112, "SE", hardSwish, 1],
  [5, [672, 960, 960], 160, "SE", hardSwish, 2],
];
const V3_SMALL: readonly Row[] = [
  [3, [16], 16, "SE", relu, 2],
  [3, [72, 88], 24, "", relu, 2],
  [5, [96, 240, 240], 40, "SE", hardSwish, 2],
  [5, [120, 144], 48, "SE", hardSwish, 1],
  [5, [288, 576, 576], 96, "SE", hardSwish, 2],
];

/**
 * MobileNetV3 (Howard et al. 2019, tables 1 and 2): images [batch, height, width, channels] → logits [batch, classes].
 * @param size - the variant
 * @example
 * const vars = new DenseVariables();
 * mobileNetV3(vars, "small", { classes: 10, width: 0.5 });
 * console.log(sizesOf(vars).denseSize); //=> 409394
 */
export function mobileNetV3(vars: VariableCreator, size: "small" | "large", options?: ModelOptions): Layer {
  const model = readModel("mobileNetV3", vars, options, { dropout: 0.2, epsilon: 1e-3, momentum: 0.99 });
  const large = readName("mobileNetV3", "size", size, ["small", "large"]) === "large";
  const wide = (channels: number): number => makeDivisible(channels * model.width);
  const rows = (large ? V3_LARGE : V3_SMALL).map(([kernelSize, expanded, c, squeeze, activation, stride]) => {
    return { kernelSize, expanded: expanded.map(wide), filters: wide(c), repeats: expanded.length, squeeze, activation, stride };
  });
  const [features, hidden] = [rows.at(-1)!.filters, wide(large ? 1280 : 1024)];
  return sequential(
    convNorm(vars, "stem", [model.channels, wide(16)], 3, { ...model, stride: 2, activation: hardSwish }),
    stages(vars, model, wide(16), rows, (vars, { kernelSize, filters, squeeze, activation, ...row }, at) => {
      const expanded = row.expanded[at.index]!;
      const squeezeExcite = { squeezed: makeDivisible(Math.floor(expanded / 4)), gate: hardSigmoid };
      const options = { ...at.options, kernelSize, expanded, activation, ...(squeeze === "SE" ? { squeezeExcite } : {}) };
      return invertedResidual(vars, at.channels, filters, options);
    }),
    convNorm(vars, "last", [features, 6 * features], 1, { ...model, activation: hardSwish }),
    classifier(vars, hidden, model, dense(scope(vars, "hidden"), 6 * features, hidden), hardSwish),
  );
}
