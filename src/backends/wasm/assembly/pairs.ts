// Two float32s at a time, computed with in double precision.

/** The two numbers at p; reading one beyond an array does no harm. */
// @ts-ignore: decorator
@inline
export function read(p: usize): v128 {
  return f64x2.promote_low_f32x4(v128.load64_zero(p));
}

/** Both rounded to float32 at p, or the first alone where `left`, the bytes that are left, ends after it. Added where `accumulate`. */
// @ts-ignore: decorator
@inline
export function write(p: usize, x: v128, left: usize, accumulate: bool): void {
  const v = f32x4.demote_f64x2_zero(accumulate ? f64x2.add(read(p), x) : x);
  if (left >= 8) v128.store64_lane(p, v, 0);
  else v128.store32_lane(p, v, 0);
}
