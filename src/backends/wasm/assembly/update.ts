// One pass over a parameter p, its gradient g and its state, as kernels/update.ts: in double precision.

import { read, write } from "./pairs";
import { argument, cut, numberArgument, Part, partsFor, run, setArgument, setNumberArgument } from "./threads";

/** Numbers worth a part. */
const PART: i32 = 1 << 14;
const MOST_PARTS: i32 = 64;

class Sgd {}
class Adam {}
class Rmsprop {}

function update(job: Part, n: i32, p: usize, g: usize, s: usize, v: usize): void {
  setArgument(0, n);
  setArgument(1, <i32>p);
  setArgument(2, <i32>g);
  setArgument(3, <i32>s);
  setArgument(4, <i32>v);
  run(job, partsFor(n, PART, MOST_PARTS), 0, 0);
}

// @ts-ignore: decorator
@inline
function both(i: i32): v128 {
  return f64x2.splat(numberArgument(8 + i));
}

function sgdPart(part: i32, parts: i32, _work: usize): void {
  updatePart<Sgd>(part, parts);
}

function adamPart(part: i32, parts: i32, _work: usize): void {
  updatePart<Adam>(part, parts);
}

function rmspropPart(part: i32, parts: i32, _work: usize): void {
  updatePart<Rmsprop>(part, parts);
}

function updatePart<T>(part: i32, parts: i32): void {
  const begin: usize = 4 * <usize>cut(argument(0), part, parts, 16), end: usize = 4 * <usize>cut(argument(0), part + 1, parts, 16);
  const ps = <usize>argument(1), gs = <usize>argument(2), ss = <usize>argument(3), vs = <usize>argument(4);
  const rate = both(0), decay = both(1), momentum = both(2), fresh = both(3), epsilon = both(4), correction = both(5), slow = both(6);
  for (let at = begin; at < end; at += 8) {
    const p = ps + at, s = ss + at, v = vs + at, left = end - at;
    const g = read(gs + at);
    let step: v128;
    if (idof<T>() == idof<Sgd>()) {
      const speed = f64x2.add(f64x2.mul(momentum, read(v)), g);
      write(v, speed, left, false);
      step = v128.bitselect(f64x2.add(g, f64x2.mul(momentum, speed)), speed, f64x2.ne(decay, f64x2.splat(0))); // decay: Nesterov's look-ahead
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
  setNumberArgument(8, rate);
  setNumberArgument(9, nesterov ? 1 : 0);
  setNumberArgument(10, momentum);
  update(sgdPart, n, p, g, 0, v);
}

export function adam(
  n: i32, p: usize, g: usize, m: usize, v: usize, rate: f64, beta1: f64, beta2: f64, epsilon: f64, first: f64, second: f64,
): void {
  setNumberArgument(8, rate / first);
  setNumberArgument(9, beta2);
  setNumberArgument(10, beta1);
  setNumberArgument(11, 1 - beta1);
  setNumberArgument(12, epsilon);
  setNumberArgument(13, 1 / second);
  setNumberArgument(14, 1 - beta2);
  update(adamPart, n, p, g, v, m);
}

export function rmsprop(
  n: i32, p: usize, g: usize, s: usize, v: usize, rate: f64, rho: f64, momentum: f64, epsilon: f64,
): void {
  setNumberArgument(8, rate);
  setNumberArgument(9, rho);
  setNumberArgument(10, momentum);
  setNumberArgument(12, epsilon);
  setNumberArgument(14, 1 - rho);
  update(rmspropPart, n, p, g, s, v);
}
