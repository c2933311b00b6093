import { batchOf, syntheticDigits } from "../src/data/index.ts";
import { backward, DenseVariables, Generator, noGrad, randomUniform, step, sum, type VariableCreator } from "../src/index.ts";
import { toyNetwork } from "../src/nn/index.ts";
import { adam } from "../src/optim/index.ts";
import { ProductVariablePool, poolSizeFor, VariableFactory } from "../src/smh/index.ts";
import { type Budget, bench, type Measurement } from "./harness.ts";
import { update } from "./update.ts";

const pooled = (poolSize: number, fraction: number): VariableFactory =>
  new VariableFactory({ pool: new ProductVariablePool({ poolSize, fraction }) });

/** A creator for the toy network at fraction 0.4. */
export const pooledToy = (): VariableFactory => pooled(poolSizeFor(toyNetwork), 0.4);

const first = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

/** A function that trains the toy network for one step with Adam, on always the same batch, and returns the loss. */
export function trainingStep(vars: VariableCreator, batchSize: number): () => number {
  const data = syntheticDigits(batchSize, new Generator(1));
  const model = toyNetwork(vars);
  const optimizer = adam(vars.parameters(), { learningRate: 1e-4 });
  return () =>
    step(() => {
      const { inputs, targets: labels } = batchOf(data, first(batchSize));
      return update(model, optimizer, inputs, labels);
    });
}

/**
 * A training step of the toy network (batch 128, Adam) dense and compressed; the 128×128×3 network of the original
 * README; inference; the pool product.
 */
export function stepBenches(budget: Budget): Measurement[] {
  const found: Measurement[] = [];
  const data = syntheticDigits(256, new Generator(1));
  for (const size of [128, 32]) {
    found.push(bench(`toy net, dense, training step, batch ${size}`, trainingStep(new DenseVariables(), size), budget));
    found.push(bench(`toy net, SMH 0.4, training step, batch ${size}`, trainingStep(pooledToy(), size), budget));
  }

  const large = pooled(7e5, 0.4);
  const seedNet = toyNetwork(large, { inputShape: [128, 128, 3] });
  const optimizer = adam(large.parameters(), { learningRate: 1e-4 });
  const images = randomUniform([8, 128, 128, 3], new Generator(2));
  const largeStep = (): number => update(seedNet, optimizer, images, first(8));
  found.push(bench("128×128 net, SMH 0.4, training step, batch 8", largeStep, budget));

  const toy = toyNetwork(pooledToy());
  for (const size of [1, 256]) {
    const { inputs } = batchOf(data, first(size));
    found.push(bench(`toy net, inference, batch ${size}`, () => step(() => noGrad(() => toy(inputs).data[0]!)), budget));
  }

  const pool = new ProductVariablePool({ poolSize: 7e5, fraction: 0.4 });
  const slice = pool.getSlice([656_586]);
  const product = (): number => {
    backward(sum(slice.read()));
    return pool.coreVariables[0]!.tensor.grad!.data[0]!;
  };
  found.push(bench("pool product 837×167·167×837, forward and backward", () => step(product), budget));
  return found;
}
