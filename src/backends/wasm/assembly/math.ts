// Functions of two numbers in double precision. Polynomials are near-minimax (least squares, reweighted until all
// errors are alike): relative error below 2⁻³² each, so that what is rounded to float32 is within 0.51 ulp.

// Constants stand in memory: V8 makes a vector constant anew from four instructions wherever it is used, and loads one
// by one.
const CONSTANTS: usize = memory.data<f64>([
  1, 2, 3, 6, 0.5, -0.0, Infinity, 20, 0.6931471805599453, 1.4426950408889634, 1024 * 0.6931471805599453,
  -1023 * 0.6931471805599453, 6755399441055744, 0.7978845608028654, 0.044715,
  0.00019841260400770819, 0.0013941015275025551, 0.008333402912668845, 0.04166635432334425, 0.16666666249410583, 0.5000000046682253,
  1.0000000000312128,
  0.12206928316724186, 0.10696525763991499, 0.14310369769420445, 0.19999345143843256, 0.3333333965744721, 0.9999999999013366,
  10000, -10000,
]);
export const ONE: usize = CONSTANTS;
export const TWO: usize = CONSTANTS + 8;
export const THREE: usize = CONSTANTS + 16;
export const SIX: usize = CONSTANTS + 24;
export const HALF: usize = CONSTANTS + 32;
/** Minus zero: the sign's bit. */
export const SIGN: usize = CONSTANTS + 40;
const INFINITY: usize = CONSTANTS + 48;
/** tanh is 1 from here on, in double precision. */
export const FAR: usize = CONSTANTS + 56;
export const LN2: usize = CONSTANTS + 64;
const LOG2E: usize = CONSTANTS + 72;
/** 1024·ln 2 and −1023·ln 2. */
const MOST: usize = CONSTANTS + 80;
const LEAST: usize = CONSTANTS + 88;
/** 1.5·2⁵²: adding it rounds to a whole number, which then stands in the low bits. */
const MAGIC: usize = CONSTANTS + 96;
/**
 * From here on, on either side, sigmoid and tanh are flat: products with x are computed at this x, since 0·∞ would be
 * NaN.
 */
const UPPER: usize = CONSTANTS + 224;
const LOWER: usize = CONSTANTS + 232;
/** √(2/π), and the cube's factor. */
export const GELU_RATE: usize = CONSTANTS + 104;
export const GELU_CUBE: usize = CONSTANTS + 112;
const GROWTH: usize = CONSTANTS + 120;
const RATIO: usize = CONSTANTS + 176;
/** The high word of √½, and the mask of high words. */
const HALVES: usize = memory.data<u64>([0x3fe6a09e00000000, 0xffffffff00000000]);

/** A constant, twice. */
// @ts-ignore: decorator
@inline
export function both(constant: usize): v128 {
  return v128.load64_splat(constant);
}

/** x, but at least −10,000; NaN stays NaN. */
// @ts-ignore: decorator
@inline
export function atLeastLower(x: v128): v128 {
  return f64x2.pmax(x, both(LOWER));
}
/** x, but from −10,000 to 10,000; NaN stays NaN. */
// @ts-ignore: decorator
@inline
export function within(x: v128): v128 {
  return f64x2.pmin(f64x2.pmax(x, both(LOWER)), both(UPPER));
}

/** (eʳ − 1)/r for |r| ≤ ln 2 / 2. */
// @ts-ignore: decorator
@inline
export function growth(r: v128): v128 {
  // In pairs, so that no step waits for all before it.
  const square = f64x2.mul(r, r);
  const low = f64x2.add(f64x2.mul(both(GROWTH + 40), r), both(GROWTH + 48));
  const middle = f64x2.add(f64x2.mul(both(GROWTH + 24), r), both(GROWTH + 32));
  const high = f64x2.add(f64x2.mul(both(GROWTH + 8), r), both(GROWTH + 16));
  const upper = f64x2.add(f64x2.mul(f64x2.add(f64x2.mul(both(GROWTH), square), high), square), middle);
  return f64x2.add(f64x2.mul(upper, square), low);
}

/**
 * eˣ; infinity from 1024·ln 2 on, where the exponent's bits are those of infinity, and 0 from −1023·ln 2 on. NaN stays
 * NaN.
 */
