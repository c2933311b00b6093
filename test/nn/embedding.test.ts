import { describe, expect, test } from "vitest";
import { embedding, sequential } from "../../src/nn/index.ts";
import { mul, sum } from "../../src/ops/index.ts";
import { backward, type Tensor, tensor, zeros } from "../../src/tensor/index.ts";
import { DenseVariables, normalInit, survey } from "../../src/variables/index.ts";
import "../fixed-seed.ts";
import { thrown } from "../thrown.ts";
import { checkLayerLaw } from "./layer-law.ts";

describe("embedding", () => {
  test("creates one kernel, which starts with standard deviation 1", () => {
    expect(survey((vars) => embedding(vars, 7, 3)).map(({ name, shape }) => [name, shape])).toEqual([["kernel", [7, 3]]]);
    const vars = new DenseVariables();
    embedding(vars, 100, 100);
    const numbers = vars.variables()[0]!.read().toArray();
    expect(numbers.reduce((total, v) => total + v * v, 0) / numbers.length).toBeCloseTo(1, 1);
  });

  test("returns the row of each id, for tensors of any shape and for an Int32Array", () => {
    const vars = new DenseVariables();
    const layer = embedding(vars, 3, 2);
    vars.variables()[0]!.assign([0, 1, 10, 11, 20, 21]);
    const rows = [
      [20, 21],
      [0, 1],
    ];
    expect(layer(tensor([2, 0])).toNested()).toEqual(rows);
    expect(layer(Int32Array.of(2, 0)).toNested()).toEqual(rows);
    expect(layer(tensor([[[2, 0]]])).toNested()).toEqual([[rows]]);
    expect(layer(tensor(1)).toNested()).toEqual([10, 11]);
  });

  test("adds the gradients of a row that is used several times and gives unused rows gradient 0", () => {
    const vars = new DenseVariables();
    const layer = embedding(vars, 3, 2);
    const weights = tensor([
      [1, 2],
      [3, 4],
      [5, 6],
    ]);
    backward(sum(mul(layer(Int32Array.of(2, 0, 2)), weights)));
    expect(vars.variables()[0]!.read().grad!.toNested()).toEqual([
      [3, 4],
      [0, 0],
      [6, 8],
    ]);
  });

  test("has a gradient that agrees with central differences, dense and in a pool, with tensors and in `sequential`", () => {
    checkLayerLaw((vars, random) => {
      const [count, size, batch, time] = [1 + random.below(5), 1 + random.below(4), 1 + random.below(3), 1 + random.below(4)];
      const layer = sequential(embedding(vars, count, size, { init: normalInit(0.5) }));
      const ids = Float32Array.from({ length: batch * time }, () => random.below(count));
      return { run: () => layer(tensor(ids, [batch, time])), inputs: [] };
    });
  });

  test("accepts an empty list of ids", () => {
    const layer = embedding(new DenseVariables(), 3, 2);
    expect([zeros([0]), zeros([0, 5]), zeros([4, 0])].map((ids) => layer(ids).shape)).toEqual([
      [0, 2],
      [0, 5, 2],
      [4, 0, 2],
    ]);
    expect(layer(new Int32Array(0)).shape).toEqual([0, 2]);
  });

  test.each([
    [tensor([[0, 3]]), "ids[1] must be a whole number from 0 to 2, got 3"],
    [tensor([-1]), "ids[0] must be a whole number from 0 to 2, got -1"],
    [tensor([0.5]), "ids[0] must be a whole number from 0 to 2, got 0.5"],
    [tensor([Number.NaN]), "ids[0] must be a whole number from 0 to 2, got NaN"],
    [Int32Array.of(1, 7), "ids[1] must be a whole number from 0 to 2, got 7"],
    [[0] as never, "ids must be a tensor, got a list of 1; make one with tensor(...)"],
  ] as [Tensor | Int32Array, string][])("refuses the ids %s", (ids, message) => {
    expect(thrown(() => embedding(new DenseVariables(), 3, 2)(ids))).toBe(`ValueError: embedding: ${message}`);
  });

  test("refuses a table without rows", () => {
    expect(thrown(() => embedding(new DenseVariables(), 0, 2))).toBe(
      "ValueError: embedding: count must be a whole number of at least 1, got 0",
    );
  });
});
