import type { Numbers } from "./memory.ts";

// Rows of `classes` numbers. The kernels subtract the maximum of a row first, so no exponential overflows. Sums are in
// double precision.

export function softmax(classes: number, x: Numbers, y: Numbers): void {
  for (let row = 0; row < x.length; row += classes) {
    const [top, total] = exponentials(classes, x, row);
    for (let j = 0; j < classes; j++) y[row + j] = Math.exp(x[row + j]! - top) / total;
  }
}

/** dx (+)= y·(dy − Σ dy·y). */
export function softmaxGrad(classes: number, y: Numbers, dy: Numbers, dx: Numbers, accumulate: boolean): void {
  for (let row = 0; row < y.length; row += classes) {
    let dot = 0;
    for (let j = 0; j < classes; j++) dot += dy[row + j]! * y[row + j]!;
    for (let j = 0; j < classes; j++) {
      const d = y[row + j]! * (dy[row + j]! - dot);
      dx[row + j] = accumulate ? dx[row + j]! + d : d;
    }
  }
}

export function logSoftmax(classes: number, x: Numbers, y: Numbers): void {
  for (let row = 0; row < x.length; row += classes) {
    const [top, total] = exponentials(classes, x, row);
    const shift = top + Math.log(total);
    for (let j = 0; j < classes; j++) y[row + j] = x[row + j]! - shift;
  }
}

/** dx (+)= dy − eʸ·Σ dy. */
export function logSoftmaxGrad(classes: number, y: Numbers, dy: Numbers, dx: Numbers, accumulate: boolean): void {
  for (let row = 0; row < y.length; row += classes) {
    let total = 0;
    for (let j = 0; j < classes; j++) total += dy[row + j]!;
    for (let j = 0; j < classes; j++) {
      const d = dy[row + j]! - Math.exp(y[row + j]!) * total;
      dx[row + j] = accumulate ? dx[row + j]! + d : d;
    }
  }
}

/**
 * losses [rows] = −Σ target·log softmax(x). The target is smoothing/classes for every class, and 1 − smoothing more for
 * class `labels[row]`.
 */
export function crossEntropy(classes: number, smoothing: number, x: Numbers, labels: Int32Array, losses: Numbers): void {
  for (let r = 0; r < labels.length; r++) {
    const row = r * classes;
    const [top, total] = exponentials(classes, x, row);
    const shift = top + Math.log(total);
    // If smoothing is 1, the product would be 0·∞ = NaN for x = −∞.
    let loss = smoothing < 1 ? (1 - smoothing) * (shift - x[row + labels[r]!]!) : 0;
    if (smoothing > 0) for (let j = 0; j < classes; j++) loss += (smoothing / classes) * (shift - x[row + j]!);
    losses[r] = loss;
  }
}

/** dx (+)= dlosses·(softmax(x) − target). */
export function crossEntropyGrad(
  classes: number,
  smoothing: number,
  x: Numbers,
  labels: Int32Array,
  dlosses: Numbers,
  dx: Numbers,
  accumulate: boolean,
): void {
  for (let r = 0; r < labels.length; r++) {
    const row = r * classes;
    const [top, total] = exponentials(classes, x, row);
    for (let j = 0; j < classes; j++) {
      const target = smoothing / classes + (j === labels[r] ? 1 - smoothing : 0);
      const d = dlosses[r]! * (Math.exp(x[row + j]! - top) / total - target);
      dx[row + j] = accumulate ? dx[row + j]! + d : d;
    }
  }
}

/** The largest number of a row, and Σ e^(x − largest). If all numbers of the row are −∞, the sum is NaN. */
function exponentials(classes: number, x: Numbers, row: number): [number, number] {
  let top = Number.NEGATIVE_INFINITY;
  for (let j = 0; j < classes; j++) top = Math.max(top, x[row + j]!);
  let total = 0;
  for (let j = 0; j < classes; j++) total += Math.exp(x[row + j]! - top);
  return [top, total];
}
