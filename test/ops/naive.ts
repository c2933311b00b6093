import type { Padding } from "../../src/ops/index.ts";
import { Generator, sizeOf, type Tensor, tensor } from "../../src/tensor/index.ts";

/** Whole numbers from −8 to 8: float32 sums of their products are exact in any order. */
export function whole(shape: readonly number[], seed: number): Tensor {
  const random = new Generator(seed);
  return tensor(
    Float32Array.from({ length: sizeOf(shape) }, () => random.below(17) - 8),
    shape,
  );
}

export type Geometry = {
  readonly strides: readonly [number, number];
  readonly dilations: readonly [number, number];
  readonly padding: Padding;
};

/** TensorFlow's rule for one axis: how many windows there are, and how much padding comes before the first pixel. */
export function axisPlan(
  n: number,
  k: number,
  stride: number,
  dilation: number,
  padding: Padding,
  axis: 0 | 1,
): [number, number] {
  const span = (k - 1) * dilation + 1;
  if (padding === "valid") return [Math.floor((n - span) / stride) + 1, 0];
  if (padding !== "same") {
    const [before, after] = typeof padding === "number" ? [padding, padding] : padding[axis];
    return [Math.floor((n + before + after - span) / stride) + 1, before];
  }
  const needed = n % stride === 0 ? span - stride : span - (n % stride);
  return [Math.ceil(n / stride), Math.floor(Math.max(needed, 0) / 2)];
}

/**
 * For each window [batch, outHeight, outWidth] the pixels it sees: where each is in x's [batch, height, width], and its
 * tap.
 */
export function windowsOver(
  [batch, height, width]: readonly number[],
  [kh, kw]: readonly [number, number],
  { strides, dilations, padding }: Geometry,
): { shape: [number, number, number]; windows: { pixel: number; tap: number }[][] } {
  const [oh, top] = axisPlan(height!, kh, strides[0], dilations[0], padding, 0);
  const [ow, left] = axisPlan(width!, kw, strides[1], dilations[1], padding, 1);
  const windows: { pixel: number; tap: number }[][] = [];
  for (let b = 0; b < batch!; b++)
    for (let oy = 0; oy < oh; oy++)
      for (let ox = 0; ox < ow; ox++) {
        const seen: { pixel: number; tap: number }[] = [];
        for (let ky = 0; ky < kh; ky++)
          for (let kx = 0; kx < kw; kx++) {
            const [iy, ix] = [oy * strides[0] + ky * dilations[0] - top, ox * strides[1] + kx * dilations[1] - left];
            const inside = iy >= 0 && iy < height! && ix >= 0 && ix < width!;
            if (inside) seen.push({ pixel: (b * height! + iy) * width! + ix, tap: ky * kw + kx });
          }
        windows.push(seen);
      }
  return { shape: [batch!, oh, ow], windows };
}
