// Compiles assembly/*.ts to WebAssembly and writes the bytes as text into binary.ts beside it, so that the library is
// one piece of JavaScript. A test compiles again and compares.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import asc from "assemblyscript/asc";

const folder = fileURLToPath(new URL("./", import.meta.url));
const flags = [
  ["-O3", "--converge", "--noAssert"],
  ["--runtime", "stub"],
  ["--memoryBase", "32768"],
  ["--importMemory", "--sharedMemory", "--initialMemory", "1", "--maximumMemory", "65536"],
].flat();

/** The text of binary.ts for the present sources. */
export async function compiled(): Promise<string> {
  const plain = await compile("simd,threads");
  const fused = await compile("simd,threads,relaxed-simd");
  return [
    "// Written by `npm run build:wasm` from assembly/*.ts. Do not edit.",
    "",
    "/** The WebAssembly module, as `decoded` reads it. */",
    `export const binary: string = ${text(plain)};`,
    "",
    "/**",
    " * A patch that turns `binary` into the module with fused multiply-add (relaxed SIMD), see `patched` in backend.ts. A second complete",
    " * module would add 24 kB to the gzipped library.",
    " */",
    `export const fusedPatch: string = ${text(patchOf(plain, fused))};`,
    "",
  ].join("\n");
}

/**
 * Bytes as the text of an expression. Lines are long: with lines of 120 characters, their ends would cost 2.6 kB after
 * gzip.
 *
 * The characters from "#" to "~" are 92 digits, with "!" for the backslash. The 90 bytes from 252 to 85, the most
 * frequent in a module, are one digit each. All others are two digits, and the first of the two is at least 90. After
 * gzip the text is 12 % smaller than hexadecimal digits, and 28 % smaller than base64, in which repeated bytes look
 * different.
 */
function text(bytes: Uint8Array): string {
  const digit = (value: number): string => (value === 57 ? "!" : String.fromCharCode(35 + value));
  const characters = Array.from(bytes, (byte) => {
    const rank = (byte + 4) & 255;
    return rank < 90 ? digit(rank) : digit(90 + Math.floor((rank - 90) / 92)) + digit((rank - 90) % 92);
  });
  const lines = characters.join("").match(/.{1,4096}/g) ?? [];
  return `[\n${lines.map((line) => `  "${line}",`).join("\n")}\n].join("")`;
}

/** The shortest run that the patch copies. A shorter run costs about as much as its bytes. */
const LEAST_RUN = 8;

/**
 * Returns a patch that turns `from` into `to`. The patch is the length of `to`, then a list of entries. An entry is a
 * count of new bytes, the bytes, and length and offset of a run to copy from `from`. Numbers are LEB128. `patched` in
 * backend.ts applies it. The two modules differ in their multiply-add instructions only, so the patch is a fraction of
 * a module.
 */
function patchOf(from: Uint8Array, to: Uint8Array): Uint8Array {
  const key = (x: Uint8Array, at: number): string => x.subarray(at, at + LEAST_RUN).toString();
  const places = new Map<string, number[]>();
  for (let i = 0; i + LEAST_RUN <= from.length; i++) places.set(key(from, i), [...(places.get(key(from, i)) ?? []), i]);
  const same = (i: number, at: number): number => {
    let n = 0;
    while (at + n < to.length && i + n < from.length && from[i + n] === to[at + n]) n++;
    return n;
  };
  const patch: number[] = [];
  const push = (n: number): void => {
    for (; n > 127; n = Math.floor(n / 128)) patch.push((n % 128) + 128);
    patch.push(n);
  };
  push(to.length);
  let [at, fresh] = [0, 0]; // to[fresh … at-1] is not in `from`
  const piece = (begin: number, length: number): void => {
    push(at - fresh);
    patch.push(...to.subarray(fresh, at));
    push(length);
    push(begin);
    at += length;
    fresh = at;
  };
  while (at < to.length) {
    let [begin, length] = [0, 0];
    for (const i of places.get(key(to, at)) ?? []) {
      const n = same(i, at);
      if (n > length) [begin, length] = [i, n];
    }
    if (length >= LEAST_RUN) piece(begin, length);
    else at++;
  }
  piece(0, 0);
  return Uint8Array.from(patch);
}

/** The module with some features of WebAssembly. */
async function compile(features: string): Promise<Uint8Array> {
  const written: Uint8Array[] = [];
  const { error, stderr } = await asc.main(["index.ts", "--outFile", "kernels.wasm", "--enable", features, ...flags], {
    readFile: (name: string) => {
      try {
        return readFileSync(`${folder}assembly/${name}`, "utf8");
      } catch {
        return null; // the compiler asks for several spellings of a module's name
      }
    },
    writeFile: (_name: string, contents: string | Uint8Array) => {
      if (typeof contents !== "string") written.push(contents);
    },
    listFiles: () => [],
  });
  const [bytes] = written;
  if (error !== null || bytes === undefined) throw new Error(`asc failed: ${error?.message}\n${stderr.toString()}`);
  return bytes;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(`${folder}binary.ts`, await compiled());
