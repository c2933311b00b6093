import { kernels } from "../backends/index.ts";
import { alloc } from "../kernels/index.ts";
import {
  checkShape,
  fresh,
  readCount,
  readIndices,
  readNumber,
  readNumbers,
  readOptions,
  readTensor,
  ShapeError,
  sameShape,
  show,
  sizeOf,
  Tensor,
  tensor,
  ValueError,
  zeros,
} from "../tensor/index.ts";
import { add, mul, mulUnlessZero, neg } from "./elementwise.ts";
import { gather } from "./gather.ts";
import { concat, reshape } from "./movement.ts";
import { logSoftmax } from "./normalization.ts";
import { record } from "./record.ts";
import { mean, sum } from "./reduce.ts";
import { type Reduction, readReduction, reduced } from "./reduction.ts";

/**
 * Returns a tensor with a 1 at each label and zeros elsewhere: [labels] → [labels, classes].
 * @param labels - whole numbers from 0 to classes − 1
 * @param classes - the number of classes
 * @example
 * console.log(oneHot([2, 0], 3)); //=> Tensor [2, 3] 0 0 1 1 0 0
 */
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

/** Options of `crossEntropy`. */
export type CrossEntropyOptions = {
  /** The share of the target that is distributed equally over all classes (Szegedy et al. 2016). Default 0. */
  readonly labelSmoothing?: number;
  /** "none" returns one loss per example: the shape of the logits without the last axis. Default "mean". */
  readonly reduction?: Reduction;
  /**
   * Examples with this label do not count, and their logits get no gradient. May be outside 0…classes−1. Default none.
   */
  readonly ignoreIndex?: number;
  /** One number of at least 0 per class, which multiplies the terms of the class. Default all 1. */
  readonly classWeights?: readonly number[] | Float32Array | Float64Array;
};

/**
 * Softmax cross entropy, −Σ target·log softmax(logits), for logits [..., classes]. Returns the mean by default.
 *
 * The target is one of
 * - labels 0…classes−1, one per example: a list in row-major order, or a tensor of whole numbers with the shape of the
 *   logits without the last axis;
 * - probabilities: a tensor with the shape of the logits.
 *
 * A class with target or weight 0 adds nothing, even if its logit is −∞. With labels, the mean divides by the sum of
 * the class weights of labels that are not ignored, as in PyTorch. If all labels are ignored, the mean is 0 (PyTorch:
 * NaN).
 * @param logits - [..., classes]
 * @param target - labels or probabilities
 * @throws ShapeError if the shapes do not fit, ValueError if a label is not a class.
 * @example
 * const logits = tensor([[2, 0, 0], [0, 1, 0]]);
 * console.log(crossEntropy(logits, [0, 1])); //=> Tensor [] 0.3955
 */
export function crossEntropy(
  logits: Tensor,
  target: Int32Array | readonly number[] | Tensor,
  options?: CrossEntropyOptions,
): Tensor {
  readTensor("crossEntropy", "logits", logits);
  const {
    labelSmoothing = 0,
    reduction = "mean",
    ignoreIndex,
    classWeights,
  } = readOptions("crossEntropy", options, ["labelSmoothing", "reduction", "ignoreIndex", "classWeights"]);
  readReduction("crossEntropy", reduction);
  readNumber("crossEntropy", "labelSmoothing", labelSmoothing, { least: 0, most: 1 });
  if (ignoreIndex !== undefined) readCount("crossEntropy", "ignoreIndex", ignoreIndex, Number.MIN_SAFE_INTEGER);
  const classes = logits.shape.at(-1);
  if (classes === undefined) throw new ShapeError("crossEntropy", "logits []: need [..., classes]");
  const weights = classWeights === undefined ? null : readWeights(classWeights, classes);
  const shape = logits.shape.slice(0, -1);
  if (target instanceof Tensor && sameShape(target.shape, logits.shape)) {
    if (ignoreIndex !== undefined)
      throw new ValueError("crossEntropy", "ignoreIndex needs labels, the target holds probabilities; set the ignored rows to 0");
    return reduced(softLosses(logits, target, labelSmoothing, weights), reduction);
  }
  if (target instanceof Tensor && !sameShape(target.shape, shape)) {
    throw new ShapeError(
      "crossEntropy",
      `target ${show(target.shape)} must have the shape of logits ${show(logits.shape)} (probabilities) or ${show(shape)} (labels)`,
    );
  }
  const { labels, counted } = readLabels(target, classes, ignoreIndex);
  const examples = sizeOf(shape);
  if (labels.length !== examples) {
    throw new ShapeError("crossEntropy", `${labels.length} labels for logits ${show(logits.shape)}: need one per row`);
  }
  const rows = logits.shape.length === 2 ? logits : reshape(logits, [examples, classes]);
  const [kept, keptLabels] = counted === null ? [rows, labels] : [gather(rows, counted), counted.map((i) => labels[i]!)];
  const losses = labelLosses(kept, keptLabels, labelSmoothing, weights);
  if (reduction === "sum") return sum(losses);
  if (reduction === "mean") {
    if (counted === null && weights === null) return mean(losses);
    const total = keptLabels.reduce((sum, label) => sum + (weights?.data[label] ?? 1), 0);
    return mul(sum(losses), total > 0 ? 1 / total : 0);
  }
  const each = counted === null ? losses : spread(losses, counted, examples);
  return shape.length === 1 ? each : reshape(each, shape);
}

