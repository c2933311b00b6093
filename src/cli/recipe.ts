import { cifarResNet, efficientNet, type ModelOptions, mobileNetV2, mobileNetV3, resNet } from "../models/index.ts";
import { dense, flatten, type Layer, sequential, toyNetwork } from "../nn/index.ts";
import { relu } from "../ops/index.ts";
import {
  adam,
  clipByGlobalNorm,
  cosineDecay,
  type Optimizer,
  type OptimizerOptions,
  type Schedule,
  sgd,
  warmUp,
} from "../optim/index.ts";
import {
  HashVariablePool,
  MetaVariablePool,
  ProductVariablePool,
  poolSizeFor,
  VariableFactory,
  type VariablePool,
} from "../smh/index.ts";
import { Generator, type Parameter, sizeOf, ValueError } from "../tensor/index.ts";
import { DenseVariables, scope, type VariableCreator } from "../variables/index.ts";
import { MODEL_NAMES, smallResNetDepth } from "./models.ts";
import type { PoolKind } from "./options.ts";

export type BuiltModel = {
  readonly vars: VariableCreator;
  readonly model: Layer;
  readonly pool: VariablePool | null;
  /** Draws what dropout and stochastic depth leave out. */
  readonly random: Generator;
};

/** The shape of an input, and the number of outputs: classes, or 1 for a numeric target. */
export type Shapes = { readonly inputShape: readonly number[]; readonly classes: number };

/** What decides the weights of a new model. */
export type ModelChoice = {
  readonly model: string;
  readonly pool: PoolKind | null;
  readonly fraction: number;
  readonly seed: number;
};

/** How a model is built and trained. */
type Recipe = {
  readonly build: (vars: VariableCreator, shapes: Shapes, random: Generator) => Layer;
  readonly optimizer: (parameters: readonly Parameter[], options: OptimizerOptions) => Optimizer;
  /** Peak rate of a dense network, and of the dense weights beside a pool. */
  readonly learningRate: { readonly dense: number; readonly pooled: number };
  /** The rate of a pool's numbers, as a multiple of the rate of dense weights. */
  readonly rateFactor: Readonly<Record<PoolKind, number>>;
  /** The largest norm of all gradients together. */
  readonly largestGradient?: number;
};

/** The optimizer of ResNets and MobileNets, here and in bench/evidence. */
export const momentum: Recipe["optimizer"] = (parameters, options) =>
  sgd(parameters, { ...options, momentum: 0.9, nesterov: true, weightDecay: 5e-4 });

/**
 * With momentum, a last layer in a pool diverges at the rates that suit the convolutions, unless gradients are clipped
 * to this norm.
 */
export const LARGEST_GRADIENT = 1;

/**
 * The best of a search on validation images (bench/results/evidence-rates.jsonl). A meta pool takes the factor of its
 * product.
 */
export const IMAGE_RATES = {
  resNet: { dense: 0.2, pooled: 0.1 },
  mobileNet: { dense: 0.1, pooled: 0.1 },
  rateFactor: { product: 5, kronecker: 5, meta: 5, hash: 180 },
} as const;

/** Rates of Adam were chosen for runs of a few epochs. */
const ADAM_FACTORS = { product: 10, kronecker: 10, meta: 10, hash: 10 } as const;

const TOY: Recipe = {
  build: (vars, { inputShape: [height = 0, width = 0, channels = 0], classes }) =>
    toyNetwork(vars, { inputShape: [height, width, channels], classes }),
  optimizer: adam,
  learningRate: { dense: 0.006, pooled: 0.006 },
  rateFactor: ADAM_FACTORS,
};

/** Units of each of the two hidden layers of the MLP. */
const HIDDEN = 128;

const MLP: Recipe = {
  build: (vars, { inputShape, classes }) =>
    sequential(
      ...(inputShape.length > 1 ? [flatten()] : []),
      dense(scope(vars, "hidden1"), sizeOf(inputShape), HIDDEN),
      relu,
      dense(scope(vars, "hidden2"), HIDDEN, HIDDEN),
      relu,
      dense(scope(vars, "out"), HIDDEN, classes),
    ),
  optimizer: adam,
  learningRate: { dense: 0.002, pooled: 0.002 },
  rateFactor: ADAM_FACTORS,
};

/** A family of hashgrad/models. */
const family = (
  learningRate: Recipe["learningRate"],
  build: (vars: VariableCreator, options: ModelOptions) => Layer,
): Recipe => ({
  build: (vars, { inputShape: [, , channels = 0], classes }, random) => build(vars, { channels, classes, random }),
  optimizer: momentum,
  learningRate,
  rateFactor: IMAGE_RATES.rateFactor,
  largestGradient: LARGEST_GRADIENT,
});
/** Running statistics follow the weights in runs of a few epochs. */
const NORM = { momentum: 0.9 } as const;
const { resNet: FAST, mobileNet: SLOW } = IMAGE_RATES;

