// Number by number, as activations.ts, elementwise.ts and pairwise.ts of the specification.
//
// Each op stands in one place: a class with the formula `of`, then the exported kernel. loops.ts has the loops:
// - `map1` to `map4`: the formula takes two numbers of each of 1 to 4 arrays as doubles and returns two results, which
//   are rounded once.
// - `each1` and `each2`: it takes and returns four numbers in float32. These are the fastest loops, for formulas that
//   round once or never.
// - `exp1` and `exp2`: formulas with an exponential: see exponentials.ts.

import { atLeast, atMost } from "./exponentials";
import { args, each1, each2, exp1, exp2, map1, map2, map3, map4, P, Q } from "./loops";
import { atLeastLower, both, GELU_CUBE, GELU_RATE, HALF, log1p, ONE, SIGN, SIX, THREE, TWO, within } from "./math";
import * as math from "./math";

// Functions of one array and their gradients. Gradients leave out what they do not read.

class Abs {
  @inline of(x: v128): v128 { return f64x2.abs(x); }
}
export function abs(n: i32, x: usize, y: usize): void { map1<Abs>(n, x, y); }
class AbsGrad {
  @inline of(x: v128, dy: v128): v128 {
    const zero = f64x2.splat(0);
    const turned = v128.bitselect(dy, f64x2.neg(dy), f64x2.gt(x, zero));
    return v128.and(turned, v128.or(f64x2.lt(x, zero), f64x2.gt(x, zero)));
  }
}
export function absGrad(n: i32, x: usize, dy: usize, dx: usize, accumulate: bool): void {
  map2<AbsGrad>(n, x, dy, dx, accumulate);
}

class Sign {
  @inline of(x: v128): v128 {
    const zero = f64x2.splat(0);
    const ones = v128.or(both(ONE), v128.and(x, both(SIGN)));
    return v128.bitselect(ones, x, v128.or(f64x2.lt(x, zero), f64x2.gt(x, zero)));
  }
}
export function sign(n: i32, x: usize, y: usize): void { map1<Sign>(n, x, y); }

// e⁻ʸ, e⁻ʸ + 1 and e⁻ʸ − 1, of 2ⁿ and e⁻ʳ − 1: see exponentials.ts. The last loses no digits near 0.
// @ts-ignore: decorator
@inline
function decay(power: v128, change: v128): v128 { return f64x2.add(f64x2.mul(power, change), power); }
// @ts-ignore: decorator
@inline
function decayPlusOne(power: v128, change: v128): v128 { return f64x2.add(f64x2.mul(power, change), f64x2.add(power, both(ONE))); }
// @ts-ignore: decorator
@inline
function decayLessOne(power: v128, change: v128): v128 { return f64x2.add(f64x2.mul(power, change), f64x2.sub(power, both(ONE))); }

class Exp {
  @inline bounded(x: v128): v128 { return x; }
  @inline rate(x: v128): v128 { return atMost(atLeast(f32x4.sub(f32x4.splat(0), x))); }
  @inline of(_x: v128, power: v128, change: v128): v128 { return decay(power, change); }
}
export function exp(n: i32, x: usize, y: usize): void { exp1<Exp>(n, x, y); }

class Log {
  @inline of(x: v128): v128 { return math.log(x); }
}
export function log(n: i32, x: usize, y: usize): void { map1<Log>(n, x, y); }

/**
 * 2/√π, 4, and the coefficients of P and Q in erf(x) = x·P(x²)/Q(x²): near-minimax for |x| ≤ 4, relative error below
 * 2⁻³⁶.
 */
