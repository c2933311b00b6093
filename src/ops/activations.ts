import { kernels } from "../backends/index.ts";
import { exactGelu, exactGeluGrad, mishGrad, mish as mishKernel } from "../kernels/index.ts";
import { readName, readNumber, readOptions, readTensor, type Tensor } from "../tensor/index.ts";
import { pointwise, unary } from "./unary.ts";

/** The hyperbolic tangent, elementwise. */
export const tanh = (x: Tensor): Tensor => unary("tanh", x);
/** 1/(1 + e⁻ˣ), elementwise. */
export const sigmoid = (x: Tensor): Tensor => unary("sigmoid", x);
/** max(x, 0), elementwise, with slope 0 at 0. */
export const relu = (x: Tensor): Tensor => unary("relu", x);
/** x·sigmoid(x), elementwise, also known as swish. */
export const silu = (x: Tensor): Tensor => unary("silu", x);
/** x·min(max(x + 3, 0), 6)/6, elementwise (Howard et al. 2019). */
export const hardSwish = (x: Tensor): Tensor => unary("hardSwish", x);
/** ln(1 + eˣ), elementwise, without overflow. */
export const softplus = (x: Tensor): Tensor => unary("softplus", x);

/**
 * x if x is positive, else alpha·x, elementwise. Default alpha 0.2, as in TensorFlow (PyTorch: 0.01). The slope at 0 is
 * alpha. With alpha 0, −∞ returns 0·∞ = NaN, as in PyTorch; `relu` returns 0.
 * @param alpha - the slope for negative x (default 0.2)
 */
export function leakyRelu(x: Tensor, alpha = 0.2): Tensor {
  readTensor("leakyRelu", "x", x);
  readNumber("leakyRelu", "alpha", alpha);
  return pointwise("leakyRelu", { alpha }, x, {
    forward: (v, y) => kernels.leakyRelu(v, y, alpha),
    gradient: (v, dy, dx, accumulate) => kernels.leakyReluGrad(v, dy, dx, accumulate, alpha),
  });
}

/** Options of `gelu`. */
export type GeluOptions = {
  /** "tanh" (default) uses the formula of Hendrycks and Gimpel (2016), "none" the error function. */
  readonly approximate?: "tanh" | "none";
};

/**
 * x·Φ(x), elementwise; Φ is the distribution function of the standard normal distribution. The default formula with
 * tanh differs from the exact value by less than 5e-4 and has fast kernels. `{ approximate: "none" }` is exact, as
 * PyTorch's default.
 */
export function gelu(x: Tensor, options?: GeluOptions): Tensor {
  readTensor("gelu", "x", x);
  const { approximate = "tanh" } = readOptions("gelu", options, ["approximate"]);
  readName("gelu", "approximate", approximate, ["tanh", "none"]);
  if (approximate === "none") return pointwise("gelu", { approximate }, x, { forward: exactGelu, gradient: exactGeluGrad });
  return pointwise("gelu", { approximate }, x, {
    forward: (v, y) => kernels.gelu(v, y),
    gradient: (v, dy, dx, accumulate) => kernels.geluGrad(v, dy, dx, accumulate),
  });
}

/**
 * x if x is positive, else alpha·(eˣ − 1), elementwise. Default alpha 1. The slope at 0 is alpha.
 * @param alpha - the factor for negative x (default 1)
 */
export function elu(x: Tensor, alpha = 1): Tensor {
  readTensor("elu", "x", x);
  readNumber("elu", "alpha", alpha);
  return pointwise("elu", { alpha }, x, {
    forward: (v, y) => kernels.elu(v, y, alpha),
    gradient: (v, dy, dx, accumulate) => kernels.eluGrad(v, dy, dx, accumulate, alpha),
  });
}

/** x clipped to [0, 6], elementwise. The slope is 0 at 0 and 1 at 6. */
export const relu6 = (x: Tensor): Tensor => unary("relu6", x);

/**
 * x/6 + 1/2 clipped to [0, 1], elementwise, as in PyTorch; Keras used x/5 + 1/2 before version 3. The slope at −3 and 3
 * is 1/6.
 */
export const hardSigmoid = (x: Tensor): Tensor => unary("hardSigmoid", x);

/** x·tanh(softplus(x)), elementwise (Misra 2019). */
export const mish = (x: Tensor): Tensor => pointwise("mish", {}, x, { forward: mishKernel, gradient: mishGrad });
