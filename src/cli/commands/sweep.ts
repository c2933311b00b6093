import { availableParallelism } from "node:os";
import { join } from "node:path";
import type { Redis } from "ioredis";
import type { DataOptions } from "../data/opened.ts";
import { EXIT, type Io, type Verbosity } from "../io.ts";
import type { Failure } from "../queue/client.ts";
import { isRun, nextNumber } from "../run/folder.ts";
import { loadRun } from "../run/load.ts";
import { claim } from "../run/lock.ts";
import { modelOf } from "../run/model.ts";
import { argumentsOf, type ChildEnd, runChild, threadsEach } from "../sweep/child.ts";
import {
  differences,
  type Grid,
  nameOf,
  type Plan,
  type PlannedRun,
  readPlan,
  runsOf,
  type Settings,
  SWEEP_FILES,
  settingsOf,
  writePlan,
} from "../sweep/plan.ts";
import { type SweepProgress, sweepProgress } from "../sweep/progress.ts";
import { partOf, type Shard } from "../sweep/shard.ts";
import { type CompleteRun, rowsOf, textTable, writeResults } from "../sweep/table.ts";
import { UsageError } from "../usage.ts";
import { version } from "../version.ts";
import { modelFor, open } from "./train.ts";

/** How the runs of a sweep are spread over processes. */
type Spread = Verbosity & {
  /** Runs at the same time; null: one per core. */
  readonly jobs: number | null;
  /** Threads of each run; null: the cores, divided by the runs at the same time. */
  readonly threads: number | null;
  /** The part of the runs that this command trains; null: all. */
  readonly shard: Shard | null;
  /** The URL of Redis; workers then train the runs. Null: this machine trains. */
  readonly queue: string | null;
  /** A folder that this machine shares with the workers; null: files go through Redis. */
  readonly shared: string | null;
};

/** The options of `hashgrad sweep`. */
export type SweepOptions = Grid &
  Spread & {
    readonly data: Omit<DataOptions, "seed">;
    readonly settings: Omit<Settings, "model"> & { readonly model: string | null };
    readonly out: string | null;
  };

/**
 * Trains the runs of a grid in processes of their own, and writes a run folder for each, a table and a picture. Runs
 * that are complete are not trained again. Returns the exit code.
 */
export async function sweep(options: SweepOptions, io: Io): Promise<number> {
  const runs = runsOf(options);
  const plan = await planOf(options, runs, io);
  if (plan === null) return EXIT.interrupted;
  // Before the plan is written, so that a wrong URL leaves no folder.
  const client =
    options.queue === null ? null : await (await import("../../distributed/index.ts")).openRedis("sweep", options.queue);
  try {
    const folder = options.out ?? join("sweeps", `${nextNumber("sweeps")}`);
    return await runSweep(folder, writePlan(folder, plan), options, client, io);
  } finally {
    client?.disconnect();
  }
}

/** Continues the sweep of a folder. Returns the exit code. */
export async function resumeSweep(
  { folder, threads, ...verbosity }: Verbosity & { readonly folder: string; readonly threads: number | null },
  io: Io,
): Promise<number> {
  const spread = { ...verbosity, threads, jobs: null, shard: null, queue: null, shared: null };
  return runSweep(folder, readPlan(folder), spread, null, io);
}

/**
 * Reads the data and builds each network once, so that a wrong option ends the command before the first run. Null
 * after Ctrl-C.
 */
async function planOf({ data, settings, ...options }: SweepOptions, runs: readonly PlannedRun[], io: Io): Promise<Plan | null> {
  if (options.out === "") throw new UsageError("sweep", '--out must be the path of a folder, got ""');
  const opened = await open({ ...data, seed: 0 }, io, options);
  if (opened === null) return null;
  const model = modelFor("sweep", settings, opened);
  const { inputShape, classes } = opened;
  for (const run of runs.filter(({ seed }) => seed === runs[0]!.seed)) modelOf({ ...run, model, inputShape, classes });
  const { digest } = opened;
  return { format: "hashgrad sweep 1", version: version(), data, digest, settings: { ...settings, model }, runs };
}

