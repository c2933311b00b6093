import { alloc } from "../kernels/index.ts";
import { describe, fresh, readList, readObject, readTensor, sizeOf, Tensor } from "../tensor/index.ts";
import { arrayKind } from "./dataset.ts";
import { DataError } from "./errors.ts";

/** An array of integers, one per example: class labels as targets, ids as inputs. Integers are never scaled. */
export type Integers = Uint8Array | Uint8ClampedArray | Int8Array | Uint16Array | Int16Array | Uint32Array | Int32Array;

/**
 * One array with an entry per example.
 * - A tensor `[examples, ...shape]`: batches are tensors `[batch, ...shape]`.
 * - A Float32Array or Float64Array, one number per example: batches are tensors `[batch, 1]`.
 * - An array of integers, one per example. As targets, batches are labels (Int32Array). As inputs, batches are tensors
 *   `[batch]`.
 */
export type Column = Tensor | Float32Array | Float64Array | Integers;

/** The batch of a column of targets. */
export type ColumnBatch<C> = C extends Tensor | Float32Array | Float64Array
  ? Tensor
  : C extends readonly Column[]
    ? { readonly [K in keyof C]: ColumnBatch<C[K]> }
    : Int32Array;

/** Columns in memory. Several inputs or targets are a list of columns. All columns have one entry per example. */
export type Arrays<Targets extends Column | readonly Column[] = Column | readonly Column[]> = {
  /** A column, or a list of columns for a model with several inputs. */
  readonly inputs: Column | readonly Column[];
  /** A column, or a list of columns. Optional for `predict`. */
  readonly targets: Targets;
};

/** Whether the numbers of a column are integers by kind. */
const isInteger = (column: Column): boolean => !(column instanceof Tensor) && !/^Float/.test(arrayKind(column) ?? "Float");

/** The number of examples of a column. @throws DataError if the value is not a column. */
export function columnLength(who: string, name: string, column: Column): number {
  if (column instanceof Tensor || arrayKind(column) === null) {
    if (Array.isArray(column) || typeof column !== "object" || column === null)
      throw new DataError(
        who,
        `${name} must be a tensor or a typed array, got ${describe(column)}; Int32Array.from(list) makes labels, Float32Array.from(list) numbers, tensor(list) rows`,
      );
    const { shape } = readTensor(who, name, column as Tensor);
    if (shape.length === 0) throw new DataError(who, `${name} is a single number: need a first axis of examples`);
    return shape[0]!;
  }
  return (column as Float32Array).length;
}

/** Checks columns; returns the number of examples, which is the same for all. */
export function arraysLength(who: string, given: { readonly inputs: unknown; readonly targets?: unknown }): number {
  readObject(who, "data", given);
  let first: { name: string; length: number } | null = null;
  for (const name of ["inputs", "targets"] as const) {
    const side = given[name];
    if (name === "targets" && side === undefined) continue;
    for (const [i, column] of columnsOf(side as Column).entries()) {
      const length = columnLength(who, Array.isArray(side) ? `${name}[${i}]` : name, column);
      first ??= { name, length };
      if (length !== first.length)
        throw new DataError(who, `${name} have ${length} examples, ${first.name} have ${first.length}: need as many of each`);
    }
  }
  return first!.length;
}

const columnsOf = (side: Column | readonly Column[]): readonly Column[] =>
  Array.isArray(side) ? readList("data", "columns", side as readonly Column[]) : [side as Column];

/** The inputs of some examples: a tensor, or one for each column. */
export function inputsAt(inputs: Column | readonly Column[], indices: Int32Array): Tensor | readonly Tensor[] {
  return Array.isArray(inputs)
    ? (inputs as readonly Column[]).map((column) => tensorAt(column, indices))
    : tensorAt(inputs as Column, indices);
}

/** The targets of some examples: labels for integers, else tensors. */
export function targetsAt(
  targets: Column | readonly Column[],
  indices: Int32Array,
): Tensor | Int32Array | readonly (Tensor | Int32Array)[] {
  const one = (column: Column): Tensor | Int32Array =>
    isInteger(column) ? Int32Array.from(indices, (i) => (column as Integers)[i]!) : tensorAt(column, indices);
  return Array.isArray(targets) ? (targets as readonly Column[]).map(one) : one(targets as Column);
}

/**
 * The entries of a column at `indices`, copied: [batch, ...shape] of a tensor, [batch, 1] of floats, [batch] of
 * integers.
 */
function tensorAt(column: Column, indices: Int32Array): Tensor {
  if (!(column instanceof Tensor)) {
    const y = alloc(indices.length);
    for (let i = 0; i < indices.length; i++) y[i] = column[indices[i]!]!;
    return fresh(isInteger(column) ? [indices.length] : [indices.length, 1], y);
  }
  const shape = column.shape.slice(1);
  const size = sizeOf(shape);
  const y = alloc(indices.length * size);
  const x = column.data;
  for (let i = 0; i < indices.length; i++) y.set(x.subarray(indices[i]! * size, (indices[i]! + 1) * size), i * size);
  return fresh([indices.length, ...shape], y);
}

/** Integers beyond this are not exact in float32. */
const MOST_EXACT = 2 ** 24;

/** Throws if ids that become a tensor are not exact in float32. */
export function checkIds(who: string, inputs: Column | readonly Column[]): void {
  for (const column of columnsOf(inputs)) {
    if (!isInteger(column)) continue;
    const wrong = (column as Int32Array).findIndex((id) => Math.abs(id) > MOST_EXACT);
    if (wrong >= 0)
      throw new DataError(
        who,
        `the id ${(column as Int32Array)[wrong]} at index ${wrong} is above 2^24 and not exact in float32`,
      );
  }
}
