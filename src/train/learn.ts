import type { Batch, Source, Targets } from "../data/index.ts";
import { mul } from "../ops/index.ts";
import {
  areFinite,
  backward,
  Generator,
  gradientOf,
  noGrad,
  type Outputs,
  type Parameter,
  type Tensor,
  trainedLeaves,
  training,
  type Watch,
} from "../tensor/index.ts";
import { seedFor } from "../variables/index.ts";
import { assignedError, gradientError, type Incident, lossError, restoreAssigned } from "./diagnosis.ts";
import { datasetOf, forward, lossOf, readBatch } from "./forward.ts";
import { TrainingError, type TrainRun } from "./options.ts";

/** What the gradients of a batch depend on: the model, its data, and the parameters that get gradients. */
export type LearnRun = Pick<TrainRun, "model" | "data" | "loss" | "transform" | "seed"> & {
  readonly parameters: readonly Parameter[];
  /** The source of `data`. */
  readonly source: Source;
};

/** A batch of a run. */
export type BatchTask = {
  /** The number of the epoch, from 1. */
  readonly epoch: number;
  /** The number of the batch in its epoch, from 0. */
  readonly batch: number;
  /** The indices of the examples. */
  readonly indices: Int32Array;
  /** The number of examples of this batch / the number of examples of all batches of its update. */
  readonly share: number;
  /** Whether the batch is the first of the run. */
  readonly isFirst: boolean;
  /** Whether the run has updated the model before, so that the learning rate may be the cause of an error. */
  readonly trained: boolean;
  /** The position of the batch for messages, such as "in epoch 1, batch 3". */
  readonly where: string;
};

/** The position of a batch in the run. */
export type Place = Pick<Incident, "where" | "trained"> & {
  /** Names the generator of `transform`. */
  readonly draws: string;
  /** The first batch of the run. */
  readonly isFirst: boolean;
  /** The number of examples of this batch / the number of examples of all batches of its update. */
  readonly share: number;
};

/** Receives what the model returned for a batch, with the mean loss and the number of examples. */
export type Score = (outputs: Outputs, targets: Targets, loss: number, examples: number) => void;

/**
 * A batch whose gradients are computed, but not yet applied. A class, because `step` copies the tensors of plain
 * objects. A copy is not needed: the tensors are read before the next `step` only.
 */
export class Learned {
  readonly loss: Tensor;
  readonly incident: Incident;
  constructor(loss: Tensor, incident: Incident) {
    this.loss = loss;
    this.incident = incident;
  }
}

/**
 * Runs one batch forward and backward. If anything fails, parameters and running statistics stay as they were. `made`
 * is the batch, or null for data in memory, which are cut here, in memory of the step.
 */
export function learn(run: LearnRun, made: Batch | null, indices: Int32Array, place: Place, watch: Watch, score: Score): Learned {
  const { model, parameters, loss } = run;
  try {
    const batch = made ?? (run.source.batch(indices) as Batch);
    const { inputs, targets } = transformed(run, readBatch("train", "the batch", batch), place);
    const { where, trained } = place;
    const incident: Incident = { who: "train", where, trained, data: datasetOf(run.data), indices, inputs, watch };
    const outputs = training(() => forward("train", model, inputs));
    const value = lossOf("train", loss, outputs, targets);
    const number = value.item();
    if (!Number.isFinite(number)) throw lossError(value, incident);
    const error = assignedError(incident);
    if (error !== null) throw error;
    const scaled = place.share === 1 ? value : mul(value, place.share);
    // `retain` keeps the recorded ops: if a gradient is not finite, `checkGradients` searches them for the cause.
    if (scaled.tracked) backward(scaled, undefined, { retain: true });
    if (parameters.every(({ tensor }) => gradientOf(tensor) === null))
      throw new TrainingError(
        "train",
        "no gradient reached the optimizer's parameters; is it the optimizer of this model, and is not everything frozen?",
      );
    if (place.isFirst) checkCoverage(parameters, scaled);
    checkGradients(parameters, scaled, incident);
    noGrad(() => score(outputs, targets, number, indices.length));
    return new Learned(scaled, incident);
  } catch (error) {
    restoreAssigned(watch);
    throw error;
  }
}

/** The batch after `transform`, if the run has this option. */
function transformed({ transform, seed }: LearnRun, batch: Batch, { draws }: Place): Batch {
  if (transform === undefined) return batch;
  const random = new Generator(seedFor(seed, draws));
  return noGrad(() => readBatch("train", "what transform returns, { inputs, targets },", transform(batch, random)));
}

/** Throws if a gradient reached a variable that the optimizer does not have: it would silently stay untrained. */
function checkCoverage(parameters: readonly Parameter[], loss: Tensor): void {
  const known = new Set(parameters.map(({ tensor }) => tensor));
  const missing = trainedLeaves(loss).filter((x) => gradientOf(x) !== null && !known.has(x));
  if (missing.length === 0) return;
  for (const x of missing) x.leaf!.filled = false; // removes the gradients, which no optimizer would
  const [first] = missing;
  const name = first!.name === null ? "a variable without a name" : `"${first!.name}"`;
  const more = missing.length > 1 ? ` and ${missing.length - 1} more` : "";
  throw new TrainingError(
    "train",
    `the optimizer does not have ${name}${more}, which got gradients: make the optimizer after the model, such as adam(vars.parameters()), or freeze() what must not change`,
  );
}

/** Throws if a gradient is not finite. */
export function checkGradients(parameters: readonly Parameter[], loss: Tensor, incident: Incident): void {
  if (areGradientsFinite(parameters)) return;
  throw gradientError(loss, parameters, incident) ?? new TrainingError("train", "a gradient is not finite");
}

/** Whether all gradients of parameters are finite. */
export function areGradientsFinite(parameters: readonly Parameter[]): boolean {
  return parameters.every(({ tensor }) => {
    const gradient = gradientOf(tensor);
    return gradient === null || areFinite(gradient);
  });
}