/**
 * The run of a plan, if its folder holds it complete.
 * @throws UsageError if the folder holds a run with other settings.
 */
function completeRun(folder: string, plan: Plan, run: PlannedRun): CompleteRun | null {
  const path = join(folder, nameOf(run));
  if (!isRun(path)) return null;
  const loaded = loadRun(path);
  const [[name, had, wanted] = [null, "", ""]] = differences(settingsOf(loaded.config), plan);
  if (name !== null)
    throw new UsageError(
      "sweep",
      `${path} was trained with ${name} ${had}, and the sweep has ${wanted}: move the folder away, or give another --out`,
    );
  return loaded.evaluation === null ? null : { ...loaded, evaluation: loaded.evaluation };
}

/** `client`: Redis, whose workers train the runs; null: this machine trains. */
async function runSweep(folder: string, plan: Plan, spread: Spread, client: Redis | null, io: Io): Promise<number> {
  const { json, quiet, shard } = spread;
  const release = await claim("sweep", folder, shard === null ? "sweep.lock" : `sweep-${shard.index + 1}-of-${shard.count}.lock`);
  try {
    const mine = partOf(plan.runs, shard);
    const todo = mine.filter((run) => completeRun(folder, plan, run) === null);
    const before = mine.length - todo.length;
    const jobs = Math.max(1, Math.min(spread.jobs ?? availableParallelism(), todo.length));
    const where = client === null ? (jobs === 1 ? [] : [`${jobs} at the same time`]) : ["workers train"];
    const done = before === 0 ? [] : [`${before} complete`];
    if (!json && !quiet) io.stdout.write(`${[`${runCount(mine.length)} in ${folder}`, ...done, ...where].join(", ")}\n`);
    const progress = sweepProgress(io, spread, { total: mine.length, before, epochs: plan.settings.epochs });
    const work = { folder, plan, todo, progress };
    let failures: Failure[];
    try {
      failures =
        client === null
          ? await trainAll({ ...work, jobs, threads: threadsOf(spread, jobs) }, io)
          : await (await import("../queue/client.ts")).trainByQueue(
              client,
              { ...work, shared: spread.shared, completeRun: (run) => completeRun(folder, plan, run) },
              io,
            );
    } finally {
      progress.end();
    }
    return finish(folder, plan, { failures, interrupted: io.signal.aborted }, spread, io);
  } finally {
    release();
  }
}

/** The threads of each run; null: the environment has them. */
function threadsOf({ threads }: Spread, jobs: number): number | null {
  if (threads !== null) return threads;
  return process.env.HASHGRAD_THREADS === undefined ? threadsEach(jobs) : null;
}

type Work = {
  readonly folder: string;
  readonly plan: Plan;
  readonly todo: readonly PlannedRun[];
  readonly jobs: number;
  readonly threads: number | null;
  readonly progress: SweepProgress;
};

/**
 * Trains runs, `jobs` at the same time. A run that fails does not end the others.
 * @throws UsageError if a run refuses its options or data, because all others would.
 */
