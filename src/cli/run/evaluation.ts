import { type Data, type Source, sourceOf, type Targets } from "../../data/index.ts";
import type { Outputs } from "../../tensor/index.ts";
import { Tensor } from "../../tensor/index.ts";
import { type Accumulator, type AnyModel, evaluate, type StopSignal } from "../../train/index.ts";
import type { Confusion, RunEvaluation } from "./files.ts";
import { objectiveOf, scoresOf } from "./scores.ts";

const MOST_PAIRS = 6;
const MOST_EXAMPLES = 8;

/** What `evaluateRun` computes from. */
export type RunEvaluationOptions = {
  readonly model: AnyModel<Tensor>;
  readonly data: Data;
  readonly split: RunEvaluation["split"];
  /** The epoch of the weights. */
  readonly epoch: number;
  /** Names of the classes; null for a numeric target. */
  readonly classes: readonly string[] | null;
  /** [height, width, channels]: worst confusions get pictures. Other shapes have none. */
  readonly inputShape: readonly number[];
  /** Examples per batch (default 256). */
  readonly batchSize?: number;
  readonly signal?: StopSignal;
};

/**
 * Evaluates the weights of a run, batch by batch. Keeps the counts, and the positions of examples of each confusion,
 * but no outputs.
 * @throws TrainingError if a loss is NaN.
 */
export async function evaluateRun(options: RunEvaluationOptions): Promise<RunEvaluation> {
  const { model, data, classes, split, epoch, inputShape, batchSize = 256, signal } = options;
  const found = confusionsOf();
  const { metrics, ...objective } = objectiveOf(classes);
  const common = { model, data, batchSize, ...(signal && { signal }), ...objective };
  const result = await evaluate({ ...common, metrics: { ...metrics, found } } as Parameters<typeof evaluate>[0]);
  const worst = await withPictures(found.worst(), sourceOf(data), inputShape);
  const confusion = result.confusion.length === 0 ? null : result.confusion;
  return { split, epoch, ...scoresOf(classes, result), examples: result.count, confusion, worst };
}

type Found = { readonly index: number; readonly probability: number };
type Pair = { readonly actual: number; readonly predicted: number; count: number; examples: Found[] };

/** A metric whose value is always 0. It collects the pairs of classes that the model confuses. */
function confusionsOf(): { start(): Accumulator<Outputs, Targets>; worst(): Pair[] } {
  const pairs = new Map<string, Pair>();
  let at = 0; // the position of the batch in the data
  const add = (outputs: Outputs, targets: Targets): void => {
    if (!(outputs instanceof Tensor && targets instanceof Int32Array)) return;
    const classes = outputs.shape[1] ?? 0;
    const numbers = outputs.data;
    for (let row = 0; row < targets.length; row++) {
      const { predicted, probability } = likeliest(numbers.subarray(row * classes, (row + 1) * classes));
      const actual = targets[row]!;
      if (predicted !== actual) collect(pairs, actual, predicted, { index: at + row, probability });
    }
    at += targets.length;
  };
  return {
    start: () => ({ add, value: () => 0 }),
    worst: () =>
      [...pairs.values()]
        .sort((a, b) => b.count - a.count || a.actual - b.actual || a.predicted - b.predicted)
        .slice(0, MOST_PAIRS),
  };
}

/** Counts an example, and keeps it if the model was surer of it than of the examples so far. */
function collect(pairs: Map<string, Pair>, actual: number, predicted: number, example: Found): void {
  const key = `${actual} ${predicted}`;
  const pair = pairs.get(key) ?? { actual, predicted, count: 0, examples: [] };
  pairs.set(key, pair);
  pair.count++;
  pair.examples.push(example);
  pair.examples.sort((a, b) => b.probability - a.probability || a.index - b.index);
  pair.examples.length = Math.min(pair.examples.length, MOST_EXAMPLES);
}

/** The first largest logit of a row, and its softmax. */
function likeliest(logits: Float32Array): { predicted: number; probability: number } {
  let predicted = 0;
  for (let j = 1; j < logits.length; j++) if (logits[j]! > logits[predicted]!) predicted = j;
  let sum = 0;
  for (const logit of logits) sum += Math.exp(logit - logits[predicted]!);
  return { predicted, probability: 1 / sum };
}

async function withPictures(pairs: readonly Pair[], source: Source, shape: readonly number[]): Promise<Confusion[]> {
  const indices = Int32Array.from(pairs.flatMap(({ examples }) => examples.map(({ index }) => index)));
  const [height = 0, width = 0, channels = 0] = shape;
  const hasPictures = shape.length === 3 && [1, 3].includes(channels) && indices.length > 0;
  const inputs = hasPictures ? (await source.batch(indices)).inputs : null;
  const size = height * width * channels;
  let next = 0;
  const picture = (): Confusion["examples"][number]["image"] => {
    const at = next++ * size;
    if (!(inputs instanceof Tensor) || inputs.size !== indices.length * size) return null;
    const pixels = Buffer.from(bytesOf(inputs.data.subarray(at, at + size))).toString("base64");
    return { height, width, channels, pixels };
  };
  return pairs.map((pair) => ({ ...pair, examples: pair.examples.map((example) => ({ ...example, image: picture() })) }));
}

/** Numbers of an image as bytes: 0 to 1 become 0 to 255; numbers of another range are stretched to it. */
export function bytesOf(numbers: Float32Array): Uint8Array {
  let [low, high] = [0, 1];
  for (const x of numbers) if (Number.isFinite(x)) [low, high] = [Math.min(low, x), Math.max(high, x)];
  return Uint8Array.from(numbers, (x) => (Number.isNaN(x) ? 0 : Math.round((255 * (clamp(x, low, high) - low)) / (high - low))));
}

const clamp = (x: number, low: number, high: number): number => Math.min(high, Math.max(low, x));
