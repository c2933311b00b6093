import { describe, expect, test } from "vitest";
import * as ops from "../../src/ops/index.ts";
import { gradients, type Tensor, tensor, variable, zeros } from "../../src/tensor/index.ts";

const inf = Number.POSITIVE_INFINITY;
const nan = Number.NaN;
const a = tensor([
  [3, -1, 2],
  [0.5, 4, -2],
]);
const b = tensor([
  [
    [1, -2],
    [3, 0.5],
  ],
  [
    [2, 1],
    [-1, 4],
  ],
]);

/** What NumPy 2.4 computes in double precision. */
test.each<[string, Tensor, readonly number[]]>([
  ["variance", ops.variance(a), [4.534722222222222]],
  ["variance over axis 0", ops.variance(a, 0), [1.5625, 6.25, 4]],
  ["unbiased variance over axis 1", ops.variance(a, 1, { correction: 1 }), [4.333333333333333, 9.083333333333332]],
  ["variance over axes 0 and 2", ops.variance(b, [0, 2]), [2.25, 3.921875]],
  ["standardDeviation over axis 1", ops.standardDeviation(a, -1), [1.699673171197595, 2.4608038433722332]],
  ["unbiased standardDeviation", ops.standardDeviation(a, undefined, { correction: 1 }), [2.3327380192954945]],
  ["norm", ops.norm(a), [5.852349955359813]],
  ["norm over axis 0", ops.norm(a, 0), [3.0413812651491097, 4.123105625617661, 2.8284271247461903]],
  ["norm over axes 0 and 2", ops.norm(b, [0, 2]), [3.1622776601683795, 5.123475382979799]],
  ["prod", ops.prod(a), [24]],
  ["prod over axis 0", ops.prod(a, 0), [1.5, -4, -4]],
  ["prod over axes 0 and 2", ops.prod(b, [2, 0]), [-4, -6]],
  ["logSumExp", ops.logSumExp(a), [4.433487978663459]],
  ["logSumExp over axis 1", ops.logSumExp(a, 1), [3.3265626412674703, 4.0321536226831585]],
  ["logSumExp over axes 0 and 2", ops.logSumExp(b, [0, 2]), [2.561941379496509, 4.339905458929456]],
])("%s matches NumPy", (_, y, want) => {
  for (const [i, v] of [...y.data].entries()) expect(Math.abs(v / want[i]! - 1)).toBeLessThan(2.5e-7);
  expect(y.size).toBe(want.length);
});

test("reductions with keepDims keep reduced axes with length 1, even axes that are not adjacent", () => {
  for (const f of [ops.prod, ops.norm, ops.logSumExp, ops.variance, ops.standardDeviation]) {
    expect(f(b, [0, 2], { keepDims: true }).shape).toEqual([1, 2, 1]);
    expect(f(b, 1, { keepDims: true }).shape).toEqual([2, 1, 2]);
    expect(f(b, undefined, { keepDims: true }).shape).toEqual([1, 1, 1]);
    expect(f(b).shape).toEqual([]);
    expect(f(b, []).shape).toEqual(b.shape);
  }
});

test("reductions accept scalars, empty tensors and NaN", () => {
  const all = [ops.prod, ops.norm, ops.logSumExp, ops.variance, ops.standardDeviation];
  expect(all.map((f) => f(tensor(3)).item())).toEqual([3, 3, 3, 0, 0]);
  expect(all.map((f) => f(zeros([0])).item())).toEqual([1, 0, -inf, nan, nan]);
  expect(all.map((f) => f(zeros([0, 2]), 1).shape)).toEqual(all.map(() => [0]));
  expect(all.map((f) => f(tensor([1, nan, 2])).item())).toEqual(all.map(() => nan));
});

