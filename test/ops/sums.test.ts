import { describe, expect, test } from "vitest";
import {
  add,
  avgPool2d,
  backward,
  broadcastTo,
  conv2d,
  cyclicSlice,
  depthwiseConv2d,
  full,
  gather,
  matmul,
  maxPool2d,
  mean,
  mul,
  ones,
  sum,
  type Tensor,
  tensor,
  variable,
  zeros,
} from "../../src/index.ts";

// One property: sums of up to 10⁶ equal terms, the worst case for float32 totals, are right to 1e-6, forward and backward.

const f = Math.fround;
const C = f(0.1);
const MILLION = 1_000_000;

/** The gradients of the sum of a tensor. */
const gradients = (y: Tensor, ...xs: readonly Tensor[]): Float32Array[] => {
  backward(sum(y));
  return xs.map((x) => Float32Array.from(x.grad!.toArray()));
};

/** Numbers, the terms of each and the value of a term. */
type Found = readonly (readonly [numbers: ArrayLike<number>, at: number, terms: number, term: number])[];

const cases: Readonly<Record<string, () => Found>> = {
  "sum and mean of all": () => {
    const x = full([MILLION], C);
    return [
      [sum(x).toArray(), 0, MILLION, C],
      [mean(x).toArray(), 0, 1, C],
    ];
  },
  "sum of columns": () => [[sum(full([MILLION / 4, 4], C), 0).toArray(), 3, MILLION / 4, C]],
  "sum of middles": () => [[sum(full([2, MILLION / 4, 2], C), 1).toArray(), 3, MILLION / 4, C]],
  "matmul of one row and one column": () => [[matmul(full([1, MILLION], C), ones([MILLION, 1])).toArray(), 0, MILLION, C]],
  "matmul of 8 rows and 8 columns": () => [[matmul(full([8, MILLION], C), ones([MILLION, 8])).toArray(), 63, MILLION, C]],
  "matmul of large matrices": () =>
    [44, 45, 264, 512, 528, 529, 3000].map((k) => [matmul(full([70, k], C), ones([k, 70])).toArray(), 4899, k, C]),
  "gradients of matmul": () => {
    const [a, b] = [variable(full([MILLION, 2], C)), variable(full([2, 3], C))];
    const [, db] = gradients(matmul(a, b), a, b);
    const [v, w] = [variable(full([2, 3], C)), variable(full([3, MILLION], C))];
    const [dv] = gradients(matmul(v, w), v, w);
    return [
      [db!, 5, MILLION, C],
      [dv!, 5, MILLION, C],
    ];
  },
  "gradient of a matrix that 100,000 products share": () => {
    const b = variable(ones([1, 1, 1]));
    return [[gradients(matmul(full([100_000, 1, 1], C), b), b)[0]!, 0, 100_000, C]];
  },
  "gradient of a bias and of a broadcast": () => {
    const [bias, row] = [variable(zeros([2])), variable(zeros([3]))];
    const [dbias] = gradients(mul(matmul(full([MILLION / 2, 1], 1), ones([1, 2]), { bias }), C), bias);
    const [drow] = gradients(mul(add(zeros([MILLION / 4, 3]), broadcastTo(row, [MILLION / 4, 3])), C), row);
    return [
      [dbias!, 1, MILLION / 2, C],
      [drow!, 2, MILLION / 4, C],
    ];
  },
  "gradient of a gathered row and of a cyclic slice": () => {
    const [w, v] = [variable(ones([2, 2])), variable(ones([3]))];
    const [dw] = gradients(mul(gather(w, new Int32Array(MILLION).fill(1)), C), w);
    const [dv] = gradients(mul(cyclicSlice(v, 1, 999_999), C), v);
    return [
      [dw!, 3, MILLION, C],
      [dv!, 2, 333_333, C],
    ];
  },
  "convolution with a very large kernel": () => [
    [conv2d(full([1, 1000, 1000, 1], C), ones([1000, 1000, 1, 1])).toArray(), 0, MILLION, C],
  ],
  "gradient of a kernel that 10⁶ windows share": () => {
    const [k, wide] = [variable(ones([3, 3, 1, 1])), variable(ones([1, 3, 1, 2]))];
    const [dk] = gradients(conv2d(full([1, 1002, 1002, 1], C), k), k);
    const [dwide] = gradients(conv2d(full([1, 1, 300_002, 1], C), wide), wide);
    return [
      [dk!, 4, MILLION, C],
      [dwide!, 3, 300_000, C],
    ];
  },
  "gradients of grouped and strided kernels": () => {
    const [k, s] = [variable(ones([3, 3, 1, 2])), variable(ones([2, 2, 1, 1]))];
    const [dk] = gradients(conv2d(full([1, 302, 302, 2], C), k, { groups: 2 }), k);
    const [ds] = gradients(conv2d(full([1, 600, 600, 1], C), s, { strides: 2 }), s);
    return [
      [dk!, 1, 90_000, C],
      [ds!, 3, 90_000, C],
    ];
  },
  "3×3 convolutions of many channels": () => {
    const [x, k] = [variable(full([1, 162, 162, 16], C)), variable(full([3, 3, 16, 16], C))];
    const y = conv2d(x, k);
    const [dx, dk] = gradients(y, x, k);
    return [
      [y.toArray(), 7, 144, C * C],
      [dk!, 9, 160 * 160, C],
      [dx!, 16 * (162 * 80 + 80), 144, C],
    ];
  },
  "gradients of images under large windows": () => {
    const at = 150 * 75 + 75;
    const image = (): Tensor => variable(full([1, 150, 150, 1], C));
    const [x, s, a, m] = [
      image(),
      image(),
      image(),
      variable(tensor(new Float32Array(22_500).fill(1, at, at + 1), [1, 150, 150, 1])),
    ];
    const [dx] = gradients(conv2d(x, full([75, 75, 1, 1], C)), x);
    const [ds] = gradients(conv2d(s, full([74, 74, 1, 1], C), { strides: 2 }), s);
    const [da] = gradients(mul(avgPool2d(a, 75, { strides: 1 }), 5625 * C), a);
    const [dm] = gradients(mul(maxPool2d(m, 75, { strides: 1 }), C), m);
    return [
      [dx!, at, 75 * 75, C],
      [ds!, at, 37 * 37, C],
      [da!, at, 75 * 75, C],
      [dm!, at, 75 * 75, C],
    ];
  },
  "depthwise convolutions": () => {
    const [x, k, small] = [variable(full([1, 150, 150, 2], C)), variable(full([75, 75, 2, 1], C)), variable(ones([3, 3, 4, 1]))];
    const y = depthwiseConv2d(x, k);
    const [dx, dk] = gradients(y, x, k);
    const [dsmall] = gradients(depthwiseConv2d(full([1, 402, 402, 4], C), small), small);
    return [
      [y.toArray(), 3, 5625, C * C],
      [dx!, 2 * (150 * 75 + 75), 5625, C],
      [dk!, 7, 76 * 76, C],
      [dsmall!, 17, 160_000, C],
    ];
  },
  "average of a large window": () => [[avgPool2d(full([1, 1000, 1000, 1], C), 1000).toArray(), 0, 1, C]],
};

describe("sums of up to 10⁶ terms are right to 1e-6", () => {
  test.each(Object.entries(cases))("%s", (_, run) => {
    for (const [numbers, at, terms, term] of run()) {
      expect(Math.abs(numbers[at]! / (terms * term) - 1)).toBeLessThanOrEqual(1e-6);
    }
  });
});
