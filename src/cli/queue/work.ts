import { existsSync, rmSync, statSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import type { Job } from "bullmq";
import { HashgradError } from "../../tensor/index.ts";
import { EXIT, type Io } from "../io.ts";
import { RUN_FILES } from "../run/files.ts";
import { loadRun } from "../run/load.ts";
import { argumentsOf, type ChildEnd, runChild } from "../sweep/child.ts";
import { differences, nameOf, type Plan, settingsOf } from "../sweep/plan.ts";
import { idOf, type RunJob, readJob } from "./job.ts";
import type { Store } from "./store.ts";

/** What a worker needs to train a job. */
export type Bench = {
  readonly io: Io;
  readonly store: Store;
  /** The folder of the run folders that this worker trains. */
  readonly work: string;
  readonly threads: number | null;
  readonly note: (text: string) => void;
};

/** Milliseconds between two copies of the files to the store, at least. */
const SAVE_EVERY = 1000;

/**
 * How the work on a job ended. "returned": Ctrl-C gives it to another worker. "lost": another worker has got it.
 * `left` names files that the store does not take; they stay in the folder of the run.
 */
export type Worked = { readonly kind: "done" | "returned" | "lost"; readonly left: readonly string[] };

/** A job that no worker can train. */
export class HopelessError extends HashgradError {}

/**
 * Trains the run of a job in a process of its own, so that the lock of the job is renewed meanwhile. Continues from the
 * files of the store, and saves the files there whenever the run has written a checkpoint.
 * @param lost - aborted if another worker has got the job
 * @throws HopelessError for a job of the wrong form and a run that diverges, Error for other failures.
 */
export async function trainJob(job: Job<unknown>, lost: AbortSignal, bench: Bench): Promise<Worked> {
  const asked = checked(job);
  const [id, folder] = [idOf(asked), join(bench.work, idOf(asked))];
  rmSync(folder, { recursive: true, force: true });
  let left: readonly string[] = [];
  try {
    await bench.store.load(id, folder);
    discardOther(folder, asked, bench.note);
    const isContinued = existsSync(folder);
    const end = await trainSaved(job, asked, lost, bench);
    if (lost.aborted) return { kind: "lost", left };
    if (end.code !== EXIT.done && !bench.io.signal.aborted) {
      if (isContinued && end.code === EXIT.usage) await bench.store.remove(id); // the next attempt begins anew
      throw failureOf(end);
    }
    left = await bench.store.save(id, folder);
    const isDone = end.code === EXIT.done;
    bench.note(`${nameOf(asked.run)}: ${isDone ? "done" : "saved, for another worker"}`);
    if (left.length > 0) bench.note(`${nameOf(asked.run)}: ${left.join(", ")} too large for Redis, left in ${folder}`);
    return { kind: isDone ? "done" : "returned", left };
  } finally {
    if (left.length === 0) rmSync(folder, { recursive: true, force: true });
  }
}

/** Trains a run, and saves its files meanwhile. */
async function trainSaved(job: Job<unknown>, asked: RunJob, lost: AbortSignal, bench: Bench): Promise<ChildEnd> {
  const { io, store, work, threads, note } = bench;
  const [id, name, folder] = [idOf(asked), nameOf(asked.run), join(work, idOf(asked))];
  let saving: Promise<void> = Promise.resolve();
  let [saved, last] = [0, Number.NEGATIVE_INFINITY];
  const save = async (): Promise<void> => {
    const time = statSync(join(folder, RUN_FILES.checkpoint), { throwIfNoEntry: false })?.mtimeMs ?? 0;
    if (time === saved || performance.now() - last < SAVE_EVERY || lost.aborted) return;
    [saved, last] = [time, performance.now()];
    await store.save(id, folder);
  };
  const saveSoon = (): void => {
    saving = saving.then(save).catch((error: unknown) => note(`${name}: not saved: ${String(error)}`));
  };
  const timer = setInterval(saveSoon, SAVE_EVERY); // a checkpoint may be written within an epoch
  const onLine = (line: Readonly<Record<string, unknown>>): void => {
    if (typeof line.epoch !== "number") return;
    job.updateProgress(line).catch(() => undefined); // the caller sees the next one
    saveSoon();
  };
  const plan: Plan = { ...asked, format: "hashgrad sweep 1", runs: [asked.run] };
  note(`${name}: ${existsSync(folder) ? "continues" : "begins"}`);
  try {
    const signal = AbortSignal.any([io.signal, lost]);
    return await runChild(io.program!, argumentsOf(plan, asked.run, folder, threads), { signal, onLine });
  } finally {
    clearInterval(timer);
    await saving;
  }
}

/** The checked data of a job, whose id must be the digest of its data. */
function checked(job: Job<unknown>): RunJob {
  try {
    const asked = readJob(job.data, { file: `job ${String(job.id).slice(0, 40)}`, field: "" });
    if (idOf(asked) !== job.id) throw new HopelessError("worker", `the id of job ${job.id} is not the digest of its data`);
    return asked;
  } catch (error) {
    if (error instanceof HopelessError || !(error instanceof HashgradError)) throw error;
    throw new HopelessError("worker", error.message);
  }
}

/** Removes a folder whose files are malformed or belong to another run: whoever reaches Redis may have written them. */
function discardOther(folder: string, asked: RunJob, note: (text: string) => void): void {
  if (!existsSync(folder)) return;
  try {
    const { config } = loadRun(folder);
    const { pool, fraction, seed } = asked.run;
    const isSame = config.pool === pool && config.fraction === fraction && config.seed === seed;
    if (isSame && differences(settingsOf(config), asked).length === 0) return;
    note(`${nameOf(asked.run)}: files of another run are left out`);
  } catch (error) {
    if (!(error instanceof HashgradError)) throw error;
    note(`${nameOf(asked.run)}: its files are left out: ${error.message}`);
  }
  rmSync(folder, { recursive: true, force: true });
}

function failureOf({ code, signal, errors }: ChildEnd): Error {
  const reason = `${errors.at(-1) ?? `ended with exit code ${code}`}${signal === null ? "" : `, by ${signal}`} (on ${hostname()})`;
  return code === EXIT.failed ? new HopelessError("worker", reason) : new Error(reason);
}
