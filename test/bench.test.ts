import { expect, test } from "vitest";
import { convBenches } from "../bench/conv.ts";
import { elementwiseBenches } from "../bench/elementwise.ts";
import { gemmBenches } from "../bench/gemm.ts";
import { stepBenches } from "../bench/step.ts";

test("every bench runs, once", () => {
  const once = { seconds: 0, least: 1 };
  const found = [...gemmBenches(once), ...convBenches(once), ...elementwiseBenches(once), ...stepBenches(once)];
  expect(found.length).toBeGreaterThan(50);
  expect(new Set(found.map((one) => one.name)).size).toBe(found.length);
  for (const { median } of found) expect(median).toBeGreaterThan(0);
});
