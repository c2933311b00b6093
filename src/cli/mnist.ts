import { batchCount, lengthOf, readMnist, takeFirst } from "../data/index.ts";
import { type Evaluation, evaluate, type Progress, train } from "../train/index.ts";
import { sizesOf, summary } from "../variables/index.ts";
import type { MnistOptions } from "./options.ts";
import { count, liveLine, type Output, percent, progressLine, rateOf } from "./progress.ts";
import { type BuiltModel, buildModel, buildOptimizer, clipGradients } from "./recipe.ts";

/** Trains a model and reports; ends early, with what was reached, when the signal says so. Returns whether it did. */
export async function mnist(options: MnistOptions, output: Output, signal: AbortSignal): Promise<boolean> {
  const began = performance.now();
  const { train: all, test } = readMnist(options.data ?? undefined);
  const data = options.limit === null ? all : takeFirst(all, options.limit);
  const built = buildModel(options, data);
  const steps = options.epochs * batchCount(lengthOf(data), options.batchSize);
  const optimizer = buildOptimizer(options, built.vars, steps);
  const sizes = {
    ...sizesOf(built.vars),
    coreSize: built.pool?.coreSize ?? 0,
    fraction: options.pool === null ? 1 : options.fraction,
  };

  const print = (text: string): unknown => output.write(`${text}\n`);
  const live = liveLine(output);
  let latest: Evaluation | null = null;
  if (!options.json)
    print(`${summary(built.vars)}\n\n${count(lengthOf(data))} training images, ${count(lengthOf(test))} test images\n`);
  const { epochs, aborted } = await train({
    model: built.model,
    optimizer,
    data,
    epochs: options.epochs,
    batchSize: options.batchSize,
    seed: options.seed,
    signal,
    beforeUpdate: () => clipGradients(options, optimizer),
    onBatch: (progress) => {
      if (!options.json) live.show(() => progressLine(progress, lengthOf(data)));
    },
    onEpoch: async (progress) => {
      latest = await evaluate({ model: built.model, data: test });
      live.clear();
      print(options.json ? epochJson(progress, latest) : epochLine(progress, latest));
    },
  });
  live.clear();
  if (aborted && !options.json) print(stoppedLine(epochs.at(-1)));
  const result = aborted || latest === null ? await evaluate({ model: built.model, data: test }) : latest;
  const secondsTotal = (performance.now() - began) / 1000;
  const report = {
    testAccuracy: result.accuracy,
    testLoss: result.loss,
    trainImages: lengthOf(data),
    testImages: result.count,
    ...sizes,
    epochs: epochs.length,
    seed: options.seed,
    secondsTotal,
    model: options.model,
    pool: options.pool,
    batchSize: options.batchSize,
    interrupted: aborted,
  };
  print(options.json ? JSON.stringify(report) : closing(report, built));
  return aborted;
}

function epochJson(p: Progress, { loss: testLoss, accuracy: testAccuracy }: Evaluation): string {
  const { epoch, epochs, loss, accuracy, examples: images, seconds } = p;
  return JSON.stringify({ epoch, epochs, loss, accuracy, testLoss, testAccuracy, images, seconds, imagesPerSecond: rateOf(p) });
}

function epochLine(p: Progress, { accuracy: testAccuracy }: Evaluation): string {
  return [
    `epoch ${p.epoch}/${p.epochs}`,
    `loss ${p.loss.toFixed(4)}`,
    `accuracy ${percent(p.accuracy)}`,
    `test accuracy ${percent(testAccuracy)}`,
    `${p.seconds.toFixed(1)} s, ${count(rateOf(p))} images/s`,
  ].join("  ");
}

function stoppedLine(last: Progress | undefined): string {
  if (last === undefined) return "stopped before the first step";
  return `stopped in epoch ${last.epoch} after batch ${last.batch} of ${last.batches}: loss ${last.loss.toFixed(4)}, accuracy ${percent(last.accuracy)}`;
}

type Report = {
  readonly testAccuracy: number;
  readonly testLoss: number;
  readonly testImages: number;
  readonly denseSize: number;
  readonly coreSize: number;
  readonly trainedSize: number;
  readonly fraction: number;
  readonly achievedFraction: number;
  readonly secondsTotal: number;
};

function closing(r: Report, { pool }: BuiltModel): string {
  const sizes = [
    `dense size     ${count(r.denseSize)} weights`,
    ...(pool === null ? [] : [`core size      ${count(r.coreSize)} numbers in the pool, for ${count(pool.status)} weights`]),
    `trained size   ${count(r.trainedSize)} numbers, biases and scales included`,
    `fraction       ${r.fraction} asked, ${r.achievedFraction.toFixed(3)} achieved (trained size / dense size)`,
  ];
  return [
    "",
    `test accuracy  ${percent(r.testAccuracy)}  (loss ${r.testLoss.toFixed(4)}, ${count(r.testImages)} images)`,
    ...sizes,
    `time           ${r.secondsTotal.toFixed(1)} s`,
  ].join("\n");
}
