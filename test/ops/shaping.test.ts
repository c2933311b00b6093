import { describe, expect, test } from "vitest";
import * as ops from "../../src/ops/index.ts";
import { gradients, ones, range, type Tensor, tensor, variable, zeros } from "../../src/tensor/index.ts";

const nan = Number.NaN;
const grid = (...shape: number[]): Tensor =>
  ops.reshape(
    range(
      0,
      shape.reduce((a, b) => a * b, 1),
    ),
    shape,
  );

test("expandDims adds an axis of length 1 at any position, counted from either end", () => {
  expect([0, 1, 2, -1, -2, -3].map((axis) => ops.expandDims(zeros([2, 3]), axis).shape)).toEqual([
    [1, 2, 3],
    [2, 1, 3],
    [2, 3, 1],
    [2, 3, 1],
    [2, 1, 3],
    [1, 2, 3],
  ]);
  expect(ops.expandDims(tensor(5), 0).toNested()).toEqual([5]);
  expect(ops.expandDims(zeros([0]), -1).shape).toEqual([0, 1]);
});

test("squeeze removes the given axes of length 1, or all axes of length 1", () => {
  const x = zeros([1, 2, 1, 0, 1]);
  expect(ops.squeeze(x).shape).toEqual([2, 0]);
  expect(ops.squeeze(x, 0).shape).toEqual([2, 1, 0, 1]);
  expect(ops.squeeze(x, [-1, 2]).shape).toEqual([1, 2, 0]);
  expect(ops.squeeze(x, []).shape).toEqual(x.shape);
  expect(ops.squeeze(tensor([[7]])).toNested()).toBe(7);
  expect(ops.squeeze(tensor(7)).toNested()).toBe(7);
});

test("tile matches NumPy, even with fewer or more repeats than axes", () => {
  const x = range(0, 3);
  expect(ops.tile(x, [2]).toNested()).toEqual([0, 1, 2, 0, 1, 2]);
  expect(ops.tile(x, [2, 2]).toNested()).toEqual([
    [0, 1, 2, 0, 1, 2],
    [0, 1, 2, 0, 1, 2],
  ]);
  expect(ops.tile(grid(2, 2), [2]).toNested()).toEqual([
    [0, 1, 0, 1],
    [2, 3, 2, 3],
  ]);
  expect(ops.tile(grid(2, 2), [2, 1]).toNested()).toEqual([
    [0, 1],
    [2, 3],
    [0, 1],
    [2, 3],
  ]);
  expect(ops.tile(x, []).toNested()).toEqual([0, 1, 2]);
  expect(ops.tile(x, [0]).shape).toEqual([0]);
  expect(ops.tile(tensor(4), [3]).toNested()).toEqual([4, 4, 4]);
  expect(ops.tile(tensor(4), []).toNested()).toBe(4);
  expect(ops.tile(zeros([0, 2]), [3, 2]).shape).toEqual([0, 4]);
});

test("flip reverses one axis, several or all", () => {
  const x = grid(2, 3);
  expect(ops.flip(x).toNested()).toEqual([
    [5, 4, 3],
    [2, 1, 0],
  ]);
  expect(ops.flip(x, 0).toNested()).toEqual([
    [3, 4, 5],
    [0, 1, 2],
  ]);
  expect(ops.flip(x, [-1]).toNested()).toEqual([
    [2, 1, 0],
    [5, 4, 3],
  ]);
  expect(ops.flip(x, []).toNested()).toEqual(x.toNested());
  expect(ops.flip(tensor(3)).toNested()).toBe(3);
  expect(ops.flip(zeros([2, 0])).shape).toEqual([2, 0]);
});

test("eye has ones on the diagonal", () => {
  expect(ops.eye(2).toNested()).toEqual([
    [1, 0],
    [0, 1],
  ]);
  expect(ops.eye(2, 3).toNested()).toEqual([
    [1, 0, 0],
    [0, 1, 0],
  ]);
  expect(ops.eye(3, 1).toNested()).toEqual([[1], [0], [0]]);
  expect(ops.eye(0).shape).toEqual([0, 0]);
});

