// Number by number, as activations.ts, elementwise.ts and pairwise.ts: in double precision, rounded once.

import { atLeastLower, both, GELU_CUBE, GELU_RATE, HALF, log1p, logistic, ONE, SIGN, SIX, THREE, within } from "./math";
import * as math from "./math";
import { read, write } from "./pairs";
import { ARGUMENTS, cut, partsFor, run } from "./threads";

/** Numbers worth a part. */
const PART: i32 = 1 << 14;
const MOST_PARTS: i32 = 64;

// A class for each function, so that the compiler makes a loop for each.
class Abs {} class AbsGrad {} class AddNumber {} class ChosenGrad {} class Clip {} class ClipGrad {} class Div {}
class DivGradDivisor {} class Exp {} class Gelu {} class GeluGrad {} class HardSwish {} class HardSwishGrad {} class LeakyRelu {}
class LeakyReluGrad {} class Log {} class Maximum {} class Minimum {} class Reciprocal {} class ReciprocalGrad {}
class Sigmoid {} class SigmoidGrad {} class Sign {} class Silu {} class SiluGrad {} class Softplus {} class SoftplusGrad {}
class Sqrt {} class SqrtGrad {} class Square {} class SquareGrad {} class Sub {} class Tanh {} class TanhGrad {} class Where {}
class WhereGrad {}

/** n numbers of up to four arrays, two numbers that all share, and where the results go. */
@unmanaged
class Arguments {
  n: i32;
  accumulate: bool;
  a: usize;
  b: usize;
  c: usize;
  d: usize;
  y: usize;
  p: f64;
  q: f64;
}
const args = changetype<Arguments>(ARGUMENTS);

/** y (+)= the function T of n numbers of up to four arrays and of two numbers. */
function each<T>(n: i32, a: usize, b: usize, c: usize, d: usize, y: usize, accumulate: bool, p: f64 = 0, q: f64 = 0): void {
  args.n = n;
  args.accumulate = accumulate;
  args.a = a;
  args.b = b;
  args.c = c;
  args.d = d;
  args.y = y;
  args.p = p;
  args.q = q;
  run((part: i32, parts: i32, _work: usize): void => eachPart<T>(part, parts), partsFor(n, PART, MOST_PARTS), 0, 0);
}

function unary<T>(n: i32, x: usize, y: usize): void {
  each<T>(n, x, 0, 0, 0, y, false);
}

/** x: the input or the output of the function, whichever its gradient is computed from. */
function gradient<T>(n: i32, x: usize, dy: usize, dx: usize, accumulate: bool): void {
  each<T>(n, x, dy, 0, 0, dx, accumulate);
}

function binary<T>(n: i32, a: usize, b: usize, y: usize, accumulate: bool = false): void {
  each<T>(n, a, b, 0, 0, y, accumulate);
}

// @ts-ignore: decorator
@inline
function geluTanh(x: v128): v128 {
  const cube = f64x2.mul(f64x2.mul(f64x2.mul(both(GELU_CUBE), x), x), x);
  return math.tanh(f64x2.mul(both(GELU_RATE), f64x2.add(x, cube)));
}

