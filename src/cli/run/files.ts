import type { DataOptions, Preprocessing } from "../data/opened.ts";
import type { PoolKind } from "../options.ts";

/** The files of a run folder. All but `metrics.jsonl` are replaced as a whole, by a rename. */
export const RUN_FILES = {
  config: "config.json",
  metrics: "metrics.jsonl",
  checkpoint: "checkpoint.safetensors",
  best: "best.safetensors",
  evaluation: "evaluation.json",
  report: "report.html",
} as const;

/** The lock of a run folder while a process trains the run. */
export const RUN_LOCK = "run.lock";

/** What `train` was asked to do, beside the data. */
export type TrainChoice = {
  readonly model: string;
  /** null: a dense network. */
  readonly pool: PoolKind | null;
  readonly fraction: number;
  readonly epochs: number;
  readonly batchSize: number;
  /** Peak rate of dense weights; null: the rate of the recipe. */
  readonly learningRate: number | null;
  readonly augment: readonly string[];
  /** Epochs without improvement before training ends; null: all epochs run. */
  readonly earlyStopping: number | null;
  readonly seed: number;
};

/** The kernels of a run, and the number of threads. */
export type RunBackend = {
  /** "wasm" or "plain". */
  readonly name: string;
  /** Whether multiply-add rounds once; null in older files. */
  readonly fused: boolean | null;
  readonly threads: number;
};

/** Runs with equal names of kernels have the same bits. */
export const kernelsText = ({ name, fused }: Pick<RunBackend, "name" | "fused">): string =>
  fused ? `${name} with fused multiply-add` : name;

/** `config.json`: all that a run depends on. */
export type RunConfig = TrainChoice & {
  readonly format: "hashgrad run 1";
  /** The version of hashgrad that began the run. */
  readonly version: string;
  /** The runtime: "v20.20.2" is Node.js, others are such as "bun 1.4.5". */
  readonly node: string;
  readonly backend: RunBackend;
  /** ISO date and time of the beginning. */
  readonly began: string;
  readonly data: DataOptions;
  readonly digest: string;
  readonly inputShape: readonly number[];
  readonly classes: readonly string[] | null;
  readonly preprocessing: Preprocessing;
  readonly examples: { readonly train: number; readonly validation: number; readonly test: number };
  /** Weights of the dense network, and numbers that are trained instead. */
  readonly sizes: {
    readonly denseSize: number;
    readonly trainedSize: number;
    /** By layer, in the order of creation: where the weights are, and how many. */
    readonly layers: readonly {
      readonly name: string;
      readonly shape: readonly number[];
      readonly storage: "dense" | "pool";
      readonly size: number;
      /** First position in the pool's weights; null for dense storage. */
      readonly offset: number | null;
    }[];
    /** Rows, columns and rank of the product; null without a product pool. */
    readonly matrix: { readonly rows: number; readonly columns: number; readonly rank: number } | null;
  };
};

/** A score is a share of right answers for classes, R² for a numeric target. */
export type EpochScores = { readonly loss: number; readonly score: number };

/** A line of `metrics.jsonl`: an epoch. */
export type EpochLine = {
  readonly epoch: number;
  readonly epochs: number;
  readonly train: EpochScores;
  readonly validation: EpochScores | null;
  readonly test: EpochScores | null;
  readonly learningRate: number;
  readonly examples: number;
  readonly seconds: number;
};

/** Pairs of classes that the model confuses most often, with examples. */
export type Confusion = {
  /** Labels. */
  readonly actual: number;
  readonly predicted: number;
  readonly count: number;
  readonly examples: readonly {
    /** Position in the data. */
    readonly index: number;
    /** Probability of the predicted class. */
    readonly probability: number;
    /** Pixels of the input as bytes in base64, row after row; null for rows of a table. */
    readonly image: {
      readonly height: number;
      readonly width: number;
      readonly channels: number;
      readonly pixels: string;
    } | null;
  }[];
};

/** `evaluation.json`: how good the best weights are. */
export type RunEvaluation = {
  readonly split: "train" | "validation" | "test";
  readonly epoch: number;
  readonly loss: number;
  readonly score: number;
  readonly examples: number;
  /** Examples of class i that were predicted as class j; null for a numeric target. */
  readonly confusion: readonly (readonly number[])[] | null;
  /** At most 6 pairs with at most 8 examples each; empty for a numeric target. */
  readonly worst: readonly Confusion[];
};

/** The part that measures a run: the test data, else the validation data, else the training data. */
export const measuredPart = (parts: Readonly<Record<"test" | "validation", object | null>>): RunEvaluation["split"] =>
  parts.test !== null ? "test" : parts.validation !== null ? "validation" : "train";
