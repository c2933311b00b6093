import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { replaceFile } from "../../io/index.ts";
import type { DataOptions } from "../data/opened.ts";
import type { PoolKind } from "../options.ts";
import { type Check, list, oneOf, parsed, record, text } from "../run/check.ts";
import { dataFields, runFields, settingFields } from "../run/fields.ts";
import type { RunConfig, TrainChoice } from "../run/files.ts";
import { isRun } from "../run/folder.ts";
import { UsageError } from "../usage.ts";

/** The files of a sweep, beside a run folder for each run. */
export const SWEEP_FILES = { plan: "sweep.json", table: "table.md", picture: "score-over-size.svg" } as const;

/** What tells a run of a sweep from the others. */
export type PlannedRun = Pick<TrainChoice, "pool" | "fraction" | "seed">;

/** What all runs of a sweep have in common, beside the data. */
export type Settings = Omit<TrainChoice, keyof PlannedRun>;

/** `sweep.json`: the runs of a sweep. */
export type Plan = {
  readonly format: "hashgrad sweep 1";
  readonly version: string;
  /** Each run splits off its validation examples with its own seed. */
  readonly data: Omit<DataOptions, "seed">;
  /** A digest of the data as the command with seed 0 reads them. */
  readonly digest: string;
  readonly settings: Settings;
  readonly runs: readonly PlannedRun[];
};

/** The grid of a sweep. */
export type Grid = {
  readonly pools: readonly PoolKind[];
  readonly fractions: readonly number[];
  /** Whether the dense network is trained as well. */
  readonly dense: boolean;
  readonly seeds: readonly number[];
};

/** The runs of a grid, without duplicates: the first seed of all networks, then the second seed. */
export function runsOf({ pools, fractions, dense, seeds }: Grid): PlannedRun[] {
  const networks: Omit<PlannedRun, "seed">[] = [
    ...(dense ? [{ pool: null, fraction: 1 }] : []),
    ...pools.flatMap((pool) => fractions.map((fraction) => ({ pool, fraction }))),
  ];
  return distinct(seeds.flatMap((seed) => networks.map((network) => ({ ...network, seed }))));
}

/** The name of a run's folder: "product-0.1-seed-1", "dense-seed-1". */
export const nameOf = ({ pool, fraction, seed }: PlannedRun): string =>
  `${pool === null ? "dense" : `${pool}-${fraction}`}-seed-${seed}`;

function distinct(runs: readonly PlannedRun[]): PlannedRun[] {
  return [...new Map(runs.map((run) => [nameOf(run), run])).values()];
}

const plan: Check<Plan> = record<Plan>({
  format: oneOf("hashgrad sweep 1"),
  version: text,
  data: record<Plan["data"]>(dataFields),
  digest: text,
  settings: record<Settings>(settingFields),
  runs: list(record<PlannedRun>(runFields)),
});

/** Whether a folder holds a sweep. */
export const isSweep = (folder: string): boolean => existsSync(join(folder, SWEEP_FILES.plan));

/** Reads the plan of a folder. @throws FormatError if the file is malformed. */
export function readPlan(folder: string): Plan {
  const file = join(folder, SWEEP_FILES.plan);
  return parsed(readFileSync(file, "utf8"), plan, { file, field: "" });
}

/** The folders of the runs that have begun. */
export const runFolders = (folder: string): string[] =>
  readPlan(folder)
    .runs.map((run) => join(folder, nameOf(run)))
    .filter(isRun);

/**
 * Writes the plan of a sweep, and returns the plan. If the folder holds a sweep with the same settings, its runs stay,
 * and the new runs are added.
 * @throws UsageError if the folder holds a run, or a sweep with other settings.
 */
export function writePlan(folder: string, asked: Plan): Plan {
  if (isRun(folder)) throw new UsageError("sweep", `${folder} holds a single run: give another --out`);
  const before = isSweep(folder) ? readPlan(folder) : null;
  if (before !== null) refuseOther(folder, before, asked);
  const joined = before === null ? asked : { ...before, runs: distinct([...before.runs, ...asked.runs]) };
  mkdirSync(folder, { recursive: true });
  replaceFile("sweep", join(folder, SWEEP_FILES.plan), [Buffer.from(`${JSON.stringify(joined, null, 2)}\n`)]);
  return joined;
}

function refuseOther(folder: string, before: Plan, asked: Plan): void {
  const [[name, had, wanted] = [null, "", ""]] = differences(before, asked);
  if (name === null && before.digest !== asked.digest)
    throw new UsageError("sweep", `the data ${asked.data.data} have changed since the sweep ${folder} began: give another --out`);
  if (name === null) return;
  throw new UsageError(
    "sweep",
    `${folder} holds a sweep with ${name} ${had}, and this command asks for ${wanted}: runs of one sweep share all settings; give another --out`,
  );
}

/** The options in which two plans, or the plan and a run, differ: names and values. */
export function differences(
  a: Pick<Plan, "data" | "settings">,
  b: Pick<Plan, "data" | "settings">,
): [name: string, a: string, b: string][] {
  const fields = (of: typeof a): Readonly<Record<string, unknown>> => ({ ...of.settings, ...of.data });
  const [first, second] = [fields(a), fields(b)];
  const shown = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value ?? null));
  return [...Object.keys(settingFields), ...Object.keys(dataFields)]
    .map((name): [string, string, string] => [optionOf(name), shown(first[name]), shown(second[name])])
    .filter(([, had, wanted]) => had !== wanted);
}

/** The option of a field: "batchSize" is "--batch-size". */
export const optionOf = (field: string): string => `--${field.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

/** The settings and data of a run, as a plan has them. */
export const settingsOf = ({
  model,
  epochs,
  batchSize,
  learningRate,
  augment,
  earlyStopping,
  data,
}: RunConfig): Pick<Plan, "data" | "settings"> => ({
  data,
  settings: { model, epochs, batchSize, learningRate, augment, earlyStopping },
});
