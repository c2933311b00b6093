import { describe, expect, test } from "vitest";
import { gradients, type Tensor, tensor, variable, zeros } from "../../src/tensor/index.ts";
import { type Unary, type UnaryName, unaries, unaryOps } from "./unary.ts";

const inf = Number.POSITIVE_INFINITY;
const cases = Object.entries(unaries).map(([name, unary]): [string, (x: Tensor) => Tensor, Unary] => [
  name,
  unaryOps[name as UnaryName],
  unary,
]);
/** The numbers again and again, so many that the fast kernel computes them. */
const many = (numbers: readonly number[]): number[] => Array.from({ length: 600 }, (_, i) => numbers[i % numbers.length]!);
const plain = (x: Tensor, count: number): number[] => [...x.data.subarray(x.size - count)].map((v) => v + 0); // −0 is 0
const slopes = (op: (x: Tensor) => Tensor, at: readonly number[]): number[] => {
  const x = variable(tensor(at));
  return plain(gradients(op(x), [x], tensor(at.map(() => 1)))[0]!, at.length);
};

describe.each(cases)("%s", (_, op, { formula, limits, kinks = [] }) => {
  test("has an error of at most one float32 unit or 1e-7, for few and for many numbers", () => {
    const points = [-5.5, -3, -2.5, -1, -0.3, 0.2, 0.75, 1, 2.9, 3, 4];
    for (const numbers of [points, many(points)])
      for (const [i, got] of [...op(tensor(numbers)).data].entries()) {
        const want = formula(Math.fround(numbers[i]!));
        if (Number.isNaN(want)) expect(got).toBeNaN();
        else expect(Math.abs(got - want)).toBeLessThan(1e-7 * (1 + Math.abs(want)));
      }
  });

  test("and its gradient equal their limits at −∞ and ∞", () => {
    for (const numbers of [[-inf, inf], many([-inf, inf])]) {
      expect(plain(op(tensor(numbers)), 2)).toEqual(limits[0]);
      expect(slopes(op, numbers).slice(-2)).toEqual(limits[1]);
    }
  });

  test("has the expected slopes at its kinks", () => {
    for (const [x, slope] of kinks) {
      expect(slopes(op, [x])).toEqual([slope]);
      expect(slopes(op, many([x]))).toEqual(many([slope]));
    }
  });

  test("maps NaN to NaN, an empty tensor to an empty tensor and a scalar to a scalar", () => {
    expect(op(tensor(Number.NaN)).item()).toBeNaN();
    expect(op(tensor(many([Number.NaN]))).data.every(Number.isNaN)).toBe(true);
    expect(op(zeros([2, 0])).shape).toEqual([2, 0]);
    expect(op(tensor(1)).shape).toEqual([]);
  });
});
