import fc from "fast-check";
import { expect, test } from "vitest";
import { type ResizeOptions, resize } from "../../src/ops/index.ts";
import { type Tensor, tensor } from "../../src/tensor/index.ts";
import "../fixed-seed.ts";
import { whole } from "./naive.ts";

/** PyTorch's `interpolate`, one output pixel after another. */
function naive(
  x: Tensor,
  size: readonly [number, number],
  { method = "nearest", alignCorners = false }: ResizeOptions,
): number[] {
  const [batch, height, width, channels] = x.shape as [number, number, number, number];
  const at = (b: number, iy: number, ix: number, c: number): number => x.data[((b * height + iy) * width + ix) * channels + c]!;
  const source = (i: number, n: number, out: number): number => {
    if (method === "nearest") return Math.floor((i * n) / out);
    if (alignCorners) return out === 1 ? 0 : (i * (n - 1)) / (out - 1);
    return Math.max(((i + 0.5) * n) / out - 0.5, 0);
  };
  const y: number[] = [];
  for (let b = 0; b < batch; b++)
    for (let oy = 0; oy < size[0]; oy++)
      for (let ox = 0; ox < size[1]; ox++)
        for (let c = 0; c < channels; c++) {
          const [sy, sx] = [source(oy, height, size[0]), source(ox, width, size[1])];
          const [top, left] = [Math.min(Math.floor(sy), height - 1), Math.min(Math.floor(sx), width - 1)];
          const [bottom, right] = [Math.min(top + 1, height - 1), Math.min(left + 1, width - 1)];
          const [ty, tx] = [sy - top, sx - left];
          const upper = at(b, top, left, c) * (1 - tx) + at(b, top, right, c) * tx;
          const lower = at(b, bottom, left, c) * (1 - tx) + at(b, bottom, right, c) * tx;
          y.push(upper * (1 - ty) + lower * ty);
        }
  return y;
}

const between = (min: number, max: number): fc.Arbitrary<number> => fc.integer({ min, max });
const pair = (min: number, max: number): fc.Arbitrary<[number, number]> => fc.tuple(between(min, max), between(min, max));

test("resized images of random sizes equal plain loops", () => {
  const options = fc.constantFrom<ResizeOptions>({}, { method: "bilinear" }, { method: "bilinear", alignCorners: true });
  fc.assert(
    fc.property(pair(1, 6), pair(1, 9), options, fc.integer(), (image, size, o, seed) => {
      const x = whole([2, ...image, 3], seed);
      const y = resize(x, size, o);
      expect(y.shape).toEqual([2, ...size, 3]);
      expect([...y.data]).toEqual(naive(x, size, o).map((v) => expect.closeTo(v, 4)));
    }),
  );
});

test("resizing a row of four pixels matches PyTorch", () => {
  const x = tensor([1, 2, 3, 4], [1, 1, 4, 1]);
  const row = (width: number, options?: ResizeOptions): number[] => [...resize(x, [1, width], options).data];
  expect(row(8)).toEqual([1, 1, 2, 2, 3, 3, 4, 4]);
  expect(row(2)).toEqual([1, 3]);
  expect(row(3)).toEqual([1, 2, 3]);
  expect(row(8, { method: "bilinear" })).toEqual([1, 1.25, 1.75, 2.25, 2.75, 3.25, 3.75, 4]);
  expect(row(2, { method: "bilinear" })).toEqual([1.5, 3.5]);
  expect(row(7, { method: "bilinear", alignCorners: true })).toEqual([1, 1.5, 2, 2.5, 3, 3.5, 4]);
  expect(row(1, { method: "bilinear", alignCorners: true })).toEqual([1]);
});

test("a pixel that is not finite affects only adjacent pixels", () => {
  const x = tensor([1, 2, Number.POSITIVE_INFINITY, 4, 5], [1, 1, 5, 1]);
  const y = [...resize(x, [1, 10], { method: "bilinear" }).data];
  expect(y.slice(0, 3).concat(y.slice(7)).every(Number.isFinite)).toBe(true);
});
