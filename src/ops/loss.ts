import { alloc, kernels } from "../kernels/index.ts";
import {
  checkShape,
  fresh,
  readCount,
  readIndices,
  readName,
  readNumber,
  readOptions,
  readTensor,
  record,
  ShapeError,
  sameShape,
  show,
  Tensor,
} from "../tensor/index.ts";
import { add, mul, neg, softplus, square, sub } from "./elementwise.ts";
import { logSoftmax } from "./normalise.ts";
import { mean, sum } from "./reduce.ts";

/** What becomes of the losses of a batch: their mean (the default), their sum, or one number per example. */
export type Reduction = "mean" | "sum" | "none";

function reduced(losses: Tensor, reduction: Reduction): Tensor {
  if (reduction === "mean") return mean(losses);
  return reduction === "sum" ? sum(losses) : losses;
}

function readReduction(who: string, reduction: Reduction): Reduction {
  return readName(who, "reduction", reduction, ["mean", "sum", "none"]);
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
  readCount("oneHot", "classes", classes, 0);
  const found = readIndices("oneHot", "labels", labels, classes);
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
  options?: { readonly labelSmoothing?: number; readonly reduction?: Reduction },
): Tensor {
  readTensor("crossEntropy", "logits", logits);
  const { labelSmoothing = 0, reduction = "mean" } = readOptions("crossEntropy", options, ["labelSmoothing", "reduction"]);
  readReduction("crossEntropy", reduction);
  readNumber("crossEntropy", "labelSmoothing", labelSmoothing, { least: 0, most: 1 });
  const [batch = 0, classes = 0] = logits.shape;
  if (logits.shape.length !== 2) throw new ShapeError("crossEntropy", `logits ${show(logits.shape)}: need [batch, classes]`);
  if (target instanceof Tensor) {
    if (!sameShape(target.shape, logits.shape)) {
      throw new ShapeError(
        "crossEntropy",
        `target ${show(target.shape)} must have the shape of logits ${show(logits.shape)}, or be a list of labels`,
      );
    }
    const smooth = labelSmoothing === 0 ? target : add(mul(target, 1 - labelSmoothing), labelSmoothing / classes);
    return reduced(neg(sum(weighted(smooth, logSoftmax(logits)), 1)), reduction);
  }
  const labels = readIndices("crossEntropy", "target", target, classes).slice();
  if (labels.length !== batch) {
    throw new ShapeError("crossEntropy", `${labels.length} labels for logits ${show(logits.shape)}: need one per row`);
  }
  const losses = alloc(batch);
  kernels.crossEntropy(classes, labelSmoothing, labels, logits.data, losses);
  const y = record("crossEntropy", { labels, labelSmoothing }, [logits], [batch], losses, (dy, into) =>
    into(logits, (dx, accumulate) => kernels.crossEntropyGrad(classes, labelSmoothing, labels, logits.data, dy, dx, accumulate)),
  );
  return reduced(y, reduction);
}

/** The mean of (prediction − target)². "none" keeps the shape. */
export function meanSquaredError(prediction: Tensor, target: Tensor, options?: { readonly reduction?: Reduction }): Tensor {
  readTensor("meanSquaredError", "prediction", prediction);
  readTensor("meanSquaredError", "target", target);
  const { reduction = "mean" } = readOptions("meanSquaredError", options, ["reduction"]);
  readReduction("meanSquaredError", reduction);
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
  options?: { readonly reduction?: Reduction },
): Tensor {
  readTensor("binaryCrossEntropyWithLogits", "logits", logits);
  readTensor("binaryCrossEntropyWithLogits", "target", target);
  const { reduction = "mean" } = readOptions("binaryCrossEntropyWithLogits", options, ["reduction"]);
  readReduction("binaryCrossEntropyWithLogits", reduction);
  if (!sameShape(logits.shape, target.shape)) {
    throw new ShapeError(
      "binaryCrossEntropyWithLogits",
      `logits ${show(logits.shape)} and target ${show(target.shape)} must have the same shape`,
    );
  }
  const [ifOne, ifZero] = [softplus(neg(logits)), softplus(logits)];
  return reduced(add(weighted(target, ifOne), weighted(sub(1, target), ifZero)), reduction);
}
