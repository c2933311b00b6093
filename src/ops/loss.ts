import { alloc, kernels } from "../kernels/index.ts";
import { checkShape, fresh, record, ShapeError, sameShape, show, type Tensor, ValueError } from "../tensor/index.ts";
import { add, mul, neg, softplus, square, sub } from "./elementwise.ts";
import { checkIndices } from "./movement.ts";
import { logSoftmax } from "./normalise.ts";
import { mean, sum } from "./reduce.ts";

/** What becomes of the losses of a batch: their mean (the default), their sum, or one number per example. */
export type Reduction = "mean" | "sum" | "none";

function reduced(losses: Tensor, reduction: Reduction): Tensor {
  if (reduction === "mean") return mean(losses);
  if (reduction === "sum") return sum(losses);
  if (reduction === "none") return losses;
  throw new ValueError("reduction", `must be "mean", "sum" or "none", got ${JSON.stringify(reduction)}`);
}

/**
 * weight·x element by element, and 0 where the weight is 0, even if x is infinite: an outcome of probability 0 adds nothing to a loss.
 */
function weighted(weight: Tensor, x: Tensor): Tensor {
  const y = alloc(x.size);
  kernels.mulUnlessZero(weight.data, x.data, y);
  return record("weighted", {}, [weight, x], x.shape, y, (dy, into) => {
    into(weight, (dw, accumulate) => kernels.mul(dy, x.data, dw, accumulate)); // dw (+)= dy·x
    into(x, (dx, accumulate) => kernels.mul(dy, weight.data, dx, accumulate)); // dx (+)= dy·weight
  });
}

/** Rows of zeros with a 1 at each label: [labels] → [labels, classes]. */
export function oneHot(labels: Int32Array | readonly number[], classes: number): Tensor {
  const found = checkIndices("oneHot", labels, classes);
  checkShape("oneHot", [found.length, classes]);
  const y = alloc(found.length * classes).fill(0);
  kernels.addRows(
    found.map((label, row) => row * classes + label),
    1,
    new Float32Array(found.length).fill(1),
    y,
  );
  return fresh([found.length, classes], y);
}

/**
 * Softmax cross entropy, −Σ target·log softmax(logits), for logits [batch, classes].
 *
 * A class whose target is 0 adds nothing, even if its logit is −∞.
 *
 * @param target labels 0…classes−1, one per example; or a tensor [batch, classes] of probabilities (one-hot or soft).
 * @param options `labelSmoothing` (0): the share of the target that is spread evenly over all classes (Szegedy et al. 2016).
 */
export function crossEntropy(
  logits: Tensor,
  target: Int32Array | readonly number[] | Tensor,
  { labelSmoothing = 0, reduction = "mean" }: { readonly labelSmoothing?: number; readonly reduction?: Reduction } = {},
): Tensor {
  const [batch = 0, classes = 0] = logits.shape;
  if (logits.shape.length !== 2) throw new ShapeError("crossEntropy", `logits ${show(logits.shape)}: need [batch, classes]`);
  if (!(labelSmoothing >= 0 && labelSmoothing <= 1)) {
    throw new ValueError("crossEntropy", `labelSmoothing must be from 0 to 1, got ${labelSmoothing}`);
  }
  if ("shape" in target) {
    if (!sameShape(target.shape, logits.shape)) {
      throw new ShapeError(
        "crossEntropy",
        `target ${show(target.shape)} must have the shape of logits ${show(logits.shape)}, or be a list of labels`,
      );
    }
    const smooth = labelSmoothing === 0 ? target : add(mul(target, 1 - labelSmoothing), labelSmoothing / classes);
    return reduced(neg(sum(weighted(smooth, logSoftmax(logits)), { axes: 1 })), reduction);
  }
  if (target.length !== batch) {
    throw new ShapeError("crossEntropy", `${target.length} labels for logits ${show(logits.shape)}: need one per row`);
  }
  const labels = checkIndices("crossEntropy", target, classes).slice();
  const losses = alloc(batch);
  kernels.crossEntropy(classes, labelSmoothing, labels, logits.data, losses);
  const y = record("crossEntropy", { labels, labelSmoothing }, [logits], [batch], losses, (dy, into) =>
    into(logits, (dx, accumulate) => kernels.crossEntropyGrad(classes, labelSmoothing, labels, logits.data, dy, dx, accumulate)),
  );
  return reduced(y, reduction);
}

/** The mean of (prediction − target)². "none" keeps the shape. */
export function meanSquaredError(
  prediction: Tensor,
  target: Tensor,
  { reduction = "mean" }: { readonly reduction?: Reduction } = {},
): Tensor {
  if (!sameShape(prediction.shape, target.shape)) {
    throw new ShapeError(
      "meanSquaredError",
      `prediction ${show(prediction.shape)} and target ${show(target.shape)} must have the same shape`,
    );
  }
  return reduced(square(sub(prediction, target)), reduction);
}

/**
 * Binary cross entropy of sigmoid(logits) against targets from 0 to 1: target·softplus(−logits) + (1 − target)·softplus(logits), which
 * never overflows, and keeps all digits of small losses. A term whose weight is 0 is 0, even if the logit is infinite. "none" keeps the
 * shape.
 */
export function binaryCrossEntropyWithLogits(
  logits: Tensor,
  target: Tensor,
  { reduction = "mean" }: { readonly reduction?: Reduction } = {},
): Tensor {
  if (!sameShape(logits.shape, target.shape)) {
    throw new ShapeError(
      "binaryCrossEntropyWithLogits",
      `logits ${show(logits.shape)} and target ${show(target.shape)} must have the same shape`,
    );
  }
  const [ifOne, ifZero] = [softplus(neg(logits)), softplus(logits)];
  return reduced(add(weighted(target, ifOne), weighted(sub(1, target), ifZero)), reduction);
}
