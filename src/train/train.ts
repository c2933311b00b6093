import { batchOf, batchOrder, checkDataset, DataError, lengthOf } from "../data/index.ts";
import { areFinite, backward, Generator, gradientOf, step, type Tensor, training, type Watch, watched } from "../tensor/index.ts";
import { weightsOf } from "../variables/index.ts";
import { breathe } from "./breathe.ts";
import { assignedError, gradientError, type Incident, lossError, restoreAssigned, variableError } from "./diagnosis.ts";
import { correctCount } from "./metrics.ts";
import {
  type Progress,
  readLogits,
  readLoss,
  readTrainOptions,
  refuseAsync,
  TrainingError,
  type TrainOptions,
  type TrainRun,
} from "./options.ts";

/** What was reached: one entry per epoch, from `firstEpoch` on. `aborted`: something was left undone, the rest of the last entry's epoch or those after it. */
export type History = { readonly epochs: readonly Progress[]; readonly aborted: boolean };

/**
 * Trains a model on labelled data. Every batch is one `step()`, so memory stays flat; the event loop runs between batches. Same seed,
 * same bits.
 *
 * If a loss or a gradient is not finite, the step changes nothing: neither parameters nor running statistics. The error names the
 * first op whose numbers are not finite, its layer, the batch, and the example.
 *
 * @throws TrainingError if a loss, a gradient, a parameter or a running statistic is no longer finite, or if no gradient reaches the
 * optimizer; DataError for a dataset that is empty or does not fit together; ValueError for options of the wrong kind.
 */
export async function train(options: TrainOptions): Promise<History> {
  const run = readTrainOptions(options);
  const { data, epochs, firstEpoch, batchSize, onBatch, onEpoch, signal } = run;
  checkDataset(data, "train");
  if (lengthOf(data) === 0) throw new DataError("train", "the dataset has no examples");
  const random = new Generator(run.seed);
  const finished: Progress[] = [];
  if (firstEpoch > epochs) return { epochs: finished, aborted: false };
  for (let epoch = 1; epoch <= epochs; epoch++) {
    const order = batchOrder(lengthOf(data), { batchSize, random });
    if (epoch < firstEpoch) continue; // its order is drawn, so that those of later epochs are the same
    const began = performance.now();
    let [images, lossSum, correct] = [0, 0, 0];
    let progress: Progress | null = null;
    for (const [i, indices] of order.entries()) {
      if (signal?.aborted) break;
      const place: Place = { where: `in epoch ${epoch}, batch ${i + 1}`, trained: epoch > firstEpoch || i > 0 };
      const result = step(() => watched((watch) => trainOn(run, indices, place, watch)));
      images += indices.length;
      lossSum += result.number * indices.length;
      correct += result.correct;
      const seconds = (performance.now() - began) / 1000;
      const [loss, accuracy, batches] = [lossSum / images, correct / images, order.length];
      progress = { epoch, epochs, batch: i + 1, batches, loss, accuracy, images, seconds };
      await onBatch?.(progress);
      await breathe();
    }
    if (progress !== null) finished.push(progress);
    checkSaved(run, `after epoch ${epoch}`);
    if (signal?.aborted && progress?.batch !== order.length) return { epochs: finished, aborted: true };
    if (progress !== null) await onEpoch?.(progress);
  }
  return { epochs: finished, aborted: false };
}

type Place = Pick<Incident, "where" | "trained">;

/** One batch: forward, backward, update. Whatever fails before the update leaves parameters and statistics as they were. */
function trainOn(run: TrainRun, indices: Int32Array, place: Place, watch: Watch): { number: number; correct: number } {
  const { model, optimizer, data, loss } = run;
  const { inputs, labels } = batchOf(data, indices);
  const incident: Incident = { who: "train", ...place, data, indices, inputs, watch };
  try {
    const made: { logits?: Tensor } = {};
    training(() => {
      made.logits = model(inputs);
    });
    const logits = readLogits("train", made.logits!, labels);
    const value = readLoss("train", loss(logits, labels));
    const number = value.item();
    if (!Number.isFinite(number)) throw lossError(value, incident);
    const error = assignedError(incident);
    if (error !== null) throw error;
    optimizer.zeroGrad(); // of a step that failed, or of somebody else's backward
    if (value.tracked) backward(value, undefined, { retain: true }); // the history is walked again if a gradient is not finite
    if (optimizer.parameters.every(({ tensor }) => gradientOf(tensor) === null))
      throw new TrainingError("train", "no gradient reached the optimizer's parameters; is it the optimizer of this model?");
    changeGradients(run, value, incident);
    optimizer.step();
    return { number, correct: correctCount(logits, labels) };
  } catch (error) {
    restoreAssigned(watch);
    throw error;
  }
}

/** Runs `beforeStep`. Throws if a gradient is not finite then, or if `beforeStep` fails because one was not finite. */
function changeGradients({ optimizer, beforeStep }: TrainRun, loss: Tensor, incident: Incident): void {
  try {
    refuseAsync("train", "beforeStep", beforeStep?.());
  } catch (error) {
    throw gradientError(loss, optimizer.parameters, incident) ?? error;
  }
  const finite = optimizer.parameters.every(({ tensor }) => {
    const gradient = gradientOf(tensor);
    return gradient === null || areFinite(gradient);
  });
  if (finite) return;
  throw gradientError(loss, optimizer.parameters, incident) ?? new TrainingError("train", "a gradient is not finite");
}

const REMEDY = "a smaller learning rate or clipByGlobalNorm may help";

/** Throws if a parameter, a number that the optimizer remembers, or a weight of `vars` is not finite. */
function checkSaved({ optimizer, vars }: TrainRun, where: string): void {
  const saved = new Map(optimizer.parameters.map(({ name, tensor }) => [name, tensor.data]));
  for (const [name, { data }] of vars === undefined ? [] : weightsOf(vars)) saved.set(name, data);
  for (const [name, numbers] of optimizer.state?.().arrays ?? []) saved.set(`optimizer/${name}`, numbers);
  for (const [name, numbers] of saved) {
    if (areFinite(numbers)) continue;
    throw new TrainingError("train", `${variableError(name, numbers, where)}; ${REMEDY}`);
  }
}
