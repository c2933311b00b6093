import fc from "fast-check";
import { expect, test } from "vitest";
import { conv2d, conv2dTranspose, type Padding, sum } from "../../src/ops/index.ts";
import { backward, gradients, type Tensor, tensor, variable, zeros } from "../../src/tensor/index.ts";
import "../fixed-seed.ts";
import { whole } from "./naive.ts";

type Two = readonly [number, number];
type Options = { strides: Two; dilations: Two; padding: Padding; outputPadding: Two; groups: number };

/** PyTorch's definition: each pixel of x adds its multiple of the kernel; then the padding is cut off. */
function naive(x: Tensor, kernel: Tensor, o: Options, bias: Tensor | null): { shape: number[]; y: number[] } {
  const [batch, height, width, channels] = x.shape as [number, number, number, number];
  const [kh, kw, share] = kernel.shape as [number, number, number];
  const axis = (i: 0 | 1, n: number, k: number): { out: number; before: number } => {
    const [stride, span] = [o.strides[i], (k - 1) * o.dilations[i] + 1];
    const whole = (n - 1) * stride + span;
    if (o.padding === "same") return { out: n * stride, before: Math.floor(Math.max(span - stride, 0) / 2) };
    const padding = o.padding === "valid" ? 0 : o.padding;
    const [before, after] = typeof padding === "number" ? [padding, padding] : padding[i];
    return { out: whole - before - after + o.outputPadding[i], before };
  };
  const [down, across] = [axis(0, height, kh), axis(1, width, kw)];
  const outputs = share * o.groups;
  const shape = [batch, down.out, across.out, outputs];
  const y = new Array<number>(batch * down.out * across.out * outputs).fill(0);
  if (bias !== null) for (const i of y.keys()) y[i] = bias.data[i % outputs]!;
  const inChannels = channels / o.groups;
  for (let b = 0; b < batch; b++)
    for (let iy = 0; iy < height; iy++)
      for (let ix = 0; ix < width; ix++)
        for (let ky = 0; ky < kh; ky++)
          for (let kx = 0; kx < kw; kx++) {
            const oy = iy * o.strides[0] + ky * o.dilations[0] - down.before;
            const ox = ix * o.strides[1] + kx * o.dilations[1] - across.before;
            if (oy < 0 || oy >= down.out || ox < 0 || ox >= across.out) continue;
            for (let c = 0; c < channels; c++)
              for (let s = 0; s < share; s++) {
                const to = Math.floor(c / inChannels) * share + s;
                y[((b * down.out + oy) * across.out + ox) * outputs + to]! +=
                  x.data[((b * height + iy) * width + ix) * channels + c]! *
                  kernel.data[((ky * kw + kx) * share + s) * channels + c]!;
              }
          }
  return { shape, y };
}

const between = (min: number, max: number): fc.Arbitrary<number> => fc.integer({ min, max });
const pair = (min: number, max: number): fc.Arbitrary<[number, number]> => fc.tuple(between(min, max), between(min, max));

test("transposed convolutions over random geometries equal plain loops", () => {
  fc.assert(
    fc.property(
      fc.record({
        image: pair(3, 6),
        size: pair(1, 4),
        strides: pair(1, 3),
        dilations: pair(1, 2),
        padding: fc.oneof(fc.constantFrom<Padding>("valid", "same", 0, 1), fc.tuple(pair(0, 1), pair(0, 1))),
        more: pair(0, 2),
        groups: between(1, 2),
        channels: between(1, 20),
        share: between(1, 9),
        biased: fc.boolean(),
      }),
      fc.integer(),
      ({ image, size, more, channels, share, biased, ...rest }, seed) => {
        const same = rest.padding === "same";
        const outputPadding = more.map((n, i) => (same ? 0 : Math.min(n, rest.strides[i]! - 1))) as [number, number];
        const options = { ...rest, outputPadding };
        const x = whole([2, ...image, channels * rest.groups], seed);
        const kernel = whole([...size, share, channels * rest.groups], seed + 1);
        const bias = biased ? whole([share * rest.groups], seed + 2) : null;
        const want = naive(x, kernel, options, bias);
        const y = conv2dTranspose(x, kernel, bias === null ? options : { ...options, bias });
        expect(y.shape).toEqual(want.shape);
        expect([...y.data]).toEqual(want.y);
      },
    ),
    { numRuns: 60 },
  );
});

test("a transposed convolution equals the gradient of the convolution with respect to its image", () => {
  const [image, kernel] = [variable(whole([2, 7, 8, 3], 1)), whole([3, 3, 3, 5], 2)];
  const options = { strides: [2, 3], padding: 1 } as const;
  const y = conv2d(image, kernel, options);
  const dy = whole(y.shape, 3);
  const [dx] = gradients(y, [image], dy);
  const back = conv2dTranspose(dy, kernel, { ...options, outputPadding: [0, 1] });
  expect(back.shape).toEqual(image.shape);
  expect(back.toArray()).toEqual(dx!.toArray());
});

test("a 2×2 kernel with stride 2 places one copy of the kernel per pixel side by side", () => {
  const y = conv2dTranspose(tensor([1, 2, 3, 4], [1, 2, 2, 1]), tensor([1, 10, 100, 1000], [2, 2, 1, 1]), { strides: 2 });
  expect([...y.data]).toEqual([1, 10, 2, 20, 100, 1000, 200, 2000, 3, 30, 4, 40, 300, 3000, 400, 4000]);
});

test("an input used twice adds its gradients", () => {
  const [x, kernel] = [variable(whole([1, 3, 3, 2], 1)), whole([3, 3, 2, 2], 2)];
  const once = gradients(sum(conv2dTranspose(x, kernel)), [x])[0]!.toArray();
  backward(sum(conv2dTranspose(x, kernel)));
  backward(sum(conv2dTranspose(x, kernel)));
  expect(x.grad!.toArray()).toEqual(once.map((v) => 2 * v));
});

test("an empty batch gives an empty result", () => {
  expect(conv2dTranspose(zeros([0, 2, 2, 3]), zeros([3, 3, 4, 3]), { strides: 2 }).shape).toEqual([0, 5, 5, 4]);
});
