import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { check } from "../bench/check.ts";
import { convBenches } from "../bench/conv.ts";
import { elementwiseBenches } from "../bench/elementwise.ts";
import { linesIn } from "../bench/evidence/results.ts";
import { bestRate, type Line, report } from "../bench/fit/report.ts";
import { gemmBenches } from "../bench/gemm.ts";
import { withTable } from "../bench/page.ts";
import { ROWS, SMALL_ROWS } from "../bench/peers/tasks.ts";
import { stepBenches } from "../bench/step.ts";
import { writeMnist } from "./cli/tiny-mnist.ts";

const cwd = fileURLToPath(new URL("..", import.meta.url));
let folder = "";
beforeAll(() => {
  folder = writeMnist(mkdtempSync(join(tmpdir(), "hashgrad-bench-")));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs a script on a few images, and returns what it prints. */
const runScript = (script: string, out: string, ...options: string[]): string => {
  const args = ["--import", "tsx", `bench/${script}.ts`, "--data", folder, "--out", out, ...options];
  return execFileSync(process.execPath, args, { cwd, encoding: "utf8", timeout: 60_000 });
};

test("every benchmark runs once without an error", () => {
  const once = { seconds: 0, least: 1 };
  const found = [...gemmBenches(once), ...convBenches(once), ...elementwiseBenches(once), ...stepBenches(once)];
  expect(found.length).toBeGreaterThan(50);
  expect(new Set(found.map((one) => one.name)).size).toBe(found.length);
  for (const { median } of found) expect(median).toBeGreaterThan(0);
});

test("--check measures a finite figure for every promise", async () => {
  const lines = await check(0.001);
  expect(lines.length).toBeGreaterThan(14);
  expect(new Set(lines.map(({ what }) => what)).size).toBe(lines.length);
  for (const { what, figure } of lines) expect(Number.isFinite(figure), what).toBe(true);
});

test("the hashgrad side of bench:peers runs every task, and the short tasks of real networks", () => {
  const only = "^(?!(ResNet|Efficient).*training|.*Net.*batch (64|128)$)";
  const args = ["--import", "tsx", "bench/peers/ours.ts", "--seconds", "0", "--least", "1", "--only", only];
  const lines = execFileSync(process.execPath, args, { cwd, encoding: "utf8", timeout: 60_000 }).trim().split("\n");
  const found = lines.map((line) => JSON.parse(line) as { name: string; error?: string });
  const rows = ROWS.filter((row) => new RegExp(only).test(row));
  expect(rows.length).toBe(SMALL_ROWS.length + 5);
  expect(found.map(({ name }) => name)).toEqual(rows);
  expect(found.filter(({ error }) => error !== undefined)).toEqual([]);
});

test("file-sizes measures each network in each element type, and continues from its file", () => {
  const out = join(folder, "file-sizes.jsonl");
  const options = ["--models", "toy,mobilenetv3", "--fractions", "1,0.1", "--images", "16", "--epochs", "1"];
  const text = runScript("file-sizes", out, ...options);
  const lines = linesIn<{ model: string; fraction: number; dtype: string; bytes: number }>(out);
  expect(new Set(lines.map(({ model, fraction, dtype }) => `${model} ${fraction} ${dtype}`)).size).toBe(2 * 2 * 4);
  const bytesOf = (model: string, fraction: number, dtype: string): number =>
    lines.find((line) => line.model === model && line.fraction === fraction && line.dtype === dtype)!.bytes;
  expect(bytesOf("toy", 1, "float32")).toBe(127_520);
  expect(bytesOf("mobilenetv3", 1, "float16")).toBeLessThan(0.6 * bytesOf("mobilenetv3", 1, "float32"));
  expect(bytesOf("mobilenetv3", 0.1, "float32")).toBeLessThan(0.2 * bytesOf("mobilenetv3", 1, "float32"));
  const tables = text.slice(text.indexOf("| network"));
  expect(tables.match(/^\| (dense|fraction 0\.1) \|/gm)).toHaveLength(16);
  expect(runScript("file-sizes", out, ...options)).toBe(tables);
  expect(linesIn(out)).toEqual(lines);
});

describe("the comparison of fitPool", () => {
  const options = ["--sets", "mnist", "--images", "30", "--fractions", "0.4", "--seeds", "1"];
  const rates = ["--scratch-rates", "0.003,0.006", "--fit-rates", "0.006"];

  test("searches rates, makes each run once, and continues from its file", () => {
    const out = join(folder, "fit.jsonl");
    runScript("fit", out, ...options, ...rates);
    const lines = linesIn<Line>(out);
    const runs = (search: boolean): string[] =>
      lines.filter((line) => line.search === search).map(({ start, epochs, images }) => `${start} ${epochs} of ${images}`);
    expect(runs(true)).toEqual(["scratch 6 of 30", "scratch 6 of 30", "dense 3 of 30", "fit 3 of 30"]);
    const scratch = ["scratch 6 of 30", "scratch 3 of 30", "scratch 1 of 30"];
    expect(runs(false)).toEqual([...scratch, "dense 3 of 30", "fit 3 of 30", "fit 1 of 30", "fit 0 of 30"]);
    const chosen = bestRate(lines, { set: "mnist", start: "scratch", fraction: 0.4 });
    const used = lines.filter((line) => !line.search && line.start === "scratch").map(({ rate }) => rate);
    expect(used).toEqual([chosen, chosen, chosen]);
    runScript("fit", out, ...options, ...rates);
    expect(linesIn(out)).toEqual(lines);
  });

  const line = (given: Partial<Line>): Line => ({
    ...{ set: "mnist", search: false, start: "fit", fraction: 0.4, seed: 1, epochs: 3, rate: 0.006, images: 60_000 },
    ...{ error: null, accuracy: 0.9, ...given },
  });
  const search = [0.012, 0.006, 0.003].map((rate) => line({ search: true, rate, accuracy: rate === 0.003 ? 0.8 : 0.9 }));

  test("takes the best rate of the search, and the lower rate if two are equal", () => {
    expect(bestRate(search, { set: "mnist", start: "fit", fraction: 0.4 })).toBe(0.006);
    expect(() => bestRate(search, { set: "fashion", start: "fit", fraction: 0.4 })).toThrow("lacks fashion, fit, fraction 0.4");
  });

  test("shows each seed, and the differences between runs of one seed", () => {
    const lines = [
      ...search,
      line({ epochs: 0, rate: null, error: 0.614, accuracy: 0.5 }),
      line({ epochs: 0, rate: null, error: 0.626, accuracy: 0.7, seed: 2 }),
      line({ accuracy: 0.95 }),
      line({ accuracy: 0.96, seed: 2 }),
      line({ start: "scratch", epochs: 6, accuracy: 0.94 }),
      line({ start: "scratch", epochs: 6, accuracy: 0.97, seed: 2 }),
    ];
    const text = report(lines, { sets: ["mnist"], fractions: [0.4], seeds: [1, 2] });
    expect(text).toContain("| 0.4 | fit | 3 + 0 | 50.00 | 70.00 | 60.00 |\n");
    expect(text).toContain("| MNIST | 0.4 | 0.61, 0.63 | +1.00, −1.00 | not yet run | not yet run |\n");
    expect(text).toContain("| MNIST | 0.4 | fit | 80.00 | **90.00** | 90.00 |\n");
  });
});

test("withTable replaces the text between the comments of a command", () => {
  const page = "a\n<!-- x: begin -->\nold\n<!-- x: end -->\nb\n";
  expect(withTable(page, "x", "new\n")).toBe("a\n<!-- x: begin -->\nnew\n<!-- x: end -->\nb\n");
  expect(() => withTable("a", "x", "new\n")).toThrow("the page lacks the lines <!-- x: begin --> and <!-- x: end -->");
});
