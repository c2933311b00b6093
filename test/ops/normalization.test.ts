import { expect, test } from "vitest";
import { batchNormInference, batchNormTraining, layerNorm, logSoftmax, mul, softmax, sum } from "../../src/ops/index.ts";
import { Generator, gradients, ones, randomNormal, type Tensor, tensor, variable, zeros } from "../../src/tensor/index.ts";

const close = (x: Tensor, want: number[], digits = 5): void => {
  expect([...x.data]).toEqual(want.map((v) => expect.closeTo(v, digits)));
};
const inf = Number.POSITIVE_INFINITY;

test("softmax and its logarithm follow their formulas along any axis", () => {
  const x = [
    [0.5, 1, -2],
    [3, 0, 0.25],
  ];
  const total = x.map((row) => row.reduce((sum, v) => sum + Math.exp(v), 0));
  close(
    softmax(tensor(x)),
    x.flatMap((row, i) => row.map((v) => Math.exp(v) / total[i]!)),
  );
  close(
    logSoftmax(tensor(x)),
    x.flatMap((row, i) => row.map((v) => v - Math.log(total[i]!))),
  );
  const down = [0, 1, 2].map((j) => Math.exp(x[0]![j]!) + Math.exp(x[1]![j]!));
  close(
    softmax(tensor(x), 0),
    x.flatMap((row) => row.map((v, j) => Math.exp(v) / down[j]!)),
  );
  expect(softmax(tensor(x), -2).toArray()).toEqual(softmax(tensor(x), 0).toArray());
});

test("softmax and logSoftmax of large numbers do not overflow", () => {
  close(softmax(tensor([1000, 1000, -1000])), [0.5, 0.5, 0]);
  close(logSoftmax(tensor([1000, 0])), [0, -1000]);
  close(logSoftmax(tensor([-3e38, 0])), [Math.fround(-3e38), 0]);
  expect(logSoftmax(tensor([0, -200])).data[1]).toBe(-200); // softmax itself would round to 0
});

test("softmax gives −∞ probability 0 and gradient 0, and gives NaN for rows of only −∞ or with ∞ or NaN", () => {
  const x = variable(tensor([0, -inf, 0]));
  const y = softmax(x);
  close(y, [0.5, 0, 0.5]);
  close(gradients(y, [x], tensor([1, 1, 0]))[0]!, [0.25, 0, -0.25]);
  for (const row of [
    [-inf, -inf],
    [inf, 0],
    [Number.NaN, 0],
  ]) {
    expect(softmax(tensor(row)).data.every(Number.isNaN)).toBe(true);
    expect(logSoftmax(tensor(row)).data.some(Number.isNaN)).toBe(true);
  }
});

test("rows are independent of each other, and empty tensors stay empty", () => {
  expect(
    softmax(
      tensor([
        [Number.NaN, 1],
        [0, 0],
      ]),
    ).toNested(),
  ).toEqual([
    [Number.NaN, Number.NaN],
    [0.5, 0.5],
  ]);
  expect(softmax(zeros([0, 3])).shape).toEqual([0, 3]);
  expect(logSoftmax(zeros([3, 0])).shape).toEqual([3, 0]);
});

test("batch normalization in training gives mean 0 and variance 1 per channel and returns its statistics", () => {
  const x = randomNormal([4, 5, 5, 2], new Generator(1), 3, 2);
  const { y, mean, variance } = batchNormTraining(x, tensor([1, 2]), tensor([0, 10]), 0);
  for (const c of [0, 1]) {
    const [from, to] = [x, y].map((t) => [...t.data].filter((_, i) => i % 2 === c));
    const meanOf = (v: number[]): number => v.reduce((a, b) => a + b) / v.length;
    const varianceOf = (v: number[]): number => meanOf(v.map((u) => (u - meanOf(v)) ** 2));
    expect(mean.data[c]).toBeCloseTo(meanOf(from!), 5);
    expect(variance.data[c]).toBeCloseTo(varianceOf(from!), 4);
    expect(meanOf(to!)).toBeCloseTo([0, 10][c]!, 5);
    expect(varianceOf(to!)).toBeCloseTo([1, 4][c]!, 4);
  }
  expect(mean.tracked || variance.tracked).toBe(false);
});

