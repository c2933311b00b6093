import { inspect } from "node:util";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  full,
  HashgradError,
  keep,
  type Nested,
  ones,
  range,
  ShapeError,
  step,
  Tensor,
  type TensorLike,
  tensor,
  ValueError,
  zeros,
} from "../../src/tensor/index.ts";
import { shapes, tensors } from "../../src/testing/arbitraries.ts";
import "../fixed-seed.ts";

describe("creation", () => {
  test("nested lists determine the shape, and numbers are copied to float32", () => {
    const x = tensor([
      [1, 2, 3],
      [4, 5, 0.1],
    ]);
    expect(x.shape).toEqual([2, 3]);
    expect(x.data).toEqual(Float32Array.of(1, 2, 3, 4, 5, 0.1));
    expect(tensor(7).shape).toEqual([]);
    expect(tensor([]).shape).toEqual([0]);
    expect(tensor([[], []]).shape).toEqual([2, 0]);
  });

  test.each<TensorLike>([
    Float32Array.of(1, 2, 3, 4),
    Float64Array.of(1, 2, 3, 4),
    Int32Array.of(1, 2, 3, 4),
    Uint8Array.of(1, 2, 3, 4),
    [1, 2, 3, 4],
  ])("tensor() accepts a flat array with or without a shape: %o", (values) => {
    expect(tensor(values).shape).toEqual([4]);
    expect(tensor(values, [2, 2]).toNested()).toEqual([
      [1, 2],
      [3, 4],
    ]);
  });

  test("tensor() copies the values and the shape", () => {
    const [values, shape] = [Float32Array.of(1, 2), [2, 1]];
    const x = tensor(values, shape);
    values.fill(9);
    shape[0] = 5;
    expect(x.toNested()).toEqual([[1], [2]]);
  });

  test("zeros, ones, full and range fill tensors with their numbers", () => {
    expect(zeros([2]).toNested()).toEqual([0, 0]);
    expect(ones([1, 2]).toNested()).toEqual([[1, 1]]);
    expect(full([], 3).toNested()).toBe(3);
    expect(range(0, 3).toNested()).toEqual([0, 1, 2]);
    expect(range(3, 0, -2).toNested()).toEqual([3, 1]);
    expect(range(3, 0).shape).toEqual([0]);
    expect(full([], 4).shape).toEqual([]);
  });

  test.each<[string, () => unknown, HashgradError]>([
    [
      "lists of different lengths",
      () => tensor([[1, 2], [3]]),
      new ShapeError("tensor", "lists side by side must have the same shape, found [2] beside [1]"),
    ],
    [
      "a number beside a list",
      () => tensor([1, [2]]),
      new ShapeError("tensor", "lists side by side must have the same shape, found [] beside [1]"),
    ],
    [
      "a shape that holds more",
      () => tensor([1, 2, 3], [2, 2]),
      new ShapeError("tensor", "3 numbers do not fill shape [2, 2], which holds 4"),
    ],
    [
      "a shape with a negative length",
      () => zeros([-1]),
      new ShapeError("zeros", "a shape is a list of whole numbers of at least 0, got [-1]"),
    ],
    [
      "a shape with a broken length",
      () => tensor([1], [1.5]),
      new ShapeError("tensor", "a shape is a list of whole numbers of at least 0, got [1.5]"),
    ],
    ["a range without a step", () => range(0, 1, 0), new ValueError("range", "step must be a number other than 0, got 0")],
  ])("%s raises an error", (_, call, error) => {
    expect(call).toThrow(error);
  });

  test("tensor() refuses values that are neither numbers nor lists", () => {
    const text: unknown = ["1"];
    expect(() => tensor(text as Nested)).toThrow(new ValueError("tensor", 'values must be numbers or lists of numbers, got "1"'));
  });
});

describe("reading", () => {
  test("toNested and tensor are inverse functions", () => {
    fc.assert(
      fc.property(
        shapes().chain((shape) => tensors(shape)),
        (x) => {
          const again = tensor(x.toNested());
          expect(again.shape).toEqual(x.shape);
          expect(again.toArray()).toEqual(x.toArray());
        },
      ),
    );
  });

  test("toArray returns a copy", () => {
    const x = tensor([1, 2]);
    x.toArray().fill(9);
    expect(x.toNested()).toEqual([1, 2]);
  });

  test("item returns the only number of a tensor with any number of axes", () => {
    expect(tensor([[5]]).item()).toBe(5);
    expect(tensor(5).item()).toBe(5);
    expect(() => tensor([1, 2]).item()).toThrow(new ShapeError("item", "x [2] has 2 elements, need exactly 1; use toArray()"));
    expect(() => tensor([]).item()).toThrow(ShapeError);
  });

  test("console.log shows the shape and the first numbers", () => {
    expect(
      inspect(
        tensor([
          [1, 2.5],
          [Number.NaN, -0.123456789],
        ]),
      ),
    ).toBe("Tensor [2, 2] 1 2.5 NaN -0.1235");
    expect(inspect(range(0, 100))).toBe("Tensor [100] 0 1 2 3 4 5 …");
    expect(inspect({ x: tensor(3) })).toBe("{ x: Tensor [] 3 }");
    expect(`${tensor([1])}`).toBe("Tensor [1] 1");
  });

  test("printing a recycled tensor shows that the tensor is recycled", () => {
    let x = zeros([1]);
    for (let i = 0; i < 3; i++)
      step(() => {
        if (i === 0) x = tensor([1, 2]);
      });
    expect(inspect(x)).toBe("Tensor [2] (recycled)");
  });

  test("keep returns a copy without history", () => {
    const x = tensor([1, 2]);
    const copy = keep(x);
    expect(copy.data.buffer).not.toBe(x.data.buffer);
    expect([copy.toNested(), copy.tracked]).toEqual([[1, 2], false]);
  });
});

test("errors are instances of Error with their own class, and their messages start with the function", () => {
  const error = new ShapeError("matmul", "no");
  expect(error).toBeInstanceOf(HashgradError);
  expect(error).toBeInstanceOf(Error);
  expect([error.name, error.message]).toEqual(["ShapeError", "matmul: no"]);
  expect(tensor(1)).toBeInstanceOf(Tensor);
});
