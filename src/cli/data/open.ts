import { readdirSync, statSync } from "node:fs";
import { extname } from "node:path";
import { DataError } from "../../data/index.ts";
import { openCsv } from "./csv.ts";
import { reasonOf } from "./folders.ts";
import { openIdx } from "./idx.ts";
import { openImages } from "./images.ts";
import type { DataOptions, OpenedData, Reading } from "./opened.ts";

/** What the files at a path are. */
export type DataKind = OpenedData["kind"];

/**
 * Reads the data of a command: "mnist", or what is found at the path.
 * @throws DataError if there are no data, or if they cannot be read.
 */
export async function openData(options: DataOptions, reading: Reading = {}): Promise<OpenedData> {
  reading.signal?.throwIfAborted();
  const kind = kindOf(options.data);
  if (kind === "csv") return openCsv(options, reading);
  if (options.target !== null)
    throw new DataError(options.data, `--target ${options.target} names a column, and these data are no CSV file: leave it out`);
  return kind === "idx" ? openIdx(options) : openImages(options, reading);
}

/** What the data are. @throws DataError if there is nothing at the path, or a file of another kind. */
export function kindOf(path: string): DataKind {
  if (path === "mnist") return "idx";
  let isFolder: boolean;
  let names: readonly string[];
  try {
    isFolder = statSync(path).isDirectory();
    names = isFolder ? readdirSync(path) : [];
  } catch (error) {
    throw new DataError(path, `cannot be read: it ${reasonOf(error)}`);
  }
  if (isFolder) return names.some((name) => /-(?:images|labels)[-.]idx\d-ubyte(?:\.gz)?$/.test(name)) ? "idx" : "images";
  if ([".csv", ".tsv"].includes(extname(path).toLowerCase())) return "csv";
  throw new DataError(
    path,
    "is neither a folder nor a .csv file: pass a folder of images, a folder of IDX files, a .csv file, or mnist",
  );
}
