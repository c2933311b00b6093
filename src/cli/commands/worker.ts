import { mkdtempSync, readdirSync, rmdirSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Queue } from "bullmq";
import { openRedis } from "../../distributed/index.ts";
import { EXIT, type Io, type Verbosity } from "../io.ts";
import { queueName } from "../queue/job.ts";
import { outageNote, within } from "../queue/outage.ts";
import { storeOf } from "../queue/store.ts";
import { type Bench, HopelessError, trainJob } from "../queue/work.ts";
import { threadsEach } from "../sweep/child.ts";
import { version } from "../version.ts";
import { printer } from "./reporting.ts";

/** The options of `hashgrad worker`. */
export type WorkerOptions = Pick<Verbosity, "quiet"> & {
  /** The URL of Redis. */
  readonly queue: string;
  readonly jobs: number | null;
  readonly threads: number | null;
  /** The folder for runs in training; null: the system's folder for temporary files. */
  readonly work: string | null;
  readonly shared: string | null;
  /** Seconds without a sign of life until a job is given to another worker. */
  readonly stalled: number;
  /** Whether the worker ends when no job is left. */
  readonly drain: boolean;
};

/** Takes runs from the queue of sweeps, and trains them, until Ctrl-C. Returns the exit code. */
export async function worker(options: WorkerOptions, io: Io): Promise<number> {
  if (io.program === undefined) throw new Error("worker needs the program that runs this command line");
  const jobs = options.jobs ?? availableParallelism();
  const threads = options.threads ?? threadsEach(jobs);
  const note = (text: string): void => {
    if (!options.quiet) printer(io)(text);
  };
  const onError = outageNote(note);
  const client = await openRedis("worker", options.queue, { onError });
  // A folder of its own: a worker that was paused may still train a run that another worker has got.
  const work = mkdtempSync(join(options.work ?? tmpdir(), "hashgrad-worker-"));
  const bench: Bench = { io, store: storeOf(client, options.shared), work, threads, note };
  try {
    await takeJobs(client, jobs, options, bench, onError);
  } finally {
    client.disconnect();
    if (readdirSync(work).length === 0) rmdirSync(work);
  }
  return io.signal.aborted ? EXIT.interrupted : EXIT.done;
}

/** Takes jobs until Ctrl-C, or until none is left. */
async function takeJobs(
  connection: Awaited<ReturnType<typeof openRedis>>,
  concurrency: number,
  { stalled, drain }: WorkerOptions,
  bench: Bench,
  onError: (error: Error) => void,
): Promise<void> {
  const { Queue, UnrecoverableError, WaitingError, Worker } = await import("bullmq");
  const name = queueName(version());
  const milliseconds = Math.round(1000 * stalled);
  const taker = new Worker(
    name,
    async (job, token, signal) => {
      try {
        const { kind, left } = await trainJob(job, signal ?? new AbortController().signal, bench);
        if (kind === "done") return { left };
        if (kind === "lost") throw new Error("another worker has got the run");
      } catch (error) {
        throw error instanceof HopelessError ? new UnrecoverableError(error.message) : error;
      }
      await job.moveToWait(token);
      throw new WaitingError();
    },
    {
      ...{ connection, concurrency, lockDuration: milliseconds, stalledInterval: Math.ceil(milliseconds / 2) },
      maxStalledCount: 1_000_000, // a run continues from its checkpoint, so it is never given up
    },
  );
  taker.on("error", onError);
  // The name comes from Redis.
  taker.on("failed", (job, error) =>
    bench.note(`${(job?.name ?? "a job").replaceAll(/[^\w.-]/g, "?").slice(0, 60)}: failed: ${error.message}`),
  );
  taker.on("lockRenewalFailed", (ids) => {
    for (const id of ids) taker.cancelJob(id, "another worker has got the run");
  });
  const queue = new Queue(name, { connection });
  queue.on("error", onError);
  const { signal } = bench.io;
  try {
    bench.note(`takes runs of hashgrad ${version()}, ${concurrency} at the same time; Ctrl-C ends`);
    await within(signal, ended(queue, drain, signal));
  } finally {
    const isLost = connection.status !== "ready"; // then jobs cannot be given back
    await within(signal, taker.close(isLost));
    await within(signal, queue.close());
  }
}

const LOOK_EVERY_MS = 500;

/** Waits for Ctrl-C, or until the queue is empty. */
async function ended(queue: Queue, drain: boolean, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    if (drain && (await queue.getJobCountByTypes("wait", "active", "delayed", "prioritized")) === 0) return;
    await sleep(LOOK_EVERY_MS, undefined, { signal }).catch(() => undefined); // Ctrl-C
  }
}
