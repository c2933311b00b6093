import { rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Job, Queue } from "bullmq";
import type { Redis } from "ioredis";
import type { Io } from "../io.ts";
import { nameOf, type Plan, type PlannedRun } from "../sweep/plan.ts";
import type { SweepProgress } from "../sweep/progress.ts";
import type { CompleteRun } from "../sweep/table.ts";
import { idOf, jobOf, KEPT_SECONDS, queueName, type RunJob } from "./job.ts";
import { outageNote, within } from "./outage.ts";
import { type Store, storeOf } from "./store.ts";

/** A run that was not trained. */
export type Failure = { readonly run: PlannedRun; readonly reason: string };

/** The runs of a sweep that workers train. */
export type QueuedWork = {
  readonly folder: string;
  readonly plan: Plan;
  readonly todo: readonly PlannedRun[];
  /** The complete run of a folder; null if it is not complete. */
  readonly completeRun: (run: PlannedRun) => CompleteRun | null;
  readonly shared: string | null;
  readonly progress: SweepProgress;
};

/** Attempts of a run whose worker fails, for example because the data are missing on its machine. */
const ATTEMPTS = 3;
const POLL_MS = 500;
/** Seconds without a worker until a message says so. */
const PATIENCE = 5;

/**
 * Puts runs into the queue, and waits until workers have trained them. A run that is in the queue already, or that was
 * trained before, is not added again. An abort leaves the jobs in the queue.
 */
export async function trainByQueue(client: Redis, work: QueuedWork, { signal }: Io): Promise<Failure[]> {
  const { Queue } = await import("bullmq");
  const queue = new Queue<RunJob>(queueName(work.plan.version), { connection: client });
  queue.on("error", outageNote(work.progress.note));
  const failures: Failure[] = [];
  try {
    await within(signal, fetchAll(queue, storeOf(client, work.shared), work, failures, signal));
  } finally {
    await within(signal, queue.close());
  }
  return failures;
}

/** Adds the jobs, and fetches the files of each run that has ended, until none is left. */
async function fetchAll(
  queue: Queue<RunJob>,
  store: Store,
  { plan, todo, ...work }: QueuedWork,
  failures: Failure[],
  signal: AbortSignal,
): Promise<void> {
  const began = performance.now();
  let waits = true;
  let pending = todo.map((run) => ({ run, job: jobOf(plan, run), shown: "" }));
  for (const { job } of pending) await add(queue, job, true);
  while (pending.length > 0 && !signal.aborted) {
    const left: typeof pending = [];
    for (const one of pending) {
      const job = (await queue.getJob(idOf(one.job))) ?? (await add(queue, one.job, false)); // Redis may have lost it
      const shown = JSON.stringify(job.progress);
      if (shown !== one.shown && typeof job.progress === "object")
        work.progress.onLine(one.run, job.progress as Record<string, unknown>);
      one.shown = shown;
      const end = await endOf(job, one.run, work, store);
      if (end === null) left.push(one);
      else if ("reason" in end) failures.push(end);
      else work.progress.complete(one.run, end);
      if (signal.aborted) return;
    }
    pending = left;
    if (waits && (performance.now() - began) / 1000 > PATIENCE) {
      waits = false;
      if ((await queue.getWorkersCount()) === 0) work.progress.note("no worker is connected: hashgrad worker --queue takes runs");
    }
    if (pending.length > 0) await sleep(POLL_MS);
  }
}

/** Adds a job, or returns the job of this id. `again`: a job that failed is tried again. */
async function add(queue: Queue<RunJob>, data: RunJob, again: boolean): Promise<Job<RunJob>> {
  const kept = { age: KEPT_SECONDS };
  const job = await queue.add(nameOf(data.run), data, {
    ...{ jobId: idOf(data), attempts: ATTEMPTS, backoff: { type: "fixed", delay: 1000 } },
    ...{ removeOnComplete: kept, removeOnFail: kept },
  });
  if (again && (await job.getState()) === "failed") await job.retry("failed", { resetAttemptsMade: true });
  return job;
}

/** The end of a run, with its files in the folder of the sweep; null while it is trained or waits. */
async function endOf(
  job: Job<RunJob>,
  run: PlannedRun,
  { folder, completeRun, progress }: Pick<QueuedWork, "folder" | "completeRun" | "progress">,
  store: Store,
): Promise<CompleteRun | Failure | null> {
  const state = await job.getState();
  if (state === "failed") return { run, reason: job.failedReason ?? "no reason given" };
  if (state !== "completed") return null;
  const path = join(folder, nameOf(run));
  await store.load(idOf(job.data), path);
  const complete = completeRun(run);
  if (complete !== null) {
    const left = (job.returnvalue as { readonly left?: unknown } | null)?.left;
    if (Array.isArray(left) && left.length > 0)
      progress.note(`${nameOf(run)}: ${left.join(", ")} too large for Redis, left on the worker; --shared names a common folder`);
    return complete;
  }
  // Its files are gone: the run is trained again.
  rmSync(path, { recursive: true, force: true });
  await job.remove();
  return null;
}
