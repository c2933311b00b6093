import { describe, expect, test } from "vitest";
import { bytesOf, evaluateRun } from "../../../src/cli/run/evaluation.ts";
import { batchOf, type Dataset, type Source } from "../../../src/data/index.ts";
import { mul, reshape, sum } from "../../../src/ops/index.ts";
import { type Tensor, tensor } from "../../../src/tensor/index.ts";

/**
 * Images of 2 × 2 pixels and 3 classes. The first pixel is the class that the model predicts, the second is the factor
 * of the logits.
 */
function dataset(predictions: readonly number[], labels: readonly number[], sure: readonly number[]): Dataset {
  const inputs = new Uint8Array(4 * labels.length);
  for (const [i, prediction] of predictions.entries()) inputs.set([prediction, sure[i]!, 7, 250], 4 * i);
  return { inputs, inputShape: [2, 2, 1], labels: Int32Array.from(labels), classes: 3 };
}
const model = (x: Tensor): Tensor =>
  tensor(
    Array.from({ length: x.shape[0]! }, (_, i) => {
      const [predicted, factor] = [Math.round(255 * x.data[4 * i]!), Math.round(255 * x.data[4 * i + 1]!)];
      return [0, 1, 2].map((label) => (label === predicted ? factor : 0));
    }),
  );

const predictions = [0, 1, 1, 2, 2, 1, 0, 1];
const labels = [0, 1, 0, 2, 0, 0, 1, 0];
const sure = [3, 3, 1, 3, 2, 4, 2, 2];
const common = { model, split: "test", epoch: 3, classes: ["a", "b", "c"], inputShape: [2, 2, 1] } as const;

describe("evaluateRun", () => {
  test("counts each pair of label and prediction, for every batch size", async () => {
    for (const batchSize of [1, 3, 256]) {
      const found = await evaluateRun({ ...common, data: dataset(predictions, labels, sure), batchSize });
      expect(found).toMatchObject({ split: "test", epoch: 3, examples: 8, score: 3 / 8 });
      expect(found.confusion).toEqual([
        [1, 3, 1],
        [1, 1, 0],
        [0, 0, 1],
      ]);
      expect(found.worst.map(({ actual, predicted, count }) => [actual, predicted, count])).toEqual([
        [0, 1, 3],
        [0, 2, 1],
        [1, 0, 1],
      ]);
    }
  });

  test("examples of a confusion are those of which the model was surest, with probability and pixels", async () => {
    const { worst, loss } = await evaluateRun({ ...common, data: dataset(predictions, labels, sure), batchSize: 3 });
    const { examples } = worst[0]!;
    expect(examples.map(({ index }) => index)).toEqual([5, 7, 2]);
    for (const { index, probability, image } of examples) {
      expect(probability).toBeCloseTo(Math.exp(sure[index]!) / (Math.exp(sure[index]!) + 2), 6);
      expect(image).toMatchObject({ height: 2, width: 2, channels: 1 });
      expect([...Buffer.from(image!.pixels, "base64")]).toEqual([predictions[index], sure[index], 7, 250]);
    }
    const losses = labels.map((label, i) => Math.log(Math.exp(sure[i]!) + 2) - (predictions[i] === label ? sure[i]! : 0));
    expect(loss).toBeCloseTo(losses.reduce((a, b) => a + b, 0) / 8, 5);
  });

  test("data from an asynchronous source give the same evaluation", async () => {
    const data = dataset(predictions, labels, sure);
    const source: Source<Int32Array, Tensor> = { length: 8, batch: async (indices) => batchOf(data, indices) };
    expect(await evaluateRun({ ...common, data: source })).toEqual(await evaluateRun({ ...common, data }));
  });

  test("at most 6 pairs with 8 examples are kept", async () => {
    const random = Array.from({ length: 900 }, (_, i) => i);
    const many = dataset(
      random.map((i) => i % 3),
      random.map((i) => (i * 7 + (i >> 3)) % 3),
      random.map((i) => i % 5),
    );
    const { worst } = await evaluateRun({ ...common, data: many });
    expect(worst).toHaveLength(6);
    expect(worst.map(({ examples }) => examples.length)).toEqual([8, 8, 8, 8, 8, 8]);
    expect(worst.map(({ count }) => count)).toEqual(worst.map(({ count }) => count).sort((a, b) => b - a));
  });

  test("rows of a table have no pictures", async () => {
    const { worst } = await evaluateRun({ ...common, data: dataset(predictions, labels, sure), inputShape: [4] });
    expect(worst.flatMap(({ examples }) => examples.map(({ image }) => image)).every((image) => image === null)).toBe(true);
  });

  test("a numeric target has R² as its score and no confusion matrix", async () => {
    const [x, y] = [
      [1, 2, 3, 4],
      [2, 4, 5, 9],
    ] as const;
    const data = { inputs: Float32Array.from(x), targets: Float32Array.from(y) };
    const double = (inputs: Tensor): Tensor => reshape(sum(mul(inputs, 2), [1]), [inputs.shape[0]!, 1]);
    const found = await evaluateRun({ ...common, model: double, data, classes: null, inputShape: [1] });
    const [mean, errors] = [5, x.map((a, i) => (2 * a - y[i]!) ** 2).reduce((a, b) => a + b, 0)];
    const spread = y.map((b) => (b - mean) ** 2).reduce((a, b) => a + b, 0);
    expect(found).toMatchObject({ examples: 4, confusion: null, worst: [] });
    expect(found.score).toBeCloseTo(1 - errors / spread, 6);
    expect(found.loss).toBeCloseTo(errors / 4, 6);
  });
});

test("numbers from 0 to 1 become bytes; numbers of another range are stretched; NaN is black", () => {
  expect([...bytesOf(Float32Array.of(0, 0.5, 1))]).toEqual([0, 128, 255]);
  expect([...bytesOf(Float32Array.of(-1, 0, 3))]).toEqual([0, 64, 255]);
  expect([...bytesOf(Float32Array.of(Number.NaN, Number.POSITIVE_INFINITY, 1))]).toEqual([0, 255, 255]);
});
