import {
  cosGrad,
  cos as cosKernel,
  flatGrad,
  floor as floorKernel,
  round as roundKernel,
  sinGrad,
  sin as sinKernel,
} from "../kernels/index.ts";
import { readTensor, type Tensor } from "../tensor/index.ts";
import { reciprocal, sqrt } from "./elementwise.ts";
import { pointwise, unary } from "./unary.ts";

/** The sine of x, elementwise, an angle in radians. */
export const sin = (x: Tensor): Tensor => pointwise("sin", {}, x, { forward: sinKernel, gradient: sinGrad });
/** The cosine of x, elementwise, an angle in radians. */
export const cos = (x: Tensor): Tensor => pointwise("cos", {}, x, { forward: cosKernel, gradient: cosGrad });
/** The error function, elementwise: 2/√π · ∫ e^(−t²) dt from 0 to x. */
export const erf = (x: Tensor): Tensor => unary("erf", x);
/** The largest whole number not above x, elementwise. The gradient is 0. */
export const floor = (x: Tensor): Tensor => pointwise("floor", {}, x, { forward: floorKernel, gradient: flatGrad });
/** The nearest whole number, elementwise; at a tie the even one, as in NumPy and PyTorch. The gradient is 0. */
export const round = (x: Tensor): Tensor => pointwise("round", {}, x, { forward: roundKernel, gradient: flatGrad });

/** 1/√x, elementwise: ∞ at 0 and NaN below. */
export function rsqrt(x: Tensor): Tensor {
  readTensor("rsqrt", "x", x);
  return reciprocal(sqrt(x));
}
