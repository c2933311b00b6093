import { hasFiles } from "../kernels/index.ts";
import { decodeSafetensors, FormatError, type SavedTensors } from "./safetensors.ts";

function fileSystem(path: string) {
  if (hasFiles()) return process.getBuiltinModule("node:fs");
  throw new FormatError(
    path,
    "files take Node; elsewhere encodeWeights and encodeCheckpoint make bytes, and loadWeights and loadCheckpoint take them",
  );
}

/** The path of a safetensors file (in Node), or its bytes. */
export type Source = string | Uint8Array | ArrayBuffer;

/** What a file holds, and what messages call it. */
export function readSaved(source: Source, kind: string): { readonly name: string; readonly saved: SavedTensors } {
  if (typeof source === "string")
    return { name: source, saved: decodeSafetensors(fileSystem(source).readFileSync(source), source) };
  return { name: kind, saved: decodeSafetensors(source instanceof ArrayBuffer ? new Uint8Array(source) : source, kind) };
}

/**
 * Writes a file beside, and renames it once it is on the disk: never half a file. Where the path is a link, what it leads to is replaced.
 *
 * @throws FormatError where the path is there and no file, such as a folder or a device, or a link that leads nowhere.
 */
export function replaceFile(path: string, bytes: Uint8Array): void {
  const fs = fileSystem(path);
  const there = fs.statSync(path, { throwIfNoEntry: false });
  if (there !== undefined && !there.isFile()) throw new FormatError(path, "is no file that could be replaced");
  if (there === undefined && fs.lstatSync(path, { throwIfNoEntry: false }) !== undefined)
    throw new FormatError(path, "is a link that leads nowhere");
  const target = there === undefined ? path : fs.realpathSync(path);
  const beside = `${target}.${process.pid}.tmp`;
  try {
    fs.writeFileSync(beside, bytes, { flush: true, mode: (there?.mode ?? 0o666) & 0o777 }); // who may read it stays
    fs.renameSync(beside, target);
  } catch (error) {
    fs.rmSync(beside, { force: true });
    throw error;
  }
}
