import { readCount, readFunction, readIndices, readObject, readText, type Tensor } from "../tensor/index.ts";
import { type Arrays, arraysLength, type Column, type ColumnBatch, checkIds, inputsAt, targetsAt } from "./arrays.ts";
import { type Batch, batchOf, MOST_EXAMPLES, type Targets } from "./batches.ts";
import { checkOnce, type Dataset } from "./dataset.ts";
import { DataError } from "./errors.ts";

/** Examples that are made on request: from files, a database, a generator. */
export type Source<T extends Targets = Targets, Inputs extends Tensor | readonly Tensor[] = Tensor | readonly Tensor[]> = {
  /** The number of examples. */
  readonly length: number;
  /** The examples at `indices`, in this order. May be async, for data that do not fit into memory. */
  readonly batch: (indices: Int32Array) => Batch<T, Inputs> | Promise<Batch<T, Inputs>>;
  /**
   * Whether `batch` is synchronous, so that `train` may call it inside `step`, in memory of the step (default false).
   */
  readonly isInMemory?: boolean;
};

/** The data of `train` and `evaluate`: labeled examples, columns in memory, or a source. */
export type Data = Dataset | Arrays | Source;

/** The type of the targets of batches. */
export type TargetsOf<D> = D extends { readonly labels: unknown }
  ? Int32Array
  : D extends Source<infer T>
    ? T
    : D extends { readonly targets: infer C }
      ? Extract<ColumnBatch<C>, Targets>
      : never;

/** The type of the inputs of batches: a tensor, or a list of tensors for several columns. */
export type InputsOf<D> = D extends { readonly labels: unknown }
  ? Tensor
  : D extends Source<Targets, infer Inputs>
    ? Inputs
    : D extends { readonly inputs: infer C }
      ? C extends readonly Column[]
        ? readonly Tensor[]
        : Tensor
      : never;

/**
 * Returns any data as a source, for your own training loop. Copies nothing before a batch is requested.
 * @param data - labeled examples, columns, or a source
 * @param who - begins the messages (default "sourceOf")
 * @throws DataError if the parts of the data do not match, ValueError for anything else.
 * @example
 * const source = sourceOf({ inputs: ones([4, 2]), targets: Int32Array.of(0, 1, 1, 0) });
 * const { targets } = await source.batch(Int32Array.of(1, 3));
 * console.log(targets); //=> Int32Array(2) [ 1, 0 ]
 */
export function sourceOf<D extends Data>(data: D, who = "sourceOf"): Source<TargetsOf<D>, InputsOf<D>> {
  readText("sourceOf", "who", who);
  return readSource(who, data) as Source<TargetsOf<D>, InputsOf<D>>;
}

function readSource(who: string, data: Data): Source {
  readObject(who, "data", data);
  if ("batch" in data) {
    readFunction(who, "data.batch", data.batch);
    readCount(who, "data.length", data.length, 0, MOST_EXAMPLES);
    return data;
  }
  if (!("inputs" in data) || "labels" in data || "inputShape" in data) {
    const dataset = data as Dataset;
    checkOnce(dataset, who);
    return { length: dataset.labels.length, batch: (indices) => batchOf(dataset, indices), isInMemory: true };
  }
  const unknown = Object.keys(data).find((key) => key !== "inputs" && key !== "targets");
  if (unknown !== undefined) throw new DataError(who, `data have a field "${unknown}"; columns are { inputs, targets } only`);
  const { inputs, targets } = data;
  const length = arraysLength(who, data);
  checkIds(who, inputs);
  const batch = (indices: Int32Array): Batch => {
    const own = readIndices(who, "indices", indices, length);
    return { inputs: inputsAt(inputs, own), targets: targets === undefined ? [] : targetsAt(targets, own) };
  };
  return { length, batch, isInMemory: true };
}

/**
 * Returns the examples of data at `indices`, in this order, as data: for a validation split. Copies nothing.
 * @param data - labeled examples, columns, or a source
 * @param indices - whole numbers from 0 to the number of examples − 1
 * @example
 * const data = syntheticDigits(1000, new Generator(1));
 * const order = new Generator(1).permutation(lengthOf(data));
 * const [validation, training] = [subset(data, order.subarray(0, 100)), subset(data, order.subarray(100))];
 * console.log(lengthOf(validation), lengthOf(training)); //=> 100 900
 */
export function subset<D extends Data>(data: D, indices: ArrayLike<number>): Source<TargetsOf<D>, InputsOf<D>> {
  const { length, batch, isInMemory = false } = sourceOf(data, "subset");
  const own = readIndices("subset", "indices", indices, length).slice();
  const chosen = (positions: ArrayLike<number>): Int32Array =>
    Int32Array.from(readIndices("subset", "indices", positions, own.length), (i) => own[i]!);
  return { length: own.length, batch: (positions) => batch(chosen(positions)), isInMemory };
}

/**
 * Returns the number of examples.
 * @param data - labeled examples, columns, or a source
 * @example
 * console.log(lengthOf({ inputs: ones([4, 2]), targets: Int32Array.of(0, 1, 1, 0) })); //=> 4
 */
export function lengthOf(data: Data): number {
  return readSource("lengthOf", data).length;
}
