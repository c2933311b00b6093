export { type Batch, type BatchOptions, batchCount, batches, batchOf, batchOrder } from "./batches.ts";
export { checkDataset, type Dataset, type InputNumbers, lengthOf, takeFirst } from "./dataset.ts";
export { DataError } from "./errors.ts";
export { encodeIdx, type Idx, parseIdx, readIdx } from "./idx.ts";
export { mnistFolder, readMnist } from "./mnist.ts";
export { type SyntheticOptions, syntheticDigits } from "./synthetic.ts";
