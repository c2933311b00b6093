import { realpathSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { FormatError } from "./safetensors.ts";

/**
 * Writes a file beside, and renames it once it is on the disk: never half a file. Where the path is a link, what it leads to is replaced.
 *
 * @throws FormatError where the path is there and no file, such as a folder or a device.
 */
export function replaceFile(path: string, bytes: Uint8Array): void {
  const there = statSync(path, { throwIfNoEntry: false });
  if (there !== undefined && !there.isFile()) throw new FormatError(path, "is no file that could be replaced");
  const target = there === undefined ? path : realpathSync(path);
  const beside = `${target}.${process.pid}.tmp`;
  try {
    writeFileSync(beside, bytes, { flush: true });
    renameSync(beside, target);
  } catch (error) {
    rmSync(beside, { force: true });
    throw error;
  }
}