describe("tril and triu", () => {
  test("keep the triangle up to or from a diagonal", () => {
    const x = ops.add(grid(2, 3), 1);
    const rows = (f: typeof ops.tril, diagonal?: number) => f(x, diagonal).toNested();
    expect(rows(ops.tril)).toEqual([
      [1, 0, 0],
      [4, 5, 0],
    ]);
    expect(rows(ops.tril, 1)).toEqual([
      [1, 2, 0],
      [4, 5, 6],
    ]);
    expect(rows(ops.tril, -1)).toEqual([
      [0, 0, 0],
      [4, 0, 0],
    ]);
    expect(rows(ops.triu)).toEqual([
      [1, 2, 3],
      [0, 5, 6],
    ]);
    expect(rows(ops.triu, 2)).toEqual([
      [0, 0, 3],
      [0, 0, 0],
    ]);
  });

  test("apply to each matrix of a batch, and accept empty matrices", () => {
    expect(ops.tril(ones([2, 2, 2])).toNested()).toEqual([
      [
        [1, 0],
        [1, 1],
      ],
      [
        [1, 0],
        [1, 1],
      ],
    ]);
    expect(ops.triu(zeros([0, 3])).shape).toEqual([0, 3]);
    expect(ops.tril(zeros([2, 3, 0])).shape).toEqual([2, 3, 0]);
  });

  test("replace NaN and infinity in the other triangle by 0", () => {
    const x = tensor([
      [1, nan],
      [3, Number.NEGATIVE_INFINITY],
    ]);
    expect(ops.tril(x, 0).toNested()).toEqual([
      [1, 0],
      [3, Number.NEGATIVE_INFINITY],
    ]);
  });
});

describe("slice", () => {
  const x = range(0, 8);
  const of = (...given: Parameters<typeof ops.slice> extends [Tensor, ...infer R] ? R : never) =>
    ops.slice(x, ...given).toNested();

  test("counts negative begins and sizes from the end, as NumPy does", () => {
    expect(of([1], [-2])).toEqual([1, 2, 3, 4, 5, 6]); // x[1:-1]
    expect(of([-3])).toEqual([5, 6, 7]); // x[-3:]
    expect(of([-3], [-2])).toEqual([5, 6]); // x[-3:-1]
    expect(of([0], [-9])).toEqual([]); // x[0:-8]
  });

  test("keeps omitted axes whole", () => {
    const m = grid(2, 3);
    expect(ops.slice(m, [1]).toNested()).toEqual([[3, 4, 5]]);
    expect(ops.slice(m, []).toNested()).toEqual(m.toNested());
    expect(ops.slice(m, [0, 1], [1]).toNested()).toEqual([[1, 2]]);
    expect(ops.slice(m, [1], [-1, 2]).toNested()).toEqual([[3, 4]]);
    expect(ops.slice(tensor(5), []).toNested()).toBe(5);
  });

  test("supports positive and negative strides inside the block", () => {
    expect(of([0], [-1], { strides: [2] })).toEqual([0, 2, 4, 6]); // x[::2]
    expect(of([1], [6], { strides: [2] })).toEqual([1, 3, 5]); // x[1:7:2]
    expect(of([0], [-1], { strides: [-1] })).toEqual([7, 6, 5, 4, 3, 2, 1, 0]); // x[::-1]
    expect(of([1], [6], { strides: [-2] })).toEqual([6, 4, 2]); // x[6:0:-2]
    expect(of([2], [3], { strides: [100] })).toEqual([2]);
    expect(of([2], [0], { strides: [-3] })).toEqual([]);
    expect(ops.slice(grid(3, 4), [], [], { strides: [-2] }).toNested()).toEqual([
      [8, 9, 10, 11],
      [0, 1, 2, 3],
    ]);
    expect(ops.slice(grid(2, 5), [0, 1], undefined, { strides: [1, 3] }).toNested()).toEqual([
      [1, 4],
      [6, 9],
    ]);
  });

  test("of whole rows is a view, even with strides of 1", () => {
    const m = grid(4, 3);
    for (const rows of [ops.slice(m, [1], [2]), ops.slice(m, [1], [2], { strides: [1] })]) {
      expect(rows.data.buffer).toBe(m.data.buffer);
      expect(rows.data.byteOffset - m.data.byteOffset).toBe(12);
    }
  });

  test("adds the gradients of blocks that overlap", () => {
    const v = variable(x);
    const y = ops.add(ops.slice(v, [0], [4], { strides: [-1] }), ops.slice(v, [0], [-1], { strides: [2] }));
    expect(gradients(y, [v], tensor([1, 2, 3, 4]))[0]!.toNested()).toEqual([5, 3, 4, 1, 3, 0, 4, 0]);
  });
});
