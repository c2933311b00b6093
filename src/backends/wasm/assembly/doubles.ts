// Long sums in double precision: totals of whole images, and numbers of terms that float32 totals may collect.

import { channels, height, kernelHeight, kernelWidth, strideX, strideY, width } from "./sizes";
import { write } from "./pairs";

/**
 * How many terms a float32 total may collect: the rounding errors of 48 equal terms add up to at most 7.5e-7 of the total, those of 64 to
 * 9.8e-7. Longer sums are collected in double precision.
 */
export const FEW_TERMS: i32 = 48;

/** Whether so many windows share a pixel that its gradient is summed in double precision. */
export function hasManyWindows(): bool {
  const down = (<i64>kernelHeight + strideY - 1) / strideY;
  const across = (<i64>kernelWidth + strideX - 1) / strideX;
  return down > FEW_TERMS || across > FEW_TERMS || down * across > FEW_TERMS;
}

/** Numbers of an image. */
export function imageNumbers(): i64 {
  return <i64>height * width * channels;
}

/** Bytes of the totals of one image, in whole cache lines. A pair is written beyond the last total. */
export function imageTotals(): f64 {
  return Math.ceil((8 * (<f64>height * <f64>width * <f64>channels) + 16) / 64) * 64;
}

/** totals [n] (f64) = x [n], or zeros if it does not count. */
export function widenImage(x: usize, n: usize, totals: usize, accumulate: bool): void {
  if (!accumulate) {
    memory.fill(totals, 0, 8 * n);
    return;
  }
  for (const end = x + 4 * n; x < end; x += 4, totals += 8) store<f64>(totals, load<f32>(x));
}

/** x [n] = totals [n], rounded. */
export function roundImage(totals: usize, n: usize, x: usize): void {
  for (const end = x + 4 * n; x < end; x += 8, totals += 16) write(x, v128.load(totals), end - x, false);
}

/** totals (f64) += the pair x; its second number does not count if `left`, the bytes of float32s that are left, ends before it. */
// @ts-ignore: decorator
@inline
export function addPair(totals: usize, x: v128, left: usize): void {
  if (left < 8) x = f64x2.replace_lane(x, 1, 0);
  v128.store(totals, f64x2.add(v128.load(totals), x));
}

/** totals [n] (f64) += sums [n], which become zeros; n is even. */
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
