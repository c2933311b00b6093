import { type Convolution, fillRows, inTotals, type Numbers, overlap, type Totals } from "../../kernels/index.ts";
import { gemm, gemmPacked, type Pack, packMatrix } from "./gemm.ts";

/**
 * Convolution as a matrix product: one row per window, one column per number under it (im2col), times the kernel as a
 * matrix. The matrix of patches is never stored: panels are packed straight from the image. The gradient towards the
 * image goes through a block of at most `BLOCK` numbers, or of four windows if they have more numbers.
 */
const BLOCK = 1 << 17;

export function conv2d(s: Convolution, x: Numbers, kernel: Numbers, bias: Numbers | null, y: Numbers): void {
  const { windows, depth, outShare } = sizes(s);
  if (isPointwise(s)) return gemm({ m: windows, n: s.outChannels, k: s.channels, a: x, b: kernel, c: y, bias });
  const accumulate = bias !== null;
  if (accumulate) fillRows(bias, y);
  for (let g = 0; g < s.groups; g++) {
    const packB = packMatrix(kernel, g * outShare, 1, s.outChannels);
    const packA = packPatches(s, x, g);
    gemmPacked({ m: windows, n: outShare, k: depth, packA, packB, c: y, at: g * outShare, row: s.outChannels, accumulate });
  }
}

export function conv2dKernelGrad(s: Convolution, x: Numbers, dy: Numbers, dkernel: Numbers, accumulate: boolean): void {
  const { windows, depth, outShare } = sizes(s);
  if (isPointwise(s)) {
    return gemm({ m: s.channels, n: s.outChannels, k: windows, a: x, transA: true, b: dy, c: dkernel, accumulate });
  }
  for (let g = 0; g < s.groups; g++) {
    const packB = packMatrix(dy, g * outShare, 1, s.outChannels);
    const packA = packTaps(s, x, g);
    gemmPacked({ m: depth, n: outShare, k: windows, packA, packB, c: dkernel, at: g * outShare, row: s.outChannels, accumulate });
  }
}

export function conv2dInputGrad(s: Convolution, dy: Numbers, kernel: Numbers, dx: Numbers, accumulate: boolean): void {
  const { windows } = sizes(s);
  if (isPointwise(s)) {
    return gemm({ m: windows, n: s.channels, k: s.outChannels, a: dy, b: kernel, transB: true, c: dx, accumulate });
  }
  inTotals(dx, accumulate, overlap(s), (totals) => addGradients(s, dy, kernel, totals));
}

/** dx += the gradient of conv2d towards x, a block of patches at a time. */
function addGradients(s: Convolution, dy: Numbers, kernel: Numbers, dx: Totals): void {
  const { windows, depth, outShare } = sizes(s);
  const rows = Math.min(windows, Math.max(4, Math.floor(BLOCK / depth)));
  const patches = new Float32Array(rows * depth);
  for (let g = 0; g < s.groups; g++) {
    // The columns of kernelᵀ are the rows of the kernel.
    const packB = packMatrix(kernel, g * outShare, s.outChannels, 1);
    for (let first = 0; first < windows; first += rows) {
      const m = Math.min(rows, windows - first);
      const packA = packMatrix(dy, first * s.outChannels + g * outShare, s.outChannels, 1);
      gemmPacked({ m, n: depth, k: outShare, packA, packB, c: patches, at: 0, row: depth, accumulate: false });
      addPatches(s, patches, g, first, m, dx);
    }
  }
}

/** A 1×1 kernel that looks at every pixel once: the image itself is the matrix of patches. */
export function isPointwise(s: Convolution): boolean {
  return (
    s.kernelHeight * s.kernelWidth * s.groups * s.strideX * s.strideY === 1 &&
    s.outHeight === s.height &&
    s.outWidth === s.width &&
    s.padTop === 0 &&
    s.padLeft === 0
  );
}

function sizes(s: Convolution): { windows: number; depth: number; outShare: number } {
  return {
    windows: s.batch * s.outHeight * s.outWidth,
    depth: (s.kernelHeight * s.kernelWidth * s.channels) / s.groups,
    outShare: s.outChannels / s.groups,
  };
}

