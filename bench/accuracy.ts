// The table of docs/accuracy.md: test accuracy of the toy network on MNIST after 3 epochs by the recipe of the command
// line, for fractions and pools, with three seeds each. Results go to bench/results/accuracy.jsonl, one line per run.
// The script skips runs that the file holds, so it can be stopped and started at will.
//
// `npm run accuracy`, or `npm run accuracy -- --seeds 4,5,6 --data <folder> --out <file>`.
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { main } from "../src/cli/main.ts";
import { table } from "../src/variables/index.ts";
import { overSeeds, type Run, runsIn } from "./accuracy-runs.ts";

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "1,2,3" },
    out: { type: "string", default: fileURLToPath(new URL("results/accuracy.jsonl", import.meta.url)) },
    data: { type: "string" },
    fractions: { type: "string", default: "0.8,0.4,0.2,0.1,0.05" },
    pools: { type: "string", default: "product,hash" },
    print: { type: "boolean", default: false },
  },
});

const runsOf = (): Run[] => (existsSync(values.out) ? runsIn(values.out) : []);

const list = (text: string): string[] => text.split(",");
const wanted = [
  ...list(values.seeds).map((seed) => ({ pool: "dense", asked: 1, seed: Number(seed) })),
  ...list(values.pools).flatMap((pool) =>
    list(values.fractions).flatMap((fraction) =>
      list(values.seeds).map((seed) => ({ pool, asked: Number(fraction), seed: Number(seed) })),
    ),
  ),
];

async function run({ pool, asked, seed }: { pool: string; asked: number; seed: number }): Promise<void> {
  let text = "";
  const folder = mkdtempSync(join(tmpdir(), "accuracy-"));
  const which = pool === "dense" ? ["--dense"] : ["--pool", pool, "--fraction", String(asked)];
  const code = await main(
    ["train", "--data", values.data ?? "mnist", ...which, "--seed", String(seed), "--json", "--out", join(folder, "run")],
    {
      stdout: { write: (chunk) => (text += chunk) },
      stderr: process.stderr,
      signal: new AbortController().signal,
    },
  );
  rmSync(folder, { recursive: true, force: true });
  if (code !== 0) throw new Error(`${pool} ${asked}, seed ${seed}: exit code ${code}`);
  const result = JSON.parse(text.trim().split("\n").at(-1)!) as Run;
  mkdirSync(dirname(values.out), { recursive: true });
  appendFileSync(values.out, `${JSON.stringify({ ...result, pool, asked })}\n`);
  console.log(`${pool} ${asked}, seed ${seed}: ${(100 * result.testAccuracy).toFixed(2)} %`);
}

/** Mean and range over the seeds, a row per fraction, a column per pool. */
function report(runs: readonly Run[]): string {
  const cell = (pool: string, asked: number): string => {
    const found = overSeeds(runs, pool, asked);
    return found === null ? "" : `${found.mean.toFixed(2)} (${found.low.toFixed(2)} to ${found.high.toFixed(2)})`;
  };
  const size = (pool: string, asked: number): string => (overSeeds(runs, pool, asked)?.size ?? 0).toLocaleString("en");
  const pools = list(values.pools);
  const rows = list(values.fractions).map((fraction) => [
    fraction,
    ...pools.flatMap((pool) => [size(pool, Number(fraction)), cell(pool, Number(fraction))]),
  ]);
  const dense = ["dense", ...pools.flatMap(() => [size("dense", 1), cell("dense", 1)])];
  return table(["fraction", ...pools.flatMap((pool) => [`${pool}: trained`, "accuracy, %"])], [dense, ...rows]);
}

if (!values.print) {
  for (const one of wanted) {
    const done = runsOf().some((r) => r.pool === one.pool && r.asked === one.asked && r.seed === one.seed);
    if (!done) await run(one);
  }
}
const text = report(runsOf());
console.log(text);
if (values.data === undefined) writeFileSync(values.out.replace(/\.jsonl$/, ".txt"), `${text}\n`);
