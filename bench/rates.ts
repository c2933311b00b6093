// The table of learning rates in docs/accuracy.md: test accuracy of the toy network on MNIST after a short run, for
// optimizers, rates and fractions, with three seeds each. A run: the first 10,000 images, 3 epochs, batches of 64, a
// rate that falls to 0 along a cosine. A fraction of 1 is the dense network. Results go to bench/results/rates.jsonl,
// one line per run. The script skips runs that the file holds, so it can be stopped and started at will.
//
// `npm run rates`, or `npm run rates -- --optimizers sgd --factors 10,30 --seeds 1 --out <file>`. With `--constant` the
// rate does not fall, and the results are those of bench/results/rates-constant.jsonl.
import { appendFileSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { buildModel } from "../src/cli/recipe.ts";
import { batchCount, readMnist, takeFirst } from "../src/data/index.ts";
import { configure, type Parameter } from "../src/index.ts";
import { adam, adamW, constant, cosineDecay, type Optimizer, type OptimizerOptions, rmsprop, sgd } from "../src/optim/index.ts";
import { evaluate, TrainingError, train } from "../src/train/index.ts";
import { table } from "../src/variables/index.ts";

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "1,2,3" },
    optimizers: { type: "string", default: "adam,adamW,rmsprop,sgd" },
    fractions: { type: "string", default: "1,0.4,0.1" },
    rates: { type: "string" },
    factors: { type: "string" },
    images: { type: "string", default: "10000" },
    epochs: { type: "string", default: "3" },
    constant: { type: "boolean", default: false },
    out: { type: "string" },
    print: { type: "boolean", default: false },
  },
});

type Make = (parameters: readonly Parameter[], options: OptimizerOptions) => Optimizer;
type Optimizers = Readonly<Record<string, { readonly make: Make; readonly rates: readonly number[] }>>;
const ADAPTIVE = [0.001, 0.003, 0.006, 0.01, 0.02];
const optimizers: Optimizers = {
  adam: { make: adam, rates: ADAPTIVE },
  adamW: { make: adamW, rates: ADAPTIVE },
  rmsprop: { make: rmsprop, rates: ADAPTIVE },
  sgd: { make: (parameters, options) => sgd(parameters, { ...options, momentum: 0.9 }), rates: [0.01, 0.03, 0.06, 0.1, 0.2] },
};

/** One run. `factor` is the pool's; null: the library's own. */
type Asked = {
  readonly optimizer: string;
  readonly fraction: number;
  readonly rate: number;
  readonly factor: number | null;
  readonly seed: number;
};
type Run = Asked & { readonly images: number; readonly epochs: number; readonly accuracy: number };

const file = `results/rates${values.constant ? "-constant" : ""}.jsonl`;
const out = values.out ?? fileURLToPath(new URL(file, import.meta.url));
const list = (text: string): string[] => text.split(",");
const numbers = (text: string): number[] => list(text).map(Number);
const [images, epochs] = [Number(values.images), Number(values.epochs)];
const runsOf = (): Run[] =>
  !existsSync(out)
    ? []
    : readFileSync(out, "utf8")
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => JSON.parse(line) as Run)
        .filter((run) => run.images === images && run.epochs === epochs);

const factors = values.factors === undefined ? [null] : numbers(values.factors);
const wanted: Asked[] = list(values.optimizers).flatMap((optimizer) =>
  numbers(values.seeds).flatMap((seed) =>
    (values.rates === undefined ? optimizers[optimizer]!.rates : numbers(values.rates)).flatMap((rate) =>
      numbers(values.fractions).flatMap((fraction) =>
        (fraction === 1 ? [null] : factors).map((factor) => ({ optimizer, fraction, rate, factor, seed })),
      ),
    ),
  ),
);
const isSame = (a: Asked, b: Asked): boolean =>
  a.optimizer === b.optimizer && a.fraction === b.fraction && a.rate === b.rate && a.factor === b.factor && a.seed === b.seed;

const { train: all, test } = readMnist();
const data = takeFirst(all, images);
const BATCH = 64;
const schedule = values.constant ? constant : cosineDecay({ steps: epochs * batchCount(images, BATCH) });

/** Test accuracy after a run; 0 if training diverged. */
async function accuracyOf({ optimizer, fraction, rate, factor, seed }: Asked): Promise<number> {
  const { vars, model } = buildModel({ model: "toy", pool: fraction === 1 ? null : "product", fraction, seed }, data);
  const groups = factor === null ? [] : [{ match: ({ rateFactor }: Parameter) => rateFactor !== undefined, rateFactor: factor }];
  try {
    const made = optimizers[optimizer]!.make(vars.parameters(), { learningRate: rate, schedule, groups });
    await train({ model, optimizer: made, data, epochs, batchSize: BATCH, seed });
    return (await evaluate({ model, data: test })).accuracy;
  } catch (error) {
    if (error instanceof TrainingError) return 0;
    throw error;
  }
}

if (!values.print) {
  configure({ threads: 1 });
  mkdirSync(dirname(out), { recursive: true });
  for (const asked of wanted) {
    if (runsOf().some((run) => isSame(run, asked))) continue;
    const accuracy = await accuracyOf(asked);
    appendFileSync(out, `${JSON.stringify({ ...asked, images, epochs, accuracy })}\n`);
    console.log(`${JSON.stringify(asked)} ${(100 * accuracy).toFixed(2)} %`);
  }
}

/** Mean over the seeds, with range, of every rate, fraction and factor of an optimizer. */
function row(optimizer: string, rate: number): string[] {
  const cells = numbers(values.fractions).flatMap((fraction) =>
    (fraction === 1 ? [null] : factors).map((factor) => {
      const found = runsOf().filter((run) =>
        numbers(values.seeds).some((seed) => isSame(run, { optimizer, fraction, rate, factor, seed })),
      );
      if (found.length === 0) return "";
      const percents = found.map(({ accuracy }) => 100 * accuracy);
      const mean = percents.reduce((a, b) => a + b) / percents.length;
      return `${mean.toFixed(2)} (${Math.min(...percents).toFixed(2)}–${Math.max(...percents).toFixed(2)})`;
    }),
  );
  return [optimizer, String(rate), ...cells];
}
const heads = numbers(values.fractions).flatMap((fraction) =>
  fraction === 1 ? ["dense"] : factors.map((factor) => `${fraction}${factor === null ? "" : `, factor ${factor}`}`),
);
const rows = list(values.optimizers).flatMap((optimizer) =>
  (values.rates === undefined ? optimizers[optimizer]!.rates : numbers(values.rates)).map((rate) => row(optimizer, rate)),
);
console.log(table(["optimizer", "rate", ...heads], rows));
