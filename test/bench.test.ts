import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { check } from "../bench/check.ts";
import { convBenches } from "../bench/conv.ts";
import { elementwiseBenches } from "../bench/elementwise.ts";
import { gemmBenches } from "../bench/gemm.ts";
import { ROWS } from "../bench/peers/tasks.ts";
import { stepBenches } from "../bench/step.ts";

test("every bench runs, once", () => {
  const once = { seconds: 0, least: 1 };
  const found = [...gemmBenches(once), ...convBenches(once), ...elementwiseBenches(once), ...stepBenches(once)];
  expect(found.length).toBeGreaterThan(50);
  expect(new Set(found.map((one) => one.name)).size).toBe(found.length);
  for (const { median } of found) expect(median).toBeGreaterThan(0);
});

test("every promise of --check is measured; whether it holds is for quiet machines to say", async () => {
  const lines = await check(0.001);
  expect(lines.length).toBeGreaterThan(14);
  expect(new Set(lines.map(({ what }) => what)).size).toBe(lines.length);
  for (const { what, figure } of lines) expect(Number.isFinite(figure), what).toBe(true);
});

test("this library's side of bench:peers runs every task", () => {
  const cwd = fileURLToPath(new URL("..", import.meta.url));
  const args = ["--import", "tsx", "bench/peers/ours.ts", "--seconds", "0", "--least", "1"];
  const lines = execFileSync(process.execPath, args, { cwd, encoding: "utf8", timeout: 60_000 }).trim().split("\n");
  const found = lines.map((line) => JSON.parse(line) as { name: string; error?: string });
  expect(found.map(({ name }) => name)).toEqual([...ROWS]);
  expect(found.filter(({ error }) => error !== undefined)).toEqual([]);
});
