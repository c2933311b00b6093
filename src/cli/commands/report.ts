import { join } from "node:path";
import { FileError, replaceFile } from "../../io/index.ts";
import { ValueError } from "../../tensor/index.ts";
import { EXIT, type Io } from "../io.ts";
import { reportPage } from "../report/page.ts";
import { RUN_FILES } from "../run/files.ts";
import { loadRun } from "../run/load.ts";
import { isSweep, runFolders } from "../sweep/plan.ts";

/** Options of the command `report`. */
export type ReportOptions = {
  /** Folders of runs or of sweeps, at least one. */
  readonly folders: readonly string[];
  /** The file to write; null: `report.html` in the first folder. */
  readonly out: string | null;
};

/**
 * Writes the report of runs, and prints the path of the file. Returns the exit code.
 * @throws FileError if a folder is no run or the file cannot be written. FormatError if a file of a run is malformed.
 * ValueError for runs with classes beside runs with a numeric target.
 */
export function report({ folders, out }: ReportOptions, { stdout }: Pick<Io, "stdout">): number {
  stdout.write(`${writeReport(folders, out)}\n`);
  return EXIT.done;
}

/** Writes the report of runs; a sweep means all runs that have begun. Returns the path of the file. */
export function writeReport(folders: readonly string[], out: string | null): string {
  const runs = folders.flatMap((folder) => (isSweep(folder) ? runFolders(folder) : [folder])).map(loadRun);
  if (runs.length === 0) throw new FileError("report", folders[0]!, "is the folder of a sweep in which no run has begun");
  const other = runs.find(({ config }) => (config.classes === null) !== (runs[0]!.config.classes === null));
  if (other !== undefined)
    throw new ValueError(
      "report",
      `${runs[0]!.folder} and ${other.folder} cannot be compared: one predicts classes, the other numbers; write a report of each`,
    );
  const path = out ?? join(folders[0]!, RUN_FILES.report);
  replaceFile("report", path, [Buffer.from(reportPage(runs))]);
  return path;
}
