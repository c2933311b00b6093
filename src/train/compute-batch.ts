import { type Data, type Dataset, type InputsOf, sourceOf, type TargetsOf } from "../data/index.ts";
import {
  assignGradient,
  gradientOf,
  type Outputs,
  type Parameter,
  readCount,
  readFunction,
  readList,
  readOptions,
  step,
  type Tensor,
  watched,
  zeroGrad,
} from "../tensor/index.ts";
import { restoreAssigned } from "./diagnosis.ts";
import { type BatchTask, learn } from "./learn.ts";
import { correctCount } from "./metrics.ts";
import type { AnyModel, Loss, Transform } from "./options.ts";
import { areClassified } from "./tally.ts";

/** What the gradients of a batch depend on. The fields mean the same as in the options of `train`. */
export type BatchOptions<D extends Data = Dataset, R extends Outputs = Tensor> = {
  /** The model. */
  readonly model: AnyModel<R>;
  /** The parameters that get gradients: those of the optimizer. */
  readonly parameters: readonly Parameter[];
  /** The training data. */
  readonly data: D;
  /** The loss, with the default of `train`. */
  readonly loss?: Loss<R, TargetsOf<D>>;
  /** Changes the batch (default: no change). */
  readonly transform?: Transform<TargetsOf<D>, InputsOf<D>>;
  /** The seed of the generator of `transform` (default 0). */
  readonly seed?: number;
};

/** The gradients of a batch, and its scores. */
export type ComputedBatch = {
  /** The mean loss of the examples. */
  readonly loss: number;
  /** The number of examples that are classified correctly; null unless the model classifies and targets are labels. */
  readonly correct: number | null;
  /** The gradient of each parameter, times the share of the batch. Null for a parameter that got none. */
  readonly gradients: readonly (Float32Array | null)[];
  /** The new numbers of the tensors that layers assign, such as running statistics. */
  readonly assigned: ReadonlyMap<Tensor, Float32Array>;
};

const OPTIONS = ["model", "parameters", "data", "loss", "transform", "seed"] as const;

/**
 * Returns loss and gradients of a batch in training mode, as `train` computes them. Changes nothing: parameters, their
 * gradients and running statistics are afterwards as before. With `trainWith`, several processes can compute the parts
 * of a batch. `part` is the number of such a part: it gives `transform` a generator of its own.
 * @param options - the model, its parameters and the data
 * @param task - the batch, which `trainWith` gives
 * @param part - the number of a part of the batch, from 0 (default: the task is the whole batch)
 * @throws TrainingError if a loss or a gradient is not finite, or if no parameter gets a gradient.
 * @example
 * const vars = new DenseVariables();
 * const model = toyNetwork(vars);
 * const data = syntheticDigits(100, new Generator(1));
 * const optimizer = adam(vars.parameters());
 * const parts = { model, data, parameters: optimizer.parameters };
 * const { epochs } = await trainWith({ model, data, optimizer }, (task) => computeBatch(parts, task));
 * console.log(epochs[0]!.examples); //=> 100
 */
export async function computeBatch<D extends Data = Dataset, R extends Outputs = Tensor>(
  options: BatchOptions<D, R>,
  task: BatchTask,
  part?: number,
): Promise<ComputedBatch> {
  const who = "computeBatch";
  const given = readOptions(who, options as BatchOptions<Data, Outputs>, OPTIONS);
  const { data, seed = 0 } = given;
  readFunction(who, "model", given.model);
  readList(who, "parameters", given.parameters);
  const source = sourceOf(data, who);
  const { epoch, batch, indices, ...place } = task;
  const draws = `batch ${epoch}/${batch}${part === undefined ? "" : `/${readCount(who, "part", part, 0)}`}`;
  const made = source.isInMemory ? null : await source.batch(indices);
  const tensors = given.parameters.map(({ tensor }) => tensor);
  const before = tensors.map((tensor) => gradientOf(tensor)?.slice() ?? null);
  zeroGrad(tensors);
  try {
    return step(() =>
      watched((watch) => {
        let [loss, correct] = [Number.NaN, null as number | null];
        learn({ ...given, seed, source }, made, indices, { ...place, draws }, watch, (outputs, targets, mean) => {
          loss = mean;
          correct = areClassified(outputs, targets) ? correctCount(outputs, targets as Int32Array) : null;
        });
        const gradients = tensors.map((tensor) => gradientOf(tensor)?.slice() ?? null);
        const assigned = new Map(Array.from(watch.assigned.keys(), (tensor) => [tensor, tensor.toArray()]));
        restoreAssigned(watch);
        return { loss, correct, gradients, assigned };
      }),
    );
  } finally {
    for (const [i, tensor] of tensors.entries()) assignGradient(tensor, before[i]!);
  }
}
