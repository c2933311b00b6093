import { kernels } from "../backends/index.ts";
import type { Numbers } from "../kernels/index.ts";
import { walkBack } from "./autograd.ts";
import type { Tensor } from "./tensor.ts";
import type { Source, Watch } from "./watch.ts";

// The search for the first number that is not finite. It walks the recorded graph, so it costs nothing until it is
// called.

/** Where numbers stop being finite. */
export type Fault = {
  /** "op": `op` made them of finite inputs, or NaN of ±∞. "leaf": `tensor` was not made by an op. */
  readonly kind: "op" | "leaf";
  /** The op, or for a leaf the first op that reads it. */
  readonly op: string;
  /**
   * The layer: what precedes the last slash in the name of a variable that the op reads, or of the nearest one before.
   */
  readonly layer: string | null;
  /** Whether the op itself reads a variable of that layer. */
  readonly inLayer: boolean;
  /** What the op made, or the leaf. For a gradient: the tensor that the gradient belongs to. */
  readonly tensor: Tensor;
  /** The numbers that are not finite. */
  readonly numbers: Numbers;
};

/** Whether all numbers are finite. Fast: one sum of squares, in double precision. */
export function areFinite(numbers: Numbers): boolean {
  return Number.isFinite(kernels.sumOfSquares(numbers)) || firstNonFinite(numbers) < 0;
}

/** The index of the first number that is not finite; -1 if there is none. */
export function firstNonFinite(numbers: ArrayLike<number>): number {
  for (let i = 0; i < numbers.length; i++) if (!Number.isFinite(numbers[i]!)) return i;
  return -1;
}

/** How a tensor was made; null for a leaf, and for results of ops that were not recorded or watched. */
export function sourceOf(x: Tensor, watch: Watch | null): Source | null {
  return x.leaf === null ? (x.history ?? watch?.sources.get(x) ?? null) : null;
}

/** x and every tensor that x was made of, oldest first. `follow` says whose inputs are visited. */
function ancestors(x: Tensor, watch: Watch | null, follow: (x: Tensor) => boolean): Tensor[] {
  const found = new Set([x]);
  for (const one of found) if (follow(one)) for (const input of sourceOf(one, watch)?.inputs ?? []) found.add(input);
  const orderOf = (one: Tensor): number => sourceOf(one, watch)?.order ?? -1;
  return [...found].sort((a, b) => orderOf(a) - orderOf(b));
}

/** Whether x was computed from `from`. */
export function dependsOn(x: Tensor, from: Tensor, watch: Watch | null): boolean {
  return ancestors(x, watch, () => true).includes(from);
}

/** The variables that y was computed from, of its recorded history. */
export function trainedLeaves(y: Tensor): Tensor[] {
  return ancestors(y, null, () => true).filter(({ leaf, history }) => leaf !== null && history !== null);
}

/**
 * Tells why y is not finite; null if y is finite. The first of these that exists:
 * - a variable or named input that holds a number that is not finite,
 * - the first op that made such a number of finite inputs,
 * - the first op that made NaN of ±∞,
 * - any leaf.
 *
 * Only tensors on the way to y count: a mask of −∞ that softmax turned into zeros is no fault.
 */
export function firstFault(y: Tensor, watch: Watch | null): Fault | null {
  const verdicts = new Map<Tensor, boolean>();
  const bad = (x: Tensor): boolean => {
    const known = verdicts.get(x);
    if (known !== undefined) return known;
    const verdict = x.lifetime.ended === null && !areFinite(x.numbers);
    verdicts.set(x, verdict);
    return verdict;
  };
  if (!bad(y)) return null;
  const cone = ancestors(y, watch, bad).filter(bad);
  const inputsOf = (x: Tensor): readonly Tensor[] => sourceOf(x, watch)?.inputs ?? [];
  const hasNaN = (x: Tensor): boolean => x.numbers.some(Number.isNaN);
  const isLeaf = (x: Tensor): boolean => sourceOf(x, watch) === null;
  const leaf = cone.find((x) => isLeaf(x) && x.name !== null);
  const made = cone.find((x) => !isLeaf(x) && !inputsOf(x).some(bad));
  const worse = cone.find((x) => !isLeaf(x) && hasNaN(x) && !inputsOf(x).some((input) => bad(input) && hasNaN(input)));
  const found = leaf ?? made ?? worse ?? cone.find(isLeaf) ?? y;
  const reader = isLeaf(found) ? cone.find((x) => inputsOf(x).includes(found)) : found;
  return faultOf(isLeaf(found) ? "leaf" : "op", found, reader ?? found, found.numbers, watch);
}

/**
 * Where the gradient of y stops being finite: the first op, going back, that makes such a gradient of a finite one.
 * Needs the history, so `backward` must have been called with `retain`. Collects no gradient. null if all gradients are
 * finite.
 */
export function firstGradientFault(y: Tensor, watch: Watch | null): Fault | null {
  let fault: Fault | null = null;
  walkBack(y, (x, gradientOf) => {
    for (const input of sourceOf(x, watch)?.inputs ?? []) {
      const gradient = gradientOf(input);
      if (gradient === null || areFinite(gradient)) continue;
      fault = faultOf("op", input, x, gradient, watch);
      return true;
    }
    return false;
  });
  return fault;
}

function faultOf(kind: Fault["kind"], tensor: Tensor, made: Tensor, numbers: Numbers, watch: Watch | null): Fault {
  return { kind, op: sourceOf(made, watch)?.op ?? "an op", ...layerOf(made, watch), tensor, numbers };
}

/** The layer of the op that made x: of a variable that it reads, else of the nearest variable before. */
function layerOf(x: Tensor, watch: Watch | null): { layer: string | null; inLayer: boolean } {
  const seen = new Set<Tensor>();
  let level: readonly Tensor[] = [x];
  for (let depth = 0; level.length > 0; depth++) {
    const next = level.flatMap((one) => sourceOf(one, watch)?.inputs ?? []).filter((one) => !seen.has(one));
    for (const one of next) seen.add(one);
    const name = next.find((one) => one.name !== null)?.name ?? null;
    if (name !== null) return { layer: name.includes("/") ? name.slice(0, name.lastIndexOf("/")) : name, inLayer: depth === 0 };
    level = [...new Set(next)];
  }
  return { layer: null, inLayer: false };
}
