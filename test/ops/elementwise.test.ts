import { describe, expect, test } from "vitest";
import * as ops from "../../src/ops/index.ts";
import { Generator, gradients, type Tensor, tensor, variable } from "../../src/tensor/index.ts";

const { Infinity: inf } = globalThis;
const nan = Number.NaN;
const f32 = Math.fround;
const logistic = (x: number): number => 1 / (1 + Math.exp(-x));

/** Values at these points, by formulas written another way than the kernels'. */
const closed: [string, (x: Tensor) => Tensor, (x: number) => number][] = [
  ["gelu", ops.gelu, (x) => x * logistic(2 * Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))],
  ["leakyRelu", ops.leakyRelu, (x) => Math.max(x, 0.2 * x)],
  ["clip", (x) => ops.clip(x, -1, 2), (x) => Math.min(Math.max(x, -1), 2)],
  ["straightThroughSign", ops.straightThroughSign, (x) => (x > 0 ? 1 : -1)],
];

test.each(closed)("%s follows its formula", (_, op, formula) => {
  const points = [-5, -3, -2.5, -1, -0.3, 0.2, 0.75, 1, 2.9, 3, 4];
  expect([...op(tensor(points)).data]).toEqual(points.map((x) => expect.closeTo(formula(x), 5)));
});

test("log and sqrt follow their formulas, and IEEE 754 at and below 0", () => {
  expect(ops.log(tensor([1, 2, 0, -1, inf])).toNested()).toEqual([0, f32(Math.LN2), -inf, nan, inf]);
  expect(ops.sqrt(tensor([4, 2, 0, -1, inf])).toNested()).toEqual([2, f32(Math.SQRT2), 0, nan, inf]);
});

describe("NaN and infinity", () => {
  test.each(closed)("%s of NaN is NaN", (_, op) => {
    expect(op(tensor([nan, 1])).data[0]).toBeNaN();
  });

  test.each<[string, (x: Tensor) => Tensor, number[]]>([
    ["leakyRelu", ops.leakyRelu, [-inf, inf]],
    ["clip", (x) => ops.clip(x, -1, 1), [-1, 1]],
  ])("%s of −∞ and ∞ equals its limit", (_, op, limits) => {
    expect(op(tensor([-inf, inf])).toNested()).toEqual(limits);
  });

  test("leakyRelu of −∞ with alpha 0 is NaN, as in PyTorch, and relu of −∞ is 0", () => {
    expect([ops.leakyRelu(tensor([-inf]), 0).data[0], ops.relu(tensor([-inf])).data[0]]).toEqual([nan, 0]);
  });

  test("softplus, sigmoid and silu of large numbers and their gradients do not overflow", () => {
    const x = variable(tensor([1000, -1000]));
    expect(ops.softplus(x).toNested()).toEqual([1000, 0]);
    expect(ops.sigmoid(x).toNested()).toEqual([1, 0]);
    expect(ops.silu(x).toNested()).toEqual([1000, -0]);
    for (const op of [ops.softplus, ops.sigmoid, ops.silu, ops.gelu, ops.tanh]) {
      expect([...gradients(op(x), [x], tensor([1, 1]))[0]!.data].every(Number.isFinite)).toBe(true);
    }
  });

  test("maximum and minimum return NaN if either operand is NaN", () => {
    expect(ops.maximum(tensor([nan, 1]), tensor([1, nan])).toNested()).toEqual([nan, nan]);
    expect(ops.minimum(tensor([nan, 1]), tensor([1, nan])).toNested()).toEqual([nan, nan]);
  });

  test("where ignores NaN in the operand that is not selected, forward and backward", () => {
    const x = variable(tensor([0, 4]));
    const y = ops.where(tensor([0, 1]), x, -1);
    expect(y.toNested()).toEqual([-1, 4]);
    const z = ops.where(tensor([0, 1]), tensor([nan, 1]), tensor([2, nan]));
    expect(z.toNested()).toEqual([2, 1]);
    expect(gradients(y, [x], tensor([nan, 1]))[0]!.toNested()).toEqual([0, 1]);
  });
});

