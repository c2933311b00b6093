import { describe, expect, test } from "vitest";
import { type Dataset, syntheticDigits } from "../../src/data/index.ts";
import { batchNorm, conv2d, dense, flatten, type Layer, maxPool2d, sequential, toyNetwork } from "../../src/nn/index.ts";
import { relu } from "../../src/ops/index.ts";
import { adam, adamW, type Optimizer, rmsprop, sgd } from "../../src/optim/index.ts";
import { ProductVariablePool, poolSizeFor, VariableFactory } from "../../src/smh/index.ts";
import { Generator, type Parameter } from "../../src/tensor/index.ts";
import { evaluate, train } from "../../src/train/index.ts";
import { DenseVariables, scope, type VariableCreator, weightsOf } from "../../src/variables/index.ts";

const digits = (count: number, seed: number): Dataset => syntheticDigits(count, new Generator(seed));

/** A model whose weights are dense (fraction 1) or in a product pool. */
function built(fraction: number, build: (vars: VariableCreator) => Layer, seed = 1): { vars: VariableCreator; model: Layer } {
  const pool = (): ProductVariablePool => new ProductVariablePool({ poolSize: poolSizeFor(build), fraction, seed });
  const vars = fraction === 1 ? new DenseVariables({ seed }) : new VariableFactory({ pool: pool(), seed });
  return { vars, model: build(vars) };
}

type Make = (parameters: readonly Parameter[]) => Optimizer;

/** Accuracy on new digits of the toy network in a pool at 0.4 after 60 steps. */
async function accuracyOf(make: Make): Promise<number> {
  const { vars, model } = built(0.4, (vars) => toyNetwork(vars));
  await train({ model, optimizer: make(vars.parameters()), data: digits(1000, 1), epochs: 3, batchSize: 50, seed: 1 });
  return (await evaluate({ model, data: digits(500, 2) })).accuracy!;
}

describe("a pool at fraction 0.4 learns at a rate for dense weights", () => {
  test.each<[string, Make]>([
    ["adam at 0.001", (parameters) => adam(parameters, { learningRate: 1e-3 })],
    ["adam at 0.003", (parameters) => adam(parameters, { learningRate: 3e-3 })],
    ["adamW by default", adamW],
    ["rmsprop by default", rmsprop],
    ["sgd by default", sgd],
    ["sgd with momentum at 0.03", (parameters) => sgd(parameters, { learningRate: 0.03, momentum: 0.9 })],
  ])("%s", async (_, make) => {
    expect(await accuracyOf(make)).toBeGreaterThan(0.75);
  });

  test("the default rate given explicitly trains a pool to the same bits", async () => {
    const bits = async (options: { learningRate?: number }): Promise<number[][]> => {
      const { vars, model } = built(0.4, (vars) => toyNetwork(vars));
      await train({ model, optimizer: adam(vars.parameters(), options), data: digits(60, 1), batchSize: 20 });
      return [...weightsOf(vars).values()].map((x) => [...x.toArray()]);
    };
    expect(await bits({ learningRate: 1e-3 })).toEqual(await bits({}));
  });
});

describe("after 50 steps with default settings batch norm gives similar accuracy in inference and training", () => {
  const convolutions = (vars: VariableCreator): Layer =>
    sequential(
      conv2d(scope(vars, "conv"), 1, 8, 3, { padding: "same", bias: false }),
      batchNorm(scope(vars, "norm"), 8),
      relu,
      maxPool2d(2),
      flatten(),
      dense(scope(vars, "head"), 14 * 14 * 8, 10),
    );
  const block = (vars: VariableCreator, inputs: number): Layer =>
    sequential(dense(scope(vars, "dense"), inputs, 64), batchNorm(scope(vars, "norm"), 64), relu);
  const perceptron = (vars: VariableCreator): Layer =>
    sequential(
      flatten(),
      block(scope(vars, "first"), 784),
      block(scope(vars, "second"), 64),
      block(scope(vars, "third"), 64),
      dense(scope(vars, "head"), 64, 10),
    );
  test.each([
    ["a convolution", 1, convolutions],
    ["a convolution in a pool", 0.4, convolutions],
    ["three dense layers", 1, perceptron],
    ["three dense layers in a pool", 0.4, perceptron],
  ])("%s", async (_, fraction, build) => {
    const data = digits(250, 1);
    const { vars, model } = built(fraction, build);
    const optimizer = adam(vars.parameters());
    const { epochs } = await train({ model, optimizer, data, epochs: 10, batchSize: 50 });
    expect(optimizer.steps).toBe(50);
    const [trained, evaluated] = [epochs.at(-1)!.accuracy!, (await evaluate({ model, data })).accuracy!];
    expect(trained).toBeGreaterThan(0.9);
    expect(Math.abs(evaluated - trained)).toBeLessThan(0.05);
  });
});
