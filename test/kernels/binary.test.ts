import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { compiled } from "../../src/backends/wasm/build.ts";

test("the WebAssembly in binary.ts is what its sources compile to; otherwise run npm run build:wasm", async () => {
  expect(readFileSync(new URL("../../src/backends/wasm/binary.ts", import.meta.url), "utf8")).toBe(await compiled());
});
