import { expect, test } from "vitest";
import { add, log, matmul, mul, relu, softmax, split, square, sum, tanh } from "../../src/ops/index.ts";
import { customGradient, Generator, GradientError, type Tensor, tensor, variable } from "../../src/tensor/index.ts";
import { checkGradient, compareGradient, compareLeafGradient, gradientError } from "../../src/testing/index.ts";

const uniform = (seed: number): (() => number) => {
  const random = new Generator(seed);
  return () => random.uniform();
};
const seedsTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

test("correct gradients of several inputs and of lists of results pass for every seed", () => {
  const [a, b] = [tensor([[0.5, -1.5, 2]]), tensor([[1], [-0.3], [0.7]])];
  for (const seed of seedsTo(50)) {
    checkGradient((x, y) => tanh(matmul(x, y)), [a, b], { seed });
    checkGradient((x) => split(square(x), 3, 1), [a], { seed });
    checkGradient((x) => softmax(x), [a], { seed });
  }
});

test("both derivatives follow the drawn direction and upstream gradient", () => {
  const random = uniform(3);
  const { exact, numeric, error } = compareGradient((x) => square(x), [tensor(3)], random);
  const again = uniform(3);
  const [direction, upstream] = [2 * again() - 1, 2 * again() - 1];
  expect(exact).toBeCloseTo(6 * direction * upstream, 4);
  expect(numeric).toBeCloseTo(6 * direction * upstream, 4);
  expect(error).toBeLessThan(1e-4);
});

test("the check finds a factor of 1.01 in at least nine of ten directions", () => {
  const wrong = (x: Tensor): Tensor =>
    customGradient("wrong", [x], tanh, (dy, y) => [mul(mul(dy, 1.01), add(1, mul(-1, square(y))))]);
  const found = seedsTo(100).filter((seed) => gradientError(wrong, [tensor([0.3, -0.8, 1.2, 0.1])], uniform(seed)) > 2e-3);
  expect(found.length).toBeGreaterThan(90);
});

test("a constant function with gradient 0 passes the check", () => {
  expect(gradientError((x) => mul(x, 0), [tensor([1, 2])], uniform(1))).toBe(0);
  expect(gradientError((x) => sum(softmax(x)), [tensor([1, 2, 3])], uniform(1))).toBeLessThan(2e-3);
});

test("the check finds an error of a tenth in a gradient of a thousandth", () => {
  const small = (x: Tensor): Tensor =>
    customGradient(
      "small",
      [x],
      (v) => mul(v, 1e-3),
      (dy) => [mul(dy, 0.9e-3)],
    );
  for (const seed of seedsTo(20)) expect(gradientError(small, [tensor([0.5, -1])], uniform(seed))).toBeGreaterThan(2e-3);
});

test("NaN on either side fails the check", () => {
  expect(() => checkGradient((x) => log(x), [tensor([-1])])).toThrow(GradientError);
});

test("the caller may give the upstream gradient for one result or a list", () => {
  const upstream = tensor([0, 0, 1]);
  const onlyLast = (x: Tensor): Tensor =>
    customGradient("onlyLast", [x], square, (dy, _, v) => [mul(mul(dy, v), tensor([0, 0, 2]))]);
  checkGradient(onlyLast, [tensor([1, 2, 3])], { upstream });
  expect(() => checkGradient(onlyLast, [tensor([1, 2, 3])])).toThrow(GradientError);
  checkGradient((x) => [square(x), tanh(x)], [tensor([1, 2, 3])], { upstream: [upstream, upstream] });
  expect(() => checkGradient((x) => square(x), [tensor([1, 2])], { upstream })).toThrow(
    "checkGradient: upstream [3] must have the shapes of f's result, [2]",
  );
});

test("the message states both derivatives, the error, the tolerance and the seed", () => {
  const wrong = (x: Tensor): Tensor =>
    customGradient(
      "wrong",
      [x],
      (v) => mul(v, 2),
      (dy) => [dy],
    );
  expect(() => checkGradient(wrong, [tensor([1, 2])], { seed: 7, tolerance: 0.01 })).toThrow(
    /^checkGradient: the gradient says -?[\d.]+, central differences say -?[\d.]+: relative error 0\.(49|5)\d* is above 0.01; seed 7$/,
  );
});

test("a kink inside the step fails the check", () => {
  expect(() => checkGradient((x) => relu(x), [tensor([0.001])], { seed: 1 })).toThrow(GradientError);
  checkGradient((x) => relu(x), [tensor([0.001])], { step: 2 ** -12, seed: 1 });
});

test("variables keep their numbers if the function throws during the check", () => {
  const w = variable(tensor([1, 2]));
  let calls = 0;
  const f = (): Tensor => {
    if (++calls === 2) throw new Error("enough");
    return sum(w);
  };
  expect(() => compareLeafGradient(f, [w], uniform(1))).toThrow("enough");
  expect([...w.data]).toEqual([1, 2]);
});
