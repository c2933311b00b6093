import fc from "fast-check";
import { expect, test } from "vitest";
import { type Tensor, tensor } from "../../src/tensor/index.ts";
import { accuracy, confusionMatrix, correctCount, topKAccuracy, topKCount } from "../../src/train/index.ts";
import "../fixed-seed.ts";
import { thrown } from "../thrown.ts";

/** Rows of few different numbers, so that ties are common, some with NaN, and a label for each. */
const graded = fc.integer({ min: 1, max: 5 }).chain((classes) => {
  const number = fc.oneof({ weight: 12, arbitrary: fc.integer({ min: -2, max: 2 }) }, fc.constant(Number.NaN));
  const row = fc.array(number, { minLength: classes, maxLength: classes });
  return fc.array(fc.tuple(row, fc.nat({ max: classes - 1 })), { minLength: 1, maxLength: 8 });
});

/**
 * The classes of a row in descending order of their numbers, equal numbers in order of their classes. None if the row
 * has NaN.
 */
const ranked = (row: number[]): number[] =>
  row.some(Number.isNaN) ? [] : row.map((_, j) => j).sort((a, b) => row[b]! - row[a]! || a - b);

test("counts and shares match sorting every row, with ties for the lower class and rows with NaN counted as wrong", () => {
  fc.assert(
    fc.property(graded, fc.integer({ min: 1, max: 7 }), (rows, k) => {
      const logits = tensor(rows.map(([row]) => row));
      const labels = rows.map(([, label]) => label);
      const within = (k: number): number => rows.filter(([row, label]) => ranked(row).slice(0, k).includes(label)).length;
      expect(topKCount(logits, labels, k)).toBe(within(k));
      expect(topKAccuracy(logits, labels, k)).toBe(within(k) / rows.length);
      expect(correctCount(logits, Int32Array.from(labels))).toBe(within(1));
      expect(accuracy(logits, labels)).toBe(within(1) / rows.length);
    }),
    { numRuns: 200 },
  );
});

test("every row without NaN is correct if k is at least the number of classes", () => {
  const logits = tensor([
    [3, 2, 1],
    [0, 0, 0],
    [1, Number.NaN, 0],
  ]);
  for (const k of [3, 4, 100]) expect(topKCount(logits, [2, 2, 0], k)).toBe(2);
});

test("a confusion matrix counts each row by its label and its largest number", () => {
  fc.assert(
    fc.property(graded, (rows) => {
      const sound = rows.filter(([row]) => !row.some(Number.isNaN));
      fc.pre(sound.length > 0);
      const logits = tensor(sound.map(([row]) => row));
      const classes = logits.shape[1]!;
      const want = Array.from({ length: classes }, (_, label) =>
        Array.from({ length: classes }, (_v, j) => sound.filter(([row, own]) => own === label && ranked(row)[0] === j).length),
      );
      const labels = sound.map(([, label]) => label);
      const counts = confusionMatrix(logits, labels);
      expect(counts).toEqual(want);
      expect(confusionMatrix(logits, labels, counts)).toBe(counts); // added
      expect(counts).toEqual(want.map((row) => row.map((n) => 2 * n)));
    }),
  );
});

test("zero rows give counts of 0 and shares of NaN", () => {
  const none = tensor(new Float32Array(0), [0, 3]);
  expect([correctCount(none, []), accuracy(none, []), topKAccuracy(none, [], 2)]).toEqual([0, Number.NaN, Number.NaN]);
  expect(confusionMatrix(none, [])).toEqual([
    [0, 0, 0],
    [0, 0, 0],
    [0, 0, 0],
  ]);
});

const two: Tensor = tensor([
  [1, 2],
  [3, 4],
]);

test.each([
  [() => accuracy(two, [0]), "ShapeError: accuracy: logits [2, 2] and 1 labels: need [..., classes] and one label per row"],
  [
    () => confusionMatrix(tensor([1, 2]), [0, 1]),
    "ShapeError: confusionMatrix: logits [2]: need [batch, classes], or [..., classes]",
  ],
  [() => topKCount(two, [0, 1], 0), "ValueError: topKCount: k must be a whole number of at least 1, got 0"],
  [() => topKAccuracy(two, [0, 1], 1.5), "ValueError: topKAccuracy: k must be a whole number of at least 1, got 1.5"],
  [
    () => confusionMatrix(two, [0, 1], [[0]]),
    "ShapeError: confusionMatrix: counts are too few for logits [2, 2]: need 2 rows of 2",
  ],
])("the metrics refuse arguments that do not fit: %s", (count, text) => {
  expect(thrown(count)).toBe(text);
});

test("the metrics refuse a label that is not a class", () => {
  for (const bad of [2, -1, 0.5, Number.NaN]) {
    expect(thrown(() => correctCount(two, [bad, 0]))).toBe(
      `ValueError: correctCount: labels[0] must be a whole number from 0 to 1, got ${bad}`,
    );
    expect(thrown(() => confusionMatrix(two, [0, bad]))).toBe(
      `ValueError: confusionMatrix: labels[1] must be a whole number from 0 to 1, got ${bad}`,
    );
  }
});

test("a label with a NaN logit is not among the two largest", () => {
  expect(topKCount(tensor([[Number.NaN, 1, 2]]), [0], 2)).toBe(0);
});

test("accuracy accepts one label per row of logits of any rank, in a list or in a tensor", () => {
  const logits = tensor([
    [
      [1, 0],
      [0, 1],
      [2, 1],
    ],
    [
      [0, 3],
      [1, 0],
      [1, 2],
    ],
  ]); // predictions 0 1 0, 1 0 1
  expect(accuracy(logits, [0, 1, 1, 1, 0, 0])).toBeCloseTo(4 / 6, 12);
  const labels = tensor([
    [0, 1, 1],
    [1, 0, 0],
  ]);
  expect(accuracy(logits, labels)).toBeCloseTo(4 / 6, 12);
  expect(confusionMatrix(logits, labels)).toEqual([
    [2, 1],
    [1, 2],
  ]);
  expect(() => accuracy(logits, [0, 1])).toThrow(
    "accuracy: logits [2, 3, 2] and 2 labels: need [..., classes] and one label per row",
  );
});
