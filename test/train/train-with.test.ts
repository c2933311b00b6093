import { describe, expect, test } from "vitest";
import { type Dataset, syntheticDigits } from "../../src/data/index.ts";
import { batchNorm, conv2d, dense, flatten, type Layer, sequential } from "../../src/nn/index.ts";
import { relu } from "../../src/ops/index.ts";
import { adam, sgd } from "../../src/optim/index.ts";
import { ProductVariablePool, poolSizeFor, VariableFactory } from "../../src/smh/index.ts";
import { assignGradient, freeze, Generator, gradientOf } from "../../src/tensor/index.ts";
import { type BatchLearner, type BatchTask, computeBatch, type TrainOptions, train, trainWith } from "../../src/train/index.ts";
import { DenseVariables, scope, type VariableCreator, weightsOf } from "../../src/variables/index.ts";

const data = syntheticDigits(50, new Generator(1), { height: 12, width: 12 });

const network = (vars: VariableCreator): Layer =>
  sequential(
    conv2d(scope(vars, "conv"), 1, 4, 3),
    batchNorm(scope(vars, "norm"), 4),
    relu,
    flatten(),
    dense(scope(vars, "dense"), 400, 10),
  );

function built(compressed = false): { vars: VariableCreator; options: TrainOptions<Dataset> & { vars: VariableCreator } } {
  const pool = new ProductVariablePool({ poolSize: poolSizeFor(network), fraction: 0.4, seed: 1 });
  const vars = compressed ? new VariableFactory({ pool, seed: 1 }) : new DenseVariables({ seed: 1 });
  const model = network(vars);
  const optimizer = adam(vars.parameters(), { learningRate: 0.005 });
  return { vars, options: { model, optimizer, vars, data, epochs: 2, batchSize: 16, seed: 3 } };
}
const bits = (vars: VariableCreator): [string, Float32Array][] =>
  [...weightsOf(vars)].map(([name, x]): [string, Float32Array] => [name, x.toArray()]);

const local = ({ model, optimizer, transform, seed }: TrainOptions<Dataset>): BatchLearner => {
  const options = { model, data, parameters: optimizer.parameters, ...(transform && { transform }), ...(seed && { seed }) };
  return (task) => computeBatch(options, task);
};
const failure = async (run: Promise<unknown>): Promise<string> => String(await run.catch((error: unknown) => error));

describe.each([false, true])("a run with its batches computed by computeBatch, compressed %s,", (compressed) => {
  test("ends with the bits, losses and accuracies of train", async () => {
    const flip: TrainOptions<Dataset>["transform"] = ({ inputs, targets }, random) => ({
      inputs: random.uniform() < 0.5 ? inputs : relu(inputs),
      targets,
    });
    const [a, b] = [built(compressed), built(compressed)];
    const expected = await train({ ...a.options, transform: flip });
    const options = { ...b.options, transform: flip };
    const history = await trainWith(options, local(options));
    expect(bits(b.vars)).toEqual(bits(a.vars));
    const scores = (epochs: typeof history.epochs): unknown => epochs.map(({ loss, accuracy }) => [loss, accuracy]);
    expect(scores(history.epochs)).toEqual(scores(expected.epochs));
  });
});

test("gradients of the batches of one update add up", async () => {
  const [a, b] = [built(), built()];
  for (const [{ vars, options }, run] of [
    [a, train],
    [b, (own: typeof b.options) => trainWith(own, local(own))],
  ] as const)
    await run({ ...options, optimizer: sgd(vars.parameters(), { learningRate: 0.1 }), accumulate: 2 });
  const expected = bits(a.vars);
  // The backward pass of `train` adds inside its kernels, in another order.
  for (const [i, [, numbers]] of bits(b.vars).entries())
    for (const [j, x] of numbers.entries()) expect(Math.abs(x - expected[i]![1][j]!)).toBeLessThan(1e-6);
});

const task: BatchTask = {
  ...{ epoch: 1, batch: 0, indices: Int32Array.of(3, 1, 2), share: 1, isFirst: true, trained: false },
  where: "in epoch 1, batch 1",
};