// @ts-ignore: decorator
@inline
export function exp(x: v128): v128 {
  x = f64x2.pmax(f64x2.pmin(x, both(MOST)), both(LEAST));
  const t = f64x2.add(f64x2.mul(x, both(LOG2E)), both(MAGIC));
  const r = f64x2.sub(x, f64x2.mul(f64x2.sub(t, both(MAGIC)), both(LN2)));
  const p = f64x2.add(f64x2.mul(r, growth(r)), both(ONE));
  return i64x2.add(p, i64x2.shl(t, 52)); // times 2ⁿ
}

/** eˣ − 1 = 2ⁿ·(eʳ − 1) + (2ⁿ − 1), which loses nothing near 0; x from −1023·ln 2 to 1024·ln 2. NaN stays NaN. */
// @ts-ignore: decorator
@inline
export function expm1(x: v128): v128 {
  const t = f64x2.add(f64x2.mul(x, both(LOG2E)), both(MAGIC));
  const r = f64x2.sub(x, f64x2.mul(f64x2.sub(t, both(MAGIC)), both(LN2)));
  const power = i64x2.add(both(ONE), i64x2.shl(t, 52));
  return f64x2.add(f64x2.mul(power, f64x2.mul(r, growth(r))), f64x2.sub(power, both(ONE)));
}

/** tanh |x| = (e²ˣ − 1)/(e²ˣ + 1), then the sign. */
// @ts-ignore: decorator
@inline
export function tanh(x: v128): v128 {
  const a = f64x2.pmin(f64x2.abs(x), both(FAR));
  const e = expm1(f64x2.add(a, a));
  return v128.or(f64x2.div(e, f64x2.add(e, both(TWO))), v128.and(x, both(SIGN)));
}

/** 2·atanh(s) for |s| ≤ 1/3: ln((1 + s)/(1 − s)). */
// @ts-ignore: decorator
@inline
function logRatio(s: v128): v128 {
  const z = f64x2.mul(s, s);
  let p = f64x2.add(f64x2.mul(both(RATIO), z), both(RATIO + 8));
  p = f64x2.add(f64x2.mul(p, z), both(RATIO + 16));
  p = f64x2.add(f64x2.mul(p, z), both(RATIO + 24));
  p = f64x2.add(f64x2.mul(p, z), both(RATIO + 32));
  p = f64x2.add(f64x2.mul(p, z), both(RATIO + 40));
  return f64x2.mul(f64x2.add(s, s), p);
}

/** ln(1 + t) for t from 0 to 1. */
// @ts-ignore: decorator
@inline
export function log1p(t: v128): v128 {
  return logRatio(f64x2.div(t, f64x2.add(t, both(TWO))));
}

/** ln x for x = 2ⁿ·m, m about 1: n·ln 2 + ln m. Assumes that x is no denormal double; widened float32s never are. */
export function log(x: v128): v128 {
  const high = both(HALVES + 8);
  const n = i32x4.shr_s(i32x4.sub(x, both(HALVES)), 20); // in the high halves; m is from √½ to √2
  const m = i32x4.sub(x, v128.and(i32x4.shl(n, 20), high));
  const f = f64x2.div(f64x2.sub(m, both(ONE)), f64x2.add(m, both(ONE)));
  const whole = f64x2.convert_low_i32x4_s(v128.shuffle<i32>(n, n, 1, 3, 1, 3));
  const y = f64x2.add(f64x2.mul(whole, both(LN2)), logRatio(f));
  // ln 0 = −∞; the root of anything else out of range is what its logarithm is: NaN, or infinity of infinity.
  const zero = f64x2.splat(0);
  const odd = v128.bitselect(f64x2.neg(both(INFINITY)), f64x2.sqrt(x), f64x2.eq(x, zero));
  return v128.bitselect(y, odd, v128.and(f64x2.gt(x, zero), f64x2.lt(x, both(INFINITY))));
}

/** 1/(1 + e⁻ˣ). */
// @ts-ignore: decorator
@inline
export function logistic(x: v128): v128 {
  const one = both(ONE);
  return f64x2.div(one, f64x2.add(one, exp(f64x2.neg(x))));
}
