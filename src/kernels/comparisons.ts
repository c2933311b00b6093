import type { Numbers } from "./memory.ts";

// y = 1 if the comparison of a and b holds, else 0. Every comparison with NaN is false, except that NaN is not equal to
// anything. They are not in the table of kernels, so bundlers drop those that a program does not use.

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
