import { assign, type Tensor } from "../tensor/index.ts";
import type { Scores } from "./metric.ts";
import { type EarlyStopping, TrainingError } from "./options.ts";

/** Watches a score over the epochs and keeps the weights of the best epoch. */
export type Stopper = {
  /** Notes the scores of an epoch; returns whether training should end. `weights` lists all numbers of the model. */
  readonly note: (epoch: number, scores: Scores, weights: () => Iterable<Tensor>) => boolean;
  /** Gives the model the weights of the best epoch back. */
  readonly restore: () => void;
  /** The best epoch so far, null before the first. */
  readonly best: () => number | null;
};

export function stopperOf({ patience = 3, monitor = "loss", mode, minDelta = 0 }: EarlyStopping): Stopper {
  const sign = (mode ?? (monitor === "loss" ? "min" : "max")) === "min" ? -1 : 1;
  let best: { epoch: number; score: number; weights: Map<Tensor, Float32Array> } | null = null;
  return {
    note: (epoch, scores, weights) => {
      const value = monitor === "loss" || monitor === "accuracy" ? scores[monitor] : scores.metrics[monitor]!;
      if (Number.isNaN(value))
        throw new TrainingError("train", `earlyStopping monitors "${monitor}", which is NaN after epoch ${epoch}`);
      const score = sign * value;
      if (best === null || score > best.score + minDelta)
        best = { epoch, score, weights: new Map(Array.from(weights(), (x) => [x, x.toArray()])) };
      return epoch - best.epoch >= patience;
    },
    restore: () => {
      for (const [x, numbers] of best?.weights ?? []) assign(x, numbers);
    },
    best: () => best?.epoch ?? null,
  };
}
