import { describe, expect, test } from "vitest";
import * as ops from "../../src/ops/index.ts";
import { gradients, tensor, variable, zeros } from "../../src/tensor/index.ts";

const inf = Number.POSITIVE_INFINITY;
const nan = Number.NaN;

describe("topK", () => {
  const x = tensor([
    [3, 1, 4],
    [1, 5, 9],
  ]);

  test("returns the largest numbers in descending order, and their indices", () => {
    const { values, indices } = ops.topK(x, 2);
    expect(values.toNested()).toEqual([
      [4, 3],
      [9, 5],
    ]);
    expect(indices).toEqual(Int32Array.of(2, 0, 2, 1));
  });

  test("works along any axis", () => {
    const { values, indices } = ops.topK(x, 1, 0);
    expect(values.toNested()).toEqual([[3, 5, 9]]);
    expect(indices).toEqual(Int32Array.of(0, 1, 1));
    const both = ops.topK(x, 2, -2);
    expect(both.values.toNested()).toEqual([
      [3, 5, 9],
      [1, 1, 4],
    ]);
    expect(both.indices).toEqual(Int32Array.of(0, 1, 1, 1, 0, 0));
  });

  test("orders equal numbers by index, puts NaN first and treats −0 as 0", () => {
    const { values, indices } = ops.topK(tensor([2, inf, nan, 2, -inf, nan, -0, 0]), 8);
    expect(values.toNested()).toEqual([nan, nan, inf, 2, 2, -0, 0, -inf]);
    expect(indices).toEqual(Int32Array.of(2, 5, 1, 0, 3, 6, 7, 4));
  });

  test("returns empty tensors for k = 0 and for an empty axis", () => {
    expect(ops.topK(x, 0).values.shape).toEqual([2, 0]);
    expect(ops.topK(zeros([0]), 0).indices).toEqual(new Int32Array(0));
    expect(ops.topK(zeros([0, 3]), 2).values.shape).toEqual([0, 2]);
  });

  test("sends each gradient to the position of its value", () => {
    const v = variable(x);
    const [dx] = gradients(
      ops.topK(v, 2).values,
      [v],
      tensor([
        [1, 2],
        [3, 4],
      ]),
    );
    expect(dx!.toNested()).toEqual([
      [2, 0, 1],
      [0, 4, 3],
    ]);
  });
});

describe("argMin", () => {
  test("returns the first index of the smallest number along an axis, or of NaN", () => {
    const x = tensor([
      [3, 1, 1],
      [-1, nan, 9],
    ]);
    expect(ops.argMin(x)).toEqual(Int32Array.of(1, 1));
    expect(ops.argMin(x, 0)).toEqual(Int32Array.of(1, 1, 0));
    expect(ops.argMin(tensor([2, -inf, -inf]))).toEqual(Int32Array.of(1));
  });

  test("returns no indices for no rows", () => {
    expect(ops.argMin(zeros([0, 3]))).toEqual(new Int32Array(0));
  });
});
