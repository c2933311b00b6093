import type { Numbers } from "./memory.ts";

// y = 1 if the comparison of a and b holds, else 0. With NaN, `notEqual` gives 1, all other comparisons 0. reference.ts
// does not export these kernels, so bundlers drop those that a program does not use.

export function equal(a: Numbers, b: Numbers, y: Numbers): void {
  for (let i = 0; i < y.length; i++) y[i] = a[i] === b[i] ? 1 : 0;
}

export function notEqual(a: Numbers, b: Numbers, y: Numbers): void {
  for (let i = 0; i < y.length; i++) y[i] = a[i] === b[i] ? 0 : 1;
}

export function less(a: Numbers, b: Numbers, y: Numbers): void {
  for (let i = 0; i < y.length; i++) y[i] = a[i]! < b[i]! ? 1 : 0;
}

export function lessEqual(a: Numbers, b: Numbers, y: Numbers): void {
  for (let i = 0; i < y.length; i++) y[i] = a[i]! <= b[i]! ? 1 : 0;
}
