import { batchOrder, type Column, type Data, sourceOf } from "../data/index.ts";
import { concat } from "../ops/index.ts";
import {
  inference,
  keep,
  noGrad,
  type Outputs,
  readCount,
  readFunction,
  readObject,
  readOptions,
  step,
  Tensor,
} from "../tensor/index.ts";
import { breathe } from "./breathe.ts";
import { forward, readBatch } from "./forward.ts";
import { type AnyModel, readSignal, type StopSignal } from "./options.ts";

/** Options of `predict`. */
export type PredictOptions<R extends Outputs = Tensor> = {
  /** The model, which `predict` calls with the inputs of a batch. */
  readonly model: AnyModel<R>;
  /** Inputs alone, such as `{ inputs: tensor }`, or data with targets, which are ignored. */
  readonly data: Data | { readonly inputs: Column | readonly Column[] };
  /** Examples per batch (default 256). */
  readonly batchSize?: number;
  /** Ends after the current batch; the result covers the batches so far (default: never). */
  readonly signal?: StopSignal;
};

/**
 * Returns the outputs of a model for all examples, in inference mode and in the order of the data. The result is a
 * tensor `[examples, ...]`, or a list of tensors if the model returns several.
 * @throws DataError if the parts of the data do not match. ValueError for options of the wrong kind.
 * @example
 * const model = toyNetwork(new DenseVariables());
 * const logits = await predict({ model, data: { inputs: ones([5, 28, 28, 1]) } });
 * console.log(logits.shape); //=> [ 5, 10 ]
 */
export async function predict<R extends Outputs = Tensor>(
  options: PredictOptions<R>,
): Promise<R extends Tensor ? Tensor : Tensor[]>;
export async function predict(options: PredictOptions<Outputs>): Promise<Tensor | Tensor[]> {
  const who = "predict";
  const given = readOptions(who, readObject(who, "options", options), ["model", "data", "batchSize", "signal"]);
  const { model, data, batchSize = 256, signal } = given;
  readFunction(who, "model", model);
  readCount(who, "batchSize", batchSize, 1);
  readSignal(who, signal);
  const source = sourceOf(data as Data, who);
  const parts: (readonly Tensor[])[] = [];
  let isList = false;
  // Without examples the model runs once on an empty batch, which tells the shape of its outputs.
  const order = source.length === 0 ? [new Int32Array(0)] : batchOrder(source.length, { batchSize });
  for (const indices of order) {
    if (signal?.aborted && parts.length > 0) break;
    const { inputs } = readBatch(who, "the batch", { ...(await source.batch(indices)), targets: [] });
    step(() => {
      const outputs = noGrad(() => inference(() => forward(who, model, inputs)));
      isList = !(outputs instanceof Tensor);
      parts.push((outputs instanceof Tensor ? [outputs] : outputs).map(keep));
    });
    await breathe();
  }
  const joined = parts[0]!.map((_, i) => concat(parts.map((outputs) => outputs[i]!)));
  return isList ? joined : joined[0]!;
}
