import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { UsageError } from "../usage.ts";

/**
 * Claims a folder by a lock file, which holds the process id and the name of the machine, so that two commands never
 * train the same run. A lock of a dead process of this machine is replaced.
 * @returns a function that releases the claim
 * @throws UsageError if a living process has the claim, or a process of another machine.
 */
export function claim(folder: string, name: string): () => void {
  const path = join(folder, name);
  const owner = readOwner(path);
  if (owner !== null && owner.host === hostname() && !isAlive(owner.pid)) rmSync(path, { force: true });
  try {
    writeFileSync(path, JSON.stringify({ pid: process.pid, host: hostname() }), { flag: "wx" });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    const who = owner === null ? "another process" : `process ${owner.pid} on ${owner.host}`;
    throw new UsageError("sweep", `${folder} is in use by ${who}; if that process has ended, delete ${path}`);
  }
  return () => rmSync(path, { force: true });
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
