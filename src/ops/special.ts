import {
  alloc,
  cosGrad,
  cos as cosKernel,
  erfGrad,
  erf as erfKernel,
  flatGrad,
  floor as floorKernel,
  round as roundKernel,
  type Special,
  sinGrad,
  sin as sinKernel,
} from "../kernels/index.ts";
import { readTensor, type Tensor } from "../tensor/index.ts";
import { reciprocal, sqrt } from "./elementwise.ts";
import type { OpAttributes } from "./graph.ts";
import { record } from "./record.ts";

/** An elementwise op whose kernels are not in the table. */
export function special<Op extends "cos" | "elu" | "erf" | "floor" | "gelu" | "mish" | "round" | "sin">(
  op: Op,
  attributes: OpAttributes[Op],
  x: Tensor,
  { forward, gradient }: Special,
): Tensor {
  readTensor(op, "x", x);
  const y = alloc(x.size);
  forward(x.data, y);
  return record(op, attributes, [x], x.shape, y, (dy, into) => into(x, (dx, accumulate) => gradient(x.data, dy, dx, accumulate)));
}

/** The sine of x, an angle in radians. */
export const sin = (x: Tensor): Tensor => special("sin", {}, x, { forward: sinKernel, gradient: sinGrad });
/** The cosine of x, an angle in radians. */
export const cos = (x: Tensor): Tensor => special("cos", {}, x, { forward: cosKernel, gradient: cosGrad });
/** The error function, 2/√π · ∫ e^(−t²) dt from 0 to x. */
export const erf = (x: Tensor): Tensor => special("erf", {}, x, { forward: erfKernel, gradient: erfGrad });
/** The largest whole number not above x. The gradient is 0. */
export const floor = (x: Tensor): Tensor => special("floor", {}, x, { forward: floorKernel, gradient: flatGrad });
/** The nearest whole number; the even one of two that are equally near, as NumPy and PyTorch. The gradient is 0. */
export const round = (x: Tensor): Tensor => special("round", {}, x, { forward: roundKernel, gradient: flatGrad });

/** 1/√x: ∞ at 0 and NaN below. */
export function rsqrt(x: Tensor): Tensor {
  readTensor("rsqrt", "x", x);
  return reciprocal(sqrt(x));
}
