import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  Generator,
  randomNormal,
  randomTruncatedNormal,
  randomUniform,
  type Tensor,
  ValueError,
} from "../../src/tensor/index.ts";
import "../fixed-seed.ts";

const many = 100_000;
const drawn = (draw: () => number): Float64Array => Float64Array.from({ length: many }, draw);

/** Mean and variance in double precision. */
function moments(x: ArrayLike<number>): [number, number] {
  let [mean, square] = [0, 0];
  for (let i = 0; i < x.length; i++) mean += x[i]! / x.length;
  for (let i = 0; i < x.length; i++) square += (x[i]! - mean) ** 2 / x.length;
  return [mean, square];
}

describe("the generator", () => {
  test("gives the same numbers for the same seed and different numbers for the next seed", () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const [a, b, next] = [new Generator(seed), new Generator(seed), new Generator(seed + 1)];
        const bits = (g: Generator): number[] => Array.from({ length: 8 }, () => g.bits());
        const first = bits(a);
        expect(bits(b)).toEqual(first);
        expect(bits(next)).not.toEqual(first);
      }),
    );
  });

  test("follows the published algorithm: xoshiro128** from the state 1, 2, 3, 4", () => {
    // First outputs by hand: rotl(2·5, 7)·9 = 11520; then s₁ = 1⊕2⊕3 = 0 gives 0.
    const random = new Generator(0);
    random.state = [1, 2, 3, 4];
    expect([random.bits(), random.bits()]).toEqual([11520, 0]);
  });

  test("continues from a saved state", () => {
    const random = new Generator(9);
    random.bits();
    const state = random.state;
    const then = [random.uniform(), random.normal(), random.below(1000)];
    const other = new Generator(1);
    other.state = JSON.parse(JSON.stringify(state));
    expect([other.uniform(), other.normal(), other.below(1000)]).toEqual(then);
  });

  test("refuses a seed that is not an integer and an invalid state", () => {
    expect(() => new Generator(0.5)).toThrow(new ValueError("Generator", "the seed must be a whole number, got 0.5"));
    const random = new Generator(0);
    const text = "a state is four 32-bit numbers, not all zero, as `state` gave them";
    for (const state of [
      [1, 2, 3],
      [0, 0, 0, 0],
      [2 ** 32, 0, 0, 0],
      [1, 2, 3, 0.5],
      [1, 2, 3, Number.NaN],
    ]) {
      expect(() => {
        random.state = state;
      }).toThrow(new ValueError("Generator", text));
    }
  });

  test("distinguishes large and negative seeds", () => {
    const first = (seed: number): number => new Generator(seed).bits();
    const seeds = [0, 1, -1, -2, 2 ** 32, 2 ** 32 + 1, 2 ** 40 + 1, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER];
    expect(new Set(seeds.map(first)).size).toBe(seeds.length);
  });
});

describe("distributions", () => {
  const tenStandardErrors = (deviation: number): number => (10 * deviation) / Math.sqrt(many);

  test("uniform numbers have mean 1/2 and variance 1/12, and lie in [0, 1)", () => {
    const random = new Generator(1);
    const x = drawn(() => random.uniform());
    const [mean, variance] = moments(x);
    expect(Math.abs(mean - 1 / 2)).toBeLessThan(tenStandardErrors(Math.sqrt(1 / 12)));
    expect(Math.abs(variance - 1 / 12)).toBeLessThan(tenStandardErrors(0.1));
    expect(x.every((v) => v >= 0 && v < 1)).toBe(true);
  });

  test("normal numbers have mean 0, variance 1, and the correct share beyond one and two standard deviations", () => {
    const random = new Generator(2);
    const x = drawn(() => random.normal());
    const [mean, variance] = moments(x);
    expect(Math.abs(mean)).toBeLessThan(tenStandardErrors(1));
    expect(Math.abs(variance - 1)).toBeLessThan(tenStandardErrors(Math.SQRT2));
    for (const [deviations, share] of [
      [1, 0.3173],
      [2, 0.0455],
    ] as const) {
      expect(x.filter((v) => Math.abs(v) > deviations).length / many).toBeCloseTo(share, 2);
    }
    expect(x.every(Number.isFinite)).toBe(true);
  });

  test("truncated normal numbers stay within two standard deviations and have variance 0.7737", () => {
    const x = randomTruncatedNormal([many], new Generator(3), 1, 0.5).data;
    const [mean, variance] = moments(x);
    expect(Math.abs(mean - 1)).toBeLessThan(tenStandardErrors(0.5));
    expect(variance / 0.25).toBeCloseTo(0.7737, 1);
    expect(x.every((v) => v >= 0 && v <= 2)).toBe(true);
  });

  test("all integers below an end are drawn about equally often", () => {
    const random = new Generator(4);
    const counts = new Int32Array(7);
    for (let i = 0; i < 70_000; i++) counts[random.below(7)]!++;
    for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(1000);
  });

  test("tensors of random numbers have the requested shape, mean and standard deviation", () => {
    const x = randomNormal([100, 100], new Generator(5), 3, 0.1);
    expect(x.shape).toEqual([100, 100]);
    expect(moments(x.data)[0]).toBeCloseTo(3, 2);
    const u = randomUniform([1000], new Generator(6), -2, 5).data;
    expect(u.every((v) => v >= -2 && v < 5)).toBe(true);
    expect(moments(u)[0]).toBeCloseTo(1.5, 0);
  });

  test("a uniform number close to the end is not rounded up to the end", () => {
    class Highest extends Generator {
      override bits(): number {
        return 2 ** 32 - 1;
      }
    }
    const highest = (low: number, high: number): Tensor => randomUniform([1], new Highest(0), low, high);
    expect(highest(0, 1).item()).toBeLessThan(1);
    expect(highest(5, 6).item()).toBeLessThan(6);
    expect(highest(1, -1).item()).toBeGreaterThan(-1);
  });
});

test("a permutation holds every number once, and each number is about equally often at each index", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 200 }), fc.integer(), (n, seed) => {
      const order = new Generator(seed).permutation(n);
      expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: n }, (_, i) => i));
    }),
  );
  const random = new Generator(7);
  const counts = new Int32Array(16);
  for (let i = 0; i < 8000; i++) for (const [at, v] of random.permutation(4).entries()) counts[4 * at + v]!++;
  for (const count of counts) expect(Math.abs(count - 2000)).toBeLessThan(300);
});
