import { type Command, Option } from "commander";
import type { DataOptions } from "./data/opened.ts";
import type { Io } from "./io.ts";
import { AUGMENTATIONS, dataPath, imageSizeOf, POOLS, type PoolKind, parsersOf, TASKS } from "./options.ts";
import type { Settings } from "./sweep/plan.ts";
import { UsageError } from "./usage.ts";

/** Adds a command to the program. `run` takes what runs, and its exit code becomes that of the process. */
export type Define = (program: Command, run: (action: (io: Io) => Promise<number>) => Promise<void>) => void;

const isShare = (n: number): boolean => n > 0 && n <= 1;

/** The options that say what data are read. */
export function addDataOptions(command: Command, name: string): void {
  const { number, whole, oneOf } = parsersOf(name);
  const share = number("--validation", "at least 0 and below 1", (n) => n >= 0 && n < 1);
  command
    .option("--data <what>", "mnist, a folder of IDX files, a folder of images, or a .csv file", dataPath)
    .option("--target <column>", "column of the CSV file to predict")
    .option("--task <kind>", "what the target holds: classes or numbers (default: by its values)", oneOf("--task", TASKS))
    .option("--image-size <pixels>", "1 to 4096, or height x width: 32x48 (default: first image)", imageSizeOf(name))
    .option("--gray", "reads images with one channel")
    .option("--strict", "ends at a file or row that cannot be read (default: skips them)")
    .addOption(new Option("--validation <share>", "share of the training examples, 0 to below 1").argParser(share).default(0))
    .option("--limit <n>", "only the first n training examples, at least 1 (default: all)", whole("--limit", 1));
}

/** What commander read for `addDataOptions`. */
export type DataFlags = {
  readonly data?: string;
  readonly target?: string;
  readonly task?: DataOptions["task"];
  readonly imageSize?: readonly [number, number];
  readonly gray?: true;
  readonly strict?: true;
  readonly validation: number;
  readonly limit?: number;
};

export function dataOptions(name: string, flags: DataFlags, seed: number): DataOptions {
  const { data, target = null, task = null, imageSize = null, gray = false, strict = false, validation, limit = null } = flags;
  if (data === undefined || data === "")
    throw new UsageError(name, "--data is missing: mnist, a folder of IDX files, a folder of images, or a .csv file");
  return { data, target, task, imageSize, gray, strict, validation, limit, seed };
}

/** The options that choose model and recipe, for one run or for a sweep. */
export function addModelOptions(command: Command, name: string, isModel: (text: string) => boolean, names: string): void {
  const { number, whole, oneOf, list } = parsersOf(name);
  const model = (text: string): string => {
    if (!isModel(text)) throw new UsageError(name, `--model must be one of ${names}, got ${JSON.stringify(text)}`);
    return text;
  };
  const rate = number("--learning-rate", "above 0", (n) => n > 0 && Number.isFinite(n));
  command
    .option("--model <name>", "toy, mlp, resnet20, mobilenetv3, … (default: toy; mlp for tables)", model)
    .addOption(new Option("--epochs <n>", "number of epochs, at least 1").argParser(whole("--epochs", 1)).default(3))
    .addOption(new Option("--batch-size <n>", "examples per step, at least 1").argParser(whole("--batch-size", 1)).default(64))
    .option("--learning-rate <rate>", "peak rate of dense weights, above 0 (default: the model's)", rate)
    .option("--augment <list>", "shift, flip, crop, separated by commas (default: none)", list(oneOf("--augment", AUGMENTATIONS)))
    .option("--early-stopping <n>", "ends n epochs after the best one, at least 1 (default: off)", whole("--early-stopping", 1));
}

export type ModelFlags = {
  readonly model?: string;
  readonly epochs: number;
  readonly batchSize: number;
  readonly learningRate?: number;
  readonly augment?: readonly string[];
  readonly earlyStopping?: number;
};

/** What commander read for `addModelOptions`, with null for what was not given. */
export function modelChoice(flags: ModelFlags): Omit<Settings, "model"> & { readonly model: string | null } {
  const { epochs, batchSize, model = null, learningRate = null, augment = [], earlyStopping = null } = flags;
  return { model, epochs, batchSize, learningRate, augment, earlyStopping };
}

/** How much a command prints. */
export function addVerbosity(command: Command, json = "prints JSON lines: one per epoch, then the result"): void {
  command.option("--json", json).option("--quiet", "prints the result only");
}

export type PoolFlags = { readonly pool?: PoolKind; readonly fraction?: number; readonly dense?: true };

export function addPoolOptions(command: Command, name: string): void {
  const { number, oneOf } = parsersOf(name);
  command
    .option(
      "--fraction <share>",
      "trained numbers / weights, above 0, at most 1 (default: 0.4)",
      number("--fraction", "above 0 and at most 1", isShare),
    )
    .option("--pool <kind>", "product, kronecker, hash or meta = product + hash (default: product)", oneOf("--pool", POOLS))
    .option("--dense", "trains all weights, without a pool");
}

/** The options that span the grid of a sweep. */
export function addGridOptions(command: Command, name: string): void {
  const { number, whole, oneOf, list } = parsersOf(name);
  const fraction = number("--fractions", "above 0 and at most 1", isShare);
  const fractions = new Option("--fractions <list>", "trained numbers / weights, above 0, at most 1").argParser(list(fraction));
  const pools = new Option("--pools <list>", "product, kronecker, hash, meta").argParser(list(oneOf("--pools", POOLS)));
  const seeds = new Option("--seeds <list>", "seeds, at least 0").argParser(list(whole("--seeds", 0)));
  command
    .addOption(pools.default(["product"], "product"))
    .addOption(fractions.default([0.05, 0.1, 0.25, 0.5], "0.05,0.1,0.25,0.5"))
    .option("--dense", "also trains the network without a pool")
    .addOption(seeds.default([1], "1"));
}

/** The pool that the flags choose. @throws UsageError for a pool of a dense network. */
export function poolChoice(name: string, { pool, fraction, dense }: PoolFlags): { pool: PoolKind | null; fraction: number } {
  if (dense && (pool !== undefined || fraction !== undefined))
    throw new UsageError(name, "--dense trains without a pool: leave out --pool and --fraction");
  return { pool: dense ? null : (pool ?? "product"), fraction: fraction ?? 0.4 };
}

export function addThreads(command: Command, name: string): void {
  command.option("--threads <n>", "1 to 16 (default: the number of cores)", parsersOf(name).whole("--threads", 1, 16));
}
