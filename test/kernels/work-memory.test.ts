import fc from "fast-check";
import { expect, test } from "vitest";
import { bytes } from "../../src/backends/wasm/backend.ts";
import { createInstance } from "../../src/backends/wasm/instance.ts";
import "../fixed-seed.ts";

type Kernel = (...values: readonly (number | boolean)[]) => void;
type Exports = { readonly sizesAt: () => number } & Readonly<Record<string, Kernel>>;

/** What a kernel asked for: bytes that all threads share, and bytes of all slots. */
type Asked = { shared: number; slots: number };
let asked: Asked = { shared: 0, slots: 0 };

const { exports: wasm, memory } = createInstance<Exports>(new WebAssembly.Module(bytes(false)), {
  pages: 16,
  workMemory: (region, size) => {
    if (region === 0) asked.shared = size;
    else asked.slots = size;
    // Stops the kernel before it reads arrays, because this test has none.
    if (region === 1 || stopsAtShared) throw new Error("asked");
    return 0;
  },
});
let stopsAtShared = false;
const THREADS = 16;
wasm.setThreads(THREADS, true);

/** The work memory that a kernel asks for. All arrays are at address 0: the kernel ends before it reads them. */
function askedBy(kernel: Kernel, ...values: readonly (number | boolean)[]): Asked {
  asked = { shared: 0, slots: 0 };
  try {
    kernel(...values);
    throw new RangeError("the kernel asked for no work memory, and ran");
  } catch (error) {
    if (error instanceof RangeError) throw error;
  }
  return asked;
}

/** The same for a kernel that fills its shared memory before it asks for slots. */
function sharedBy(kernel: Kernel, ...values: readonly (number | boolean)[]): number {
  stopsAtShared = true;
  try {
    return askedBy(kernel, ...values).shared;
  } finally {
    stopsAtShared = false;
  }
}

/**
 * batch, height, width, channels, outHeight, outWidth, kernelHeight, kernelWidth, strides, dilations, padTop, padLeft,
 * outputs, groups.
 */
const write = (numbers: readonly number[]): void => new Int32Array(memory.buffer, wasm.sizesAt(), 16).set(numbers);

const MiB = 2 ** 20;
const size = fc.oneof(
  fc.constantFrom(0, 1, 2, 3, 2 ** 16, 2 ** 20 + 1, 15_400_000, 34_000_000, 2 ** 30, 2 ** 31 - 1),
  fc.integer({ min: 0, max: 2 ** 31 - 1 }),
  fc.nat({ max: 5000 }),
);

test("work memory of sums, rows and products is bounded for all sizes", () => {
  fc.assert(
    fc.property(size, size, size, (a, b, c) => {
      const bounds: readonly (readonly [bytes: number, most: number])[] = [
        [sharedBy(wasm.columnMoments!, a, Math.max(1, b), 0, 0, 0), 2 * MiB],
        [sharedBy(wasm.batchNormSums!, a, Math.max(1, b), 0, 0, 0, 0, 0, 0), 2 * MiB],
        [askedBy(wasm.sum!, 0, Math.max(2, a), b, Math.max(2, c), 0, 0, 1, false).slots, THREADS * MiB],
        [askedBy(wasm.softmax!, a, Math.max(1, b), 0, 0).slots, THREADS * MiB],
        [sharedBy(wasm.sumOfSquares!, a, 0), 4096],
        [askedBy(wasm.gemm!, a, b, c, 0, 1, 1, 0, 1, 1, 0, 1, false, 0).slots, THREADS * 3 * MiB],
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

test("work memory of convolutions and pooling never overflows: it is at least the size that a model in BigInt computes", () => {
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
      const forward = askedBy(wasm.conv2d!, 0, 0, 0, 0, 0);
      const isPointwise = kernelHeight * kernelWidth * stride * groups === 1; // a product of matrices
      const isProduct = isPointwise && big(batch, height, width) <= 2n * big(channels, outputs); // towards the kernel
      const towardsKernel = askedBy(wasm.conv2dKernelGrad!, 0, 0, 0, 0, false);
      const towardsImage = askedBy(wasm.conv2dInputGrad!, 0, 0, 0, 0, false);
      const depthwise = askedBy(wasm.depthwiseConv2dKernelGrad!, 0, 0, 0, 0, false);
      const least: readonly (readonly [bytes: number, model: bigint])[] = [
        [forward.shared, isPointwise ? 0n : 4n * kernel],
        [forward.slots, isPointwise ? 0n : 4n * frame],
        [towardsKernel.shared, isProduct ? 0n : 12n * kernel],
        [towardsKernel.slots, 4n * frame],
        [towardsImage.shared, stride === 1 && !isPointwise ? 4n * kernel : 0n],
        [towardsImage.slots, stride === 1 ? 0n : 16n * big(kernelHeight, kernelWidth, share)],
        [depthwise.shared, 12n * big(kernelHeight, kernelWidth, channels)],
        [depthwise.slots, 0n],
        [askedBy(wasm.depthwiseConv2d!, 0, 0, 0, 0, 0, 0).slots, 0n],
        [
          stride === 1 ? sharedBy(wasm.depthwiseConv2dInputGrad!, 0, 0, 0, 0, false) : 0,
          stride === 1 ? 4n * big(kernelHeight, kernelWidth, channels) : 0n,
        ],
        [askedBy(wasm.avgPoolGrad!, 0, 0, 0, false).slots, 0n],
        [
          kernelHeight * kernelWidth > 4 * 48 * stride ** 2 ? askedBy(wasm.maxPoolGrad!, 0, 0, 0, 0, 0, false).slots : 0,
          kernelHeight * kernelWidth > 4 * 48 * stride ** 2 ? 8n * big(height, width, channels) : 0n,
        ],
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

test("a convolution over one row of 4,200,000 pixels is one part and needs one frame with 16 threads", () => {
  write([1, 1, 4_200_000, 16, 1, 4_200_000, 1, 3, 1, 1, 1, 1, 0, 1, 16, 1]);
  const { slots } = askedBy(wasm.conv2d!, 0, 0, 0, 0, 0);
  expect(slots).toBeGreaterThanOrEqual(4 * 4_200_002 * 16);
  expect(slots).toBeLessThan(4 * 4_200_002 * 16 + 65_536);
});

test("the sum of 16 rows of 15,400,000 columns and softmax over 34,000,000 classes need less than 2 MiB", () => {
  expect(sharedBy(wasm.sum!, 0, 1, 16, 15_400_000, 0, 0, 1, false)).toBeLessThan(2 * MiB);
  expect(askedBy(wasm.softmax!, 3 * 34_000_000, 34_000_000, 0, 0).slots).toBeLessThan(2 * MiB);
});
