import type { Numbers } from "../kernels/index.ts";
import {
  alloc,
  equal as areEqual,
  less as areLess,
  lessEqual as areLessOrEqual,
  notEqual as areUnequal,
} from "../kernels/index.ts";
import type { Tensor } from "../tensor/index.ts";
import { aligned } from "./elementwise.ts";
import { record } from "./record.ts";

type Kernel = (a: Numbers, b: Numbers, y: Numbers) => void;

type Comparison = "equal" | "greater" | "greaterEqual" | "less" | "lessEqual" | "notEqual";

/** The graph records a comparison, but no gradient passes: the result is constant between its jumps. */
function compare(op: Comparison, a: Tensor | number, b: Tensor | number, kernel: Kernel, swapped = false): Tensor {
  const [x, z] = aligned(op, a, b);
  const y = alloc(x.size);
  if (swapped) kernel(z.data, x.data, y);
  else kernel(x.data, z.data, y);
  return record(op, {}, [x, z], x.shape, y, () => undefined);
}

/** 1 if a = b, else 0, elementwise with broadcasting. NaN is not equal to anything. No gradient. */
export const equal = (a: Tensor | number, b: Tensor | number): Tensor => compare("equal", a, b, areEqual);
/** 1 if a ≠ b, else 0, elementwise with broadcasting. NaN is not equal to anything. No gradient. */
export const notEqual = (a: Tensor | number, b: Tensor | number): Tensor => compare("notEqual", a, b, areUnequal);
/** 1 if a < b, else 0 (also if either is NaN), elementwise with broadcasting. No gradient. */
export const less = (a: Tensor | number, b: Tensor | number): Tensor => compare("less", a, b, areLess);
/** 1 if a ≤ b, else 0 (also if either is NaN), elementwise with broadcasting. No gradient. */
export const lessEqual = (a: Tensor | number, b: Tensor | number): Tensor => compare("lessEqual", a, b, areLessOrEqual);
/** 1 if a > b, else 0 (also if either is NaN), elementwise with broadcasting. No gradient. */
export const greater = (a: Tensor | number, b: Tensor | number): Tensor => compare("greater", a, b, areLess, true);
/** 1 if a ≥ b, else 0 (also if either is NaN), elementwise with broadcasting. No gradient. */
export const greaterEqual = (a: Tensor | number, b: Tensor | number): Tensor =>
  compare("greaterEqual", a, b, areLessOrEqual, true);
