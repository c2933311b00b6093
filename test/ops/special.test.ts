import { describe, expect, test } from "vitest";
import * as ops from "../../src/ops/index.ts";
import { gradients, type Tensor, tensor, variable, zeros } from "../../src/tensor/index.ts";

const inf = Number.POSITIVE_INFINITY;
const nan = Number.NaN;
const exact = (x: Tensor): Tensor => ops.gelu(x, { approximate: "none" });

const points = [-5.5, -3, -2.5, -1, -0.3, 0, 0.2, 0.75, 1, 2.9, 4];
/** math.erf of Python at these points. */
const erfs = [
  -0.9999999999999927, -0.9999779095030014, -0.999593047982555, -0.8427007929497149, -0.3286267594591274, 0, 0.22270258921047847,
  0.7111556336535151, 0.8427007929497149, 0.9999589021219005, 0.9999999845827421,
];
/** x/2·math.erfc(−x/√2) of Python. */
const gelus = [
  -1.0444259356238256e-7, -0.004049694094890287, -0.015524163314440348, -0.15865525393145707, -0.1146265733433142, 0,
  0.11585194188782061, 0.5800294857173488, 0.8413447460685429, 2.8945891414288862, 3.9998733150326675,
];

test.each<[string, (x: Tensor) => Tensor, readonly number[]]>([
  ["erf", ops.erf, erfs],
  ["exact gelu", exact, gelus],
  ["elu", ops.elu, points.map((x) => (x < 0 ? Math.expm1(x) : x))],
  ["elu with alpha 0.5", (x) => ops.elu(x, 0.5), points.map((x) => (x < 0 ? 0.5 * Math.expm1(x) : x))],
])("%s has an error of at most one float32 unit or 1e-7", (_, op, want) => {
  for (const [i, got] of [...op(tensor(points)).data].entries())
    expect(Math.abs(got - want[i]!)).toBeLessThan(1e-7 * (1 + Math.abs(want[i]!)));
});

test("rsqrt is 1 / sqrt(x), and follows IEEE 754 at and below 0", () => {
  expect(ops.rsqrt(tensor([4, 0.25, 0, -1, inf, nan])).toNested()).toEqual([0.5, 2, inf, nan, 0, nan]);
});

test("exact gelu and its tanh formula differ by less than 5e-4, and tanh is the default", () => {
  const x = tensor(Float32Array.from({ length: 161 }, (_, i) => (i - 80) / 16));
  const [a, b] = [exact(x).data, ops.gelu(x).data];
  const gap = Math.max(...a.map((v, i) => Math.abs(v - b[i]!)));
  expect(gap).toBeGreaterThan(1e-4);
  expect(gap).toBeLessThan(5e-4);
  expect(ops.gelu(x, { approximate: "tanh" }).toArray()).toEqual(ops.gelu(x).toArray());
});

test("round rounds ties to even, as NumPy does", () => {
  expect(ops.round(tensor([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 3.5])).toNested()).toEqual([-2, -2, -0, 0, 2, 2, 4]);
  expect(ops.round(tensor([0.49999997, -0.3, 8388609, 1e30, -0])).toNested()).toEqual([0, -0, 8388609, Math.fround(1e30), -0]);
});

test("elu and erf keep the precision of small numbers", () => {
  for (const [op, slope] of [
    [ops.elu, 1],
    [ops.erf, 2 / Math.sqrt(Math.PI)],
  ] as const) {
    for (const x of [-1e-6, -1e-20, 1e-20]) expect(op(tensor(x)).item() / (slope * Math.fround(x))).toBeCloseTo(1, 5);
  }
});

describe("NaN, infinity, scalars and empty tensors", () => {
  const cases: readonly (readonly [string, (x: Tensor) => Tensor, readonly number[], readonly number[]])[] = [
    ["exact gelu", exact, [0, inf], [0, 1]],
    ["elu", ops.elu, [-1, inf], [0, 1]],
  ];
  test.each(cases)("%s and its gradient equal their limits at ±∞", (_, op, values, slopes) => {
    const x = variable(tensor([-inf, inf]));
    const y = op(x);
    const plain = (t: Tensor): number[] => [...t.data].map((v) => v + 0); // −0 is 0
    expect(plain(y)).toEqual(values);
    expect(plain(gradients(y, [x], tensor([1, 1]))[0]!)).toEqual(slopes);
  });

  test.each(cases)("%s maps NaN to NaN, an empty tensor to an empty tensor and a scalar to a scalar", (_, op) => {
    expect(op(tensor(nan)).item()).toBeNaN();
    expect(op(zeros([2, 0])).shape).toEqual([2, 0]);
    expect(op(tensor(1)).shape).toEqual([]);
  });
});

test.each<[string, (x: Tensor) => Tensor, number, number]>([
  ["elu at 0", ops.elu, 0, 1],
  ["elu with alpha 0.5 at 0", (x) => ops.elu(x, 0.5), 0, 0.5],
])("the slope of %s equals the slope from the left", (_, f, at, slope) => {
  const x = variable(tensor(at));
  expect(gradients(f(x), [x])[0]!.item()).toBe(slope);
});

test("`floor` and `round` add nothing to the gradient of other paths", () => {
  const x = variable(tensor([0.5, 1.5]));
  const y = ops.add(ops.add(ops.square(x), ops.floor(x)), ops.round(x));
  expect(gradients(ops.sum(y), [x])[0]!.toNested()).toEqual([1, 3]);
});
