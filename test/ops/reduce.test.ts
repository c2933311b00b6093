import fc from "fast-check";
import { expect, test } from "vitest";
import { type Axis, argMax, flatten, globalAvgPool2d, max, mean, min, type ReduceOptions, sum } from "../../src/ops/index.ts";
import { gradients, type Shape, sizeOf, stridesOf, type Tensor, tensor, variable, zeros } from "../../src/tensor/index.ts";
import { shapes } from "../../src/testing/arbitraries.ts";
import "../fixed-seed.ts";
import { whole } from "./naive.ts";

const nan = Number.NaN;

/** The numbers of x that fall together into each element of the reduced tensor, by index arithmetic. */
function grouped(x: Tensor, axes: readonly number[]): number[][] {
  const rest = x.shape.map((_, i) => i).filter((axis) => !axes.includes(axis));
  const groups: number[][] = Array.from({ length: sizeOf(rest.map((axis) => x.shape[axis]!)) }, () => []);
  const strides = stridesOf(x.shape);
  const outer = stridesOf(rest.map((axis) => x.shape[axis]!));
  for (let i = 0; i < x.size; i++) {
    const index = x.shape.map((n, axis) => Math.floor(i / strides[axis]!) % n);
    groups[rest.reduce((at, axis, j) => at + index[axis]! * outer[j]!, 0)]!.push(x.data[i]!);
  }
  return groups;
}

test.each<[string, (x: Tensor, axis?: Axis, options?: ReduceOptions) => Tensor, (group: number[]) => number]>([
  ["sum", sum, (group) => group.reduce((a, b) => a + b, 0)],
  ["mean", mean, (group) => Math.fround(group.reduce((a, b) => a + b, 0) / group.length)],
  ["max", max, (group) => Math.max(...group)],
  ["min", min, (group) => Math.min(...group)],
])("%s over any subset of axes, adjacent or not, equals a loop", (_, op, f) => {
  fc.assert(
    fc.property(
      shapes().chain((shape) => fc.tuple(fc.constant(shape), fc.shuffledSubarray(shape.map((_, i) => i)))),
      fc.boolean(),
      fc.integer(),
      ([shape, axes], keepDims, seed) => {
        const x = whole(shape, seed);
        const y = op(x, axes, { keepDims });
        const kept = shape.map((n, axis) => (axes.includes(axis) ? 1 : n));
        expect(y.shape).toEqual(keepDims ? kept : shape.filter((_, axis) => !axes.includes(axis)));
        const want = grouped(x, axes).map(f);
        y.data.forEach((v, i) => {
          expect(v).toBeCloseTo(want[i]!, 5);
        });
      },
    ),
  );
});

test("a reduction covers all axes by default, or one axis given by a number from either end", () => {
  const x = tensor([
    [1, 2, 3],
    [4, 5, 6],
  ]);
  expect(sum(x).toNested()).toBe(21);
  expect(sum(x, undefined, { keepDims: true }).toNested()).toEqual([[21]]);
  expect(mean(x, 0).toNested()).toEqual([2.5, 3.5, 4.5]);
  expect(max(x, -1).toNested()).toEqual([3, 6]);
  expect(sum(x, []).toNested()).toEqual(x.toNested());
});

test("a long sum accumulates in double precision", () => {
  const x = tensor(new Float32Array(1_000_000).fill(0.1));
  expect(sum(x).item()).toBe(Math.fround(1_000_000 * Math.fround(0.1)));
});

test.each<[Shape, number | undefined, unknown]>([
  [[0], undefined, 0],
  [[0, 3], 0, [0, 0, 0]],
  [[0, 3], 1, []],
  [[3, 0], 1, [0, 0, 0]],
])("the empty sum of x %j over axis %s is 0", (shape, axes, want) => {
  expect(sum(zeros(shape), axes).toNested()).toEqual(want);
});

test("the mean of an empty tensor is NaN", () => {
  expect(mean(zeros([0])).item()).toBeNaN();
  expect(mean(zeros([2, 0]), 1).toNested()).toEqual([nan, nan]);
});

test("max and min return NaN if a number is NaN, and argMax returns its index", () => {
  const x = tensor([
    [1, nan, 3],
    [nan, 2, 1],
    [3, 2, 1],
  ]);
  expect(max(x, 1).toNested()).toEqual([nan, nan, 3]);
  expect(min(x, 1).toNested()).toEqual([nan, nan, 1]);
  expect([...argMax(x)]).toEqual([1, 0, 0]);
  expect([...argMax(x, 0)]).toEqual([1, 0, 0]);
});

test("at a tie the first number in row-major order gets the whole gradient, even over axes that are not adjacent", () => {
  const x = variable(
    tensor([
      [2, 1],
      [2, 2],
    ]),
  );
  expect(gradients(max(x), [x])[0]!.toNested()).toEqual([
    [1, 0],
    [0, 0],
  ]);
  expect(gradients(min(x, 0), [x], tensor([5, 7]))[0]!.toNested()).toEqual([
    [5, 7],
    [0, 0],
  ]);
  const z = variable(zeros([2, 1, 2]));
  expect(gradients(max(z, [0, 2]), [z], tensor([3]))[0]!.toNested()).toEqual([[[3, 0]], [[0, 0]]]);
  expect([...argMax(tensor([1, 3, 3]))]).toEqual([1]);
});

test("argMax along any axis returns integer indices in row-major order", () => {
  const x = tensor([
    [1, 9, 3],
    [4, 5, 6],
  ]);
  expect(argMax(x, 0)).toEqual(Int32Array.of(1, 0, 1));
  expect(argMax(x)).toEqual(Int32Array.of(1, 2));
  expect(argMax(zeros([0, 3]))).toEqual(new Int32Array(0));
});

test("flatten keeps the batch axis, even of an empty batch", () => {
  expect(flatten(zeros([2, 3, 4])).shape).toEqual([2, 12]);
  expect(flatten(zeros([0, 3, 4])).shape).toEqual([0, 12]);
  expect(flatten(zeros([3])).shape).toEqual([3, 1]);
});

test("the global average is one number per channel", () => {
  expect(globalAvgPool2d(tensor([1, 10, 2, 20, 3, 30, 4, 40], [1, 2, 2, 2])).toNested()).toEqual([[2.5, 25]]);
  expect(globalAvgPool2d(zeros([0, 2, 2, 3])).shape).toEqual([0, 3]);
});