/** One loss per example; 0 for ignored examples. */
function spread(losses: Tensor, counted: Int32Array, examples: number): Tensor {
  const places = new Int32Array(examples).fill(counted.length);
  for (const [place, example] of counted.entries()) places[example] = place;
  return gather(concat([losses, zeros([1])]), places);
}

function readWeights(given: ArrayLike<number>, classes: number): Tensor {
  const weights = Float32Array.from(readNumbers("crossEntropy", "classWeights", given));
  for (const [i, weight] of weights.entries()) readNumber("crossEntropy", `classWeights[${i}]`, weight, { least: 0 });
  if (weights.length !== classes)
    throw new ShapeError("crossEntropy", `${weights.length} class weights for ${classes} classes: need one per class`);
  return tensor(weights);
}

/** The labels, and which of them count (null if all do). Ignored labels become 0. */
function readLabels(
  target: Int32Array | readonly number[] | Tensor,
  classes: number,
  ignoreIndex: number | undefined,
): { labels: Int32Array; counted: Int32Array | null } {
  const given = target instanceof Tensor ? target.data : target;
  if (ignoreIndex === undefined) return { labels: readIndices("crossEntropy", "target", given, classes).slice(), counted: null };
  const list = Array.from(readNumbers("crossEntropy", "target", given));
  const known = list.map((label) => (label === ignoreIndex ? 0 : label));
  const labels = readIndices("crossEntropy", "target", known, classes);
  const counted = Int32Array.from(list.keys()).filter((i) => list[i] !== ignoreIndex);
  return { labels, counted: counted.length === labels.length ? null : counted };
}

/** One loss per row, from probabilities. */
function softLosses(logits: Tensor, target: Tensor, labelSmoothing: number, weights: Tensor | null): Tensor {
  const classes = logits.shape.at(-1)!;
  const smooth = labelSmoothing === 0 ? target : add(mul(target, 1 - labelSmoothing), labelSmoothing / classes);
  return neg(sum(mulUnlessZero(weights === null ? smooth : mul(smooth, weights), logSoftmax(logits)), -1));
}

/** One loss per row, from labels. Uses one kernel unless smoothed losses are weighted. */
function labelLosses(logits: Tensor, labels: Int32Array, labelSmoothing: number, weights: Tensor | null): Tensor {
  const classes = logits.shape[1]!;
  if (weights !== null && labelSmoothing > 0) return softLosses(logits, oneHot(labels, classes), labelSmoothing, weights);
  const losses = alloc(labels.length);
  kernels.crossEntropy(classes, labelSmoothing, logits.data, labels, losses);
  const attributes = { labels, labelSmoothing, reduction: "none" } as const;
  const y = record("crossEntropy", attributes, [logits], [labels.length], losses, (dy, into) =>
    into(logits, (dx, accumulate) => kernels.crossEntropyGrad(classes, labelSmoothing, logits.data, labels, dy, dx, accumulate)),
  );
  return weights === null ? y : mulUnlessZero(tensor(Float32Array.from(labels, (label) => weights.data[label]!)), y);
}