const ERF: usize = memory.data<f64>([
  1.1283791670955126, 4,
  3.0048191167103922e-09, 7.527683450668574e-07, 2.1785976064966643e-05, 0.0005130302007404993,
  0.0049619950048210085, 0.05811784532395171, 0.20034023499233405, 1.1283791670861612,
  7.32988857264366e-08, 4.5188820681633425e-06, 0.00011151128110478684, 0.0017151720880232467,
  0.01771861288301063, 0.12179901758498277, 0.5108802434005265, 1,
]);
const ERF_END: usize = ERF + 8;
// @ts-ignore: decorator
@inline
function times(z: v128, p: v128, next: usize): v128 { return f64x2.add(f64x2.mul(p, z), both(next)); }
// @ts-ignore: decorator
@inline
function polynomial7(z: v128, c: usize): v128 {
  const p = times(z, times(z, times(z, both(c), c + 8), c + 16), c + 24);
  return times(z, times(z, times(z, times(z, p, c + 32), c + 40), c + 48), c + 56);
}
class Erf {
  @inline of(x: v128): v128 {
    const v = f64x2.pmax(f64x2.pmin(x, both(ERF_END)), f64x2.neg(both(ERF_END))); // erf(4) rounds to 1; NaN stays NaN
    const z = f64x2.mul(v, v);
    return f64x2.div(f64x2.mul(v, polynomial7(z, ERF + 16)), polynomial7(z, ERF + 80));
  }
}
export function erf(n: i32, x: usize, y: usize): void { map1<Erf>(n, x, y); }
class ErfGrad {
  @inline of(x: v128, dy: v128): v128 { return f64x2.mul(f64x2.mul(dy, both(ERF)), math.exp(f64x2.neg(f64x2.mul(x, x)))); }
}
export function erfGrad(n: i32, x: usize, dy: usize, dx: usize, accumulate: bool): void {
  map2<ErfGrad>(n, x, dy, dx, accumulate);
}

class Sqrt {
  @inline of(x: v128): v128 { return f64x2.sqrt(x); }
}
export function sqrt(n: i32, x: usize, y: usize): void { map1<Sqrt>(n, x, y); }
class SqrtGrad {
  @inline of(y: v128, dy: v128): v128 { return f64x2.div(f64x2.mul(both(HALF), dy), y); }
}
export function sqrtGrad(n: i32, y: usize, dy: usize, dx: usize, accumulate: bool): void {
  map2<SqrtGrad>(n, y, dy, dx, accumulate);
}

class Square {
  @inline of(x: v128): v128 { return f64x2.mul(x, x); }
}
export function square(n: i32, x: usize, y: usize): void { map1<Square>(n, x, y); }
class SquareGrad {
  @inline of(x: v128, dy: v128): v128 { return f64x2.mul(f64x2.add(x, x), dy); }
}
export function squareGrad(n: i32, x: usize, dy: usize, dx: usize, accumulate: bool): void {
  map2<SquareGrad>(n, x, dy, dx, accumulate);
}

class Reciprocal {
  @inline of(x: v128): v128 { return f64x2.div(both(ONE), x); }
}
export function reciprocal(n: i32, x: usize, y: usize): void { map1<Reciprocal>(n, x, y); }
class ReciprocalGrad {
  @inline of(y: v128, dy: v128): v128 { return f64x2.mul(f64x2.mul(f64x2.neg(dy), y), y); }
}
export function reciprocalGrad(n: i32, y: usize, dy: usize, dx: usize, accumulate: bool): void {
  map2<ReciprocalGrad>(n, y, dy, dx, accumulate);
}

/** tanh |x| = (1 − e)/(1 + e) with e = e⁻²ˣ for x > 0, then the sign. */
class Tanh {
  @inline bounded(x: v128): v128 { return x; }
  @inline rate(x: v128): v128 { return atMost(f32x4.abs(f32x4.add(x, x))); }
  @inline of(x: v128, power: v128, change: v128): v128 {
    const m = decayLessOne(power, change);
    return v128.or(f64x2.abs(f64x2.div(m, f64x2.add(m, both(TWO)))), v128.and(x, both(SIGN)));
  }
}
export function tanh(n: i32, x: usize, y: usize): void { exp1<Tanh>(n, x, y); }
class TanhGrad {
  @inline of(y: v128, dy: v128): v128 { return f64x2.mul(dy, f64x2.sub(both(ONE), f64x2.mul(y, y))); }
}
export function tanhGrad(n: i32, y: usize, dy: usize, dx: usize, accumulate: bool): void {
  map2<TanhGrad>(n, y, dy, dx, accumulate);
}

