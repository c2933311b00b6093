import type { Numbers } from "./memory.ts";

/** Numbers that a loop may add to: float32, or totals in double precision. */
export type Totals = Numbers | Float64Array;

/**
 * How many terms a float32 total may collect. The rounding errors of 48 equal terms add up to at most 7.5e-7 of the
 * total, those of 64 to 9.8e-7, those of 128 to 1.9e-6. Longer sums are kept in double precision.
 */
export const FEW_TERMS = 48;

/**
 * y (+)= what `add` adds to totals in double precision, rounded to float32 once. Costs 8 bytes per element of y while
 * it runs.
 */
export function inDoubles(y: Numbers, accumulate: boolean, add: (totals: Float64Array) => void): void {
  const totals = accumulate ? Float64Array.from(y) : new Float64Array(y.length);
  add(totals);
  y.set(totals);
}

/**
 * y (+)= what `add` adds, at most `terms` numbers per element: into y itself if the terms are few, otherwise in double
 * precision.
 */
export function inTotals(y: Numbers, accumulate: boolean, terms: number, add: (totals: Totals) => void): void {
  if (terms > FEW_TERMS) return inDoubles(y, accumulate, add);
  if (!accumulate) y.fill(0);
  add(y);
}

/** y (+)= totals, rounded to float32. */
export function addRounded(totals: Float64Array, y: Numbers, accumulate: boolean): void {
  if (accumulate) for (let i = 0; i < y.length; i++) y[i]! += totals[i]!;
  else y.set(totals);
}
