// Builds the scripts and the images of the page that trains (docs/demo). `npm run docs` writes them into the site. For
// work on the page alone: `node --import tsx docs/.vitepress/demo.ts site/docs/demo`.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { type Dataset, lengthOf, readMnist } from "../../src/data/index.ts";
import { PIXELS, packDigits } from "../demo/digits.ts";

const source = fileURLToPath(new URL("../demo", import.meta.url));

/** Every n-th image, with the pixels as bytes. */
function every(n: number, { inputs, labels, ...rest }: Dataset): Dataset {
  const chosen = Array.from({ length: Math.floor(lengthOf({ inputs, labels, ...rest }) / n) }, (_, i) => i * n);
  const pixels = new Uint8Array(chosen.length * PIXELS);
  for (const [i, at] of chosen.entries()) pixels.set(inputs.subarray(at * PIXELS, (at + 1) * PIXELS), i * PIXELS);
  return { ...rest, inputs: pixels, labels: Int32Array.from(chosen, (at) => labels[at]!) };
}

/** Writes demo.js, worker.js and digits.bin into a folder. */
export async function buildDemo(folder: string): Promise<void> {
  await build({
    entryPoints: { demo: join(source, "page.ts"), worker: join(source, "worker.ts") },
    outdir: folder,
    bundle: true,
    format: "esm",
    platform: "browser",
    target: "es2022",
    minify: true,
    loader: { ".css": "text" },
    logLevel: "warning",
  });
  const { train, test } = readMnist();
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    join(folder, "digits.bin"),
    gzipSync(packDigits({ train: every(8, train), test: every(10, test) }), { level: 9 }),
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await buildDemo(process.argv[2] ?? "site/docs/demo");
