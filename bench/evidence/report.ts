import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { markdown, withTable, writeTable } from "../page.ts";
import { linesIn } from "./results.ts";
import { RUNS } from "./runs.ts";
import type { StepTime } from "./steps.ts";
import type { Line } from "./train.ts";

const results = (name: string): string => fileURLToPath(new URL(`../results/${name}`, import.meta.url));
const PAGE: URL = new URL("../../docs/accuracy.md", import.meta.url);
const COMMAND = "npm run evidence -- --report";

/** The lines of whole runs (8 epochs, all images) that are in bench/results. */
export const evidenceLines = (): Line[] => linesIn(results("evidence.jsonl"));

/** Accuracies in %, one for each seed, of a finished run; and the counts of its numbers. */
export type Finished = {
  readonly trainedSize: number;
  readonly denseSize: number;
  readonly percents: ReadonlyMap<number, number>;
};

/** The finished seeds of a run; null if there are none. */
export function finished(lines: readonly Line[], run: string): Finished | null {
  const last = lines.filter((line) => line.run === run && line.epoch === line.epochs && line.loss !== null);
  if (last.length === 0) return null;
  const percents = new Map(last.map(({ seed, accuracy }) => [seed, 100 * accuracy]));
  return { ...last[0]!, percents };
}

export const meanOf = ({ percents }: Finished): number => [...percents.values()].reduce((a, b) => a + b) / percents.size;

const SEEDS = [1, 2, 3];

/** A cell of the table: the accuracy after the last epoch, or how far the run is. */
function cell(lines: readonly Line[], run: string, seed: number): string {
  const done = finished(lines, run)?.percents.get(seed);
  if (done !== undefined) return done.toFixed(2);
  const own = lines.filter((line) => line.run === run && line.seed === seed);
  const last = own.reduce<Line | null>((a, b) => (a === null || b.epoch > a.epoch ? b : a), null);
  if (last?.loss === null) return "diverged";
  return last === null ? "not yet run" : `epoch ${last.epoch} of ${last.epochs}: ${(100 * last.accuracy).toFixed(2)}`;
}

/** The difference of the means over the seeds that both runs have, in points; "" if they have none. */
function gap(own: Finished | null, base: Finished | null): string {
  const seeds = own === null || base === null ? [] : [...own.percents.keys()].filter((seed) => base.percents.has(seed));
  if (seeds.length === 0) return "";
  return (seeds.reduce((sum, seed) => sum + own!.percents.get(seed)! - base!.percents.get(seed)!, 0) / seeds.length).toFixed(2);
}

/**
 * The table of docs/accuracy.md: a row for each run that has begun, a column for each seed. Below it the names of the
 * other runs.
 */
export function accuracyTable(lines: readonly Line[]): string {
  const hasBegun = ({ name }: { readonly name: string }): boolean => lines.some((line) => line.run === name);
  const rows = RUNS.filter(hasBegun).map(({ name }) => {
    const base = name.startsWith("MobileNetV3") ? "MobileNetV3 dense" : "dense";
    const own = finished(lines, name);
    const size = lines.find((line) => line.run === name)!.trainedSize.toLocaleString("en");
    const mean = own === null ? "" : meanOf(own).toFixed(2);
    return [
      name,
      size,
      ...SEEDS.map((seed) => cell(lines, name, seed)),
      mean,
      name === base ? "" : gap(own, finished(lines, base)),
    ];
  });
  const head = ["weights", "trained numbers", ...SEEDS.map((seed) => `seed ${seed}`), "mean", "against dense"];
  const rest = RUNS.filter((run) => !hasBegun(run)).map(({ name }) => `- ${name}\n`);
  return `${markdown(head, rows)}${rest.length === 0 ? "" : `\nNot yet run:\n\n${rest.join("")}`}`;
}

/** The table of the search for rates: validation accuracy in % after the last epoch. */
export function rateTable(lines: readonly Line[]): string {
  const rows = lines
    .filter(({ epoch, epochs }) => epoch === epochs)
    .map(({ run, rate, rateFactor, loss, accuracy }) => [
      ...[run, `${rate}`, `${rateFactor ?? ""}`],
      loss === null ? "diverged" : (100 * accuracy).toFixed(2),
    ])
    .sort();
  return markdown(["weights", "peak rate", "factor of the pool", "validation accuracy, %"], rows);
}

/** The table of step times: the latest measurement of each network, and its ratio to the dense network's. */
export function stepTable(lines: readonly StepTime[]): string {
  const latest = new Map(lines.map((line) => [line.run, line]));
  const dense = latest.get("dense");
  if (dense === undefined) return "Not yet measured.\n";
  const rows = [...latest.values()].map(({ run, milliseconds }) => [
    run,
    milliseconds.toFixed(1),
    (milliseconds / dense.milliseconds).toFixed(3),
  ]);
  return markdown(["weights", "CPU ms per training step, batch 64", "dense = 1"], rows);
}

const PICTURE =
  "![test accuracy of ResNet-20 over the count of trained numbers: pools, fewer channels, hashing](pictures/evidence.svg)\n\n";

/** All tables, from the files in bench/results, and the picture if there are finished runs to draw. */
export const report = (): string =>
  [
    "### Accuracy\n",
    `${RUNS.some(({ name }) => isDrawn(name) && finished(evidenceLines(), name)) ? PICTURE : ""}${accuracyTable(evidenceLines())}`,
    "### Time of a training step\n",
    stepTable(linesIn<StepTime>(results("evidence-steps.jsonl"))),
    "### Search for rates\n",
    rateTable(linesIn(results("evidence-rates.jsonl"))),
  ].join("\n");

/** Whether the picture shows a run: ResNet-20 as it is, dense or in a pool. */
const isDrawn = (name: string): boolean => !/^MobileNetV3|,/.test(name);

/** The page docs/accuracy.md with the tables of the present results. */
export const pageWithReport = (): string => withTable(readFileSync(PAGE, "utf8"), COMMAND, report());

export function writeReport(): string {
  const text = report();
  writeTable("accuracy.md", COMMAND, text);
  return text;
}
