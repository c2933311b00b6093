import fc from "fast-check";
import { expect, test } from "vitest";
import { batchCount, batches, batchOf, batchOrder, type Dataset, takeFirst } from "../../src/data/index.ts";
import { memory } from "../../src/kernels/index.ts";
import { Generator, step, ValueError } from "../../src/tensor/index.ts";

const lengths = fc.integer({ min: 0, max: 60 });
const batchSizes = fc.integer({ min: 1, max: 70 });

/** Example i is [i, i + 0.5] with label i: mixed-up inputs and labels show. */
function numbered(length: number): Dataset {
  const inputs = Float32Array.from({ length: 2 * length }, (_, i) => i / 2);
  return { inputs, inputShape: [2, 1], labels: Int32Array.from({ length }, (_, i) => i), classes: Math.max(1, length) };
}

test("an epoch yields every example exactly once with its label, shuffled or not", () => {
  fc.assert(
    fc.property(lengths, batchSizes, fc.option(fc.integer(), { nil: undefined }), (length, batchSize, seed) => {
      const random = seed === undefined ? undefined : new Generator(seed);
      const seen: number[] = [];
      for (const { inputs, targets: labels } of batches(numbered(length), { batchSize, random })) {
        expect(inputs.shape).toEqual([labels.length, 2, 1]);
        expect([...inputs.toArray()]).toEqual([...labels].flatMap((i) => [i, i + 0.5]));
        seen.push(...labels);
      }
      if (random !== undefined) seen.sort((a, b) => a - b);
      expect(seen).toEqual(Array.from({ length }, (_, i) => i));
    }),
  );
});

test("every batch except the last is full, and the number of batches equals batchCount", () => {
  fc.assert(
    fc.property(lengths, batchSizes, fc.boolean(), (length, batchSize, dropLast) => {
      const sizes = batchOrder(length, { batchSize, dropLast }).map((indices) => indices.length);
      expect(sizes.length).toBe(batchCount(length, batchSize, dropLast));
      expect(sizes.slice(0, -1).every((size) => size === batchSize)).toBe(true);
      const rest = length % batchSize;
      if (sizes.length > 0) expect(sizes.at(-1)).toBe(rest === 0 || dropLast ? batchSize : rest);
      expect(sizes.reduce((a, b) => a + b, 0)).toBe(dropLast ? length - rest : length);
    }),
  );
});

test("the same seed gives the same order, and the next epoch gives a different order", () => {
  fc.assert(
    fc.property(fc.integer(), batchSizes, (seed, batchSize) => {
      const [one, two] = [new Generator(seed), new Generator(seed)];
      const first = batchOrder(50, { batchSize, random: one });
      expect(batchOrder(50, { batchSize, random: two })).toEqual(first);
      const next = batchOrder(50, { batchSize, random: one });
      expect(next).not.toEqual(first);
      expect(batchOrder(50, { batchSize, random: two })).toEqual(next);
    }),
  );
});

test("an empty dataset yields nothing", () => {
  expect([...batches(numbered(0), { batchSize: 4 })]).toEqual([]);
  expect(batchOrder(0, { batchSize: 4, random: new Generator(1) })).toEqual([]);
});

test("each of the 256 bytes is scaled to value / 255", () => {
  const inputs = Uint8Array.from({ length: 256 }, (_, i) => i);
  const { inputs: x } = batchOf({ inputs, inputShape: [256], labels: Int32Array.of(0), classes: 1 }, [0]);
  expect(x.toArray()).toEqual(Float32Array.from(inputs, (byte) => byte / 255));
});

test("scalar inputs form a vector", () => {
  const dataset = { inputs: Float32Array.of(5, 6, 7), inputShape: [], labels: Int32Array.of(0, 1, 0), classes: 2 };
  const { inputs, targets: labels } = batchOf(dataset, [2, 1]);
  expect(inputs.toNested()).toEqual([7, 6]);
  expect(labels).toEqual(Int32Array.of(0, 1));
});

test("a batch made outside a step stays readable after later steps", () => {
  const { inputs } = batchOf(numbered(3), [1]);
  for (let i = 0; i < 4; i++) step(() => batchOf(numbered(3), [2]));
  expect(inputs.toNested()).toEqual([[[1], [1.5]]]);
});

test("batches made inside steps allocate no new memory", () => {
  const dataset = numbered(8);
  const run = (): void => {
    step(() => {
      batchOf(dataset, [7, 0, 3]);
    });
  };
  for (let i = 0; i < 4; i++) run();
  const before = memory();
  for (let i = 0; i < 20; i++) run();
  expect(memory()).toEqual(before);
});

test.each([0, -1, 2.5, Number.NaN])("batches refuses batch size %s", (batchSize) => {
  const text = `batchSize must be a whole number of at least 1, got ${batchSize}`;
  expect(() => batchCount(3, batchSize)).toThrow(ValueError);
  expect(() => batchOrder(3, { batchSize })).toThrow(text);
  expect(() => [...batches(numbered(3), { batchSize })]).toThrow(text);
});

test.each([3, -1, 0.5])("a dataset of three examples refuses index %s", (index) => {
  expect(() => batchOf(takeFirst(numbered(9), 3), [0, index])).toThrow(ValueError);
  expect(() => batchOf(takeFirst(numbered(9), 3), [0, index])).toThrow(
    `batchOf: indices[1] must be a whole number from 0 to 2, got ${index}`,
  );
});
