import { batchOf, batchOrder, checkDataset, type Dataset, lengthOf } from "../data/index.ts";
import type { Layer } from "../nn/index.ts";
import { crossEntropy } from "../ops/index.ts";
import type { Optimizer } from "../optim/index.ts";
import { backward, Generator, gradientOf, HashgradError, noGrad, readCount, step, type Tensor } from "../tensor/index.ts";
import { confusionMatrix, correctCount } from "./metrics.ts";

/** Training that cannot go on. */
export class TrainingError extends HashgradError {}

/** The mean loss of a batch: logits [batch, classes] and one label per row. */
export type Loss = (logits: Tensor, labels: Int32Array) => Tensor;

/** Where training stands after a batch; loss and accuracy are means over the epoch so far. */
export type Progress = {
  /** From 1. */
  readonly epoch: number;
  readonly epochs: number;
  /** From 1, within the epoch. */
  readonly batch: number;
  readonly batches: number;
  readonly loss: number;
  readonly accuracy: number;
  readonly images: number;
  /** Since the epoch began. */
  readonly seconds: number;
};

/** The part of an `AbortSignal` that is read: an `AbortController`'s `signal` fits. Spelled out, because its type needs DOM or Node types. */
export type StopSignal = { readonly aborted: boolean };

export type TrainOptions = {
  readonly model: Layer;
  readonly optimizer: Optimizer;
  readonly data: Dataset;
  /** How often all examples are seen (1), in epochs that were done before, too. */
  readonly epochs?: number;
  /**
   * Where a run goes on that `loadCheckpoint` brought back: one above the epochs that were done (1). Above `epochs` nothing is left to do.
   * The bits are those of a run without interruption where data, seed, batch size, schedule and the optimizer's options are the same.
   */
  readonly firstEpoch?: number;
  /** Examples per step (128); the last batch of an epoch may be smaller. */
  readonly batchSize?: number;
  /** Decides the order of the examples, a new one each epoch (0). */
  readonly seed?: number;
  /** Softmax cross entropy where left out. */
  readonly loss?: Loss;
  /** Runs between backward and the optimizer's step, for clipping. */
  readonly beforeStep?: () => void;
  /** Awaited where it is asynchronous. */
  readonly onBatch?: (progress: Progress) => void;
  /** Awaited: may evaluate, or save a checkpoint. Not called for an epoch that is ended in its middle, from which no run can go on. */
  readonly onEpoch?: (progress: Progress) => void | Promise<void>;
  /** Ends training after the batch in hand. */
  readonly signal?: StopSignal;
};

/** What was reached: one entry per epoch, from `firstEpoch` on. `aborted`: something was left undone, the rest of the last entry's epoch or those after it. */
export type History = { readonly epochs: readonly Progress[]; readonly aborted: boolean };

/** Lets the event loop run: timers, signals, servers. Browsers hold timers back, most of all in hidden tabs, but not messages. */
const breathe = (): Promise<void> =>
  new Promise((resolve) => {
    if (typeof setImmediate === "function") {
      setImmediate(resolve);
      return;
    }
    const { port1, port2 } = new MessageChannel();
    port1.addEventListener("message", () => {
      port1.close();
      resolve();
    });
    port1.start();
    port2.postMessage(null);
  });

/**
 * Trains a model on labelled data. Every batch is one `step()`, so memory stays flat; the event loop runs between batches. Same seed, same
 * bits.
 *
 * @throws TrainingError where the loss or a parameter is no longer a number, or the optimizer is not the model's; DataError for a dataset
 * that does not fit together.
 */
