import { describe, expect, test } from "vitest";
import { blocked } from "../../src/backends/index.ts";
import { wasmBackend } from "../../src/backends/wasm/backend.ts";
import type { Convolution, Kernels, Numbers, Windows } from "../../src/kernels/index.ts";
import * as reference from "../../src/kernels/reference.ts";
import { Generator } from "../../src/tensor/index.ts";

/** Writes into `out`, of `length` numbers, over them or, when `accumulate`, on top of them. */
type Writer = { readonly length: number; readonly write: (table: Kernels, out: Numbers, accumulate: boolean) => void };

const random = new Generator(20260101);
const draw = (length: number): Numbers => Float32Array.from({ length }, () => 0.5 + random.uniform());
const N = 1203; // enough for every fast kernel to be used, and odd
const rows = N / 3;
const [x, y, dy, z] = [draw(N), draw(N), draw(N), draw(N)];
const statistics = Float64Array.from(z.subarray(0, rows));
const labels = Int32Array.from({ length: rows }, (_, i) => i % 3);
const condition = Float32Array.from({ length: N }, (_, i) => i % 2);
const windows: Windows = {
  batch: 2,
  height: 4,
  width: 3,
  channels: 10,
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
const convolution: Convolution = { ...windows, outChannels: 14, groups: 2 };
const depthwise = { ...windows, multiplier: 2 };
const [image, outputs, kernel] = [draw(240), draw(480), draw(420)];

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
    alike.map((name): [string, Writer] => [name, { length: N, write: (t, out, acc) => t[name](x, y, dy, out, acc) }]),
  ),
  addNumber: { length: N, write: (t, out, acc) => t.addNumber(3, out, acc) },
  axpy: { length: N, write: (t, out, acc) => t.axpy(2, x, out, acc) },
  chosenGrad: { length: N, write: (t, out, acc) => t.chosenGrad(x, y, x, dy, out, acc) },
  clipGrad: { length: N, write: (t, out, acc) => t.clipGrad(x, y, dy, out, acc, 0.7, 1.2) },
  conv2dInputGrad: { length: 240, write: (t, out, acc) => t.conv2dInputGrad(convolution, outputs, kernel, out, acc) },
  conv2dKernelGrad: { length: 420, write: (t, out, acc) => t.conv2dKernelGrad(convolution, image, outputs, out, acc) },
  crossEntropyGrad: { length: N, write: (t, out, acc) => t.crossEntropyGrad(3, 0.1, x, labels, dy.subarray(0, rows), out, acc) },
  depthwiseConv2d: { length: 480, write: (t, out, acc) => t.depthwiseConv2d(depthwise, image, kernel, out, acc) },
  depthwiseConv2dInputGrad: {
    length: 240,
    write: (t, out, acc) => t.depthwiseConv2dInputGrad(depthwise, outputs, kernel, out, acc),
  },
  depthwiseConv2dKernelGrad: {
    length: 120,
    write: (t, out, acc) => t.depthwiseConv2dKernelGrad(depthwise, image, outputs, out, acc),
  },
  div: { length: N, write: (t, out, acc) => t.div(x, y, out, acc) },
  divGradDivisor: { length: N, write: (t, out, acc) => t.divGradDivisor(x, y, dy, out, acc) },
  dot: { length: 1, write: (t, out, acc) => t.dot(x, y, out, acc) },
  gemm: { length: 323, write: (t, c, accumulate) => t.gemm({ m: 17, n: 19, k: 21, a: x, b: y, c, accumulate }) },
  leakyReluGrad: { length: N, write: (t, out, acc) => t.leakyReluGrad(x, y, dy, out, acc, 0.1) },
  logSoftmaxGrad: { length: N, write: (t, out, acc) => t.logSoftmaxGrad(3, y, dy, out, acc) },
  avgPoolGrad: { length: 240, write: (t, out, acc) => t.avgPoolGrad(windows, outputs.subarray(0, 240), out, acc) },
  maxPoolGrad: { length: 240, write: (t, out, acc) => t.maxPoolGrad(windows, image, image, outputs.subarray(0, 240), out, acc) },
  mul: { length: N, write: (t, out, acc) => t.mul(x, y, out, acc) },
  powGradBase: { length: N, write: (t, out, acc) => t.powGradBase(x, y, dy, out, acc) },
  powGradExponent: { length: N, write: (t, out, acc) => t.powGradExponent(x, y, z, dy, out, acc) },
  softmaxGrad: { length: N, write: (t, out, acc) => t.softmaxGrad(3, y, dy, out, acc) },
  standardiseColumnsGrad: {
    length: N,
    write: (t, out, acc) => t.standardiseColumnsGrad(3, y, statistics.subarray(0, 3), 0.1, dy, out, acc),
  },
  standardiseColumnsLinearGrad: {
    length: N,
    write: (t, out, acc) => t.standardiseColumnsLinearGrad(3, statistics.subarray(0, 3), 0.1, dy, out, acc),
  },
  standardiseRowsGrad: { length: N, write: (t, out, acc) => t.standardiseRowsGrad(3, y, statistics, dy, out, acc) },
  sum: { length: 401, write: (t, out, acc) => t.sum({ outer: 1, n: 3, inner: 401 }, x, out, 0.5, acc) },
  sumGrad: { length: N, write: (t, out, acc) => t.sumGrad({ outer: 3, n: 1, inner: 401 }, dy, out, 0.5, acc) },
  whereGrad: { length: N, write: (t, out, acc) => t.whereGrad(condition, true, dy, out, acc) },
  writeView: { length: N, write: (t, out, acc) => t.writeView({ shape: [3, 401], strides: [1, 3], offset: 0 }, x, out, acc) },
};

test("every kernel that can accumulate is tested here", () => {
  const found = Object.entries(reference).flatMap(([name, f]) => (/\baccumulate\b/.test(String(f)) ? [name] : []));
  expect(Object.keys(writers).sort()).toEqual(found.sort());
});

describe.each([
  ["reference", { ...reference }],
  ["blocked", { ...reference, ...blocked }],
  ["WebAssembly", { ...reference, ...wasmBackend().kernels }],
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
      expect(v).toBeCloseTo(base[i]! + alone[i]!, 3);
    });
  });
});

test("a sum of one number per row adds to what is there", () => {
  const out = Float32Array.of(100, 200);
  reference.sum({ outer: 2, n: 3, inner: 1 }, Float32Array.of(1, 2, 3, 4, 5, 6), out, 1, true);
  expect(out).toEqual(Float32Array.of(106, 215));
});
