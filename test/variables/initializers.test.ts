import fc from "fast-check";
import { expect, test } from "vitest";
import { Generator, type Shape, ShapeError, sizeOf, ValueError } from "../../src/tensor/index.ts";
import {
  constantInit,
  fansOf,
  glorotNormal,
  glorotUniform,
  heNormal,
  heUniform,
  type Initializer,
  normalInit,
  ofDeviation,
  onesInit,
  orthogonal,
  truncatedNormalInit,
  uniformInit,
  varianceScaling,
  zerosInit,
} from "../../src/variables/index.ts";
import "../fixed-seed.ts";

const shapes: readonly Shape[] = [[60, 50], [3, 3, 20, 16], [2880]];

const initializers: readonly Initializer[] = [
  uniformInit(),
  uniformInit(-1, 3),
  normalInit(),
  normalInit(2, -1),
  truncatedNormalInit(),
  truncatedNormalInit(0.5, 3),
  glorotUniform,
  glorotNormal,
  heUniform,
  heNormal,
  varianceScaling(3, "out", "truncated normal"),
  varianceScaling(0.5, 7, "normal"),
  ofDeviation("uniform", 0.25),
  ofDeviation("normal", 0.25),
  ofDeviation("truncated normal", 0.25),
  constantInit(-2),
  zerosInit,
  onesInit,
];

const momentsOf = (x: Float32Array): { mean: number; deviation: number } => {
  const mean = x.reduce((sum, v) => sum + v, 0) / x.length;
  return { mean, deviation: Math.sqrt(x.reduce((sum, v) => sum + (v - mean) ** 2, 0) / x.length) };
};

test.each(initializers)("$name has the stated mean and standard deviation for every rank", (init) => {
  for (const shape of shapes) {
    const n = sizeOf(shape);
    const want = init.deviation(shape);
    const { mean, deviation } = momentsOf(init.draw(shape, new Generator(11)).toArray());
    expect(Math.abs(mean - init.mean)).toBeLessThanOrEqual((5 * want) / Math.sqrt(n));
    // The standard error of a sample deviation is σ/√(2n) for normal draws.
    expect(Math.abs(deviation - want)).toBeLessThanOrEqual((5 * want) / Math.sqrt(2 * n));
  }
});

test.each([
  [[60, 50], { fanIn: 60, fanOut: 50 }],
  [[3, 5, 20, 16], { fanIn: 300, fanOut: 240 }],
  [[7, 4, 2], { fanIn: 28, fanOut: 14 }],
  [[9], { fanIn: 9, fanOut: 9 }],
  [[], { fanIn: 1, fanOut: 1 }],
  [[0, 3], { fanIn: 1, fanOut: 3 }],
])("the fans of %j are %j", (shape, fans) => {
  expect(fansOf(shape)).toEqual(fans);
});

test("the named initializers have the standard deviations of their papers", () => {
  for (const init of [glorotUniform, glorotNormal]) {
    expect(init.deviation([60, 50])).toBeCloseTo(Math.sqrt(2 / 110), 12);
    expect(init.deviation([3, 3, 20, 16])).toBeCloseTo(Math.sqrt(2 / (180 + 144)), 12);
  }
  for (const init of [heUniform, heNormal]) expect(init.deviation([3, 3, 20, 16])).toBeCloseTo(Math.sqrt(2 / 180), 12);
  expect(varianceScaling(3, "out", "normal").deviation([4, 12])).toBe(0.5);
  expect(varianceScaling(1, 25, "uniform").deviation([5, 5, 3, 1])).toBe(0.2);
});

test("bounded initializers stay within their bounds", () => {
  const root3 = Math.sqrt(3);
  const cut = 2 / 0.8796256610342398;
  const bounds: [Initializer, number, number][] = [
    [uniformInit(), -0.05, 0.05],
    [uniformInit(2, 3), 2, 3],
    [truncatedNormalInit(0.5, 3), 2, 4],
    [glorotUniform, -root3 * glorotUniform.deviation([8, 8]), root3 * glorotUniform.deviation([8, 8])],
    [heUniform, -root3 * heUniform.deviation([8, 8]), root3 * heUniform.deviation([8, 8])],
    [ofDeviation("truncated normal", 1), -cut, cut],
  ];
  fc.assert(
    fc.property(fc.nat(), fc.constantFrom(...bounds), (seed, [init, low, high]) => {
      for (const v of init.draw([8, 8], new Generator(seed)).toArray()) {
        expect(v).toBeGreaterThanOrEqual(Math.fround(low));
        expect(v).toBeLessThanOrEqual(Math.fround(high));
      }
    }),
  );
});

test("the same generator state draws the same numbers", () => {
  for (const init of [...initializers, orthogonal()]) {
    expect(init.draw([4, 3], new Generator(2)).toArray()).toEqual(init.draw([4, 3], new Generator(2)).toArray());
  }
});

/** The largest difference between x·xᵀ and the identity times gain², x being `count` vectors of `length`. */
function orthonormalError(vectors: readonly (readonly number[])[], gain: number): number {
  const errors = vectors.flatMap((u, i) =>
    vectors.map((v, j) => Math.abs(u.reduce((sum, x, k) => sum + x * v[k]!, 0) - (i === j ? gain ** 2 : 0))),
  );
  return Math.max(...errors);
}

test.each([
  [[12, 5], 1],
  [[5, 12], 1],
  [[6, 6], 2],
  [[3, 3, 2, 7], 0.5],
  [[1, 1, 2, 9], 1],
] as const)("orthogonal %j with gain %s has orthonormal rows or columns, whichever are fewer", (shape, gain) => {
  const init = orthogonal(gain);
  const x = init.draw(shape, new Generator(5)).toArray();
  const columns = shape.at(-1)!;
  const rows = x.length / columns;
  const row = (i: number): number[] => Array.from({ length: columns }, (_, j) => x[i * columns + j]!);
  const column = (j: number): number[] => Array.from({ length: rows }, (_, i) => x[i * columns + j]!);
  const vectors =
    rows < columns ? Array.from({ length: rows }, (_, i) => row(i)) : Array.from({ length: columns }, (_, j) => column(j));
  expect(orthonormalError(vectors, gain)).toBeLessThan(1e-5);
  const root = Math.sqrt(x.reduce((sum, v) => sum + v * v, 0) / x.length); // the mean of many draws is 0
  expect(init.deviation(shape)).toBeCloseTo(root, 5);
});

test("orthogonal refuses a vector", () => {
  expect(() => orthogonal().draw([4], new Generator(1))).toThrow(ShapeError);
  expect(() => orthogonal().draw([4], new Generator(1))).toThrow(
    /^orthogonal: shape \[4\] has no two sides; use it for kernels and matrices$/,
  );
});

test.each([0, -1, Number.NaN])("varianceScaling refuses a scale of %s", (scale) => {
  expect(() => varianceScaling(scale, "in", "normal")).toThrow(ValueError);
  expect(() => varianceScaling(scale, "in", "normal")).toThrow(
    `varianceScaling: scale must be a finite number above 0, got ${scale}`,
  );
});
