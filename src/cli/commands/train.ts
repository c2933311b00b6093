import { loadWeights } from "../../io/index.ts";
import { openData } from "../data/open.ts";
import type { DataOptions, OpenedData } from "../data/opened.ts";
import { EXIT, type Io, type Verbosity } from "../io.ts";
import { liveLine } from "../progress.ts";
import { configOf } from "../run/config.ts";
import { evaluateRun } from "../run/evaluation.ts";
import { measuredPart, RUN_FILES, RUN_LOCK, type RunEvaluation, type TrainChoice } from "../run/files.ts";
import { createRun, refuseUsed, writeJson } from "../run/folder.ts";
import { claim } from "../run/lock.ts";
import { modelOf, weightsFile } from "../run/model.ts";
import { type Ended, type Run, trainRun } from "../run/training.ts";
import { setThreads } from "../threads.ts";
import { UsageError } from "../usage.ts";
import { announce, listenerOf, printer, resultJson, resultText, stoppedText } from "./reporting.ts";

/** The options of `hashgrad train`. */
export type TrainOptions = Omit<TrainChoice, "model"> &
  Verbosity & {
    readonly data: DataOptions;
    /** Null: toy for images, mlp for rows. */
    readonly model: string | null;
    readonly threads: number | null;
    readonly out: string | null;
  };

/** Trains a model and writes a run folder. Returns the exit code. */
export async function train(options: TrainOptions, io: Io): Promise<number> {
  setThreads("train", options.threads);
  if (options.out !== null) refuseUsed(options.out);
  const opened = await open(options.data, io, options);
  if (opened === null) return EXIT.interrupted;
  const { pool, fraction, epochs, batchSize, learningRate, augment, earlyStopping, seed } = options;
  const model = modelFor("train", options, opened);
  const choice = { model, pool, fraction, epochs, batchSize, learningRate, augment, earlyStopping, seed };
  const built = modelOf({ ...choice, inputShape: opened.inputShape, classes: opened.classes });
  const config = configOf(choice, options.data, opened, built);
  const folder = createRun(options.out, config);
  const release = await claim("train", folder, RUN_LOCK);
  try {
    return await finish({ folder, config, opened, built, lines: [], isResumed: false }, io, options);
  } finally {
    release();
  }
}

/**
 * The name of the model for data: toy for images and mlp for rows, if none was asked for.
 * @throws UsageError if an option does not fit the data.
 */
export function modelFor(
  command: string,
  { model, earlyStopping, augment }: Pick<TrainOptions, "model" | "earlyStopping" | "augment">,
  { inputShape, validation }: OpenedData,
): string {
  if (earlyStopping !== null && validation === null)
    throw new UsageError(command, "--early-stopping watches validation data: give a share, such as --validation 0.1");
  if (augment.length > 0 && inputShape.length !== 3)
    throw new UsageError(command, "--augment changes images; the data are rows of a table");
  return model ?? (inputShape.length === 3 ? "toy" : "mlp");
}

/** Reads the data and shows the progress; null if Ctrl-C ended it. */
export async function open(options: DataOptions, { stdout, signal }: Io, { json, quiet }: Verbosity): Promise<OpenedData | null> {
  const live = liveLine(stdout);
  const onProgress = (done: number, total: number): void => {
    if (!json && !quiet) live.show(() => `reading ${Math.floor((100 * done) / Math.max(1, total))} % of ${options.data}`);
  };
  try {
    return await openData(options, { signal, onProgress });
  } catch (error) {
    if (signal.aborted) return null;
    throw error;
  } finally {
    live.clear();
  }
}

/** Trains a run to its end, evaluates the best weights, and reports. Returns the exit code. */
export async function finish(run: Run, io: Io, verbosity: Verbosity): Promise<number> {
  const print = printer(io);
  announce(io, run, verbosity);
  const listener = listenerOf(io, run, verbosity);
  let ended: Ended;
  try {
    ended = await trainRun(run, listener);
  } finally {
    listener.clear();
  }
  if (ended.interrupted) {
    print(verbosity.json ? JSON.stringify(resultJson(run, ended, null)) : stoppedText(run, ended));
    return EXIT.interrupted;
  }
  const evaluation = await evaluateBest(run, ended);
  writeJson(run.folder, RUN_FILES.evaluation, evaluation);
  (await import("./report.ts")).writeReport([run.folder], null);
  if (verbosity.json) print(JSON.stringify(resultJson(run, ended, evaluation)));
  else print(`${verbosity.quiet ? "" : "\n"}${resultText(run, ended, evaluation)}`);
  return EXIT.done;
}

/** Evaluates the best weights on the test data; without these on the validation data; else on the training data. */
async function evaluateBest({ folder, config, opened, built }: Run, { bestEpoch }: Ended): Promise<RunEvaluation> {
  loadWeights(weightsFile(folder), built.vars);
  const split = measuredPart(opened);
  const { classes, inputShape } = config;
  return evaluateRun({ model: built.model, data: opened[split]!, split, epoch: bestEpoch ?? 0, classes, inputShape });
}
