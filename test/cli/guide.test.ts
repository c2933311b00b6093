import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Generator } from "../../src/tensor/index.ts";
import { temporaryFolder } from "../temporary-folder.ts";
import { programFile } from "./program-file.ts";
import { command, type Ran } from "./run-command.ts";

// The commands of docs/guides/cli.md, in their order, in a folder with the data that the page names.

const page = readFileSync(new URL("../../docs/guides/cli.md", import.meta.url), "utf8");
const commands = [...page.matchAll(/^```sh\n([\s\S]*?)^```$/gm)]
  .flatMap(([, block = ""]) => block.trim().split("\n"))
  .filter((line) => line.startsWith("hashgrad "));

const home = process.cwd();
const root = temporaryFolder();
let script = "";
beforeAll(async () => {
  script = await programFile(root);
  process.chdir(root);
  const random = new Generator(1);
  for (const [name, level] of [
    ["bright", 200],
    ["dark", 20],
  ] as const) {
    mkdirSync(join("photos", name), { recursive: true });
    for (let i = 0; i < 10; i++) {
      const pixels = Uint8Array.from({ length: 20 * 20 * 3 }, () => level + random.below(40));
      await sharp(pixels, { raw: { width: 20, height: 20, channels: 3 } }).toFile(join("photos", name, `${i}.png`));
    }
  }
  const rows = Array.from({ length: 100 }, (_, i) => {
    const size = i % 2 === 0 ? 4 : 6;
    return `${size + random.normal() / 3},${size / 4 + random.normal() / 9},${i % 2 === 0 ? "rose" : "lily"}`;
  });
  writeFileSync("flowers.csv", ["length,width,kind", ...rows, ""].join("\n"));
  writeFileSync("flowers-test.csv", ["length,width,kind", ...rows.slice(0, 30), ""].join("\n"));
  for (const name of ["product-0.1", "dense", "hash-0.1", "1"])
    expect(await run(`hashgrad train --data flowers.csv --target kind --epochs 1 --out runs/${name}`)).toMatchObject({ code: 0 });
});
afterAll(() => process.chdir(home));

const run = (line: string): Promise<Ran> =>
  command(line.split(" ").slice(1), new AbortController().signal, [process.execPath, script]);

test("the page has commands", () => {
  expect(commands.length).toBeGreaterThan(10);
});

test.each(commands)("%s", async (line) => {
  const { code, out, err } = await run(line);
  expect(`${code} ${err}`).toBe("0 ");
  expect(out).not.toBe("");
});
