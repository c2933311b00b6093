import type { Numbers } from "./memory.ts";

// Normalisation sees x as [rows, columns]. Batch norm has statistics per column (channel), layer norm per row. Statistics are in double
// precision: as float32 a large mean would lose its last digits, and a variance of 10⁶⁰ or of 10⁻⁵⁰ its value.

/** mean and variance (biased, ÷ rows) of each column of x [rows, columns], in double precision, in two passes. */
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

/** y = (x − mean)/√(variance + epsilon), statistics per column. */
export function standardiseColumns(
  columns: number,
  x: Numbers,
  mean: Float64Array,
  variance: Float64Array,
  epsilon: number,
  y: Numbers,
): void {
  const rates = variance.map((v) => 1 / Math.sqrt(v + epsilon));
  for (let i = 0; i < x.length; i += columns) {
    for (let j = 0; j < columns; j++) y[i + j] = (x[i + j]! - mean[j]!) * rates[j]!;
  }
}

/** dx (+)= (dy − mean(dy) − y·mean(dy·y))/√(variance + epsilon): the statistics are functions of x too. */
export function standardiseColumnsGrad(
  columns: number,
  y: Numbers,
  variance: Float64Array,
  epsilon: number,
  dy: Numbers,
  dx: Numbers,
  accumulate: boolean,
): void {
  const rows = y.length / columns;
  const sums = new Float64Array(columns);
  const dots = new Float64Array(columns);
  for (let i = 0; i < y.length; i += columns) {
    for (let j = 0; j < columns; j++) {
      sums[j]! += dy[i + j]!;
      dots[j]! += dy[i + j]! * y[i + j]!;
    }
  }
  const rates = variance.map((v) => 1 / Math.sqrt(v + epsilon));
  for (let i = 0; i < y.length; i += columns) {
    for (let j = 0; j < columns; j++) {
      const d = rates[j]! * (dy[i + j]! - sums[j]! / rows - (y[i + j]! * dots[j]!) / rows);
      dx[i + j] = accumulate ? dx[i + j]! + d : d;
    }
  }
}

/** y = (x − mean)/√(variance + epsilon) of each row of `columns` numbers; rates [rows] = 1/√(variance + epsilon). */
export function standardiseRows(columns: number, x: Numbers, epsilon: number, y: Numbers, rates: Float64Array): void {
  for (let r = 0; r < rates.length; r++) {
    const row = r * columns;
    let mean = 0;
    for (let j = 0; j < columns; j++) mean += x[row + j]!;
    mean /= columns;
    let variance = 0;
    for (let j = 0; j < columns; j++) variance += (x[row + j]! - mean) ** 2;
    const rate = 1 / Math.sqrt(variance / columns + epsilon);
    for (let j = 0; j < columns; j++) y[row + j] = (x[row + j]! - mean) * rate;
    rates[r] = rate;
  }
}

/** dx (+)= rate·(dy − mean(dy) − y·mean(dy·y)), means over the row. */
export function standardiseRowsGrad(
  columns: number,
  y: Numbers,
  rates: Float64Array,
  dy: Numbers,
  dx: Numbers,
  accumulate: boolean,
): void {
  for (let r = 0; r < rates.length; r++) {
    const row = r * columns;
    let sum = 0;
    let dot = 0;
    for (let j = 0; j < columns; j++) {
      sum += dy[row + j]!;
      dot += dy[row + j]! * y[row + j]!;
    }
    for (let j = 0; j < columns; j++) {
      const d = rates[r]! * (dy[row + j]! - sum / columns - (y[row + j]! * dot) / columns);
      dx[row + j] = accumulate ? dx[row + j]! + d : d;
    }
  }
}

/** dx (+)= dy/√(variance + epsilon): the statistics are constants. */
export function standardiseColumnsLinearGrad(
  columns: number,
  variance: Float64Array,
  epsilon: number,
  dy: Numbers,
  dx: Numbers,
  accumulate: boolean,
): void {
  const rates = variance.map((v) => 1 / Math.sqrt(v + epsilon));
  for (let i = 0; i < dy.length; i += columns) {
    for (let j = 0; j < columns; j++) {
      const d = dy[i + j]! * rates[j]!;
      dx[i + j] = accumulate ? dx[i + j]! + d : d;
    }
  }
}
