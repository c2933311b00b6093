// The update of one parameter by an optimizer: one pass over the parameter p, its gradient g and its state (s, v).
//
// - Vectors: two numbers, computed in float64 and rounded when stored. Parts: ranges that begin at multiples of 16
//   numbers (a cache line). No work memory.
// - One loop, compiled once for each optimizer with the branches of the others left out.
//
// Sources: Kingma and Ba 2015 (Adam); Tieleman and Hinton 2012 (RMSProp); Sutskever et al. 2013 (momentum, Nesterov).

import { read, write } from "./pairs";
import { ARGUMENTS, cut, partsFor, run } from "./threads";

/** A part has at least this number of elements. */
const PART: i32 = 1 << 14;
const MOST_PARTS: i32 = 64;

class Sgd {}
class Adam {}
class Rmsprop {}

/** The arguments of the parts: n numbers of p, g, s and v, and the numbers that they share. */
@unmanaged
class Arguments {
  n: i32;
  /** True if sgd uses Nesterov momentum. */
  ahead: bool;
  p: usize;
  g: usize;
  s: usize;
  v: usize;
  rate: f64;
  decay: f64;
  momentum: f64;
  epsilon: f64;
  correction: f64;
}
const args = changetype<Arguments>(ARGUMENTS);

/** Runs the update T. */
function update<T>(n: i32, p: usize, g: usize, s: usize, v: usize): void {
  args.n = n;
  args.p = p;
  args.g = g;
  args.s = s;
  args.v = v;
  run((part: i32, parts: i32, _work: usize): void => updatePart<T>(part, parts), partsFor(n, PART, MOST_PARTS), 0, 0);
}

/** The update T of some numbers. */
function updatePart<T>(part: i32, parts: i32): void {
  const begin: usize = 4 * <usize>cut(args.n, part, parts, 16), end: usize = 4 * <usize>cut(args.n, part + 1, parts, 16);
  const ps = args.p, gs = args.g, ss = args.s, vs = args.v;
  const rate = f64x2.splat(args.rate), decay = f64x2.splat(args.decay), slow = f64x2.splat(1 - args.decay);
  const momentum = f64x2.splat(args.momentum), fresh = f64x2.splat(1 - args.momentum);
  const epsilon = f64x2.splat(args.epsilon), correction = f64x2.splat(args.correction), ahead = args.ahead;
  for (let at = begin; at < end; at += 8) {
    const p = ps + at, s = ss + at, v = vs + at, left = end - at;
    const g = read(gs + at);
    let step: v128;
    if (idof<T>() == idof<Sgd>()) {
      const speed = f64x2.add(f64x2.mul(momentum, read(v)), g);
      write(v, speed, left, false);
      step = ahead ? f64x2.add(g, f64x2.mul(momentum, speed)) : speed;
    } else {
      const meanSquare = f64x2.add(f64x2.mul(decay, read(s)), f64x2.mul(f64x2.mul(slow, g), g));
      write(s, meanSquare, left, false);
      if (idof<T>() == idof<Adam>()) {
        const mean = f64x2.add(f64x2.mul(momentum, read(v)), f64x2.mul(fresh, g));
        write(v, mean, left, false);
        step = f64x2.div(mean, f64x2.add(f64x2.sqrt(f64x2.mul(meanSquare, correction)), epsilon));
      } else {
        const speed = f64x2.add(f64x2.mul(momentum, read(v)), f64x2.div(g, f64x2.add(f64x2.sqrt(meanSquare), epsilon)));
        write(v, speed, left, false);
        step = speed;
      }
    }
    write(p, f64x2.sub(read(p), f64x2.mul(rate, step)), left, false);
  }
}

/** p −= rate·v with v = momentum·v + g, or with Nesterov's look-ahead p −= rate·(g + momentum·v). */
export function sgdMomentum(n: i32, p: usize, g: usize, v: usize, rate: f64, momentum: f64, nesterov: bool): void {
  args.rate = rate;
  args.momentum = momentum;
  args.ahead = nesterov;
  update<Sgd>(n, p, g, 0, v);
}

/** v = β₂·v + (1 − β₂)·g², m = β₁·m + (1 − β₁)·g, p −= rate·(m / first) / (√(v / second) + ε). */
export function adam(
  n: i32, p: usize, g: usize, m: usize, v: usize, rate: f64, beta1: f64, beta2: f64, epsilon: f64, first: f64, second: f64,
): void {
  args.rate = rate / first;
  args.decay = beta2;
  args.momentum = beta1;
  args.epsilon = epsilon;
  args.correction = 1 / second;
  update<Adam>(n, p, g, v, m);
}

/** s = ρ·s + (1 − ρ)·g², v = momentum·v + g / (√s + ε), p −= rate·v. */
export function rmsprop(
  n: i32, p: usize, g: usize, s: usize, v: usize, rate: f64, rho: f64, momentum: f64, epsilon: f64,
): void {
  args.rate = rate;
  args.decay = rho;
  args.momentum = momentum;
  args.epsilon = epsilon;
  update<Rmsprop>(n, p, g, s, v);
}
