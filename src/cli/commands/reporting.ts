import { sizesOf, summary } from "../../variables/index.ts";
import type { OpenedData } from "../data/opened.ts";
import { skippedLines } from "../data/skipped.ts";
import type { Io, Verbosity } from "../io.ts";
import { clock, count, fitted, type LinePart, liveLine, percent, progressLine, widthOf } from "../progress.ts";
import type { EpochLine, EpochScores, RunConfig, RunEvaluation } from "../run/files.ts";
import { scoresOf } from "../run/scores.ts";
import type { Ended, Listener, Run } from "../run/training.ts";

/** A score with its name: "accuracy 98.20 %" or "R² 0.912". */
export function scoreText(classes: readonly string[] | null, score: number): string {
  return classes === null ? `R² ${score.toFixed(4)}` : `accuracy ${percent(score)}`;
}

/** The name of a score in JSON. */
export const scoreKey = (classes: readonly string[] | null): string => (classes === null ? "r2" : "accuracy");

/** Loss and score of a part of the data as JSON, such as "testLoss" and "testAccuracy". */
function scoresJson(classes: readonly string[] | null, part: string, { loss, score }: EpochScores): object {
  const key = scoreKey(classes);
  return { [`${part}Loss`]: loss, [`${part}${key[0]!.toUpperCase()}${key.slice(1)}`]: score };
}

/** Prints one line. */
export const printer =
  ({ stdout }: Io) =>
  (text: string): void =>
    void stdout.write(`${text}\n`);

/** What a run continues from; the table of a new model, and what the data are. */
export function announce(io: Io, { built, config, opened, folder, isResumed }: Run, { json, quiet }: Verbosity): void {
  for (const line of skippedLines(opened.skipped)) io.stderr.write(`skipped ${line}\n`);
  if (json || quiet) return;
  const print = printer(io);
  const { train, validation, test } = config.examples;
  const parts = [
    [train, "training"],
    [validation, "validation"],
    [test, "test"],
  ] as const;
  if (isResumed) return print(`continues ${folder}`);
  print(`${summary(built.vars)}\n`);
  print(
    `${parts.flatMap(([n, name]) => (n === 0 ? [] : [`${count(n)} ${name}`])).join(", ")} examples${classesText(config, opened)}\n`,
  );
}

const classesText = ({ classes }: RunConfig, { kind }: OpenedData): string =>
  classes === null || kind === "idx" ? "" : ` of ${count(classes.length)} classes`;

/** Shows the progress of a run: a line that is written over on a terminal, and a line per epoch. */
export function listenerOf(io: Io, { config }: Run, { json, quiet }: Verbosity): Listener & { readonly clear: () => void } {
  const print = printer(io);
  const live = liveLine(io.stdout);
  const silent = json || quiet;
  return {
    signal: io.signal,
    clear: live.clear,
    onBatch: (progress) => {
      const score = (): string => scoreText(config.classes, scoresOf(config.classes, progress).score);
      if (!silent) live.show(() => progressLine(progress, score(), widthOf(io.stdout)));
    },
    onEpoch: (line) => {
      live.clear();
      if (json) print(JSON.stringify(epochJson(config, line)));
      else if (!quiet) print(epochText(config, line, widthOf(io.stdout)));
    },
  };
}

/** An epoch as JSON: "accuracy" for classes, "r2" for a numeric target. */
function epochJson({ classes }: RunConfig, line: EpochLine): object {
  const more = (part: string, scores: EpochScores | null): object => (scores === null ? {} : scoresJson(classes, part, scores));
  const { epoch, epochs, examples, seconds, learningRate } = line;
  return {
    epoch,
    epochs,
    loss: line.train.loss,
    [scoreKey(classes)]: line.train.score,
    ...more("validation", line.validation),
    ...more("test", line.test),
    learningRate,
    examples,
    seconds,
    examplesPerSecond: examples / seconds,
  };
}

/** An epoch as a line of text. A terminal gets the scores that fit: first those of validation, then of test data. */
function epochText({ classes }: RunConfig, line: EpochLine, width: number): string {
  const part = (rank: number, name: string, scores: EpochScores | null): LinePart[] =>
    scores === null ? [] : [[rank, `${name} ${scoreText(classes, scores.score)}`]];
  const parts: LinePart[] = [
    [0, `epoch ${line.epoch}/${line.epochs}`],
    [4, `loss ${line.train.loss.toFixed(4)}`],
    [3, scoreText(classes, line.train.score)],
    ...part(1, "validation", line.validation),
    ...part(2, "test", line.test),
    [5, `${line.seconds.toFixed(1)} s, ${count(line.examples / line.seconds)} examples/s`],
  ];
  return fitted(parts, width);
}

/** The result of a run as JSON. */
export function resultJson({ config, folder, built }: Run, ended: Ended, evaluation: RunEvaluation | null): object {
  const { denseSize, trainedSize, achievedFraction } = sizesOf(built.vars);
  const scores = evaluation === null ? {} : scoresJson(config.classes, evaluation.split, evaluation);
  return {
    run: folder,
    ...scores,
    trainExamples: config.examples.train,
    validationExamples: config.examples.validation,
    testExamples: config.examples.test,
    denseSize,
    trainedSize,
    achievedFraction,
    coreSize: built.pool?.coreSize ?? 0,
    fraction: config.fraction,
    epochs: ended.epoch,
    bestEpoch: ended.bestEpoch,
    stoppedEarly: ended.stoppedEarly,
    seed: config.seed,
    secondsTotal: ended.seconds,
    model: config.model,
    pool: config.pool,
    batchSize: config.batchSize,
    interrupted: ended.interrupted,
  };
}

/** The result of a run as text. */
export function resultText(run: Run, ended: Ended, evaluation: RunEvaluation): string {
  const { config, built, folder } = run;
  const { denseSize, trainedSize, achievedFraction } = sizesOf(built.vars);
  const { pool } = built;
  const scored = `${evaluation.split} ${scoreText(config.classes, evaluation.score)}`;
  return [
    `result         ${scored}  (loss ${evaluation.loss.toFixed(4)}, ${count(evaluation.examples)} examples)`,
    `epoch          ${evaluation.epoch} of ${config.epochs}${ended.stoppedEarly ? `, ended early after epoch ${ended.epoch}` : ""}`,
    `dense size     ${count(denseSize)} weights`,
    ...(pool === null ? [] : [`core size      ${count(pool.coreSize)} numbers in the pool, for ${count(pool.status)} weights`]),
    `trained size   ${count(trainedSize)} numbers, biases and scales included`,
    `fraction       ${config.fraction} asked, ${achievedFraction.toFixed(3)} achieved (trained size / dense size)`,
    `time           ${ended.seconds < 100 ? `${ended.seconds.toFixed(1)} s` : clock(ended.seconds)} of training, without evaluations`,
    `run            ${folder}`,
  ].join("\n");
}

/** What an interrupted command says. */
export function stoppedText({ folder, config }: Run, { epoch, batch, batches }: Ended): string {
  const place =
    batch === 0 && epoch === 0
      ? "before the first step"
      : `in epoch ${epoch + 1} of ${config.epochs} after batch ${batch} of ${batches}`;
  return `stopped ${place}; saved: \`hashgrad resume ${folder}\` continues`;
}
