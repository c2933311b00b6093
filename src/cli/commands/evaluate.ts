import { statSync } from "node:fs";
import { ValueError } from "../../tensor/index.ts";
import type { DataOptions, OpenedData } from "../data/opened.ts";
import { EXIT, type Io, type Verbosity } from "../io.ts";
import { count } from "../progress.ts";
import { evaluateRun } from "../run/evaluation.ts";
import type { RunEvaluation } from "../run/files.ts";
import { loadRun } from "../run/load.ts";
import { type LoadedModel, loadModel, type ModelRecord } from "../run/model.ts";
import { setThreads } from "../threads.ts";
import { UsageError } from "../usage.ts";
import { printer, scoreText } from "./reporting.ts";
import { open } from "./train.ts";

export type Split = RunEvaluation["split"];

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
  const opened = await open(dataOf(options, loaded.record), io, options);
  if (opened === null) return EXIT.interrupted;
  checkFit(loaded, opened);
  const split = options.split ?? firstSplit(opened);
  const data = opened[split];
  if (data === null) throw new UsageError("evaluate", `the data have no ${split} part; --split train takes the training data`);
  const { record, model } = loaded;
  const { classes, inputShape, epoch } = record;
  const evaluation = await evaluateRun({ model, data, split, epoch, classes, inputShape, signal: io.signal });
  if (io.signal.aborted) return EXIT.interrupted;
  const print = printer(io);
  const { confusion, worst, loss, score, examples } = evaluation;
  if (options.json) {
    const name = classes === null ? "r2" : "accuracy";
    print(JSON.stringify({ file: loaded.file, split, loss, [name]: score, examples, confusion }));
    return EXIT.done;
  }
  print(`${split} ${scoreText(classes, score)}  (loss ${loss.toFixed(4)}, ${count(examples)} examples)`);
  if (options.quiet || classes === null) return EXIT.done;
  for (const { actual, predicted, count: n } of worst)
    print(`  ${count(n)} × ${classes[actual]} taken for ${classes[predicted]}`);
  return EXIT.done;
}

const firstSplit = ({ test, validation }: OpenedData): Split =>
  test !== null ? "test" : validation !== null ? "validation" : "train";

/** The data of the run, or other data that are read in the same way. */
function dataOf({ path, data }: EvaluateOptions, { preprocessing, seed }: ModelRecord): DataOptions {
  if (data === null) {
    if (!statSync(path).isDirectory())
      throw new UsageError("evaluate", "--data is missing: a weights file does not know the data; a run folder does");
    return loadRun(path).config.data;
  }
  const common = { data, limit: null, strict: false, validation: 0, seed };
  if (preprocessing.kind === "images") {
    const { height, width, channels } = preprocessing;
    return { ...common, target: null, imageSize: [height, width], gray: channels === 1 };
  }
  throw new UsageError("evaluate", "--data of another CSV file is not supported: `hashgrad predict` reads its rows");
}

/** @throws ValueError if the data have other inputs or classes than the model. */
function checkFit({ file, record }: LoadedModel, opened: OpenedData): void {
  const [want, got] = [record.inputShape, opened.inputShape].map((shape) => `[${shape.join(", ")}]`);
  if (want !== got) throw new ValueError(file, `takes inputs ${want}, the data have ${got}`);
  const [names, found] = [record.classes, opened.classes].map((classes) => classes?.join(", ") ?? "a number");
  if (names !== found) throw new ValueError(file, `predicts ${names}; the data have ${found}`);
}