/** The matrix of patches [windows, depth]; depth counts (ky, kx, channel of the group). */
function packPatches(s: Convolution, x: Numbers, group: number): Pack {
  return (row, rows, column, columns, panels) => {
    const { channels, height, width, outHeight, outWidth, kernelHeight, kernelWidth } = s;
    const { strideY, strideX, dilationY, dilationX, padTop, padLeft } = s;
    const share = channels / s.groups;
    panels.fill(0, 0, Math.ceil(rows / 2) * 2 * columns); // padding, and the rows beyond the last
    const end = column + columns;
    for (let i = 0; i < rows; i++) {
      const window = row + i;
      const ox = window % outWidth;
      const oy = Math.floor(window / outWidth) % outHeight;
      const image = Math.floor(window / (outWidth * outHeight)) * height;
      const panel = (i & ~1) * columns + (i & 1) - 2 * column;
      const left = ox * strideX - padLeft;
      const firstLine = Math.floor(column / (kernelWidth * share)); // of the taps that these columns hold
      let d = firstLine * kernelWidth * share;
      for (let ky = firstLine; ky < kernelHeight && d < end; ky++) {
        const iy = oy * strideY - padTop + ky * dilationY;
        if (iy < 0 || iy >= height) {
          d += kernelWidth * share;
          continue;
        }
        const line = (image + iy) * width;
        for (let kx = 0; kx < kernelWidth; kx++, d += share) {
          const ix = left + kx * dilationX;
          if (ix < 0 || ix >= width || d + share <= column || d >= end) continue;
          const from = (line + ix) * channels + group * share - d;
          const last = Math.min(d + share, end);
          for (let c = Math.max(d, column); c < last; c++) panels[panel + 2 * c] = x[from + c]!;
        }
      }
    }
  };
}

/** The same matrix with rows and columns exchanged, [depth, windows]. */
function packTaps(s: Convolution, x: Numbers, group: number): Pack {
  return (row, rows, column, columns, panels) => {
    const { channels, height, width, outHeight, outWidth, kernelWidth } = s;
    const { strideY, strideX, dilationY, dilationX, padTop, padLeft } = s;
    const share = channels / s.groups;
    panels.fill(0, 0, Math.ceil(rows / 2) * 2 * columns);
    for (let i = 0; i < rows; i++) {
      const c = (row + i) % share;
      const kx = Math.floor((row + i) / share) % kernelWidth;
      const ky = Math.floor((row + i) / (share * kernelWidth));
      let to = (i & ~1) * columns + (i & 1);
      let ox = column % outWidth;
      let oy = Math.floor(column / outWidth) % outHeight;
      let image = Math.floor(column / (outWidth * outHeight));
      for (let j = 0; j < columns; j++, to += 2) {
        const iy = oy * strideY - padTop + ky * dilationY;
        const ix = ox * strideX - padLeft + kx * dilationX;
        if (iy >= 0 && iy < height && ix >= 0 && ix < width) {
          panels[to] = x[((image * height + iy) * width + ix) * channels + group * share + c]!;
        }
        if (++ox < outWidth) continue;
        ox = 0;
        if (++oy < outHeight) continue;
        oy = 0;
        image++;
      }
    }
  };
}

/** Adds patches [count, depth] of the windows from `first` on back to where they were read (col2im). */
function addPatches(s: Convolution, patches: Numbers, group: number, first: number, count: number, dx: Totals): void {
  const { channels, height, width, outHeight, outWidth, kernelHeight, kernelWidth } = s;
  const { strideY, strideX, dilationY, dilationX, padTop, padLeft } = s;
  const share = channels / s.groups;
  let from = 0;
  for (let window = first; window < first + count; window++) {
    const ox = window % outWidth;
    const oy = Math.floor(window / outWidth) % outHeight;
    const image = Math.floor(window / (outWidth * outHeight)) * height;
    for (let ky = 0; ky < kernelHeight; ky++) {
      const iy = oy * strideY - padTop + ky * dilationY;
      for (let kx = 0; kx < kernelWidth; kx++, from += share) {
        const ix = ox * strideX - padLeft + kx * dilationX;
        if (iy < 0 || iy >= height || ix < 0 || ix >= width) continue;
        const to = ((image + iy) * width + ix) * channels + group * share;
        for (let c = 0; c < share; c++) dx[to + c] = dx[to + c]! + patches[from + c]!;
      }
    }
  }
}
