import { activate } from "./activation.ts";
import { inDoubles } from "./doubles.ts";
import { fillRows } from "./gemm.ts";
import type { Numbers } from "./memory.ts";
import { eachTap, type Windows } from "./windows.ts";

/**
 * A convolution: x [batch, height, width, channels], kernel [kernelHeight, kernelWidth, channels/groups, outChannels],
 * y [batch, outHeight, outWidth, outChannels]. Group g reads its share of the channels and writes its share of the
 * outputs.
 */
export type Convolution = Windows & { readonly outChannels: number; readonly groups: number };

/** y = x ∗ kernel + bias [outChannels]. The specification: one plain loop per index, sums in double precision. */
export function conv2d(s: Convolution, x: Numbers, kernel: Numbers, bias: Numbers | null, y: Numbers): void {
  fillRows(bias, y);
  // true: adds to the bias in y.
  inDoubles(y, true, (totals) => {
    eachProduct(s, (i, j, o) => {
      totals[o]! += x[i]! * kernel[j]!;
    });
  });
}

/** dx (+)= the gradient of x: for each product x[i]·kernel[j] in y[o], adds dy[o]·kernel[j] to dx[i]. */
export function conv2dInputGrad(s: Convolution, dy: Numbers, kernel: Numbers, dx: Numbers, accumulate: boolean): void {
  inDoubles(dx, accumulate, (totals) => {
    eachProduct(s, (i, j, o) => {
      totals[i]! += dy[o]! * kernel[j]!;
    });
  });
}

/** dkernel (+)= the gradient of the kernel: for each product x[i]·kernel[j] in y[o], adds x[i]·dy[o] to dkernel[j]. */
export function conv2dKernelGrad(s: Convolution, x: Numbers, dy: Numbers, dkernel: Numbers, accumulate: boolean): void {
  inDoubles(dkernel, accumulate, (totals) => {
    eachProduct(s, (i, j, o) => {
      totals[j]! += x[i]! * dy[o]!;
    });
  });
}

/** Calls `product(i, j, o)` for each x[i]·kernel[j] that is part of y[o]. */
function eachProduct(s: Convolution, product: (i: number, j: number, o: number) => void): void {
  const share = s.channels / s.groups;
  const outShare = s.outChannels / s.groups;
  eachTap(s, (window, pixel, ky, kx) => {
    for (let o = 0; o < s.outChannels; o++) {
      const first = Math.floor(o / outShare) * share;
      for (let c = 0; c < share; c++) {
        const j = ((ky * s.kernelWidth + kx) * share + c) * s.outChannels + o;
        product(pixel * s.channels + first + c, j, window * s.outChannels + o);
      }
    }
  });
}

/**
 * A depthwise convolution: kernel [kernelHeight, kernelWidth, channels, multiplier], output channel c·multiplier + m.
 */
export type Depthwise = Windows & { readonly multiplier: number };

/**
 * y = activation(x ∗ kernel + bias), each channel by itself, summed in double precision. `activation` is an index of
 * ACTIVATIONS. The gradients below have none: if gradients are recorded, the op passes 0 ("none").
 */
export function depthwiseConv2d(
  s: Depthwise,
  x: Numbers,
  kernel: Numbers,
  bias: Numbers | null,
  activation: number,
  y: Numbers,
): void {
  const { channels, multiplier } = s;
  const outputs = channels * multiplier;
  fillRows(bias, y);
  inDoubles(y, true, (totals) => {
    eachTap(s, (window, pixel, ky, kx) => {
      const [from, to, tap] = [pixel * channels, window * outputs, (ky * s.kernelWidth + kx) * outputs];
      // The common case, without a division per number: without WebAssembly, this kernel computes.
      if (multiplier === 1) {
        for (let c = 0; c < channels; c++) totals[to + c]! += x[from + c]! * kernel[tap + c]!;
      } else {
        for (let o = 0; o < outputs; o++) totals[to + o]! += x[from + Math.floor(o / multiplier)]! * kernel[tap + o]!;
      }
    });
  });
  activate(activation, y);
}

/** dx (+)= the gradient of x, summed in double precision. */
export function depthwiseConv2dInputGrad(s: Depthwise, dy: Numbers, kernel: Numbers, dx: Numbers, accumulate: boolean): void {
  const { channels, multiplier } = s;
  const outputs = channels * multiplier;
  inDoubles(dx, accumulate, (totals) => {
    eachTap(s, (window, pixel, ky, kx) => {
      const [to, from, tap] = [pixel * channels, window * outputs, (ky * s.kernelWidth + kx) * outputs];
      for (let o = 0; o < outputs; o++) totals[to + Math.floor(o / multiplier)]! += dy[from + o]! * kernel[tap + o]!;
    });
  });
}

/** dkernel (+)= the gradient of the kernel, summed in double precision. */
export function depthwiseConv2dKernelGrad(s: Depthwise, x: Numbers, dy: Numbers, dkernel: Numbers, accumulate: boolean): void {
  const { channels, multiplier } = s;
  const outputs = channels * multiplier;
  inDoubles(dkernel, accumulate, (totals) => {
    eachTap(s, (window, pixel, ky, kx) => {
      const [from, at, tap] = [pixel * channels, window * outputs, (ky * s.kernelWidth + kx) * outputs];
      for (let o = 0; o < outputs; o++) totals[tap + o]! += x[from + Math.floor(o / multiplier)]! * dy[at + o]!;
    });
  });
}