/** Two results from the numbers at a, b, c and d; all but one branch are gone when this is compiled. */
// @ts-ignore: decorator
@inline
function value<T>(a: usize, b: usize, c: usize, d: usize, p: v128, q: v128): v128 {
  const zero = f64x2.splat(0);
  // Of two or more arrays.
  if (idof<T>() == idof<Sub>()) return f64x2.sub(read(a), read(b));
  if (idof<T>() == idof<Div>()) return f64x2.div(read(a), read(b));
  if (idof<T>() == idof<Maximum>()) return f64x2.max(read(a), read(b));
  if (idof<T>() == idof<Minimum>()) return f64x2.min(read(a), read(b));
  if (idof<T>() == idof<Where>()) return v128.bitselect(read(b), read(c), f64x2.ne(read(a), zero));
  if (idof<T>() == idof<WhereGrad>()) return v128.and(read(b), v128.xor(f64x2.ne(read(a), zero), f64x2.eq(p, zero))); // p: 1 if chosen, else 0
  if (idof<T>() == idof<DivGradDivisor>()) return f64x2.div(f64x2.mul(f64x2.neg(read(c)), read(b)), read(a));
  if (idof<T>() == idof<ChosenGrad>()) {
    const x = read(a), dy = read(d);
    const taken = v128.and(dy, f64x2.eq(read(c), x));
    return v128.bitselect(f64x2.mul(both(HALF), dy), taken, f64x2.eq(x, read(b)));
  }
  if (idof<T>() == idof<AddNumber>()) return p;
  // Of x alone.
  const x = read(a);
  if (idof<T>() == idof<Abs>()) return f64x2.abs(x);
  if (idof<T>() == idof<Sign>()) {
    const ones = v128.or(both(ONE), v128.and(x, both(SIGN)));
    return v128.bitselect(ones, x, v128.or(f64x2.lt(x, zero), f64x2.gt(x, zero)));
  }
  if (idof<T>() == idof<Exp>()) return math.exp(x);
  if (idof<T>() == idof<Log>()) return math.log(x);
  if (idof<T>() == idof<Sqrt>()) return f64x2.sqrt(x);
  if (idof<T>() == idof<Square>()) return f64x2.mul(x, x);
  if (idof<T>() == idof<Reciprocal>()) return f64x2.div(both(ONE), x);
  if (idof<T>() == idof<Clip>()) return f64x2.pmax(f64x2.pmin(x, q), p); // NaN stays NaN
  if (idof<T>() == idof<LeakyRelu>()) return v128.bitselect(f64x2.mul(p, x), x, f64x2.lt(x, zero));
  if (idof<T>() == idof<Tanh>()) return math.tanh(x);
  if (idof<T>() == idof<Sigmoid>()) return logistic(x);
  if (idof<T>() == idof<Silu>()) return f64x2.mul(atLeastLower(x), logistic(x));
  if (idof<T>() == idof<Softplus>()) return f64x2.add(f64x2.max(x, zero), log1p(math.exp(f64x2.neg(f64x2.abs(x)))));
  if (idof<T>() == idof<Gelu>()) {
    const v = atLeastLower(x);
    return f64x2.mul(f64x2.mul(both(HALF), v), f64x2.add(both(ONE), geluTanh(v)));
  }
  if (idof<T>() == idof<HardSwish>()) {
    const middle = f64x2.div(f64x2.mul(x, f64x2.add(x, both(THREE))), both(SIX));
    return v128.bitselect(x, v128.andnot(middle, f64x2.le(x, f64x2.neg(both(THREE)))), f64x2.ge(x, both(THREE)));
  }
  // Gradients: x is the input or the output, whichever the formula takes.
  const dy = read(b);
  if (idof<T>() == idof<AbsGrad>()) {
    const turned = v128.bitselect(dy, f64x2.neg(dy), f64x2.gt(x, zero));
    return v128.and(turned, v128.or(f64x2.lt(x, zero), f64x2.gt(x, zero)));
  }
  if (idof<T>() == idof<SqrtGrad>()) return f64x2.div(f64x2.mul(both(HALF), dy), x);
  if (idof<T>() == idof<SquareGrad>()) return f64x2.mul(f64x2.add(x, x), dy);
  if (idof<T>() == idof<ReciprocalGrad>()) return f64x2.mul(f64x2.mul(f64x2.neg(dy), x), x);
  if (idof<T>() == idof<ClipGrad>()) return v128.andnot(dy, v128.or(f64x2.lt(x, p), f64x2.gt(x, q)));
  if (idof<T>() == idof<LeakyReluGrad>()) return v128.bitselect(dy, f64x2.mul(p, dy), f64x2.gt(x, zero));
  if (idof<T>() == idof<TanhGrad>()) return f64x2.mul(dy, f64x2.sub(both(ONE), f64x2.mul(x, x)));
  if (idof<T>() == idof<SigmoidGrad>()) return f64x2.mul(f64x2.mul(dy, x), f64x2.sub(both(ONE), x));
  if (idof<T>() == idof<SoftplusGrad>()) return f64x2.mul(dy, logistic(x));
  if (idof<T>() == idof<SiluGrad>()) {
    const s = logistic(x);
    return f64x2.mul(f64x2.mul(dy, s), f64x2.add(both(ONE), f64x2.mul(within(x), f64x2.sub(both(ONE), s))));
  }
  if (idof<T>() == idof<GeluGrad>()) {
    const v = within(x);
    const t = geluTanh(v);
    const slope = f64x2.mul(both(GELU_RATE), f64x2.add(both(ONE), f64x2.mul(f64x2.mul(f64x2.mul(both(THREE), both(GELU_CUBE)), v), v)));
    const bend = f64x2.mul(f64x2.mul(f64x2.mul(both(HALF), v), f64x2.sub(both(ONE), f64x2.mul(t, t))), slope);
    return f64x2.mul(dy, f64x2.add(f64x2.mul(both(HALF), f64x2.add(both(ONE), t)), bend));
  }
  // hardSwishGrad
  const middle = f64x2.div(f64x2.mul(dy, f64x2.add(f64x2.add(x, x), both(THREE))), both(SIX));
  return v128.bitselect(dy, v128.andnot(middle, f64x2.le(x, f64x2.neg(both(THREE)))), f64x2.ge(x, both(THREE)));
}

