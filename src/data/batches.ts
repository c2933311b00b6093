import { alloc, type Numbers } from "../kernels/index.ts";
import {
  fresh,
  type Generator as Random,
  readBoolean,
  readCount,
  readGenerator,
  readIndices,
  readOptions,
  sizeOf,
  type Tensor,
} from "../tensor/index.ts";
import { checkOnce, type Dataset, isBytes } from "./dataset.ts";
import { DataError } from "./errors.ts";

/** The targets of a batch: a tensor, class labels, or several of these. */
export type Targets = Tensor | Int32Array | readonly (Tensor | Int32Array)[];

/** A batch of examples. For a model with several inputs, `inputs` is a list of tensors. */
export type Batch<T extends Targets = Targets, Inputs extends Tensor | readonly Tensor[] = Tensor | readonly Tensor[]> = {
  readonly inputs: Inputs;
  readonly targets: T;
};

/** The options that divide a dataset into batches. */
export type BatchOptions = {
  /** The number of examples per batch. */
  readonly batchSize: number;
  /** A generator that shuffles all examples first. Default: the examples keep their order. */
  readonly random?: Random | undefined;
  /** Omits the last batch if it is short (default false). */
  readonly dropLast?: boolean | undefined;
};

/** A dataset has fewer examples than this: their order is an Int32Array. */
export const MOST_EXAMPLES: number = 2 ** 31 - 1;

/**
 * Returns the number of batches that `length` examples make.
 * @param length - the number of examples
 * @param batchSize - the number of examples per batch
 * @param dropLast - omits the last batch if it is short (default false)
 * @example
 * console.log(batchCount(100, 32), batchCount(100, 32, true)); //=> 4 3
 */
export function batchCount(length: number, batchSize: number, dropLast = false): number {
  return countOf("batchCount", length, batchSize, dropLast);
}

function countOf(who: string, length: number, batchSize: number, dropLast: boolean): number {
  readCount(who, "length", length, 0, MOST_EXAMPLES);
  readCount(who, "batchSize", batchSize, 1);
  readBoolean(who, "dropLast", dropLast);
  return dropLast ? Math.floor(length / batchSize) : Math.ceil(length / batchSize);
}

/**
 * Returns the indices of the examples of each batch, for one epoch of your own loop. `train` does this itself.
 * @param length - the number of examples
 * @example
 * const order = batchOrder(5, { batchSize: 2, random: new Generator(1) });
 * console.log(order.map((batch) => [...batch])); //=> [ [ 1, 4 ], [ 3, 2 ], [ 0 ] ]
 */
export function batchOrder(length: number, options: BatchOptions): Int32Array[] {
  return orderOf("batchOrder", length, options);
}

function orderOf(who: string, length: number, options: BatchOptions): Int32Array[] {
  const { batchSize, random, dropLast = false } = readOptions(who, options, ["batchSize", "random", "dropLast"]);
  const count = countOf(who, length, batchSize, dropLast);
  if (random !== undefined) readGenerator(who, "random", random);
  const order = random?.permutation(length) ?? Int32Array.from({ length }, (_, i) => i);
  return Array.from({ length: count }, (_, i) => order.subarray(i * batchSize, (i + 1) * batchSize));
}

/**
 * Returns the examples at `indices`, copied. Inside `step()` the inputs use memory of the step.
 * @param dataset - labeled examples
 * @param indices - whole numbers from 0 to the number of examples − 1
 * @throws DataError if the fields of the dataset do not match, ValueError for an index outside the dataset.
 * @example
 * const { inputs, targets } = batchOf(syntheticDigits(10, new Generator(1)), [3, 7]);
 * console.log(inputs.shape, targets); //=> [ 2, 28, 28, 1 ] Int32Array(2) [ 3, 7 ]
 */
export function batchOf(dataset: Dataset, indices: ArrayLike<number>): Batch<Int32Array, Tensor> {
  checkOnce(dataset, "batchOf");
  const own = readIndices("batchOf", "indices", indices, dataset.labels.length);
  const { inputShape, classes } = dataset;
  const size = sizeOf(inputShape);
  const labels = new Int32Array(own.length);
  for (let i = 0; i < own.length; i++) {
    const label = dataset.labels[own[i]!]!;
    if (!(Number.isInteger(label) && label >= 0 && label < classes))
      // the array may have changed since it was checked
      throw new DataError("batchOf", `label ${label} at index ${own[i]} is not one of 0…${classes - 1}`);
    labels[i] = label;
  }
  const numbers = alloc(own.length * size);
  const copy = copierOf(dataset);
  for (let i = 0; i < own.length; i++) copy(own[i]! * size, size, numbers, i * size);
  return { inputs: fresh([own.length, ...inputShape], numbers), targets: labels };
}

/** byte / 255 of each byte. */
const SHARES = Float32Array.from({ length: 256 }, (_, byte) => byte / 255);

/**
 * Returns a function that copies `length` inputs, beginning at `at`, to y, beginning at `to`. It multiplies by `scale`.
 * Without `scale`, it divides bytes by 255 and keeps other numbers.
 */
function copierOf({ inputs, scale }: Dataset): (at: number, length: number, y: Numbers, to: number) => void {
  if (scale === undefined && isBytes(inputs)) {
    return (at, length, y, to) => {
      for (let j = 0; j < length; j++) y[to + j] = SHARES[inputs[at + j]!]!;
    };
  }
  if (scale === undefined || scale === 1) return (at, length, y, to) => y.set(inputs.subarray(at, at + length), to);
  return (at, length, y, to) => {
    for (let j = 0; j < length; j++) y[to + j] = inputs[at + j]! * scale;
  };
}

/**
 * Returns an iterator over the batches of one epoch, each example once. Makes each batch when it is requested.
 * @param dataset - labeled examples
 * @example
 * const data = syntheticDigits(5, new Generator(1));
 * console.log([...batches(data, { batchSize: 3 })].map(({ inputs }) => inputs.shape[0])); //=> [ 3, 2 ]
 */
export function batches(dataset: Dataset, options: BatchOptions): Generator<Batch<Int32Array, Tensor>> {
  checkOnce(dataset, "batches");
  return eachBatch(dataset, orderOf("batches", dataset.labels.length, options));
}

function* eachBatch(dataset: Dataset, order: readonly Int32Array[]): Generator<Batch<Int32Array, Tensor>> {
  for (const indices of order) yield batchOf(dataset, indices);
}
