// Accuracy of compressed networks on Fashion-MNIST (docs/accuracy.md): ResNet-20, dense, compressed and hashed, and a
// small confirmation with MobileNetV3. `npm run evidence` makes the runs of bench/evidence/runs.ts that
// bench/results/evidence.jsonl lacks, one line per epoch. It may be killed at any time: the next call continues from
// the last epoch. Processes side by side train different runs, so on two cores start
// `HASHGRAD_THREADS=1 HASHGRAD_FMA=on npm run evidence` twice.
//
// `-- --report` prints the table and writes it into docs/accuracy.md. `-- --steps` measures the time of a training
// step.
// `-- --rates` searches rates: short runs on the first 5,000 training images, measured on the last 6,000, never on test
// images.
import { execFileSync } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { tryClaim } from "../src/cli/run/lock.ts";
import { type Dataset, lengthOf, readMnist, takeFirst } from "../src/data/index.ts";
import { halved, takeLast } from "./evidence/images.ts";
import { writeReport } from "./evidence/report.ts";
import { appendLine, fileName, isDone, linesIn } from "./evidence/results.ts";
import { RUNS, runOf } from "./evidence/runs.ts";
import { measureSteps } from "./evidence/steps.ts";
import { type Task, trainTask } from "./evidence/train.ts";

const { values } = parseArgs({
  options: {
    data: { type: "string", default: "/usr/share/datasets/fashion-mnist" }, // Debian's package dataset-fashion-mnist
    epochs: { type: "string" },
    images: { type: "string" },
    seeds: { type: "string", default: "1,2,3" },
    runs: { type: "string" },
    out: { type: "string" },
    checkpoints: { type: "string", default: join(tmpdir(), "hashgrad-evidence") },
    rates: { type: "boolean", default: false },
    steps: { type: "boolean", default: false },
    report: { type: "boolean", default: false },
  },
});

const resultsAt = (name: string): string => fileURLToPath(new URL(`results/${name}`, import.meta.url));
const commit = execFileSync("git", ["rev-parse", "--short", "HEAD"], { cwd: resultsAt(""), encoding: "utf8" }).trim();

/** Makes the tasks that `out` lacks and that no other process works on. */
async function makeAll(tasks: readonly Task[], out: string, data: Dataset, held: Dataset): Promise<void> {
  for (const task of tasks) {
    if (isDone(linesIn(out), task)) continue;
    const file = join(values.checkpoints, fileName(task));
    const release = tryClaim(`${file}.lock`);
    if (release === null) continue;
    try {
      if (isDone(linesIn(out), task)) continue; // by the process that had the lock until now
      const onLine: Parameters<typeof trainTask>[1]["onLine"] = (line) => {
        appendLine(out, task, line);
        console.log(JSON.stringify(line));
      };
      await trainTask(task, { data, held, commit, checkpoint: `${file}.safetensors`, onLine });
    } finally {
      release();
    }
  }
}

/** Rates and factors to try; the factors of a network without a pool are null. */
const SEARCH: readonly {
  readonly run: string;
  readonly rates: readonly number[];
  readonly factors: readonly (number | null)[];
}[] = [
  { run: "product 0.1", rates: [0.1], factors: [10, 20, 5, 40, 2.5, 1] },
  { run: "product 0.1", rates: [0.2], factors: [5, 2.5, 1] },
  { run: "dense", rates: [0.1, 0.05, 0.2], factors: [null] },
  { run: "hash 0.1", rates: [0.1], factors: [20, 60] },
  { run: "MobileNetV3 dense", rates: [0.1, 0.05], factors: [null] },
  { run: "MobileNetV3 product 0.1", rates: [0.1], factors: [10, 5] },
  { run: "random hashing 1× 0.1", rates: [0.1], factors: [20, 60] },
  { run: "product 0.5", rates: [0.1], factors: [10, 5, 20] },
  { run: "hash 0.1", rates: [0.1], factors: [180] },
  { run: "random hashing 4× 0.1", rates: [0.1], factors: [20, 60] },
];

/** The last images of the training data measure the rates. */
const VALIDATION = 6000;

/**
 * ResNets see images of half the size, which take a quarter of the time. MobileNets, which halve images five times, see
 * whole images.
 */
async function searchRates(): Promise<void> {
  const all = readMnist(values.data).train;
  const [images, epochs] = [Number(values.images ?? 5000), Number(values.epochs ?? 3)];
  const out = values.out ?? resultsAt("evidence-rates.jsonl");
  for (const { run, rates, factors } of SEARCH) {
    if (values.runs !== undefined && !values.runs.split(";").includes(run)) continue;
    const tasks = rates.flatMap((rate) =>
      factors.map((rateFactor): Task => ({ run: { ...runOf(run), rate, rateFactor }, seed: 1, epochs, images })),
    );
    const seen = run.startsWith("MobileNet") ? all : halved(all);
    await makeAll(tasks, out, takeFirst(seen, images), takeLast(seen, VALIDATION));
  }
}

async function makeRuns(): Promise<void> {
  const { train, test } = readMnist(values.data);
  const data = takeFirst(train, Number(values.images ?? lengthOf(train)));
  const epochs = Number(values.epochs ?? 8);
  const runs = values.runs === undefined ? RUNS : values.runs.split(";").map(runOf);
  const tasks = values.seeds
    .split(",")
    .flatMap((seed) => runs.map((run): Task => ({ run, seed: Number(seed), epochs, images: lengthOf(data) })));
  await makeAll(tasks, values.out ?? resultsAt("evidence.jsonl"), data, test);
}

if (values.report) console.log(writeReport());
else if (values.steps) console.log(measureSteps(values.out ?? resultsAt("evidence-steps.jsonl"), commit));
else if (values.rates) await searchRates();
else await makeRuns();
