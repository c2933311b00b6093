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
  const [plain, fused] = [await compile("simd,threads"), await compile("simd,threads,relaxed-simd")];
  return [
    "// Written by `npm run build:wasm` from assembly/*.ts. Do not edit.",
    "",
    "/** The WebAssembly module, in hexadecimal digits: gzip makes less of them than of base64, in which repeated bytes look different. */",
    `export const binary: string = ${literal(plain.toString("hex"))};`,
    "",
    "/** The same with fused multiply-add (relaxed SIMD): what is kept of `binary` (from, to) and what follows each piece. */",
    "export const fusedPieces: readonly (readonly [number, number, string])[] = [",
    ...pieces(plain, fused).map(([from, to, then]) => `  [${from}, ${to}, ${literal(then)}],`),
    "];",
    "",
  ].join("\n");
}

/** A string's expression, in lines. */
function literal(text: string): string {
  const lines = text.match(/.{1,120}/g) ?? [""];
  return lines.length === 1 ? `"${lines[0]}"` : `[\n${lines.map((line) => `  "${line}",`).join("\n")}\n].join("")`;
}

/** `after` as pieces of `before`, from one byte to another, each followed by bytes of its own in hexadecimal digits. */
function pieces(before: Buffer, after: Buffer): [number, number, string][] {
  const LEAST = 12; // bytes that a piece must share to be worth its mention
  const found: [number, number, string][] = [];
  let own = 0; // bytes of after that no piece holds yet, up to `at`
  let [from, to] = [0, 0];
  for (let at = 0; at <= after.length; ) {
    const near = at + LEAST <= after.length ? before.indexOf(after.subarray(at, at + LEAST), to) : -1;
    if (near < 0 && at < after.length) {
      at++;
      continue;
    }
    found.push([from, to, after.toString("hex", own, at)]);
    if (at === after.length) break;
    let length = LEAST;
    while (at + length < after.length && after[at + length] === before[near + length]) length++;
    [from, to] = [near, near + length];
    at += length;
    own = at;
  }
  return found;
}

/** The module with some features of WebAssembly. */
async function compile(features: string): Promise<Buffer> {
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
  return Buffer.from(bytes);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(`${folder}binary.ts`, await compiled());
