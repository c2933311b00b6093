import { alloc, type Numbers } from "../kernels/index.ts";
import { fresh, type Generator as Random, readCount, sizeOf, type Tensor, ValueError } from "../tensor/index.ts";
import { type Dataset, lengthOf } from "./dataset.ts";

/** Some examples of a dataset. */
export type Batch = {
  /** `[batch, ...inputShape]` */
  readonly inputs: Tensor;
  /** `[batch]` */
  readonly labels: Int32Array;
};

/** How a dataset is cut into batches. */
export type BatchOptions = {
  readonly batchSize: number;
  /** Shuffles all examples before cutting; in order where left out. */
  readonly random?: Random | undefined;
  /** Leaves out the last batch where it is short (false). */
  readonly dropLast?: boolean | undefined;
};

/** How many batches `length` examples make. */
export function batchCount(length: number, batchSize: number, dropLast = false): number {
  readCount("batchCount", "batchSize", batchSize, 1);
  return dropLast ? Math.floor(length / batchSize) : Math.ceil(length / batchSize);
}

/** The examples of each batch of one epoch, as indices. */
export function batchOrder(length: number, { batchSize, random, dropLast }: BatchOptions): Int32Array[] {
  const count = batchCount(length, batchSize, dropLast);
  const order = random?.permutation(length) ?? Int32Array.from({ length }, (_, i) => i);
  return Array.from({ length: count }, (_, i) => order.subarray(i * batchSize, (i + 1) * batchSize));
}

/** The examples at `indices`, copied. Inside `step()` the inputs are the step's own, and cost no new memory. */
export function batchOf(dataset: Dataset, indices: ArrayLike<number>): Batch {
  const { inputs, inputShape } = dataset;
  const size = sizeOf(inputShape);
  const labels = new Int32Array(indices.length);
  const numbers = alloc(indices.length * size);
  for (let i = 0; i < indices.length; i++) {
    const index = indices[i]!;
    const label = dataset.labels[index];
    if (label === undefined) {
      throw new ValueError("batchOf", `index ${index} is not inside a dataset of ${lengthOf(dataset)} examples`);
    }
    labels[i] = label;
    if (inputs instanceof Uint8Array) readBytes(inputs, index * size, size, numbers, i * size);
    else numbers.set(inputs.subarray(index * size, (index + 1) * size), i * size);
  }
  return { inputs: fresh([indices.length, ...inputShape], numbers), labels };
}

const SHARES = Float32Array.from({ length: 256 }, (_, byte) => byte / 255);

/** y from `to` on = `length` bytes of x from `at` on, each as its share of 255. */
function readBytes(x: Uint8Array, at: number, length: number, y: Numbers, to: number): void {
  for (let j = 0; j < length; j++) y[to + j] = SHARES[x[at + j]!]!;
}

/** One epoch: every example once, batch by batch, each made when it is asked for. */
export function* batches(dataset: Dataset, options: BatchOptions): Generator<Batch> {
  for (const indices of batchOrder(lengthOf(dataset), options)) yield batchOf(dataset, indices);
}
