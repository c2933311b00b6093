// Shapes, seeds and tensors for property tests. The entry point `hashgrad/testing/arbitraries`, apart from gradient checks, because it needs
// fast-check: `npm install --save-dev fast-check`.
import fc from "fast-check";
import { Generator, type Shape, sizeOf, type Tensor, tensor, ValueError } from "../tensor/index.ts";

/** How many axes shapes have (0 to 4) and how long these are (1 to 4). */
export type ShapeOptions = {
  readonly minAxes?: number;
  readonly maxAxes?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
};

/** Shapes; they shrink to fewer and shorter axes. */
export function shapes({ minAxes = 0, maxAxes = 4, minLength = 1, maxLength = 4 }: ShapeOptions = {}): fc.Arbitrary<number[]> {
  return fc.array(fc.integer({ min: minLength, max: maxLength }), { minLength: minAxes, maxLength: maxAxes });
}

/** Seeds for a Generator. */
export function seeds(): fc.Arbitrary<number> {
  return fc.integer({ min: 0, max: 2 ** 31 - 1 });
}

/**
 * Numbers of at least `min` (−2) and at most `max` (2), none nearer than `gap` (0.05) to a number of `awayFrom`, no two nearer to each other
 * than `distinct` (0): away from kinks and ties.
 */
export type ValueOptions = {
  readonly min?: number;
  readonly max?: number;
  readonly awayFrom?: readonly number[];
  readonly gap?: number;
  readonly distinct?: number;
};

/**
 * Tensors of one shape. Their numbers come from a seed, which is what shrinks; let the shape shrink by
 * `shapes().chain((shape) => tensors(shape))`.
 */
export function tensors(shape: Shape, options: ValueOptions = {}): fc.Arbitrary<Tensor> {
  return seeds().map((seed) => tensor(valuesOf(sizeOf(shape), options, new Generator(seed)), shape));
}

const TRIES = 1000;

function valuesOf(
  count: number,
  { min = -2, max = 2, awayFrom = [], gap = 0.05, distinct = 0 }: ValueOptions,
  random: Generator,
): Float32Array {
  // Distinct numbers are drawn from slots side by side, one each; the end of a slot stays free.
  const slot = distinct > 0 ? (max - min) / count : max - min;
  const order = distinct > 0 ? random.permutation(count) : null;
  if (slot < distinct) throw new ValueError("tensors", `${count} numbers from ${min} to ${max} cannot be ${distinct} apart`);
  return Float32Array.from({ length: count }, (_, i) => {
    for (let tries = 0; tries < TRIES; tries++) {
      const v = min + slot * (order?.[i] ?? 0) + (slot - distinct) * random.uniform();
      if (awayFrom.every((kink) => Math.abs(v - kink) >= gap)) return v;
    }
    throw new ValueError("tensors", `awayFrom [${awayFrom.join(", ")}] with gap ${gap} leaves no number from ${min} to ${max}`);
  });
}

/** Two shapes that broadcast against each other: axes in front may be missing, lengths may be 1 on either side. */
export function broadcastablePairs(options: ShapeOptions = {}): fc.Arbitrary<[number[], number[]]> {
  return shapes(options).chain((whole) => {
    const side = fc
      .tuple(fc.nat({ max: whole.length }), fc.array(fc.boolean(), { minLength: whole.length, maxLength: whole.length }))
      .map(([dropped, single]) => whole.map((n, axis) => (single[axis] ? 1 : n)).slice(dropped));
    return fc.tuple(side, side);
  });
}
