// Compiles src/kernels/wasm/assembly/*.ts to WebAssembly and writes the bytes as text into binary.ts beside it, so that the library is
// one piece of JavaScript. A test compiles again and compares.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import asc from "assemblyscript/asc";

const folder = fileURLToPath(new URL("../src/kernels/wasm/", import.meta.url));
const flags = [
  ["-O3", "--converge", "--noAssert"],
  ["--runtime", "stub"],
  ["--memoryBase", "4096"],
  ["--importMemory", "--sharedMemory", "--initialMemory", "1", "--maximumMemory", "65536"],
].flat();

/** The text of binary.ts for the sources as they stand. */
export async function compiled(): Promise<string> {
  return [
    "// Written by `npm run build:wasm` from assembly/*.ts. Do not edit.",
    "",
    "/** The WebAssembly module, in base64. */",
    `export const binary: string = ${await compile("simd,threads")};`,
    "",
    "/** The same with fused multiply-add (relaxed SIMD). */",
    `export const fusedBinary: string = ${await compile("simd,threads,relaxed-simd")};`,
    "",
  ].join("\n");
}

/** The module with some features of WebAssembly, as the text of an expression. */
async function compile(features: string): Promise<string> {
  let bytes: Uint8Array | null = null;
  const { error, stderr } = await asc.main(["index.ts", "--outFile", "kernels.wasm", "--enable", features, ...flags], {
    readFile: (name: string) => {
      try {
        return readFileSync(`${folder}assembly/${name}`, "utf8");
      } catch {
        return null; // the compiler asks for several spellings of a module's name
      }
    },
    writeFile: (_name: string, contents: string | Uint8Array) => {
      if (typeof contents !== "string") bytes = contents;
    },
    listFiles: () => [],
  });
  if (error !== null || bytes === null) throw new Error(`asc failed: ${error?.message}\n${stderr.toString()}`);
  const lines =
    Buffer.from(bytes)
      .toString("base64")
      .match(/.{1,120}/g) ?? [];
  return `[\n${lines.map((line) => `  "${line}",`).join("\n")}\n].join("")`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(`${folder}binary.ts`, await compiled());
