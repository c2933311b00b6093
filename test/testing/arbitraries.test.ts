import fc from "fast-check";
import { expect, test } from "vitest";
import { broadcastShapes, ValueError } from "../../src/tensor/index.ts";
import { broadcastablePairs, seeds, shapes, tensors } from "../../src/testing/arbitraries.ts";
import "../fixed-seed.ts";

test("shapes stay within their bounds and shrink to the smallest shape", () => {
  const some = shapes({ minAxes: 1, maxAxes: 3, minLength: 2, maxLength: 5 });
  fc.assert(fc.property(some, (shape) => shape.length >= 1 && shape.length <= 3 && shape.every((n) => n >= 2 && n <= 5)));
  expect(fc.check(fc.property(some, () => false)).counterexample).toEqual([[2]]);
});

test("tensors have the given shape and stay within bounds and away from kinks", () => {
  fc.assert(
    fc.property(
      shapes().chain((shape) => fc.tuple(fc.constant(shape), tensors(shape, { min: -1, max: 1, awayFrom: [0], gap: 0.3 }))),
      ([shape, x]) => {
        expect(x.shape).toEqual(shape);
        expect(x.toArray().every((v) => Math.abs(v) >= 0.2999 && Math.abs(v) <= 1)).toBe(true);
      },
    ),
  );
});

test("the shape of a failing tensor shrinks", () => {
  const three = shapes({ maxLength: 9 }).chain((shape) => tensors(shape));
  const found = fc.check(fc.property(three, (x) => x.size < 5));
  expect(found.counterexample?.[0].shape).toEqual([5]);
});

test("distinct numbers keep the given distance", () => {
  fc.assert(
    fc.property(tensors([5, 7], { min: -3, max: 3, distinct: 0.1 }), (x) => {
      const sorted = x.toArray().sort();
      expect(sorted.slice(1).every((v, i) => v - sorted[i]! > 0.0999)).toBe(true);
    }),
  );
});

test("impossible options raise an error that gives the reason", () => {
  expect(() => fc.sample(tensors([10], { min: 0, max: 1, distinct: 0.2 }))).toThrow(
    new ValueError("tensors", "10 numbers from 0 to 1 cannot be 0.2 apart"),
  );
  expect(() => fc.sample(tensors([1], { min: 0, max: 1, awayFrom: [0.5], gap: 2 }))).toThrow(
    new ValueError("tensors", "awayFrom [0.5] with gap 2 leaves no number from 0 to 1"),
  );
});

test("pairs of shapes broadcast, and either shape may be the smaller", () => {
  fc.assert(
    fc.property(broadcastablePairs(), ([a, b]) => {
      broadcastShapes("test", a, b);
    }),
  );
  const pairs = fc.sample(broadcastablePairs(), 200);
  expect(pairs.some(([a, b]) => a.length < b.length)).toBe(true);
  expect(pairs.some(([a, b]) => a.length > b.length)).toBe(true);
  expect(pairs.some(([a, b]) => a.some((n, i) => n === 1 && b[i] !== undefined && b[i] > 1))).toBe(true);
});

test("seeds are safe integers of at least 0", () => {
  fc.assert(fc.property(seeds(), (seed) => Number.isSafeInteger(seed) && seed >= 0));
});
