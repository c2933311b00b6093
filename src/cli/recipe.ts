import type { Layer } from "../nn/index.ts";
import { toyNetwork } from "../nn/index.ts";
import { adam, cosineDecay, type Optimizer, warmUp } from "../optim/index.ts";
import {
  HashVariablePool,
  MetaVariablePool,
  ProductVariablePool,
  poolSizeFor,
  VariableFactory,
  type VariablePool,
} from "../smh/index.ts";
import type { Parameter } from "../tensor/index.ts";
import { DenseVariables, type VariableCreator } from "../variables/index.ts";
import type { PoolKind } from "./options.ts";

export type ToyModel = { readonly vars: VariableCreator; readonly model: Layer; readonly pool: VariablePool | null };

/** The toy network for images of a shape, dense or with its kernels in a pool. */
export function buildToy(
  kind: PoolKind | null,
  fraction: number,
  seed: number,
  inputShape: readonly [number, number, number],
  classes: number,
): ToyModel {
  const build = (vars: VariableCreator): Layer => toyNetwork(vars, { inputShape, classes });
  const pool = kind === null ? null : poolOf(kind, { poolSize: poolSizeFor(build), fraction, seed });
  const vars = pool === null ? new DenseVariables({ seed }) : new VariableFactory({ pool, seed });
  return { vars, model: build(vars), pool };
}

function poolOf(kind: PoolKind, options: { poolSize: number; fraction: number; seed: number }): VariablePool {
  if (kind === "hash") return new HashVariablePool(options);
  if (kind === "meta") return new MetaVariablePool({ ...options, parts: ["product", "hash"], reduce: "sum" });
  return new ProductVariablePool({ ...options, useKroneckerProduct: kind === "kronecker" });
}

/** Peak rate under Adam and the rate factor of a pool's numbers, found for runs of three epochs (docs/smh.md). */
const LEARNING_RATE = 0.006;
const RATE_FACTOR = 10;
/** Steps over which the rate rises to its peak; fewer in a run so short that this would be over a tenth of it. */
const WARM_UP = 100;

const isOfPool = ({ rateFactor }: Parameter): boolean => rateFactor !== undefined;

/** Adam for a run of `steps` steps: a short rise, then a cosine down to 0. A given rate replaces the peak rate of dense weights. */
export function toyOptimizer(vars: VariableCreator, steps: number, learningRate: number | null): Optimizer {
  const rise = Math.min(WARM_UP, Math.floor(steps / 10));
  const parameters = vars.parameters();
  return adam(parameters, {
    learningRate: learningRate ?? LEARNING_RATE,
    groups: parameters.some(isOfPool) ? [{ match: isOfPool, rateFactor: RATE_FACTOR }] : [],
    schedule: warmUp(rise, cosineDecay({ steps: Math.max(1, steps - rise) })),
  });
}
