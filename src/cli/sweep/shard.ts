import { UsageError } from "../usage.ts";

/** A part of the runs of a sweep: those at the positions index, index + count, index + 2 · count, … */
export type Shard = { readonly index: number; readonly count: number };

/**
 * Reads `--shard`. "2/4" is the second of four parts. "auto/4" takes the part from the environment: Kubernetes sets
 * JOB_COMPLETION_INDEX (from 0), Slurm sets SLURM_ARRAY_TASK_ID and SLURM_ARRAY_TASK_MIN.
 * @throws UsageError for other texts, and if the environment has no index or an index that is too large.
 */
export function shardOf(text: string, env: Readonly<Record<string, string | undefined>>): Shard {
  const [, part = "", whole = ""] = /^(\d+|auto)\/(\d+)$/.exec(text) ?? [];
  const count = Number(whole);
  const index = part === "auto" ? indexIn(env, text) : Number(part) - 1;
  if (whole === "" || count < 1 || index < 0 || index >= count)
    throw new UsageError(
      "sweep",
      part === "auto" && count >= 1
        ? `--shard ${text}: the environment asks for part ${index + 1}, and there are ${count}`
        : `--shard must be a part and the number of parts, such as 2/4, or auto/4 in a job of Kubernetes or Slurm, got ${JSON.stringify(text)}`,
    );
  return { index, count };
}

function indexIn(env: Readonly<Record<string, string | undefined>>, text: string): number {
  const { JOB_COMPLETION_INDEX: kubernetes, SLURM_ARRAY_TASK_ID: slurm, SLURM_ARRAY_TASK_MIN: first = "0" } = env;
  const index = kubernetes === undefined ? Number(slurm) - Number(first) : Number(kubernetes);
  if ((kubernetes === undefined && slurm === undefined) || !Number.isSafeInteger(index))
    throw new UsageError(
      "sweep",
      `--shard ${text} needs the variable JOB_COMPLETION_INDEX or SLURM_ARRAY_TASK_ID with a whole number: give the part, such as 1${text.slice(4)}`,
    );
  return index;
}

/** The runs of a part; all runs without a part. */
export const partOf = <T>(runs: readonly T[], shard: Shard | null): readonly T[] =>
  shard === null ? runs : runs.filter((_, i) => i % shard.count === shard.index);
