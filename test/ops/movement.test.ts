import fc from "fast-check";
import { expect, test } from "vitest";
import * as ops from "../../src/ops/index.ts";
import { backward, full, gradients, range, type Tensor, tensor, variable, zeros } from "../../src/tensor/index.ts";
import { shapes, tensors } from "../../src/testing/arbitraries.ts";
import "../fixed-seed.ts";

const table = tensor([
  [1, 2, 3],
  [4, 5, 6],
]);
const cube = ops.reshape(range(0, 24), [2, 3, 4]);

test("reshape infers the length −1, shares the numbers and accepts empty tensors", () => {
  expect(ops.reshape(table, [3, -1]).toNested()).toEqual([
    [1, 2],
    [3, 4],
    [5, 6],
  ]);
  expect(ops.reshape(table, [-1]).data.buffer).toBe(table.data.buffer);
  expect(ops.reshape(zeros([0, 3]), [3, -1]).shape).toEqual([3, 0]);
  expect(ops.reshape(tensor(5), [1, 1]).toNested()).toEqual([[5]]);
});

test("transpose reverses the axes or applies the given order", () => {
  expect(ops.transpose(table).toNested()).toEqual([
    [1, 4],
    [2, 5],
    [3, 6],
  ]);
  const y = ops.transpose(cube, [2, 0, 1]);
  expect(y.shape).toEqual([4, 2, 3]);
  expect(y.data[(3 * 2 + 1) * 3 + 2]).toBe(cube.data[(1 * 3 + 2) * 4 + 3]);
  expect(ops.transpose(zeros([0, 2])).shape).toEqual([2, 0]);
  expect(ops.transpose(tensor(1)).toNested()).toBe(1);
});

test("transposing with an order and its inverse is the identity", () => {
  fc.assert(
    fc.property(
      shapes({ minLength: 0 }).chain((shape) =>
        fc.tuple(
          tensors(shape),
          fc.shuffledSubarray(
            shape.map((_, i) => i),
            { minLength: shape.length },
          ),
        ),
      ),
      ([x, order]) => {
        const back = order.map((_, axis) => order.indexOf(axis));
        expect(ops.transpose(ops.transpose(x, order), back).toArray()).toEqual(x.toArray());
      },
    ),
  );
});

test("the gradient of a broadcast over axes that are not adjacent is summed in double precision", () => {
  const b = variable(zeros([1, 4, 1]));
  const y = ops.add(zeros([500, 4, 1000]), b);
  for (const sum of gradients(y, [b], full([500, 4, 1000], 0.1))[0]!.data) expect(Math.abs(sum / 5e4 - 1)).toBeLessThan(1e-6);
});

test("broadcastTo repeats along axes of length 1 and along new leading axes, adjacent or not", () => {
  expect(ops.broadcastTo(tensor([1, 2]), [2, 2]).toNested()).toEqual([
    [1, 2],
    [1, 2],
  ]);
  expect(ops.broadcastTo(tensor([[1], [2]]), [2, 3]).toNested()).toEqual([
    [1, 1, 1],
    [2, 2, 2],
  ]);
  expect(ops.broadcastTo(tensor([[[1], [2]]]), [2, 2, 2]).toNested()).toEqual([
    [
      [1, 1],
      [2, 2],
    ],
    [
      [1, 1],
      [2, 2],
    ],
  ]);
  expect(ops.broadcastTo(tensor([1]), [0]).shape).toEqual([0]);
  const x = variable(tensor([1, 2]));
  const [dx] = gradients(ops.broadcastTo(x, [0, 2]), [x], zeros([0, 2]));
  expect(dx!.toNested()).toEqual([0, 0]);
});

test("slice returns a block, with begins from either end and −1 for a size up to the end", () => {
  expect(ops.slice(table, [0, 1], [2, 1]).toNested()).toEqual([[2], [5]]);
  expect(ops.slice(table, [-1, -2]).toNested()).toEqual([[5, 6]]);
  expect(ops.slice(table, [1, 0], [-1, 2]).toNested()).toEqual([[4, 5]]);
  expect(ops.slice(table, [2, 3]).shape).toEqual([0, 0]);
  expect(ops.slice(tensor(7), []).toNested()).toBe(7);
});

