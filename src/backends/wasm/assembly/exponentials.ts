// Functions of e⁻ʸ on four numbers. The exponential is computed in float32 as 2ⁿ and e⁻ʳ − 1, with y = r − n·ln 2. The
// rest is computed in float64, two numbers at a time, and rounded once, so that results are within 1 ulp. Float32
// serves twice as many numbers per vector.
//
// T is a class with
// - `bounded`: x [4], restricted to the range in which T changes;
// - `rate`: y for these x, from −356 to 709: see `atLeast` and `atMost`;
// - `of`: the results for two x, their 2ⁿ and e⁻ʳ − 1, and, if T is a gradient, dy.

import { four } from "./fours";
import { madd } from "./madd";
import { both, growth, LN2 } from "./math";
import { high, joined, low } from "./pairs";

/**
 * −log₂ e; 1.5·2²³ + 1023; ln 2 in two parts, of which the first has 16 bits, so that n times it is exact; the range of
 * y; h.
 */
const CONSTANTS: usize = memory.data<f32>([
  -1.4426950408889634, 12583935, 0.693145751953125, 1.428606765330187e-06, -356, 709,
  0.5, -0.1666666567325592, 0.041666463017463684, -0.008333571255207062, 0.001393508748151362, -0.00019739478011615574,
]);

/** y from −356 on, where 2ⁿ is finite and its square is not. NaN stays NaN. */
// @ts-ignore: decorator
@inline
export function atLeast(y: v128): v128 {
  return f32x4.pmax(y, four(CONSTANTS + 16));
}

/** y up to 709, where 2ⁿ is 0. NaN stays NaN. */
// @ts-ignore: decorator
@inline
export function atMost(y: v128): v128 {
  return f32x4.pmin(y, four(CONSTANTS + 20));
}

/** n + 1023, the exponent of the double 2ⁿ, in the low bits. */
// @ts-ignore: decorator
@inline
function shifted(y: v128): v128 {
  return f32x4.add(f32x4.mul(y, four(CONSTANTS)), four(CONSTANTS + 4));
}

/** e⁻ʳ − 1 = r²·h(r) − r; h is near-minimax: the relative error of e⁻ʳ is below 2⁻³³. */
// @ts-ignore: decorator
@inline
function change(y: v128, t: v128): v128 {
  const n = f32x4.sub(t, four(CONSTANTS + 4));
  const r = madd(n, four(CONSTANTS + 12), madd(n, four(CONSTANTS + 8), y));
  const square = f32x4.mul(r, r);
  const start = madd(four(CONSTANTS + 28), r, four(CONSTANTS + 24));
  const middle = madd(four(CONSTANTS + 36), r, four(CONSTANTS + 32));
  const end = madd(four(CONSTANTS + 44), r, four(CONSTANTS + 40));
  const rest = madd(end, square, middle);
  return f32x4.sub(madd(f32x4.mul(square, square), rest, f32x4.mul(square, start)), r);
}

// The doubles 2ⁿ of the first two and of the last two numbers.
// @ts-ignore: decorator
@inline
function lowPowers(t: v128): v128 {
  return v128.shuffle<i32>(i32x4.splat(0), i32x4.shl(t, 20), 0, 4, 1, 5);
}
// @ts-ignore: decorator
@inline
function highPowers(t: v128): v128 {
  return v128.shuffle<i32>(i32x4.splat(0), i32x4.shl(t, 20), 2, 6, 3, 7);
}

/** T's results for four x. */
// @ts-ignore: decorator
@inline
export function four1<T>(x: v128): v128 {
  const v = changetype<T>(0).bounded(x), y = changetype<T>(0).rate(v), t = shifted(y), p = change(y, t);
  return joined(changetype<T>(0).of(low(v), lowPowers(t), low(p)), changetype<T>(0).of(high(v), highPowers(t), high(p)));
}

/** T's results for four x and dy. */
// @ts-ignore: decorator
@inline
export function four2<T>(x: v128, dy: v128): v128 {
  const v = changetype<T>(0).bounded(x), y = changetype<T>(0).rate(v), t = shifted(y), p = change(y, t);
  return joined(
    changetype<T>(0).of(low(v), lowPowers(t), low(p), low(dy)),
    changetype<T>(0).of(high(v), highPowers(t), high(p), high(dy)),
  );
}

/**
 * T's results for two x [4] and dy, in float64 throughout. The caller adds them to other numbers. The sum may be small;
 * an error of 1 ulp of a result would then be many ulp of the sum.
 */
// @ts-ignore: decorator
@inline
export function two2<T>(x: v128, dy: v128): v128 {
  const v = changetype<T>(0).bounded(x), y = changetype<T>(0).rate(v), t = shifted(y);
  const minus = f64x2.neg(f64x2.add(low(y), f64x2.mul(low(f32x4.sub(t, four(CONSTANTS + 4))), both(LN2))));
  return changetype<T>(0).of(low(v), lowPowers(t), f64x2.mul(minus, growth(minus)), dy);
}
