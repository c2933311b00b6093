import fc from "fast-check";
import { expect, test } from "vitest";
import { avgPool2d, maxPool2d, type Padding } from "../../src/ops/index.ts";
import { gradients, type Tensor, tensor, variable, zeros } from "../../src/tensor/index.ts";
import "../fixed-seed.ts";
import { type Geometry, whole, windowsOver } from "./naive.ts";

function naive(x: Tensor, size: readonly [number, number], geometry: Geometry, f: (seen: number[]) => number): number[] {
  const channels = x.shape[3]!;
  return windowsOver(x.shape, size, geometry).windows.flatMap((seen) =>
    Array.from({ length: channels }, (_, c) => f(seen.map(({ pixel }) => x.data[pixel * channels + c]!))),
  );
}

const between = (min: number, max: number): fc.Arbitrary<number> => fc.integer({ min, max });
const pair = (min: number, max: number): fc.Arbitrary<[number, number]> => fc.tuple(between(min, max), between(min, max));

test("pools over random windows, overlapping windows included, equal plain loops", () => {
  fc.assert(
    fc.property(
      pair(2, 3),
      pair(1, 4),
      fc.oneof(fc.constantFrom<Padding>("same", "valid", 0, 1), fc.tuple(pair(0, 1), pair(0, 1))),
      fc.tuple(between(0, 2), between(3, 9), between(3, 9), between(1, 3)),
      fc.integer(),
      (size, strides, padding, shape, seed) => {
        const x = whole(shape, seed);
        const geometry: Geometry = { strides, dilations: [1, 1], padding };
        const largest = maxPool2d(x, size, { strides, padding });
        expect([...largest.data]).toEqual(naive(x, size, geometry, (seen) => Math.max(...seen)));
        const mean = (seen: number[]): number => Math.fround(seen.reduce((a, b) => a + b, 0) / seen.length);
        expect([...avgPool2d(x, size, { strides, padding }).data]).toEqual(naive(x, size, geometry, mean));
      },
    ),
    { numRuns: 60 },
  );
});

test("the default stride is the window size, and only padding covers the rest of an odd image", () => {
  const x = tensor([1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 3, 3, 1]);
  expect(maxPool2d(x, 2).toNested()).toEqual([[[[5]]]]);
  expect(maxPool2d(x, 2, { padding: "same" }).data).toEqual(Float32Array.of(5, 6, 8, 9));
  expect(avgPool2d(x, 2, { padding: "same" }).data).toEqual(Float32Array.of(3, 4.5, 7.5, 9));
});

test("max pooling ignores padding even among negative numbers, and average pooling does not count padding", () => {
  const x = tensor([-1, -2, -3, -4], [1, 2, 2, 1]);
  const around: Padding = [
    [1, 1],
    [1, 1],
  ];
  expect(maxPool2d(x, 2, { padding: around }).data).toEqual(Float32Array.of(-1, -2, -3, -4));
  expect(avgPool2d(x, 2, { padding: around }).data).toEqual(Float32Array.of(-1, -2, -3, -4));
});

test("the maximum and the average of a window with NaN anywhere are NaN", () => {
  for (const at of [0, 1, 2, 3]) {
    const numbers = [1, 2, 3, 4].with(at, Number.NaN);
    expect(maxPool2d(tensor(numbers, [1, 2, 2, 1]), 2).item()).toBeNaN();
    expect(avgPool2d(tensor(numbers, [1, 2, 2, 1]), 2).item()).toBeNaN();
  }
});

test("the maximum of a window of only −∞ is −∞, and its first pixel gets the gradient", () => {
  const x = variable(tensor(new Float32Array(4).fill(Number.NEGATIVE_INFINITY), [1, 2, 2, 1]));
  const y = maxPool2d(x, 2);
  expect(y.item()).toBe(Number.NEGATIVE_INFINITY);
  expect(gradients(y, [x])[0]!.toArray()).toEqual(Float32Array.of(1, 0, 0, 0));
});

test("at a tie the first pixel gets the whole gradient, and 0 ties with −0", () => {
  const slope = (numbers: number[]): Float32Array => {
    const x = variable(tensor(numbers, [1, 2, 2, 1]));
    return gradients(maxPool2d(x, 2), [x])[0]!.toArray();
  };
  expect(slope([3, 3, 3, 3])).toEqual(Float32Array.of(1, 0, 0, 0));
  expect(slope([1, 3, 3, 2])).toEqual(Float32Array.of(0, 1, 0, 0));
  expect(slope([-0, 0, -1, -1])).toEqual(Float32Array.of(1, 0, 0, 0));
  expect(slope([0, -0, -1, -1])).toEqual(Float32Array.of(1, 0, 0, 0));
  expect(slope([1, Number.NaN, 2, Number.NaN])).toEqual(Float32Array.of(0, 1, 0, 0));
});

test("a maximum shared by overlapping windows gets the sum of their gradients", () => {
  const x = variable(tensor([1, 9, 1], [1, 1, 3, 1]));
  const y = maxPool2d(x, [1, 2], { strides: 1 });
  expect(gradients(y, [x], tensor([10, 1], [1, 1, 2, 1]))[0]!.toArray()).toEqual(Float32Array.of(0, 11, 0));
});

test("an empty batch gives an empty result", () => {
  for (const pool of [maxPool2d, avgPool2d]) {
    const x = variable(zeros([0, 4, 4, 3]));
    const y = pool(x, 2);
    expect(y.shape).toEqual([0, 2, 2, 3]);
    expect(gradients(y, [x], zeros([0, 2, 2, 3]))[0]!.shape).toEqual([0, 4, 4, 3]);
  }
});

test("pooling refuses an image without pixels, even with padding", () => {
  for (const pool of [maxPool2d, avgPool2d]) {
    expect(() =>
      pool(zeros([1, 0, 4, 1]), 2, {
        padding: [
          [1, 1],
          [0, 0],
        ],
      }),
    ).toThrow(`${pool.name}: padding [[1,1],[0,0]] leaves windows without a pixel; it must be smaller than the window`);
  }
});