test("slice along any axes matches slices of nested lists", () => {
  const blocks = shapes({ maxLength: 4 }).chain((shape) => {
    const cut = (n: number) => fc.nat({ max: n }).chain((at) => fc.tuple(fc.constant(at), fc.nat({ max: n - at })));
    return fc.tuple(tensors(shape), fc.tuple(...shape.map(cut)));
  });
  type Nested = number | readonly Nested[];
  const block = (list: Nested, cuts: readonly (readonly [number, number])[]): Nested => {
    if (typeof list === "number" || cuts.length === 0) return list;
    const [at, length] = cuts[0]!;
    return list.slice(at, at + length).map((one) => block(one, cuts.slice(1)));
  };
  fc.assert(
    fc.property(blocks, ([x, cuts]) => {
      const begin = cuts.map(([at]) => at);
      const size = cuts.map(([, length]) => length);
      const y = ops.slice(x, begin, size);
      expect(y.shape).toEqual(size);
      if (y.size > 0) expect(y.toNested()).toEqual(block(x.toNested() as Nested, cuts));
    }),
    { numRuns: 300 },
  );
  expect(ops.slice(ops.reshape(range(0, 9), [3, 3]), [1, 1], [2, 2]).toNested()).toEqual([
    [4, 5],
    [7, 8],
  ]);
});

test("a block of whole rows is a view, and other blocks are not", () => {
  expect(ops.slice(cube, [1, 0, 0]).data.buffer).toBe(cube.data.buffer);
  expect(ops.slice(cube, [1, 1, 0], [1, 2, 4]).data.buffer).toBe(cube.data.buffer);
  expect(ops.slice(cube, [0, 1, 0], [2, 2, 4]).data.buffer).not.toBe(cube.data.buffer);
});

test("slices that overlap add their gradients", () => {
  const x = variable(tensor([1, 2, 3]));
  const y = ops.add(ops.slice(x, [0], [2]), ops.slice(x, [1], [2]));
  expect(gradients(y, [x], tensor([10, 1]))[0]!.toNested()).toEqual([10, 11, 1]);
});

test("cyclicSlice starts again at the beginning, and its gradient adds up every use", () => {
  const x = variable(tensor([1, 2, 3]));
  const y = ops.cyclicSlice(x, 5, 8);
  expect(y.toNested()).toEqual([3, 1, 2, 3, 1, 2, 3, 1]);
  expect(gradients(y, [x], tensor(new Float32Array(8).fill(1)))[0]!.toNested()).toEqual([3, 2, 3]);
  expect(ops.cyclicSlice(x, 0, 0).shape).toEqual([0]);
});

test("concat and stack join tensors along any axis", () => {
  expect(ops.concat([table, tensor([[7, 8, 9]])]).toNested()).toEqual([
    [1, 2, 3],
    [4, 5, 6],
    [7, 8, 9],
  ]);
  expect(ops.concat([table, tensor([[7], [8]])], -1).toNested()).toEqual([
    [1, 2, 3, 7],
    [4, 5, 6, 8],
  ]);
  expect(ops.concat([zeros([0, 3]), table]).toNested()).toEqual(table.toNested());
  const [a, b] = [tensor([1, 2]), tensor([3, 4])];
  expect(ops.stack([a, b]).toNested()).toEqual([
    [1, 2],
    [3, 4],
  ]);
  expect(ops.stack([a, b], -1).toNested()).toEqual([
    [1, 3],
    [2, 4],
  ]);
  expect(ops.stack([tensor(1), tensor(2)]).toNested()).toEqual([1, 2]);
});

test("split divides into equal parts or given lengths, and concat joins the parts again", () => {
  expect(ops.split(table, 3, 1).map((x) => x.toNested())).toEqual([
    [[1], [4]],
    [[2], [5]],
    [[3], [6]],
  ]);
  expect(ops.split(table, [1, 0, 1]).map((x) => x.shape)).toEqual([
    [1, 3],
    [0, 3],
    [1, 3],
  ]);
  expect(ops.concat(ops.split(cube, [1, 3], -1), -1).toArray()).toEqual(cube.toArray());
});

