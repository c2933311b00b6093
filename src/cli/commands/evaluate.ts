import { statSync } from "node:fs";
import type { Data } from "../../data/index.ts";
import { openLabeled } from "../data/labeled.ts";
import { skippedLines } from "../data/skipped.ts";
import { EXIT, type Io, type Verbosity } from "../io.ts";
import { count } from "../progress.ts";
import { evaluateRun } from "../run/evaluation.ts";
import { measuredPart, type RunEvaluation } from "../run/files.ts";
import { loadRun } from "../run/load.ts";
import { type LoadedModel, loadModel } from "../run/model.ts";
import { setThreads } from "../threads.ts";
import { UsageError } from "../usage.ts";
import { printer, scoreKey, scoreText } from "./reporting.ts";
import { open } from "./train.ts";

export type Split = RunEvaluation["split"];
const SPLITS: readonly Split[] = ["train", "validation", "test"];

/** The options of `hashgrad evaluate`. */
export type EvaluateOptions = Verbosity & {
  readonly path: string;
  /** Null: the data of the run. */
  readonly data: string | null;
  /** Null: the test data, else the validation data, else the training data. */
  readonly split: Split | null;
  readonly threads: number | null;
};

/** Evaluates the best weights of a run, or a weights file, on data. Returns the exit code. */
export async function evaluate(options: EvaluateOptions, io: Io): Promise<number> {
  setThreads("evaluate", options.threads);
  const loaded = loadModel(options.path);
  const found = options.data === null ? await ownData(options, io) : await otherData(options.data, loaded, options, io);
  if (found === null) return EXIT.interrupted;
  const { data, split } = found;
  const { record, model } = loaded;
  const { classes, inputShape, epoch } = record;
  const evaluation = await evaluateRun({ model, data, split, epoch, classes, inputShape, signal: io.signal });
  if (io.signal.aborted) return EXIT.interrupted;
  const print = printer(io);
  const { confusion, worst, loss, score, examples } = evaluation;
  if (options.json) {
    print(JSON.stringify({ file: loaded.file, split, loss, [scoreKey(classes)]: score, examples, confusion }));
    return EXIT.done;
  }
  print(`${split} ${scoreText(classes, score)}  (loss ${loss.toFixed(4)}, ${count(examples)} examples)`);
  if (options.quiet || classes === null) return EXIT.done;
  for (const { actual, predicted, count: n } of worst)
    print(`  ${count(n)} × ${classes[actual]} taken for ${classes[predicted]}`);
  return EXIT.done;
}

/** Data to evaluate on. */
type Found = { readonly data: Data; readonly split: Split };

/** The data of the run; null if Ctrl-C ended the reading. */
async function ownData(options: EvaluateOptions, io: Io): Promise<Found | null> {
  if (statSync(options.path).isFile())
    throw new UsageError("evaluate", "--data is missing: a weights file does not know the data; a run folder does");
  const { config } = loadRun(options.path);
  const opened = await open(config.data, io, options);
  if (opened === null) return null;
  if (opened.digest !== config.digest) io.stderr.write(`note: the data ${config.data.data} have changed since the run began\n`);
  const split = options.split ?? measuredPart(opened);
  const data = opened[split];
  if (data === null) {
    const parts = SPLITS.filter((part) => opened[part] !== null).join(", ");
    throw new UsageError("evaluate", `--split ${split}: the data of the run have no such part; they have ${parts}`);
  }
  return { data, split };
}

/** Other data, read as training read its data; null if Ctrl-C ended the reading. */
async function otherData(path: string, { record }: LoadedModel, { split }: EvaluateOptions, io: Io): Promise<Found | null> {
  if (split !== null) throw new UsageError("evaluate", "--split is for the data of the run: leave it out beside --data");
  try {
    const { data, skipped } = await openLabeled({ data: path, strict: false }, record, { signal: io.signal });
    for (const line of skippedLines(skipped)) io.stderr.write(`skipped ${line}\n`);
    return { data, split: "test" };
  } catch (error) {
    if (io.signal.aborted) return null;
    throw error;
  }
}
