import { inDoubles, inTotals } from "./doubles.ts";
import type { Numbers } from "./memory.ts";

/**
 * Windows over images [batch, height, width, channels]. Window (oy, ox) has taps (ky, kx) at row oy·strideY − padTop +
 * ky·dilationY and column ox·strideX − padLeft + kx·dilationX; taps outside the image are padding.
 */
export type Windows = {
  readonly batch: number;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly outHeight: number;
  readonly outWidth: number;
  readonly kernelHeight: number;
  readonly kernelWidth: number;
  readonly strideY: number;
  readonly strideX: number;
  readonly dilationY: number;
  readonly dilationX: number;
  readonly padTop: number;
  readonly padLeft: number;
};

/**
 * Calls `tap(window, pixel, ky, kx)` for each tap inside the image, window by window, row by row. Windows and pixels
 * are numbered from 0 over the whole batch.
 */
export function eachTap(w: Windows, tap: (window: number, pixel: number, ky: number, kx: number) => void): void {
  const { batch, height, width, outHeight, outWidth, kernelHeight, kernelWidth } = w;
  const { strideY, strideX, dilationY, dilationX, padTop, padLeft } = w;
  let window = 0;
  for (let b = 0; b < batch; b++) {
    for (let oy = 0; oy < outHeight; oy++) {
      for (let ox = 0; ox < outWidth; ox++, window++) {
        for (let ky = 0; ky < kernelHeight; ky++) {
          const iy = oy * strideY - padTop + ky * dilationY;
          if (iy < 0 || iy >= height) continue;
          for (let kx = 0; kx < kernelWidth; kx++) {
            const ix = ox * strideX - padLeft + kx * dilationX;
            if (ix >= 0 && ix < width) tap(window, (b * height + iy) * width + ix, ky, kx);
          }
        }
      }
    }
  }
}

/** How many windows a pixel may be part of, at most. */
export function overlap({ kernelHeight, kernelWidth, strideY, strideX }: Windows): number {
  return Math.ceil(kernelHeight / strideY) * Math.ceil(kernelWidth / strideX);
}

/** y [windows, channels] = the largest number under each window, without the padding; NaN if there is a NaN. */
export function maxPool(w: Windows, x: Numbers, y: Numbers): void {
  const channels = w.channels;
  y.fill(Number.NEGATIVE_INFINITY);
  eachTap(w, (window, pixel) => {
    const [from, to] = [pixel * channels, window * channels];
    for (let c = 0; c < channels; c++) {
      const v = x[from + c]!;
      if (v > y[to + c]! || Number.isNaN(v)) y[to + c] = v; // no number is larger than a NaN in y
    }
  });
}

/** dx (+)= dy at the first tap, row by row, that holds the window's maximum (as TensorFlow on the CPU and PyTorch). */
export function maxPoolGrad(w: Windows, x: Numbers, y: Numbers, dy: Numbers, dx: Numbers, accumulate: boolean): void {
  const channels = w.channels;
  const claimed = new Int32Array(channels).fill(-1); // for each channel, the last window whose dy was added
  inTotals(dx, accumulate, overlap(w), (totals) => {
    eachTap(w, (window, pixel) => {
      const [from, to] = [pixel * channels, window * channels];
      for (let c = 0; c < channels; c++) {
        if (claimed[c] === window) continue;
        const v = x[from + c]!;
        if (v !== y[to + c]! && !(Number.isNaN(v) && Number.isNaN(y[to + c]!))) continue;
        claimed[c] = window;
        totals[from + c] = totals[from + c]! + dy[to + c]!;
      }
    });
  });
}

/** y [windows, channels] = the mean of the taps inside the image, summed in double precision. */
export function avgPool(w: Windows, x: Numbers, y: Numbers): void {
  const channels = w.channels;
  const counts = tapCounts(w);
  inDoubles(y, false, (totals) => {
    eachTap(w, (window, pixel) => {
      const [from, to] = [pixel * channels, window * channels];
      for (let c = 0; c < channels; c++) totals[to + c]! += x[from + c]!;
    });
    for (let to = 0; to < y.length; to++) totals[to]! /= counts[Math.floor(to / channels)]!;
  });
}

/** dx (+)= dy/count at every tap inside the image. */
export function avgPoolGrad(w: Windows, dy: Numbers, dx: Numbers, accumulate: boolean): void {
  const channels = w.channels;
  const counts = tapCounts(w);
  inTotals(dx, accumulate, overlap(w), (totals) => {
    eachTap(w, (window, pixel) => {
      const [to, from] = [pixel * channels, window * channels];
      for (let c = 0; c < channels; c++) totals[to + c] = totals[to + c]! + dy[from + c]! / counts[window]!;
    });
  });
}

/** How many taps of each window are inside the image. */
function tapCounts(w: Windows): Int32Array {
  const counts = new Int32Array(w.batch * w.outHeight * w.outWidth);
  eachTap(w, (window) => counts[window]!++);
  return counts;
}