async function trainAll({ folder, plan, todo, jobs, threads, progress }: Work, io: Io): Promise<Failure[]> {
  if (io.program === undefined) throw new Error("sweep needs the program that runs this command line");
  const refused = new AbortController();
  const signal = AbortSignal.any([io.signal, refused.signal]);
  const failures: Failure[] = [];
  const notes = new Set<string>();
  const queue = [...todo];
  const next = async (): Promise<void> => {
    for (let run = queue.shift(); run !== undefined && !signal.aborted; run = queue.shift()) {
      const planned = run;
      progress.started(planned);
      const path = join(folder, nameOf(planned));
      const begins = !isRun(path);
      const onLine = (line: Readonly<Record<string, unknown>>): void => progress.onLine(planned, line);
      const start = (): Promise<ChildEnd> => runChild(io.program!, argumentsOf(plan, planned, path, threads), { signal, onLine });
      let end = await start();
      // A process of a killed sweep may have begun the run in the meantime. Then this one continues it.
      if (begins && end.code === EXIT.usage && isRun(path)) end = await start();
      if (end.code === EXIT.usage && !refused.signal.aborted) refused.abort(new UsageError("sweep", refusalOf(planned, end)));
      const complete = end.code === EXIT.done ? completeRun(folder, plan, planned) : null;
      if (complete !== null) progress.complete(planned, complete);
      else if (!signal.aborted) failures.push({ run: planned, reason: reasonOf(end) });
      for (const note of complete === null ? [] : end.errors) {
        if (!notes.has(note)) io.stderr.write(`${note}\n`);
        notes.add(note);
      }
    }
  };
  await Promise.all(Array.from({ length: jobs }, next));
  if (refused.signal.aborted) throw refused.signal.reason;
  return failures;
}

const refusalOf = (run: PlannedRun, { errors }: ChildEnd): string => `${nameOf(run)} cannot be trained: ${errors.at(-1) ?? ""}`;

function reasonOf({ code, signal, errors }: ChildEnd): string {
  if (signal !== null) return `ended by ${signal}; if memory was short, train fewer runs at the same time: --jobs`;
  return errors.at(-1) ?? `ended with exit code ${code}`;
}

/**
 * @throws UsageError if runs with the same seed, which divides the data, were trained on different data, for example on
 * two machines.
 */
function refuseOtherData(runs: readonly CompleteRun[]): void {
  const first = new Map<number, CompleteRun>();
  for (const run of runs) {
    const other = first.get(run.config.seed) ?? run;
    first.set(run.config.seed, other);
    if (other.config.digest === run.config.digest) continue;
    throw new UsageError(
      "sweep",
      `${other.folder} and ${run.folder} were trained on different data, so they cannot be compared: move one of them away`,
    );
  }
}

const runCount = (n: number): string => (n === 1 ? "1 run" : `${n} runs`);

type Outcome = { readonly failures: readonly Failure[]; readonly interrupted: boolean };

/** Writes table and picture of all complete runs, prints the result, and returns the exit code. */
function finish(folder: string, plan: Plan, { failures, interrupted }: Outcome, { json, quiet, queue }: Spread, io: Io): number {
  const runs = plan.runs.flatMap((run) => completeRun(folder, plan, run) ?? []);
  refuseOtherData(runs);
  if (runs.length > 0) writeResults(folder, runs, plan.runs.length);
  for (const { run, reason } of failures) io.stderr.write(`${nameOf(run)} failed: ${reason}\n`);
  const files = [SWEEP_FILES.table, SWEEP_FILES.picture].map((file) => join(folder, file));
  if (json) {
    const failed = failures.map(({ run, reason }) => ({ run: nameOf(run), reason }));
    const result = { sweep: folder, runs: plan.runs.length, complete: runs.length, interrupted, failed, rows: rowsOf(runs) };
    io.stdout.write(`${JSON.stringify(result)}\n`);
  } else if (runs.length > 0) {
    const print = (text: string): void => void io.stdout.write(`${text}\n`);
    if (!quiet) print("");
    print(textTable(runs));
    if (!quiet) print(`\ntable    ${files[0]}\npicture  ${files[1]}`);
  }
  const isWhole = runs.length === plan.runs.length;
  const what = failures.length > 0 ? "tries the others again" : "trains the others";
  const here = `\`hashgrad resume ${folder}\` ${what}`;
  const next = queue === null ? here : "the others stay in the queue; the same command fetches them, and tries failed runs again";
  if (!json && !isWhole) io.stdout.write(`complete: ${runs.length} of ${runCount(plan.runs.length)}; ${next}\n`);
  return interrupted ? EXIT.interrupted : failures.length > 0 ? EXIT.failed : EXIT.done;
}