/** The kernel's loop over a part. */
function eachPart<T>(part: i32, parts: i32): void {
  const end: usize = 4 * <usize>cut(args.n, part + 1, parts, 16);
  const a = args.a, b = args.b, c = args.c, d = args.d, y = args.y, add = args.accumulate;
  const p = f64x2.splat(args.p), q = f64x2.splat(args.q);
  for (let at: usize = 4 * <usize>cut(args.n, part, parts, 16); at < end; at += 8) {
    write(y + at, value<T>(a + at, b + at, c + at, d + at, p, q), end - at, add);
  }
}

// The kernels, named and typed as in the specification. Gradients leave out what they do not read.

export function abs(n: i32, x: usize, y: usize): void { unary<Abs>(n, x, y); }
export function exp(n: i32, x: usize, y: usize): void { unary<Exp>(n, x, y); }
export function gelu(n: i32, x: usize, y: usize): void { unary<Gelu>(n, x, y); }
export function hardSwish(n: i32, x: usize, y: usize): void { unary<HardSwish>(n, x, y); }
export function log(n: i32, x: usize, y: usize): void { unary<Log>(n, x, y); }
export function reciprocal(n: i32, x: usize, y: usize): void { unary<Reciprocal>(n, x, y); }
export function sigmoid(n: i32, x: usize, y: usize): void { unary<Sigmoid>(n, x, y); }
export function sign(n: i32, x: usize, y: usize): void { unary<Sign>(n, x, y); }
export function silu(n: i32, x: usize, y: usize): void { unary<Silu>(n, x, y); }
export function softplus(n: i32, x: usize, y: usize): void { unary<Softplus>(n, x, y); }
export function sqrt(n: i32, x: usize, y: usize): void { unary<Sqrt>(n, x, y); }
export function square(n: i32, x: usize, y: usize): void { unary<Square>(n, x, y); }
export function tanh(n: i32, x: usize, y: usize): void { unary<Tanh>(n, x, y); }

