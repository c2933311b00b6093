// A training run in the worker, which the page can pause, continue and end.
import { batchCount, lengthOf } from "hashgrad/data";
import { evaluate, train } from "hashgrad/train";
import type { AccuracyPoint, Digits, LossPoint } from "./messages.ts";
import { type Network, optimizerOf, SEED } from "./network.ts";

const BATCH = 100;
/** Batches per point of the curve of the loss, and per measurement of the accuracy. */
const BATCHES_PER_LOSS = 3;
const BATCHES_PER_TEST = 15;

/** Pauses, continues and ends a run. */
export type Control = {
  /** The signal of `train`. */
  readonly signal: { readonly aborted: boolean };
  readonly pause: () => void;
  readonly resume: () => void;
  readonly end: () => void;
  /** Resolves at once, or when a pause ends. */
  readonly wait: () => Promise<void>;
};

export function control(): Control {
  const signal = { aborted: false };
  let paused: Promise<void> | null = null;
  let release = (): void => undefined;
  const resume = (): void => {
    paused = null;
    release();
  };
  return {
    signal,
    resume,
    pause: () => {
      paused ??= new Promise((resolve) => {
        release = resolve;
      });
    },
    end: () => {
      signal.aborted = true;
      resume();
    },
    wait: async () => {
      await paused;
    },
  };
}

export type Listener = { readonly loss: (point: LossPoint) => void; readonly accuracy: (point: AccuracyPoint) => void };

/**
 * Trains for some epochs, and reports the curves. A paused run waits between two batches. A pause does
 * not change the result.
 */
export async function trainRun(
  network: Network,
  { train: data, test }: Digits,
  epochs: number,
  { signal, wait }: Control,
  report: Listener,
): Promise<void> {
  const { model } = network;
  const perEpoch = batchCount(lengthOf(data), BATCH);
  let [sum, count] = [0, 0];
  const measure = async (epoch: number): Promise<void> => {
    const { accuracy } = await evaluate({ model, data: test });
    if (!signal.aborted) report.accuracy({ epoch, accuracy });
  };
  await measure(0);
  await train({
    model,
    optimizer: optimizerOf(network, epochs * perEpoch),
    data,
    epochs,
    batchSize: BATCH,
    seed: SEED,
    signal,
    onBatch: async ({ epoch, batch, batches, examples, loss }) => {
      const done = (epoch - 1) * batches + batch;
      if (batch % BATCHES_PER_LOSS === 0 || batch === batches) {
        // `loss` is the mean of the epoch so far; the difference of two sums is the sum of the batches between them.
        report.loss({ epoch: done / batches, loss: (loss * examples - sum) / (examples - count) });
        [sum, count] = batch === batches ? [0, 0] : [loss * examples, examples];
      }
      if (done % BATCHES_PER_TEST === 0 || done === epochs * batches) await measure(done / batches);
      await wait();
    },
  });
}
