import type { Convolution, Depthwise, Kernels, Numbers, Windows } from "../../src/kernels/index.ts";
import * as reference from "../../src/kernels/reference.ts";
import { Generator } from "../../src/tensor/index.ts";

export type Draw = (length: number) => Numbers;
/** Adds a term to an element of the result. */
export type Add = (to: number, term: number) => void;
/**
 * What a kernel writes, and the terms of each element. What is there before counts as a term, unless the kernel
 * `overwrites` it. `bound`: the largest relative error, 10⁻⁶ if left out.
 */
export type Sums = {
  readonly length: number;
  readonly write: (t: Kernels, out: Numbers) => void;
  readonly terms: (add: Add) => void;
  readonly overwrites?: boolean;
  readonly bound?: number;
};
export type Case = (draw: Draw) => Sums;

/** Calls `tap(pixel, tap of the kernel, window)` for each pixel under each window. */
function eachTap(s: Windows, tap: (pixel: number, tap: number, window: number) => void): void {
  let window = 0;
  for (let b = 0; b < s.batch; b++) {
    for (let oy = 0; oy < s.outHeight; oy++) {
      for (let ox = 0; ox < s.outWidth; ox++, window++) {
        for (let ky = 0; ky < s.kernelHeight; ky++) {
          for (let kx = 0; kx < s.kernelWidth; kx++) {
            const [y, x] = [oy * s.strideY - s.padTop + ky * s.dilationY, ox * s.strideX - s.padLeft + kx * s.dilationX];
            if (y < 0 || y >= s.height || x < 0 || x >= s.width) continue;
            tap((b * s.height + y) * s.width + x, ky * s.kernelWidth + kx, window);
          }
        }
      }
    }
  }
}

function eachProduct(s: Convolution, product: (x: number, kernel: number, y: number) => void): void {
  const [share, outShare] = [s.channels / s.groups, s.outChannels / s.groups];
  eachTap(s, (pixel, tap, window) => {
    for (let g = 0; g < s.groups; g++) {
      for (let c = 0; c < share; c++) {
        const [x, kernel] = [pixel * s.channels + g * share + c, (tap * share + c) * s.outChannels + g * outShare];
        for (let o = 0; o < outShare; o++) product(x, kernel + o, window * s.outChannels + g * outShare + o);
      }
    }
  });
}

type Geometry = { batch?: number; size: number; kernel: number; stride?: number; pad?: number; dilation?: number };
/** Square windows over square images. */
function windows(channels: number, { batch = 1, size, kernel, stride = 1, pad = 0, dilation = 1 }: Geometry): Windows {
  const out = Math.floor((size + 2 * pad - (kernel - 1) * dilation - 1) / stride) + 1;
  return {
    batch,
    height: size,
    width: size,
    channels,
    outHeight: out,
    outWidth: out,
    kernelHeight: kernel,
    kernelWidth: kernel,
    strideY: stride,
    strideX: stride,
    dilationY: dilation,
    dilationX: dilation,
    padTop: pad,
    padLeft: pad,
  };
}
const convolution = (channels: number, outChannels: number, geometry: Geometry, groups = 1): Convolution => ({
  outChannels,
  groups,
  ...windows(channels, geometry),
});
const pixels = (s: Windows): number => s.batch * s.height * s.width * s.channels;
const places = (s: Windows): number => s.batch * s.outHeight * s.outWidth;

const forward =
  (s: Convolution): Case =>
  (draw) => {
    const [x, k] = [draw(pixels(s)), draw((s.kernelHeight * s.kernelWidth * s.channels * s.outChannels) / s.groups)];
    return {
      length: places(s) * s.outChannels,
      write: (t, y) => t.conv2d(s, x, k, null, y),
      overwrites: true,
      terms: (add) => eachProduct(s, (i, j, o) => add(o, x[i]! * k[j]!)),
    };
  };
