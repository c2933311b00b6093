import { createHash } from "node:crypto";
import { type Check, oneOf, record, text } from "../run/check.ts";
import { dataFields, runFields, settingFields } from "../run/fields.ts";
import type { Plan, PlannedRun, Settings } from "../sweep/plan.ts";

/** What a job in the queue asks for: one run of a sweep. */
export type RunJob = Omit<Plan, "format" | "runs"> & { readonly format: "hashgrad run job 1"; readonly run: PlannedRun };

/** Checks the data of a job, which anyone who reaches Redis may have written. Its fields get a fixed order. */
export const readJob: Check<RunJob> = record<RunJob>({
  format: oneOf("hashgrad run job 1"),
  version: text,
  data: record<Plan["data"]>(dataFields),
  digest: text,
  settings: record<Settings>(settingFields),
  run: record<PlannedRun>(runFields),
});

/** The job of a run. */
export function jobOf({ version, data, digest, settings }: Plan, run: PlannedRun): RunJob {
  return readJob({ format: "hashgrad run job 1", version, data, digest, settings, run }, { file: "sweep", field: "job" });
}

/** A digest of all that a run depends on. The same run of several sweeps is one job. */
export const idOf = (job: RunJob): string => createHash("sha256").update(JSON.stringify(job)).digest("hex").slice(0, 40);

/** The queue of a version. Workers of another version never see its jobs. */
export const queueName = (version: string): string => `hashgrad-runs-${version}`;

/** How long Redis keeps jobs that have ended, and files of runs. */
export const KEPT_SECONDS: number = 30 * 24 * 3600;
