/** Node's `fs`, or what Deno and Bun offer under its name. */
export type FileSystem = ReturnType<typeof process.getBuiltinModule<"node:fs">>;

/**
 * A process, described so that other processes of the same machine can check whether it runs. `place` names the boot of
 * the machine and the process namespace (a container has its own); `pid` is the number of the process.
 */
type Owner = { readonly place: string; readonly pid: number };

/**
 * After this many milliseconds without a write, a temporary file whose writer cannot be checked counts as left behind:
 * one hour.
 */
const STALE = 60 * 60 * 1000;
/** `.hashgrad-<place>-<process>-<random>.tmp`: always 58 characters, so a long file name does not make it too long. */
const PATTERN = /^\.hashgrad-([0-9a-f]{16})-(\d{10})-[0-9a-f]{16}\.tmp$/;
const NOWHERE = "0".repeat(16);

/** A name for a temporary file that no other program can guess. */
export function temporaryName(fs: FileSystem): string {
  const { place, pid } = ownerOf(fs) ?? { place: NOWHERE, pid: 0 };
  const random = process.getBuiltinModule("node:crypto").randomBytes(8).toString("hex");
  return `.hashgrad-${place}-${String(pid).padStart(10, "0")}-${random}.tmp`;
}

/**
 * Removes temporary files that writers of this library left in a folder: the writer's process has ended or has closed
 * the file (its thread was terminated). If that cannot be checked, removes the file after one hour without a write.
 * Touches nothing else: not the files of live writers, no other names, no links, no folders. Never throws.
 */
export function removeStale(fs: FileSystem, folder: string): void {
  try {
    if (!mayRead(folder)) return;
    const own = ownerOf(fs);
    for (const name of fs.readdirSync(folder)) {
      const found = PATTERN.exec(name);
      if (found === null) continue;
      const path = `${folder}/${name}`;
      const info = fs.lstatSync(path, { throwIfNoEntry: false });
      if (!info?.isFile()) continue;
      const open = own !== null && found[1] === own.place ? isOpenIn(fs, Number(found[2]), info) : null;
      if (open ?? Date.now() - info.mtimeMs <= STALE) continue;
      fs.rmSync(path, { force: true });
    }
  } catch {
    // The folder may not be listed, or the file may not be removed. Saving does not depend on it.
  }
}

/**
 * Whether a process of this machine has a file open; null if the system does not tell. Writers rename a temporary file
 * before they close it, so a file that no program has open under its temporary name is never one that a live writer
 * still needs.
 */
function isOpenIn(fs: FileSystem, pid: number, file: { readonly dev: number; readonly ino: number }): boolean | null {
  if (!isRunning(pid)) return false;
  try {
    return fs.readdirSync(`/proc/${pid}/fd`).some((number) => {
      const info = fs.statSync(`/proc/${pid}/fd/${number}`, { throwIfNoEntry: false });
      return info?.dev === file.dev && info.ino === file.ino;
    });
  } catch {
    return null; // The process belongs to another user.
  }
}

/**
 * Who this process is; null unless the process file system and `process.pid` agree. Only Linux has such a file system,
 * and in some containers the two number processes differently.
 */
function ownerOf(fs: FileSystem): Owner | null {
  try {
    if (!mayRead("/proc")) return null;
    if (fs.readlinkSync("/proc/self") !== String(process.pid)) return null;
    const space = `${fs.readFileSync("/proc/sys/kernel/random/boot_id", "utf8")} ${fs.readlinkSync("/proc/self/ns/pid")}`;
    const place = process.getBuiltinModule("node:crypto").createHash("sha256").update(space).digest("hex").slice(0, 16);
    return { place, pid: process.pid };
  } catch {
    return null;
  }
}

type WithDeno = {
  readonly Deno?: { readonly permissions: { querySync(what: { name: "read"; path: string }): { readonly state: string } } };
};

/**
 * Whether a path can be read without a question: in a terminal, Deno asks the user for a missing permission and waits
 * for an answer.
 */
export function mayRead(path: string): boolean {
  const { Deno } = globalThis as WithDeno;
  return Deno === undefined || Deno.permissions.querySync({ name: "read", path }).state === "granted";
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0); // signal 0 checks only
  } catch (error) {
    return (error as { readonly code?: unknown }).code !== "ESRCH";
  }
}
