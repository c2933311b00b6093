import { info } from "../../io/index.ts";
import type { Progress } from "../../train/index.ts";
import type { EpochScores } from "./files.ts";
import { scoresOf } from "./scores.ts";

/**
 * Scores of the batches of an epoch before an interruption. The checkpoint holds them, so that the line of an epoch
 * covers all its batches. A resumed R² is the mean of the R² of the parts, weighted by examples.
 */
export type Part = EpochScores & { readonly examples: number; readonly seconds: number };

const PART = "hashgrad.epoch";

/** A part as metadata of a checkpoint. */
export const partMetadata = (part: Part | null): Record<string, string> => ({ [PART]: JSON.stringify(part) });

/** The part that a checkpoint holds; null at the beginning of an epoch. */
export const partIn = (checkpoint: string): Part | null => JSON.parse(info(checkpoint).metadata[PART] ?? "null") as Part | null;

/** The progress of an epoch, with its batches before an interruption. */
export function withPart(before: Part | null, progress: Progress, classes: readonly string[] | null): Progress {
  if (before === null) return progress;
  const { score, ...counts } = joined(before, progress, classes)!;
  return { ...progress, ...counts, ...(classes === null ? { metrics: { r2: score } } : { accuracy: score }) };
}

/** The scores of the batches before an interruption and of those after. */
export function joined(before: Part | null, progress: Progress | null, classes: readonly string[] | null): Part | null {
  if (progress === null || progress.examples === 0) return before;
  const { examples, seconds } = progress;
  const now = scoresOf(classes, progress);
  if (before === null) return { ...now, examples, seconds };
  const total = before.examples + examples;
  const mean = (a: number, b: number): number => (a * before.examples + b * examples) / total;
  return {
    loss: mean(before.loss, now.loss),
    score: mean(before.score, now.score),
    examples: total,
    seconds: before.seconds + seconds,
  };
}
