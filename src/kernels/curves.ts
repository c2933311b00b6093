// Activations of one number x. Next to each is its gradient: dx from x and dy, the gradient of the result.

/** NaN stays NaN. */
export const relu = (x: number): number => (x < 0 ? 0 : x);
/** Slope 0 at 0. */
export const reluGrad = (x: number, dy: number): number => (x > 0 ? dy : 0);

/** max(0, min(x, 6)). NaN stays NaN. */
export const relu6 = (x: number): number => (x < 0 ? 0 : x > 6 ? 6 : x);
/** Slope 0 at 0 and 1 at 6. */
export const relu6Grad = (x: number, dy: number): number => (x > 0 && x <= 6 ? dy : 0);

/** x · relu6(x + 3) / 6 (Howard et al. 2019). */
export const hardSwish = (x: number): number => (x <= -3 ? 0 : x >= 3 ? x : (x * (x + 3)) / 6);
export const hardSwishGrad = (x: number, dy: number): number => (x <= -3 ? 0 : x >= 3 ? dy : (dy * (2 * x + 3)) / 6);

/** 1 / (1 + e⁻ˣ). e⁻ˣ may overflow to infinity in double precision; the quotient is then 0, as it should be. */
export const logistic = (x: number): number => 1 / (1 + Math.exp(-x));

/**
 * Beyond ±FAR, sigmoid and tanh are constant. Products with x are computed at ±FAR, because 0·∞ would be NaN.
 */
export const FAR = 1e4;
export const atMost = (x: number): number => Math.max(-FAR, Math.min(FAR, x));

export const silu = (x: number): number => Math.max(-FAR, x) * logistic(x);
export const siluGrad = (x: number, dy: number): number => {
  const s = logistic(x);
  return dy * s * (1 + atMost(x) * (1 - s));
};
