import { type Arrays, type Data, DataError, type Dataset } from "../../data/index.ts";
import { sizeOf } from "../../tensor/index.ts";
import { bytesOf, encodeRows } from "./csv.ts";
import { loadSharp } from "./decoder.ts";
import { listImages } from "./folders.ts";
import { openIdx } from "./idx.ts";
import { datasetIn, failuresOf, labelsOf } from "./images.ts";
import { kindOf } from "./kind.ts";
import type { DataOptions, ImagePreprocessing, Preprocessing, Reading, RowPreprocessing, Skipped } from "./opened.ts";
import { arrange, pixelsOf } from "./pixels.ts";
import { refusal } from "./skipped.ts";
import { columnIndex, isMissing, numberIn, type Row, readTable, type Table } from "./table.ts";

/** What a model was trained on: how inputs are treated, and the names of its classes. */
export type Trained = { readonly preprocessing: Preprocessing; readonly classes: readonly string[] | null };

/** Labeled examples for a trained model. */
export type Labeled = { readonly data: Data; readonly skipped: readonly Skipped[] };

/**
 * Reads labeled examples, and treats them as the training of a model did: same size of images, same columns and
 * statistics, same labels. Of a folder with train/ and test/, reads test/.
 * @throws DataError if the data are of another kind, if the class of an image is none of the model's, or if no example
 * can be read. With `strict`, also if a file or row cannot be read.
 */
export async function openLabeled(
  { data, strict }: Pick<DataOptions, "data" | "strict">,
  { preprocessing, classes }: Trained,
  reading: Reading = {},
): Promise<Labeled> {
  reading.signal?.throwIfAborted();
  const kind = kindOf(data);
  if ((kind === "csv") !== (preprocessing.kind === "rows"))
    throw new DataError(
      data,
      kind === "csv" ? "is a CSV file, but the model takes images" : "holds images, but the model takes rows",
    );
  if (preprocessing.kind === "rows") return labeledRows(data, strict, preprocessing, classes, reading);
  if (classes === null) throw new DataError(data, "holds classes, but the model predicts numbers");
  return kind === "idx" ? labeledIdx(data, preprocessing, classes) : labeledImages(data, strict, preprocessing, classes, reading);
}

function labeledIdx(data: string, { height, width, channels }: ImagePreprocessing, classes: readonly string[]): Labeled {
  const options = { target: null, imageSize: null, gray: false, validation: 0, limit: null, strict: false, seed: 0 };
  const { train, test } = openIdx({ data, ...options });
  const part = (test ?? train) as Dataset;
  if (part.inputShape.join() !== [height, width, channels].join())
    throw new DataError(
      data,
      `holds images [${part.inputShape.join(", ")}], but the model takes [${height}, ${width}, ${channels}]`,
    );
  const highest = part.labels.reduce((most, label) => Math.max(most, label), 0);
  if (highest >= classes.length)
    throw new DataError(data, `holds the label ${highest}, but the model has ${classes.length} classes, from label 0 on`);
  return { data: part, skipped: [] };
}

async function labeledImages(
  root: string,
  strict: boolean,
  preprocessing: ImagePreprocessing,
  classes: readonly string[],
  reading: Reading,
): Promise<Labeled> {
  const listed = await listImages(root);
  const sharp = await loadSharp();
  if (strict && listed.skipped.length > 0) throw new DataError(root, refusal(listed.skipped, "this folder"));
  const files = listed.test ?? listed.train;
  const labels = labelsOf(root, files, classes, "which is no class of the model");
  const { pixels, failed } = await pixelsOf(sharp, root, files, preprocessing, reading);
  const skipped = [...listed.skipped, ...failuresOf(root, files, failed, strict)];
  const good = files.flatMap((_, i) => (failed.has(i) ? [] : [i]));
  if (good.length === 0)
    throw new DataError(root, `holds no image that can be read; ${skipped[0]!.where}: ${skipped[0]!.reason}`);
  const inputShape = [preprocessing.height, preprocessing.width, preprocessing.channels];
  arrange(pixels, sizeOf(inputShape), good);
  const named = good.map((i) => labels[i]!);
  return { data: datasetIn(pixels, 0, inputShape, named, classes.length), skipped };
}

async function labeledRows(
  path: string,
  strict: boolean,
  { columns, target, scale }: RowPreprocessing,
  classes: readonly string[] | null,
  reading: Reading,
): Promise<Labeled> {
  const table = await readTable(path, await bytesOf(path, reading.signal), reading);
  const index = columnIndex(table, target);
  const read = table.rows.map((row) => ({ row, value: targetIn(table, row, index, classes) }));
  const known = read.flatMap(({ row, value }) => (typeof value === "string" ? [] : [{ row, value }]));
  const wrong = read.flatMap(({ row, value }) =>
    typeof value === "string" ? [{ where: `line ${row.line}`, reason: value }] : [],
  );
  const {
    inputs,
    good,
    skipped: bad,
  } = encodeRows(
    table,
    known.map(({ row }) => row),
    columns,
    strict,
  );
  const skipped = [...table.skipped, ...wrong, ...bad];
  if (strict && skipped.length > 0) throw new DataError(path, refusal(skipped, "this file"));
  if (good.length === 0)
    throw new DataError(path, `holds no row that can be used${skipped[0] ? `; ${skipped[0].where}: ${skipped[0].reason}` : ""}`);
  const values = good.map((i) => known[i]!.value);
  const { mean, stddev } = scale ?? { mean: 0, stddev: 1 };
  const targets: Arrays["targets"] =
    classes === null ? Float32Array.from(values, (value) => (value - mean) / stddev) : Int32Array.from(values);
  return { data: { inputs, targets }, skipped };
}

/** The label or the number of a row, or the reason why it has none. */
function targetIn(table: Table, { cells }: Row, index: number, classes: readonly string[] | null): number | string {
  const cell = cells[index]!;
  const name = table.header[index]!;
  if (isMissing(cell)) return `the target "${name}" has no value`;
  const number = numberIn(cell, table.separator);
  if (classes === null) return number ?? `the target "${name}" holds "${cell}", which is not a number`;
  const label = classes.indexOf(cell) >= 0 ? classes.indexOf(cell) : classes.indexOf(`${number}`); // 1.0 is the class 1
  return label >= 0 ? label : `the target "${name}" holds "${cell}", which is no class of the model`;
}
