import { HashgradError } from "../tensor/index.ts";

/**
 * The content of a file is malformed, damaged, or belongs to another model. The message starts with the name of the
 * file.
 */
export class FormatError extends HashgradError {}

/**
 * The file system did not read or write a file. The message names the function, the path and the cause.
 * `path` is the path that the caller gave; `cause` is the error of the file system, if there is one.
 */
export class FileError extends HashgradError {
  /** The path that the caller gave. */
  readonly path: string;

  /**
   * @param who - the function that throws
   * @param path - the path that the caller gave
   * @param what - the reason
   * @param cause - the error of the file system
   */
  constructor(who: string, path: string, what: string, cause?: unknown) {
    super(who, `${path} ${what}`, { cause });
    this.path = path;
  }
}

/** Whether a file is read or written. */
export type Access = "read" | "write";

/** Causes that read the same in both directions, by the code of the file system. */
const causes: Readonly<Record<string, string>> = {
  ENOSPC: "the disk is full",
  EDQUOT: "the disk quota is used up",
  EFBIG: "the file is larger than the file system or `ulimit -f` allows",
  ENAMETOOLONG: "the name is too long for the file system",
  EISDIR: "it is a folder",
  ENOTDIR: "a part of the path is a file and not a folder",
  EROFS: "the file system is read-only",
  EACCES: "the permission is missing",
  EPERM: "the permission is missing",
  EMFILE: "too many files are open",
  ENFILE: "too many files are open",
  ELOOP: "its links form a circle",
  EIO: "the disk reports an error",
  EBUSY: "another program uses the file",
  ETXTBSY: "another program runs the file",
  ENOMEM: "the memory is full",
};

function causeOf(access: Access, error: unknown): string {
  const { code, permission } = error as { readonly code?: unknown; readonly permission?: unknown };
  if (code === "ENOENT") return access === "read" ? "there is no such file" : "there is no such folder";
  if (code === "ERR_ACCESS_DENIED") {
    const flag = permission === "FileSystemWrite" ? "--allow-fs-write" : "--allow-fs-read";
    return `Node's permission model refuses it; allow the folder of the file with ${flag}`;
  }
  if (typeof code === "string" && Object.hasOwn(causes, code)) return causes[code]!;
  return error instanceof Error ? error.message : String(error);
}

/** Returns what `act` returns. @throws FileError if the file system refuses; errors of the library pass unchanged. */
export function onDisk<T>(who: string, path: string, access: Access, act: () => T): T {
  try {
    return act();
  } catch (error) {
    if (error instanceof HashgradError) throw error;
    const { code } = error as { readonly code?: unknown };
    const suffix = typeof code === "string" ? ` (${code})` : "";
    throw new FileError(
      who,
      path,
      `cannot be ${access === "read" ? "read" : "written"}: ${causeOf(access, error)}${suffix}`,
      error,
    );
  }
}