class Sigmoid {
  @inline bounded(x: v128): v128 { return atMost(atLeast(x)); }
  @inline rate(x: v128): v128 { return x; }
  @inline of(_x: v128, power: v128, change: v128): v128 { return f64x2.div(both(ONE), decayPlusOne(power, change)); }
}
export function sigmoid(n: i32, x: usize, y: usize): void { exp1<Sigmoid>(n, x, y); }
class SigmoidGrad {
  @inline of(y: v128, dy: v128): v128 { return f64x2.mul(f64x2.mul(dy, y), f64x2.sub(both(ONE), y)); }
}
export function sigmoidGrad(n: i32, y: usize, dy: usize, dx: usize, accumulate: bool): void {
  map2<SigmoidGrad>(n, y, dy, dx, accumulate);
}

class Softplus {
  @inline bounded(x: v128): v128 { return x; }
  @inline rate(x: v128): v128 { return atMost(f32x4.abs(x)); }
  @inline of(x: v128, power: v128, change: v128): v128 {
    return f64x2.add(f64x2.max(x, f64x2.splat(0)), log1p(decay(power, change)));
  }
}
export function softplus(n: i32, x: usize, y: usize): void { exp1<Softplus>(n, x, y); }
class SoftplusGrad {
  @inline bounded(x: v128): v128 { return atMost(atLeast(x)); }
  @inline rate(x: v128): v128 { return x; }
  @inline of(_x: v128, power: v128, change: v128, dy: v128): v128 {
    // Its square may be infinite: 0 times an infinite dy is NaN, as in the plain kernel.
    const d = decayPlusOne(power, change);
    return f64x2.div(f64x2.mul(dy, d), f64x2.mul(d, d));
  }
}
export function softplusGrad(n: i32, x: usize, dy: usize, dx: usize, accumulate: bool): void {
  exp2<SoftplusGrad>(n, x, dy, dx, accumulate);
}

class Silu {
  @inline bounded(x: v128): v128 { return atLeast(x); }
  @inline rate(x: v128): v128 { return atMost(x); }
  @inline of(x: v128, power: v128, change: v128): v128 { return f64x2.div(x, decayPlusOne(power, change)); }
}
export function silu(n: i32, x: usize, y: usize): void { exp1<Silu>(n, x, y); }
class SiluGrad {
  @inline bounded(x: v128): v128 { return atMost(atLeast(x)); }
  @inline rate(x: v128): v128 { return x; }
  @inline of(x: v128, power: v128, change: v128, dy: v128): v128 {
    const e = decay(power, change), d = decayPlusOne(power, change);
    return f64x2.div(f64x2.mul(dy, f64x2.add(d, f64x2.mul(x, e))), f64x2.mul(d, d));
  }
}
export function siluGrad(n: i32, x: usize, dy: usize, dx: usize, accumulate: bool): void {
  exp2<SiluGrad>(n, x, dy, dx, accumulate);
}

// @ts-ignore: decorator
@inline
function geluTanh(x: v128): v128 {
  const cube = f64x2.mul(f64x2.mul(f64x2.mul(both(GELU_CUBE), x), x), x);
  return math.tanh(f64x2.mul(both(GELU_RATE), f64x2.add(x, cube)));
}
class Gelu {
  @inline of(x: v128): v128 {
    const v = atLeastLower(x);
    return f64x2.mul(f64x2.mul(both(HALF), v), f64x2.add(both(ONE), geluTanh(v)));
  }
}
export function gelu(n: i32, x: usize, y: usize): void { map1<Gelu>(n, x, y); }
class GeluGrad {
  @inline of(x: v128, dy: v128): v128 {
    const v = within(x);
    const t = geluTanh(v);
    const slope = f64x2.mul(both(GELU_RATE), f64x2.add(both(ONE), f64x2.mul(f64x2.mul(f64x2.mul(both(THREE), both(GELU_CUBE)), v), v)));
    const bend = f64x2.mul(f64x2.mul(f64x2.mul(both(HALF), v), f64x2.sub(both(ONE), f64x2.mul(t, t))), slope);
    return f64x2.mul(dy, f64x2.add(f64x2.mul(both(HALF), f64x2.add(both(ONE), t)), bend));
  }
}
export function geluGrad(n: i32, x: usize, dy: usize, dx: usize, accumulate: bool): void {
  map2<GeluGrad>(n, x, dy, dx, accumulate);
}

