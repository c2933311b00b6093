import type { ChildProcess } from "node:child_process";

/** Ends a browser, started as a process group, with all its processes, so that none writes to the profile. */
export async function ended(running: ChildProcess | null): Promise<void> {
  if (running?.pid === undefined || running.exitCode !== null) return;
  const exit = new Promise((resolve) => running.once("exit", resolve));
  process.kill(-running.pid, "SIGKILL");
  await exit;
}
