import type { Targets } from "../data/index.ts";
import type { Outputs, Tensor } from "../tensor/index.ts";

/** Adds up scores over the batches of an epoch that are not means of batches, such as F1. */
export type Accumulator<R extends Outputs = Outputs, T extends Targets = Targets> = {
  add(outputs: R, targets: T): void;
  value(): number;
};

/**
 * A score besides the loss: a function of a batch, averaged over the examples, or an object whose `start()` begins an
 * epoch, for scores that are not means (`f1`, `rSquared`).
 */
export type Metric<R extends Outputs = Outputs, T extends Targets = Targets> =
  | { call(outputs: R, targets: T): number | Tensor }["call"]
  | { start(): Accumulator<R, T> };

/** Means over the examples so far. M: the names of the metrics. */
export type Scores<M extends string = string> = {
  /** The mean loss. */
  readonly loss: number;
  /**
   * The share of examples whose largest output is at their label. NaN unless targets are labels and outputs [batch,
   * classes].
   */
  readonly accuracy: number;
  /** The values of `metrics`, by name. */
  readonly metrics: Readonly<Record<M, number>>;
};
