import { expect, test } from "vitest";
import * as ops from "../../src/ops/index.ts";
import { customGradient, fresh, record, type Tensor } from "../../src/tensor/index.ts";
import { shapes, tensors } from "../../src/testing/arbitraries.ts";
import { type Case, gradientLaw, type Law } from "./law.ts";
import { laws, withoutGradient } from "./laws.ts";

test.each(Object.entries(laws))(
  "the gradient of %s agrees with central differences, and its graph gives the same numbers",
  (_, law) => law(),
);

test("every public op has a gradient law or is on the list of ops without gradient", () => {
  const functions = Object.entries(ops).flatMap(([name, value]) => (typeof value === "function" ? [name] : []));
  expect(Object.keys(laws).concat(withoutGradient, "trace").sort()).toEqual(functions.sort());
});

const tanhWith = (pullback: (dy: Tensor, y: Tensor) => Tensor): Law =>
  lawOf((x) => customGradient("wrongTanh", [x], ops.tanh, (dy, y) => [pullback(dy, y)]));
const lawOf = (f: (x: Tensor) => Tensor): Law =>
  gradientLaw(
    shapes({ minAxes: 1 })
      .chain((shape) => tensors(shape))
      .map((x): Case => ({ f, xs: [x] })),
  );
const slope = (dy: Tensor, y: Tensor): Tensor => ops.mul(dy, ops.sub(1, ops.square(y)));

test("the law holds for a correct gradient", () => {
  tanhWith(slope)();
});

function caught(run: () => void): Error {
  try {
    run();
  } catch (error) {
    if (error instanceof Error) return error;
  }
  throw new Error("nothing was thrown");
}

const softmaxWithoutItsSum = (x: Tensor): Tensor =>
  customGradient(
    "wrongSoftmax",
    [x],
    (v) => ops.softmax(v),
    (dy, y) => [ops.mul(dy, y)],
  );

test.each<[string, Law]>([
  ["one percent too large", tanhWith((dy, y) => ops.mul(slope(dy, y), 1.01))],
  ["missing a term", lawOf(softmaxWithoutItsSum)],
  ["of the other sign", tanhWith((dy, y) => ops.neg(slope(dy, y)))],
  ["zero", tanhWith((dy) => ops.mul(dy, 0))],
  ["not a number", tanhWith((dy) => ops.mul(dy, Number.NaN))],
  ["never written", lawOf((x) => record("lost", {}, [x], x.shape, ops.tanh(x).data, () => {}))],
  ["cut off", lawOf((x) => fresh(x.shape, ops.tanh(x).data))],
])("the law catches a gradient that is %s, and prints a seed", (_, law) => {
  const failure = caught(law);
  expect(failure.message).toMatch(/seed: -?[0-9]+/);
  expect(String(failure.cause)).toMatch(/relative error .* is not below/);
});
