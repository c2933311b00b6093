import fc from "fast-check";
import { expect, test } from "vitest";
import { conv2d, depthwiseConv2d, type Padding } from "../../src/ops/index.ts";
import { gradients, type Tensor, tensor, variable, zeros } from "../../src/tensor/index.ts";
import "../fixed-seed.ts";
import { type Geometry, whole, windowsOver } from "./naive.ts";

/** One plain loop per index, over windows found by TensorFlow's rule. */
function naive(x: Tensor, kernel: Tensor, geometry: Geometry, groups: number, bias?: Tensor): { shape: number[]; y: number[] } {
  const [kh, kw, share, outputs] = kernel.shape as [number, number, number, number];
  const { shape, windows } = windowsOver(x.shape, [kh, kw], geometry);
  const y = windows.flatMap((seen) =>
    Array.from({ length: outputs }, (_, o) => {
      const group = Math.floor((o * groups) / outputs);
      let sum = bias?.data[o] ?? 0;
      for (const { pixel, tap } of seen)
        for (let c = 0; c < share; c++)
          sum += x.data[pixel * share * groups + group * share + c]! * kernel.data[(tap * share + c) * outputs + o]!;
      return sum;
    }),
  );
  return { shape: [...shape, outputs], y };
}

const between = (min: number, max: number): fc.Arbitrary<number> => fc.integer({ min, max });
const pair = (min: number, max: number): fc.Arbitrary<[number, number]> => fc.tuple(between(min, max), between(min, max));
const paddings: fc.Arbitrary<Padding> = fc.oneof(
  fc.constantFrom<Padding>("same", "valid", 0, 1, 3),
  fc.tuple(pair(0, 3), pair(0, 3)),
);
const geometries: fc.Arbitrary<Geometry> = fc.record({ strides: pair(1, 3), dilations: pair(1, 3), padding: paddings });

test("conv2d over random geometry equals plain loops exactly", () => {
  fc.assert(
    fc.property(
      geometries,
      fc.tuple(between(0, 2), pair(7, 10)),
      pair(1, 3),
      fc.tuple(between(1, 3), between(1, 3), between(1, 3)),
      fc.boolean(),
      fc.integer(),
      (geometry, [batch, image], size, [groups, share, outShare], biased, seed) => {
        const x = whole([batch, ...image, groups * share], seed);
        const kernel = whole([...size, share, groups * outShare], seed + 1);
        const bias = biased ? whole([groups * outShare], seed + 2) : undefined;
        const want = naive(x, kernel, geometry, groups, bias);
        const got = conv2d(x, kernel, { ...geometry, groups, ...(bias && { bias }) });
        expect(got.shape).toEqual(want.shape);
        expect([...got.data]).toEqual(want.y);
      },
    ),
    { numRuns: 60 },
  );
});

test("depthwiseConv2d over random geometry equals conv2d with one group per channel exactly", () => {
  fc.assert(
    fc.property(
      geometries,
      fc.tuple(between(0, 2), pair(7, 10)),
      pair(1, 3),
      between(1, 4),
      between(1, 3),
      fc.integer(),
      (geometry, [batch, image], [kh, kw], channels, multiplier, seed) => {
        const x = whole([batch, ...image, channels], seed);
        const kernel = whole([kh, kw, channels, multiplier], seed + 1);
        const grouped = tensor(kernel.data, [kh, kw, 1, channels * multiplier]);
        const bias = whole([channels * multiplier], seed + 2);
        const got = depthwiseConv2d(x, kernel, { ...geometry, bias });
        expect([...got.data]).toEqual(naive(x, grouped, geometry, channels, bias).y);
      },
    ),
  );
});

test('"same" padding adds the odd pixel at the end', () => {
  const pick = tensor([0, 1], [1, 2, 1, 1]);
  const x = tensor([1, 2, 3], [1, 1, 3, 1]);
  expect(conv2d(x, pick, { padding: "same" }).data).toEqual(Float32Array.of(2, 3, 0));
  expect(
    conv2d(x, pick, {
      padding: [
        [0, 0],
        [1, 0],
      ],
    }).data,
  ).toEqual(Float32Array.of(1, 2, 3));
  // Even image, stride 2, kernel 3: one pixel of padding, all of it after.
  const first = tensor([1, 0, 0], [1, 3, 1, 1]);
  expect(conv2d(tensor([1, 2, 3, 4], [1, 1, 4, 1]), first, { strides: 2, padding: "same" }).data).toEqual(Float32Array.of(1, 3));
});

test.each<[string, Padding, number[]]>([
  ["valid", "valid", [0, 3, 3, 2]],
  ["same", "same", [0, 5, 5, 2]],
])("an empty batch with %s padding gives an empty result and gradients of zeros", (_, padding, shape) => {
  const [x, kernel, bias] = [variable(zeros([0, 5, 5, 3])), variable(whole([3, 3, 3, 2], 1)), variable(tensor([1, 2]))];
  const y = conv2d(x, kernel, { padding, bias });
  expect(y.shape).toEqual(shape);
  const [dx, dkernel, dbias] = gradients(y, [x, kernel, bias], zeros(shape));
  expect(dx!.shape).toEqual(x.shape);
  expect(dkernel!.toArray()).toEqual(new Float32Array(54));
  expect(dbias!.toNested()).toEqual([0, 0]);
});

test("an empty batch through depthwiseConv2d gives gradients of zeros", () => {
  const [x, kernel] = [variable(zeros([0, 5, 5, 3])), variable(whole([3, 3, 3, 1], 1))];
  const [, dkernel] = gradients(depthwiseConv2d(x, kernel), [x, kernel], zeros([0, 3, 3, 3]));
  expect(dkernel!.toArray()).toEqual(new Float32Array(27));
});

test("conv2d over zero input channels returns the bias, or 0 without a bias", () => {
  expect(conv2d(zeros([1, 2, 2, 0]), zeros([1, 1, 0, 1]), { bias: tensor([3]) }).data).toEqual(Float32Array.of(3, 3, 3, 3));
  expect(conv2d(zeros([1, 2, 2, 0]), zeros([1, 1, 0, 1])).data).toEqual(new Float32Array(4));
});

test("NaN in a pixel reaches only the windows that contain the pixel", () => {
  const x = tensor([Number.NaN, 1, 1, 1], [1, 1, 4, 1]);
  expect(conv2d(x, tensor([1, 1], [1, 2, 1, 1])).data).toEqual(Float32Array.of(Number.NaN, 2, 2));
});