class HardSwish {
  @inline of(x: v128): v128 {
    const middle = f64x2.div(f64x2.mul(x, f64x2.add(x, both(THREE))), both(SIX));
    return v128.bitselect(x, v128.andnot(middle, f64x2.le(x, f64x2.neg(both(THREE)))), f64x2.ge(x, both(THREE)));
  }
}
export function hardSwish(n: i32, x: usize, y: usize): void { map1<HardSwish>(n, x, y); }
class HardSwishGrad {
  @inline of(x: v128, dy: v128): v128 {
    const middle = f64x2.div(f64x2.mul(dy, f64x2.add(f64x2.add(x, x), both(THREE))), both(SIX));
    return v128.bitselect(dy, v128.andnot(middle, f64x2.le(x, f64x2.neg(both(THREE)))), f64x2.ge(x, both(THREE)));
  }
}
export function hardSwishGrad(n: i32, x: usize, dy: usize, dx: usize, accumulate: bool): void {
  map2<HardSwishGrad>(n, x, dy, dx, accumulate);
}

class HardSigmoid {
  @inline of(x: v128): v128 {
    const bounded = f64x2.pmax(f64x2.pmin(x, both(THREE)), f64x2.neg(both(THREE))); // NaN stays NaN
    return f64x2.div(f64x2.add(bounded, both(THREE)), both(SIX));
  }
}
export function hardSigmoid(n: i32, x: usize, y: usize): void { map1<HardSigmoid>(n, x, y); }
class HardSigmoidGrad {
  @inline of(x: v128, dy: v128): v128 { return v128.andnot(f64x2.div(dy, both(SIX)), f64x2.gt(f64x2.abs(x), both(THREE))); }
}
export function hardSigmoidGrad(n: i32, x: usize, dy: usize, dx: usize, accumulate: bool): void {
  map2<HardSigmoidGrad>(n, x, dy, dx, accumulate);
}

class Relu6 {
  @inline of(x: v128): v128 { return f32x4.pmin(f32x4.pmax(x, f32x4.splat(0)), f32x4.splat(6)); } // NaN stays NaN
}
export function relu6(n: i32, x: usize, y: usize): void { each1<Relu6>(n, x, y); }
class Relu6Grad {
  @inline of(x: v128, dy: v128): v128 { return v128.and(dy, v128.and(f32x4.gt(x, f32x4.splat(0)), f32x4.le(x, f32x4.splat(6)))); }
}
export function relu6Grad(n: i32, x: usize, dy: usize, dx: usize, accumulate: bool): void {
  each2<Relu6Grad>(n, x, dy, dx, accumulate);
}

class LeakyRelu {
  @inline of(x: v128): v128 { return v128.bitselect(f64x2.mul(both(P), x), x, f64x2.lt(x, f64x2.splat(0))); }
}
export function leakyRelu(n: i32, x: usize, y: usize, alpha: f64): void {
  args.p = alpha;
  map1<LeakyRelu>(n, x, y);
}
class LeakyReluGrad {
  @inline of(x: v128, dy: v128): v128 { return v128.bitselect(dy, f64x2.mul(both(P), dy), f64x2.gt(x, f64x2.splat(0))); }
}
export function leakyReluGrad(n: i32, x: usize, dy: usize, dx: usize, accumulate: bool, alpha: f64): void {
  args.p = alpha;
  map2<LeakyReluGrad>(n, x, dy, dx, accumulate);
}

class Elu {
  @inline bounded(x: v128): v128 { return x; }
  // NaN stays NaN.
  @inline rate(x: v128): v128 { return atMost(f32x4.pmax(f32x4.sub(f32x4.splat(0), x), f32x4.splat(0))); }
  @inline of(x: v128, power: v128, change: v128): v128 {
    return v128.bitselect(x, f64x2.mul(both(P), decayLessOne(power, change)), f64x2.gt(x, f64x2.splat(0)));
  }
}
export function elu(n: i32, x: usize, y: usize, alpha: f64): void {
  args.p = alpha;
  exp1<Elu>(n, x, y);
}
class EluGrad {
  @inline bounded(x: v128): v128 { return x; }
  @inline rate(x: v128): v128 { return atMost(atLeast(f32x4.sub(f32x4.splat(0), x))); }
  @inline of(x: v128, power: v128, change: v128, dy: v128): v128 {
    return v128.bitselect(dy, f64x2.mul(f64x2.mul(dy, both(P)), decay(power, change)), f64x2.gt(x, f64x2.splat(0)));
  }
}
export function eluGrad(n: i32, x: usize, dy: usize, dx: usize, accumulate: bool, alpha: f64): void {
  args.p = alpha;
  exp2<EluGrad>(n, x, dy, dx, accumulate);
}

