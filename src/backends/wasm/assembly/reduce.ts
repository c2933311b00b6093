// Sums along one axis of [outer, count, inner], as kernels/reduce.ts: by rows if the axis is the last, by columns if it is the first.

import { sumColumns, sumMiddle } from "./columns";
import { sumRows } from "./rows";

/** y [outer, inner] (+)= scale·Σ x [outer, count, inner]. */
export function sum(_n: i32, outer: i32, count: i32, inner: i32, x: usize, y: usize, scale: f64, accumulate: bool): void {
  if (inner == 1) sumRows(outer, count, x, y, scale, accumulate);
  else if (outer > 1) sumMiddle(outer, count, inner, x, y, scale, accumulate);
  else sumColumns(count, inner, x, y, scale, accumulate);
}
