/**
 * Datasets, batches, and files in the IDX format.
 * @module data
 */
export type { Arrays, Column, ColumnBatch, Integers } from "./arrays.ts";
export { type Batch, type BatchOptions, batchCount, batches, batchOf, batchOrder, type Targets } from "./batches.ts";
export { checkDataset, type Dataset, type InputNumbers, takeFirst } from "./dataset.ts";
export { DataError } from "./errors.ts";
export { encodeIdx, type Idx, parseIdx, readIdx } from "./idx.ts";
export { mnistFolder, readMnist } from "./mnist.ts";
export { type Data, type InputsOf, lengthOf, type Source, sourceOf, subset, type TargetsOf } from "./source.ts";
export { type SyntheticOptions, syntheticDigits } from "./synthetic.ts";
