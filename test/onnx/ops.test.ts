import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { encodeOnnx, OnnxError, type OnnxOptions } from "../../src/onnx/index.ts";
import { type Tensor, tensor } from "../../src/tensor/index.ts";
import { type Case, observers } from "../ops/law.ts";
import { laws } from "../ops/laws.ts";
import { difference, listOf, load } from "./run.ts";

const TOLERANCE = 1e-4;
/** The cases of each law. */
const CASES = Number(process.env.FC_RUNS ?? 4);

/** The cases that a law draws. */
function casesOf(law: () => void, count: number): Case[] {
  const cases: Case[] = [];
  const before = fc.readConfigureGlobal();
  fc.configureGlobal({ ...before, numRuns: count });
  observers.push((found) => cases.push(found));
  law();
  observers.pop();
  fc.configureGlobal(before);
  return cases;
}

/** Throws unless onnxruntime computes the numbers of f. */
async function compare({ f, xs }: Case, exampled: readonly Tensor[], options: OnnxOptions): Promise<void> {
  const run = await load(encodeOnnx(f, exampled, options), options.layout);
  const [got, want] = [await run(...xs), listOf(f(...xs))];
  for (const [i, y] of want.entries()) {
    const error = difference(got[i]!, y);
    if (!(error < TOLERANCE))
      throw new Error(`output ${i}, ${JSON.stringify(options)} of ${xs.join(", ")}: ${got[i]} is not ${y}: ${error}`);
  }
}

/** xs with another number of examples, of the same numbers in another order. */
function ofBatch(xs: readonly Tensor[], size: number): Tensor[] {
  const batch = xs[0]!.shape[0];
  return xs.map((x) => {
    if (x.shape.length === 0 || x.shape[0] !== batch) return x;
    const shape = [size, ...x.shape.slice(1)];
    const count = shape.reduce((a, b) => a * b);
    return tensor(
      Float32Array.from({ length: count }, (_, i) => x.data[(count - 1 - i) % x.size]!),
      shape,
    );
  });
}

/** Ops of training, which have no counterpart. */
const isRefused = (error: unknown): boolean =>
  error instanceof OnnxError && /^encodeOnnx: (batchNormTraining|crossEntropy): /.test(error.message);

/** Masks along the batch: two sizes of the batch do not show how a mask goes on. */
const withoutBatch = ["dropout", "tril", "triu"];
let [checked, refused] = [0, 0];

/** Checks a case as it is, and for a batch of another size unless the export refuses that. */
async function check(name: string, given: Case): Promise<void> {
  const isImage = given.xs.some((x) => x.shape.length === 4);
  await compare(given, given.xs, { batch: "fixed" });
  if (isImage) await compare(given, given.xs, { batch: "fixed", layout: "NCHW" });
  if (given.xs[0]!.shape.length === 0 || withoutBatch.includes(name)) return;
  try {
    await compare({ f: given.f, xs: ofBatch(given.xs, 5) }, given.xs, isImage ? { layout: "NCHW" } : {});
    checked++;
  } catch (error) {
    if (!(error instanceof OnnxError)) throw error;
    refused++;
  }
}

describe("onnxruntime computes the numbers of", () => {
  test.each(Object.entries(laws))("%s", async (name, law) => {
    for (const given of casesOf(law, CASES)) {
      const isEmpty = [...given.xs, ...listOf(given.f(...given.xs))].some((x) => x.size === 0);
      if (given.xs.length === 0 || isEmpty) continue; // onnxruntime drops ops on empty tensors
      try {
        await check(name, given);
      } catch (error) {
        if (!isRefused(error)) throw error;
      }
    }
  });

  test("most cases for another batch size", () => {
    expect(checked).toBeGreaterThan(2 * refused);
  });
});
