import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { dirname, join } from "node:path";
import { UsageError } from "../usage.ts";

/**
 * Claims work by a lock file, which holds the process id and the name of the machine. A lock of a dead process of this
 * machine is replaced. Two processes that replace it at the same moment may both get it.
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

/**
 * Claims the folder of a sweep, so that two commands never train the same run.
 * @returns a function that releases the claim
 * @throws UsageError that names the owner of the claim.
 */
export function claim(folder: string, name: string): () => void {
  const path = join(folder, name);
  const release = tryClaim(path);
  if (release !== null) return release;
  const owner = readOwner(path);
  const who = owner === null ? "another process" : `process ${owner.pid} on ${owner.host}`;
  throw new UsageError("sweep", `${folder} is in use by ${who}; if that process has ended, delete ${path}`);
}

/** The owner of a lock; null if there is no lock, or if it is not readable. */
function readOwner(path: string): { readonly pid: number; readonly host: string } | null {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as { pid: number; host: string };
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
