import { appendFileSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import type { Line, Task } from "./train.ts";

/** The lines of a file of results; none if there is no file. */
export function linesIn<T = Line>(path: string): T[] {
  if (!existsSync(path)) return [];
  const texts = readFileSync(path, "utf8").split("\n");
  return texts.filter((text) => text !== "").map((text) => JSON.parse(text) as T);
}

const isOf = (line: Line, { run, seed, epochs, images }: Task): boolean =>
  line.run === run.name &&
  line.seed === seed &&
  line.epochs === epochs &&
  line.images === images &&
  line.rate === run.rate &&
  line.rateFactor === run.rateFactor;

/** The latest epoch of a task among lines; null if it has none. */
export const latestOf = (lines: readonly Line[], task: Task): Line | null =>
  lines.filter((line) => isOf(line, task)).reduce<Line | null>((a, b) => (a === null || b.epoch > a.epoch ? b : a), null);

export const isDone = (lines: readonly Line[], task: Task): boolean => latestOf(lines, task)?.epoch === task.epochs;

/**
 * Appends a line. A run that was killed between a line and its checkpoint makes the line again: it is then left out.
 */
export function appendLine(path: string, task: Task, line: Line): void {
  if (linesIn(path).some((old) => isOf(old, task) && old.epoch === line.epoch)) return;
  mkdirSync(dirname(path), { recursive: true });
  appendFileSync(path, `${JSON.stringify(line)}\n`);
}

/** The name of a task's files. */
export function fileName({ run, seed, epochs, images }: Task): string {
  const of = [run.name, `rate ${run.rate}`, run.rateFactor === null ? "" : `factor ${run.rateFactor}`, `seed ${seed}`];
  return [...of, `${epochs}x${images}`].join("-").replaceAll(/[^\w.]+/g, "-");
}
