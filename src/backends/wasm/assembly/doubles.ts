// Long sums in float64. Two ways, both with float64 totals:
//
// - Sums of fixed places (kernel gradients, tiles): float32 sums collect a few terms, then `collect` adds them to
//   totals and clears them.
// - Sums of pixels (gradients of images): if more than 48 windows share a pixel, a thread keeps totals of one whole
//   image: `widenImage`, many `addPair`, `roundImage`. Work memory: 8 bytes for each number of an image and thread.
//
// Vectors: two float64 numbers. Callers cut the work into parts.

import { channels, height, kernelHeight, kernelWidth, strideX, strideY, width } from "./sizes";
import { write } from "./pairs";

/**
 * Terms that a float32 sum may have. The rounding errors of 48 equal terms are at most 7.5e-7 of the sum, those of 64
 * terms 9.8e-7. Longer sums are collected in float64.
 */
export const FEW_TERMS: i32 = 48;

/** True if more than FEW_TERMS windows may share a pixel. */
export function hasManyWindows(): bool {
  const down = (<i64>kernelHeight + strideY - 1) / strideY;
  const across = (<i64>kernelWidth + strideX - 1) / strideX;
  return down > FEW_TERMS || across > FEW_TERMS || down * across > FEW_TERMS;
}

/** The number of elements of an image. */
export function imageNumbers(): i64 {
  return <i64>height * width * channels;
}

/** Bytes of the totals of one image, in whole cache lines. `addPair` may write one number past the last total. */
export function imageTotals(): f64 {
  return Math.ceil((8 * (<f64>height * <f64>width * <f64>channels) + 16) / 64) * 64;
}

/** totals [n] (f64) = x [n] if `accumulate`, otherwise 0. */
export function widenImage(x: usize, n: usize, totals: usize, accumulate: bool): void {
  if (!accumulate) {
    memory.fill(totals, 0, 8 * n);
    return;
  }
  for (const end = x + 4 * n; x < end; x += 4, totals += 8) store<f64>(totals, load<f32>(x));
}

/** x [n] = totals [n], rounded to float32. */
export function roundImage(totals: usize, n: usize, x: usize): void {
  for (const end = x + 4 * n; x < end; x += 8, totals += 16) write(x, v128.load(totals), end - x, false);
}

/** Adds the pair x to two totals, or only its first number if less than 8 bytes of float32 numbers are `left`. */
// @ts-ignore: decorator
@inline
export function addPair(totals: usize, x: v128, left: usize): void {
  if (left < 8) x = f64x2.replace_lane(x, 1, 0);
  v128.store(totals, f64x2.add(v128.load(totals), x));
}

/** totals [n] (f64) += sums [n]; sums = 0. Assumes n is even. */
export function collect(sums: usize, n: usize, totals: usize): void {
  const zero = f32x4.splat(0);
  const end = sums + 4 * n;
  for (; sums + 16 <= end; sums += 16, totals += 32) {
    const x = v128.load(sums);
    v128.store(totals, f64x2.add(v128.load(totals), f64x2.promote_low_f32x4(x)));
    v128.store(totals, f64x2.add(v128.load(totals, 16), f64x2.promote_low_f32x4(v128.shuffle<f32>(x, x, 2, 3, 2, 3))), 16);
    v128.store(sums, zero);
  }
  for (; sums < end; sums += 4, totals += 8) {
    store<f64>(totals, load<f64>(totals) + <f64>load<f32>(sums));
    store<f32>(sums, 0);
  }
}
