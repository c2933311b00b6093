import { expect, test } from "vitest";
import { checkDataset, DataError, type Dataset, lengthOf, takeFirst } from "../../src/data/index.ts";
import { HashgradError, ShapeError, ValueError } from "../../src/tensor/index.ts";

const three: Dataset = { inputs: Uint8Array.of(1, 2, 3, 4, 5, 6), inputShape: [2], labels: Int32Array.of(0, 2, 1), classes: 3 };

test("a dataset is as long as its labels", () => {
  expect(lengthOf(three)).toBe(3);
});

test("the first examples are a view of the whole", () => {
  const two = takeFirst(three, 2);
  expect(two).toEqual({ ...three, inputs: Uint8Array.of(1, 2, 3, 4), labels: Int32Array.of(0, 2) });
  expect(two.inputs.buffer).toBe(three.inputs.buffer);
  expect(two.labels.buffer).toBe(three.labels.buffer);
});

test("asking for more examples than there are gives all of them, asking for none gives none", () => {
  expect(takeFirst(three, 99)).toEqual(three);
  expect(lengthOf(takeFirst(three, 0))).toBe(0);
});

test.each([-1, 1.5, Number.NaN])("the first %s examples are refused", (n) => {
  expect(() => takeFirst(three, n)).toThrow(ValueError);
  expect(() => takeFirst(three, n)).toThrow(/^takeFirst: n must be a whole number of at least 0, got /);
});

test("a sound dataset passes, a scalar input and an empty dataset too", () => {
  checkDataset(three);
  checkDataset({ inputs: Float32Array.of(0.5), inputShape: [], labels: Int32Array.of(0), classes: 1 });
  checkDataset(takeFirst(three, 0));
});

test("inputs that do not match the labels are refused, with what was needed and what was there", () => {
  expect(() => checkDataset({ ...three, inputShape: [3] })).toThrow(DataError);
  expect(() => checkDataset({ ...three, inputShape: [3] })).toThrow(
    /^checkDataset: 3 labels with inputs of \[3\] need 9 numbers, got 6$/,
  );
  expect(() => checkDataset({ ...three, inputShape: [-2] })).toThrow(ShapeError);
});

test.each([3, -1])("label %s of three classes is refused, with its index", (label) => {
  const broken = { ...three, labels: Int32Array.of(0, label, label) };
  expect(() => checkDataset(broken, "labels.idx")).toThrow(`labels.idx: label ${label} at index 1 is not one of 0…2`);
});

test.each([0, 2.5])("%s classes are refused", (classes) => {
  expect(() => checkDataset({ ...three, classes })).toThrow(
    `checkDataset: classes must be a whole number of at least 1, got ${classes}`,
  );
});

test("a DataError is one of the library's errors", () => {
  const error = new DataError("file", "broken");
  expect(error).toBeInstanceOf(HashgradError);
  expect(`${error}`).toBe("DataError: file: broken");
});
