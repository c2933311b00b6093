import { existsSync } from "node:fs";
import { join } from "node:path";
import { batchCount, lengthOf } from "../../data/index.ts";
import { type ResumePosition, resumeCheckpoint, saveCheckpoint, saveWeights, type TrainingState } from "../../io/index.ts";
import { type Progress, type TrainOptions, train } from "../../train/index.ts";
import { augmentation } from "../data/augment.ts";
import type { Augmentation, OpenedData } from "../data/opened.ts";
import { type BuiltModel, buildOptimizer, clipGradients, rateAt } from "../recipe.ts";
import { type EpochLine, RUN_FILES, type RunConfig } from "./files.ts";
import { appendEpoch, writeEpochs } from "./folder.ts";
import { metadataOf } from "./model.ts";
import { joined, partIn, partMetadata, withPart } from "./part.ts";
import { objectiveOf, scored } from "./scores.ts";

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
  /** Gets the progress of an epoch with its batches before an interruption. */
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
  /** Seconds of training in all sessions of the run, without evaluations. */
  readonly seconds: number;
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

/** What a run has reached, and how it is saved. */
type Tracker = {
  readonly position: ResumePosition;
  readonly lines: EpochLine[];
  /** Completed epochs, and completed batches of the next epoch. */
  readonly at: () => { readonly epoch: number; readonly batch: number };
  readonly save: () => void;
  /** Returns the progress with the batches of the epoch before an interruption. */
  readonly onBatch: (progress: Progress) => Progress;
  /** Seconds of the epochs, and of the batches of an incomplete epoch. */
  readonly seconds: () => number;
  /** Writes a complete epoch. */
  readonly note: (progress: Progress, scores: Pick<EpochLine, "validation" | "test">) => EpochLine;
};

/** Loads the checkpoint, if there is one, and follows the run from there. */
function trackerOf(run: Run, state: TrainingState, batches: number): Tracker {
  const { folder, config } = run;
  const { classes, epochs } = config;
  const path = join(folder, RUN_FILES.checkpoint);
  const isResumed = existsSync(path);
  const position = isResumed ? resumeCheckpoint(path, state) : { firstEpoch: 1, firstBatch: 1 };
  let part = isResumed ? partIn(path) : null;
  const lines = run.lines.filter(({ epoch }) => epoch < position.firstEpoch);
  if (lines.length < run.lines.length) writeEpochs(folder, lines); // the kill came between a line and its checkpoint
  let at = { epoch: position.firstEpoch - 1, batch: position.firstBatch - 1 };
  let latest: Progress | null = null;
  let saved = performance.now();
  const save = (): void => {
    const metadata = partMetadata(at.batch === 0 ? null : joined(part, latest, classes));
    saveCheckpoint(path, state, at.epoch, { batch: at.batch, metadata });
    saved = performance.now();
  };
  return {
    position,
    lines,
    at: () => at,
    save,
    seconds: () => lines.reduce((sum, line) => sum + line.seconds, joined(part, latest, classes)?.seconds ?? 0),
    onBatch: (progress) => {
      latest = progress;
      at = { epoch: progress.epoch - 1, batch: progress.batch };
      if (performance.now() - saved >= SAVE_EVERY_MS) save();
      return withPart(part, progress, classes);
    },
    note: (progress, scores) => {
      const { epoch } = progress;
      const { loss, score, examples, seconds } = joined(part, progress, classes)!;
      const learningRate = rateAt(config, epochs * batches, state.optimizer.steps - 1);
      const line: EpochLine = { epoch, epochs, train: { loss, score }, ...scores, learningRate, examples, seconds };
      lines.push(line);
      at = { epoch, batch: 0 };
      if (bestOf(lines) === line) saveBest(run, epoch);
      appendEpoch(folder, line);
      [latest, part] = [null, null];
      save();
      return line;
    },
  };
}

/**
 * Trains a run to its end, from its checkpoint if there is one. After each epoch it writes the best weights, then a
 * line of metrics, then the checkpoint: a kill between the writes repeats the epoch with the same result.
 * @throws TrainingError if the run diverges.
 */
export async function trainRun(run: Run, { signal, onBatch, onEpoch }: Listener): Promise<Ended> {
  const { config, opened, built } = run;
  const { classes, epochs, batchSize, seed, augment, earlyStopping } = config;
  const batches = batchCount(lengthOf(opened.train), batchSize);
  const optimizer = buildOptimizer(config, built.vars, epochs * batches);
  const state = { vars: built.vars, optimizer, generators: { dropout: built.random } };
  const tracker = trackerOf(run, state, batches);
  const { lines } = tracker;
  const isDone = (): boolean => tracker.at().epoch >= epochs || isOver(lines, earlyStopping);
  if (!isDone()) {
    await train({
      model: built.model,
      ...state,
      ...tracker.position,
      data: opened.train,
      ...{ epochs, batchSize, seed },
      ...objectiveOf(classes),
      ...(augment.length === 0 ? {} : { transform: augmentation(augment as readonly Augmentation[]) }),
      signal: {
        get aborted() {
          return signal.aborted || isDone();
        },
      },
      beforeUpdate: () => clipGradients(config, optimizer),
      onBatch: (progress: Progress) => {
        onBatch(tracker.onBatch(progress));
      },
      onEpoch: async (progress: Progress) => {
        const validation = await scored(built.model, opened.validation, classes, signal);
        const test = await scored(built.model, opened.test, classes, signal);
        // After an abort the scores may be incomplete. A resume then evaluates the epoch again.
        if (!signal.aborted) onEpoch(tracker.note(progress, { validation, test }));
      },
    } as TrainOptions as never);
  }
  const interrupted = !isDone();
  if (interrupted) tracker.save();
  const stoppedEarly = tracker.at().epoch < epochs && !interrupted;
  const seconds = tracker.seconds();
  return { lines, interrupted, stoppedEarly, bestEpoch: bestOf(lines)?.epoch ?? null, ...tracker.at(), batches, seconds };
}

/** Writes the weights of an epoch, with all that `predict` needs. */
function saveBest({ folder, config, built }: Run, epoch: number): void {
  const { model, pool, fraction, seed, inputShape, classes, preprocessing } = config;
  const metadata = metadataOf({ model, pool, fraction, seed, inputShape, classes, preprocessing, epoch });
  saveWeights(join(folder, RUN_FILES.best), built.vars, { metadata });
}
