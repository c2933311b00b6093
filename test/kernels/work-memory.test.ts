import fc from "fast-check";
import { expect, test } from "vitest";
import { binary } from "../../src/backends/wasm/binary.ts";
import { createInstance } from "../../src/backends/wasm/instance.ts";
import "../fixed-seed.ts";

type Sizes = {
  readonly sizesAt: () => number;
  readonly gemmWork: (m: number, n: number, k: number) => number;
  readonly columnsWork: (rows: number, columns: number) => number;
  readonly middleWork: (outer: number, n: number, inner: number) => number;
  readonly rowsWork: (count: number, columns: number) => number;
  readonly sumRowsWork: (outer: number, n: number) => number;
  readonly conv2dShared: (turned: boolean) => number;
  readonly conv2dOwn: (turned: boolean) => number;
  readonly conv2dKernelGradShared: () => number;
  readonly conv2dKernelGradOwn: () => number;
  readonly conv2dInputGradShared: () => number;
  readonly conv2dInputGradOwn: () => number;
  readonly depthwiseOwn: (turned: boolean) => number;
  readonly depthwiseInputGradOwn: () => number;
  readonly depthwiseKernelGradOwn: () => number;
  readonly depthwiseKernelGradShared: () => number;
  readonly avgPoolGradWork: () => number;
  readonly maxPoolGradWork: () => number;
};
const module = new WebAssembly.Module(Uint8Array.from(Buffer.from(binary, "hex")));
const { exports: wasm, memory } = createInstance<Sizes>(module, { pages: 16 });
const THREADS = 16;
wasm.setThreads(THREADS, true);

/** batch, height, width, channels, outHeight, outWidth, kernelHeight, kernelWidth, strides, dilations, padTop, padLeft, outputs, groups. */
const write = (numbers: readonly number[]): void => new Int32Array(memory.buffer, wasm.sizesAt(), 16).set(numbers);

const MiB = 2 ** 20;
const size = fc.oneof(
  fc.constantFrom(0, 1, 2, 3, 2 ** 16, 2 ** 20 + 1, 15_400_000, 34_000_000, 2 ** 30, 2 ** 31 - 1),
  fc.integer({ min: 0, max: 2 ** 31 - 1 }),
  fc.nat({ max: 5000 }),
);

test("work memory of sums, rows and products is bounded for sizes of any magnitude", () => {
  fc.assert(
    fc.property(size, size, size, (a, b, c) => {
      const bounds: readonly (readonly [bytes: number, most: number])[] = [
        [wasm.columnsWork(a, b), 2 * MiB],
        [wasm.middleWork(a, b, c), THREADS * MiB],
        [wasm.rowsWork(a, b), THREADS * MiB],
        [wasm.sumRowsWork(a, b), 4096],
        [wasm.gemmWork(a, b, c), THREADS * 3 * MiB],
      ];
      for (const [bytes, most] of bounds) {
        expect(bytes).toBeGreaterThanOrEqual(0);
        expect(bytes).toBeLessThanOrEqual(most);
      }
    }),
    { numRuns: 1000 },
  );
});

const side = fc.oneof(fc.integer({ min: 1, max: 9 }), fc.constantFrom(512, 65_536, 4_200_000, 2 ** 29));
const geometry = fc.record({
  batch: fc.oneof(fc.constantFrom(0, 1, 7), side),
  height: side,
  width: side,
  share: fc.oneof(side, fc.constantFrom(16, 2 ** 20)),
  kernelHeight: fc.oneof(fc.integer({ min: 1, max: 7 }), fc.constantFrom(1000, 65_536)),
  kernelWidth: fc.oneof(fc.integer({ min: 1, max: 7 }), fc.constantFrom(1000, 65_536)),
  outShare: fc.oneof(side, fc.constantFrom(16, 64)),
  groups: fc.constantFrom(1, 1, 2, 3),
  stride: fc.constantFrom(1, 1, 2),
});

test("work memory of convolutions and pooling never wraps: at least what a model in big integers says that it must hold", () => {
  fc.assert(
    fc.property(geometry, ({ batch, height, width, share, kernelHeight, kernelWidth, outShare, groups, stride }) => {
      const [channels, outputs] = [share * groups, outShare * groups];
      fc.pre(channels < 2 ** 31 && outputs < 2 ** 31);
      // "same" padding: a frame of one row of windows is as wide as the padded image.
      const [outHeight, outWidth] = [Math.ceil(height / stride), Math.ceil(width / stride)];
      const [padTop, padLeft] = [(kernelHeight - 1) >> 1, (kernelWidth - 1) >> 1];
      const images = [batch, height, width, channels, outHeight, outWidth];
      write([...images, kernelHeight, kernelWidth, stride, stride, 1, 1, padTop, padLeft, outputs, groups]);
      const big = (...numbers: readonly number[]): bigint => numbers.reduce((product, n) => product * BigInt(n), 1n);
      const kernel = big(kernelHeight, kernelWidth, share, outputs);
      const frame = padTop + padLeft > 0 ? big(kernelHeight, (outWidth - 1) * stride + kernelWidth, channels) : 0n;
      const least: readonly (readonly [bytes: number, model: bigint])[] = [
        [wasm.conv2dShared(false), 4n * kernel],
        [wasm.conv2dOwn(false), 4n * frame],
        [wasm.conv2dKernelGradShared(), 12n * kernel],
        [wasm.conv2dKernelGradOwn(), 4n * frame],
        [wasm.conv2dInputGradShared(), stride === 1 ? 4n * kernel : 0n],
        [wasm.conv2dInputGradOwn(), stride === 1 ? 0n : 16n * big(kernelHeight, kernelWidth, share)],
        [wasm.depthwiseKernelGradShared(), 12n * big(kernelHeight, kernelWidth, channels)],
        [wasm.depthwiseOwn(false), 0n],
        [wasm.depthwiseInputGradOwn(), 0n],
        [wasm.depthwiseKernelGradOwn(), 0n],
        [wasm.avgPoolGradWork(), 0n],
        [wasm.maxPoolGradWork(), kernelHeight * kernelWidth > 4 * 48 * stride ** 2 ? 8n * big(height, width, channels) : 0n],
      ];
      for (const [i, [bytes, model]] of least.entries()) {
        expect(Number.isFinite(bytes)).toBe(true);
        // Doubles are exact up to 2⁵³; above, they are right to 2⁻⁵⁰.
        expect(bytes, `size ${i}`).toBeGreaterThanOrEqual(Number(model) * (1 - 2 ** -50));
      }
    }),
    { numRuns: 1000 },
  );
});

test("a convolution over one row of 4,200,000 pixels needs one frame with 16 threads, since it is one part", () => {
  write([1, 1, 4_200_000, 16, 1, 4_200_000, 1, 3, 1, 1, 1, 1, 0, 1, 16, 1]);
  expect(wasm.conv2dOwn(false)).toBeGreaterThanOrEqual(4 * 4_200_002 * 16);
  expect(wasm.conv2dOwn(false)).toBeLessThan(4 * 4_200_002 * 16 + 65_536);
});

test("the sum of 16 rows of 15,400,000 columns and softmax over 34,000,000 classes need less than 2 MiB", () => {
  expect(wasm.columnsWork(16, 15_400_000)).toBeLessThan(2 * MiB);
  expect(wasm.rowsWork(3, 34_000_000)).toBeLessThan(2 * MiB);
});
