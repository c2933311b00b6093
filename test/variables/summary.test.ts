import { expect, test } from "vitest";
import { memory } from "../../src/kernels/index.ts";
import { batchNorm, dense, sequential, toyNetwork } from "../../src/nn/index.ts";
import { HashVariablePool, ProductVariablePool, poolSizeFor, VariableFactory } from "../../src/smh/index.ts";
import { ValueError } from "../../src/tensor/index.ts";
import {
  DenseVariables,
  type Model,
  rowsOf,
  scope,
  sizesOf,
  summary,
  survey,
  table,
  VariableError,
  weightsOf,
} from "../../src/variables/index.ts";

const normed: Model = (vars) =>
  sequential(dense(scope(vars, "hidden"), 4, 3), batchNorm(scope(vars, "norm"), 3), dense(scope(vars, "out"), 3, 2));

test("the toy network's table, before it is built", () => {
  expect(summary((vars) => toyNetwork(vars)).split("\n")).toEqual([
    "layer  variable  shape          weights  lives in",
    "─────  ────────  ─────────────  ───────  ────────",
    "conv   kernel    [5, 5, 1, 16]      400  own",
    "conv   bias      [16]                16  own",
    "dense  kernel    [3136, 10]      31,360  own",
    "dense  bias      [10]                10  own",
    "total                            31,786",
  ]);
});

test("the table of a compressed model says what lives in the pool and what is not trained", () => {
  const factory = new VariableFactory({ pool: new ProductVariablePool({ poolSize: 18, fraction: 1 }) });
  normed(factory);
  factory.create("top", [2]);
  expect(summary(factory).split("\n")).toEqual([
    "layer   variable         shape   weights  lives in",
    "──────  ───────────────  ──────  ───────  ────────────────",
    "hidden  kernel           [4, 3]       12  pool",
    "hidden  bias             [3]           3  own",
    "norm    gamma            [3]           3  own",
    "norm    beta             [3]           3  own",
    "norm    moving_mean      [3]           3  own, not trained",
    "norm    moving_variance  [3]           3  own, not trained",
    "out     kernel           [3, 2]        6  pool",
    "out     bias             [2]           2  own",
    "        top              [2]           2  own",
    "total                                 31",
  ]);
});

test("a survey allocates nothing and lists what building the model creates", () => {
  const huge: Model = (vars) => dense(vars, 1_000_000, 1_000_000);
  const before = memory().ordinary;
  expect(survey(huge).map((row) => row.size)).toEqual([1e12, 1e6]);
  expect(memory().ordinary).toBe(before);
  const vars = new DenseVariables();
  normed(vars);
  expect(survey(normed)).toEqual(rowsOf(vars.variables()));
});

test("a survey complains as building the model does", () => {
  const clash: Model = (vars) => [dense(vars, 2, 3), dense(vars, 2, 4)];
  expect(() => survey(clash)).toThrow(VariableError);
  expect(() => survey((vars) => vars.create("", [1]))).toThrow(ValueError);
  expect(survey((vars) => [vars.create("a", [2]), vars.create("a", [2], { reuse: true })])).toHaveLength(1);
});

test("a surveyed variable reads as not a number, so that no one trains with it", () => {
  survey((vars) => {
    const v = vars.create("a", [2]);
    v.assign([1, 2]);
    expect(v.read().item()).toBeNaN();
    expect(vars.variables()).toEqual([v]);
    expect(vars.parameters()).toEqual([]);
  });
});

test("sizes count each trained number once, learned scales and left-out variables included", () => {
  const dense = new DenseVariables();
  normed(dense);
  expect(sizesOf(dense)).toEqual({ denseSize: 29, trainedSize: 29, achievedFraction: 1 });
  const factory = new VariableFactory({ pool: new HashVariablePool({ poolSize: poolSizeFor(normed), fraction: 0.5 }) });
  normed(factory);
  const trainedSize = 9 + 2 + 11; // half of 18 kernel weights, two scales, biases and norms
  expect(sizesOf(factory)).toEqual({ denseSize: 29, trainedSize, achievedFraction: trainedSize / 29 });
  expect(sizesOf(new DenseVariables())).toEqual({ denseSize: 0, trainedSize: 0, achievedFraction: 1 });
});

test("the weights of a model are its parameters and what is not trained, live", () => {
  const factory = new VariableFactory({ pool: new ProductVariablePool({ poolSize: 18, fraction: 1 }) });
  normed(factory);
  const weights = weightsOf(factory);
  expect([...weights.keys()]).toEqual([
    ...["variable_left", "variable_right", "hidden/kernel/scale", "hidden/bias", "norm/gamma", "norm/beta"],
    ...["out/kernel/scale", "out/bias", "norm/moving_mean", "norm/moving_variance"],
  ]);
  factory.variables()[1]!.assign([7, 8, 9]);
  expect(weights.get("hidden/bias")?.toNested()).toEqual([7, 8, 9]);
});

test("the numbers of a pool that is not trained are among the weights of its model", () => {
  const factory = new VariableFactory({ pool: new HashVariablePool({ poolSize: 18, fraction: 1, trainable: false }) });
  normed(factory);
  expect(factory.parameters().map((p) => p.name)).not.toContain("hash");
  expect(weightsOf(factory).get("hash")?.size).toBe(18);
});

test("columns of a table are as wide as their widest cell, numbers to the right", () => {
  expect(
    table(
      ["name", "n"],
      [
        ["a", "1,000"],
        ["longer", "7"],
      ],
    ).split("\n"),
  ).toEqual(["name        n", "──────  ─────", "a       1,000", "longer      7"]);
});
