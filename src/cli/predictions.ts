import type { Layer } from "../nn/index.ts";
import { predict } from "../train/index.ts";
import type { Preprocessing } from "./data/opened.ts";
import { type Example, prepare } from "./data/prepare.ts";
import { skippedLines } from "./data/skipped.ts";
import { type Output, percent } from "./progress.ts";

/** A trained model, and what its weights file says about inputs and outputs. */
export type Predictor = {
  readonly model: Layer;
  readonly preprocessing: Preprocessing;
  /** Null for a numeric target. */
  readonly classes: readonly string[] | null;
};

/** What to predict, and how to print it. */
export type PredictionOptions = {
  /** Paths of images, folders of images or CSV files; "-" is the standard input. */
  readonly sources: readonly string[];
  /** Prints one JSON object per example. */
  readonly json: boolean;
  /** The number of classes to print, the likeliest first. */
  readonly top: number;
};

/** Where predictions go, and where the standard input comes from. */
export type Streams = {
  readonly stdout: Output;
  readonly stderr: Output;
  readonly signal: AbortSignal;
  readonly input: () => Promise<Uint8Array>;
};

/**
 * Predicts all sources and prints a line for each example. Reports files and rows that cannot be read, and predicts the
 * others.
 * @returns the number of examples that were predicted, and of files and rows that were not
 */
export async function predictSources(
  { model, preprocessing, classes }: Predictor,
  { sources, json, top }: PredictionOptions,
  { stdout, stderr, signal, input }: Streams,
): Promise<{ readonly predicted: number; readonly failed: number }> {
  let [predicted, failed] = [0, 0];
  for await (const { data, examples, skipped } of prepare(preprocessing, sources, input, { signal })) {
    for (const line of skippedLines(skipped)) stderr.write(`${line}\n`);
    failed += skipped.length;
    if (data === null) continue;
    const outputs = await predict({ model, data, signal });
    const width = outputs.shape[1]!;
    const text = examples.slice(0, outputs.shape[0]).map((example, i) => {
      const row = outputs.data.subarray(i * width, (i + 1) * width);
      if (classes === null)
        return json ? numberJson(example, row[0]!, preprocessing) : numberText(example, row[0]!, preprocessing);
      const likeliest = likeliestOf(row, classes, top);
      return json ? JSON.stringify({ ...sourceOf(example), predictions: likeliest }) : classText(example, likeliest);
    });
    stdout.write(`${text.join("\n")}\n`);
    predicted += text.length;
    signal.throwIfAborted();
  }
  return { predicted, failed };
}

type Likely = { readonly class: string; readonly probability: number };

/** The likeliest classes by the softmax of logits. */
export function likeliestOf(logits: ArrayLike<number>, classes: readonly string[], top: number): Likely[] {
  const largest = Math.max(...Array.from(logits));
  const shares = Array.from(logits, (logit) => Math.exp(logit - largest));
  const total = shares.reduce((sum, share) => sum + share, 0);
  const likely = classes.map((name, label) => ({ class: name, probability: shares[label]! / total }));
  return likely.sort((a, b) => b.probability - a.probability).slice(0, top);
}

const sourceOf = ({ file, line }: Example): object => (line === null ? { file } : { file, line });

const nameOf = ({ file, line }: Example): string =>
  `${file === "-" ? "standard input" : file}${line === null ? "" : ` line ${line}`}`;

const classText = (example: Example, likely: readonly Likely[]): string =>
  `${nameOf(example)}: ${likely.map(({ class: name, probability }) => `${name} ${percent(probability, 1)}`).join(", ")}`;

/** The number in the unit of the target column. */
function inUnit(output: number, preprocessing: Preprocessing): number {
  const { mean, stddev } = (preprocessing.kind === "rows" ? preprocessing.scale : null) ?? { mean: 0, stddev: 1 };
  return output * stddev + mean;
}

const numberText = (example: Example, output: number, preprocessing: Preprocessing): string =>
  `${nameOf(example)}: ${Number(inUnit(output, preprocessing).toPrecision(6))}`;

const numberJson = (example: Example, output: number, preprocessing: Preprocessing): string =>
  JSON.stringify({ ...sourceOf(example), value: inUnit(output, preprocessing) });
