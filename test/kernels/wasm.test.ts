import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { kernels } from "../../src/backends/index.ts";
import { wasmBackend } from "../../src/backends/wasm/backend.ts";
import { alloc, inArena, type Kernels, MemoryError, type Numbers, type Windows } from "../../src/kernels/index.ts";
import * as reference from "../../src/kernels/reference.ts";
import "../fixed-seed.ts";
import { firstDifference, kernelOf, tables, wholeNumbers } from "./exact.ts";

/** Whole numbers with NaN, both infinities and both zeros among them. */
function odd(seed: number): (length: number) => Numbers {
  const draw = wholeNumbers(seed);
  const special = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, -0];
  return (length) => draw(length).map((v, i) => (i % 7 === 3 ? special[(i + length) % 5]! : v));
}

const wasmTables = tables.filter(([, { fast }]) => "relu" in fast);

/**
 * Runs a kernel of the reference and of a table into outputs that hold the same, and compares bits. NaN may have any
 * bits.
 */
type Run = (table: Kernels, place: (x: Numbers) => Numbers, out: Numbers) => void;

describe.each(wasmTables)("%s", (_, { fast, place }) => {
  function same(length: number, before: Numbers, run: Run): void {
    const [want, got] = [before.slice(0, length), place(before.slice(0, length))];
    run({ ...reference }, (x) => x, want);
    run({ ...reference, ...fast }, place, got);
    const canonical = (x: Numbers): Numbers => x.map((v) => (Number.isNaN(v) ? Number.NaN : v));
    expect(firstDifference(canonical(got), canonical(want))).toBe(-1);
  }

  test("depthwise convolution and its gradients equal the reference bit for bit on whole numbers, over random geometry", () => {
    const few = fc.integer({ min: 1, max: 3 });
    const side = fc.record({
      n: fc.integer({ min: 1, max: 11 }),
      k: fc.integer({ min: 1, max: 4 }),
      stride: few,
      dilation: few,
      pad: fc.nat({ max: 3 }),
    });
    const out = ({
      n,
      k,
      stride,
      dilation,
      pad,
    }: {
      n: number;
      k: number;
      stride: number;
      dilation: number;
      pad: number;
    }): number => Math.floor((n + 2 * pad - (k - 1) * dilation - 1) / stride) + 1;
    // Three and five taps at stride 1 have loops of their own.
    const dense = fc.record({
      n: fc.integer({ min: 1, max: 11 }),
      k: fc.constantFrom(3, 5),
      stride: fc.constant(1),
      dilation: fc.constant(1),
      pad: fc.nat({ max: 2 }),
    });
    const fitting = fc.oneof(side, dense).filter((s) => out(s) > 0);
    const channels = fc.oneof(fc.integer({ min: 1, max: 40 }), fc.constantFrom(4, 8, 16, 64));
    fc.assert(
      fc.property(few, fitting, fitting, channels, fc.integer(), fc.boolean(), (batch, down, across, c, seed, accumulate) => {
        const s = {
          batch,
          channels: c,
          multiplier: 1,
          ...{
            height: down.n,
            kernelHeight: down.k,
            strideY: down.stride,
            dilationY: down.dilation,
            padTop: down.pad,
            outHeight: out(down),
          },
          ...{ width: across.n, kernelWidth: across.k, strideX: across.stride, dilationX: across.dilation, padLeft: across.pad },
          outWidth: out(across),
        };
        const draw = wholeNumbers(seed);
        const x = draw(batch * s.height * s.width * c);
        const kernel = draw(s.kernelHeight * s.kernelWidth * c);
        const y = draw(batch * s.outHeight * s.outWidth * c);
        const dirty = (like: Numbers): Numbers =>
          accumulate ? draw(like.length) : new Float32Array(like.length).fill(Number.NaN);
        const bias = accumulate ? draw(c) : null;
        same(y.length, dirty(y), (t, at, into) => t.depthwiseConv2d(s, at(x), at(kernel), bias, accumulate ? 2 : 0, into));
        same(x.length, dirty(x), (t, at, into) => t.depthwiseConv2dInputGrad(s, at(y), at(kernel), into, accumulate));
        same(kernel.length, dirty(kernel), (t, at, into) => t.depthwiseConv2dKernelGrad(s, at(x), at(y), into, accumulate));
      }),
      { numRuns: 200 },
    );
  });

  test.each([
    ["several parts, channels not in fours", 302],
    ["several parts", 128],
  ])("depthwise convolution of %s equals the reference bit for bit on whole numbers", (_, channels) => {
    const across = { kernelHeight: 3, kernelWidth: 3, strideY: 1, strideX: 1, dilationY: 1, dilationX: 1, padTop: 1, padLeft: 1 };
    const s = { batch: 2, height: 21, width: 19, outHeight: 21, outWidth: 19, channels, multiplier: 1, ...across };
    const draw = wholeNumbers(1);
    const [x, y, kernel] = [draw(2 * 21 * 19 * channels), draw(2 * 21 * 19 * channels), draw(9 * channels)];
    for (const accumulate of [false, true]) {
      const dirty = accumulate ? draw(x.length) : new Float32Array(x.length).fill(Number.NaN);
      const bias = accumulate ? draw(channels) : null;
      same(x.length, dirty, (t, at, into) => t.depthwiseConv2d(s, at(x), at(kernel), bias, accumulate ? 1 : 0, into));
      same(x.length, dirty, (t, at, into) => t.depthwiseConv2dInputGrad(s, at(y), at(kernel), into, accumulate));
      same(kernel.length, dirty, (t, at, into) => t.depthwiseConv2dKernelGrad(s, at(x), at(y), into, accumulate));
    }
  });

  test("sums over rows and columns and their gradients equal the reference bit for bit on whole numbers", () => {
    const size = fc.integer({ min: 0, max: 30 });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3 }), size, size, fc.integer(), fc.boolean(), (outer, n, inner, seed, accumulate) => {
        const draw = wholeNumbers(seed);
        const [sizes, scale] = [{ outer, n, inner }, 0.25];
        const [x, dy] = [draw(outer * n * inner), draw(outer * inner)];
        const dirty = accumulate ? draw(x.length + dy.length) : new Float32Array(x.length + dy.length).fill(Number.NaN);
        same(dy.length, dirty, (t, at, out) => t.sum(sizes, at(x), out, scale, accumulate));
        same(x.length, dirty, (t, at, out) => t.sumGrad(sizes, at(dy), out, scale, accumulate));
      }),
      { numRuns: 100 },
    );
  });

  test("a sum of columns accumulates in double precision", () => {
    const x = new Float32Array(300_000).fill(0.1);
    const y = place(new Float32Array(3));
    kernelOf(fast, "sum")({ outer: 1, n: 100_000, inner: 3 }, place(x), y, 1, false);
    expect([...y]).toEqual(Array(3).fill(Math.fround(100_000 * Math.fround(0.1))));
  });

  const axis = (n: string) =>
    fc
      .record({
        k: fc.integer({ min: 1, max: 4 }),
        stride: fc.integer({ min: 1, max: 3 }),
        more: fc.nat({ max: 6 }),
        pad: fc.nat({ max: 3 }),
        dilation: fc.integer({ min: 1, max: 2 }),
      })
      .map((a) => ({ ...a, name: n, pad: Math.min(a.pad, a.k - 1) }));

  test("max pooling and its gradient equal the reference bit for bit, with ties, NaN, infinity and −0", () => {
    fc.assert(
      fc.property(
        fc.nat({ max: 2 }),
        axis("y"),
        axis("x"),
        fc.integer({ min: 1, max: 10 }),
        fc.integer(),
        fc.boolean(),
        (batch, y, x, channels, seed, accumulate) => {
          const along = ({ k, stride, more, pad, dilation }: typeof y) => {
            const span = (k - 1) * dilation + 1;
            return { n: span + more, out: Math.floor((more + 2 * pad) / stride) + 1 };
          };
          const [v, h] = [along(y), along(x)];
          const w: Windows = {
            batch,
            height: v.n,
            width: h.n,
            channels,
            outHeight: v.out,
            outWidth: h.out,
            kernelHeight: y.k,
            kernelWidth: x.k,
            strideY: y.stride,
            strideX: x.stride,
            dilationY: y.dilation,
            dilationX: x.dilation,
            padTop: y.pad,
            padLeft: x.pad,
          };
          const draw = odd(seed);
          const image = draw(batch * w.height * w.width * channels);
          const count = batch * w.outHeight * w.outWidth * channels;
          const dirty = new Float32Array(count).fill(Number.NaN);
          same(count, dirty, (t, at, out) => t.maxPool(w, at(image), out));
          const top = new Float32Array(count);
          reference.maxPool(w, image, top);
          const [dy, dx] = [wholeNumbers(seed)(count), wholeNumbers(seed + 1)(image.length)];
          same(image.length, dx, (t, at, out) => t.maxPoolGrad(w, at(image), at(top), at(dy), out, accumulate));
        },
      ),
      { numRuns: 100 },
    );
  });
});

