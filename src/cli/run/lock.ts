import { mkdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { UsageError } from "../usage.ts";

// Locks of folders, so that two processes never train the same run. A lock is a file with the process id and the name
// of the machine. Its process touches the file, so that a process on another machine sees whether it lives.

/**
 * Claims work by a lock file. A lock of a dead process of this machine is replaced. Two processes that replace it at
 * the same moment may both get it.
 * @returns a function that releases the claim; null if a living process has it, or a process of another machine
 */
export function tryClaim(path: string): (() => void) | null {
  mkdirSync(dirname(path), { recursive: true });
  const owner = readOwner(path);
  if (owner !== null && owner.host === hostname() && !isAlive(owner.pid)) rmSync(path, { force: true });
  try {
    writeFileSync(path, JSON.stringify({ pid: process.pid, host: hostname() }), { flag: "wx" });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return null;
    throw error;
  }
  return () => rmSync(path, { force: true });
}

/** Milliseconds. */
const TOUCH_EVERY = 5000;
const LOOK_EVERY = 100;
/** How long to wait for a process that is ending, such as one whose sweep was killed. */
const PATIENCE = 5000;
/** How long a lock of another machine must stay untouched until its process counts as dead. */
const SILENCE = 30_000;

/**
 * Claims a folder that exists.
 * @param command - the command that messages name
 * @param name - the name of the lock file
 * @returns a function that releases the claim
 * @throws UsageError that names the owner, if another process has the folder.
 */
export async function claim(
  command: string,
  folder: string,
  name: string,
  { patience = PATIENCE, silence = SILENCE }: { readonly patience?: number; readonly silence?: number } = {},
): Promise<() => void> {
  const path = join(folder, name);
  const [began, touched] = [performance.now(), timeOf(path)];
  for (;;) {
    const release = tryClaim(path);
    if (release !== null) return touching(path, release);
    const owner = readOwner(path);
    const isElsewhere = owner !== null && owner.host !== hostname();
    const waited = performance.now() - began;
    if (waited > (isElsewhere ? silence : patience)) {
      if (isElsewhere && timeOf(path) === touched) rmSync(path, { force: true });
      else throw new UsageError(command, `${folder} is in use by ${nameOf(owner)}; if that process has ended, delete ${path}`);
    }
    await sleep(LOOK_EVERY);
  }
}

const nameOf = (owner: Owner | null): string => (owner === null ? "another process" : `process ${owner.pid} on ${owner.host}`);

/** Touches the lock until its release. */
function touching(path: string, release: () => void): () => void {
  const timer = setInterval(() => {
    try {
      utimesSync(path, new Date(), new Date());
    } catch {
      // somebody has removed the lock
    }
  }, TOUCH_EVERY).unref();
  return () => {
    clearInterval(timer);
    release();
  };
}

const timeOf = (path: string): number => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;

type Owner = { readonly pid: number; readonly host: string };

/** The owner of a lock; null if there is no lock, or if it is not readable. */
function readOwner(path: string): Owner | null {
  try {
    const { pid, host } = JSON.parse(readFileSync(path, "utf8")) as Owner;
    return typeof host === "string" ? { pid, host } : null;
  } catch {
    return null;
  }
}

function isAlive(id: number): boolean {
  try {
    return id > 0 && process.kill(id, 0); // signal 0 only asks
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
