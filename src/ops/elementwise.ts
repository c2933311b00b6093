import { kernels } from "../backends/index.ts";
import { alloc, type Bounds, type Numbers } from "../kernels/index.ts";
import {
  broadcastShapes,
  fresh,
  readFunction,
  readNumber,
  readOperand,
  readTensor,
  sameShape,
  sizeOf,
  type Tensor,
  ValueError,
} from "../tensor/index.ts";
import { broadcastTo } from "./movement.ts";
import { record } from "./record.ts";
import { pointwise, unary } from "./unary.ts";

// In comments, `dx (+)= …` means: overwrite dx, or add to dx if `accumulate` is true.
// `kernels.axpy(s, x, y, accumulate)` computes y (+)= s·x.

/** −x, elementwise. */
export const neg = (x: Tensor): Tensor => unary("neg", x);
/** eˣ, elementwise. */
export const exp = (x: Tensor): Tensor => unary("exp", x);
/** The natural logarithm, elementwise; −∞ at 0 and NaN below, as in IEEE arithmetic. */
export const log = (x: Tensor): Tensor => unary("log", x);
/** √x, elementwise, with slope ∞ at 0. */
export const sqrt = (x: Tensor): Tensor => unary("sqrt", x);
/** x², elementwise. */
export const square = (x: Tensor): Tensor => unary("square", x);
/** |x|, elementwise, with slope 0 at 0. */
export const abs = (x: Tensor): Tensor => unary("abs", x);
/** 1/x, elementwise. */
export const reciprocal = (x: Tensor): Tensor => unary("reciprocal", x);
const UNBOUNDED: Bounds = { infinite: true };

/**
 * x clipped to [low, high], elementwise. NaN stays NaN. The gradient passes between the bounds and at the bounds.
 * @param low - the lower bound
 * @param high - the upper bound, at least `low`
 */
export function clip(x: Tensor, low: number, high: number): Tensor {
  readTensor("clip", "x", x);
  readNumber("clip", "low", low, UNBOUNDED);
  readNumber("clip", "high", high, UNBOUNDED);
  if (!(low <= high)) throw new ValueError("clip", `low must not be above high, got ${low} and ${high}`);
  return pointwise("clip", { low, high }, x, {
    forward: (v, y) => kernels.clip(v, y, low, high),
    gradient: (v, dy, dx, accumulate) => kernels.clipGrad(v, dy, dx, accumulate, low, high),
  });
}

/** Both operands as tensors of the shape they broadcast to. */
export function aligned(op: string, a: Tensor | number, b: Tensor | number): [Tensor, Tensor] {
  const [x, y] = [readOperand(op, "a", a), readOperand(op, "b", b)];
  if (sameShape(x.shape, y.shape)) return [x, y];
  const shape = broadcastShapes(op, x.shape, y.shape);
  return [broadcastTo(x, shape), broadcastTo(y, shape)];
}

/** a + b, elementwise with broadcasting. */
export function add(a: Tensor | number, b: Tensor | number): Tensor {
  const [x, z] = aligned("add", a, b);
  const y = alloc(x.size);
  kernels.add(x.data, z.data, y);
  return record("add", {}, [x, z], x.shape, y, (dy, into) => {
    into(z, (dz, accumulate) => kernels.axpy(1, dy, dz, accumulate)); // dz (+)= dy
    into.same(x, dy); // last: dy may now be the gradient of x, and x may be z
  });
}

/** a − b, elementwise with broadcasting. */
export function sub(a: Tensor | number, b: Tensor | number): Tensor {
  const [x, z] = aligned("sub", a, b);
  const y = alloc(x.size);
  kernels.sub(x.data, z.data, y);
  return record("sub", {}, [x, z], x.shape, y, (dy, into) => {
    into(x, (dx, accumulate) => kernels.axpy(1, dy, dx, accumulate));
    into(z, (dz, accumulate) => kernels.axpy(-1, dy, dz, accumulate));
  });
}

/** x times a tensor of one number, without broadcasting it. `operands` are both tensors in the given order. */
function scaled(x: Tensor, scale: Tensor, operands: readonly Tensor[]): Tensor {
  const y = alloc(x.size);
  kernels.axpy(scale.item(), x.data, y, false);
  return record("mul", {}, operands, x.shape, y, (dy, into) => {
    into(x, (dx, accumulate) => kernels.axpy(scale.item(), dy, dx, accumulate)); // dx (+)= scale·dy
    into(scale, (dscale, accumulate) => kernels.dot(dy, x.data, dscale, accumulate)); // dscale (+)= Σ dy·x
  });
}

/** a·b, elementwise with broadcasting. */
export function mul(a: Tensor | number, b: Tensor | number): Tensor {
  const [u, v] = [readOperand("mul", "a", a), readOperand("mul", "b", b)];
  if (v.size === 1 && u.size > 1 && v.shape.length <= u.shape.length) return scaled(u, v, [u, v]);
  if (u.size === 1 && v.size > 1 && u.shape.length <= v.shape.length) return scaled(v, u, [u, v]);
  const [x, z] = aligned("mul", u, v);
  const y = alloc(x.size);
  kernels.mul(x.data, z.data, y, false);
  return record("mul", {}, [x, z], x.shape, y, (dy, into) => {
    into(x, (dx, accumulate) => kernels.mul(dy, z.data, dx, accumulate)); // dx (+)= dy·z
    into(z, (dz, accumulate) => kernels.mul(dy, x.data, dz, accumulate)); // dz (+)= dy·x
  });
}

