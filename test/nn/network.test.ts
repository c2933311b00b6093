import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  avgPool2d,
  batchNorm,
  conv2d,
  dense,
  depthwiseConv2d,
  flatten,
  type Layer,
  layerNorm,
  residual,
  sequential,
  toyNetwork,
} from "../../src/nn/index.ts";
import { crossEntropy, gelu, mul, tanh } from "../../src/ops/index.ts";
import {
  HashVariablePool,
  type PoolOptions,
  ProductVariablePool,
  poolSizeFor,
  VariableFactory,
  type VariablePool,
} from "../../src/smh/index.ts";
import { assign, customGradient, Generator, inference, randomNormal, type Tensor, training } from "../../src/tensor/index.ts";
import { DenseVariables, normalInit, scope, type VariableCreator, weightsOf } from "../../src/variables/index.ts";
import "../fixed-seed.ts";
import { metaPool } from "../meta-pool.ts";
import { parameterGradientError } from "./network-law.ts";

/** Every kind of layer with a smooth gradient: images [batch, 6, 6, 2] → logits [batch, 5]. */
const network = (vars: VariableCreator): Layer =>
  sequential(
    conv2d(scope(vars, "conv"), 2, 4, 3, { padding: "same", biasInit: normalInit(0.1) }),
    batchNorm(scope(vars, "bn"), 4),
    tanh,
    residual(depthwiseConv2d(scope(vars, "depthwise"), 4, 3, { padding: "same" })),
    avgPool2d(2),
    flatten(),
    gelu,
    layerNorm(scope(vars, "ln"), 36),
    dense(scope(vars, "out"), 36, 5),
  );

const pools: Readonly<Record<string, (options: PoolOptions) => VariablePool>> = {
  product: (options) => new ProductVariablePool(options),
  "product, cyclic store": (options) => new ProductVariablePool({ ...options, poolSize: 100, indexStore: "cyclic" }),
  "product, padding store": (options) => new ProductVariablePool({ ...options, poolSize: 200, indexStore: "padding" }),
  kronecker: (options) => new ProductVariablePool({ ...options, useKroneckerProduct: true }),
  hash: (options) => new HashVariablePool(options),
  "sum of product and hash": (options) => metaPool(["product", "hash"], "sum", options),
  "product of kronecker and hash": (options) => metaPool(["kronecker", "hash"], "product", options),
};

const varsOf = (kind: string, seed: number): VariableCreator => {
  const make = pools[kind];
  if (make === undefined) return new DenseVariables({ seed });
  return new VariableFactory({ pool: make({ poolSize: poolSizeFor(network), fraction: 0.7, seed }), seed });
};

describe.each(["dense", ...Object.keys(pools)])("the parameters of a network, %s,", (kind) => {
  test.each([training, inference])("have gradients that agree with central differences, in $name", (mode) => {
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        const random = new Generator(seed);
        const vars = varsOf(kind, seed);
        const model = network(vars);
        const x = randomNormal([5, 6, 6, 2], random);
        const lossOf = (): Tensor =>
          crossEntropy(
            mode(() => model(x)),
            [0, 1, 2, 3, 4],
            { reduction: "none" },
          );
        expect(parameterGradientError(vars.parameters(), lossOf, random)).toBeLessThan(2e-3);
      }),
      { numRuns: 5 },
    );
  });
});

test("the gradient check finds a gradient that is 2 % too large in one layer of many", () => {
  const vars = new DenseVariables();
  const wrong: Layer = (x) =>
    customGradient(
      "wrong",
      [x],
      (v) => v,
      (dy) => [mul(dy, 1.02)],
    );
  const model = sequential(network(vars), wrong);
  const random = new Generator(3);
  const x = randomNormal([5, 6, 6, 2], random);
  const errors = Array.from({ length: 10 }, () =>
    parameterGradientError(vars.parameters(), () => training(() => model(x)), random),
  );
  expect(Math.min(...errors)).toBeGreaterThan(2e-3);
});

test("the toy network has 31,786 weights and gives logits for images of every size from 2×2 on", () => {
  const vars = new DenseVariables();
  const model = toyNetwork(vars);
  expect(vars.variables().map(({ name, shape }) => [name, shape])).toEqual([
    ["conv/kernel", [5, 5, 1, 16]],
    ["conv/bias", [16]],
    ["dense/kernel", [3136, 10]],
    ["dense/bias", [10]],
  ]);
  expect([...weightsOf(vars).values()].reduce((sum, x) => sum + x.size, 0)).toBe(31_786);
  expect(model(randomNormal([2, 28, 28, 1], new Generator(1))).shape).toEqual([2, 10]);
  for (const inputShape of [
    [2, 2, 1],
    [3, 5, 3],
  ] as const) {
    const small = toyNetwork(new DenseVariables(), { inputShape, classes: 4 });
    expect(small(randomNormal([3, ...inputShape], new Generator(1))).shape).toEqual([3, 4]);
  }
});

test("a compressed network uses the new numbers of a pool after they change", () => {
  const vars = varsOf("product", 1);
  const model = network(vars);
  const x = randomNormal([2, 6, 6, 2], new Generator(1));
  const before = model(x).toArray();
  const { tensor: left } = vars.parameters()[0]!;
  assign(
    left,
    left.toArray().map((v) => -v),
  );
  expect(model(x).toArray()).not.toEqual(before);
  assign(
    left,
    left.toArray().map((v) => -v),
  );
  expect(model(x).toArray()).toEqual(before);
});
