import fc from "fast-check";
import { expect, test } from "vitest";
import { checkDataset, type Dataset, lengthOf, syntheticDigits } from "../../src/data/index.ts";
import { Generator, ValueError } from "../../src/tensor/index.ts";

test("digits of any size form a valid dataset of numbers in 0…1 with ink in each image and none on its edge", () => {
  const sides = fc.integer({ min: 8, max: 40 });
  fc.assert(
    fc.property(fc.integer(), sides, sides, fc.integer({ min: 1, max: 10 }), (seed, height, width, classes) => {
      const digits = syntheticDigits(12, new Generator(seed), { height, width, classes, noise: 0 });
      checkDataset(digits);
      expect(digits.inputShape).toEqual([height, width, 1]);
      const ink = [...digits.inputs.entries()].filter(([, v]) => v !== 0);
      expect(ink.every(([, v]) => v === 1)).toBe(true);
      expect(new Set(ink.map(([at]) => Math.floor(at / (height * width)))).size).toBe(12);
      expect(ink.some(([at]) => at % width === 0 || Math.floor(at / width) % height === 0)).toBe(false);
    }),
  );
});

test("the same generator state gives the same digits, and the next state gives different digits", () => {
  const random = new Generator(7);
  const state = random.state;
  const first = syntheticDigits(20, random);
  expect(syntheticDigits(20, random).inputs).not.toEqual(first.inputs);
  random.state = state;
  expect(syntheticDigits(20, random)).toEqual(first);
});

test("noise changes the pixels and keeps them in 0…1", () => {
  const { inputs } = syntheticDigits(10, new Generator(1), { noise: 0.5 });
  expect(inputs.every((v) => v >= 0 && v <= 1)).toBe(true);
  expect(new Set(inputs).size).toBeGreaterThan(1000);
});

test("the labels cycle through the classes", () => {
  expect([...syntheticDigits(5, new Generator(1), { classes: 3 }).labels]).toEqual([0, 1, 2, 0, 1]);
  expect(lengthOf(syntheticDigits(0, new Generator(1)))).toBe(0);
});

/** Which class mean of `train` is nearest to each example of `test`: the share that is right. */
function nearestMeanAccuracy(train: Dataset, test: Dataset): number {
  const size = train.inputs.length / lengthOf(train);
  const means = Array.from({ length: train.classes }, () => new Float64Array(size));
  const share = train.classes / lengthOf(train);
  train.inputs.forEach((v, at) => {
    means[train.labels[Math.floor(at / size)]!]![at % size]! += v * share;
  });
  const right = [...test.labels.entries()].filter(([i, label]) => {
    const x = test.inputs.subarray(i * size, (i + 1) * size);
    const distances = means.map((mean) => mean.reduce((sum, m, j) => sum + (m - x[j]!) ** 2, 0));
    return distances.indexOf(Math.min(...distances)) === label;
  });
  return right.length / lengthOf(test);
}

test.each([
  [28, 28],
  [8, 8],
])("the nearest class mean classifies digits of %s by %s pixels", (height, width) => {
  const random = new Generator(3);
  const train = syntheticDigits(500, random, { height, width });
  const test = syntheticDigits(200, random, { height, width });
  expect(nearestMeanAccuracy(train, test)).toBeGreaterThan(0.7);
});

test.each([
  [{ height: 7 }, /^syntheticDigits: height must be a whole number of at least 8 and at most 4096, got 7$/],
  [{ width: 8.5 }, /^syntheticDigits: width must be a whole number of at least 8 and at most 4096, got 8.5$/],
  [{ classes: 11 }, /^syntheticDigits: classes must be a whole number of at least 1 and at most 10, got 11$/],
  [{ noise: -1 }, /^syntheticDigits: noise must be a finite number at least 0, got -1$/],
])("syntheticDigits refuses %j", (options, text) => {
  expect(() => syntheticDigits(1, new Generator(1), options)).toThrow(ValueError);
  expect(() => syntheticDigits(1, new Generator(1), options)).toThrow(text);
});

test("syntheticDigits refuses a count that is not an integer", () => {
  expect(() => syntheticDigits(1.5, new Generator(1))).toThrow(
    /^syntheticDigits: count must be a whole number of at least 0 and at most 2147483648, got 1.5$/,
  );
});
