import { describe, expect, test } from "vitest";
import { type Convolution, type Kernels, kernels, type Numbers, type Windows } from "../../src/kernels/index.ts";
import * as reference from "../../src/kernels/reference.ts";
import { Generator } from "../../src/tensor/index.ts";

/** Writes into `out`, of `length` numbers, over them or, when `accumulate`, on top of them. */
type Writer = { readonly length: number; readonly write: (table: Kernels, out: Numbers, accumulate: boolean) => void };

const random = new Generator(20260101);
const draw = (length: number): Numbers => Float32Array.from({ length }, () => 0.5 + random.uniform());
const [x, y, dy, z] = [draw(12), draw(12), draw(12), draw(12)];
const labels = Int32Array.of(0, 2, 1, 1);
const condition = Float32Array.from({ length: 12 }, (_, i) => i % 2);
const windows: Windows = {
  batch: 2,
  height: 4,
  width: 3,
  channels: 2,
  outHeight: 4,
  outWidth: 3,
  kernelHeight: 3,
  kernelWidth: 2,
  strideY: 1,
  strideX: 1,
  dilationY: 1,
  dilationX: 1,
  padTop: 1,
  padLeft: 0,
};
const convolution: Convolution = { ...windows, outChannels: 4, groups: 2 };
const depthwise = { ...windows, multiplier: 2 };
const [image, outputs, kernel] = [draw(48), draw(96), draw(24)];

/** The gradients of functions of one array, all alike. */
const alike = [
  "absGrad",
  "expGrad",
  "geluGrad",
  "hardSwishGrad",
  "logGrad",
  "negGrad",
  "reciprocalGrad",
  "reluGrad",
  "sigmoidGrad",
  "siluGrad",
  "softplusGrad",
  "sqrtGrad",
  "squareGrad",
  "tanhGrad",
] as const;

const writers: Readonly<Record<string, Writer>> = {
  ...Object.fromEntries(
    alike.map((name): [string, Writer] => [name, { length: 12, write: (t, out, acc) => t[name](x, y, dy, out, acc) }]),
  ),
  addNumber: { length: 12, write: (t, out, acc) => t.addNumber(3, out, acc) },
  axpy: { length: 12, write: (t, out, acc) => t.axpy(2, x, out, acc) },
  chosenGrad: { length: 12, write: (t, out, acc) => t.chosenGrad(x, y, x, dy, out, acc) },
  clipGrad: { length: 12, write: (t, out, acc) => t.clipGrad(x, y, dy, out, acc, 0.7, 1.2) },
  conv2d: { length: 96, write: (t, out, acc) => t.conv2d(convolution, image, kernel, out, acc) },
  conv2dInputGrad: { length: 48, write: (t, out, acc) => t.conv2dInputGrad(convolution, outputs, kernel, out, acc) },
  conv2dKernelGrad: { length: 24, write: (t, out, acc) => t.conv2dKernelGrad(convolution, image, outputs, out, acc) },
  crossEntropyGrad: { length: 12, write: (t, out, acc) => t.crossEntropyGrad(3, 0.1, labels, x, dy.subarray(0, 4), out, acc) },
  depthwiseConv2d: { length: 96, write: (t, out, acc) => t.depthwiseConv2d(depthwise, image, kernel, out, acc) },
  depthwiseConv2dInputGrad: {
    length: 48,
    write: (t, out, acc) => t.depthwiseConv2dInputGrad(depthwise, outputs, kernel, out, acc),
  },
  depthwiseConv2dKernelGrad: {
    length: 24,
    write: (t, out, acc) => t.depthwiseConv2dKernelGrad(depthwise, image, outputs, out, acc),
  },
  div: { length: 12, write: (t, out, acc) => t.div(x, y, out, acc) },
  divGradDivisor: { length: 12, write: (t, out, acc) => t.divGradDivisor(x, y, dy, out, acc) },
  gemm: { length: 9, write: (t, c, accumulate) => t.gemm({ m: 3, n: 3, k: 4, a: x, b: y, c, accumulate }) },
  leakyReluGrad: { length: 12, write: (t, out, acc) => t.leakyReluGrad(x, y, dy, out, acc, 0.1) },
  logSoftmaxGrad: { length: 12, write: (t, out, acc) => t.logSoftmaxGrad(3, y, dy, out, acc) },
  mul: { length: 12, write: (t, out, acc) => t.mul(x, y, out, acc) },
  powGradBase: { length: 12, write: (t, out, acc) => t.powGradBase(x, y, dy, out, acc) },
  powGradExponent: { length: 12, write: (t, out, acc) => t.powGradExponent(x, y, z, dy, out, acc) },
  softmaxGrad: { length: 12, write: (t, out, acc) => t.softmaxGrad(3, y, dy, out, acc) },
  standardiseColumnsGrad: {
    length: 12,
    write: (t, out, acc) => t.standardiseColumnsGrad(3, y, z.subarray(0, 3), 0.1, dy, out, acc),
  },
  standardiseColumnsLinearGrad: {
    length: 12,
    write: (t, out, acc) => t.standardiseColumnsLinearGrad(3, z.subarray(0, 3), 0.1, dy, out, acc),
  },
  standardiseRowsGrad: { length: 12, write: (t, out, acc) => t.standardiseRowsGrad(3, y, z.subarray(0, 4), dy, out, acc) },
  sum: { length: 6, write: (t, out, acc) => t.sum({ outer: 2, n: 2, inner: 3 }, x, out, 0.5, acc) },
  sumGrad: { length: 12, write: (t, out, acc) => t.sumGrad({ outer: 2, n: 2, inner: 3 }, dy, out, 0.5, acc) },
  whereGrad: { length: 12, write: (t, out, acc) => t.whereGrad(condition, true, dy, out, acc) },
  writeView: { length: 12, write: (t, out, acc) => t.writeView({ shape: [3, 4], strides: [1, 3], offset: 0 }, x, out, acc) },
};

test("every kernel that can accumulate is tested here", () => {
  const found = Object.entries(reference).flatMap(([name, f]) => (/\baccumulate\b/.test(String(f)) ? [name] : []));
  expect(Object.keys(writers).sort()).toEqual(found.sort());
});

describe.each([
  ["reference", { ...reference }],
  ["installed", kernels],
] as const)("in the %s table", (_, table) => {
  test.each(Object.entries(writers))("%s never reads its output unless it accumulates", (_, { length, write }) => {
    const [clean, dirty] = [new Float32Array(length), new Float32Array(length).fill(Number.NaN)];
    write(table, clean, false);
    write(table, dirty, false);
    expect(dirty).toEqual(clean);
    expect(dirty.some(Number.isNaN)).toBe(false);
    expect(clean.some((v) => v !== 0)).toBe(true);
  });

  test.each(Object.entries(writers))("%s adds to what is there when it accumulates", (_, { length, write }) => {
    const [alone, base] = [new Float32Array(length), draw(length)];
    write(table, alone, false);
    const both = base.slice();
    write(table, both, true);
    both.forEach((v, i) => {
      expect(v).toBeCloseTo(base[i]! + alone[i]!, 4);
    });
  });
});

test("a sum of one number per row adds to what is there", () => {
  const out = Float32Array.of(100, 200);
  reference.sum({ outer: 2, n: 3, inner: 1 }, Float32Array.of(1, 2, 3, 4, 5, 6), out, 1, true);
  expect(out).toEqual(Float32Array.of(106, 215));
});
