import { existsSync } from "node:fs";
import { join } from "node:path";
import { batchCount, lengthOf } from "../../data/index.ts";
import { info, type ResumePosition, resumeCheckpoint, saveCheckpoint, saveWeights } from "../../io/index.ts";
import { type Progress, type TrainOptions, train } from "../../train/index.ts";
import { augmentationFor } from "../data/augmentation.ts";
import type { OpenedData } from "../data/opened.ts";
import type { PoolKind } from "../options.ts";
import { type BuiltModel, buildOptimizer, clipGradients, rateAt } from "../recipe.ts";
import { type EpochLine, type EpochScores, RUN_FILES, type RunConfig } from "./files.ts";
import { appendEpoch, writeEpochs } from "./folder.ts";
import { metadataOf } from "./model.ts";
import { objectiveOf, scored, scoresOf } from "./scores.ts";

/** A run that is ready to train. */
export type Run = {
  readonly folder: string;
  readonly config: RunConfig;
  readonly opened: OpenedData;
  readonly built: BuiltModel;
  /** The epochs so far. */
  readonly lines: readonly EpochLine[];
  /** Whether the folder existed before this command. */
  readonly isResumed: boolean;
};

/** What a caller hears of a run. */
export type Listener = {
  readonly signal: AbortSignal;
  readonly onBatch: (progress: Progress) => void;
  readonly onEpoch: (line: EpochLine) => void;
};

/** How a run ended. */
export type Ended = {
  readonly lines: readonly EpochLine[];
  /** Whether the signal ended the run. The checkpoint then holds all batches so far. */
  readonly interrupted: boolean;
  /** Whether early stopping ended the run. */
  readonly stoppedEarly: boolean;
  readonly bestEpoch: number | null;
  /** The position: completed epochs, and completed batches of the next epoch. */
  readonly epoch: number;
  readonly batch: number;
  readonly batches: number;
};

/** A checkpoint is written within an epoch if the last one is older. */
const SAVE_EVERY_MS = 120_000;

/** The epoch with the best validation score, or the last epoch; null before the first. */
export function bestOf(lines: readonly EpochLine[]): EpochLine | null {
  let best: EpochLine | null = null;
  const value = (line: EpochLine): number => (Number.isNaN(line.validation!.score) ? -Infinity : line.validation!.score);
  for (const line of lines) if (best === null || line.validation === null || value(line) > value(best)) best = line;
  return best;
}

/** Whether the best epoch is `patience` epochs ago. */
const isOver = (lines: readonly EpochLine[], patience: number | null): boolean =>
  patience !== null && lines.length > 0 && lines.at(-1)!.epoch - bestOf(lines)!.epoch >= patience;

/** Scores of the batches before an interruption, in the checkpoint. */
type Part = EpochScores & { readonly examples: number; readonly seconds: number };
const PART = "hashgrad.epoch";

function partOf(progress: Progress | null, before: Part | null, classes: readonly string[] | null): Part | null {
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

/**
 * Trains a run to its end, from its checkpoint if there is one. After each epoch it writes the best weights, then a
 * line of metrics, then the checkpoint: a kill between the writes repeats the epoch with the same result.
 * @throws TrainingError if the run diverges.
 */
export async function trainRun(run: Run, { signal, onBatch, onEpoch }: Listener): Promise<Ended> {
  const { folder, config, opened, built } = run;
  const { classes, epochs, batchSize, seed } = config;
  const choice = { model: config.model, pool: config.pool as PoolKind | null, learningRate: config.learningRate };
  const batches = batchCount(lengthOf(opened.train), batchSize);
  const optimizer = buildOptimizer(choice, built.vars, epochs * batches);
  const state = { vars: built.vars, optimizer, generators: { dropout: built.random } };
  const path = join(folder, RUN_FILES.checkpoint);
  const isResumed = existsSync(path);
  const position: ResumePosition = isResumed ? resumeCheckpoint(path, state) : { firstEpoch: 1, firstBatch: 1 };
  let part = isResumed ? (JSON.parse(info(path).metadata[PART] ?? "null") as Part | null) : null;

  const lines = run.lines.filter(({ epoch }) => epoch < position.firstEpoch);
  if (lines.length < run.lines.length) writeEpochs(folder, lines); // the kill came between a line and its checkpoint
  let at = { epoch: position.firstEpoch - 1, batch: position.firstBatch - 1 };
  let latest: Progress | null = null;
  let isCut = false;
  const stop = { aborted: false };
  const save = (): void => {
    const partText = at.batch === 0 ? null : partOf(latest, part, classes);
    saveCheckpoint(path, state, at.epoch, { batch: at.batch, metadata: { [PART]: JSON.stringify(partText) } });
  };
  let saved = performance.now();
  const ended = (): Ended => ({
    lines,
    interrupted: isCut,
    stoppedEarly: isOver(lines, config.earlyStopping) && at.epoch < epochs,
    bestEpoch: bestOf(lines)?.epoch ?? null,
    ...at,
    batches,
  });
  if (isOver(lines, config.earlyStopping) || at.epoch >= epochs) return ended();

  await train({
    model: built.model,
    ...state,
    ...position,
    data: opened.train,
    epochs,
    batchSize,
    seed,
    ...objectiveOf(classes),
    ...augmentationFor(config.augment),
    signal: {
      get aborted() {
        return stop.aborted || signal.aborted;
      },
    },
    beforeUpdate: () => clipGradients(choice, optimizer),
    onBatch: (progress: Progress) => {
      latest = progress;
      at = { epoch: progress.epoch - 1, batch: progress.batch };
      onBatch(progress);
      if (performance.now() - saved < SAVE_EVERY_MS) return;
      save();
      saved = performance.now();
    },
    onEpoch: async (progress: Progress) => {
      const validation = await scored(built.model, opened.validation, classes, signal);
      const test = await scored(built.model, opened.test, classes, signal);
      if (signal.aborted) return; // the scores may be incomplete; a resume evaluates again
      const whole = partOf(progress, part, classes)!;
      const line: EpochLine = {
        epoch: progress.epoch,
        epochs,
        train: { loss: whole.loss, score: whole.score },
        validation,
        test,
        learningRate: rateAt(choice, epochs * batches, optimizer.steps - 1),
        examples: whole.examples,
        seconds: whole.seconds,
      };
      lines.push(line);
      at = { epoch: progress.epoch, batch: 0 };
      if (bestOf(lines) === line) saveBest(run, line.epoch);
      appendEpoch(folder, line);
      [latest, part] = [null, null];
      save();
      saved = performance.now();
      stop.aborted = isOver(lines, config.earlyStopping);
      onEpoch(line);
    },
  } as TrainOptions as never);
  isCut = signal.aborted && !stop.aborted && at.epoch < epochs;
  if (isCut) save();
  return ended();
}

/** Writes the weights of an epoch, with all that `predict` needs. */
function saveBest({ folder, config, built }: Run, epoch: number): void {
  const { model, fraction, seed, inputShape, classes, preprocessing } = config;
  const pool = config.pool as PoolKind | null;
  const metadata = metadataOf({ model, pool, fraction, seed, inputShape, classes, preprocessing, epoch });
  saveWeights(join(folder, RUN_FILES.best), built.vars, { metadata });
}
