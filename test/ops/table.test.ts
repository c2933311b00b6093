import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { opTable } from "./table.ts";

test("docs/ops.md tells which kernels each op calls; otherwise run npm run docs:ops", () => {
  expect(opTable()).toBe(readFileSync(new URL("../../docs/ops.md", import.meta.url), "utf8"));
});