const NAMED: Readonly<Record<string, Recipe>> = {
  toy: TOY,
  mlp: MLP,
  ...Object.fromEntries(
    ([18, 34, 50, 101, 152] as const).map((depth) => [`resnet${depth}`, family(FAST, (vars, o) => resNet(vars, depth, o))]),
  ),
  mobilenetv2: family(SLOW, (vars, o) => mobileNetV2(vars, o)),
  mobilenetv3: family(SLOW, (vars, o) => mobileNetV3(vars, "small", { ...o, ...NORM, width: 0.5 })),
  "mobilenetv3-small": family(SLOW, (vars, o) => mobileNetV3(vars, "small", { ...o, ...NORM })),
  "mobilenetv3-large": family(SLOW, (vars, o) => mobileNetV3(vars, "large", { ...o, ...NORM })),
  ...Object.fromEntries(
    Array.from({ length: 8 }, (_, i) => [
      `efficientnet-b${i}`,
      family(SLOW, (vars, o) => efficientNet(vars, i, { ...o, ...NORM })),
    ]),
  ),
};

/** The recipe of a model; null if there is no such model. */
function recipeNamed(name: string): Recipe | null {
  if (Object.hasOwn(NAMED, name)) return NAMED[name]!;
  const depth = smallResNetDepth(name);
  return depth === null ? null : family(FAST, (vars, options) => cifarResNet(vars, depth, options));
}

function recipeOf(name: string): Recipe {
  const recipe = recipeNamed(name);
  if (recipe === null) throw new ValueError("model", `there is no model ${JSON.stringify(name)}: the names are ${MODEL_NAMES}`);
  return recipe;
}

/** A model for inputs of a shape, dense or with its kernels in a pool. */
export function buildModel({ model: name, pool: kind, fraction, seed }: ModelChoice, shapes: Shapes): BuiltModel {
  const recipe = recipeOf(name);
  if (name !== "mlp" && shapes.inputShape.length !== 3)
    throw new ValueError(name, "is a network for images; rows of a table need --model mlp");
  const random = new Generator(seed);
  const build = (vars: VariableCreator): Layer => recipe.build(vars, shapes, random);
  const pool = kind === null ? null : poolOf(kind, { poolSize: poolSizeFor(build), fraction, seed });
  const vars = pool === null ? new DenseVariables({ seed }) : new VariableFactory({ pool, seed });
  return { vars, model: build(vars), pool, random };
}

function poolOf(kind: PoolKind, options: { poolSize: number; fraction: number; seed: number }): VariablePool {
  if (kind === "hash") return new HashVariablePool(options);
  if (kind === "meta") return halves(options);
  return new ProductVariablePool({ ...options, useKroneckerProduct: kind === "kronecker" });
}

/** The sum of a product pool and a hash pool, each with half of the numbers. */
function halves({ poolSize, fraction, seed }: { poolSize: number; fraction: number; seed: number }): VariablePool {
  const half = { poolSize, fraction: fraction / 2, stddev: 0.5, seed };
  const parts = [new ProductVariablePool({ ...half, name: "part_0" }), new HashVariablePool({ ...half, name: "part_1" })];
  return new MetaVariablePool({ parts, reduce: "sum" });
}

/** Steps over which the rate rises to its peak; fewer in a run so short that this would be over a tenth of it. */
const WARM_UP = 100;

/** Whether a parameter holds numbers of a pool. */
export const isOfPool = ({ rateFactor }: Parameter): boolean => rateFactor !== undefined;

/** What happens to gradients before an update. */
export function clipGradients({ model: name }: Pick<ModelChoice, "model">, { parameters }: Optimizer): void {
  const { largestGradient } = recipeOf(name);
  if (largestGradient !== undefined) clipByGlobalNorm(parameters, largestGradient);
}

/** What decides the rates of a run. */
export type RateChoice = Pick<ModelChoice, "model" | "pool"> & { readonly learningRate: number | null };

/** A short rise, then a cosine down to 0. */
function scheduleOf(steps: number): Schedule {
  const rise = Math.min(WARM_UP, Math.floor(steps / 10));
  return warmUp(rise, cosineDecay({ steps: Math.max(1, steps - rise) }));
}

/** The peak rate of dense weights. */
export function peakRate({ model: name, pool, learningRate: given }: RateChoice): number {
  return given ?? recipeOf(name).learningRate[pool === null ? "dense" : "pooled"];
}

/** The rate of dense weights in step `step` of `steps`, from 0. */
export const rateAt = (choice: RateChoice, steps: number, step: number): number => peakRate(choice) * scheduleOf(steps)(step);

/** The optimizer of a run of `steps` steps. A given rate replaces the peak rate of dense weights. */
export function buildOptimizer(choice: RateChoice, vars: VariableCreator, steps: number): Optimizer {
  const { optimizer, rateFactor } = recipeOf(choice.model);
  return optimizer(vars.parameters(), {
    learningRate: peakRate(choice),
    groups: choice.pool === null ? [] : [{ match: isOfPool, rateFactor: rateFactor[choice.pool] }],
    schedule: scheduleOf(steps),
  });
}
