import { readNumber, readOptions, readTensor, ShapeError, sameShape, show, type Tensor, ValueError } from "../tensor/index.ts";
import { softplus } from "./activations.ts";
import { abs, add, clip, log, mul, mulUnlessZero, neg, square, sub, where } from "./elementwise.ts";
import { sum } from "./reduce.ts";
import { type Reduction, readReduction, reduced } from "./reduction.ts";

/** Options of all losses. */
export type LossOptions = {
  /** How the numbers of the loss become one (default "mean"). "none" leaves them. */
  readonly reduction?: Reduction;
};

/** Checks what losses of two tensors share, which must have one shape; returns the reduction. */
function readLoss<T extends LossOptions>(
  who: string,
  pair: Readonly<Record<string, Tensor>>,
  options: T | undefined,
  known: readonly (keyof T & string)[],
): Reduction {
  const [[aName, a], [bName, b]] = Object.entries(pair) as [[string, Tensor], [string, Tensor]];
  readTensor(who, aName, a);
  if (ArrayBuffer.isView(b))
    throw new ValueError(who, `${bName} must be a tensor; train gives labels for integers: give it a Float32Array for numbers`);
  readTensor(who, bName, b);
  const { reduction = "mean" } = readOptions(who, options, known);
  if (!sameShape(a.shape, b.shape))
    throw new ShapeError(who, `${aName} ${show(a.shape)} and ${bName} ${show(b.shape)} must have the same shape`);
  return readReduction(who, reduction);
}

/**
 * The mean of (prediction − target)². Both tensors have the same shape. "none" returns one number per element.
 * @param prediction - any shape
 * @param target - a tensor with the shape of the prediction
 * @example
 * console.log(meanSquaredError(tensor([1, 2]), tensor([1, 4]))); //=> Tensor [] 2
 */
export function meanSquaredError(prediction: Tensor, target: Tensor, options?: LossOptions): Tensor {
  const reduction = readLoss("meanSquaredError", { prediction, target }, options, ["reduction"]);
  return reduced(square(sub(prediction, target)), reduction);
}

/**
 * The mean of |prediction − target|. Both tensors have the same shape. "none" returns one number per element. The slope
 * is 0 if both are equal.
 * @param prediction - any shape
 * @param target - a tensor with the shape of the prediction
 * @example
 * console.log(meanAbsoluteError(tensor([1, 2]), tensor([1, 4]))); //=> Tensor [] 1
 */
export function meanAbsoluteError(prediction: Tensor, target: Tensor, options?: LossOptions): Tensor {
  const reduction = readLoss("meanAbsoluteError", { prediction, target }, options, ["reduction"]);
  return reduced(abs(sub(prediction, target)), reduction);
}

/** Options of `huber`, which include {@link LossOptions}. */
export type HuberOptions = LossOptions & {
  /** The distance from which the loss is linear (default 1). */
  readonly delta?: number;
};

/**
 * The Huber loss (1964) of d = prediction − target, tensors of the same shape: d²/2 if |d| ≤ delta, else delta·(|d| −
 * delta/2). Outliers have a smaller effect than in `meanSquaredError`. "none" returns one number per element.
 * @param prediction - any shape
 * @param target - a tensor with the shape of the prediction
 * @example
 * console.log(huber(tensor([0, 5]), tensor([0.5, 0]), { reduction: "none" })); //=> Tensor [2] 0.125 4.5
 */
export function huber(prediction: Tensor, target: Tensor, options?: HuberOptions): Tensor {
  const reduction = readLoss("huber", { prediction, target }, options, ["reduction", "delta"]);
  const delta = readNumber("huber", "delta", options?.delta ?? 1, { above: 0 });
  const d = sub(prediction, target);
  const near = clip(d, -delta, delta);
  return reduced(mul(near, sub(d, mul(near, 0.5))), reduction); // d·d/2 inside, ±delta·(d ∓ delta/2) outside
}

/**
 * The Kullback-Leibler divergence of distributions over the last axis, Σ target·(log target − logProbabilities): one
 * number per row, 0 if both are equal. Both are [..., classes]. `logSoftmax(logits)` computes the first. A class with
 * target 0 adds nothing.
 *
 * "mean" divides by the number of rows (PyTorch: "batchmean"). "none" returns the shape without the last axis.
 * @param logProbabilities - [..., classes], such as `logSoftmax(logits)`
 * @param target - [..., classes], probabilities
 * @example
 * console.log(klDivergence(log(tensor([[0.5, 0.5]])), tensor([[1, 0]]))); //=> Tensor [] 0.6931
 */
export function klDivergence(logProbabilities: Tensor, target: Tensor, options?: LossOptions): Tensor {
  const reduction = readLoss("klDivergence", { logProbabilities, target }, options, ["reduction"]);
  if (target.shape.length === 0) throw new ShapeError("klDivergence", "logProbabilities []: need [..., classes]");
  const logTarget = log(where(target, target, 1)); // log 1 in place of log 0: no infinite gradient
  return reduced(sum(mulUnlessZero(target, sub(logTarget, logProbabilities)), -1), reduction);
}

/**
 * Binary cross entropy of sigmoid(logits) and targets from 0 to 1, tensors of the same shape: target·softplus(−logits)
 * + (1 − target)·softplus(logits). It never overflows and keeps all digits of small losses. A term of weight 0 is 0,
 * even if the logit is infinite. "none" returns one number per element.
 * @param logits - any shape
 * @param target - a tensor with the shape of the logits, with numbers from 0 to 1
 * @example
 * const losses = binaryCrossEntropyWithLogits(tensor([3, -3]), tensor([1, 1]), { reduction: "none" });
 * console.log(losses); //=> Tensor [2] 0.04859 3.049
 */
export function binaryCrossEntropyWithLogits(logits: Tensor, target: Tensor, options?: LossOptions): Tensor {
  const reduction = readLoss("binaryCrossEntropyWithLogits", { logits, target }, options, ["reduction"]);
  const [ifOne, ifZero] = [softplus(neg(logits)), softplus(logits)];
  return reduced(add(mulUnlessZero(target, ifOne), mulUnlessZero(sub(1, target), ifZero)), reduction);
}
