import { basename } from "node:path";
import { type EpochLine, type EpochScores, measuredPart } from "../run/files.ts";
import type { LoadedRun } from "../run/load.ts";

/** A run with what all parts of the report ask of it. */
export type ReportedRun = LoadedRun & {
  /** Tells the run from the others of the report. */
  readonly name: string;
  /** Its position in the report, which chooses color and symbol. */
  readonly index: number;
  readonly isClasses: boolean;
  /** "accuracy", or "R²" for a numeric target. */
  readonly scoreName: string;
  /** The result to show; null if no epoch is complete. */
  readonly result: Result | null;
};

export type Result = EpochScores & { readonly split: "train" | "validation" | "test"; readonly epoch: number };

export const SPLITS = { train: "Training", validation: "Validation", test: "Test" } as const;

/** The runs with names and results. */
export function reported(runs: readonly LoadedRun[]): ReportedRun[] {
  const names = namesOf(runs.map(({ folder }) => folder));
  return runs.map((run, index) => {
    const isClasses = run.config.classes !== null;
    return {
      ...run,
      name: names[index]!,
      index,
      isClasses,
      scoreName: isClasses ? "accuracy" : "R²",
      result: run.evaluation ?? lastOf(run.epochs),
    };
  });
}

function lastOf(epochs: readonly EpochLine[]): Result | null {
  const last = epochs.at(-1);
  if (last === undefined) return null;
  const split = measuredPart(last);
  return { ...last[split]!, split, epoch: last.epoch };
}

/** The last parts of the paths: as many as make the names different. Equal paths get a number. */
export function namesOf(folders: readonly string[]): string[] {
  const paths = folders.map((folder) =>
    folder
      .replaceAll("\\", "/")
      .replace(/(?<=.)\/+$/, "")
      .split("/"),
  );
  const longest = Math.max(0, ...paths.map((path) => path.length));
  for (let parts = 1; parts <= longest; parts++) {
    const names = paths.map((path) => path.slice(-parts).join("/"));
    if (new Set(names).size === names.length) return names.map((name) => (name === "" ? "/" : name));
  }
  return folders.map((folder, i) => `${basename(folder) || "/"} (${i + 1})`);
}

/** The scores beside training that curves show: those of validation data, else of test data. */
export function heldOut(run: ReportedRun): "validation" | "test" | null {
  if (run.epochs.some(({ validation }) => validation !== null)) return "validation";
  return run.epochs.some(({ test }) => test !== null) ? "test" : null;
}

/** "toy, product pool", "toy, dense". */
export function modelText({ config }: LoadedRun): string {
  return `${config.model}, ${config.pool === null ? "dense" : `${config.pool} pool`}`;
}
