// Number by number, as activations.ts, elementwise.ts and pairwise.ts: in double precision, rounded once.

import { atLeastLower, both, exp, GELU_CUBE, GELU_RATE, HALF, log, log1p, logistic, ONE, SIGN, SIX, tanh, THREE, within } from "./math";
import { read, write } from "./pairs";
import { argument, cut, numberArgument, partsFor, run, setArgument, setNumberArgument } from "./threads";

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

/** y (+)= the function `op` of n numbers of up to four arrays and of two numbers. */
export function map(op: i32, n: i32, a: usize, b: usize, c: usize, d: usize, y: usize, accumulate: bool, p: f64, q: f64): void {
  setArgument(0, op);
  setArgument(1, n);
  setArgument(2, <i32>a);
  setArgument(3, <i32>b);
  setArgument(4, <i32>c);
  setArgument(5, <i32>d);
  setArgument(6, <i32>y);
  setArgument(7, accumulate);
  setNumberArgument(8, p);
  setNumberArgument(9, q);
  run(mapPart, partsFor(n, PART, MOST_PARTS), 0, 0);
}

// @ts-ignore: decorator
@inline
function geluTanh(x: v128): v128 {
  const cube = f64x2.mul(f64x2.mul(f64x2.mul(both(GELU_CUBE), x), x), x);
  return tanh(f64x2.mul(both(GELU_RATE), f64x2.add(x, cube)));
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
  if (idof<T>() == idof<Exp>()) return exp(x);
  if (idof<T>() == idof<Log>()) return log(x);
  if (idof<T>() == idof<Sqrt>()) return f64x2.sqrt(x);
  if (idof<T>() == idof<Square>()) return f64x2.mul(x, x);
  if (idof<T>() == idof<Reciprocal>()) return f64x2.div(both(ONE), x);
  if (idof<T>() == idof<Clip>()) return f64x2.pmax(f64x2.pmin(x, q), p); // NaN stays NaN
  if (idof<T>() == idof<LeakyRelu>()) return v128.bitselect(f64x2.mul(p, x), x, f64x2.lt(x, zero));
  if (idof<T>() == idof<Tanh>()) return tanh(x);
  if (idof<T>() == idof<Sigmoid>()) return logistic(x);
  if (idof<T>() == idof<Silu>()) return f64x2.mul(atLeastLower(x), logistic(x));
  if (idof<T>() == idof<Softplus>()) return f64x2.add(f64x2.max(x, zero), log1p(exp(f64x2.neg(f64x2.abs(x)))));
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

function mapPart(part: i32, parts: i32, _work: usize): void {
  const at: usize = 4 * <usize>cut(argument(1), part, parts, 16);
  const end: usize = 4 * <usize>cut(argument(1), part + 1, parts, 16);
  const a = <usize>argument(2), b = <usize>argument(3), c = <usize>argument(4), d = <usize>argument(5), y = <usize>argument(6);
  const add = argument(7) != 0;
  const p = f64x2.splat(numberArgument(8)), q = f64x2.splat(numberArgument(9));
  switch (argument(0)) {
    case 0: return each<Abs>(at, end, a, b, c, d, y, add, p, q);
    case 1: return each<AbsGrad>(at, end, a, b, c, d, y, add, p, q);
    case 2: return each<AddNumber>(at, end, a, b, c, d, y, add, p, q);
    case 3: return each<ChosenGrad>(at, end, a, b, c, d, y, add, p, q);
    case 4: return each<Clip>(at, end, a, b, c, d, y, add, p, q);
    case 5: return each<ClipGrad>(at, end, a, b, c, d, y, add, p, q);
    case 6: return each<Div>(at, end, a, b, c, d, y, add, p, q);
    case 7: return each<DivGradDivisor>(at, end, a, b, c, d, y, add, p, q);
    case 8: return each<Exp>(at, end, a, b, c, d, y, add, p, q);
    case 9: return each<Gelu>(at, end, a, b, c, d, y, add, p, q);
    case 10: return each<GeluGrad>(at, end, a, b, c, d, y, add, p, q);
    case 11: return each<HardSwish>(at, end, a, b, c, d, y, add, p, q);
    case 12: return each<HardSwishGrad>(at, end, a, b, c, d, y, add, p, q);
    case 13: return each<LeakyRelu>(at, end, a, b, c, d, y, add, p, q);
    case 14: return each<LeakyReluGrad>(at, end, a, b, c, d, y, add, p, q);
    case 15: return each<Log>(at, end, a, b, c, d, y, add, p, q);
    case 16: return each<Maximum>(at, end, a, b, c, d, y, add, p, q);
    case 17: return each<Minimum>(at, end, a, b, c, d, y, add, p, q);
    case 18: return each<Reciprocal>(at, end, a, b, c, d, y, add, p, q);
    case 19: return each<ReciprocalGrad>(at, end, a, b, c, d, y, add, p, q);
    case 20: return each<Sigmoid>(at, end, a, b, c, d, y, add, p, q);
    case 21: return each<SigmoidGrad>(at, end, a, b, c, d, y, add, p, q);
    case 22: return each<Sign>(at, end, a, b, c, d, y, add, p, q);
    case 23: return each<Silu>(at, end, a, b, c, d, y, add, p, q);
    case 24: return each<SiluGrad>(at, end, a, b, c, d, y, add, p, q);
    case 25: return each<Softplus>(at, end, a, b, c, d, y, add, p, q);
    case 26: return each<SoftplusGrad>(at, end, a, b, c, d, y, add, p, q);
    case 27: return each<Sqrt>(at, end, a, b, c, d, y, add, p, q);
    case 28: return each<SqrtGrad>(at, end, a, b, c, d, y, add, p, q);
    case 29: return each<Square>(at, end, a, b, c, d, y, add, p, q);
    case 30: return each<SquareGrad>(at, end, a, b, c, d, y, add, p, q);
    case 31: return each<Sub>(at, end, a, b, c, d, y, add, p, q);
    case 32: return each<Tanh>(at, end, a, b, c, d, y, add, p, q);
    case 33: return each<TanhGrad>(at, end, a, b, c, d, y, add, p, q);
    case 34: return each<Where>(at, end, a, b, c, d, y, add, p, q);
    case 35: return each<WhereGrad>(at, end, a, b, c, d, y, add, p, q);
  }
}

// @ts-ignore: decorator
@inline
function each<T>(at: usize, end: usize, a: usize, b: usize, c: usize, d: usize, y: usize, add: bool, p: v128, q: v128): void {
  for (; at < end; at += 8) write(y + at, value<T>(a + at, b + at, c + at, d + at, p, q), end - at, add);
}
