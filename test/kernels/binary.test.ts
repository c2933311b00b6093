import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { compiled } from "../../src/backends/wasm/build.ts";

test("binary.ts holds the WebAssembly compiled from its sources (if not, run npm run build:wasm)", async () => {
  expect(readFileSync(new URL("../../src/backends/wasm/binary.ts", import.meta.url), "utf8")).toBe(await compiled());
});
