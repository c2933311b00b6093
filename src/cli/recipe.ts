import type { Dataset } from "../data/index.ts";
import { cifarResNet, mobileNetV3 } from "../models/index.ts";
import { type Layer, toyNetwork } from "../nn/index.ts";
import { adam, clipByGlobalNorm, cosineDecay, type Optimizer, type OptimizerOptions, sgd, warmUp } from "../optim/index.ts";
import {
  HashVariablePool,
  MetaVariablePool,
  ProductVariablePool,
  poolSizeFor,
  VariableFactory,
  type VariablePool,
} from "../smh/index.ts";
import { Generator, type Parameter } from "../tensor/index.ts";
import { DenseVariables, type VariableCreator } from "../variables/index.ts";
import type { MnistOptions, ModelName, PoolKind } from "./options.ts";

export type BuiltModel = { readonly vars: VariableCreator; readonly model: Layer; readonly pool: VariablePool | null };

type Images = Pick<Dataset, "inputShape" | "classes">;

/** How a model is built and trained. */
type Recipe = {
  readonly build: (vars: VariableCreator, images: Images, random: Generator) => Layer;
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

/** Rates were chosen for runs of a few epochs. */
const RECIPES: Readonly<Record<ModelName, Recipe>> = {
  toy: {
    build: (vars, { inputShape: [height = 0, width = 0, channels = 0], classes }) =>
      toyNetwork(vars, { inputShape: [height, width, channels], classes }),
    optimizer: adam,
    learningRate: { dense: 0.006, pooled: 0.006 },
    rateFactor: { product: 10, kronecker: 10, meta: 10, hash: 10 },
  },
  resnet20: {
    build: (vars, { inputShape: [, , channels = 0], classes }, random) => cifarResNet(vars, 20, { channels, classes, random }),
    optimizer: momentum,
    learningRate: IMAGE_RATES.resNet,
    rateFactor: IMAGE_RATES.rateFactor,
    largestGradient: LARGEST_GRADIENT,
  },
  mobilenetv3: {
    build: (vars, { inputShape: [, , channels = 0], classes }, random) =>
      mobileNetV3(vars, "small", { channels, classes, width: 0.5, momentum: 0.9, random }),
    optimizer: momentum,
    learningRate: IMAGE_RATES.mobileNet,
    rateFactor: IMAGE_RATES.rateFactor,
    largestGradient: LARGEST_GRADIENT,
  },
};

/** A model for images of a shape, dense or with its kernels in a pool. */
export function buildModel(
  { model: name, pool: kind, fraction, seed }: Pick<MnistOptions, "model" | "pool" | "fraction" | "seed">,
  images: Images,
): BuiltModel {
  const random = new Generator(seed); // of dropout
  const build = (vars: VariableCreator): Layer => RECIPES[name].build(vars, images, random);
  const pool = kind === null ? null : poolOf(kind, { poolSize: poolSizeFor(build), fraction, seed });
  const vars = pool === null ? new DenseVariables({ seed }) : new VariableFactory({ pool, seed });
  return { vars, model: build(vars), pool };
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
export function clipGradients({ model: name }: Pick<MnistOptions, "model">, { parameters }: Optimizer): void {
  const { largestGradient } = RECIPES[name];
  if (largestGradient !== undefined) clipByGlobalNorm(parameters, largestGradient);
}

/**
 * The optimizer of a run of `steps` steps: a short rise, then a cosine down to 0. A given rate replaces the peak rate
 * of dense weights.
 */
export function buildOptimizer(
  { model: name, pool, learningRate: given }: Pick<MnistOptions, "model" | "pool" | "learningRate">,
  vars: VariableCreator,
  steps: number,
): Optimizer {
  const { optimizer, learningRate, rateFactor } = RECIPES[name];
  const rise = Math.min(WARM_UP, Math.floor(steps / 10));
  return optimizer(vars.parameters(), {
    learningRate: given ?? learningRate[pool === null ? "dense" : "pooled"],
    groups: pool === null ? [] : [{ match: isOfPool, rateFactor: rateFactor[pool] }],
    schedule: warmUp(rise, cosineDecay({ steps: Math.max(1, steps - rise) })),
  });
}
