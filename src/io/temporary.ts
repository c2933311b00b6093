/** Node's `fs`, or what Deno and Bun offer under its name. */
export type FileSystem = ReturnType<typeof process.getBuiltinModule<"node:fs">>;

/**
 * A process as other processes of the same machine can check it: `place` stands for the machine since its last boot and the process
 * namespace (a container has its own), `pid` for the process. Null if the system does not tell; Linux does.
 */
type Owner = { readonly place: string; readonly pid: number };

/** After so many milliseconds without a write, a temporary file counts as left behind, whoever owns it: one day. */
const STALE = 24 * 60 * 60 * 1000;
/** `.hashgrad-<place>-<process>-<random>.tmp`: always 58 characters, so a long file name does not make it too long. */
const PATTERN = /^\.hashgrad-([0-9a-f]{16})-(\d{10})-[0-9a-f]{16}\.tmp$/;
const NOWHERE = "0".repeat(16);

/** A name for a temporary file that nobody can foresee. */
export function temporaryName(fs: FileSystem): string {
  const { place, pid } = ownerOf(fs) ?? { place: NOWHERE, pid: 0 };
  const random = process.getBuiltinModule("node:crypto").randomBytes(8).toString("hex");
  return `.hashgrad-${place}-${String(pid).padStart(10, "0")}-${random}.tmp`;
}

/**
 * Removes temporary files that writers of this library left in a folder: the writer's process has ended, or nobody has written to the
 * file for a day. Touches nothing else: not the files of live writers, no other names, no links, no folders. Never throws.
 */
export function removeStale(fs: FileSystem, folder: string): void {
  try {
    const own = ownerOf(fs);
    for (const name of fs.readdirSync(folder)) {
      const found = PATTERN.exec(name);
      if (found === null) continue;
      const path = `${folder}/${name}`;
      const info = fs.lstatSync(path, { throwIfNoEntry: false });
      if (!info?.isFile()) continue;
      const ended = own !== null && found[1] === own.place && !isRunning(Number(found[2]));
      if (ended || Date.now() - info.mtimeMs > STALE) fs.rmSync(path, { force: true });
    }
  } catch {
    // The folder may not be listed, or the file may not be removed. Saving does not depend on it.
  }
}

/** Who this process is, if the process file system and `process.pid` agree; in some containers they number processes differently. */
function ownerOf(fs: FileSystem): Owner | null {
  try {
    if (fs.readlinkSync("/proc/self") !== String(process.pid)) return null;
    const space = `${fs.readFileSync("/proc/sys/kernel/random/boot_id", "utf8")} ${fs.readlinkSync("/proc/self/ns/pid")}`;
    const place = process.getBuiltinModule("node:crypto").createHash("sha256").update(space).digest("hex").slice(0, 16);
    return { place, pid: process.pid };
  } catch {
    return null;
  }
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0); // signal 0 checks only
  } catch (error) {
    return (error as { readonly code?: unknown }).code !== "ESRCH";
  }
}
