import type { Numbers } from "./memory.ts";

// Elementwise functions that few programs use. Those that reference.ts exports have a fast version. Bundlers drop all
// others if a program does not use them. Each function sits next to its gradient. x: input, y: output, dy: ∂loss/∂y,
// dx: ∂loss/∂x. If `accumulate` is true, a gradient adds to dx; otherwise it overwrites dx.

export function sin(x: Numbers, y: Numbers): void {
  for (let i = 0; i < x.length; i++) y[i] = Math.sin(x[i]!);
}

export function sinGrad(x: Numbers, dy: Numbers, dx: Numbers, accumulate: boolean): void {
  for (let i = 0; i < x.length; i++) {
    const d = dy[i]! * Math.cos(x[i]!);
    dx[i] = accumulate ? dx[i]! + d : d;
  }
}

export function cos(x: Numbers, y: Numbers): void {
  for (let i = 0; i < x.length; i++) y[i] = Math.cos(x[i]!);
}

export function cosGrad(x: Numbers, dy: Numbers, dx: Numbers, accumulate: boolean): void {
  for (let i = 0; i < x.length; i++) {
    const d = -dy[i]! * Math.sin(x[i]!);
    dx[i] = accumulate ? dx[i]! + d : d;
  }
}

/**
 * erf(x) = 2/√π · e^(−x²) · Σₙ 2ⁿ·x²ⁿ⁺¹/(1·3·…·(2n + 1)) (Abramowitz and Stegun, 7.1.6). No term is negative for x > 0,
 * so nothing cancels: the relative error is below 2e-15. From 6 on erf rounds to 1.
 */
export function errorFunction(x: number): number {
  if (Math.abs(x) >= 6) return Math.sign(x);
  let [term, total] = [x, x];
  for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(total); n++) {
    term *= (x * x) / (n + 0.5);
    total += term;
  }
  return SLOPE * Math.exp(-x * x) * total;
}

/** 2/√π, the slope of erf at 0. */
const SLOPE = 1.1283791670955126;

export function erf(x: Numbers, y: Numbers): void {
  for (let i = 0; i < x.length; i++) y[i] = errorFunction(x[i]!);
}

export function erfGrad(x: Numbers, _y: Numbers, dy: Numbers, dx: Numbers, accumulate: boolean): void {
  for (let i = 0; i < x.length; i++) {
    const d = dy[i]! * SLOPE * Math.exp(-x[i]! * x[i]!);
    dx[i] = accumulate ? dx[i]! + d : d;
  }
}

/**
 * Beyond ±FAR, Φ and tanh are constant. Products with x are computed at ±FAR, because 0·∞ would be NaN.
 */
const FAR = 1e4;
const near = (x: number): number => Math.max(-FAR, Math.min(FAR, x));

/** Φ(x), the probability that a standard normal number is below x. */
const normalBelow = (x: number): number => 0.5 * (1 + errorFunction(x * Math.SQRT1_2));

/** x·Φ(x) */
export function exactGelu(x: Numbers, y: Numbers): void {
  for (let i = 0; i < x.length; i++) y[i] = Math.max(-FAR, x[i]!) * normalBelow(x[i]!);
}

export function exactGeluGrad(x: Numbers, dy: Numbers, dx: Numbers, accumulate: boolean): void {
  for (let i = 0; i < x.length; i++) {
    const v = near(x[i]!);
    const density = Math.SQRT1_2 * 0.5 * SLOPE * Math.exp(-0.5 * v * v); // 1/√(2π) · e^(−v²/2)
    const d = dy[i]! * (normalBelow(v) + v * density);
    dx[i] = accumulate ? dx[i]! + d : d;
  }
}

/** x if x is positive, else alpha·(eˣ − 1). */
export function elu(x: Numbers, y: Numbers, alpha: number): void {
  for (let i = 0; i < x.length; i++) y[i] = x[i]! > 0 ? x[i]! : alpha * Math.expm1(x[i]!);
}

export function eluGrad(x: Numbers, dy: Numbers, dx: Numbers, accumulate: boolean, alpha: number): void {
  for (let i = 0; i < x.length; i++) {
    const d = x[i]! > 0 ? dy[i]! : dy[i]! * alpha * Math.exp(x[i]!); // slope alpha at 0
    dx[i] = accumulate ? dx[i]! + d : d;
  }
}

const tanhOfSoftplus = (x: number): number => Math.tanh(Math.log1p(Math.exp(x)));

/** x·tanh(softplus(x)) */
export function mish(x: Numbers, y: Numbers): void {
  for (let i = 0; i < x.length; i++) y[i] = Math.max(-FAR, x[i]!) * tanhOfSoftplus(x[i]!);
}

export function mishGrad(x: Numbers, dy: Numbers, dx: Numbers, accumulate: boolean): void {
  for (let i = 0; i < x.length; i++) {
    const [v, t] = [near(x[i]!), tanhOfSoftplus(x[i]!)];
    const d = dy[i]! * (t + (v * (1 - t * t)) / (1 + Math.exp(-v)));
    dx[i] = accumulate ? dx[i]! + d : d;
  }
}

export function floor(x: Numbers, y: Numbers): void {
  for (let i = 0; i < x.length; i++) y[i] = Math.floor(x[i]!);
}

/** The nearest whole number. If two are equally near, the even number. */
export function round(x: Numbers, y: Numbers): void {
  for (let i = 0; i < x.length; i++) {
    const v = x[i]!;
    const whole = Math.round(v); // the larger number if two are equally near
    y[i] = whole - v === 0.5 && whole % 2 !== 0 ? whole - 1 : whole;
  }
}

/** The gradient of a function that is constant between its jumps. */
export function flatGrad(_x: Numbers, _dy: Numbers, dx: Numbers, accumulate: boolean): void {
  if (!accumulate) dx.fill(0);
}
