import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { EpochLine, RunConfig, RunEvaluation } from "../../../src/cli/run/files.ts";
import type { LoadedRun } from "../../../src/cli/run/load.ts";

// Runs as `train` writes them, with results that are computed and not trained.

const DIGITS = [..."0123456789"];

/** Variables of a network of three layers. Kernels are in the pool, one after another. */
export function layersOf(classes: number, pooled: boolean): RunConfig["sizes"]["layers"] {
  const shapes = {
    "conv/kernel": [3, 3, 1, 32],
    "conv/bias": [32],
    "hidden/kernel": [800, 64],
    "hidden/bias": [64],
    "out/kernel": [64, classes],
    "out/bias": [classes],
  };
  let at = 0;
  return Object.entries(shapes).map(([name, shape]) => {
    const size = shape.reduce((a, n) => a * n, 1);
    const isInPool = pooled && name.endsWith("kernel");
    const offset = isInPool ? at : null;
    if (isInPool) at += size;
    return { name, shape, storage: isInPool ? ("pool" as const) : ("dense" as const), size, offset };
  });
}

export function configOf(changes: Partial<RunConfig> = {}): RunConfig {
  const classes = changes.classes === undefined ? DIGITS : changes.classes;
  const pool = changes.pool === undefined ? "product" : changes.pool;
  const layers = layersOf(classes?.length ?? 1, pool !== null);
  const denseSize = layers.reduce((sum, { size }) => sum + size, 0);
  const side = Math.ceil(Math.sqrt(layers.reduce((sum, { size, storage }) => sum + (storage === "pool" ? size : 0), 0)));
  return {
    format: "hashgrad run 1",
    version: "0.2.0",
    node: "v20.20.2",
    backend: { name: "wasm", fused: false, threads: 2 },
    began: "2026-01-31T12:00:00.000Z",
    data: {
      ...{ data: "mnist", target: null, imageSize: null, gray: true, validation: 0.1, limit: null, strict: false, seed: 1 },
      task: null,
    },
    digest: "a".repeat(64),
    inputShape: [28, 28, 1],
    classes,
    preprocessing: { kind: "images", height: 28, width: 28, channels: 1 },
    examples: { train: 54_000, validation: 6_000, test: 10_000 },
    model: "toy",
    pool,
    ...{ fraction: 0.1, epochs: 12, batchSize: 64, learningRate: null, augment: [], earlyStopping: null, seed: 1 },
    sizes: {
      denseSize,
      trainedSize: pool === null ? denseSize : Math.round(denseSize * 0.12),
      layers,
      matrix: pool === "product" ? { rows: side, columns: side, rank: 11 } : null,
    },
    ...changes,
  };
}

/** Epochs whose losses fall. A higher `quality` gives lower losses. */
export function epochsOf(count: number, quality = 1, validated = true): EpochLine[] {
  return Array.from({ length: count }, (_, i) => {
    const loss = 0.05 / quality + 0.4 / (i + 1);
    return {
      epoch: i + 1,
      epochs: count,
      train: { loss, score: 1 - loss / 4 },
      validation: validated ? { loss: loss * 1.1 + 0.02, score: 1 - loss / 3 } : null,
      test: null,
      learningRate: 0.006,
      examples: 54_000,
      seconds: 4.2,
    };
  });
}

/** An evaluation in which class i is confused with its next neighbors. */
export function evaluationOf(classes: number, perClass = 1000, epoch = 12): RunEvaluation {
  const confusion = Array.from({ length: classes }, (_, i) =>
    Array.from({ length: classes }, (_, j) => {
      const distance = (j - i + classes) % classes;
      if (distance === 1) return Math.floor(perClass * 0.01 * (1 + (i % 5)));
      return distance === 0 ? perClass - Math.floor(perClass * 0.01 * (1 + (i % 5))) : 0;
    }),
  );
  const right = confusion.reduce((sum, row, i) => sum + row[i]!, 0);
  const pixels = (seed: number): string =>
    Buffer.from(Uint8Array.from({ length: 784 }, (_, p) => ((p % 28) + seed * 3 > (p / 28) * 1.5 ? 230 : 20))).toString("base64");
  return {
    ...{ split: "test", epoch, loss: 0.11, score: right / (classes * perClass), examples: classes * perClass, confusion },
    worst: Array.from({ length: Math.min(6, classes - 1) }, (_, pair) => ({
      actual: pair,
      predicted: pair + 1,
      count: confusion[pair]![pair + 1]!,
      examples: Array.from({ length: 4 }, (_, i) => ({
        index: 10 * pair + i,
        probability: 0.97 - 0.05 * i,
        image: { height: 28, width: 28, channels: 1, pixels: pixels(pair + i) },
      })),
    })),
  };
}

export function runOf(folder: string, changes: Partial<RunConfig> = {}, rest: Partial<LoadedRun> = {}): LoadedRun {
  const config = configOf(changes);
  const evaluation = config.classes === null ? null : evaluationOf(config.classes.length);
  return { folder, config, epochs: epochsOf(12), evaluation, torn: false, ...rest };
}

/** Writes the files of a run. */
export function writeRun(folder: string, { config, epochs, evaluation }: LoadedRun, end = ""): string {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "config.json"), JSON.stringify(config, null, 2));
  writeFileSync(join(folder, "metrics.jsonl"), epochs.map((line) => `${JSON.stringify(line)}\n`).join("") + end);
  if (evaluation !== null) writeFileSync(join(folder, "evaluation.json"), JSON.stringify(evaluation));
  return folder;
}
