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

test("summary prints the table of the toy network before the network is built", () => {
  expect(summary((vars) => toyNetwork(vars)).split("\n")).toEqual([
    "layer  variable  shape          weights  storage",
    "─────  ────────  ─────────────  ───────  ───────",
    "conv   kernel    [5, 5, 1, 16]      400  dense",
    "conv   bias      [16]                16  dense",
    "dense  kernel    [3136, 10]      31,360  dense",
    "dense  bias      [10]                10  dense",
    "total                            31,786",
  ]);
});

test("the table of a compressed model shows pool variables, fixed variables and the fraction", () => {
  const factory = new VariableFactory({ pool: new ProductVariablePool({ poolSize: 18, fraction: 1 }) });
  normed(factory);
  factory.create("top", [2]);
  expect(summary(factory).split("\n")).toEqual([
    "layer   variable         shape   weights  storage",
    "──────  ───────────────  ──────  ───────  ──────────────────",
    "hidden  kernel           [4, 3]       12  pool",
    "hidden  bias             [3]           3  dense",
    "norm    gamma            [3]           3  dense",
    "norm    beta             [3]           3  dense",
    "norm    moving_mean      [3]           3  dense, not trained",
    "norm    moving_variance  [3]           3  dense, not trained",
    "out     kernel           [3, 2]        6  pool",
    "out     bias             [2]           2  dense",
    "        top              [2]           2  dense",
    "total                                 31",
    "",
    "31 weights from 25 trained numbers: achieved fraction 0.806",
    "product pool: 10 numbers make 25 weights, 18 are used",
  ]);
});

test("summary warns about a model that trains more numbers than it has weights", () => {
  const factory = new VariableFactory({ pool: new HashVariablePool({ poolSize: 40, fraction: 1 }) });
  normed(factory);
  expect(summary(factory).split("\n").slice(-3)).toEqual([
    "hash pool: 40 numbers make 40 weights, 18 are used",
    "warning: achieved fraction 1.828 is above 1: the model trains 53 numbers, more than its 29 weights; ask for a smaller fraction",
    "warning: the model uses 18 of the 40 weights of the hash pool: make it with poolSize: poolSizeFor(model)",
  ]);
});

test("the table and the report name every pool of a model with several pools", () => {
  const inner = new VariableFactory({ pool: new HashVariablePool({ poolSize: 6, fraction: 0.5 }), applyTo: "out/kernel" });
  const pool = new ProductVariablePool({ poolSize: 100, fraction: 0.2 });
  const factory = new VariableFactory({ pool, applyTo: "hidden/kernel", variables: inner });
  normed(factory);
  const { pools, warnings, coreSize, trainedSize } = factory.report();
  const small = warnings.filter((warning) => warning.startsWith("the model uses"));
  expect(pools).toEqual([
    { kind: "product", coreSize: 20, poolSize: 100, used: 12 },
    { kind: "hash", coreSize: 3, poolSize: 6, used: 6 },
  ]);
  expect(coreSize).toBe(23);
  expect(trainedSize).toBe(sizesOf(factory).trainedSize);
  expect(small).toEqual(["the model uses 12 of the 100 weights of the product pool: make it with poolSize: poolSizeFor(model)"]);
  expect(
    summary(scope(factory, "hidden"))
      .split("\n")
      .filter((line) => line.includes(" pool: "))
      .slice(0, 2),
  ).toEqual(["product pool: 20 numbers make 100 weights, 12 are used", "hash pool: 3 numbers make 6 weights, 6 are used"]);
});

test("a survey allocates nothing and lists the variables of the built model", () => {
  const huge: Model = (vars) => dense(vars, 1_000_000, 1_000_000);
  const before = memory().ordinary;
  expect(survey(huge).map((row) => row.size)).toEqual([1e12, 1e6]);
  expect(memory().ordinary).toBe(before);
  const vars = new DenseVariables();
  normed(vars);
  expect(survey(normed)).toEqual(rowsOf(vars.variables()));
});

test("a survey raises the errors of building the model", () => {
  const clash: Model = (vars) => [dense(vars, 2, 3), dense(vars, 2, 4)];
  expect(() => survey(clash)).toThrow(VariableError);
  expect(() => survey((vars) => vars.create("", [1]))).toThrow(ValueError);
  expect(survey((vars) => [vars.create("a", [2]), vars.create("a", [2], { reuse: true })])).toHaveLength(1);
});

test("a surveyed variable reads as NaN", () => {
  survey((vars) => {
    const v = vars.create("a", [2]);
    v.assign([1, 2]);
    expect(v.read().item()).toBeNaN();
    expect(vars.variables()).toEqual([v]);
    expect(vars.parameters()).toEqual([]);
  });
});

test("sizes count each trained number once, learned scales and variables outside the pool included", () => {
  const dense = new DenseVariables();
  normed(dense);
  expect(sizesOf(dense)).toEqual({ denseSize: 29, trainedSize: 29, achievedFraction: 1 });
  const factory = new VariableFactory({ pool: new HashVariablePool({ poolSize: poolSizeFor(normed), fraction: 0.5 }) });
  normed(factory);
  const trainedSize = 9 + 2 + 11; // half of 18 kernel weights, two scales, biases and norms
  expect(sizesOf(factory)).toEqual({ denseSize: 29, trainedSize, achievedFraction: trainedSize / 29 });
  expect(sizesOf(new DenseVariables())).toEqual({ denseSize: 0, trainedSize: 0, achievedFraction: 1 });
});

test("the weights of a model are its parameters and fixed variables, with current numbers", () => {
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

test("the weights of a model include the numbers of a pool that is not trained", () => {
  const factory = new VariableFactory({ pool: new HashVariablePool({ poolSize: 18, fraction: 1, trainable: false }) });
  normed(factory);
  expect(factory.parameters().map((p) => p.name)).not.toContain("hash");
  expect(weightsOf(factory).get("hash")?.size).toBe(18);
});

test("the columns of a table are as wide as their widest cell, with numbers aligned right", () => {
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
