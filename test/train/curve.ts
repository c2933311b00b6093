import { batches, syntheticDigits } from "../../src/data/index.ts";
import { type Layer, toyNetwork } from "../../src/nn/index.ts";
import { crossEntropy } from "../../src/ops/index.ts";
import { sgd } from "../../src/optim/index.ts";
import { ProductVariablePool, poolSizeFor, VariableFactory } from "../../src/smh/index.ts";
import { backward, Generator, step, training } from "../../src/tensor/index.ts";
import { DenseVariables, type VariableCreator } from "../../src/variables/index.ts";

export type Kind = "dense" | "product";

/**
 * The losses of ten steps of the toy network on ten batches of 64 synthetic digits, its weights dense or in a product
 * pool at fraction 0.4. Plain SGD with momentum: under Adam a gradient of the wrong size would go unnoticed.
 */
export function curve(kind: Kind): number[] {
  const build = (vars: VariableCreator): Layer => toyNetwork(vars);
  const pool = (): ProductVariablePool => new ProductVariablePool({ poolSize: poolSizeFor(build), fraction: 0.4, seed: 1 });
  const vars = kind === "dense" ? new DenseVariables({ seed: 1 }) : new VariableFactory({ pool: pool(), seed: 1 });
  const model = build(vars);
  const groups = [{ match: "", rateFactor: 1 }]; // one rate for the pool's numbers and all others
  const optimizer = sgd(vars.parameters(), { learningRate: kind === "dense" ? 0.02 : 0.5, momentum: 0.9, groups });
  const data = syntheticDigits(640, new Generator(1));
  return [...batches(data, { batchSize: 64, random: new Generator(2) })].map(({ inputs, targets: labels }) =>
    step(() => {
      const loss = crossEntropy(
        training(() => model(inputs)),
        labels,
      );
      backward(loss);
      optimizer.step();
      return loss.item();
    }),
  );
}
