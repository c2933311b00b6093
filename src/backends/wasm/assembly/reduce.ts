// The sum along one axis of x [outer, count, inner]. See rows.ts and columns.ts.
// - The last axis (inner 1): by rows.
// - The first axis (outer 1): by columns.
// - Otherwise: one block [count, inner] after another.

import { sumColumns, sumMiddle } from "./columns";
import { sumRows } from "./rows";

/** y [outer, inner] (+)= scale·Σ x [outer, count, inner]. */
export function sum(_n: i32, outer: i32, count: i32, inner: i32, x: usize, y: usize, scale: f64, accumulate: bool): void {
  if (inner == 1) sumRows(outer, count, x, y, scale, accumulate);
  else if (outer > 1) sumMiddle(outer, count, inner, x, y, scale, accumulate);
  else sumColumns(count, inner, x, y, scale, accumulate);
}