describe("slopes at kinks and ties", () => {
  const slopeAt = (f: (x: Tensor) => Tensor, at: number): number => {
    const x = variable(tensor(at));
    return gradients(f(x), [x])[0]!.item();
  };
  test.each<[string, (x: Tensor) => Tensor, number, number]>([
    ["relu at 0", ops.relu, 0, 0],
    ["abs at 0", ops.abs, 0, 0],
    ["leakyRelu at 0", (x) => ops.leakyRelu(x, 0.1), 0, f32(0.1)],
    ["clip at its lower bound", (x) => ops.clip(x, 0, 1), 0, 1],
    ["clip at its upper bound", (x) => ops.clip(x, 0, 1), 1, 1],
    ["sqrt at 0", ops.sqrt, 0, inf],
    ["x⁰ at 0", (x) => ops.pow(x, 0), 0, 0],
    ["x¹ at 0", (x) => ops.pow(x, 1), 0, 1],
    ["0ˣ at 2", (x) => ops.pow(0, x), 2, 0],
    ["maximum with an equal number", (x) => ops.maximum(x, 1), 1, 0.5],
    ["minimum with an equal number", (x) => ops.minimum(x, 1), 1, 0.5],
    ["maximum with itself", (x) => ops.maximum(x, x), 1, 1],
  ])("%s", (_, f, at, slope) => {
    expect(slopeAt(f, at)).toBe(slope);
  });
});

test.each<[string, (a: Tensor | number, b: Tensor | number) => Tensor, (a: number, b: number) => number]>([
  ["add", ops.add, (a, b) => a + b],
  ["sub", ops.sub, (a, b) => a - b],
  ["mul", ops.mul, (a, b) => a * b],
  ["div", ops.div, (a, b) => a / b],
  ["pow", ops.pow, (a, b) => a ** b],
  ["maximum", ops.maximum, Math.max],
  ["minimum", ops.minimum, Math.min],
])("%s broadcasts tensors and numbers as NumPy does", (_, op, f) => {
  const [row, column] = [tensor([1, 2, 3]), tensor([[4], [5]])];
  const table = [4, 5].map((b) => [1, 2, 3].map((a) => f32(f(a, b))));
  expect(op(row, column).toNested()).toEqual(table);
  expect(op(row, 2).toNested()).toEqual([1, 2, 3].map((a) => f32(f(a, 2))));
  expect(op(2, row).toNested()).toEqual([1, 2, 3].map((a) => f32(f(2, a))));
  expect(op(2, 3).toNested()).toBe(f32(f(2, 3)));
  expect(op(tensor([[[1]], [[2]]]), tensor([1, 2])).shape).toEqual([2, 1, 2]);
  expect(op(tensor([], [0, 3]), row).shape).toEqual([0, 3]);
});

test("the gradient of a broadcast operand is summed over the repeated axes", () => {
  const [a, b] = [variable(tensor([1, 2, 3])), variable(tensor([[4], [5]]))];
  const [da, db] = gradients(
    ops.mul(a, b),
    [a, b],
    tensor([
      [1, 1, 1],
      [1, 1, 1],
    ]),
  );
  expect(da!.toNested()).toEqual([9, 9, 9]);
  expect(db!.toNested()).toEqual([[6], [6]]);
});

test("dropout keeps and scales a share of the numbers, and the gradient uses the same mask", () => {
  const random = new Generator(5);
  const x = variable(tensor(new Float32Array(10_000).fill(3)));
  const y = ops.dropout(x, 0.25, () => random.uniform());
  expect([...new Set(y.data)].sort()).toEqual([0, 4]);
  expect(y.data.filter((v) => v === 0).length / 10_000).toBeCloseTo(0.25, 1);
  const [dx] = gradients(y, [x], tensor(new Float32Array(10_000).fill(3)));
  expect(dx!.toArray()).toEqual(y.toArray());
});

test("the same seed drops the same elements, and the next draw drops different elements", () => {
  const x = tensor(new Float32Array(100).fill(1));
  const dropped = (random: Generator): Float32Array => ops.dropout(x, 0.5, () => random.uniform()).toArray();
  const random = new Generator(1);
  const first = dropped(random);
  expect(dropped(new Generator(1))).toEqual(first);
  expect(dropped(random)).not.toEqual(first);
});

test("dropout at rate 0 is the identity", () => {
  expect(ops.dropout(tensor([1, nan, -inf]), 0, () => 0).toNested()).toEqual([1, nan, -inf]);
});

test("activations and their gradients equal their limits at ±∞, for few and for many numbers", () => {
  const limits: readonly (readonly [string, (x: Tensor) => Tensor, readonly number[], readonly number[]])[] = [
    ["gelu", ops.gelu, [0, inf], [0, 1]],
  ];
  for (const length of [2, 600]) {
    for (const [name, op, values, slopes] of limits) {
      const x = variable(tensor(Float32Array.from({ length }, (_, i) => (i % 2 === 0 ? -inf : inf))));
      const y = op(x);
      const [dx] = gradients(y, [x], tensor(new Float32Array(length).fill(1)));
      const plain = (numbers: Float32Array): number[] => [...numbers.subarray(length - 2)].map((v) => v + 0); // −0 is 0
      expect([name, plain(y.data as Float32Array), plain(dx!.data as Float32Array)]).toEqual([name, values, slopes]);
    }
  }
});