test("parts of a split without an upstream gradient get zeros", () => {
  const x = variable(tensor([1, 2, 3, 4]));
  const [, last] = ops.split(x, 2);
  expect(gradients(ops.sum(last!), [x])[0]!.toNested()).toEqual([0, 0, 1, 1]);
});

test("pad surrounds a tensor with a value", () => {
  expect(
    ops
      .pad(
        tensor([[1, 2]]),
        [
          [1, 0],
          [0, 2],
        ],
        9,
      )
      .toNested(),
  ).toEqual([
    [9, 9, 9, 9],
    [1, 2, 9, 9],
  ]);
  expect(ops.pad(tensor(1), []).toNested()).toBe(1);
  expect(ops.pad(zeros([0]), [[1, 1]]).toNested()).toEqual([0, 0]);
});

test("gather selects rows along any axis, and repeated rows add their gradients", () => {
  expect(ops.gather(table, [1, 0, 1]).toNested()).toEqual([
    [4, 5, 6],
    [1, 2, 3],
    [4, 5, 6],
  ]);
  expect(ops.gather(table, Int32Array.of(2, 2), 1).toNested()).toEqual([
    [3, 3],
    [6, 6],
  ]);
  expect(ops.gather(cube, [3], -1).toNested()).toEqual([
    [[3], [7], [11]],
    [[15], [19], [23]],
  ]);
  expect(ops.gather(table, []).shape).toEqual([0, 3]);
  const x = variable(tensor([1, 2, 3]));
  expect(gradients(ops.gather(x, [2, 2, 0]), [x], tensor([1, 10, 100]))[0]!.toNested()).toEqual([100, 0, 11]);
});

test("take by a tensor of indices replaces the axis by the axes of the indices", () => {
  const x = ops.reshape(range(0, 24), [2, 3, 4]);
  const ids = tensor([
    [2, 0],
    [1, 1],
    [0, 2],
  ]);
  const y = ops.take(x, ids, 1);
  expect(y.shape).toEqual([2, 3, 2, 4]);
  for (const [i, id] of [2, 0, 1, 1, 0, 2].entries()) {
    expect(ops.slice(y, [0, Math.floor(i / 2), i % 2, 0], [2, 1, 1, 4]).toArray()).toEqual(
      ops.slice(x, [0, id, 0], [2, 1, 4]).toArray(),
    );
  }
  expect(ops.take(x, tensor(2), -2).toArray()).toEqual(ops.slice(x, [0, 2, 0], [2, 1, 4]).toArray());
  expect(ops.take(tensor([1, 2, 3]), variable(tensor([0, 2]))).tracked).toBe(false);
});

test("gather copies the indices, so that later changes do not affect the gradient", () => {
  const x = variable(tensor([1, 2]));
  const indices = Int32Array.of(1);
  const y = ops.gather(x, indices);
  indices[0] = 0;
  expect(gradients(y, [x], tensor([1]))[0]!.toNested()).toEqual([0, 1]);
});

test("movement ops copy NaN and infinity unchanged", () => {
  const x = tensor([Number.NaN, Number.POSITIVE_INFINITY]);
  const moves: ((x: Tensor) => Tensor)[] = [
    (v) => ops.reshape(v, [2, 1]),
    (v) => ops.transpose(ops.reshape(v, [1, 2])),
    (v) => ops.gather(v, [0, 1]),
    (v) => ops.concat(ops.split(v, 2)),
    (v) => ops.slice(ops.pad(v, [[1, 1]]), [1], [2]),
    (v) => ops.cyclicSlice(v, 2, 2),
  ];
  for (const move of moves) expect([...move(x).data]).toEqual([Number.NaN, Number.POSITIVE_INFINITY]);
});

test("concat copies its list of inputs, so that the caller may change the list before backward", () => {
  const [a, b] = [variable(tensor([1, 2])), variable(tensor([3]))];
  const parts = [a, b];
  const y = ops.sum(ops.square(ops.concat(parts)));
  parts.length = 0;
  backward(y);
  expect([...a.grad!.data, ...b.grad!.data]).toEqual([2, 4, 6]);
});
