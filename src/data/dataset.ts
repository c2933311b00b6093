import { checkShape, readCount, type Shape, show, sizeOf } from "../tensor/index.ts";
import { DataError } from "./errors.ts";

/** Labelled examples, one after another. */
export type Dataset = {
  /** `[length, ...inputShape]`, row-major. Bytes stand for value / 255, floats for themselves. */
  readonly inputs: Uint8Array | Float32Array;
  readonly inputShape: Shape;
  /** `[length]`, each of 0 … classes - 1. */
  readonly labels: Int32Array;
  readonly classes: number;
};

/** How many examples there are. */
export function lengthOf(dataset: Dataset): number {
  return dataset.labels.length;
}

/** The first n examples, all of them where there are fewer. A view: nothing is copied. */
export function takeFirst(dataset: Dataset, n: number): Dataset {
  readCount("takeFirst", "n", n, 0);
  const { inputs, inputShape, labels } = dataset;
  const length = Math.min(n, labels.length);
  return { ...dataset, inputs: inputs.subarray(0, length * sizeOf(inputShape)), labels: labels.subarray(0, length) };
}

/**
 * Throws unless the inputs are as many as the labels say and every label is a class. `who` begins the message.
 * @throws DataError, ShapeError where `inputShape` is not a shape.
 */
export function checkDataset({ inputs, inputShape, labels, classes }: Dataset, who = "checkDataset"): void {
  checkShape(who, inputShape);
  if (!Number.isInteger(classes) || classes < 1) {
    throw new DataError(who, `classes must be a whole number of at least 1, got ${classes}`);
  }
  const wanted = labels.length * sizeOf(inputShape);
  if (inputs.length !== wanted) {
    throw new DataError(
      who,
      `${labels.length} labels with inputs of ${show(inputShape)} need ${wanted} numbers, got ${inputs.length}`,
    );
  }
  const bad = labels.findIndex((label) => !(Number.isInteger(label) && label >= 0 && label < classes));
  if (bad >= 0) throw new DataError(who, `label ${labels[bad]} at index ${bad} is not one of 0…${classes - 1}`);
}
