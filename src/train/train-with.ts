import type { Data, Dataset } from "../data/index.ts";
import {
  areFinite,
  assign,
  assignGradient,
  gradientOf,
  type Outputs,
  readFunction,
  ShapeError,
  type Tensor,
} from "../tensor/index.ts";
import type { ComputedBatch } from "./compute-batch.ts";
import { areGradientsFinite, type BatchTask } from "./learn.ts";
import { readTrainOptions, TrainingError, type TrainOptions, type TrainRun } from "./options.ts";
import type { Tally } from "./tally.ts";
import { type Gradients, type History, type Learner, trainRun } from "./train.ts";

/**
 * Computes a batch of `trainWith`. Returns null if the signal of the run ended the wait: then the batch changes
 * nothing, and the run ends.
 */
export type BatchLearner = (task: BatchTask) => ComputedBatch | null | Promise<ComputedBatch | null>;

/**
 * Trains as `train`, but `learner` computes the gradients of each batch, such as by other processes. With
 * `computeBatch` as the learner, the run ends with the same weights as `train`. In the progress of an epoch, metrics
 * are NaN, because outputs of the model are not known. Validation data are evaluated in this process.
 * @param options - the options of `train`
 * @param learner - computes the gradients of a batch
 * @throws TrainingError as `train`, and if a number of the learner is not finite. ShapeError if the number of gradients
 * or their lengths do not fit the parameters of the optimizer.
 * @example
 * const vars = new DenseVariables();
 * const model = dense(vars, 2, 1);
 * const data = { inputs: ones([4, 2]), targets: zeros([4, 1]) };
 * const optimizer = sgd(vars.parameters(), { learningRate: 1 });
 * await trainWith({ model, data, optimizer, loss: meanSquaredError }, () => ({
 *   loss: 1,
 *   correct: null,
 *   gradients: [null, Float32Array.of(0.5)],
 *   assigned: new Map(),
 * }));
 * console.log(vars.variables()[1]!.read()); //=> Tensor [1] -0.5
 */
export async function trainWith<D extends Data = Dataset, R extends Outputs = Tensor, M extends string = string>(
  options: TrainOptions<D, R, M>,
  learner: BatchLearner,
): Promise<History<M>> {
  const run = readTrainOptions(options as TrainOptions<Data, Outputs>);
  readFunction("trainWith", "learner", learner);
  return trainRun(
    run,
    (): Learner => async (task, tally) => {
      const computed = await learner(task);
      return computed === null ? null : apply(run, task, computed, tally);
    },
  );
}

/** Adds the gradients of a batch to those of the parameters, assigns running statistics and counts scores. */
function apply(run: TrainRun, { where, indices }: BatchTask, computed: ComputedBatch, tally: Tally): Gradients {
  const { parameters } = run.optimizer;
  const { loss, correct, gradients, assigned } = computed;
  if (gradients.length !== parameters.length)
    throw new ShapeError("trainWith", `the learner returned ${gradients.length} gradients for ${parameters.length} parameters`);
  const allFinite = Number.isFinite(loss) && [...gradients, ...assigned.values()].every((x) => x === null || areFinite(x));
  if (!allFinite) throw new TrainingError("train", `the learner returned a number that is not finite ${where}`);
  for (const [i, { tensor }] of parameters.entries()) if (gradients[i]! !== null) add(tensor, gradients[i]!);
  const before = new Map(Array.from(assigned.keys(), (tensor) => [tensor, tensor.toArray()]));
  for (const [tensor, numbers] of assigned) assign(tensor, numbers);
  tally.addCounts(loss, correct, indices.length);
  return {
    assigned: before,
    check: () => {
      if (!areGradientsFinite(parameters))
        throw new TrainingError("train", `beforeUpdate left a gradient that is not finite ${where}; nothing was changed`);
    },
  };
}

/** Adds to the gradient of a parameter. Frozen parameters have none. */
function add(tensor: Tensor, numbers: Float32Array): void {
  if (!tensor.tracked) return;
  const sum = gradientOf(tensor);
  if (sum === null || sum.length !== numbers.length) assignGradient(tensor, numbers);
  else for (let i = 0; i < sum.length; i++) sum[i] = sum[i]! + numbers[i]!;
}
