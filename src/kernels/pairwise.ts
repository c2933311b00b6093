import type { Numbers } from "./memory.ts";

// Kernels of two arrays of equal length: ops broadcast first. If `accumulate` is true, a kernel adds to its result;
// otherwise it overwrites the result.

export function add(a: Numbers, b: Numbers, y: Numbers): void {
  for (let i = 0; i < y.length; i++) y[i] = a[i]! + b[i]!;
}

export function sub(a: Numbers, b: Numbers, y: Numbers): void {
  for (let i = 0; i < y.length; i++) y[i] = a[i]! - b[i]!;
}

/** y (+)= a·b. The gradients of a product are products too: db = a·dy and da = dy·b. */
export function mul(a: Numbers, b: Numbers, y: Numbers, accumulate: boolean): void {
  for (let i = 0; i < y.length; i++) {
    const d = a[i]! * b[i]!;
    y[i] = accumulate ? y[i]! + d : d;
  }
}

/** y = weight·x, and 0 if the weight is 0, even if x is infinite. A NaN in x stays. */
export function mulUnlessZero(weight: Numbers, x: Numbers, y: Numbers): void {
  for (let i = 0; i < y.length; i++) y[i] = weight[i] === 0 && !Number.isNaN(x[i]!) ? 0 : weight[i]! * x[i]!;
}

/** y (+)= a/b. The gradient of a is such a quotient: da = dy/b. */
export function div(a: Numbers, b: Numbers, y: Numbers, accumulate: boolean): void {
  for (let i = 0; i < y.length; i++) {
    const d = a[i]! / b[i]!;
    y[i] = accumulate ? y[i]! + d : d;
  }
}

/** db (+)= −dy·y/b for y = a/b. */
export function divGradDivisor(b: Numbers, y: Numbers, dy: Numbers, db: Numbers, accumulate: boolean): void {
  for (let i = 0; i < y.length; i++) {
    const d = (-dy[i]! * y[i]!) / b[i]!;
    db[i] = accumulate ? db[i]! + d : d;
  }
}

export function pow(a: Numbers, b: Numbers, y: Numbers): void {
  for (let i = 0; i < y.length; i++) y[i] = a[i]! ** b[i]!;
}

/** da (+)= dy·b·a^(b−1). If the exponent is 0, the slope is 0, also at a = 0. */
export function powGradBase(a: Numbers, b: Numbers, dy: Numbers, da: Numbers, accumulate: boolean): void {
  for (let i = 0; i < dy.length; i++) {
    const d = b[i] === 0 ? 0 : dy[i]! * b[i]! * a[i]! ** (b[i]! - 1);
    da[i] = accumulate ? da[i]! + d : d;
  }
}

/**
 * db (+)= dy·y·ln a. The slope is 0 if the base is 0 and the exponent at least 0, or if the base is infinite and the
 * power 0.
 */
export function powGradExponent(a: Numbers, b: Numbers, y: Numbers, dy: Numbers, db: Numbers, accumulate: boolean): void {
  for (let i = 0; i < dy.length; i++) {
    const flat = (a[i] === 0 && b[i]! >= 0) || (a[i] === Number.POSITIVE_INFINITY && y[i] === 0);
    const d = flat ? 0 : dy[i]! * y[i]! * Math.log(a[i]!);
    db[i] = accumulate ? db[i]! + d : d;
  }
}

export function maximum(a: Numbers, b: Numbers, y: Numbers): void {
  for (let i = 0; i < y.length; i++) y[i] = Math.max(a[i]!, b[i]!); // NaN wins
}

export function minimum(a: Numbers, b: Numbers, y: Numbers): void {
  for (let i = 0; i < y.length; i++) y[i] = Math.min(a[i]!, b[i]!);
}

/**
 * The gradient of a of y = maximum(a, b) or minimum(a, b): da (+)= dy if y = a, half of dy if a = b (as PyTorch and
 * JAX), else 0. For the gradient of b, exchange a and b.
 */
export function chosenGrad(a: Numbers, b: Numbers, y: Numbers, dy: Numbers, da: Numbers, accumulate: boolean): void {
  for (let i = 0; i < y.length; i++) {
    const d = a[i] === b[i] ? 0.5 * dy[i]! : y[i] === a[i] ? dy[i]! : 0;
    da[i] = accumulate ? da[i]! + d : d;
  }
}

/** y = a if condition ≠ 0, else b. */
export function where(condition: Numbers, a: Numbers, b: Numbers, y: Numbers): void {
  for (let i = 0; i < y.length; i++) y[i] = condition[i] !== 0 ? a[i]! : b[i]!;
}

/** dx (+)= dy if (condition ≠ 0) equals `chosen`, else 0. Gradient of a: `chosen` is true. Gradient of b: false. */
export function whereGrad(condition: Numbers, chosen: boolean, dy: Numbers, dx: Numbers, accumulate: boolean): void {
  for (let i = 0; i < dy.length; i++) {
    const d = (condition[i] !== 0) === chosen ? dy[i]! : 0;
    dx[i] = accumulate ? dx[i]! + d : d;
  }
}

/** y (+)= scale·x. With scale 1 or −1 the gradient of `add` and `sub`. */
export function axpy(scale: number, x: Numbers, y: Numbers, accumulate: boolean): void {
  if (scale === 1 && !accumulate) y.set(x);
  else if (accumulate) for (let i = 0; i < y.length; i++) y[i] = y[i]! + scale * x[i]!;
  else for (let i = 0; i < y.length; i++) y[i] = scale * x[i]!;
}

export function sign(x: Numbers, y: Numbers): void {
  for (let i = 0; i < y.length; i++) y[i] = Math.sign(x[i]!);
}

/** mask = 0 with probability `rate`, else 1/(1 − rate). */
export function dropoutMask(rate: number, draw: () => number, mask: Numbers): void {
  for (let i = 0; i < mask.length; i++) mask[i] = draw() < rate ? 0 : 1 / (1 - rate);
}
