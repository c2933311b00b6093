import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { FileError, FormatError } from "../../io/index.ts";
import { isSweep } from "../sweep/plan.ts";
import { type Check, parsed } from "./check.ts";
import { epochLine, runConfig, runEvaluation } from "./fields.ts";
import { type EpochLine, RUN_FILES, type RunConfig, type RunEvaluation } from "./files.ts";

/** A run folder, read and checked. */
export type LoadedRun = {
  /** The path as it was given. */
  readonly folder: string;
  readonly config: RunConfig;
  /** In ascending order. If a file holds an epoch twice, because a run was resumed, the last line counts. */
  readonly epochs: readonly EpochLine[];
  /** Null before the end of the run. */
  readonly evaluation: RunEvaluation | null;
  /** Whether the last line of the metrics was incomplete and was left out: the run was ended while it wrote. */
  readonly torn: boolean;
};

/**
 * Reads a run folder.
 * @param folder - the path of the folder
 * @throws FileError if the folder is no run or cannot be read, FormatError if a file of the run is malformed.
 */
export function loadRun(folder: string): LoadedRun {
  refuseOther(folder);
  const config = readChecked(folder, RUN_FILES.config, runConfig)!;
  const { epochs, torn } = readMetrics(folder);
  const evaluation = readChecked(folder, RUN_FILES.evaluation, runEvaluation);
  return { folder, config, epochs, evaluation, torn };
}

/** @throws FileError unless the path is a folder with the configuration of a run. */
export function refuseOther(path: string): void {
  const stats = statSync(path, { throwIfNoEntry: false });
  const refuse = (what: string): never => {
    throw new FileError("loadRun", path === "" ? '""' : path, what);
  };
  if (stats === undefined) refuse("does not exist: pass a run folder, which `hashgrad train --out` writes");
  if (!stats!.isDirectory()) refuse("is a file: pass a run folder");
  if (isSweep(path)) refuse("is the folder of a sweep: pass a folder of a run inside");
  if (!existsSync(join(path, RUN_FILES.config)))
    refuse(`is no run folder: it has no ${RUN_FILES.config}; \`hashgrad train --out\` writes a run folder`);
}

/** The text of a file of the run; null if there is no such file. */
function readText(folder: string, name: string): string | null {
  const path = join(folder, name);
  if (!existsSync(path)) return null;
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new FileError("loadRun", path, `cannot be read: ${why}`, error);
  }
}

function readChecked<T>(folder: string, name: string, check: Check<T>): T | null {
  const json = readText(folder, name);
  return json === null ? null : parsed(json, check, { file: join(folder, name), field: "" });
}

function readMetrics(folder: string): { epochs: EpochLine[]; torn: boolean } {
  const file = join(folder, RUN_FILES.metrics);
  const lines = (readText(folder, RUN_FILES.metrics) ?? "").split("\n");
  // A complete line ends with a line feed, so the last part is empty, or it is a line that was not written to its end.
  const rest = lines.pop() ?? "";
  const found = new Map<number, EpochLine>();
  for (const [i, line] of lines.entries()) {
    if (line.trim() === "") continue;
    const epoch = parsed(line, epochLine, { file, field: `line ${i + 1}` });
    found.set(epoch.epoch, epoch);
  }
  const last = rest.trim() === "" ? null : completeLine(rest, { file, field: `line ${lines.length + 1}` });
  if (last !== null) found.set(last.epoch, last);
  const epochs = [...found.values()].sort((a, b) => a.epoch - b.epoch);
  return { epochs, torn: rest.trim() !== "" && last === null };
}

/** The epoch of a line without a line feed; null if the line is not complete. */
function completeLine(line: string, place: { readonly file: string; readonly field: string }): EpochLine | null {
  try {
    return parsed(line, epochLine, place);
  } catch (error) {
    if (error instanceof FormatError) return null;
    throw error;
  }
}
