import { spawn } from "node:child_process";
import { once } from "node:events";
import { availableParallelism } from "node:os";
import { createInterface } from "node:readline";
import { isRun } from "../run/folder.ts";
import type { Plan, PlannedRun } from "./plan.ts";

/** The arguments of the command that trains a run of a sweep, or continues it if its folder holds a run. */
export function argumentsOf(plan: Plan, run: PlannedRun, folder: string, threads: number | null): string[] {
  const more = ["--json", ...(threads === null ? [] : ["--threads", `${threads}`])];
  if (isRun(folder)) return ["resume", folder, ...more];
  const { data, target, imageSize, gray, validation, limit, strict, task } = plan.data;
  const { model, epochs, batchSize, learningRate, augment, earlyStopping } = plan.settings;
  const option = (name: string, value: string | number | null | undefined): string[] =>
    value === null || value === undefined ? [] : [`--${name}=${value}`];
  return [
    "train",
    ...option("data", data),
    ...option("target", target),
    ...option("task", task),
    ...option("image-size", imageSize?.join("x")),
    ...(gray ? ["--gray"] : []),
    ...(strict ? ["--strict"] : []),
    ...option("validation", validation),
    ...option("limit", limit),
    ...option("model", model),
    ...option("epochs", epochs),
    ...option("batch-size", batchSize),
    ...option("learning-rate", learningRate),
    ...option("augment", augment.length === 0 ? null : augment.join(",")),
    ...option("early-stopping", earlyStopping),
    ...(run.pool === null ? ["--dense"] : [...option("pool", run.pool), ...option("fraction", run.fraction)]),
    ...option("seed", run.seed),
    ...option("out", folder),
    ...more,
  ];
}

/** The threads of each of `jobs` runs at the same time: the cores are divided among them. */
export const threadsEach = (jobs: number): number => Math.min(16, Math.max(1, Math.floor(availableParallelism() / jobs)));

/** How a process of a run ended. */
export type ChildEnd = {
  /** The exit code; null if a signal killed the process. */
  readonly code: number | null;
  readonly signal: string | null;
  /** What it wrote to the standard error. */
  readonly errors: readonly string[];
};

/**
 * Runs a command in a process of its own, and calls `onLine` with each JSON object that it prints. An abort, and the
 * death of this process, close the channel to the child, which then saves its run and ends. The child is the leader of
 * a process group, so Ctrl-C in a terminal does not reach it a second time.
 */
export async function runChild(
  [program, ...first]: readonly string[],
  args: readonly string[],
  { signal, onLine }: { readonly signal: AbortSignal; readonly onLine: (line: Readonly<Record<string, unknown>>) => void },
): Promise<ChildEnd> {
  const child = spawn(program!, [...first, ...args], {
    stdio: ["ignore", "pipe", "pipe", "ipc"],
    detached: true,
    windowsHide: true,
  });
  const stop = (): void => {
    if (child.connected) child.disconnect();
  };
  if (signal.aborted) stop();
  signal.addEventListener("abort", stop);
  const errors: string[] = [];
  const stderr = createInterface({ input: child.stderr! }).on("line", (line) => errors.push(line));
  const stdout = createInterface({ input: child.stdout! }).on("line", (line) => {
    const value = objectIn(line);
    if (value !== null) onLine(value);
  });
  // Not the event "close" of the child, which does not come after `disconnect`.
  const closed = [stdout, stderr].map((lines) => once(lines, "close"));
  try {
    const [code, killedBy] = (await once(child, "exit")) as [number | null, string | null];
    await Promise.all(closed);
    return { code, signal: killedBy, errors };
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

/** The object of a line of JSON; null for other lines. */
function objectIn(line: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
