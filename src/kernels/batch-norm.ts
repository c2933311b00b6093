import { CURVES } from "./activation.ts";
import type { Numbers } from "./memory.ts";

// Batch normalization of x [rows, columns]: each column has statistics of its own. Statistics are in double precision.
// In float32 a large mean would lose its last digits, a variance of 10⁶⁰ would be ∞, and one of 10⁻⁵⁰ would be 0.
//
//     z = (x − mean)·rate       standardized
//     u = z·gamma + beta        scaled and shifted
//     y = activation(u)
//
// `scales` [4, columns] holds mean, rate = 1/√(variance + epsilon), gamma and beta: `columnScales` makes it. Gradients
// compute z and u again: reading stored values from memory would take longer.

/** The rows of `scales`. gamma is 1 and beta 0 if they are left out. */
export function columnScales(
  mean: Float64Array,
  variance: Float64Array,
  epsilon: number,
  gamma: Numbers | undefined,
  beta: Numbers | undefined,
): Float64Array {
  const columns = mean.length;
  const scales = new Float64Array(4 * columns);
  scales.set(mean);
  for (let j = 0; j < columns; j++) scales[columns + j] = 1 / Math.sqrt(variance[j]! + epsilon);
  if (gamma === undefined) scales.fill(1, 2 * columns, 3 * columns);
  else scales.set(gamma, 2 * columns);
  if (beta !== undefined) scales.set(beta, 3 * columns);
  return scales;
}

/** mean and variance (biased: divided by rows) of each column of x, in two passes. */
export function columnMoments(columns: number, x: Numbers, mean: Float64Array, variance: Float64Array): void {
  const rows = x.length / columns;
  const totals = new Float64Array(columns);
  for (let i = 0; i < x.length; i += columns) for (let j = 0; j < columns; j++) totals[j]! += x[i + j]!;
  const means = totals.map((total) => total / rows);
  totals.fill(0);
  for (let i = 0; i < x.length; i += columns) {
    for (let j = 0; j < columns; j++) {
      const d = x[i + j]! - means[j]!;
      totals[j]! += d * d;
    }
  }
  mean.set(means);
  for (let j = 0; j < columns; j++) variance[j] = totals[j]! / rows;
}

/** y = activation(u). */
export function batchNorm(columns: number, activation: number, x: Numbers, scales: Float64Array, y: Numbers): void {
  const { of } = CURVES[activation]!;
  for (let i = 0; i < x.length; i += columns) {
    for (let j = 0; j < columns; j++) {
      const z = (x[i + j]! - scales[j]!) * scales[columns + j]!;
      y[i + j] = of(z * scales[2 * columns + j]! + scales[3 * columns + j]!);
    }
  }
}

/**
 * Computes du, the gradient of u, from dy, the gradient of y, unless `du` is null. Computes `sums` [2, columns]: Σ du,
 * the gradient of beta, and Σ du·z, the gradient of gamma.
 */
export function batchNormSums(
  columns: number,
  activation: number,
  x: Numbers,
  scales: Float64Array,
  dy: Numbers,
  du: Numbers | null,
  sums: Float64Array,
): void {
  const { grad } = CURVES[activation]!;
  sums.fill(0);
  for (let i = 0; i < x.length; i += columns) {
    for (let j = 0; j < columns; j++) {
      const z = (x[i + j]! - scales[j]!) * scales[columns + j]!;
      const d = grad(z * scales[2 * columns + j]! + scales[3 * columns + j]!, dy[i + j]!);
      if (du !== null) du[i + j] = d;
      sums[j]! += d;
      sums[columns + j]! += d * z;
    }
  }
}

/**
 * dx (+)= rate·gamma·(du − mean(du) − z·mean(du·z)), because mean and rate are functions of x. `sums`: those of
 * `batchNormSums`. If `sums` is null, the statistics are constants: dx (+)= rate·gamma·du. du may be dx.
 */
export function batchNormGrad(
  columns: number,
  x: Numbers,
  scales: Float64Array,
  sums: Float64Array | null,
  du: Numbers,
  dx: Numbers,
  accumulate: boolean,
): void {
  const rows = x.length / columns;
  for (let i = 0; i < x.length; i += columns) {
    for (let j = 0; j < columns; j++) {
      const [rate, gamma] = [scales[columns + j]!, scales[2 * columns + j]!];
      const z = (x[i + j]! - scales[j]!) * rate;
      const centered = sums === null ? du[i + j]! : du[i + j]! - sums[j]! / rows - (z * sums[columns + j]!) / rows;
      const d = rate * gamma * centered;
      dx[i + j] = accumulate ? dx[i + j]! + d : d;
    }
  }
}
