import { createHash } from "node:crypto";
import { DataError, type Dataset } from "../../data/index.ts";
import { sizeOf } from "../../tensor/index.ts";
import { ImageError, imageSize, loadSharp, type Sharp } from "./decoder.ts";
import { type ImageFile, listImages } from "./folders.ts";
import type { DataOptions, ImagePreprocessing, OpenedData, Reading, Skipped } from "./opened.ts";
import { byCode } from "./order.ts";
import { arrange, pixelsOf } from "./pixels.ts";
import { refusal } from "./skipped.ts";
import { stratifiedSplit } from "./split.ts";

/**
 * Reads a folder of images: a folder for each class, or train/ and also test/ and validation/ or val/ with these.
 * Images are decoded side by side outside the thread of JavaScript, and kept as bytes.
 * @throws DataError if the package sharp is missing, if the folder has another layout, or if fewer than two classes
 * have images. With `strict`, also if anything in the folder cannot be used.
 */
export async function openImages(options: DataOptions, reading: Reading = {}): Promise<OpenedData> {
  const root = options.data;
  const listed = await listImages(root);
  const sharp = await loadSharp();
  if (options.strict && listed.skipped.length > 0) throw new DataError(root, refusal(listed.skipped, "this folder"));
  const labeled = options.limit === null ? listed.train : inTurns(listed.train, options.limit);
  const files = [...labeled, ...(listed.validation ?? []), ...(listed.test ?? [])];
  const preprocessing = await preprocessingFor(sharp, root, files, options);
  const decoded = await pixelsOf(sharp, root, files, preprocessing, reading);
  const failed = failuresOf(root, files, decoded.failed, options.strict);
  const skipped = [...listed.skipped, ...failed];

  const images = files.flatMap((file, at) => (decoded.failed.has(at) ? [] : [{ ...file, at }]));
  const validationFrom = labeled.length;
  const testFrom = validationFrom + (listed.validation?.length ?? 0);
  const classes = [...new Set(images.filter(({ at }) => at < validationFrom).map(({ className }) => className))].sort(byCode);
  if (classes.length < 2) throw new DataError(root, tooFew(classes, skipped, options.limit));
  const labels = labelsOf(root, images, classes, "of which train/ has no image that can be read");
  // Positions in `images`. The training images are the first ones, so positions of the split are also positions there.
  const within = (from: number, to: number): number[] => images.flatMap(({ at }, i) => (at >= from && at < to ? [i] : []));
  const all = within(0, validationFrom);
  const split =
    listed.validation === null
      ? stratifiedSplit(labels.slice(0, all.length), options.validation, options.seed)
      : { train: all, validation: within(validationFrom, testFrom) };
  const members = [split.train, split.validation, within(testFrom, files.length)].map((part) => [...part]);

  const inputShape = [preprocessing.height, preprocessing.width, preprocessing.channels];
  const order = members.flat().map((i) => images[i]!.at);
  arrange(decoded.pixels, sizeOf(inputShape), order);
  let begin = 0;
  const [train, validation, test] = members.map((part): Dataset => {
    begin += part.length;
    const named = part.map((i) => labels[i]!);
    return datasetIn(decoded.pixels, begin - part.length, inputShape, named, classes.length);
  }) as [Dataset, Dataset, Dataset];
  const orNull = (part: Dataset): Dataset | null => (part.labels.length === 0 ? null : part);
  const digest = digestOf(classes, [train, validation, test]);
  return {
    kind: "images",
    train,
    validation: orNull(validation),
    test: orNull(test),
    inputShape,
    classes,
    preprocessing,
    digest,
    skipped,
  };
}

/** The files that cannot be decoded. @throws DataError if there are any, and the command is strict. */
export function failuresOf(
  root: string,
  files: readonly ImageFile[],
  reasons: ReadonlyMap<number, string>,
  strict: boolean,
): Skipped[] {
  const failed = [...reasons].sort(([i], [j]) => i - j).map(([i, reason]) => ({ where: files[i]!.name, reason }));
  if (!strict || failed.length === 0) return failed;
  throw new DataError(root, refusal(failed, `${failed.length} of ${files.length} images`));
}

/** The first files of all classes in turns, n in all, in their order. */
function inTurns(files: readonly ImageFile[], n: number): ImageFile[] {
  const seen = new Map<string, number>();
  const turns = files.map((file, i) => {
    const turn = seen.get(file.className) ?? 0;
    seen.set(file.className, turn + 1);
    return { file, i, turn };
  });
  const first = turns.sort((a, b) => a.turn - b.turn || a.i - b.i).slice(0, n);
  return first.sort((a, b) => a.i - b.i).map(({ file }) => file);
}

/** Pixels along one side above which the size of the first image is no sensible default. */
const LARGEST_DEFAULT = 256;

/** The size of the options, or that of the first image that can be read. */
async function preprocessingFor(
  sharp: Sharp,
  root: string,
  files: readonly ImageFile[],
  { imageSize: given, gray }: DataOptions,
): Promise<ImagePreprocessing> {
  const channels = gray ? 1 : 3;
  if (given !== null) return { kind: "images", height: given[0], width: given[1], channels };
  for (const { path, name } of files) {
    let size: readonly [number, number];
    try {
      size = await imageSize(sharp, path);
    } catch (error) {
      if (error instanceof ImageError) continue;
      throw error;
    }
    const [height, width] = size;
    if (Math.max(height, width) <= LARGEST_DEFAULT) return { kind: "images", height, width, channels };
    throw new DataError(
      root,
      `the first image, ${name}, has ${height}×${width} pixels (height×width), which is slow to train on: pass a size such as --image-size 64`,
    );
  }
  return { kind: "images", height: 1, width: 1, channels }; // no image can be read, which is reported later
}

function tooFew(classes: readonly string[], skipped: readonly Skipped[], limit: number | null): string {
  if (limit !== null && limit < 2) return `--limit ${limit} leaves images of one class only: need at least two classes`;
  const [first] = skipped;
  const why = first === undefined ? "" : `; left out: ${skipped.length} entries, such as ${first.where}: ${first.reason}`;
  const found = classes.length === 0 ? "holds no image that can be read" : `holds images of one class only, ${classes[0]}`;
  return `${found}: need at least two folders with images${why}`;
}

/** The label of each file. @throws DataError if a class is unknown; `lack` says why, in the message. */
export function labelsOf(root: string, files: readonly ImageFile[], classes: readonly string[], lack: string): number[] {
  const labels = new Map(classes.map((name, label) => [name, label]));
  const unknown = files.find(({ className }) => !labels.has(className));
  if (unknown !== undefined) throw new DataError(root, `${unknown.name} is of class ${unknown.className}, ${lack}`);
  return files.map(({ className }) => labels.get(className)!);
}

/** The images from image `begin` on, one for each label. */
export function datasetIn(
  pixels: Uint8Array,
  begin: number,
  inputShape: readonly number[],
  labels: readonly number[],
  classes: number,
): Dataset {
  const size = sizeOf(inputShape);
  return {
    inputs: pixels.subarray(begin * size, (begin + labels.length) * size),
    inputShape,
    labels: Int32Array.from(labels),
    classes,
  };
}

function digestOf(classes: readonly string[], parts: readonly Dataset[]): string {
  const hash = createHash("sha256");
  hash.update(JSON.stringify([classes, parts.map(({ labels, inputShape }) => [labels.length, inputShape])]));
  for (const { inputs, labels } of parts) {
    hash.update(labels).update(inputs);
  }
  return hash.digest("hex");
}
