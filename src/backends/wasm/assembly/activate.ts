// Activations that kernels apply to four float32 numbers before they store them, each beside its gradient towards u.
// The numbers of the activations are their positions in ACTIVATIONS (kernels/batch-norm.ts).
//
// The bodies are classes, so that the compiler makes a loop for each activation. All arithmetic is float32, so results
// are a few units in the last place off. map.ts has the ops of the same names, which are right to one unit.

import { four, read, write } from "./fours";
import { madd } from "./madd";

export const NONE: i32 = 0;
export const RELU: i32 = 1;
export const RELU6: i32 = 2;
export const HARD_SWISH: i32 = 3;
export const SILU: i32 = 4;

// Constants stand in memory, see math.ts. The polynomial is near-minimax: (eʳ − 1 − r)/r² for |r| ≤ ln 2 / 2, eʳ is
// right to 2⁻²³.
const CONSTANTS: usize = memory.data<f32>([
  1, 3, -3, 6, 1 / 6, 87, -87, -3.4028234663852886e38, 1.4426950408889634, 12582912, 0.6931471805599453,
  0.008312501944601536, 0.04189033433794975, 0.16667115688323975, 0.499992311000824,
]);
const ONE: usize = CONSTANTS;
const THREE: usize = CONSTANTS + 4;
const MINUS_THREE: usize = CONSTANTS + 8;
const SIX: usize = CONSTANTS + 12;
const SIXTH: usize = CONSTANTS + 16;
/** e⁸⁷ and e⁻⁸⁷ are float32 numbers; silu and its slope are flat from there on. */
const MOST: usize = CONSTANTS + 20;
const LEAST: usize = CONSTANTS + 24;
/** The least finite number. */
const LOWEST: usize = CONSTANTS + 28;
const LOG2E: usize = CONSTANTS + 32;
/** 1.5·2²³: adding it rounds to a whole number, which then stands in the low bits. */
const MAGIC: usize = CONSTANTS + 36;
const LN2: usize = CONSTANTS + 40;
const GROWTH: usize = CONSTANTS + 44;

/** e⁻ˣ for x from −87 to 87. NaN stays NaN. The relative error is x·2⁻²⁴, which x·e⁻ˣ makes small. */
// @ts-ignore: decorator
@inline
function decay(x: v128): v128 {
  const t = f32x4.sub(four(MAGIC), f32x4.mul(x, four(LOG2E)));
  const r = f32x4.sub(f32x4.mul(f32x4.sub(four(MAGIC), t), four(LN2)), x); // −x = n·ln 2 + r
  const square = f32x4.mul(r, r);
  const high = madd(four(GROWTH), r, four(GROWTH + 4)), low = madd(four(GROWTH + 8), r, four(GROWTH + 12));
  const p = f32x4.add(madd(madd(high, square, low), square, r), four(ONE));
  return i32x4.add(p, i32x4.shl(t, 23)); // times 2ⁿ
}

export class None {
  @inline of(u: v128): v128 { return u; }
  @inline grad(_u: v128, dy: v128): v128 { return dy; }
}

export class Relu {
  @inline of(u: v128): v128 { return f32x4.pmax(u, f32x4.splat(0)); } // NaN stays NaN
  @inline grad(u: v128, dy: v128): v128 { return v128.and(dy, f32x4.gt(u, f32x4.splat(0))); }
}

export class Relu6 {
  @inline of(u: v128): v128 { return f32x4.pmin(f32x4.pmax(u, f32x4.splat(0)), four(SIX)); } // NaN stays NaN
  @inline grad(u: v128, dy: v128): v128 { return v128.and(dy, v128.and(f32x4.gt(u, f32x4.splat(0)), f32x4.le(u, four(SIX)))); }
}

export class HardSwish {
  @inline of(u: v128): v128 {
    const middle = f32x4.mul(f32x4.mul(u, f32x4.add(u, four(THREE))), four(SIXTH));
    return v128.bitselect(u, v128.andnot(middle, f32x4.le(u, four(MINUS_THREE))), f32x4.ge(u, four(THREE)));
  }
  @inline grad(u: v128, dy: v128): v128 {
    const middle = f32x4.mul(dy, f32x4.mul(f32x4.add(f32x4.add(u, u), four(THREE)), four(SIXTH)));
    return v128.bitselect(dy, v128.andnot(middle, f32x4.le(u, four(MINUS_THREE))), f32x4.ge(u, four(THREE)));
  }
}

export class Silu {
  /** u/(1 + e⁻ᵘ) */
  @inline of(u: v128): v128 {
    const v = f32x4.pmax(u, four(LEAST)); // NaN stays NaN
    return f32x4.div(v, f32x4.add(four(ONE), decay(f32x4.pmin(v, four(MOST)))));
  }
  /** dy·s·(1 + u·e⁻ᵘ·s) with s = 1/(1 + e⁻ᵘ) */
  @inline grad(u: v128, dy: v128): v128 {
    const v = f32x4.pmin(f32x4.pmax(u, four(LEAST)), four(MOST));
    const e = decay(v), share = f32x4.div(four(ONE), f32x4.add(four(ONE), e));
    // 0 at −∞, so that an infinite dy gives NaN, as in the plain kernel.
    const s = v128.andnot(share, f32x4.lt(u, four(LOWEST)));
    return f32x4.mul(f32x4.mul(dy, s), f32x4.add(four(ONE), f32x4.mul(v, f32x4.mul(e, s))));
  }
}

/** y [pixels, channels] = activation(y + bias), in place. `bias` 0: no bias. */
export function finish(activation: i32, pixels: i32, channels: i32, bias: usize, y: usize): void {
  if (activation == NONE && bias == 0) return;
  if (activation == NONE) finishAll<None>(pixels, channels, bias, y);
  else if (activation == RELU) finishAll<Relu>(pixels, channels, bias, y);
  else if (activation == RELU6) finishAll<Relu6>(pixels, channels, bias, y);
  else if (activation == HARD_SWISH) finishAll<HardSwish>(pixels, channels, bias, y);
  else finishAll<Silu>(pixels, channels, bias, y);
}

function finishAll<A>(pixels: i32, channels: i32, bias: usize, y: usize): void {
  for (let i = 0; i < pixels; i++, y += 4 * <usize>channels) {
    for (let c = 0; c < channels; c += 4) {
      const at = y + 4 * <usize>c, left = channels - c;
      let u = read(at, left);
      if (bias != 0) u = f32x4.add(u, read(bias + 4 * <usize>c, left));
      write(at, changetype<A>(0).of(u), left);
    }
  }
}
