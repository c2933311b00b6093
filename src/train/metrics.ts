import { argMax } from "../ops/index.ts";
import { readCount, ShapeError, show, type Tensor, ValueError } from "../tensor/index.ts";

function rowsAndClasses(who: string, logits: Tensor, labels: ArrayLike<number>): [number, number] {
  if (logits.shape.length !== 2 || logits.shape[0] !== labels.length) {
    throw new ShapeError(
      who,
      `logits ${show(logits.shape)} and ${labels.length} labels: need [batch, classes] and one label per row`,
    );
  }
  const [batch, classes] = logits.shape as [number, number];
  for (let row = 0; row < batch; row++) {
    const label = labels[row]!;
    if (!(Number.isInteger(label) && label >= 0 && label < classes))
      throw new ValueError(who, `label ${label} at row ${row} is not one of 0…${classes - 1}`);
  }
  return [batch, classes];
}

/** How many rows of logits [batch, classes] have their largest number at the label. A row with NaN is never right. */
export function correctCount(logits: Tensor, labels: ArrayLike<number>): number {
  return countWithin("correctCount", logits, labels, 1);
}

/**
 * How many rows have the label among their k largest numbers; of equal numbers those of lower classes come first. A row with NaN is
 * never right.
 */
export function topKCount(logits: Tensor, labels: ArrayLike<number>, k: number): number {
  return countWithin("topKCount", logits, labels, k);
}

function countWithin(who: string, logits: Tensor, labels: ArrayLike<number>, k: number): number {
  const [batch, classes] = rowsAndClasses(who, logits, labels);
  readCount(who, "k", k, 1);
  const numbers = logits.data;
  let correct = 0;
  for (let row = 0; row < batch; row++) {
    const label = labels[row]!;
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

/** The share of rows that are right, 0…1; NaN for no rows. */
export function accuracy(logits: Tensor, labels: ArrayLike<number>): number {
  return countWithin("accuracy", logits, labels, 1) / labels.length;
}

/** The share of rows with the label among their k largest numbers, 0…1; NaN for no rows. */
export function topKAccuracy(logits: Tensor, labels: ArrayLike<number>, k: number): number {
  return countWithin("topKAccuracy", logits, labels, k) / labels.length;
}

/** counts[label][prediction] over the rows of logits [batch, classes]; added to `counts` where given. */
export function confusionMatrix(logits: Tensor, labels: ArrayLike<number>, counts?: number[][]): number[][] {
  const [batch, classes] = rowsAndClasses("confusionMatrix", logits, labels);
  if (counts !== undefined && !(counts.length >= classes && counts.every((row) => row.length >= classes)))
    throw new ShapeError(
      "confusionMatrix",
      `counts are too few for logits ${show(logits.shape)}: need ${classes} rows of ${classes}`,
    );
  const matrix = counts ?? Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
  if (batch === 0) return matrix;
  const predictions = argMax(logits);
  for (let row = 0; row < batch; row++) matrix[labels[row]!]![predictions[row]!]!++;
  return matrix;
}