test("a constant channel is normalized to beta without a division by 0", () => {
  const { y } = batchNormTraining(ones([4, 1]), tensor([2]), tensor([7]));
  expect(y.toArray()).toEqual(new Float32Array(4).fill(7));
});

test("the variance of numbers far from 0 does not suffer from cancellation", () => {
  const { variance } = batchNormTraining(tensor([[10_000], [10_001], [10_002]]), ones([1]), zeros([1]));
  expect(variance.item()).toBeCloseTo(2 / 3, 6);
});

test("batch normalization in inference uses the given statistics and gives them no gradient", () => {
  const [mean, variance] = [variable(tensor([1])), variable(tensor([4]))];
  const x = variable(tensor([[3], [5]]));
  const y = batchNormInference(x, tensor([10]), tensor([1]), mean, variance, 0);
  expect(y.toNested()).toEqual([[11], [21]]);
  const [dx, dmean, dvariance] = gradients(y, [x, mean, variance], ones([2, 1]));
  expect([dx, dmean, dvariance].map((d) => d!.toArray())).toEqual([[5, 5], [0], [0]].map((d) => Float32Array.from(d)));
});

test("batch normalization accepts an empty batch in inference and refuses an empty batch in training", () => {
  expect(batchNormInference(zeros([0, 2]), ones([2]), zeros([2]), zeros([2]), ones([2])).shape).toEqual([0, 2]);
  expect(() => batchNormTraining(zeros([0, 2]), ones([2]), zeros([2]))).toThrow(
    "batchNormTraining: x [0, 2] is empty: there are no statistics of no numbers",
  );
});

test("layer normalization standardizes each row", () => {
  const y = layerNorm(
    tensor([
      [1, 2, 3],
      [10, 10, 40],
    ]),
    tensor([1, 1, 2]),
    tensor([0, 5, 0]),
    0,
  );
  const third = Math.sqrt(3 / 2);
  close(y, [-third, 5, 2 * third, -1 / Math.SQRT2, 5 - 1 / Math.SQRT2, 2 * Math.SQRT2]);
  expect(layerNorm(zeros([0, 3]), ones([3]), zeros([3])).shape).toEqual([0, 3]);
  expect(layerNorm(tensor([[5, 5]]), ones([2]), tensor([1, 2])).toNested()).toEqual([[1, 2]]);
});

test("batch normalization is correct for close numbers far from 0, for 10³⁰ and for 10⁻²⁵, forward and backward", () => {
  for (const rows of [1, 200]) {
    const normalized = (a: number, b: number, epsilon: number): number[] => {
      const x = variable(
        tensor(
          Float32Array.from({ length: 2 * rows }, (_, i) => (i % 2 === 0 ? a : b)),
          [2 * rows, 1],
        ),
      );
      const { y } = batchNormTraining(x, ones([1]), zeros([1]), epsilon);
      const [dx] = gradients(sum(mul(y, y)), [x]); // with epsilon 0 the sum of y² is constant
      return [...y.data.subarray(0, 2), dx!.data[0]! * (b - a)];
    };
    const far = 1 / Math.sqrt(1.001);
    expect(normalized(16777216, 16777218, 1e-3).slice(0, 2)).toEqual([expect.closeTo(-far, 6), expect.closeTo(far, 6)]);
    for (const [a, b] of [
      [16777216, 16777218],
      [-1e30, 1e30],
      [-1e-25, 1e-25],
    ] as const) {
      expect(normalized(a, b, 0)).toEqual([expect.closeTo(-1, 6), expect.closeTo(1, 6), expect.closeTo(0, 4)]);
    }
  }
});

test("layer normalization is correct for 10³⁰ and for 10⁻²⁵", () => {
  for (const scale of [1e30, 1e-25]) {
    const y = layerNorm(tensor([[scale, -scale, scale, -scale]]), ones([4]), zeros([4]), 0);
    expect([...y.data]).toEqual([1, -1, 1, -1].map((v) => expect.closeTo(v, 6)));
  }
});
