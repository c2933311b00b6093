import { describe, expect, test } from "vitest";
import { type Dataset, syntheticDigits } from "../../src/data/index.ts";
import { batchNorm, dense, flatten, type Layer, sequential } from "../../src/nn/index.ts";
import { binaryCrossEntropyWithLogits, meanAbsoluteError, meanSquaredError } from "../../src/ops/index.ts";
import { adam } from "../../src/optim/index.ts";
import { freeze, Generator, inference, randomUniform, type Tensor, zeros } from "../../src/tensor/index.ts";
import { evaluate, f1, rSquared, type Transform, train } from "../../src/train/index.ts";
import { DenseVariables, scope } from "../../src/variables/index.ts";

// The first mistakes that a new user makes: each is an error that names the remedy.

const inputs = randomUniform([20, 4], new Generator(1));
const targets = Float32Array.from({ length: 20 }, (_, i) => inputs.data[4 * i]!);
const labels = Int32Array.from({ length: 20 }, (_, i) => i % 2);

function run(options: object, outputs = 1): Promise<unknown> {
  const vars = new DenseVariables({ seed: 1 });
  const model = dense(scope(vars, "out"), 4, outputs);
  const given = { model, optimizer: adam(vars.parameters()), data: { inputs, targets }, loss: meanSquaredError };
  return train({ ...given, ...options } as never);
}

describe("train refuses", () => {
  test.each([
    ["columns without targets", { data: { inputs, target: targets } }, "train: data must have targets, it has inputs, target"],
    ["validation data without targets", { validation: { inputs } }, "train: validation must have targets, it has inputs"],
    [
      "labels for a loss of numbers",
      { data: { inputs, targets: labels } },
      "meanSquaredError: target must be a tensor; train gives labels for integers: give it a Float32Array for numbers",
    ],
    [
      "one logit with the default loss",
      { data: { inputs, targets: labels }, loss: undefined },
      "train: the model returned [20, 1], one number per example, and the default loss needs one per class; for two classes by one logit give targets as a Float32Array and loss: binaryCrossEntropyWithLogits",
    ],
    [
      "labels that begin at 1",
      { data: { inputs, targets: Int32Array.from(labels, (label) => label + 1) }, loss: undefined, outputs: 2 },
      "train: the model returned [20, 2], so there is no class for the label 2; labels begin at 0",
    ],
    [
      "a metric that was not made",
      { metrics: { r2: rSquared } },
      "train: metrics.r2 must return a number or a tensor of one number, got an object with the keys start; call the function that makes the metric, such as rSquared()",
    ],
    [
      "early stopping on a metric of unknown direction",
      { metrics: { mae: meanAbsoluteError }, earlyStopping: { monitor: "mae" } },
      'train: earlyStopping monitors "mae": mode must say which values are better, "min" or "max"',
    ],
    [
      "a transform of the inputs alone",
      { transform: ({ inputs }: { inputs: Tensor }) => inputs },
      "train: what transform returns, { inputs, targets }, must be an object, got a tensor",
    ],
    ["fields that are not read", { data: { inputs, targets, scale: 0.1 } }, 'train: data have a field "scale"; columns are'],
    ["rows in a list", { data: { inputs: [[1, 2]], targets } }, "tensor(list) rows"],
  ])("%s", async (_, { outputs = 1, ...options }: { outputs?: number } & Record<string, unknown>, text) => {
    await expect(run(options, outputs)).rejects.toThrow(text);
  });
});

test("early stopping maximizes R² and F1", async () => {
  await run({ metrics: { r2: rSquared() }, earlyStopping: { monitor: "r2" } });
  await run({ data: { inputs, targets: labels }, loss: undefined, metrics: { f: f1() }, earlyStopping: { monitor: "f" } }, 2);
});

test("a model with one logit trains with float targets", async () => {
  await run({ data: { inputs, targets: Float32Array.from(labels) }, loss: binaryCrossEntropyWithLogits });
});

test("freeze and optimizers refuse wrong lists of variables and name the correct list", () => {
  const vars = new DenseVariables();
  dense(vars, 2, 2);
  expect(() => freeze(vars as never)).toThrow("freeze: variables, such as vars.parameters(), must be a list, got an object");
  expect(() => freeze(vars.variables() as never)).toThrow(/^freeze: each variable must be .*; pass vars\.parameters\(\)$/);
  expect(() => adam(vars.variables() as never)).toThrow(/^adam: parameters\[0\] is .*; pass vars\.parameters\(\) in place/);
});

test("sequential refuses a layer function that was not called", () => {
  const model = sequential(flatten as never as Layer);
  expect(() => model(zeros([2, 2]))).toThrow(
    "sequential: layer 0 returned a function: call what makes the layer, such as flatten()",
  );
});

test("a transform receives a tensor if the inputs of the dataset are images", async () => {
  const vars = new DenseVariables({ seed: 1 });
  const model = sequential(flatten(), dense(vars, 64, 10));
  const data: Dataset = syntheticDigits(20, new Generator(1), { height: 8, width: 8 });
  const shapes: unknown[] = [];
  const transform: Transform<Int32Array, Tensor> = (batch) => {
    shapes.push(batch.inputs.shape);
    return batch;
  };
  await train({ model, optimizer: adam(vars.parameters()), data, transform });
  await train({ model, optimizer: adam(vars.parameters()), data, transform: ({ inputs, targets }) => ({ inputs, targets }) });
  expect(shapes).toEqual([[20, 8, 8, 1]]);
  expect((await evaluate({ model, data })).count).toBe(20);
});

test.each([
  ["moves in training mode", (body: Layer): Layer => body, false],
  [
    "stays as it is in inference mode",
    (body: Layer): Layer =>
      (x) =>
        inference(() => body(x)),
    true,
  ],
])("the running mean of a frozen body %s", async (_, wrapped, same) => {
  const vars = new DenseVariables({ seed: 1 });
  const body = batchNorm(scope(vars, "body"), 4);
  freeze(scope(vars, "body").parameters());
  const model = sequential(wrapped(body), dense(scope(vars, "head"), 4, 1));
  const numbers = (): Float32Array[] =>
    scope(vars, "body")
      .variables()
      .map((v) => v.read().toArray());
  const before = numbers();
  await train({ model, optimizer: adam(vars.parameters()), data: { inputs, targets }, loss: meanSquaredError });
  expect(numbers().every((now, i) => now.every((value, k) => value === before[i]![k]))).toBe(same);
});