test.skipIf(process.env.HASHGRAD_BACKEND === "plain")("results inside a step equal results outside a step", () => {
  const draw = wholeNumbers(1);
  const [a, b] = [draw(40 * 50), draw(50 * 30)];
  const product = (): Numbers => {
    const [x, y, c] = [alloc(a.length), alloc(b.length), alloc(40 * 30)];
    x.set(a);
    y.set(b);
    kernels.gemm({ m: 40, n: 30, k: 50, a: x, b: y, c });
    return c;
  };
  const outside = product();
  expect(outside.buffer).not.toBeInstanceOf(SharedArrayBuffer);
  inArena(() => {
    const inside = product();
    expect(inside.buffer).toBeInstanceOf(SharedArrayBuffer);
    expect(firstDifference(inside, outside)).toBe(-1);
  });
});

test("kernels read and write arrays in place that were allocated before the memory grew", () => {
  const { kernels: wasm, slabs } = wasmBackend();
  const [x, y] = [slabs.take(1000), slabs.take(1000)];
  x.fill(-1);
  slabs.take(10_000_000);
  wasm.relu!(x, y.fill(7));
  expect(y.every((v) => v === 0)).toBe(true);
});

test("work memory that cannot be allocated throws a MemoryError and leaves adjacent arrays unchanged", () => {
  const { kernels: wasm, slabs } = wasmBackend();
  const beside = slabs.take(1000).fill(7);
  // An array of 4 GiB that the backend would have to copy into WebAssembly's memory.
  const elsewhere = { length: 2 ** 30, byteLength: 2 ** 32, buffer: new ArrayBuffer(0) } as Numbers;
  expect(() => wasm.relu!(elsewhere, elsewhere)).toThrow(MemoryError);
  const [input, output] = [slabs.take(300_000).fill(1), slabs.take(3)];
  wasm.sum!({ outer: 1, n: 100_000, inner: 3 }, input, output, 1, false);
  expect([...output]).toEqual([100_000, 100_000, 100_000]);
  expect(beside.every((v) => v === 7)).toBe(true);
});
