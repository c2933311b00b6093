import type { Data } from "../../data/index.ts";
import type { Layer } from "../../nn/index.ts";
import { meanSquaredError } from "../../ops/index.ts";
import type { Tensor } from "../../tensor/index.ts";
import { evaluate, type Metric, rSquared, type StopSignal } from "../../train/index.ts";
import type { EpochScores } from "./files.ts";

/** Loss and metrics of a task; classes have cross entropy and accuracy by default. */
export type Objective = {
  readonly loss?: (outputs: Tensor, targets: never) => Tensor;
  readonly metrics: Readonly<Record<string, Metric>>;
};

/** The loss and the metrics of a run. @param classes - null for a numeric target */
export function objectiveOf(classes: readonly string[] | null): Objective {
  if (classes !== null) return { metrics: {} };
  return { loss: (y: Tensor, t: Tensor) => meanSquaredError(y, t), metrics: { r2: rSquared() } } as Objective;
}

/** The scores of an epoch: accuracy for classes, R² for a numeric target. */
export function scoresOf(
  classes: readonly string[] | null,
  {
    loss,
    accuracy,
    metrics,
  }: { readonly loss: number; readonly accuracy: number; readonly metrics: Readonly<Record<string, number>> },
): EpochScores {
  return { loss, score: classes === null ? (metrics.r2 ?? Number.NaN) : accuracy };
}

/** Scores of data in inference mode; null if the signal ended the evaluation. */
export async function scored(
  model: Layer,
  data: Data | null,
  classes: readonly string[] | null,
  signal: StopSignal,
): Promise<EpochScores | null> {
  if (data === null) return null;
  const result = await evaluate({ model, data, signal, ...objectiveOf(classes) } as Parameters<typeof evaluate>[0]);
  return scoresOf(classes, result);
}
