import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { oneFile } from "../../src/build.ts";
import type { ProcessOptions } from "./process.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** Programs of the tests as one file each, so that a process starts fast. */
export type Programs = {
  /** test/distributed/process.ts. */
  readonly current: string;
  /** The same with another version of the library. */
  readonly other: string;
  readonly remove: () => void;
};

/** Writes the programs below node_modules, from which Node.js finds bullmq and ioredis. */
export async function programs(version: string): Promise<Programs> {
  mkdirSync(join(root, "node_modules/.cache"), { recursive: true });
  const folder = mkdtempSync(join(root, "node_modules/.cache/hashgrad-distributed-"));
  const [current, other] = [join(folder, "current.mjs"), join(folder, "other.mjs")];
  const contents = 'import { main } from "./test/distributed/process.ts";\nawait main(process.argv[2]);';
  writeFileSync(current, await oneFile(contents, { external: ["bullmq", "ioredis"] }));
  writeFileSync(other, readFileSync(current, "utf8").replaceAll(`"${version}"`, '"0.0.1"'));
  return { current, other, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/** A line of a process: "shard", "batch", or an object with a notice, the result or the error. */
export type Line = "shard" | "batch" | ({ readonly notice?: { readonly kind: string; readonly message: string } } & Outcome);
export type Outcome = { readonly result?: unknown; readonly error?: string };

export type Started = {
  readonly lines: readonly Line[];
  /** Waits until the process has written this line `count` times. */
  readonly wrote: (line: "shard" | "batch", count: number) => Promise<void>;
  readonly kill: (signal: "SIGKILL" | "SIGSTOP" | "SIGCONT") => void;
  /** The last line with a result or an error, when the process has ended; an empty object after a kill. */
  readonly outcome: Promise<Outcome>;
};

const running = new Set<ChildProcess>();
/** Ends all processes that still run. */
export function killAll(): void {
  for (const child of running) child.kill("SIGKILL");
}

export function start(program: string, options: ProcessOptions): Started {
  const child = spawn(process.execPath, [program, JSON.stringify(options)], {
    cwd: root,
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, HASHGRAD_THREADS: "1" },
  });
  running.add(child);
  const lines: Line[] = [];
  const listeners = new Set<() => void>();
  const reader = createInterface(child.stdout!);
  reader.on("line", (line) => {
    lines.push(JSON.parse(line) as Line);
    for (const listener of listeners) listener();
  });
  const ended = Promise.all([
    new Promise((resolve) => child.once("exit", resolve)),
    new Promise((resolve) => reader.once("close", resolve)),
  ]);
  const outcome = ended.then((): Outcome => {
    running.delete(child);
    const last = lines.at(-1);
    return typeof last === "object" && ("result" in last || "error" in last) ? last : {};
  });
  const wrote: Started["wrote"] = (line, count) =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if (lines.filter((one) => one === line).length < count) return;
        listeners.delete(look);
        resolve();
      };
      listeners.add(look);
      look();
      void outcome.then((end) => reject(new Error(`the process ended: ${JSON.stringify(end)}`)));
    });
  return { lines, wrote, outcome, kill: (signal) => void child.kill(signal) };
}
