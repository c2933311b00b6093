import type { Numbers } from "./memory.ts";

// Layer normalization: each row of x [rows, columns] has statistics of its own, in double precision (see
// batch-norm.ts).

/** y = (x − mean)/√(variance + epsilon) of each row of `columns` numbers; rates [rows] = 1/√(variance + epsilon). */
export function standardizeRows(columns: number, x: Numbers, epsilon: number, y: Numbers, rates: Float64Array): void {
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
export function standardizeRowsGrad(
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
