import type { Io, Verbosity } from "../io.ts";
import { clock, liveLine } from "../progress.ts";
import { duration, scoreText } from "../report/numbers.ts";
import { measuredPart } from "../run/files.ts";
import { nameOf, type PlannedRun } from "./plan.ts";
import { type CompleteRun, scoreName } from "./table.ts";

type Line = Readonly<Record<string, unknown>>;

/** Shows the runs of a sweep while they train. */
export type SweepProgress = {
  readonly started: (run: PlannedRun) => void;
  /** A line of JSON that a run printed. */
  readonly onLine: (run: PlannedRun, line: Line) => void;
  readonly complete: (run: PlannedRun, result: CompleteRun) => void;
  /** Prints a line of text. */
  readonly note: (text: string) => void;
  /** Removes the line that is written over. */
  readonly end: () => void;
};

/**
 * A line for each complete run. On a terminal also a line that is written over; elsewhere a line for each epoch.
 * @param total - number of runs
 * @param before - number of runs that were complete at the start
 * @param epochs - epochs of a run
 */
export function sweepProgress(
  { stdout }: Pick<Io, "stdout">,
  { json, quiet }: Verbosity,
  { total, before, epochs }: { readonly total: number; readonly before: number; readonly epochs: number },
): SweepProgress {
  const live = liveLine(stdout);
  const print = (text: string): void => {
    live.clear();
    stdout.write(`${text}\n`);
  };
  const began = performance.now();
  /** The last epoch of each run that trains. */
  const training = new Map<string, number>();
  let [done, trained] = [before, 0];
  const show = (): void => {
    if (json || quiet) return;
    live.show(() => {
      const left = (total - done) * epochs - [...training.values()].reduce((sum, epoch) => sum + epoch, 0);
      const seconds = (performance.now() - began) / 1000;
      const time = trained === 0 ? [] : [`${clock((seconds / trained) * left)} left`];
      const runs = [...training].map(([name, epoch]) => `${name}: epoch ${Math.min(epoch + 1, epochs)} of ${epochs}`);
      return [`${done} of ${total} runs done`, clock(seconds), ...time, ...runs].join("  ");
    });
  };
  const timer = setInterval(show, 1000); // an epoch may be long
  return {
    started: (run) => {
      training.set(nameOf(run), 0);
      show();
    },
    onLine: (run, line) => {
      const name = nameOf(run);
      const isEpoch = typeof line.epoch === "number";
      if (json) stdout.write(`${JSON.stringify(isEpoch ? { run: name, ...line } : line)}\n`);
      if (!isEpoch) return;
      trained += 1;
      training.set(name, line.epoch as number);
      if (!json && !quiet && !stdout.isTTY) print(epochText(name, line));
      show();
    },
    complete: (run, result) => {
      const { config, evaluation, epochs: lines } = result;
      training.delete(nameOf(run));
      done += 1;
      const seconds = lines.reduce((sum, line) => sum + line.seconds, 0);
      const score = `${scoreName(result)} ${scoreText(evaluation.score, config.classes !== null)}`;
      if (!json && !quiet) print(`${done} of ${total}  ${nameOf(run)}  ${score}  ${duration(seconds)}`);
      show();
    },
    note: print,
    end: () => {
      clearInterval(timer);
      live.clear();
    },
  };
}

function epochText(name: string, line: Line): string {
  const has = (part: string): object | null => (`${part}Loss` in line ? {} : null);
  const part = measuredPart({ test: has("test"), validation: has("validation") });
  const isClasses = "accuracy" in line;
  const key = isClasses ? "Accuracy" : "R2";
  const score = Number(part === "train" ? line[key.toLowerCase()] : line[`${part}${key}`]);
  const scores = `${part} ${isClasses ? "accuracy" : "R²"} ${scoreText(score, isClasses)}`;
  return [name, `epoch ${line.epoch} of ${line.epochs}`, `loss ${Number(line.loss).toFixed(4)}`, scores].join("  ");
}
