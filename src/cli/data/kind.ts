import { readdirSync, statSync } from "node:fs";
import { extname } from "node:path";
import { DataError } from "../../data/index.ts";
import { reasonOf } from "./folders.ts";
import type { OpenedData } from "./opened.ts";

/** What the data are. @throws DataError if there is nothing at the path, or a file of another kind. */
export function kindOf(path: string): OpenedData["kind"] {
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
