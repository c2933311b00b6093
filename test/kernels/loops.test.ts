import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Kernels, Numbers } from "../../src/kernels/index.ts";
import * as reference from "../../src/kernels/reference.ts";
import "../fixed-seed.ts";
import { reals, tables } from "./exact.ts";
import { loopCases } from "./loop-cases.ts";

const bits = (x: number): number => {
  const [i] = new Int32Array(Float32Array.of(x).buffer);
  return i! < 0 ? -(i! & 0x7fffffff) : i!;
};
/** Whether both are NaN, or both the same infinity or zero, or differ by so many units in the last place or by so much. */
function isNear(got: number, want: number, ulps: number, slack: number): boolean {
  if (Object.is(got, want)) return true;
  if (ulps === 0 && slack === 0) return false;
  return Math.abs(bits(got) - bits(want)) <= ulps || Math.abs(got - want) <= slack;
}

/** Where two arrays first differ by more than one ulp and `slack` of the largest number, or at all where slack is 0. */
function firstFar(got: Numbers, want: Numbers, slack: number | undefined): string {
  const largest = want.reduce((top, v) => (Number.isFinite(v) ? Math.max(top, Math.abs(v)) : top), 1);
  const [ulps, far] = [slack === 0 ? 0 : 1, (slack ?? 0) * largest];
  const i = want.findIndex((v, j) => !isNear(got[j]!, v, ulps, far));
  return i < 0 ? "" : `${i} of ${want.length}: ${got[i]}, want ${want[i]}`;
}

const specials = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, -0, 1e-42, -1e-45, 3e38, -3e38, 1e-30];
/** Real numbers; where `odd`, with NaN, infinities, zeros and the smallest numbers among them, and the largest where nothing is added up. */
const numbers = (seed: number, odd: boolean, adding: boolean): ((length: number) => Numbers) => {
  const draw = reals(seed);
  const special = adding ? specials.filter((v) => !(Math.abs(v) > 1e38 && Number.isFinite(v))) : specials;
  return (length) =>
    draw(length).map((v, i) =>
      odd && i % 11 === 3 ? special[(i + length + seed) % special.length]! : i % 13 === 5 ? 40 * v : v,
    );
};

describe.each(tables.filter(([, { fast }]) => "relu" in fast))("%s", (_, { fast, place }) => {
  const size = fc.oneof(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 13, max: 80 }));

  test.each(Object.entries(loopCases))(
    "%s is the reference's, to the bit or within an ulp",
    (_, { outputs, inPlace, run, slack }) => {
      fc.assert(
        fc.property(size, size, fc.integer(), fc.boolean(), fc.boolean(), (rows, columns, seed, odd, accumulate) => {
          const adding = (slack ?? 0) > 0;
          const start = numbers(seed + 1, odd, adding);
          const starts = outputs(rows, columns).map((length) =>
            inPlace || accumulate ? start(length) : new Float32Array(length).fill(Number.NaN),
          );
          const want = starts.map((x) => x.slice());
          const got = starts.map((x) => place(x.slice()));
          run({ ...reference }, want, { at: (x) => x, draw: numbers(seed, odd, adding) }, rows, columns, accumulate);
          run({ ...reference, ...fast }, got, { at: place, draw: numbers(seed, odd, adding) }, rows, columns, accumulate);
          for (const [i, one] of want.entries()) expect(firstFar(got[i]!, one, slack)).toBe("");
        }),
        { numRuns: 60 },
      );
    },
  );
});

/** Numbers of every exponent and sign: denormals, infinities and NaN too. */
const everywhere = (): Numbers => {
  const patterns = new Uint32Array(200_000);
  for (let i = 0; i < patterns.length; i++) patterns[i] = Math.imul(i, 0x9e3779b1);
  patterns.set([0, 0x80000000, 1, 0x80000001, 0x7f800000, 0xff800000, 0x7fc00000, 0x3f800000, 0x3f7fffff, 0x3f800001]);
  return new Float32Array(patterns.buffer);
};
/** Numbers from −110 to 110, where exponentials neither overflow nor vanish. */
const ordinary = (): Numbers => Float32Array.from({ length: 200_000 }, (_, i) => (i - 100_000) * 0.0011);

const plain: Kernels = { ...reference };
const fast: Kernels = { ...reference, ...tables.find(([name]) => name.endsWith("in place"))![1].fast };

describe.each([
  ["of every exponent", everywhere()],
  ["from −110 to 110", ordinary()],
])("numbers %s", (_, x) => {
  test.each(["exp", "log", "tanh", "sigmoid", "silu", "softplus", "gelu"] as const)(
    "%s is within 1 ulp of the reference",
    (name) => {
      const [want, got] = [new Float32Array(x.length), new Float32Array(x.length)];
      plain[name](x, want);
      fast[name](x, got);
      // Far below 0, 1 + tanh loses what gelu would need, in the reference as here.
      const far = want.findIndex((v, i) => !isNear(got[i]!, v, 1, name === "gelu" ? 2 ** -51 * Math.abs(x[i]!) : 0));
      expect(far < 0 ? "" : `${name}(${x[far]}) = ${got[far]}, want ${want[far]}`).toBe("");
    },
  );

  test.each(["siluGrad", "softplusGrad", "geluGrad"] as const)(
    "%s is within 1 ulp of the reference, or 2⁻³⁰ where it vanishes",
    (name) => {
      const [want, got, ones] = [new Float32Array(x.length), new Float32Array(x.length), new Float32Array(x.length).fill(1)];
      plain[name](x, x, ones, want, false);
      fast[name](x, x, ones, got, false);
      const far = want.findIndex((v, i) => !isNear(got[i]!, v, 1, 2 ** -30));
      expect(far < 0 ? "" : `${name}(${x[far]}) = ${got[far]}, want ${want[far]}`).toBe("");
    },
  );
});
