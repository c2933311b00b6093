import { accessSync, constants, statSync } from "node:fs";
import { type Arrays, DataError, type Dataset } from "../../data/index.ts";
import { bytesOf, encodeRows } from "./csv.ts";
import { decodeImage, ImageError, loadSharp, type Sharp, sideBySide } from "./decoder.ts";
import { filesIn, reasonOf } from "./folders.ts";
import type { ImagePreprocessing, Preprocessing, Reading, RowPreprocessing, Skipped } from "./opened.ts";
import { readTable } from "./table.ts";

/** Where an example comes from. */
export type Example = {
  /** The path of the file; "-" for the standard input. */
  readonly file: string;
  /** The line of a row; null for an image. */
  readonly line: number | null;
};

/** Inputs as training saw them, for `predict`. */
export type Prepared = {
  /** Null without examples. */
  readonly data: Dataset | Pick<Arrays, "inputs"> | null;
  readonly examples: readonly Example[];
  readonly skipped: readonly Skipped[];
};

/** Images that are decoded before their predictions are made. */
const IMAGES_AT_ONCE = 256;

/**
 * Reads images or rows of CSV files, and treats them as training did. Yields parts, so that predictions begin before
 * all files are read. A file or row that cannot be read is listed in `skipped`; the others are read.
 * @param sources - paths of files; for images also of folders; "-" is the standard input
 * @param input - reads the standard input
 */
export async function* prepare(
  preprocessing: Preprocessing,
  sources: readonly string[],
  input: () => Promise<Uint8Array>,
  reading: Reading = {},
): AsyncGenerator<Prepared> {
  if (preprocessing.kind === "images") yield* images(preprocessing, sources, input, reading);
  else for (const source of sources) yield await rows(preprocessing, source, input, reading);
}

async function* images(
  preprocessing: ImagePreprocessing,
  sources: readonly string[],
  input: () => Promise<Uint8Array>,
  { signal, onProgress }: Reading,
): AsyncGenerator<Prepared> {
  const sharp = await loadSharp();
  const files: string[] = [];
  const lost: Skipped[] = [];
  for (const source of sources) {
    if (source !== "-" && statSync(source, { throwIfNoEntry: false })?.isDirectory())
      files.push(...(await filesIn(source, lost)));
    else files.push(source);
  }
  if (lost.length > 0) yield { data: null, examples: [], skipped: lost };
  for (let from = 0; from < files.length; from += IMAGES_AT_ONCE) {
    const part = files.slice(from, from + IMAGES_AT_ONCE);
    yield await decoded(sharp, part, preprocessing, input, { ...(signal && { signal }) });
    onProgress?.(from + part.length, files.length);
  }
}

async function decoded(
  sharp: Sharp,
  files: readonly string[],
  preprocessing: ImagePreprocessing,
  input: () => Promise<Uint8Array>,
  reading: Reading,
): Promise<Prepared> {
  const { height, width, channels } = preprocessing;
  const size = height * width * channels;
  const results = new Map<number, Uint8Array>();
  const decode = async (i: number): Promise<void> => {
    results.set(i, await decodeImage(sharp, await sourceOf(files[i]!, input), preprocessing));
  };
  const failed = await sideBySide(files.length, decode, reading);
  const good = [...results].sort(([a], [b]) => a - b);
  const inputs = new Uint8Array(good.length * size);
  for (const [at, [, pixels]] of good.entries()) inputs.set(pixels, at * size);
  const labels = new Int32Array(good.length); // not read: predictions need inputs only
  return {
    data: good.length === 0 ? null : { inputs, inputShape: [height, width, channels], labels, classes: 1 },
    examples: good.map(([i]) => ({ file: files[i]!, line: null })),
    skipped: [...failed].map(([i, reason]) => ({ where: files[i]!, reason })),
  };
}

/** A file that can be read, or the bytes of the standard input. @throws ImageError with the reason. */
async function sourceOf(file: string, input: () => Promise<Uint8Array>): Promise<string | Uint8Array> {
  if (file === "-") return input();
  if (/\.[ct]sv$/i.test(file)) throw new ImageError("is a CSV file, but the model takes images");
  try {
    accessSync(file, constants.R_OK);
    if (statSync(file).size > 0) return file;
  } catch (error) {
    throw new ImageError(reasonOf(error), { cause: error });
  }
  throw new ImageError("is empty");
}

async function rows(
  { columns }: RowPreprocessing,
  file: string,
  input: () => Promise<Uint8Array>,
  reading: Reading,
): Promise<Prepared> {
  const name = file === "-" ? "standard input" : file;
  if (file !== "-" && statSync(file, { throwIfNoEntry: false })?.isDirectory())
    return {
      data: null,
      examples: [],
      skipped: [{ where: name, reason: "is a folder, but the model takes rows: pass .csv files" }],
    };
  try {
    const table = await readTable(name, file === "-" ? await input() : await bytesOf(file, reading.signal), reading);
    const { inputs, good, skipped } = encodeRows(table, table.rows, columns, false);
    const lines = good.map((i) => table.rows[i]!.line);
    return {
      data: lines.length === 0 ? null : { inputs },
      examples: lines.map((line) => ({ file, line })),
      skipped: [...table.skipped, ...skipped].map(({ where, reason }) => ({ where: `${name} ${where}`, reason })),
    };
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    return { data: null, examples: [], skipped: [{ where: name, reason: error.message.replace(`${name}: `, "") }] };
  }
}
