import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { opTable } from "./table.ts";

test("docs/ops.md lists the kernels that each op calls (if not, run npm run docs:ops)", () => {
  expect(opTable()).toBe(readFileSync(new URL("../../docs/ops.md", import.meta.url), "utf8"));
});