/**
 * weight·x, elementwise with broadcasting; 0 if the weight is 0, even if x is infinite or NaN. So an outcome of
 * probability 0 adds nothing to a loss.
 * @param weight - a tensor or a number
 */
export function mulUnlessZero(weight: Tensor | number, x: Tensor | number): Tensor {
  const [w, z] = aligned("mulUnlessZero", weight, x);
  const y = alloc(w.size);
  kernels.mulUnlessZero(w.data, z.data, y);
  return record("mulUnlessZero", {}, [w, z], w.shape, y, (dy, into) => {
    into(w, (dw, accumulate) => kernels.mul(dy, z.data, dw, accumulate)); // dw (+)= dy·z
    into(z, (dz, accumulate) => kernels.mul(dy, w.data, dz, accumulate)); // dz (+)= dy·w
  });
}

/** a/b, elementwise with broadcasting. */
export function div(a: Tensor | number, b: Tensor | number): Tensor {
  const [x, z] = aligned("div", a, b);
  const y = alloc(x.size);
  kernels.div(x.data, z.data, y, false);
  return record("div", {}, [x, z], x.shape, y, (dy, into) => {
    into(x, (dx, accumulate) => kernels.div(dy, z.data, dx, accumulate)); // dx (+)= dy/z
    into(z, (dz, accumulate) => kernels.divGradDivisor(z.data, y, dy, dz, accumulate)); // dz (+)= −dy·y/z
  });
}

/** aᵇ, elementwise with broadcasting. NaN for a negative base with a fractional exponent. */
export function pow(a: Tensor | number, b: Tensor | number): Tensor {
  const [x, z] = aligned("pow", a, b);
  const y = alloc(x.size);
  kernels.pow(x.data, z.data, y);
  return record("pow", {}, [x, z], x.shape, y, (dy, into) => {
    into(x, (dx, accumulate) => kernels.powGradBase(x.data, z.data, dy, dx, accumulate)); // dx (+)= dy·z·xᶻ⁻¹
    into(z, (dz, accumulate) => kernels.powGradExponent(x.data, z.data, y, dy, dz, accumulate)); // dz (+)= dy·y·ln x
  });
}

function chosen(op: "maximum" | "minimum", a: Tensor | number, b: Tensor | number): Tensor {
  const [x, z] = aligned(op, a, b);
  const y = alloc(x.size);
  kernels[op](x.data, z.data, y);
  return record(op, {}, [x, z], x.shape, y, (dy, into) => {
    into(x, (dx, accumulate) => kernels.chosenGrad(x.data, z.data, y, dy, dx, accumulate));
    into(z, (dz, accumulate) => kernels.chosenGrad(z.data, x.data, y, dy, dz, accumulate));
  });
}

/**
 * The maximum of a and b, elementwise with broadcasting. NaN if either is NaN. At a tie each gets half of the gradient.
 */
export const maximum = (a: Tensor | number, b: Tensor | number): Tensor => chosen("maximum", a, b);
/**
 * The minimum of a and b, elementwise with broadcasting. NaN if either is NaN. At a tie each gets half of the gradient.
 */
export const minimum = (a: Tensor | number, b: Tensor | number): Tensor => chosen("minimum", a, b);

/**
 * a if the condition is not 0, else b; elementwise with broadcasting of all three. The condition gets no gradient.
 * @param condition - a tensor; 0 selects b, every other number selects a
 */
export function where(condition: Tensor, a: Tensor | number, b: Tensor | number): Tensor {
  readTensor("where", "condition", condition);
  const [x, z] = aligned("where", a, b);
  const shape = broadcastShapes("where", condition.shape, x.shape);
  const [c, u, v] = [broadcastTo(condition, shape), broadcastTo(x, shape), broadcastTo(z, shape)];
  const y = alloc(c.size);
  kernels.where(c.data, u.data, v.data, y);
  return record("where", {}, [c, u, v], shape, y, (dy, into) => {
    into(u, (du, accumulate) => kernels.whereGrad(c.data, true, dy, du, accumulate));
    into(v, (dv, accumulate) => kernels.whereGrad(c.data, false, dy, dv, accumulate));
  });
}

/** The sign of x, elementwise: −1, 0 or 1. Its gradient is that of the identity (straight-through estimator). */
export function straightThroughSign(x: Tensor): Tensor {
  readTensor("straightThroughSign", "x", x);
  const y = alloc(x.size);
  kernels.sign(x.data, y);
  return record("straightThroughSign", {}, [x], x.shape, y, (dy, into) => into.same(x, dy));
}

/**
 * Returns x with a random share `rate` of its elements set to 0 and the others divided by 1 − rate, so the expected
 * value stays. Recorded as `mul` by the random mask.
 * @param x - any shape
 * @param rate - the share, at least 0 and below 1
 * @param draw - returns numbers of at least 0 and below 1, such as `() => generator.uniform()`
 * @example
 * const random = new Generator(3);
 * console.log(dropout(ones([6]), 0.5, () => random.uniform())); //=> Tensor [6] 0 0 0 0 2 2
 */
export function dropout(x: Tensor, rate: number, draw: () => number): Tensor {
  readTensor("dropout", "x", x);
  readNumber("dropout", "rate", rate, { least: 0, below: 1 });
  readFunction("dropout", "draw", draw);
  const mask: Numbers = alloc(sizeOf(x.shape));
  kernels.dropoutMask(rate, draw, mask);
  return mul(x, fresh(x.shape, mask));
}