export function absGrad(n: i32, x: usize, dy: usize, dx: usize, accumulate: bool): void { gradient<AbsGrad>(n, x, dy, dx, accumulate); }
export function geluGrad(n: i32, x: usize, dy: usize, dx: usize, accumulate: bool): void { gradient<GeluGrad>(n, x, dy, dx, accumulate); }
export function hardSwishGrad(n: i32, x: usize, dy: usize, dx: usize, accumulate: bool): void { gradient<HardSwishGrad>(n, x, dy, dx, accumulate); }
export function reciprocalGrad(n: i32, y: usize, dy: usize, dx: usize, accumulate: bool): void { gradient<ReciprocalGrad>(n, y, dy, dx, accumulate); }
export function sigmoidGrad(n: i32, y: usize, dy: usize, dx: usize, accumulate: bool): void { gradient<SigmoidGrad>(n, y, dy, dx, accumulate); }
export function siluGrad(n: i32, x: usize, dy: usize, dx: usize, accumulate: bool): void { gradient<SiluGrad>(n, x, dy, dx, accumulate); }
export function softplusGrad(n: i32, x: usize, dy: usize, dx: usize, accumulate: bool): void { gradient<SoftplusGrad>(n, x, dy, dx, accumulate); }
export function sqrtGrad(n: i32, y: usize, dy: usize, dx: usize, accumulate: bool): void { gradient<SqrtGrad>(n, y, dy, dx, accumulate); }
export function squareGrad(n: i32, x: usize, dy: usize, dx: usize, accumulate: bool): void { gradient<SquareGrad>(n, x, dy, dx, accumulate); }
export function tanhGrad(n: i32, y: usize, dy: usize, dx: usize, accumulate: bool): void { gradient<TanhGrad>(n, y, dy, dx, accumulate); }

export function sub(n: i32, a: usize, b: usize, y: usize): void { binary<Sub>(n, a, b, y); }
export function maximum(n: i32, a: usize, b: usize, y: usize): void { binary<Maximum>(n, a, b, y); }
export function minimum(n: i32, a: usize, b: usize, y: usize): void { binary<Minimum>(n, a, b, y); }
export function div(n: i32, a: usize, b: usize, y: usize, accumulate: bool): void { binary<Div>(n, a, b, y, accumulate); }
/** dx (+)= dy/x. */
export function logGrad(n: i32, x: usize, dy: usize, dx: usize, accumulate: bool): void { binary<Div>(n, dy, x, dx, accumulate); }

export function divGradDivisor(n: i32, b: usize, y: usize, dy: usize, db: usize, accumulate: bool): void {
  each<DivGradDivisor>(n, b, y, dy, 0, db, accumulate);
}

export function chosenGrad(n: i32, a: usize, b: usize, y: usize, dy: usize, da: usize, accumulate: bool): void {
  each<ChosenGrad>(n, a, b, y, dy, da, accumulate);
}

export function where(n: i32, condition: usize, a: usize, b: usize, y: usize): void {
  each<Where>(n, condition, a, b, 0, y, false);
}

export function whereGrad(n: i32, condition: usize, chosen: bool, dy: usize, dx: usize, accumulate: bool): void {
  each<WhereGrad>(n, condition, dy, 0, 0, dx, accumulate, chosen);
}

export function addNumber(n: i32, s: f64, y: usize, accumulate: bool): void {
  each<AddNumber>(n, 0, 0, 0, 0, y, accumulate, s);
}

export function leakyRelu(n: i32, x: usize, y: usize, alpha: f64): void {
  each<LeakyRelu>(n, x, 0, 0, 0, y, false, alpha);
}

export function leakyReluGrad(n: i32, x: usize, dy: usize, dx: usize, accumulate: bool, alpha: f64): void {
  each<LeakyReluGrad>(n, x, dy, 0, 0, dx, accumulate, alpha);
}

export function clip(n: i32, x: usize, y: usize, low: f64, high: f64): void {
  each<Clip>(n, x, 0, 0, 0, y, false, low, high);
}

export function clipGrad(n: i32, x: usize, dy: usize, dx: usize, accumulate: bool, low: f64, high: f64): void {
  each<ClipGrad>(n, x, dy, 0, 0, dx, accumulate, low, high);
}

export function clipInPlace(n: i32, x: usize, low: f64, high: f64): void {
  each<Clip>(n, x, 0, 0, 0, x, false, low, high);
}
