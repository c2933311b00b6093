import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { check } from "../bench/check.ts";
import { convBenches } from "../bench/conv.ts";
import { elementwiseBenches } from "../bench/elementwise.ts";
import { gemmBenches } from "../bench/gemm.ts";
import { ROWS, SMALL_ROWS } from "../bench/peers/tasks.ts";
import { stepBenches } from "../bench/step.ts";

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
  const cwd = fileURLToPath(new URL("..", import.meta.url));
  const only = "^(?!(ResNet|Efficient).*training|.*Net.*batch (64|128)$)";
  const args = ["--import", "tsx", "bench/peers/ours.ts", "--seconds", "0", "--least", "1", "--only", only];
  const lines = execFileSync(process.execPath, args, { cwd, encoding: "utf8", timeout: 60_000 }).trim().split("\n");
  const found = lines.map((line) => JSON.parse(line) as { name: string; error?: string });
  const rows = ROWS.filter((row) => new RegExp(only).test(row));
  expect(rows.length).toBe(SMALL_ROWS.length + 5);
  expect(found.map(({ name }) => name)).toEqual(rows);
  expect(found.filter(({ error }) => error !== undefined)).toEqual([]);
});
