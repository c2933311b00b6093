// Pairs: two float32 numbers in memory, two float64 numbers in a register.

/** The two numbers at p, widened. May read one number past the end of an array: there is memory behind every array. */
// @ts-ignore: decorator
@inline
export function read(p: usize): v128 {
  return f64x2.promote_low_f32x4(v128.load64_zero(p));
}

/** p (+)= the pair x, rounded to float32, or only its first number if less than 8 bytes are `left`. */
// @ts-ignore: decorator
@inline
export function write(p: usize, x: v128, left: usize, accumulate: bool): void {
  const v = f32x4.demote_f64x2_zero(accumulate ? f64x2.add(read(p), x) : x);
  if (left >= 8) v128.store64_lane(p, v, 0);
  else v128.store32_lane(p, v, 0);
}

/** The first two of four numbers, widened. */
// @ts-ignore: decorator
@inline
export function low(x: v128): v128 {
  return f64x2.promote_low_f32x4(x);
}

/** The last two of four numbers, widened. */
// @ts-ignore: decorator
@inline
export function high(x: v128): v128 {
  return f64x2.promote_low_f32x4(v128.shuffle<i64>(x, x, 1, 1));
}

/** Two pairs, rounded to four numbers. */
// @ts-ignore: decorator
@inline
export function joined(first: v128, last: v128): v128 {
  return v128.shuffle<i64>(f32x4.demote_f64x2_zero(first), f32x4.demote_f64x2_zero(last), 0, 2);
}
