import { randomUUID } from "node:crypto";
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { replaceFile } from "../../io/index.ts";
import { UsageError } from "../usage.ts";
import { type EpochLine, RUN_FILES, type RunConfig } from "./files.ts";

const textOf = (value: unknown): Uint8Array[] => [Buffer.from(`${JSON.stringify(value, null, 2)}\n`)];

/**
 * Makes a run folder that holds `config.json`. A new folder appears with its file, by a rename, so a kill never leaves
 * a folder without the file.
 * @param out - the folder; null: the next free number in `runs`
 * @returns the path of the folder, as it was given
 * @throws UsageError if the folder holds a run.
 */
export function createRun(out: string | null, config: RunConfig): string {
  if (out === null) return numbered(config);
  refuseUsed(out);
  const entries = existsSync(out) ? readdirSync(out) : null;
  if (entries !== null && entries.length > 0) {
    replaceFile("train", join(out, RUN_FILES.config), textOf(config));
    return out;
  }
  if (entries !== null) rmdirSync(out); // Windows does not rename onto an empty folder
  appear(out, config);
  return out;
}

/** @throws UsageError if the folder holds a run, or is a file. */
export function refuseUsed(out: string): void {
  if (out === "") throw new UsageError("train", '--out must be the path of a folder, got ""');
  if (isRun(out))
    throw new UsageError(
      "train",
      `${out} holds a run: \`hashgrad resume ${out}\` continues the run, another --out begins a new run`,
    );
  let above = resolve(out);
  while (!existsSync(above) && above !== dirname(above)) above = dirname(above);
  if (!statSync(above).isDirectory()) throw new UsageError("train", `--out must be the path of a folder, but ${above} is a file`);
}

/** Whether a folder holds a run. */
export const isRun = (folder: string): boolean => existsSync(join(folder, RUN_FILES.config));

/** The lowest number above those of all folders in `parent`, which is made if it is missing. */
export function nextNumber(parent: string): number {
  mkdirSync(parent, { recursive: true });
  return Math.max(0, ...readdirSync(parent).map(Number).filter(Number.isSafeInteger)) + 1;
}

/** The folder `runs/<n>` with the lowest number that is above all others. */
function numbered(config: RunConfig): string {
  for (let n = nextNumber("runs"); ; n++) {
    const folder = join("runs", `${n}`);
    try {
      appear(folder, config);
      return folder;
    } catch (error) {
      // Another process has taken the number in the meantime.
      if (!isRun(folder)) throw error;
    }
  }
}

function appear(folder: string, config: RunConfig): void {
  const parent = dirname(resolve(folder));
  mkdirSync(parent, { recursive: true });
  const temporary = join(parent, `.${basename(folder)}-${randomUUID()}`);
  mkdirSync(temporary);
  try {
    replaceFile("train", join(temporary, RUN_FILES.config), textOf(config));
    renameSync(temporary, folder);
  } catch (error) {
    rmSync(temporary, { recursive: true, force: true });
    throw error;
  }
}

/** Writes a JSON file of a run folder, by a rename. */
export function writeJson(folder: string, name: string, value: unknown): void {
  replaceFile("train", join(folder, name), textOf(value));
}

/** Appends an epoch to `metrics.jsonl`, and waits for the disk. */
export function appendEpoch(folder: string, line: EpochLine): void {
  const file = openSync(join(folder, RUN_FILES.metrics), "a");
  try {
    writeSync(file, `${JSON.stringify(line)}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** Replaces `metrics.jsonl`: removes epochs after the checkpoint, and a line that was not written to its end. */
export function writeEpochs(folder: string, lines: readonly EpochLine[]): void {
  replaceFile(
    "resume",
    join(folder, RUN_FILES.metrics),
    lines.map((line) => Buffer.from(`${JSON.stringify(line)}\n`)),
  );
}
