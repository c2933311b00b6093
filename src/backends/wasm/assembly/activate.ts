// Activations that kernels apply to four float32 numbers before they store them, each beside its gradient towards u. The numbers of the
// activations are their positions in ACTIVATIONS (kernels/batch-norm.ts).
//
// The bodies are classes, so that the compiler makes a loop for each activation.

import { logistic, ONE, both, within, atLeastLower } from "./math";

export const NONE: i32 = 0;
export const RELU: i32 = 1;
export const RELU6: i32 = 2;
export const HARD_SWISH: i32 = 3;
export const SILU: i32 = 4;

export class None {
  @inline of(u: v128): v128 { return u; }
  @inline grad(_u: v128, dy: v128): v128 { return dy; }
}

export class Relu {
  @inline of(u: v128): v128 { return f32x4.pmax(u, f32x4.splat(0)); } // NaN stays NaN
  @inline grad(u: v128, dy: v128): v128 { return v128.and(dy, f32x4.gt(u, f32x4.splat(0))); }
}

export class Relu6 {
  @inline of(u: v128): v128 { return f32x4.pmin(f32x4.pmax(u, f32x4.splat(0)), f32x4.splat(6)); }
  @inline grad(u: v128, dy: v128): v128 { return v128.and(dy, v128.and(f32x4.gt(u, f32x4.splat(0)), f32x4.le(u, f32x4.splat(6)))); }
}

export class HardSwish {
  @inline of(u: v128): v128 {
    const three = f32x4.splat(3);
    const middle = f32x4.mul(f32x4.mul(u, f32x4.add(u, three)), f32x4.splat(1 / 6));
    return v128.bitselect(u, v128.andnot(middle, f32x4.le(u, f32x4.splat(-3))), f32x4.ge(u, three));
  }
  @inline grad(u: v128, dy: v128): v128 {
    const three = f32x4.splat(3);
    const middle = f32x4.mul(dy, f32x4.mul(f32x4.add(f32x4.add(u, u), three), f32x4.splat(1 / 6)));
    return v128.bitselect(dy, v128.andnot(middle, f32x4.le(u, f32x4.splat(-3))), f32x4.ge(u, three));
  }
}

// @ts-ignore: decorator
@inline
function upper(x: v128): v128 {
  return f64x2.promote_low_f32x4(v128.shuffle<f32>(x, x, 2, 3, 2, 3));
}

// @ts-ignore: decorator
@inline
function demoted(low: v128, high: v128): v128 {
  return v128.shuffle<f32>(f32x4.demote_f64x2_zero(low), f32x4.demote_f64x2_zero(high), 0, 1, 4, 5);
}

export class Silu {
  @inline pair(u: v128): v128 { return f64x2.mul(atLeastLower(u), logistic(u)); }
  @inline of(u: v128): v128 { return demoted(this.pair(f64x2.promote_low_f32x4(u)), this.pair(upper(u))); }
  @inline slope(u: v128): v128 {
    const s = logistic(u);
    return f64x2.mul(s, f64x2.add(both(ONE), f64x2.mul(within(u), f64x2.sub(both(ONE), s))));
  }
  @inline grad(u: v128, dy: v128): v128 {
    return f32x4.mul(dy, demoted(this.slope(f64x2.promote_low_f32x4(u)), this.slope(upper(u))));
  }
}
