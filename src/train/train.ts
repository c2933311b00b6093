import { type Batch, batchOrder, type Data, DataError, type Dataset, type Source, sourceOf } from "../data/index.ts";
import { areFinite, assign, Generator, isThenable, type Outputs, step, type Tensor, watched } from "../tensor/index.ts";
import { weightsOf } from "../variables/index.ts";
import { breathe } from "./breathe.ts";
import { variableError } from "./diagnosis.ts";
import { type Stopper, stopperOf } from "./early-stopping.ts";
import { evaluateOn } from "./evaluate.ts";
import { type BatchTask, checkGradients, learn } from "./learn.ts";
import type { Scores } from "./metric.ts";
import { type Progress, readTrainOptions, TrainingError, type TrainOptions, type TrainRun } from "./options.ts";
import { type Tally, tallyOf } from "./tally.ts";

/** The result of a training run. */
export type History<M extends string = string> = {
  /** One entry per epoch, from `firstEpoch` on. The last entry may be an incomplete epoch if the run was aborted. */
  readonly epochs: readonly Progress<M>[];
  /** Whether the signal ended the run before the last epoch was complete. */
  readonly aborted: boolean;
  /**
   * The epoch with the best score. After an aborted run the model has its latest weights, otherwise the weights of this
   * epoch. Null without `earlyStopping`, and if no epoch was complete.
   */
  readonly bestEpoch: number | null;
};

/**
 * Trains a model on data of any kind. The model runs in training mode for batches of `data`, and in inference mode for
 * `validation`. Every batch is one `step()`, so memory use is constant. The event loop runs between batches. The same
 * seed gives exactly the same weights.
 *
 * If a loss or a gradient is not finite, the batch changes nothing: neither parameters nor running statistics. The
 * error names the first op whose result is not finite, its layer, the batch, and the example.
 * @throws TrainingError if a loss, a gradient, a parameter or a running statistic is not finite. Also if no parameter
 * of the optimizer gets a gradient, or if a variable gets a gradient and the optimizer does not have the variable.
 * DataError if data are empty or their parts do not match. ValueError for options of the wrong kind.
 * @example
 * const vars = new DenseVariables();
 * const model = toyNetwork(vars);
 * const data = syntheticDigits(200, new Generator(1));
 * const { epochs } = await train({ model, optimizer: adam(vars.parameters()), data, epochs: 2, batchSize: 50 });
 * console.log(epochs[1]!.loss < epochs[0]!.loss); //=> true
 */
export async function train<D extends Data = Dataset, R extends Outputs = Tensor, M extends string = string>(
  options: TrainOptions<D, R, M>,
): Promise<History<M>> {
  return trainRun(readTrainOptions(options as TrainOptions<Data, Outputs>), localLearner);
}

/** Trains by checked options. `learnerOf` makes what computes the gradients of each batch. */
export async function trainRun(run: TrainRun, learnerOf: (run: TrainRun, source: Source) => Learner): Promise<History> {
  const { epochs, firstEpoch, onEpoch, signal } = run;
  const source = sourceOf(run.data, "train");
  if (source.length === 0) throw new DataError("train", "the dataset has no examples");
  const { validation = null } = run;
  if (validation !== null && sourceOf(validation, "train").length === 0)
    throw new DataError("train", "the validation data have no examples");
  const stopper = run.earlyStopping === undefined ? null : stopperOf(run.earlyStopping);
  const batchesEach = Math.ceil(source.length / run.batchSize);
  if (run.firstBatch > batchesEach + 1)
    throw new TrainingError(
      "train",
      `firstBatch ${run.firstBatch} is above ${batchesEach + 1}: an epoch has ${batchesEach} batches`,
    );
  const learner = learnerOf(run, source);
  const random = new Generator(run.seed);
  const finished: Progress[] = [];
  const assigned = new Set<Tensor>();
  const history = (aborted: boolean): History => ({ epochs: finished, aborted, bestEpoch: stopper?.best() ?? null });
  // If nothing is left to train (firstEpoch > epochs), draws no orders.
  for (let epoch = 1; epoch <= epochs && firstEpoch <= epochs; epoch++) {
    // Also for completed epochs, so that a resumed run draws the same orders as an uninterrupted run.
    const order = batchOrder(source.length, { batchSize: run.batchSize, random });
    if (epoch < firstEpoch) continue;
    const progress = await trainEpoch(run, learner, epoch, order, assigned);
    checkSaved(run, `after epoch ${epoch}`);
    if (progress === null || (signal?.aborted && progress.batch !== order.length)) {
      if (progress !== null) finished.push(progress);
      return history(true);
    }
    const scores = validation === null ? null : await evaluateOn("train", run, validation, "validation batch");
    // True if an abort ended the evaluation.
    const isCut = scores !== null && scores.count < sourceOf(validation!, "train").length;
    const done: Progress = { ...progress, validation: scores === null || isCut ? null : scoresIn(scores) };
    finished.push(done);
    const isLast = stopper !== null && !isCut && noteEpoch(stopper, run, done, assigned);
    await onEpoch?.(done);
    if (isLast) break;
  }
  stopper?.restore();
  return history(false);
}

const scoresIn = ({ loss, accuracy, metrics }: Scores): Scores => ({ loss, accuracy, metrics });

/**
 * Notes the scores of an epoch; returns whether early stopping ends the run. The weights to keep are the parameters,
 * the tensors that layers assigned (running statistics), and all weights of `vars`.
 */
