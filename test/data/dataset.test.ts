import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { batches, batchOf, checkDataset, DataError, type Dataset, lengthOf, takeFirst } from "../../src/data/index.ts";
import { HashgradError, ShapeError, ValueError } from "../../src/tensor/index.ts";
import { thrown } from "../thrown.ts";

const three: Dataset = { inputs: Uint8Array.of(1, 2, 3, 4, 5, 6), inputShape: [2], labels: Int32Array.of(0, 2, 1), classes: 3 };

test("the length of a dataset is the number of its labels", () => {
  expect(lengthOf(three)).toBe(3);
});

test("takeFirst returns a view of the first examples", () => {
  const two = takeFirst(three, 2);
  expect(two).toEqual({ ...three, inputs: Uint8Array.of(1, 2, 3, 4), labels: Int32Array.of(0, 2) });
  expect(two.inputs.buffer).toBe(three.inputs.buffer);
  expect(two.labels.buffer).toBe(three.labels.buffer);
});

test("takeFirst returns all examples if the count exceeds the dataset, and none for a count of 0", () => {
  expect(takeFirst(three, 99)).toEqual(three);
  expect(lengthOf(takeFirst(three, 0))).toBe(0);
});

test.each([-1, 1.5, Number.NaN])("takeFirst refuses a count of %s", (n) => {
  expect(() => takeFirst(three, n)).toThrow(ValueError);
  expect(() => takeFirst(three, n)).toThrow(/^takeFirst: n must be a whole number of at least 0, got /);
});

test("the check accepts a valid dataset, scalar inputs and an empty dataset", () => {
  checkDataset(three);
  checkDataset({ inputs: Float32Array.of(0.5), inputShape: [], labels: Int32Array.of(0), classes: 1 });
  checkDataset(takeFirst(three, 0));
});

test("the check refuses inputs that do not match the labels and names the expected and actual lengths", () => {
  expect(() => checkDataset({ ...three, inputShape: [3] })).toThrow(DataError);
  expect(() => checkDataset({ ...three, inputShape: [3] })).toThrow(
    /^checkDataset: 3 labels with inputs of \[3\] need 9 numbers, got 6$/,
  );
  expect(() => checkDataset({ ...three, inputShape: [-2] })).toThrow(ShapeError);
});

test.each([3, -1])("the check refuses label %s of three classes and names its index", (label) => {
  const broken = { ...three, labels: Int32Array.of(0, label, label) };
  expect(() => checkDataset(broken, "labels.idx")).toThrow(`labels.idx: label ${label} at index 1 is not one of 0…2`);
});

test.each([0, 2.5])("the check refuses %s classes", (classes) => {
  expect(() => checkDataset({ ...three, classes })).toThrow(
    `checkDataset: classes must be a whole number of at least 1, got ${classes}`,
  );
});

test("the check and every function that takes a dataset refuse an unknown field", () => {
  const message = 'the dataset has a field "scal"; its fields are inputs, inputShape, labels, classes, scale';
  const broken = { ...three, scal: 1 };
  expect(() => checkDataset(broken)).toThrow(`checkDataset: ${message}`);
  expect(() => takeFirst(broken, 1)).toThrow(`takeFirst: ${message}`);
});

test("a DataError is a HashgradError", () => {
  const error = new DataError("file", "broken");
  expect(error).toBeInstanceOf(HashgradError);
  expect(`${error}`).toBe("DataError: file: broken");
});

const inputsOf = (inputs: unknown, more: Partial<Dataset> = {}): number[] => {
  const data = { inputs, inputShape: [2], labels: Int32Array.of(0), classes: 1, ...more } as Dataset;
  return [...batchOf(data, [0]).inputs.toArray()];
};

test.each(["Uint8Array", "Uint8ClampedArray"])(
  "the bytes of a %s from any realm are scaled to value / 255 unless scale is given",
  (kind) => {
    for (const realm of [
      (code: string): unknown => runInNewContext(code),
      (code: string): unknown => new Function(`return ${code}`)(),
    ]) {
      const bytes = realm(`new ${kind}([51, 255])`);
      expect(inputsOf(bytes)).toEqual([Math.fround(0.2), 1]);
      expect(inputsOf(bytes, { scale: 1 })).toEqual([51, 255]);
    }
  },
);

test.each(["Int8", "Int16", "Uint16", "Int32", "Uint32", "Float32", "Float64"])(
  "the numbers of a %sArray from any realm are multiplied by scale, which is 1 by default",
  (kind) => {
    const numbers = runInNewContext(`new ${kind}Array([7, 100])`);
    expect(inputsOf(numbers)).toEqual([7, 100]);
    expect(inputsOf(numbers, { scale: 0.5 })).toEqual([3.5, 50]);
  },
);

test.each([
  ["a list", [1, 2]],
  ["bigints", new BigInt64Array(2)],
  ["a view", new DataView(new ArrayBuffer(8))],
  ["null", null],
  ["text", "ab"],
])("every function that takes a dataset refuses inputs that are %s", (_, inputs) => {
  const broken = { ...three, inputs } as unknown as Dataset;
  for (const [who, fn] of Object.entries({
    checkDataset: () => checkDataset(broken),
    batchOf: () => batchOf(broken, [0]),
    batches: () => batches(broken, { batchSize: 1 }),
    takeFirst: () => takeFirst(broken, 1),
    lengthOf: () => lengthOf(broken),
  }))
    expect(thrown(fn)).toMatch(
      new RegExp(`^DataError: ${who}: inputs must be a typed array of numbers, such as a Float32Array, got `),
    );
});

test("a dataset with too few inputs is refused and never yields numbers of earlier steps", () => {
  const little = { inputs: new Float32Array(4), inputShape: [4], labels: Int32Array.of(0, 1, 2), classes: 3 };
  const text = "3 labels with inputs of [4] need 12 numbers, got 4";
  expect(thrown(() => batchOf(little, [0]))).toBe(`DataError: batchOf: ${text}`);
  expect(thrown(() => batches(little, { batchSize: 2 }))).toBe(`DataError: batches: ${text}`);
});

test("a dataset that changes after its check is checked again", () => {
  const data: { -readonly [K in keyof Dataset]: Dataset[K] } = { ...three, labels: three.labels.slice() };
  batchOf(data, [0]);
  data.labels[2] = 7;
  expect(thrown(() => batchOf(data, [2]))).toBe("DataError: batchOf: label 7 at index 2 is not one of 0…2");
  data.labels[2] = 1;
  data.inputs = new Float32Array(5);
  expect(thrown(() => batchOf(data, [0]))).toBe("DataError: batchOf: 3 labels with inputs of [2] need 6 numbers, got 5");
});

test.each([Number.NaN, 0.5, -1, 3, Number.POSITIVE_INFINITY])(
  "the check refuses a label of %s in an array of floats",
  (label) => {
    const broken = { ...three, labels: Float64Array.of(0, label, 1) } as unknown as Dataset;
    expect(thrown(() => batchOf(broken, [0]))).toBe(`DataError: batchOf: label ${label} at index 1 is not one of 0…2`);
  },
);

test.each([null, undefined, 3, "data", []])("the check refuses %s in place of a dataset", (value) => {
  expect(() => checkDataset(value as unknown as Dataset)).toThrow(HashgradError);
  expect(() => batches(value as unknown as Dataset, { batchSize: 1 })).toThrow(/^batches: the dataset must be an object/);
});
