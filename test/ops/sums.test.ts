import { describe, expect, test } from "vitest";
import {
  add,
  backward,
  broadcastTo,
  crossEntropy,
  cyclicSlice,
  full,
  gather,
  matmul,
  mean,
  mul,
  ones,
  softmax,
  sum,
  type Tensor,
  variable,
  zeros,
} from "../../src/index.ts";

// Ops pass long sums to the kernels whose errors test/kernels/sums.test.ts bounds: sums of 10⁶ equal terms, the worst
// case for float32 totals, are right to 1e-6, forward and backward.

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
  "cross entropy of many classes and of many examples": () => [
    [crossEntropy(full([1, MILLION], C), [3]).toArray(), 0, 1, Math.log(MILLION)],
    [crossEntropy(full([MILLION / 2, 2], C), new Int32Array(MILLION / 2)).toArray(), 0, 1, Math.log(2)],
    [
      crossEntropy(full([MILLION / 2, 2], C), new Int32Array(MILLION / 2), { reduction: "sum" }).toArray(),
      0,
      MILLION / 2,
      Math.log(2),
    ],
    [softmax(full([1, MILLION], C)).toArray(), 5, 1, 1 / MILLION],
  ],
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
};

describe("sums of up to 10⁶ terms have a relative error of at most 1e-6", () => {
  test.each(Object.entries(cases))("%s", (_, run) => {
    for (const [numbers, at, terms, term] of run()) {
      expect(Math.abs(numbers[at]! / (terms * term) - 1)).toBeLessThanOrEqual(1e-6);
    }
  });
});
