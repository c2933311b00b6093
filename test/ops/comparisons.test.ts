import { expect, test } from "vitest";
import * as ops from "../../src/ops/index.ts";
import { backward, gradients, type Tensor, tensor, variable, zeros } from "../../src/tensor/index.ts";

type Compare = (a: Tensor | number, b: Tensor | number) => Tensor;
const all: readonly (readonly [string, Compare, (a: number, b: number) => boolean])[] = [
  ["equal", ops.equal, (a, b) => a === b],
  ["notEqual", ops.notEqual, (a, b) => a !== b],
  ["less", ops.less, (a, b) => a < b],
  ["lessEqual", ops.lessEqual, (a, b) => a <= b],
  ["greater", ops.greater, (a, b) => a > b],
  ["greaterEqual", ops.greaterEqual, (a, b) => a >= b],
];
const special = [Number.NEGATIVE_INFINITY, -1, -0, 0, 1, 2.5, Number.POSITIVE_INFINITY, Number.NaN];

test.each(all)("%s follows IEEE 754 for every pair of special numbers, broadcast or not", (_, op, holds) => {
  const table = special.map((a) => special.map((b) => (holds(a, b) ? 1 : 0)));
  expect(op(tensor(special.map((v) => [v])), tensor(special)).toNested()).toEqual(table);
  for (const b of special) {
    expect(op(tensor(special), b).toNested()).toEqual(special.map((a) => (holds(a, b) ? 1 : 0)));
    expect(op(b, tensor(special)).toNested()).toEqual(special.map((a) => (holds(b, a) ? 1 : 0)));
  }
});

test.each(all)("%s accepts scalars and empty tensors", (_, op, holds) => {
  expect(op(tensor(2), 2).toNested()).toBe(holds(2, 2) ? 1 : 0);
  expect(op(1, 2).toNested()).toBe(holds(1, 2) ? 1 : 0);
  expect(op(zeros([0, 3]), tensor([1, 2, 3])).shape).toEqual([0, 3]);
});

test.each(all)("%s has no gradient, and other paths of the same graph keep their gradients", (_, op) => {
  const x = variable(tensor([1, 2, 3]));
  const masked = ops.mul(op(x, 2), x);
  const [dx] = gradients(ops.sum(masked), [x]);
  expect(dx!.toArray()).toEqual(op(tensor([1, 2, 3]), 2).toArray());
  expect(gradients(ops.sum(op(x, 2)), [x])[0]!.toNested()).toEqual([0, 0, 0]);
  backward(ops.sum(op(x, 2)));
  expect(x.grad).toBeNull();
});

test("a comparison rounds a number to float32", () => {
  expect(ops.equal(tensor(0.1), 0.1).item()).toBe(1);
});