class Clip {
  @inline of(x: v128): v128 { return f64x2.pmax(f64x2.pmin(x, both(Q)), both(P)); } // NaN stays NaN
}
export function clip(n: i32, x: usize, y: usize, low: f64, high: f64): void {
  args.p = low;
  args.q = high;
  map1<Clip>(n, x, y);
}
export function clipInPlace(n: i32, x: usize, low: f64, high: f64): void { clip(n, x, x, low, high); }
class ClipGrad {
  @inline of(x: v128, dy: v128): v128 { return v128.andnot(dy, v128.or(f64x2.lt(x, both(P)), f64x2.gt(x, both(Q)))); }
}
export function clipGrad(n: i32, x: usize, dy: usize, dx: usize, accumulate: bool, low: f64, high: f64): void {
  args.p = low;
  args.q = high;
  map2<ClipGrad>(n, x, dy, dx, accumulate);
}

// Functions of several arrays.

class Sub {
  @inline of(a: v128, b: v128): v128 { return f64x2.sub(a, b); }
}
export function sub(n: i32, a: usize, b: usize, y: usize): void { map2<Sub>(n, a, b, y); }

class Maximum {
  @inline of(a: v128, b: v128): v128 { return f64x2.max(a, b); }
}
export function maximum(n: i32, a: usize, b: usize, y: usize): void { map2<Maximum>(n, a, b, y); }

class Minimum {
  @inline of(a: v128, b: v128): v128 { return f64x2.min(a, b); }
}
export function minimum(n: i32, a: usize, b: usize, y: usize): void { map2<Minimum>(n, a, b, y); }

class Div {
  @inline of(a: v128, b: v128): v128 { return f64x2.div(a, b); }
}
export function div(n: i32, a: usize, b: usize, y: usize, accumulate: bool): void { map2<Div>(n, a, b, y, accumulate); }
/** dx (+)= dy/x. */
export function logGrad(n: i32, x: usize, dy: usize, dx: usize, accumulate: bool): void { map2<Div>(n, dy, x, dx, accumulate); }
class DivGradDivisor {
  @inline of(b: v128, y: v128, dy: v128): v128 { return f64x2.div(f64x2.mul(f64x2.neg(dy), y), b); }
}
export function divGradDivisor(n: i32, b: usize, y: usize, dy: usize, db: usize, accumulate: bool): void {
  map3<DivGradDivisor>(n, b, y, dy, db, accumulate);
}

class ChosenGrad {
  @inline of(a: v128, b: v128, y: v128, dy: v128): v128 {
    const taken = v128.and(dy, f64x2.eq(y, a));
    return v128.bitselect(f64x2.mul(both(HALF), dy), taken, f64x2.eq(a, b));
  }
}
export function chosenGrad(n: i32, a: usize, b: usize, y: usize, dy: usize, da: usize, accumulate: bool): void {
  map4<ChosenGrad>(n, a, b, y, dy, da, accumulate);
}

class Where {
  @inline of(condition: v128, a: v128, b: v128): v128 { return v128.bitselect(a, b, f64x2.ne(condition, f64x2.splat(0))); }
}
export function where(n: i32, condition: usize, a: usize, b: usize, y: usize): void { map3<Where>(n, condition, a, b, y); }
class WhereGrad {
  /** P: 1 for the gradient of the numbers chosen if the condition holds, 0 for the gradient of the other numbers. */
  @inline of(condition: v128, dy: v128): v128 {
    const zero = f64x2.splat(0);
    return v128.and(dy, v128.xor(f64x2.ne(condition, zero), f64x2.eq(both(P), zero)));
  }
}
export function whereGrad(n: i32, condition: usize, chosen: bool, dy: usize, dx: usize, accumulate: bool): void {
  args.p = chosen;
  map2<WhereGrad>(n, condition, dy, dx, accumulate);
}
