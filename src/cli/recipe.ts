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
  /** Peak rate of dense weights. */
  readonly learningRate: number;
  /** The rate of a pool's numbers, as a multiple of the rate of dense weights. */
  readonly rateFactor: number;
  /** The largest norm of all gradients together. A last layer in a pool diverges without it under momentum. */
  readonly largestGradient?: number;
};

const momentum: Recipe["optimizer"] = (parameters, options) =>
  sgd(parameters, { ...options, momentum: 0.9, nesterov: true, weightDecay: 5e-4 });

/** Rates were chosen for runs of a few epochs (docs/smh.md). */
const RECIPES: Readonly<Record<ModelName, Recipe>> = {
  toy: {
    build: (vars, { inputShape: [height = 0, width = 0, channels = 0], classes }) =>
      toyNetwork(vars, { inputShape: [height, width, channels], classes }),
    optimizer: adam,
    learningRate: 0.006,
    rateFactor: 10,
  },
  resnet20: {
    build: (vars, { inputShape: [, , channels = 0], classes }, random) => cifarResNet(vars, 20, { channels, classes, random }),
    optimizer: momentum,
    learningRate: 0.1,
    rateFactor: 10,
    largestGradient: 1,
  },
  mobilenetv3: {
    build: (vars, { inputShape: [, , channels = 0], classes }, random) =>
      mobileNetV3(vars, "small", { channels, classes, width: 0.5, momentum: 0.9, random }),
    optimizer: momentum,
    learningRate: 0.1,
    rateFactor: 10,
    largestGradient: 1,
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
  if (kind === "meta") return new MetaVariablePool({ ...options, parts: ["product", "hash"], reduce: "sum" });
  return new ProductVariablePool({ ...options, useKroneckerProduct: kind === "kronecker" });
}

/** Steps over which the rate rises to its peak; fewer in a run so short that this would be over a tenth of it. */
const WARM_UP = 100;

const isOfPool = ({ rateFactor }: Parameter): boolean => rateFactor !== undefined;

/** What happens to gradients before an update. */
export function clipGradients({ model: name }: Pick<MnistOptions, "model">, { parameters }: Optimizer): void {
  const { largestGradient } = RECIPES[name];
  if (largestGradient !== undefined) clipByGlobalNorm(parameters, largestGradient);
}

/** The optimizer of a run of `steps` steps: a short rise, then a cosine down to 0. A given rate replaces the peak rate of dense weights. */
export function buildOptimizer(
  { model: name, learningRate: given }: Pick<MnistOptions, "model" | "learningRate">,
  vars: VariableCreator,
  steps: number,
): Optimizer {
  const { optimizer, learningRate, rateFactor } = RECIPES[name];
  const rise = Math.min(WARM_UP, Math.floor(steps / 10));
  const parameters = vars.parameters();
  return optimizer(parameters, {
    learningRate: given ?? learningRate,
    groups: parameters.some(isOfPool) ? [{ match: isOfPool, rateFactor }] : [],
    schedule: warmUp(rise, cosineDecay({ steps: Math.max(1, steps - rise) })),
  });
}
