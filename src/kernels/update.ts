import type { Numbers } from "./memory.ts";

// Optimizers: one pass over a parameter p, its gradient g and its state. rate: the learning rate of this step.

/** v = momentum·v + g; p −= rate·v, or with Nesterov's look-ahead p −= rate·(g + momentum·v). */
export function sgdMomentum(p: Numbers, g: Numbers, v: Numbers, rate: number, momentum: number, nesterov: boolean): void {
  for (let i = 0; i < p.length; i++) {
    const speed = momentum * v[i]! + g[i]!;
    v[i] = speed;
    p[i] = p[i]! - rate * (nesterov ? g[i]! + momentum * speed : speed);
  }
}

/**
 * Adam (Kingma and Ba 2015, algorithm 1): p −= rate·(m/first)/(√(v/second) + epsilon). m and v are running means of g
 * and g². `first` = 1 − β₁ᵗ and `second` = 1 − β₂ᵗ remove their bias towards zero.
 */
export function adam(
  p: Numbers,
  g: Numbers,
  m: Numbers,
  v: Numbers,
  rate: number,
  beta1: number,
  beta2: number,
  epsilon: number,
  first: number,
  second: number,
): void {
  const [share, unbiased] = [rate / first, 1 / second]; // divided once
  for (let i = 0; i < p.length; i++) {
    const mean = beta1 * m[i]! + (1 - beta1) * g[i]!;
    const meanSquare = beta2 * v[i]! + (1 - beta2) * g[i]! * g[i]!;
    m[i] = mean;
    v[i] = meanSquare;
    p[i] = p[i]! - (share * mean) / (Math.sqrt(meanSquare * unbiased) + epsilon);
  }
}

/** RMSprop (Hinton): s = ρ·s + (1 − ρ)·g²; v = momentum·v + g/(√s + epsilon); p −= rate·v. */
export function rmsprop(
  p: Numbers,
  g: Numbers,
  s: Numbers,
  v: Numbers,
  rate: number,
  rho: number,
  momentum: number,
  epsilon: number,
): void {
  for (let i = 0; i < p.length; i++) {
    const meanSquare = rho * s[i]! + (1 - rho) * g[i]! * g[i]!;
    const speed = momentum * v[i]! + g[i]! / (Math.sqrt(meanSquare) + epsilon);
    s[i] = meanSquare;
    v[i] = speed;
    p[i] = p[i]! - rate * speed;
  }
}

/** Σ x², in double precision. */
export function sumOfSquares(x: Numbers): number {
  let total = 0;
  for (let i = 0; i < x.length; i++) total += x[i]! * x[i]!;
  return total;
}

/** x = x between low and high; NaN stays NaN. */
export function clipInPlace(x: Numbers, low: number, high: number): void {
  for (let i = 0; i < x.length; i++)
    if (x[i]! < low) x[i] = low;
    else if (x[i]! > high) x[i] = high;
}
