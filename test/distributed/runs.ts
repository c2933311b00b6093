import { type Dataset, syntheticDigits } from "../../src/data/index.ts";
import { type Layer, toyNetwork } from "../../src/nn/index.ts";
import { adam, type Optimizer } from "../../src/optim/index.ts";
import { HashVariablePool, ProductVariablePool, poolSizeFor, VariableFactory } from "../../src/smh/index.ts";
import { Generator } from "../../src/tensor/index.ts";
import { DenseVariables, type VariableCreator, weightsOf } from "../../src/variables/index.ts";
import { normalizedNetwork } from "../normalized-network.ts";

// The models and data of the tests of hashgrad/distributed. Coordinator and worker processes build the same.

export const kinds = ["dense", "product", "hash", "norm"] as const;
export type Kind = (typeof kinds)[number];

export const digits: Dataset = syntheticDigits(50, new Generator(1), { height: 12, width: 12 });

export type Built = {
  readonly vars: VariableCreator;
  readonly model: Layer;
  readonly data: Dataset;
  readonly optimizer: Optimizer;
  readonly generators: Readonly<Record<string, Generator>>;
};

/** "norm" has batch normalization and dropout; "product" and "hash" are compressed. */
export function build(kind: Kind, seed = 1): Built {
  const random = new Generator(5);
  const plain = (vars: VariableCreator): Layer => toyNetwork(vars, { inputShape: [12, 12, 1] });
  const normalized = (vars: VariableCreator): Layer => normalizedNetwork(vars, random);
  const network = kind === "norm" ? normalized : plain;
  const options = { poolSize: poolSizeFor(network), fraction: 0.4, seed };
  const pools = { product: ProductVariablePool, hash: HashVariablePool };
  const vars =
    kind === "product" || kind === "hash"
      ? new VariableFactory({ pool: new pools[kind](options), seed })
      : new DenseVariables({ seed });
  const model = network(vars);
  const optimizer = adam(vars.parameters(), { learningRate: 0.005 });
  return { vars, model, data: digits, optimizer, generators: kind === "norm" ? { dropout: random } : {} };
}

export const bits = (vars: VariableCreator): [string, Float32Array][] =>
  [...weightsOf(vars)].map(([name, x]): [string, Float32Array] => [name, x.toArray()]);
