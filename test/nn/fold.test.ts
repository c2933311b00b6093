import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { basicBlock } from "../../src/models/index.ts";
import { batchNorm, conv2d, depthwiseConv2d, type Layer, sequential } from "../../src/nn/index.ts";
import * as ops from "../../src/ops/index.ts";
import { compress } from "../../src/smh/index.ts";
import { assign, Generator, noGrad, randomNormal, type Tensor, tensor, training } from "../../src/tensor/index.ts";
import { DenseVariables, type Model, scope, type VariableCreator } from "../../src/variables/index.ts";
import "../fixed-seed.ts";

/** Fills all variables with random numbers; those of a variance are positive. */
function randomize(vars: VariableCreator, random: Generator): void {
  for (const v of vars.variables()) {
    if (v.storage === "pool") continue;
    const drawn = randomNormal(v.shape, random, v.name.endsWith("gamma") ? 1 : 0, 0.5);
    v.assign(v.name.endsWith("variance") ? ops.add(ops.square(drawn), 0.1) : drawn);
  }
}

const CLOSE = 2e-5;
function expectClose(got: Tensor, want: Tensor): void {
  const size = want.toArray().reduce((most, v) => Math.max(most, Math.abs(v)), 1);
  expect(got.shape).toEqual(want.shape);
  const far = want.toArray().findIndex((v, i) => !(Math.abs(got.data[i]! - v) <= CLOSE * size));
  if (far >= 0) throw new Error(`element ${far} is ${got.data[far]}, want ${want.data[far]}`);
}

/** The ops of a layer's graph. */
const opsOf = (layer: Layer, x: Tensor): string[] =>
  ops.trace(layer, [x]).graph.nodes.flatMap((node) => (node.kind === "op" ? [node.op] : []));

const activations = [undefined, ops.relu, ops.relu6, ops.hardSwish, ops.silu, ops.tanh] as const;
const cases = fc.record({
  depthwise: fc.boolean(),
  groups: fc.constantFrom(1, 2),
  size: fc.integer({ min: 1, max: 9 }),
  filters: fc.integer({ min: 1, max: 9 }).map((n) => 2 * n),
  kernelSize: fc.constantFrom(1, 3),
  strides: fc.constantFrom(1, 2),
  bias: fc.boolean(),
  activation: fc.constantFrom(...activations),
  seed: fc.integer(),
});

describe("a batch normalization after a convolution", () => {
  test("is folded under noGrad with the result of the two layers, even after their variables change", () => {
    fc.assert(
      fc.property(cases, ({ depthwise, groups, size, filters, kernelSize, strides, bias, activation, seed }) => {
        const [vars, random] = [new DenseVariables(), new Generator(seed)];
        const options = { strides, padding: "same", bias } as const;
        const [conv, norm] = [scope(vars, "conv"), scope(vars, "norm")];
        const layer = sequential(
          depthwise
            ? depthwiseConv2d(conv, 4, kernelSize, { ...options, multiplier: filters / 2 })
            : conv2d(conv, 4, 2 * filters, kernelSize, { ...options, groups }),
          batchNorm(norm, 2 * filters, activation === undefined ? {} : { activation }),
        );
        const x = randomNormal([2, size, size, 4], random);
        for (let i = 0; i < 2; i++) {
          randomize(vars, random);
          const want = layer(x);
          for (let again = 0; again < 2; again++)
            expectClose(
              noGrad(() => layer(x)),
              want,
            );
        }
      }),
      { numRuns: 60 },
    );
  });

  test("is not folded in training", () => {
    const layer = (vars: VariableCreator): Layer =>
      sequential(conv2d(scope(vars, "conv"), 2, 4, 3), batchNorm(scope(vars, "norm"), 4));
    const x = randomNormal([3, 5, 5, 2], new Generator(1));
    const [a, b] = [layer(new DenseVariables()), layer(new DenseVariables())];
    expect(noGrad(() => training(() => a(x))).toArray()).toEqual(training(() => b(x)).toArray());
  });

  test("has a separate node in a graph, with its variables as parameters", () => {
    const vars = new DenseVariables();
    const layer = basicBlock(vars, 4, 4);
    randomize(vars, new Generator(1));
    const x = randomNormal([1, 4, 4, 4], new Generator(2));
    expect(opsOf(layer, x)).toEqual(["conv2d", "batchNormInference", "conv2d", "batchNormInference", "add", "relu"]);
    const { graph, outputs } = ops.trace(layer, [x]);
    expect(graph.nodes.filter((node) => node.kind === "parameter").map((node) => node.name)).toContain("norm2/gamma");
    expectClose(
      noGrad(() => layer(x)),
      outputs[0]!,
    );
  });

  test("is folded into the weights of a pool, which follow the factors of the pool", () => {
    const model: Model<Layer> = (vars) =>
      sequential(conv2d(scope(vars, "conv"), 4, 16, 3), batchNorm(scope(vars, "norm"), 16, { activation: ops.relu }));
    const { model: layer, vars } = compress(model, { fraction: 0.5 });
    const x = randomNormal([2, 5, 5, 4], new Generator(1));
    for (const seed of [1, 2]) {
      randomize(vars, new Generator(seed));
      for (const { tensor: core } of vars.parameters()) assign(core, randomNormal(core.shape, new Generator(seed)));
      expectClose(
        noGrad(() => layer(x)),
        layer(x),
      );
    }
  });

  test("names its own op in the error for a wrong number of channels", () => {
    const vars = new DenseVariables();
    const layer = sequential(conv2d(scope(vars, "conv"), 2, 4, 1), batchNorm(scope(vars, "norm"), 3));
    expect(() => noGrad(() => layer(tensor(new Float32Array(8), [1, 2, 2, 2])))).toThrow("batchNormInference: gamma [3]");
  });
});
