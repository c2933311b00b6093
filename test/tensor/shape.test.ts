import fc from "fast-check";
import { expect, test } from "vitest";
import { axesOf, axisOf, broadcastShapes, ShapeError, sameShape, show, sizeOf, stridesOf } from "../../src/tensor/index.ts";
import { broadcastablePairs, shapes } from "../../src/testing/arbitraries.ts";
import "../fixed-seed.ts";

test("sizeOf, stridesOf, show and sameShape return sizes, strides, texts and equality of shapes", () => {
  expect([sizeOf([]), sizeOf([2, 3]), sizeOf([2, 0])]).toEqual([1, 6, 0]);
  expect([stridesOf([]), stridesOf([2, 3, 4])]).toEqual([[], [12, 4, 1]]);
  expect([show([]), show([2, 3])]).toEqual(["[]", "[2, 3]"]);
  expect([sameShape([1], [1]), sameShape([1], [1, 1]), sameShape([1, 2], [2, 1])]).toEqual([true, false, false]);
});

test("axes count from either end, are unique and are sorted", () => {
  expect([axisOf("f", 0, [2, 3]), axisOf("f", -1, [2, 3])]).toEqual([0, 1]);
  expect([axesOf("f", undefined, [2, 3]), axesOf("f", [-1, 0], [2, 3]), axesOf("f", -2, [2, 3])]).toEqual([[0, 1], [0, 1], [0]]);
  expect(() => axisOf("f", -3, [2, 3])).toThrow(new ShapeError("f", "axis -3 does not exist in x [2, 3]: axes go from -2 to 1"));
  expect(() => axesOf("f", [0, -2], [2, 3])).toThrow(new ShapeError("f", "axis [0, 0] of x [2, 3]: each axis once"));
});

test("broadcasting is commutative, keeps a shape paired with itself, and accepts scalars with any shape", () => {
  fc.assert(
    fc.property(broadcastablePairs({ minLength: 0 }), ([a, b]) => {
      const both = broadcastShapes("f", a, b);
      expect(broadcastShapes("f", b, a)).toEqual(both);
      expect(broadcastShapes("f", both, a)).toEqual(both);
    }),
  );
  fc.assert(fc.property(shapes({ minLength: 0 }), (shape) => sameShape(broadcastShapes("f", shape, []), shape)));
  expect(broadcastShapes("f", [2, 1], [3])).toEqual([2, 3]);
  expect(broadcastShapes("f", [1], [0])).toEqual([0]);
  expect(() => broadcastShapes("f", [2], [0])).toThrow(ShapeError);
});