describe("norm", () => {
  test("neither overflows nor underflows", () => {
    expect(ops.norm(tensor([3e30, -4e30])).item()).toBe(Math.fround(5e30));
    expect(ops.norm(tensor([3e-30, 4e-30])).item()).toBe(Math.fround(5e-30));
    expect(ops.norm(tensor([1, -inf])).item()).toBe(inf);
  });

  test("has gradient 0 at 0 and x/norm elsewhere", () => {
    const x = variable(
      tensor([
        [0, 0],
        [3, -4],
      ]),
    );
    const [dx] = gradients(ops.norm(x, 1), [x], tensor([5, 10]));
    expect(dx!.toNested()).toEqual([
      [0, 0],
      [6, -8],
    ]);
  });
});

test("the standard deviation of equal numbers is 0, and so is its gradient", () => {
  const x = variable(tensor([0.1, 0.1, 0.1, 0.1]));
  const y = ops.standardDeviation(x);
  expect([y.item(), ...gradients(y, [x])[0]!.data]).toEqual([0, 0, 0, 0, 0]);
});

test("a variance divided by 0 is NaN or infinite", () => {
  expect(ops.variance(tensor([2]), 0, { correction: 1 }).item()).toBeNaN();
  expect(ops.standardDeviation(tensor([2]), 0, { correction: 1 }).item()).toBeNaN();
  expect(ops.variance(tensor([1, 2]), 0, { correction: 2 }).item()).toBe(inf);
});

test("the variance of numbers with a large mean keeps five decimals", () => {
  const x = Float32Array.from({ length: 1000 }, (_, i) => 10_000 + (i % 10));
  expect(ops.variance(tensor(x)).item()).toBeCloseTo(8.25, 5);
});

describe("logSumExp", () => {
  test("does not overflow for large numbers and does not underflow for very negative numbers", () => {
    expect(ops.logSumExp(tensor([1000, 1000])).item()).toBe(Math.fround(1000 + Math.LN2));
    expect(ops.logSumExp(tensor([-1000, -1000])).item()).toBe(Math.fround(-1000 + Math.LN2));
    expect(ops.logSumExp(tensor([0, -1000])).item()).toBe(0);
  });

  test("ignores −∞, and its gradient is softmax, or 0 if all numbers are −∞", () => {
    const x = variable(
      tensor([
        [-inf, 1, 1],
        [-inf, -inf, -inf],
      ]),
    );
    const y = ops.logSumExp(x, 1);
    expect(y.toNested()).toEqual([Math.fround(1 + Math.LN2), -inf]);
    expect(gradients(y, [x], tensor([2, 1]))[0]!.toNested()).toEqual([
      [0, 1, 1],
      [0, 0, 0],
    ]);
    expect(ops.logSumExp(tensor([inf, 1])).item()).toBe(inf);
  });
});

describe("prod", () => {
  test("has the correct gradient with one zero and with two zeros", () => {
    const x = variable(
      tensor([
        [2, 0, 3],
        [0, 5, 0],
      ]),
    );
    expect(gradients(ops.prod(x, 1), [x], tensor([1, 1]))[0]!.toNested()).toEqual([
      [0, 6, 0],
      [0, 0, 0],
    ]);
  });

  test("does not overflow in intermediate results", () => {
    expect(ops.prod(tensor([1e30, 1e30, 1e-30, 1e-30])).item()).toBeCloseTo(1, 6);
  });
});

describe("cumsum", () => {
  const x = tensor([
    [1, 2, 3],
    [4, 5, 6],
  ]);
  test("adds up along an axis, the last by default", () => {
    expect(ops.cumsum(x).toNested()).toEqual([
      [1, 3, 6],
      [4, 9, 15],
    ]);
    expect(ops.cumsum(x, 0).toNested()).toEqual([
      [1, 2, 3],
      [5, 7, 9],
    ]);
    expect(ops.cumsum(zeros([2, 0])).shape).toEqual([2, 0]);
  });

  test("propagates NaN to later numbers only", () => {
    expect(ops.cumsum(tensor([1, nan, 2])).toNested()).toEqual([1, nan, nan]);
  });

  test("accumulates in double precision", () => {
    const n = 1 << 20;
    const tenths = ops.cumsum(tensor(new Float32Array(n).fill(0.1)));
    expect(tenths.data[n - 1]! / (n * Math.fround(0.1))).toBeCloseTo(1, 6);
  });
});
