import { argMax } from "../ops/index.ts";
import {
  readCount,
  readIndices,
  readList,
  readNumber,
  readTensor,
  ShapeError,
  sameShape,
  show,
  Tensor,
  ValueError,
} from "../tensor/index.ts";

/** The largest number of rows of a confusion matrix: 128 MiB of counts. */
export const MOST_COUNTED = 4096;

/** Labels: whole numbers in a list, or in a tensor. */
export type Labels = ArrayLike<number> | Tensor;

/** The rows and classes of logits [..., classes], and one label per row, checked. */
export function readLabeled(
  who: string,
  logits: Tensor,
  labels: Labels,
): { batch: number; classes: number; own: ArrayLike<number> } {
  const { shape, size } = readTensor(who, "logits", logits);
  const classes = shape.at(-1) ?? 0;
  if (shape.length < 2) throw new ShapeError(who, `logits ${show(shape)}: need [batch, classes], or [..., classes]`);
  const batch = classes === 0 ? shape.slice(0, -1).reduce((a, n) => a * n, 1) : size / classes;
  const own = readIndices(who, "labels", labels instanceof Tensor ? labels.data : labels, classes);
  if (own.length !== batch)
    throw new ShapeError(who, `logits ${show(shape)} and ${own.length} labels: need [..., classes] and one label per row`);
  return { batch, classes, own };
}

/**
 * Returns the number of rows whose maximum is at the label. A row with NaN never counts.
 * @param logits - [..., classes]
 * @param labels - one per row
 * @example
 * console.log(correctCount(tensor([[3, 1], [0, 2]]), [0, 0])); //=> 1
 */
export function correctCount(logits: Tensor, labels: Labels): number {
  return countWithin("correctCount", logits, labels, 1);
}

/**
 * Returns the number of rows whose label is among their k largest numbers. At a tie lower classes come first. A row
 * with NaN never counts.
 * @param logits - [..., classes]
 * @param labels - one per row
 * @param k - a whole number of at least 1
 * @example
 * console.log(topKCount(tensor([[3, 1, 2], [0, 2, 1]]), [2, 0], 2)); //=> 1
 */
export function topKCount(logits: Tensor, labels: Labels, k: number): number {
  return countWithin("topKCount", logits, labels, k);
}

function countWithin(who: string, logits: Tensor, labels: Labels, k: number): number {
  const { batch, classes, own: found } = readLabeled(who, logits, labels);
  readCount(who, "k", k, 1);
  const numbers = logits.data;
  let correct = 0;
  for (let row = 0; row < batch; row++) {
    const label = found[row]!;
    const own = numbers[row * classes + label]!;
    let before = 0;
    for (let j = 0; j < classes; j++) {
      const other = numbers[row * classes + j]!;
      if (Number.isNaN(other)) before = k;
      else if (other > own || (other === own && j < label)) before++;
    }
    if (before < k) correct++;
  }
  return correct;
}

/** The share of rows with the label among their k largest numbers. */
function shareWithin(who: string, logits: Tensor, labels: Labels, k: number): number {
  return countWithin(who, logits, labels, k) / (labels instanceof Tensor ? labels.size : labels.length);
}

/**
 * Returns the share of rows whose maximum is at the label, from 0 to 1; NaN for no rows. Use it as a metric of `train`
 * for labels of any rank: a class per word or per pixel.
 * @param logits - [..., classes]
 * @param labels - one per row
 * @example
 * console.log(accuracy(tensor([[3, 1], [0, 2]]), [0, 0])); //=> 0.5
 */
export function accuracy(logits: Tensor, labels: Labels): number {
  return shareWithin("accuracy", logits, labels, 1);
}

/**
 * Returns the share of correct outputs; NaN for no outputs. An output is correct if it is above `threshold` exactly
 * when the target is above 0.5.
 * @param outputs - any shape
 * @param targets - a tensor with the shape of the outputs
 * @param threshold - the threshold of the outputs (default 0, for logits)
 * @example
 * console.log(binaryAccuracy(tensor([2, -1, 3]), tensor([1, 0, 0]))); //=> 0.6666666666666666
 */
export function binaryAccuracy(outputs: Tensor, targets: Tensor, threshold = 0): number {
  const [y, t] = [readTensor("binaryAccuracy", "outputs", outputs), readTensor("binaryAccuracy", "targets", targets)];
  readNumber("binaryAccuracy", "threshold", threshold);
  if (!sameShape(y.shape, t.shape))
    throw new ShapeError("binaryAccuracy", `outputs ${show(y.shape)} and targets ${show(t.shape)} must have the same shape`);
  let right = 0;
  for (let i = 0; i < y.size; i++) if (y.data[i]! > threshold === t.data[i]! > 0.5) right++;
  return right / y.size;
}

/**
 * Returns the share of rows whose label is among their k largest numbers, from 0 to 1; NaN for no rows.
 * @param logits - [..., classes]
 * @param labels - one per row
 * @param k - a whole number of at least 1
 * @example
 * console.log(topKAccuracy(tensor([[3, 1, 2], [0, 2, 1]]), [2, 0], 2)); //=> 0.5
 */
export function topKAccuracy(logits: Tensor, labels: Labels, k: number): number {
  return shareWithin("topKAccuracy", logits, labels, k);
}

/**
 * Returns the confusion matrix, counts[label][prediction], for at most 4096 classes.
 * @param logits - [batch, classes]
 * @param labels - one per row
 * @param counts - earlier counts, to which the new counts are added (default: zeros)
 * @example
 * console.log(confusionMatrix(tensor([[3, 1], [0, 2]]), [0, 0])); //=> [ [ 1, 1 ], [ 0, 0 ] ]
 */
export function confusionMatrix(logits: Tensor, labels: Labels, counts?: number[][]): number[][] {
  const who = "confusionMatrix";
  const { batch, classes, own } = readLabeled(who, logits, labels);
  if (classes > MOST_COUNTED)
    throw new ValueError(who, `logits ${show(logits.shape)}: at most ${MOST_COUNTED} classes are counted`);
  if (counts !== undefined) checkCounts(who, counts, logits, classes);
  const matrix = counts ?? Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
  if (batch === 0) return matrix;
  const predictions = argMax(logits);
  for (let row = 0; row < batch; row++) matrix[own[row]!]![predictions[row]!]!++;
  return matrix;
}

function checkCounts(who: string, counts: number[][], logits: Tensor, classes: number): void {
  readList(who, "counts", counts);
  if (!(counts.length >= classes && counts.every((row) => Array.isArray(row) && row.length >= classes)))
    throw new ShapeError(who, `counts are too few for logits ${show(logits.shape)}: need ${classes} rows of ${classes}`);
  for (const row of counts)
    for (let i = 0; i < classes; i++)
      if (typeof row[i] !== "number") throw new ValueError(who, "counts must be lists of numbers");
}
