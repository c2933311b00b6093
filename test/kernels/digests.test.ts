import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { expect, test } from "vitest";
import { blocked } from "../../src/backends/index.ts";
import { canFuse, type WasmBackend, wasmBackend } from "../../src/backends/wasm/backend.ts";
import { type Kernels, signatures } from "../../src/kernels/index.ts";
import * as reference from "../../src/kernels/reference.ts";
import { argumentsOf, drawOf } from "./cases.ts";

// Digests of kernels' results, recorded: a change of their code that is meant to leave every bit alone is held to that.
// New kernels pass. UPDATE_DIGESTS=1 records them anew; a commit that does so says which kernels compute other numbers,
// and why.

const file = new URL("digests.json", import.meta.url);
type Digests = Readonly<Record<string, Readonly<Record<string, string>>>>;
const recorded: Digests = existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Digests) : {};
const names = Object.keys(signatures) as (keyof Kernels)[];

/** Rows and columns around the edges of blocks, tiles and parts, and of work that is worth a call. */
const SIZES = [
  [1, 1],
  [3, 5],
  [4, 63],
  [5, 52],
  [8, 32],
  [9, 45],
  [31, 9],
  [33, 64],
  [16, 300],
  [121, 33],
  [130, 129],
  [301, 40],
] as const;

/** A digest of everything that a kernel wrote or returned, over all sizes, written over and added to. */
function digestOf(table: Kernels, name: keyof Kernels): string {
  const hash = createHash("sha256");
  for (const [i, [rows, columns]] of SIZES.entries()) {
    for (const accumulate of [false, true]) {
      const args = argumentsOf(name, drawOf(i, false), rows, columns, accumulate);
      const result = (table[name] as (...args: readonly unknown[]) => unknown)(...args);
      for (const arg of [...args, ...(ArrayBuffer.isView(args[0]) ? [] : Object.values(args[0] as object))])
        if (ArrayBuffer.isView(arg)) hash.update(new Uint8Array(arg.buffer, arg.byteOffset, arg.byteLength));
      if (typeof result === "number") hash.update(String(result));
    }
  }
  return hash.digest("hex").slice(0, 16);
}

const digestsOf = (table: Partial<Kernels>): Record<string, string> =>
  Object.fromEntries(names.map((name) => [name, digestOf({ ...reference, ...table }, name)]));

/** A busy machine takes a while. */
const MINUTES = 120_000;

const found: Record<string, Record<string, string>> = {};
function check(variant: string, digests: Record<string, string>): void {
  found[variant] = digests;
  if (process.env.UPDATE_DIGESTS === "1") return writeFileSync(file, `${JSON.stringify({ ...recorded, ...found }, null, 1)}\n`);
  const known = recorded[variant] ?? {};
  expect(Object.fromEntries(Object.keys(known).map((name) => [name, digests[name]]))).toEqual(known);
}

test(
  "the plain kernels give the recorded bits",
  () => {
    const digests = digestsOf(blocked);
    // Math.exp and its like differ between versions of V8.
    const [v8] = process.versions.v8.split(".");
    if (recorded.plain === undefined || recorded.plain.v8 === v8 || process.env.UPDATE_DIGESTS === "1")
      check("plain", { v8: v8!, ...digests });
  },
  MINUTES,
);

const withThreads = (wasm: WasmBackend, variant: string): void => {
  const [one, ...more] = [1, 2, 3].map((threads) => {
    wasm.setThreads(threads);
    return digestsOf(wasm.kernels);
  });
  for (const other of more) expect(other).toEqual(one);
  check(variant, one!);
};

test(
  "the kernels in WebAssembly give the recorded bits with 1, 2 and 3 threads",
  () => {
    withThreads(wasmBackend(), "wasm");
  },
  MINUTES,
);

if (!canFuse()) setFlagsFromString("--experimental-wasm-relaxed-simd"); // Node 20 has fused multiply-add behind a flag
test.runIf(canFuse())(
  "the kernels with fused multiply-add give the recorded bits with 1, 2 and 3 threads",
  () => {
    withThreads(wasmBackend({ fused: true }), "fused");
  },
  MINUTES,
);
