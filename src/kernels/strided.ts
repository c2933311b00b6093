import { FEW_TERMS } from "./doubles.ts";
import type { Numbers } from "./memory.ts";

/**
 * A view of an array: element (i₀, i₁, …) is `x[offset + Σ iₐ·strides[a]]`. Transposing, slicing, padding and
 * concatenation are all such views, so two kernels move every number.
 */
export type View = { readonly shape: readonly number[]; readonly strides: readonly number[]; readonly offset: number };

/** y, row by row, = the elements of x that the view names. */
export function readView(view: View, x: Numbers, y: Numbers): void {
  let to = 0;
  eachRow(view, (from, n, stride) => {
    for (let i = 0; i < n; i++) y[to + i] = x[from + i * stride]!;
    to += n;
  });
}

/**
 * Writes y to the elements of x that the view names, or adds y to them if `accumulate` is true. This is the gradient of
 * `readView`. If the view may name an element many times, sums are in double precision, which costs 8 bytes per element
 * of x.
 */
export function writeView(view: View, y: Numbers, x: Numbers, accumulate: boolean): void {
  if (accumulate && y.length > FEW_TERMS && mayRepeat(view)) {
    const totals = Float64Array.from(x);
    addView(view, y, totals);
    x.set(totals);
    return;
  }
  let at = 0;
  eachRow(view, (from, n, stride) => {
    for (let i = 0; i < n; i++) {
      const to = from + i * stride;
      x[to] = accumulate ? x[to]! + y[at + i]! : y[at + i]!;
    }
    at += n;
  });
}

function addView(view: View, y: Numbers, totals: Float64Array): void {
  let at = 0;
  eachRow(view, (from, n, stride) => {
    for (let i = 0; i < n; i++) totals[from + i * stride]! += y[at + i]!;
    at += n;
  });
}

/** Whether a view may name an element twice: if a stride is not larger than the span of all smaller strides. */
function mayRepeat({ shape, strides }: View): boolean {
  const axes = shape.map((n, axis) => [Math.abs(strides[axis]!), n] as const).filter(([, n]) => n > 1);
  axes.sort(([a], [b]) => a - b);
  let span = 0;
  return axes.some(([stride, n]) => {
    if (stride <= span) return true;
    span += stride * (n - 1);
    return false;
  });
}

/** Calls `row(from, n, stride)` for each row along the last axis, in row-major order. `from`: its first element. */
function eachRow({ shape, strides, offset }: View, row: (from: number, n: number, stride: number) => void): void {
  const axes = shape.length;
  if (axes === 0) return row(offset, 1, 1);
  if (shape.includes(0)) return;
  const n = shape[axes - 1]!;
  const stride = strides[axes - 1]!;
  const index = new Array<number>(axes - 1).fill(0);
  let from = offset;
  for (;;) {
    row(from, n, stride);
    let axis = axes - 2;
    while (axis >= 0) {
      from += strides[axis]!;
      if (++index[axis]! < shape[axis]!) break;
      from -= strides[axis]! * shape[axis]!;
      index[axis] = 0;
      axis--;
    }
    if (axis < 0) return;
  }
}

/** y[i] = x[(begin + i) mod x.length]: a slice that starts over at the end of x. */
export function readCyclic(begin: number, x: Numbers, y: Numbers): void {
  for (let i = 0, from = begin % x.length; i < y.length; i++) {
    y[i] = x[from]!;
    if (++from === x.length) from = 0;
  }
}

/**
 * x[(begin + i) mod x.length] += y[i]. An element may get several terms. If it gets many, sums are in double precision,
 * which costs 8 bytes per element of x.
 */
export function addCyclic(begin: number, y: Numbers, x: Numbers): void {
  const isLong = y.length > FEW_TERMS * x.length;
  const totals = isLong ? Float64Array.from(x) : x;
  for (let i = 0, to = begin % x.length; i < y.length; i++) {
    totals[to] = totals[to]! + y[i]!;
    if (++to === x.length) to = 0;
  }
  if (isLong) x.set(totals);
}

/** y [indices, width] = the rows of x [rows, width] with these indices. */
export function readRows(indices: Int32Array, width: number, x: Numbers, y: Numbers): void {
  for (let i = 0; i < indices.length; i++) {
    const from = indices[i]! * width;
    for (let j = 0; j < width; j++) y[i * width + j] = x[from + j]!;
  }
}

/**
 * Adds row i of y [indices, width] to row `indices[i]` of x [rows, width]. A row of x may get several terms. If there
 * may be many, sums are in double precision. Double precision costs 4 bytes per row of x and per index, and 8 bytes per
 * column.
 */
export function addRows(indices: Int32Array, width: number, y: Numbers, x: Numbers): void {
  if (indices.length > FEW_TERMS) return addSortedRows(indices, width, y, x);
  for (let i = 0; i < indices.length; i++) {
    const to = indices[i]! * width;
    for (let j = 0; j < width; j++) x[to + j] = x[to + j]! + y[i * width + j]!;
  }
}

/** `addRows`, row of x by row of x: a counting sort finds the terms of each. */
function addSortedRows(indices: Int32Array, width: number, y: Numbers, x: Numbers): void {
  const rows = x.length / width;
  // ends[r] is the number of indices up to r. The sort then decrements it to the position of the next index r.
  const ends = new Int32Array(rows + 1);
  for (const row of indices) ends[row + 1]!++;
  for (let row = 0; row < rows; row++) ends[row + 1]! += ends[row]!;
  const order = new Int32Array(indices.length);
  for (let i = 0; i < indices.length; i++) order[ends[indices[i]!]!++] = i;
  const totals = new Float64Array(width);
  for (let row = 0, k = 0; row < rows; row++) {
    if (k === ends[row]) continue;
    const to = row * width;
    for (let j = 0; j < width; j++) totals[j] = x[to + j]!;
    for (; k < ends[row]!; k++) {
      const from = order[k]! * width;
      for (let j = 0; j < width; j++) totals[j]! += y[from + j]!;
    }
    for (let j = 0; j < width; j++) x[to + j] = totals[j]!;
  }
}