/**
 * Winograd's convolution of equal numbers at the edges of a padded image. A tile's sums have terms of all its 4×4
 * pixels. The terms cancel down to the few pixels that an edge window covers, so the error relative to those pixels is
 * up to 2.7e-6. Sums of at most 16 channels at a time would keep the error below 1.4e-6, but cost 10 % of the time.
 */
const withEdges =
  (make: Case): Case =>
  (draw) => ({ ...make(draw), bound: 3e-6 });
const kernelGrad =
  (s: Convolution): Case =>
  (draw) => {
    const [x, dy] = [draw(pixels(s)), draw(places(s) * s.outChannels)];
    return {
      length: (s.kernelHeight * s.kernelWidth * s.channels * s.outChannels) / s.groups,
      write: (t, dk) => t.conv2dKernelGrad(s, x, dy, dk, true),
      terms: (add) => eachProduct(s, (i, j, o) => add(j, x[i]! * dy[o]!)),
    };
  };
const inputGrad =
  (s: Convolution): Case =>
  (draw) => {
    const k = draw((s.kernelHeight * s.kernelWidth * s.channels * s.outChannels) / s.groups);
    const dy = draw(places(s) * s.outChannels);
    return {
      length: pixels(s),
      write: (t, dx) => t.conv2dInputGrad(s, dy, k, dx, true),
      terms: (add) => eachProduct(s, (i, j, o) => add(i, k[j]! * dy[o]!)),
    };
  };

const depthwise =
  (s: Depthwise, what: "forward" | "kernel" | "input"): Case =>
  (draw) => {
    const outputs = s.channels * s.multiplier;
    const [x, k, dy] = [draw(pixels(s)), draw(s.kernelHeight * s.kernelWidth * outputs), draw(places(s) * outputs)];
    const each = (product: (i: number, j: number, o: number) => void): void =>
      eachTap(s, (pixel, tap, window) => {
        for (let o = 0; o < outputs; o++) {
          product(pixel * s.channels + Math.floor(o / s.multiplier), tap * outputs + o, window * outputs + o);
        }
      });
    if (what === "forward") {
      const terms = (add: Add): void => each((i, j, o) => add(o, x[i]! * k[j]!));
      return { length: dy.length, write: (t, y) => t.depthwiseConv2d(s, x, k, null, 0, y), overwrites: true, terms };
    }
    if (what === "kernel") {
      const terms = (add: Add): void => each((i, j, o) => add(j, x[i]! * dy[o]!));
      return { length: k.length, write: (t, dk) => t.depthwiseConv2dKernelGrad(s, x, dy, dk, true), terms };
    }
    const terms = (add: Add): void => each((i, j, o) => add(i, k[j]! * dy[o]!));
    return { length: x.length, write: (t, dx) => t.depthwiseConv2dInputGrad(s, dy, k, dx, true), terms };
  };

const gemm =
  (m: number, n: number, k: number, transA = false, transB = false, accumulate = true): Case =>
  (draw) => {
    const [a, b] = [draw(m * k), draw(k * n)];
    return {
      length: m * n,
      write: (t, c) => t.gemm({ m, n, k, a, b, c, transA, transB, accumulate }),
      overwrites: !accumulate,
      terms: (add) => {
        for (let p = 0; p < k; p++) {
          for (let i = 0; i < m; i++) {
            for (let j = 0; j < n; j++) add(i * n + j, a[transA ? p * m + i : i * k + p]! * b[transB ? j * k + p : p * n + j]!);
          }
        }
      },
    };
  };

const sum =
  (outer: number, n: number, inner: number): Case =>
  (draw) => {
    const x = draw(outer * n * inner);
    return {
      length: outer * inner,
      write: (t, y) => t.sum({ outer, n, inner }, x, y, 1, true),
      terms: (add) => {
        for (let i = 0; i < x.length; i++) add(Math.floor(i / (n * inner)) * inner + (i % inner), x[i]!);
      },
    };
  };

