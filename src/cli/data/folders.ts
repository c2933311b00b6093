import { type Stats, statSync } from "node:fs";
import { readdir, realpath } from "node:fs/promises";
import { join } from "node:path";
import { DataError } from "../../data/index.ts";
import type { Skipped } from "./opened.ts";
import { byCode } from "./order.ts";

/** A file of a class. */
export type ImageFile = {
  readonly path: string;
  /** The path from the folder of the data on, with slashes: names the file in messages. */
  readonly name: string;
  readonly className: string;
  /** Bytes and milliseconds: changed if the file has changed. */
  readonly size: number;
  readonly modified: number;
};

/** The files of a folder of images, sorted by name; null if the folder lacks the part. */
export type ImageFolder = {
  readonly train: readonly ImageFile[];
  readonly validation: readonly ImageFile[] | null;
  readonly test: readonly ImageFile[] | null;
  readonly skipped: readonly Skipped[];
};

const TRAIN = "train";
const TEST = "test";
const VALIDATION = ["validation", "val", "valid"];

/** Files and folders that operating systems and archives add. */
const isHidden = (name: string): boolean => name.startsWith(".") || /^(?:thumbs\.db|desktop\.ini|__macosx|@eadir)$/i.test(name);

type Entry = { readonly name: string; readonly path: string; readonly stats: Stats };

/** What a folder shows, sorted by name. Entries that cannot be opened are added to `skipped`. */
async function entriesOf(folder: string, within: string, skipped: Skipped[]): Promise<Entry[]> {
  const entries: Entry[] = [];
  for (const name of (await readdir(folder)).filter((name) => !isHidden(name)).sort(byCode)) {
    const path = join(folder, name);
    try {
      entries.push({ name, path, stats: statSync(path) });
    } catch (error) {
      skipped.push({ where: within + name, reason: reasonOf(error) });
    }
  }
  return entries;
}

/** The reason of the file system in words. */
export function reasonOf(error: unknown): string {
  const code = (error as { readonly code?: unknown }).code;
  if (code === "ENOENT") return "does not exist, or is a link to nothing";
  if (code === "EISDIR") return "is a folder";
  if (code === "EACCES" || code === "EPERM") return "may not be read by this user";
  return (error instanceof Error ? error.message : String(error)).split("\n")[0]!.trim();
}

/**
 * Lists the files of a folder with a folder for each class, or with train/ and also test/ and validation/ or val/ that
 * have a folder for each class. A class has the files of all folders inside its folder. Hidden files are ignored.
 * @throws DataError if the folder has another layout.
 */
export async function listImages(root: string): Promise<ImageFolder> {
  const skipped: Skipped[] = [];
  const entries = await entriesOf(root, "", skipped);
  const folders = entries.filter(({ stats }) => stats.isDirectory());
  const files = entries.filter(({ stats }) => !stats.isDirectory());
  if (folders.length === 0) {
    const found = files.length === 0 ? "is empty" : `holds ${files.length} files and no folder`;
    throw new DataError(root, `${found}: need a folder for each class with its images, such as cats/ and dogs/`);
  }
  for (const { name } of files) skipped.push({ where: name, reason: "lies outside the folders of the classes" });
  const parts = await partsOf(root, folders);
  const above = [await realpath(root)];
  if (parts === null) return { train: await classesOf(folders, "", above, skipped), validation: null, test: null, skipped };
  const filesOf = async (part: Entry | undefined): Promise<ImageFile[] | null> => {
    if (part === undefined) return null;
    const within = `${part.name}/`;
    const classes = await entriesOf(part.path, within, skipped);
    for (const { name, stats } of classes)
      if (!stats.isDirectory()) skipped.push({ where: within + name, reason: "lies outside the folders of the classes" });
    return classesOf(
      classes.filter(({ stats }) => stats.isDirectory()),
      within,
      above,
      skipped,
    );
  };
  for (const { name } of folders)
    if (![TRAIN, TEST, ...VALIDATION].includes(name))
      skipped.push({ where: `${name}/`, reason: "lies beside train/ and is none of test/, validation/ and val/" });
  const [train, validation, test] = [await filesOf(parts.train), await filesOf(parts.validation), await filesOf(parts.test)];
  return { train: train!, validation, test, skipped };
}

/** The folders train, validation and test; null if the folders are classes. A class may have the name "train". */
async function partsOf(
  root: string,
  folders: readonly Entry[],
): Promise<{ train: Entry; validation: Entry | undefined; test: Entry | undefined } | null> {
  const named = (...names: readonly string[]): Entry[] => folders.filter(({ name }) => names.includes(name));
  const [train] = named(TRAIN);
  const held = named(TEST, ...VALIDATION);
  if (train === undefined) {
    if (held.length < folders.length) return null;
    const names = held.map(({ name }) => `${name}/`).join(" and ");
    throw new DataError(root, `holds ${names} only: train/ with a folder for each class is missing`);
  }
  const inside = await entriesOf(train.path, "", []);
  if (!inside.some(({ stats }) => stats.isDirectory())) {
    if (held.length === 0 || inside.length > 0) return null;
    throw new DataError(train.path, "holds no folders: need a folder for each class with its images");
  }
  const validation = named(...VALIDATION);
  if (validation.length > 1) {
    const names = validation.map(({ name }) => `${name}/`).join(" and ");
    throw new DataError(root, `holds ${names}: need one folder of validation images`);
  }
  return { train, validation: validation[0], test: named(TEST)[0] };
}

async function classesOf(
  folders: readonly Entry[],
  within: string,
  above: readonly string[],
  skipped: Skipped[],
): Promise<ImageFile[]> {
  const files: ImageFile[] = [];
  for (const folder of folders) {
    const before = files.length;
    // File systems of macOS may decompose letters such as "é", so names are composed before they are compared.
    await collect(folder, within, folder.name.normalize("NFC"), above, files, skipped);
    if (files.length === before)
      skipped.push({ where: `${within}${folder.name}/`, reason: "holds no images, so it is no class" });
  }
  return files.sort((a, b) => byCode(a.className, b.className) || byCode(a.name, b.name));
}

/** Adds the files of a folder and of its folders. `above` are the folders around it, so that a link cannot loop. */
async function collect(
  folder: Entry,
  within: string,
  className: string,
  above: readonly string[],
  files: ImageFile[],
  skipped: Skipped[],
): Promise<void> {
  const name = `${within}${folder.name}/`;
  let entries: Entry[];
  try {
    const real = await realpath(folder.path);
    if (above.includes(real)) {
      skipped.push({ where: name, reason: "is a link to a folder around it" });
      return;
    }
    above = [...above, real];
    entries = await entriesOf(folder.path, name, skipped);
  } catch (error) {
    skipped.push({ where: name, reason: reasonOf(error) });
    return;
  }
  for (const entry of entries) {
    const { path, stats } = entry;
    if (stats.isDirectory()) await collect(entry, name, className, above, files, skipped);
    else if (!stats.isFile()) skipped.push({ where: name + entry.name, reason: "is not a file" });
    else files.push({ path, name: name + entry.name, className, size: stats.size, modified: stats.mtimeMs });
  }
}

/** The paths of all files in a folder and in its folders, sorted. Adds entries that cannot be opened to `skipped`. */
export async function filesIn(folder: string, skipped: Skipped[]): Promise<string[]> {
  const files: ImageFile[] = [];
  await collect({ name: folder, path: folder, stats: statSync(folder) }, "", "", [], files, skipped);
  return files.map(({ path }) => path).sort(byCode);
}
