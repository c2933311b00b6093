import { setFlagsFromString } from "node:v8";
import { blocked } from "../../src/backends/index.ts";
import { canFuse, wasmBackend } from "../../src/backends/wasm/backend.ts";
import type { Kernels, Numbers } from "../../src/kernels/index.ts";
import * as reference from "../../src/kernels/reference.ts";
import { Generator } from "../../src/tensor/index.ts";
import { betweenCanaries } from "./canaries.ts";

const wasm = wasmBackend();
const heap = wasm.slabs.take(1 << 22);
let used = 0;

/** A copy of x in WebAssembly memory, where kernels read it in place, aligned to 4 bytes and no more. */
function inPlace(x: Numbers): Numbers {
  if (used + x.length > heap.length) used = 0;
  const at = used;
  used += x.length;
  const copy = heap.subarray(at, at + x.length);
  copy.set(x);
  return copy;
}

/** A table of fast kernels, where its arrays lie, and into how many float32 roundings it splits a sum of k products. */
export type Table = {
  readonly fast: Partial<Kernels>;
  readonly place: (x: Numbers) => Numbers;
  readonly roundings: (k: number) => number;
  readonly setThreads?: (count: number) => void;
};

const plain = { fast: blocked, place: (x: Numbers): Numbers => x, roundings: (k: number): number => Math.ceil(k / 256) };
const simd = { fast: wasm.kernels, setThreads: wasm.setThreads, roundings: (k: number): number => k + 1 };

// Node.js 20 has fused multiply-add behind a flag, newer versions without.
if (!canFuse()) setFlagsFromString("--experimental-wasm-relaxed-simd");
/** The module with fused multiply-add. null if the processor rounds twice. */
export const fused: Omit<Table, "place"> | null = canFuse() ? withFused() : null;

function withFused(): Omit<Table, "place"> {
  const { kernels: fast, setThreads } = wasmBackend({ fused: true });
  return { ...simd, fast, setThreads };
}

/** The tables of the project "canaries": see vitest.config.ts. */
const guarded: readonly (readonly [string, Table])[] = [
  ["WebAssembly between canaries, arrays copied", { ...simd, ...betweenCanaries(false) }],
  ["WebAssembly between canaries, arrays in place", { ...simd, ...betweenCanaries(true) }],
];

const ordinary: readonly (readonly [string, Table])[] = [
  ["blocked", plain],
  ["WebAssembly, arrays copied", { ...simd, place: (x) => x }],
  ["WebAssembly, arrays in place", { ...simd, place: inPlace }],
  ...(fused === null ? [] : [["WebAssembly with fused multiply-add", { ...fused, place: (x: Numbers) => x }] as const]),
];

export const tables: readonly (readonly [string, Table])[] = process.env.HASHGRAD_CANARIES === "1" ? guarded : ordinary;

/** Arrays of whole numbers from −8 to 8, the sums of whose products are exact in float32 in any order. */
export function wholeNumbers(seed: number): (length: number) => Numbers {
  const random = new Generator(seed);
  return (length) => Float32Array.from({ length }, () => random.below(17) - 8);
}

export function reals(seed: number): (length: number) => Numbers {
  const random = new Generator(seed);
  return (length) => Float32Array.from({ length }, () => random.normal());
}

const bits = (x: number): number => {
  const [i] = new Int32Array(Float32Array.of(x).buffer);
  return i! < 0 ? -(i! & 0x7fffffff) : i!;
};

/**
 * Whether both are NaN, or both the same infinity or zero, or differ by at most `ulps` units in the last place or by
 * `slack`.
 */
export function isNear(got: number, want: number, ulps: number, slack: number): boolean {
  if (Object.is(got, want)) return true;
  if (ulps === 0 && slack === 0) return false;
  return Math.abs(bits(got) - bits(want)) <= ulps || Math.abs(got - want) <= slack;
}

/** Where two arrays first differ, −1 where they are the same bit for bit. */
export function firstDifference(a: Numbers, b: Numbers): number {
  const [x, y] = [a, b].map((v) => new Uint32Array(v.buffer, v.byteOffset, v.length));
  return x!.findIndex((bits, i) => bits !== y![i]);
}

export const abs = (x: Numbers): Numbers => x.map(Math.abs);

/** One kernel of a table, or the plain kernel if the table has none. */
export function kernelOf<K extends keyof Kernels>(table: Partial<Kernels>, name: K): Kernels[K] {
  const all: Kernels = { ...reference, ...table };
  return all[name];
}