const addRows =
  (count: number, rows: number, width: number): Case =>
  (draw) => {
    const random = new Generator(5);
    const [indices, y] = [Int32Array.from({ length: count }, () => random.below(rows)), draw(count * width)];
    return {
      length: rows * width,
      write: (t, x) => t.addRows(indices, width, y, x),
      terms: (add) => {
        for (let i = 0; i < y.length; i++) add(indices[Math.floor(i / width)]! * width + (i % width), y[i]!);
      },
    };
  };

const MILLION = 1_000_000;
/** Cases of the kernels for sums, products, convolutions and pooling. */
export const cases: Readonly<Record<string, Case>> = {
  "sum of a row": sum(1, MILLION, 1),
  "sum of rows": sum(20, 20_001, 1),
  "sum of columns, the gradient of a bias": sum(1, 300_000, 3),
  "sum of many columns": sum(1, 300, 4001),
  "sum of the middle axis": sum(3, 100_000, 5),
  dot: (draw) => {
    const [a, b] = [draw(MILLION), draw(MILLION)];
    return {
      length: 1,
      write: (t, y) => t.dot(a, b, y, true),
      terms: (add) => {
        for (let i = 0; i < MILLION; i++) add(0, a[i]! * b[i]!);
      },
    };
  },
  "addRows to one row": addRows(MILLION, 1, 1),
  "addRows to some rows": addRows(200_000, 7, 5),
  addCyclic: (draw) => {
    const y = draw(MILLION);
    return {
      length: 3,
      write: (t, x) => t.addCyclic(1, y, x),
      terms: (add) => {
        for (let i = 0; i < MILLION; i++) add((1 + i) % 3, y[i]!);
      },
    };
  },
  "writeView, a view that repeats its elements": (draw) => {
    const y = draw(MILLION);
    return {
      length: 4,
      write: (t, x) => t.writeView({ shape: [500, 1000, 2], strides: [0, 0, 2], offset: 1 }, y, x, true),
      terms: (add) => {
        for (let i = 0; i < MILLION; i++) add(1 + 2 * (i % 2), y[i]!);
      },
    };
  },
  "gemm of one row and one column": gemm(1, 1, MILLION),
  "gemm 8×8": gemm(8, 8, 200_000),
  ...Object.fromEntries([44, 48, 49, 288, 512, 576, 577, 3000].map((k) => [`gemm 70×70 of ${k} terms`, gemm(70, 70, k)])),
  "gemm 9×33, transposed": gemm(9, 33, 20_003, true, true, false),
  "gemm 41×50": gemm(41, 50, 2_100, false, false),
  "gemm 130×70, the left side transposed": gemm(130, 70, 600, true, false),
  "gemm 20×300 of 256 terms": gemm(20, 300, 256, false, true, false),
  "conv2d by a very large kernel": forward(convolution(1, 1, { size: 1001, kernel: 1000 })),
  "conv2d by a large dilated kernel": forward(convolution(1, 9, { size: 200, kernel: 90, dilation: 2 })),
  "conv2d 5×5 of many channels": forward(convolution(80, 9, { size: 12, kernel: 5 })),
  "conv2d 3×3 by tiles": forward(convolution(64, 16, { size: 9, kernel: 3 })),
  "conv2d 3×3 by tiles of a padded image": withEdges(forward(convolution(64, 16, { size: 9, kernel: 3, pad: 1 }))),
  "conv2d 3×3 by tiles of many channels": forward(convolution(2048, 16, { size: 8, kernel: 3 })),
  "conv2d in groups": forward(convolution(256, 16, { size: 7, kernel: 5 }, 2)),
  "conv2d, stride 2": forward(convolution(128, 16, { size: 9, kernel: 3, stride: 2, pad: 1 })),
  "conv2d's kernel gradient": kernelGrad(convolution(1, 1, { size: 1002, kernel: 3 })),
  "conv2d's kernel gradient by tiles": kernelGrad(convolution(16, 16, { size: 150, kernel: 3 })),
  "conv2d's kernel gradient, a product": kernelGrad(convolution(40, 36, { size: 50, kernel: 1 })),
  "conv2d's kernel gradient in groups": kernelGrad(convolution(4, 4, { size: 300, kernel: 3 }, 2)),
  "conv2d's kernel gradient, stride 2": kernelGrad(convolution(2, 5, { size: 601, kernel: 3, stride: 2 })),
  "conv2d's kernel gradient of one wide row": kernelGrad({
    ...convolution(1, 4, { size: 1, kernel: 1 }),
    width: MILLION + 1,
    kernelWidth: 2,
    outWidth: MILLION,
  }),
  "conv2d's input gradient of many outputs": inputGrad(convolution(4, 1024, { size: 8, kernel: 3 })),
  "conv2d's input gradient by tiles": withEdges(inputGrad(convolution(16, 256, { size: 9, kernel: 3 }))),
  "conv2d's input gradient, windows that overlap": inputGrad(convolution(2, 3, { size: 100, kernel: 40, stride: 2 })),
  "conv2d's input gradient of many outputs, stride 2": inputGrad(convolution(2, 3000, { size: 9, kernel: 3, stride: 2 })),
  "depthwise by a very large kernel": depthwise({ multiplier: 1, ...windows(1, { size: 265, kernel: 250 }) }, "forward"),
  "depthwise by a large kernel, padded": depthwise(
    { multiplier: 1, ...windows(5, { size: 40, kernel: 21, pad: 10 }) },
    "forward",
  ),
  "depthwise, multiplier 2": depthwise({ multiplier: 2, ...windows(3, { size: 40, kernel: 21, pad: 10 }) }, "forward"),
  "depthwise kernel gradient 3×3": depthwise({ multiplier: 1, ...windows(4, { size: 514, kernel: 3, pad: 1 }) }, "kernel"),
  "depthwise kernel gradient of any kernel": depthwise(
    { multiplier: 1, ...windows(3, { size: 400, kernel: 5, stride: 2 }) },
    "kernel",
  ),
  "depthwise input gradient": depthwise({ multiplier: 1, ...windows(4, { size: 60, kernel: 31 }) }, "input"),
  "depthwise input gradient, windows that overlap": depthwise(
    { multiplier: 1, ...windows(3, { size: 100, kernel: 40, stride: 2 }) },
    "input",
  ),
  "avgPool of a large window": (draw) => {
    const [s, n] = [windows(1, { size: 1000, kernel: 1000 }), MILLION];
    const x = draw(n);
    return {
      length: 1,
      write: (t, y) => t.avgPool(s, x, y),
      overwrites: true,
      terms: (add) => {
        for (let i = 0; i < n; i++) add(0, x[i]! / n);
      },
    };
  },
  "avgPool's gradient, windows that overlap": (draw) => {
    const s = windows(3, { size: 90, kernel: 40 });
    const dy = draw(places(s) * 3);
    return {
      length: pixels(s),
      write: (t, dx) => t.avgPoolGrad(s, dy, dx, true),
      terms: (add) =>
        eachTap(s, (pixel, _, window) => {
          for (let c = 0; c < 3; c++) add(pixel * 3 + c, dy[window * 3 + c]! / 1600);
        }),
    };
  },
  "maxPool's gradient, windows that overlap": (draw) => {
    const s = windows(5, { size: 90, kernel: 40 });
    const [x, dy] = [new Float32Array(pixels(s)), draw(places(s) * 5)];
    for (let c = 0; c < 5; c++) x[(45 * 90 + 44) * 5 + c] = 1; // the largest number under all windows that reach it
    const y = new Float32Array(dy.length);
    reference.maxPool(s, x, y);
    return {
      length: pixels(s),
      write: (t, dx) => t.maxPoolGrad(s, x, y, dy, dx, true),
      terms: (add) => {
        const claimed = new Set<number>();
        eachTap(s, (pixel, _, window) => {
          for (let c = 0; c < 5; c++) {
            const to = window * 5 + c;
            if (x[pixel * 5 + c] !== y[to] || claimed.has(to)) continue;
            claimed.add(to);
            add(pixel * 5 + c, dy[to]!);
          }
        });
      },
    };
  },
};
