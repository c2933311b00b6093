import fc from "fast-check";
import { expect, test } from "vitest";
import { avgPool1d, conv1d, maxPool1d, type Padding1d } from "../../src/ops/index.ts";
import { noGrad, tensor, variable, zeros } from "../../src/tensor/index.ts";
import "../fixed-seed.ts";
import { whole } from "./naive.ts";

const between = (min: number, max: number): fc.Arbitrary<number> => fc.integer({ min, max });

/**
 * For each window the positions it sees, and their taps; PyTorch's formula for explicit padding, TensorFlow's for
 * "same".
 */
function windowsOver(
  n: number,
  k: number,
  stride: number,
  dilation: number,
  padding: Padding1d,
): { at: number; tap: number }[][] {
  const span = (k - 1) * dilation + 1;
  const same = Math.max((Math.ceil(n / stride) - 1) * stride + span - n, 0);
  const [before, after] =
    padding === "same"
      ? [Math.floor(same / 2), Math.ceil(same / 2)]
      : padding === "valid"
        ? [0, 0]
        : typeof padding === "number"
          ? [padding, padding]
          : padding;
  const windows: { at: number; tap: number }[][] = [];
  for (let begin = -before; begin + span <= n + after; begin += stride) {
    const taps = Array.from({ length: k }, (_, tap) => ({ at: begin + tap * dilation, tap }));
    windows.push(taps.filter(({ at }) => at >= 0 && at < n));
  }
  return windows;
}

const paddings = fc.oneof(fc.constantFrom<Padding1d>("same", "valid", 0, 1), fc.tuple(between(0, 1), between(0, 1)));

test("conv1d over random windows equals plain loops", () => {
  fc.assert(
    fc.property(
      fc.record({
        k: between(2, 3),
        n: between(5, 9),
        strides: between(1, 3),
        dilations: between(1, 2),
        groups: between(1, 2),
        padding: paddings,
        biased: fc.boolean(),
      }),
      fc.integer(),
      ({ k, n, strides, dilations, groups, padding, biased }, seed) => {
        const [batch, share, outShare] = [2, 3, 2];
        const [channels, outputs] = [groups * share, groups * outShare];
        const [x, kernel, bias] = [whole([batch, n, channels], seed), whole([k, share, outputs], seed + 1), whole([outputs], 3)];
        const windows = windowsOver(n, k, strides, dilations, padding);
        const want: number[] = [];
        for (let b = 0; b < batch; b++)
          for (const taps of windows)
            for (let o = 0; o < outputs; o++) {
              let total = biased ? bias.data[o]! : 0;
              const first = Math.floor(o / outShare) * share;
              for (const { at, tap } of taps)
                for (let c = 0; c < share; c++)
                  total += x.data[(b * n + at) * channels + first + c]! * kernel.data[(tap * share + c) * outputs + o]!;
              want.push(total);
            }
        const y = conv1d(x, kernel, { strides, dilations, groups, padding, ...(biased ? { bias } : {}) });
        expect(y.shape).toEqual([batch, windows.length, outputs]);
        expect([...y.data]).toEqual(want);
      },
    ),
  );
});

test("pools over random windows of sequences equal plain loops", () => {
  fc.assert(
    fc.property(between(2, 3), between(5, 9), between(1, 4), paddings, fc.integer(), (k, n, strides, padding, seed) => {
      const x = whole([2, n, 3], seed);
      const windows = windowsOver(n, k, strides, 1, padding);
      const naive = (f: (seen: number[]) => number): number[] =>
        [0, 1].flatMap((b) =>
          windows.flatMap((taps) => [0, 1, 2].map((c) => f(taps.map(({ at }) => x.data[(b * n + at) * 3 + c]!)))),
        );
      const options = { strides, padding };
      expect(maxPool1d(x, k, options).shape).toEqual([2, windows.length, 3]);
      expect([...maxPool1d(x, k, options).data]).toEqual(naive((seen) => Math.max(...seen)));
      expect([...avgPool1d(x, k, options).data]).toEqual(
        naive((seen) => Math.fround(seen.reduce((a, b) => a + b, 0) / seen.length)),
      );
    }),
  );
});

test("the default stride of a pool is its window size", () => {
  const x = tensor([1, 2, 3, 4, 5], [1, 5, 1]);
  expect(maxPool1d(x, 2).toNested()).toEqual([[[2], [4]]]);
  expect(avgPool1d(x, 2, { padding: "same" }).toNested()).toEqual([[[1.5], [3.5], [5]]]);
});

test("an empty batch of sequences gives an empty result", () => {
  expect(conv1d(zeros([0, 5, 2]), zeros([3, 2, 4])).shape).toEqual([0, 3, 4]);
  expect(maxPool1d(zeros([0, 5, 2]), 2).shape).toEqual([0, 2, 2]);
});

test("ops over sequences give the same numbers without recording", () => {
  const [x, kernel] = [whole([1, 6, 2], 1), whole([3, 2, 2], 2)];
  const recorded = conv1d(variable(x), variable(kernel), { padding: 1 });
  expect(noGrad(() => conv1d(x, kernel, { padding: 1 })).data).toEqual(recorded.data);
});