function noteEpoch(stopper: Stopper, { optimizer, vars }: TrainRun, done: Progress, assigned: ReadonlySet<Tensor>): boolean {
  return stopper.note(done.epoch, done.validation ?? done, () => {
    const weights = new Set(assigned);
    for (const { tensor } of optimizer.parameters) weights.add(tensor);
    if (vars !== undefined) for (const tensor of weightsOf(vars).values()) weights.add(tensor);
    return weights;
  });
}

/**
 * One epoch, or its batches from `firstBatch` on; null if the signal ended it before its first batch. If all batches
 * were completed before a resume, the scores are NaN.
 */
async function trainEpoch(
  run: TrainRun,
  learner: Learner,
  epoch: number,
  order: readonly Int32Array[],
  assigned: Set<Tensor>,
): Promise<Progress | null> {
  const { epochs, firstEpoch, firstBatch, accumulate, optimizer, onBatch, signal } = run;
  const first = epoch === firstEpoch ? firstBatch - 1 : 0;
  const began = performance.now();
  const tally = tallyOf("train", run.metrics);
  let examples = 0;
  let progress: Progress | null = null;
  const note = (batch: number): Progress => {
    const seconds = (performance.now() - began) / 1000;
    return { epoch, epochs, batch, batches: order.length, examples, seconds, ...tally.scores(), validation: null };
  };
  if (first === order.length && !signal?.aborted) return note(first);
  for (const [i, indices] of order.entries()) {
    if (signal?.aborted) break;
    if (i < first) continue;
    const group = order.slice(i - (i % accumulate), i - (i % accumulate) + accumulate);
    const task: BatchTask = {
      epoch,
      batch: i,
      indices,
      where: `in epoch ${epoch}, batch ${i + 1}`,
      trained: epoch > firstEpoch || i - first >= accumulate,
      isFirst: epoch === firstEpoch && i === first,
      share: indices.length / group.reduce((sum, part) => sum + part.length, 0),
    };
    if (i % accumulate === 0) optimizer.zeroGrad(); // gradients may be left from a failed batch or from a `backward` outside `train`
    const learning = learner(task, tally);
    const learned = learning instanceof Promise ? await learning : learning;
    if (learned === null) break;
    for (const tensor of learned.assigned.keys()) assigned.add(tensor);
    if (i % accumulate === group.length - 1) await update(run, learned);
    examples += indices.length;
    progress = note(i + 1);
    await onBatch?.(progress);
    await breathe();
  }
  if (signal?.aborted) optimizer.zeroGrad(); // removes gradients of batches that have not been applied yet
  return progress;
}

/** A batch whose gradients the parameters have, but which is not yet applied. */
export type Gradients = {
  /** The tensors that the batch assigned, such as running statistics, with their numbers from before. */
  readonly assigned: ReadonlyMap<Tensor, ArrayLike<number>>;
  /** Throws if a gradient is not finite. */
  readonly check: () => void;
};

/** Adds the gradients of a batch to those of the parameters, and its scores to the tally. Null: the signal ended it. */
export type Learner = (task: BatchTask, tally: Tally) => Gradients | null | Promise<Gradients | null>;

/** The learner of `train`: this process computes the batch. */
function localLearner(run: TrainRun, source: Source): Learner {
  const { parameters } = run.optimizer;
  const learnFrom = (made: Batch | null, { epoch, batch, indices, ...place }: BatchTask, tally: Tally): Gradients => {
    const draws = `batch ${epoch}/${batch}`;
    const { loss, incident } = step(() =>
      watched((watch) => learn({ ...run, parameters, source }, made, indices, { ...place, draws }, watch, tally.add)),
    );
    return { assigned: incident.watch.assigned, check: () => checkGradients(parameters, loss, incident) };
  };
  // `source.batch` may be async, and `step` must not be. Data in memory are cut inside `step`, in memory of the step.
  if (source.isInMemory) return (task, tally) => learnFrom(null, task, tally);
  return async (task, tally) => learnFrom(await source.batch(task.indices), task, tally);
}

/**
 * Calls `beforeUpdate`, then updates the parameters. Not inside `step`, because `beforeUpdate` may be async. If this
 * fails, restores the running statistics from before the last batch of the group.
 */
async function update({ optimizer, beforeUpdate }: TrainRun, { assigned, check }: Gradients): Promise<void> {
  try {
    if (beforeUpdate !== undefined) {
      const hook = beforeUpdate();
      if (isThenable(hook)) await hook;
      check();
    }
    optimizer.step();
  } catch (error) {
    for (const [tensor, numbers] of assigned) assign(tensor, numbers);
    throw error;
  }
}

const REMEDY = "a smaller learning rate or clipByGlobalNorm may help";

/** Throws if a parameter, a number in the state of the optimizer, or a weight of `vars` is not finite. */
function checkSaved({ optimizer, vars }: TrainRun, where: string): void {
  const saved = new Map(optimizer.parameters.map(({ name, tensor }) => [name, tensor.data]));
  for (const [name, { data }] of vars === undefined ? [] : weightsOf(vars)) saved.set(name, data);
  for (const [name, numbers] of optimizer.state?.().arrays ?? []) saved.set(`optimizer/${name}`, numbers);
  for (const [name, numbers] of saved) {
    if (areFinite(numbers)) continue;
    throw new TrainingError("train", `${variableError(name, numbers, where)}; ${REMEDY}`);
  }
}
