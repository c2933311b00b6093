import { gather, take } from "../ops/index.ts";
import { readCount, readIndices, readOptions, readTensor, type Tensor } from "../tensor/index.ts";
import { type Initializer, normalInit, readCreator, readInitializer, type VariableCreator } from "../variables/index.ts";

/**
 * A layer that looks up a learned row for each id from 0 to count − 1: ids [...] → [..., size].
 * The ids are a tensor of whole numbers or an Int32Array. The gradients of a row that is used several times add up; ids
 * get no gradient.
 * Variables: `kernel` [count, size] (normal with standard deviation 1, as PyTorch).
 * @param count - the number of ids
 * @param size - the numbers of a row
 * @throws ValueError if an id is not a whole number from 0 to count − 1.
 * @example
 * const layer = embedding(new DenseVariables(), 100, 16);
 * console.log(layer(Int32Array.of(5, 7, 5)).shape); //=> [ 3, 16 ]
 */
export function embedding(
  vars: VariableCreator,
  count: number,
  size: number,
  options?: {
    /** The initializer of the rows (default normal with standard deviation 1). */
    readonly init?: Initializer;
  },
): (ids: Tensor | Int32Array) => Tensor {
  readCreator("embedding", "vars", vars);
  readCount("embedding", "count", count, 1);
  readCount("embedding", "size", size, 0);
  const { init = normalInit(1) } = readOptions("embedding", options, ["init"]);
  readInitializer("embedding", "init", init);
  const kernel = vars.create("kernel", [count, size], { init });
  return (ids) => {
    readIndices("embedding", "ids", ids instanceof Int32Array ? ids : readTensor("embedding", "ids", ids).data, count);
    return ids instanceof Int32Array ? gather(kernel.read(), ids) : take(kernel.read(), ids);
  };
}