test("computeBatch changes neither gradients nor running statistics", async () => {
  const { vars, options } = built();
  const { model, optimizer } = options;
  const [first] = optimizer.parameters;
  assignGradient(first!.tensor, new Float32Array(first!.tensor.size).fill(7));
  const before = bits(vars);
  const { gradients, assigned, loss, correct } = await computeBatch({ model, data, parameters: optimizer.parameters }, task);
  expect(bits(vars)).toEqual(before);
  expect(optimizer.parameters.map(({ tensor }) => gradientOf(tensor)?.[0] ?? null)).toEqual([
    7,
    ...before.slice(3).map(() => null),
  ]);
  expect(gradients.map((gradient) => gradient?.length)).toEqual(optimizer.parameters.map(({ tensor }) => tensor.size));
  expect([...assigned.keys()].map(({ name }) => name)).toEqual(["norm/moving_mean", "norm/moving_variance"]);
  expect([Number.isFinite(loss), Number.isInteger(correct)]).toEqual([true, true]);
});

test("metrics are NaN in training, and numbers in validation", async () => {
  const { options } = built();
  const metrics = { constant: () => 4 };
  const { epochs } = await trainWith({ ...options, metrics, validation: data, epochs: 1 }, local(options));
  expect(epochs[0]!.metrics).toEqual({ constant: Number.NaN });
  expect(epochs[0]!.validation!.metrics).toEqual({ constant: 4 });
});

test("a frozen parameter does not change, whatever the learner returns", async () => {
  const { vars, options } = built();
  const learner = local(options);
  const frozen = vars.parameters()[0]!;
  const before = frozen.tensor.toArray();
  await trainWith({ ...options, epochs: 1 }, async (task) => {
    const computed = await learner(task);
    freeze([frozen]);
    return computed;
  });
  expect(frozen.tensor.toArray()).toEqual(before);
});

test("a run ends if the learner returns null", async () => {
  const { vars, options } = built();
  const before = bits(vars);
  const signal = { aborted: false };
  const { aborted, epochs } = await trainWith({ ...options, signal }, () => {
    signal.aborted = true;
    return null;
  });
  expect([aborted, epochs]).toEqual([true, []]);
  expect(bits(vars)).toEqual(before);
});

test("numbers that are not finite end the run, and change nothing", async () => {
  const { vars, options } = built();
  const before = bits(vars);
  const learner = local(options);
  const spoiled = (change: (gradients: (Float32Array | null)[]) => void): BatchLearner => {
    return async (task) => {
      const computed = (await learner(task))!;
      const gradients = [...computed.gradients];
      change(gradients);
      return { ...computed, gradients };
    };
  };
  const nan = spoiled((gradients) => gradients[0]!.fill(Number.NaN));
  expect(await failure(trainWith(options, nan))).toBe(
    "TrainingError: train: the learner returned a number that is not finite in epoch 1, batch 1",
  );
  expect(
    await failure(
      trainWith(
        options,
        spoiled((gradients) => gradients.pop()),
      ),
    ),
  ).toBe("ShapeError: trainWith: the learner returned 5 gradients for 6 parameters");
  expect(
    await failure(
      trainWith(
        options,
        spoiled((gradients) => gradients.splice(0, 1, Float32Array.of(1))),
      ),
    ),
  ).toMatch(/^ShapeError: assignGradient: 1 values for a variable/);
  const beforeUpdate = (): void => assignGradient(options.optimizer.parameters[0]!.tensor, new Float32Array(36).fill(Infinity));
  expect(await failure(trainWith({ ...options, beforeUpdate }, learner))).toBe(
    "TrainingError: train: beforeUpdate left a gradient that is not finite in epoch 1, batch 1; nothing was changed",
  );
  expect(bits(vars)).toEqual(before);
  expect(await failure(trainWith(options, 3 as never))).toMatch(/^ValueError: trainWith: learner must be a function/);
});