export async function train(options: TrainOptions): Promise<History> {
  const {
    model,
    optimizer,
    data,
    epochs = 1,
    firstEpoch = 1,
    batchSize = 128,
    seed = 0,
    loss = defaultLoss,
    beforeStep,
    onBatch,
    onEpoch,
    signal,
  } = options;
  readCount("train", "epochs", epochs, 0);
  readCount("train", "firstEpoch", firstEpoch, 1);
  readCount("train", "batchSize", batchSize, 1);
  checkDataset(data, "train");
  const random = new Generator(seed);
  const finished: Progress[] = [];
  for (let epoch = 1; epoch <= epochs; epoch++) {
    const order = batchOrder(lengthOf(data), { batchSize, random });
    if (epoch < firstEpoch) continue; // its order is drawn, so that those of later epochs are the same
    const began = performance.now();
    let [images, lossSum, correct] = [0, 0, 0];
    let progress: Progress | null = null;
    for (const [i, indices] of order.entries()) {
      if (signal?.aborted) break;
      const result = step(() => {
        const { inputs, labels } = batchOf(data, indices);
        const logits = model(inputs, "training");
        const value = loss(logits, labels);
        const number = value.item();
        if (!Number.isFinite(number)) {
          const remedy = epoch === firstEpoch && i === 0 ? "look for such numbers in the data and the weights" : REMEDY;
          throw new TrainingError("train", `the loss is ${number} in epoch ${epoch}, batch ${i + 1}: ${remedy}`);
        }
        optimizer.zeroGrad(); // of a step that failed, or of somebody else's backward
        backward(value);
        if (optimizer.parameters.every(({ tensor }) => gradientOf(tensor) === null)) {
          throw new TrainingError("train", "no gradient reached the optimizer's parameters; is it the optimizer of this model?");
        }
        beforeStep?.();
        optimizer.step();
        return { number, correct: correctCount(logits, labels) };
      });
      images += indices.length;
      lossSum += result.number * indices.length;
      correct += result.correct;
      const seconds = (performance.now() - began) / 1000;
      progress = {
        epoch,
        epochs,
        batch: i + 1,
        batches: order.length,
        loss: lossSum / images,
        accuracy: correct / images,
        images,
        seconds,
      };
      await onBatch?.(progress);
      await breathe();
    }
    if (progress !== null) finished.push(progress);
    for (const { name, tensor } of optimizer.parameters) {
      if (tensor.data.every(Number.isFinite)) continue;
      throw new TrainingError("train", `${name} is no longer finite after epoch ${epoch}: ${REMEDY}`);
    }
    if (signal?.aborted && progress?.batch !== order.length) return { epochs: finished, aborted: true };
    if (progress !== null) await onEpoch?.(progress);
  }
  return { epochs: finished, aborted: false };
}

const REMEDY = "a smaller learning rate or clipByGlobalNorm may help";

const defaultLoss: Loss = (logits, labels) => crossEntropy(logits, labels);

export type EvaluateOptions = {
  readonly model: Layer;
  readonly data: Dataset;
  /** Examples at a time (256). */
  readonly batchSize?: number;
  /** Softmax cross entropy where left out. */
  readonly loss?: Loss;
  /** Ends after the batch in hand; the result covers what was seen. */
  readonly signal?: StopSignal;
};

/** Means over all examples (NaN where there are none), and counts[label][prediction]. */
export type Evaluation = {
  readonly loss: number;
  readonly accuracy: number;
  readonly count: number;
  readonly confusion: readonly (readonly number[])[];
};

/**
 * Loss and accuracy of a model in inference mode. Records no history; a pool's product is formed once for all batches.
 *
 * @throws TrainingError where the loss is NaN; DataError for a dataset that does not fit together.
 */
export async function evaluate({
  model,
  data,
  batchSize = 256,
  loss = defaultLoss,
  signal,
}: EvaluateOptions): Promise<Evaluation> {
  readCount("evaluate", "batchSize", batchSize, 1);
  checkDataset(data, "evaluate");
  let confusion: number[][] | undefined; // as wide as the logits, which may have more classes than the data
  let [count, lossSum, correct] = [0, 0, 0];
  for (const indices of batchOrder(lengthOf(data), { batchSize })) {
    if (signal?.aborted) break;
    step(() =>
      noGrad(() => {
        const { inputs, labels } = batchOf(data, indices);
        const logits = model(inputs, "inference");
        lossSum += loss(logits, labels).item() * labels.length;
        correct += correctCount(logits, labels);
        confusion = confusionMatrix(logits, labels, confusion);
      }),
    );
    count += indices.length;
    await breathe();
  }
  if (count > 0 && Number.isNaN(lossSum))
    throw new TrainingError("evaluate", `the loss is NaN: the model has diverged; ${REMEDY}`);
  confusion ??= Array.from({ length: data.classes }, () => new Array<number>(data.classes).fill(0));
  return { loss: lossSum / count, accuracy: correct / count, count, confusion };
}
