import { hasFiles } from "../kernels/index.ts";
import { describe, ValueError } from "../tensor/index.ts";
import { bytesIn, readPath, type Source } from "./arguments.ts";
import { FileError, FormatError, onDisk } from "./errors.ts";
import { type FileSystem, mayRead, removeStale, temporaryName } from "./temporary.ts";

/** Bytes that are read piece by piece. Messages call them `name`. */
export type Bytes = {
  readonly name: string;
  readonly size: number;
  /** Bytes `begin` to `end` − 1. Valid until the next call. */
  readonly read: (begin: number, end: number) => Uint8Array;
};

function fileSystem(who: string, path: string): FileSystem {
  if (hasFiles()) return process.getBuiltinModule("node:fs");
  throw new FileError(
    who,
    path,
    "needs Node.js, Deno or Bun; elsewhere encodeWeights and encodeCheckpoint return bytes, and loadWeights and loadCheckpoint take bytes",
  );
}

/** Returns what `use` returns for the bytes of a file or a buffer. `kind` is the name of a buffer in messages. */
export function withBytes<T>(who: string, source: Source, kind: string, use: (bytes: Bytes) => T): T {
  if (typeof source === "string") return withFile(who, readPath(who, source), use);
  const bytes = bytesIn(source);
  if (bytes === null) throw new ValueError(who, `source must be a path, a Uint8Array or an ArrayBuffer, got ${describe(source)}`);
  return use(inMemory(bytes, kind));
}

export function inMemory(bytes: Uint8Array, name: string): Bytes {
  return { name, size: bytes.length, read: (begin, end) => bytes.subarray(begin, end) };
}

function withFile<T>(who: string, path: string, use: (bytes: Bytes) => T): T {
  const fs = fileSystem(who, path);
  // Before the file is opened, because opening a pipe waits for a writer.
  const info = onDisk(who, path, "read", () => fs.statSync(path));
  if (!info.isFile()) throw new FileError(who, path, `cannot be read: it is ${info.isDirectory() ? "a folder" : "not a file"}`);
  const file = onDisk(who, path, "read", () => fs.openSync(path, "r"));
  try {
    const { size } = onDisk(who, path, "read", () => fs.fstatSync(file));
    return use({ name: path, size, read: (begin, end) => readFrom(fs, file, begin, end) });
  } finally {
    fs.closeSync(file);
  }

  function readFrom(fs: FileSystem, file: number, begin: number, end: number): Uint8Array {
    const bytes = new Uint8Array(end - begin);
    for (let done = 0; done < bytes.length; ) {
      const count = onDisk(who, path, "read", () => fs.readSync(file, bytes, done, bytes.length - done, begin + done));
      if (count === 0) throw new FormatError(path, `became shorter while it was read: it ends before byte ${end}`);
      done += count;
    }
    return bytes;
  }
}

/**
 * Replaces the file at `path` by the pieces, one after another. Writes a temporary file in the same folder, then
 * renames it, so no reader finds a partial file, even after a crash or beside another writer. Replaces the file behind
 * a link. Keeps the permissions of the file. If anything fails, removes the temporary file and leaves the file at
 * `path` as it was.
 * @param who - the name of the function that errors name
 * @param path - the path of the file
 * @param pieces - the content
 * @throws FileError if the file system refuses, if `path` is a folder or a device, or a link to nothing.
 */
export function replaceFile(who: string, path: string, pieces: Iterable<Uint8Array>): void {
  const fs = fileSystem(who, readPath(who, path));
  onDisk(who, path, "write", () => {
    const target = targetOf(fs, who, path);
    const before = fs.statSync(target, { throwIfNoEntry: false });
    if (before !== undefined && !before.isFile())
      throw new FileError(who, path, `cannot be written: it is ${before.isDirectory() ? "a folder" : "not a file"}`);
    const folder = process.getBuiltinModule("node:path").dirname(target);
    removeStale(fs, folder);
    const temporary = `${folder}/${temporaryName(fs)}`;
    const file = fs.openSync(temporary, "wx", before === undefined ? 0o666 : 0o600); // "x": never follows a link
    try {
      try {
        for (const piece of pieces) writeAll(fs, file, piece);
        if (before !== undefined) keepPermissions(fs, file, temporary, before);
        flush(fs, file);
        fs.renameSync(temporary, target); // before closing: a closed temporary file counts as left behind
      } finally {
        fs.closeSync(file);
      }
    } catch (error) {
      removeQuietly(fs, temporary);
      throw error;
    }
    flushFolder(fs, folder);
  });
}

/** The path itself, or the file behind it if it is a link. */
function targetOf(fs: FileSystem, who: string, path: string): string {
  if (!fs.lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink()) return path;
  if (fs.statSync(path, { throwIfNoEntry: false }) === undefined)
    throw new FileError(who, path, "cannot be written: it is a link to a file that does not exist");
  return fs.realpathSync(path);
}

function writeAll(fs: FileSystem, file: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; ) done += fs.writeSync(file, bytes, done, bytes.length - done);
}

/**
 * Gives the new file the owner and the permissions of the old one, under any umask. Only root can give a file to
 * another owner.
 */
function keepPermissions(
  fs: FileSystem,
  file: number,
  temporary: string,
  before: { readonly mode: number; readonly uid: number; readonly gid: number },
): void {
  const { uid, gid } = fs.fstatSync(file);
  if (uid !== before.uid || gid !== before.gid) unlessRefused(() => fs.fchownSync(file, before.uid, before.gid));
  const mode = before.mode & 0o777;
  if (!unlessRefused(() => fs.fchmodSync(file, mode))) unlessRefused(() => fs.chmodSync(temporary, mode));
}

/** Waits until the disk has the file. Node's permission model refuses it, and some file systems do not offer it. */
function flush(fs: FileSystem, file: number): void {
  unlessRefused(() => fs.fsyncSync(file));
}

/** Waits until the disk has the new name, if the platform can: Windows cannot open folders. */
function flushFolder(fs: FileSystem, folder: string): void {
  try {
    if (!mayRead(folder)) return;
    const file = fs.openSync(folder, "r");
    try {
      fs.fsyncSync(file);
    } finally {
      fs.closeSync(file);
    }
  } catch {
    // The file is complete under its new name; only a power cut could bring the old one back.
  }
}

const REFUSALS: readonly unknown[] = ["ERR_ACCESS_DENIED", "EPERM", "EACCES", "ENOSYS", "ENOTSUP", "EINVAL"];

/** Whether `act` ran; false if the platform refuses it. Other errors, such as a full disk, pass. */
function unlessRefused(act: () => void): boolean {
  try {
    act();
    return true;
  } catch (error) {
    if (REFUSALS.includes((error as { readonly code?: unknown }).code)) return false;
    throw error;
  }
}

function removeQuietly(fs: FileSystem, path: string): void {
  try {
    fs.unlinkSync(path); // rmSync would also ask Deno for the permission to read
  } catch {
    // The first error matters more. The next save removes the file.
  }
}
