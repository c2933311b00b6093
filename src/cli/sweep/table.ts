import { join } from "node:path";
import { replaceFile } from "../../io/index.ts";
import { count } from "../progress.ts";
import { scoreText, share } from "../report/numbers.ts";
import { scoreOverSize } from "../report/score-over-size.ts";
import type { LoadedRun } from "../run/load.ts";
import { SWEEP_FILES } from "./plan.ts";

/** A run with its evaluation. */
export type CompleteRun = LoadedRun & { readonly evaluation: NonNullable<LoadedRun["evaluation"]> };

/** A row of the table: the runs that differ in the seed only. */
export type Row = {
  readonly pool: string | null;
  readonly fraction: number;
  readonly denseSize: number;
  readonly trainedSize: number;
  readonly score: number;
  /** By seed, in ascending order of seeds. */
  readonly scores: readonly { readonly seed: number; readonly score: number }[];
};

/** The rows of complete runs: networks in the order of their first run, the largest first within a pool. */
export function rowsOf(runs: readonly CompleteRun[]): Row[] {
  const networkOf = ({ config }: CompleteRun): string => `${config.pool} ${config.fraction}`;
  const rows = [...new Set(runs.map(networkOf))].map((network): Row => {
    const group = runs.filter((run) => networkOf(run) === network);
    const { pool, fraction, sizes } = group[0]!.config;
    const scores = group.map(({ config, evaluation }) => ({ seed: config.seed, score: evaluation.score }));
    scores.sort((a, b) => a.seed - b.seed);
    const score = scores.reduce((sum, one) => sum + one.score, 0) / scores.length;
    return { pool, fraction, denseSize: sizes.denseSize, trainedSize: sizes.trainedSize, score, scores };
  });
  const order = [...new Set(rows.map(({ pool }) => pool))].sort((a, b) => Number(b === null) - Number(a === null));
  return rows.sort((a, b) => order.indexOf(a.pool) - order.indexOf(b.pool) || b.trainedSize - a.trainedSize);
}

/** "test accuracy", "validation R²". */
export const scoreName = ({ config, evaluation }: CompleteRun): string =>
  `${evaluation.split} ${config.classes === null ? "R²" : "accuracy"}`;

/** More seeds are shown as a range. */
const MOST_SEEDS = 5;

/** The cells of the table, the header first. */
function cells(runs: readonly CompleteRun[]): string[][] {
  const rows = rowsOf(runs);
  const isClasses = runs[0]!.config.classes !== null;
  const some = (score: number): string => scoreText(score, isClasses);
  const several = rows.some(({ scores }) => scores.length > 1);
  const seeds = ({ scores }: Row): string => {
    if (scores.length <= MOST_SEEDS) return scores.map(({ score }) => some(score)).join(", ");
    const all = scores.map(({ score }) => score);
    return `${some(Math.min(...all))} to ${some(Math.max(...all))}`;
  };
  return [
    [
      "pool",
      "fraction",
      "trained numbers",
      "of weights",
      scoreName(runs[0]!),
      ...(several ? ["seeds", "scores of the seeds"] : []),
    ],
    ...rows.map((row) => [
      row.pool ?? "dense",
      row.pool === null ? "" : `${row.fraction}`,
      count(row.trainedSize),
      share(row.trainedSize, row.denseSize),
      some(row.score),
      ...(several ? [`${row.scores.length}`, seeds(row)] : []),
    ]),
  ];
}

/** Whether a column holds numbers, which stand right. */
const isRight = (column: number): boolean => column >= 1 && column <= 5;

/** The table as text for a terminal. */
export function textTable(runs: readonly CompleteRun[]): string {
  const table = cells(runs);
  const widths = table[0]!.map((_, i) => Math.max(...table.map((row) => row[i]!.length)));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, i) => (isRight(i) ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)))
      .join("  ")
      .trimEnd();
  return table.map(line).join("\n");
}

/** The table in Markdown. */
function markdown(runs: readonly CompleteRun[]): string {
  const [header, ...rows] = cells(runs);
  const rule = header!.map((_, i) => (isRight(i) ? "--:" : "--"));
  return [header!, rule, ...rows].map((row) => `| ${row.join(" | ")} |\n`).join("");
}

/** Pixels. */
const WIDTH = 720;

/** Writes the table and the picture of complete runs, at least one. */
export function writeResults(folder: string, runs: readonly CompleteRun[], planned: number): void {
  const rest = runs.length === planned ? "" : `\nComplete: ${runs.length} of ${planned} runs.\n`;
  replaceFile("sweep", join(folder, SWEEP_FILES.table), [Buffer.from(`${markdown(runs)}${rest}`)]);
  const points = runs.map(({ config, evaluation }) => ({
    series: config.pool === null ? "dense" : `${config.pool} pool`,
    label: null,
    trainedSize: config.sizes.trainedSize,
    score: evaluation.score,
  }));
  const options = { scoreName: scoreName(runs[0]!), isShare: runs[0]!.config.classes !== null, width: WIDTH };
  replaceFile("sweep", join(folder, SWEEP_FILES.picture), [Buffer.from(scoreOverSize(points, options))]);
}
