import { info, resumeCheckpoint, saveCheckpoint, type TrainingState } from "../io/index.ts";
import type { Progress } from "../train/index.ts";
import { DistributedError } from "./errors.ts";
import type { DistributedRun } from "./options.ts";

// The checkpoint of a distributed run, so that a coordinator that was killed continues with the same weights.

/** How a run is saved. */
export type Saving = {
  /** The options of `train` that save the run, and its first batch. */
  readonly hooks: Pick<DistributedRun, "firstEpoch" | "firstBatch" | "onBatch" | "onEpoch">;
  /** Saves the position of an aborted run, unless the signal ended it between the batches of an update. */
  readonly finish: () => void;
};

/** The metadata of the checkpoint: what the weights of a run depend on and the file does not hold otherwise. */
const FIELD = "distributed";
const settingsOf = ({ shards, seed, batchSize, accumulate, gradients }: DistributedRun): string =>
  JSON.stringify({ shards, seed, batchSize, accumulate, gradients });

/**
 * Loads the checkpoint of a run, if there is one, and returns hooks that save it: after each epoch, and every
 * `checkpointSeconds` after an update.
 * @throws DistributedError if the file belongs to a run with other settings.
 */
export function savingOf(run: DistributedRun): Saving {
  const { checkpoint: path, checkpointSeconds, accumulate, onBatch, onEpoch, vars, optimizer, generators } = run;
  if (path === undefined) return { hooks: {}, finish: () => undefined };
  const state: TrainingState = { vars, optimizer, generators };
  const metadata = { [FIELD]: settingsOf(run) };
  const position = process.getBuiltinModule("node:fs").existsSync(path) ? resumed(path, state, metadata[FIELD]!) : null;
  /** Completed epochs and batches: after the last update, and in the file. */
  let [reached, saved] = [
    { epoch: 0, batch: 0 },
    { epoch: -1, batch: -1 },
  ];
  if (position !== null) saved = reached = { epoch: position.firstEpoch - 1, batch: position.firstBatch - 1 };
  let isUpdated = true;
  let time = performance.now();
  const save = (): void => {
    if (saved.epoch === reached.epoch && saved.batch === reached.batch) return;
    saveCheckpoint(path, state, reached.epoch, { batch: reached.batch, metadata });
    saved = reached;
    time = performance.now();
  };
  const hooks: Saving["hooks"] = {
    ...position,
    onBatch: async (progress: Progress) => {
      const { epoch, batch, batches } = progress;
      isUpdated = batch % accumulate === 0 || batch === batches;
      if (isUpdated) reached = batch === batches ? { epoch, batch: 0 } : { epoch: epoch - 1, batch };
      // The end of an epoch is saved by `onEpoch`, after the validation and the checks of `train`.
      if (isUpdated && batch < batches && performance.now() - time > 1000 * checkpointSeconds) save();
      await onBatch?.(progress);
    },
    onEpoch: async (progress: Progress) => {
      save();
      await onEpoch?.(progress);
    },
  };
  return { hooks, finish: () => (isUpdated ? save() : undefined) };
}

function resumed(path: string, state: TrainingState, settings: string): { firstEpoch: number; firstBatch: number } {
  const own = info(path).metadata[FIELD];
  if (own === undefined) throw new DistributedError("trainDistributed", `${path} is not a checkpoint of trainDistributed`);
  if (own !== settings)
    throw new DistributedError(
      "trainDistributed",
      `${path} was saved with ${own.slice(0, 500)}, the run has ${settings}: give the same settings, or another path`,
    );
  return resumeCheckpoint(path, state);
}
