import { checkShape, describe, readCount, readNumber, readObject, readText, type Shape, show, sizeOf } from "../tensor/index.ts";
import { DataError } from "./errors.ts";

/** The array types of inputs of a dataset. */
export type InputNumbers =
  | Uint8Array
  | Uint8ClampedArray
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | Float32Array
  | Float64Array;

/** Labeled examples. In the shapes below, `length` is the number of examples. */
export type Dataset = {
  /**
   * The inputs one after another: `[length, ...inputShape]`, row-major. Bytes (Uint8Array, Uint8ClampedArray) are
   * pixels: each is divided by 255, unless `scale` is given. Numbers of every other type are used unchanged. This
   * applies to a Dataset only: in data of the form `{ inputs, targets }`, integers are never scaled.
   */
  readonly inputs: InputNumbers;
  /** The shape of one input, such as [height, width, channels] of an image. */
  readonly inputShape: Shape;
  /** The class of each example: `[length]`, each from 0 to `classes` − 1. */
  readonly labels: Int32Array;
  /** The number of classes. */
  readonly classes: number;
  /** Multiplies each input. Default 1 / 255 for bytes, else 1. Use 1 for bytes that are not pixels. */
  readonly scale?: number | undefined;
};

const FIELDS: readonly string[] = ["inputs", "inputShape", "labels", "classes", "scale"] satisfies (keyof Dataset)[];

const KINDS = [
  "Uint8Array",
  "Uint8ClampedArray",
  "Int8Array",
  "Uint16Array",
  "Int16Array",
  "Uint32Array",
  "Int32Array",
  "Float32Array",
  "Float64Array",
];

/**
 * The class name of an array of numbers, whichever realm (iframe, vm, worker) made the array; null for every other
 * value.
 */
export function arrayKind(value: unknown): string | null {
  if (!ArrayBuffer.isView(value)) return null;
  const kind = Object.prototype.toString.call(value).slice(8, -1);
  return KINDS.includes(kind) ? kind : null;
}

/** Whether a value is an array of bytes. `instanceof` would miss arrays of another realm. */
export function isBytes(value: unknown): boolean {
  const kind = arrayKind(value);
  return kind === "Uint8Array" || kind === "Uint8ClampedArray";
}

/**
 * Returns the first n examples, or all examples if there are fewer. Copies nothing.
 * @param dataset - labeled examples
 * @param n - the number of examples
 * @example
 * console.log(lengthOf(takeFirst(syntheticDigits(100, new Generator(1)), 10))); //=> 10
 */
export function takeFirst(dataset: Dataset, n: number): Dataset {
  readCount("takeFirst", "n", n, 0);
  checkOnce(dataset, "takeFirst");
  const { inputs, inputShape, labels } = dataset;
  const length = Math.min(n, labels.length);
  return { ...dataset, inputs: inputs.subarray(0, length * sizeOf(inputShape)), labels: labels.subarray(0, length) };
}

/**
 * Throws unless the inputs match the labels, every label is a class, and all fields are those of a dataset.
 * @param dataset - labeled examples
 * @param who - begins the message (default "checkDataset")
 * @throws DataError; ShapeError if `inputShape` is not a shape.
 * @example
 * checkDataset({ inputs: new Float32Array(6), inputShape: [3], labels: Int32Array.of(0, 1), classes: 2 });
 */
export function checkDataset(dataset: Dataset, who = "checkDataset"): void {
  readText("checkDataset", "who", who);
  readObject(who, "the dataset", dataset);
  const unknown = Object.keys(dataset).find((key) => !FIELDS.includes(key));
  if (unknown !== undefined)
    throw new DataError(who, `the dataset has a field "${unknown}"; its fields are ${FIELDS.join(", ")}`);
  const { inputs, inputShape, labels, classes, scale } = dataset;
  if (arrayKind(inputs) === null)
    throw new DataError(who, `inputs must be a typed array of numbers, such as a Float32Array, got ${describe(inputs)}`);
  if (arrayKind(labels) === null) throw new DataError(who, `labels must be an Int32Array, got ${describe(labels)}`);
  checkShape(who, inputShape);
  if (!Number.isSafeInteger(classes) || classes < 1) {
    throw new DataError(who, `classes must be a whole number of at least 1, got ${describe(classes)}`);
  }
  if (scale !== undefined) readNumber(who, "scale", scale);
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

/** The fields at the time of a check. A replaced field or another length of an array causes a new check. */
type Checked = { readonly dataset: Dataset; readonly lengths: readonly number[] };

const checkedDatasets = new WeakMap<object, Checked>();

const lengthsOf = ({ inputs, inputShape, labels }: Dataset): number[] => [inputs.length, labels.length, sizeOf(inputShape)];

/** `checkDataset`, once per dataset: later calls compare fields and lengths only. */
export function checkOnce(dataset: Dataset, who: string): void {
  readObject(who, "the dataset", dataset);
  const seen = checkedDatasets.get(dataset);
  if (seen !== undefined && isUnchanged(seen, dataset)) return;
  checkDataset(dataset, who);
  checkedDatasets.set(dataset, { dataset: { ...dataset }, lengths: lengthsOf(dataset) });
}

function isUnchanged({ dataset: old, lengths }: Checked, dataset: Dataset): boolean {
  const same =
    old.inputs === dataset.inputs &&
    old.labels === dataset.labels &&
    old.inputShape === dataset.inputShape &&
    old.classes === dataset.classes &&
    old.scale === dataset.scale;
  return same && lengthsOf(dataset).every((length, i) => length === lengths[i]);
}
