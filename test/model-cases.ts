import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Shape } from "hashgrad";

// The files of test/goldens/models, the numbers that fill their tensors, and the rule of comparison: see README.md
// there.

/** A tensor that a formula fills. */
export type Filled = { readonly name: string; readonly shape: Shape; readonly scale: number; readonly offset: number };
type Tolerances = { readonly eval: number; readonly train: number; readonly norm: number; readonly entry: number };
type Answer = { readonly loss: number; readonly logits: { readonly shape: Shape; readonly data: readonly number[] } };
export type WantedGradient = {
  readonly name: string;
  readonly norm: number;
  readonly at?: readonly number[];
  readonly values?: readonly number[];
  readonly zero?: boolean;
  readonly atol?: number;
  readonly tol?: { readonly norm?: number; readonly entry?: number };
};
export type WantedStatistics = {
  readonly name: string;
  readonly meanRms: number;
  readonly biasedVarRms: number;
  readonly at: readonly number[];
  readonly mean: readonly number[];
  readonly biasedVar: readonly number[];
};
export type ModelRun = {
  readonly id: string;
  readonly options?: { readonly shortcutZeros?: "around" | "after" };
  readonly image: Filled;
  readonly labels: readonly number[];
  readonly tol: Tolerances;
  readonly eval: Answer;
  readonly train: Answer & {
    readonly statistics: readonly WantedStatistics[];
    readonly gradients: readonly WantedGradient[];
    readonly imageGradient: Omit<WantedGradient, "name">;
  };
};
type ModelParameter = Filled & {
  readonly count: number;
  readonly kind: string;
  readonly begin?: number;
  readonly libraryShape?: Shape;
};
export type ModelFile = {
  readonly model: { readonly name: string; readonly classes: number; readonly width: number };
  readonly count: number;
  readonly pool?: { readonly size: number; readonly fraction: number; readonly left: Filled; readonly right: Filled };
  readonly trainedCount?: number;
  readonly parameters: readonly ModelParameter[];
  readonly statistics: readonly Filled[];
  readonly sha256: string;
  readonly kernels?: readonly { name: string; rms: number; libraryIndex: readonly number[]; values: readonly number[] }[];
  readonly runs: readonly ModelRun[];
};

export function readModelFile<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`./goldens/models/${name}.json`, import.meta.url), "utf8")) as T;
}

function fnv1a(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  return h;
}

function fmix32(x: number): number {
  let h = x ^ (x >>> 16);
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/** A tensor's numbers, row-major in the file's own layout. */
export function fill({ name, shape, scale, offset }: Filled): Float32Array {
  const [seed, y] = [fnv1a(name), new Float32Array(shape.reduce((a, b) => a * b, 1))];
  for (let i = 0; i < y.length; i++) y[i] = offset + scale * ((fmix32((fmix32(i) + seed) | 0) >>> 8) * 2 ** -23 - 1);
  return y;
}

export function sha256(arrays: readonly Float32Array[]): string {
  const hash = createHash("sha256");
  for (const array of arrays) hash.update(new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
  return hash.digest("hex");
}

/**
 * Where element i of PyTorch's [out, in, kh, kw], [out, in] or [n] lies in [kh, kw, in, out], [in, out] or [n];
 * depthwise kernels too.
 */
export function libraryIndex([outputs = 1, inputs = 1, height = 1, width = 1]: Shape): (i: number) => number {
  return (i) => {
    const [pixel, input] = [i % (height * width), Math.floor(i / (height * width)) % inputs];
    return (pixel * inputs + input) * outputs + Math.floor(i / (height * width * inputs));
  };
}

/** PyTorch's numbers in the layout of this library. */
export function toLibrary(shape: Shape, values: Float32Array): Float32Array {
  const [y, at] = [new Float32Array(values.length), libraryIndex(shape)];
  for (let i = 0; i < y.length; i++) y[at(i)] = values[i]!;
  return y;
}

export const rmsOf = (x: ArrayLike<number>): number => normOf(x) / Math.sqrt(x.length);

export function normOf(x: ArrayLike<number>): number {
  let total = 0;
  for (let i = 0; i < x.length; i++) total += x[i]! ** 2;
  return Math.sqrt(total);
}

/** One line for each number that is further from the wanted one than r·(|wanted| + size). */
export function misses(what: string, got: ArrayLike<number>, want: ArrayLike<number>, r: number, size: number): string[] {
  return Array.from(want, (y, i) => {
    const x = got[i]!;
    return Math.abs(x - y) <= r * (Math.abs(y) + size) ? [] : [`${what}[${i}] is ${x}, want ${y}`];
  }).flat();
}
