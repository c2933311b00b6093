import { readFileSync } from "node:fs";

/** What a line of accuracy.jsonl says of one run. */
export type Run = {
  readonly pool: string;
  /** The fraction that was asked for; 1 for the dense network. */
  readonly asked: number;
  readonly seed: number;
  readonly testAccuracy: number;
  readonly trainedSize: number;
};

export const runsIn = (path: string): Run[] =>
  readFileSync(path, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Run);

/** Test accuracies in %, over the seeds of one pool and fraction; null if there are no runs. */
export function overSeeds(
  runs: readonly Run[],
  pool: string,
  asked: number,
): { size: number; low: number; mean: number; high: number } | null {
  const found = runs.filter((run) => run.pool === pool && run.asked === asked);
  if (found.length === 0) return null;
  const percents = found.map(({ testAccuracy }) => 100 * testAccuracy);
  const mean = percents.reduce((a, b) => a + b) / percents.length;
  return { size: found[0]!.trainedSize, low: Math.min(...percents), mean, high: Math.max(...percents) };
}
