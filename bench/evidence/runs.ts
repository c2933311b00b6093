import { IMAGE_RATES } from "../../src/cli/recipe.ts";
import { Generator, mul } from "../../src/index.ts";
import { cifarResNet, mobileNetV3 } from "../../src/models/index.ts";
import type { Layer } from "../../src/nn/index.ts";
import {
  type ApplyTo,
  HashVariablePool,
  type Modifier,
  namedModifier,
  ProductVariablePool,
  poolSizeFor,
  VariableFactory,
  type VariablePool,
} from "../../src/smh/index.ts";
import { DenseVariables, type VariableCreator } from "../../src/variables/index.ts";
import { RandomHashPool } from "./random-hash-pool.ts";

/** A network and the generators that it draws from: what a checkpoint holds, but for the optimizer. */
export type Network = {
  readonly vars: VariableCreator;
  readonly model: Layer;
  readonly generators: Readonly<Record<string, Generator>>;
};

/** A row of the table: a network to train, with its peak rate and the rate factor of its pool. */
export type Run = {
  readonly name: string;
  readonly rate: number;
  /** null: the network has no pool. */
  readonly rateFactor: number | null;
  readonly build: (seed: number) => Network;
};

type Family = (vars: VariableCreator, random: Generator) => Layer;
type Kind = "product" | "hash" | "random";

/** The factor of random hashing was chosen by the same search as the others. */
const RATE_FACTORS = { ...IMAGE_RATES.rateFactor, random: 60 } as const;

const resNet20 =
  (width = 1): Family =>
  (vars, random) =>
    cifarResNet(vars, 20, { channels: 1, width, random });
const mobileNet: Family = (vars, random) =>
  mobileNetV3(vars, "small", { channels: 1, classes: 10, width: 0.5, momentum: 0.9, random });

const dense = (name: string, family: Family, rate: number = IMAGE_RATES.resNet.dense): Run => ({
  name,
  rate,
  rateFactor: null,
  build: (seed) => {
    const [vars, random] = [new DenseVariables({ seed }), new Generator(seed)];
    return { vars, model: family(vars, random), generators: { dropout: random } };
  },
});

type PoolOptions = { readonly poolSize: number; readonly fraction: number; readonly seed: number };
const POOLS: Readonly<Record<Kind, (options: PoolOptions, hashes: number) => VariablePool>> = {
  product: (options) => new ProductVariablePool(options),
  hash: (options) => new HashVariablePool(options),
  random: (options, hashes) => new RandomHashPool({ ...options, hashes }),
};

type PooledOptions = {
  readonly kind?: Kind;
  readonly hashes?: number;
  readonly family?: Family;
  readonly applyTo?: ApplyTo;
  readonly modifier?: Modifier;
};

function pooled(name: string, fraction: number, options: PooledOptions = {}): Run {
  const { kind = "product", hashes = 1, family = resNet20(), applyTo = null, modifier } = options;
  return {
    name,
    rate: IMAGE_RATES.resNet.pooled,
    rateFactor: RATE_FACTORS[kind],
    build: (seed) => {
      const random = new Generator(seed);
      const poolSize = poolSizeFor((vars) => family(vars, random), { applyTo });
      const pool = POOLS[kind]({ poolSize, fraction, seed }, hashes);
      const vars = new VariableFactory({ pool, applyTo, seed, ...(modifier === undefined ? {} : { modifier }) });
      return { vars, model: family(vars, random), generators: { dropout: random } };
    },
  };
}

/** The factory's default modifier without its learned scale. */
const fixedScale: Modifier = namedModifier("fixed initializer scale", (slice, { shape, init, stddev }) =>
  mul(slice, init.deviation(shape) / stddev),
);
const exceptEnds: ApplyTo = (name, shape) => shape.length >= 2 && name !== "conv1/kernel" && name !== "fc/kernel";

/** All runs in the order in which they are made: a table of few runs answers the main questions. */
export const RUNS: readonly Run[] = [
  dense("dense", resNet20()),
  pooled("product 0.1", 0.1),
  dense("width 0.3125", resNet20(0.3125)), // the size of fraction 0.1
  dense("MobileNetV3 dense", mobileNet, IMAGE_RATES.mobileNet.dense),
  pooled("MobileNetV3 product 0.25", 0.25, { family: mobileNet }),
  pooled("MobileNetV3 product 0.1", 0.1, { family: mobileNet }),
  pooled("product 0.25", 0.25),
  pooled("hash 0.1", 0.1, { kind: "hash" }),
  pooled("random hashing 1× 0.1", 0.1, { kind: "random", hashes: 1 }),
  pooled("product 0.05", 0.05),
  pooled("product 0.5", 0.5),
  dense("width 0.5", resNet20(0.5)), // the size of fraction 0.25
  pooled("random hashing 4× 0.1", 0.1, { kind: "random", hashes: 4 }),
  pooled("product 0.1, fixed scale", 0.1, { modifier: fixedScale }),
  pooled("product 0.1, first and last layer dense", 0.1, { applyTo: exceptEnds }),
  pooled("hash 0.25", 0.25, { kind: "hash" }),
  pooled("random hashing 1× 0.25", 0.25, { kind: "random", hashes: 1 }),
  pooled("random hashing 4× 0.25", 0.25, { kind: "random", hashes: 4 }),
  pooled("twice as wide, product 0.25", 0.25, { family: resNet20(2) }), // the size of the dense network
  pooled("hash 0.05", 0.05, { kind: "hash" }),
  pooled("hash 0.5", 0.5, { kind: "hash" }),
  ...[0.05, 0.5].flatMap((fraction) =>
    [1, 4].map((hashes) => pooled(`random hashing ${hashes}× ${fraction}`, fraction, { kind: "random", hashes })),
  ),
];

/** The run of a name. @throws Error that lists the names. */
export function runOf(name: string): Run {
  const found = RUNS.find((run) => run.name === name);
  if (found === undefined) throw new Error(`there is no run "${name}"; the runs are ${RUNS.map((run) => run.name).join("; ")}`);
  return found;
}
