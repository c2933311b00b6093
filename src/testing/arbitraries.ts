/**
 * Shapes, seeds and tensors for property tests. This entry point needs fast-check, so it is apart from
 * `hashgrad/testing`: `npm install --save-dev fast-check`.
 * @module testing/arbitraries
 */
import fc from "fast-check";
import {
  checkShape,
  FLOAT32,
  Generator,
  MOST_AXES,
  readCount,
  readList,
  readNumber,
  readOptions,
  type Shape,
  sizeOf,
  type Tensor,
  tensor,
  ValueError,
} from "../tensor/index.ts";

/** The number of axes of a shape, and their lengths. */
export type ShapeOptions = {
  /** The least number of axes (default 0). */
  readonly minAxes?: number;
  /** The largest number of axes (default 4). */
  readonly maxAxes?: number;
  /** The least length (default 1). */
  readonly minLength?: number;
  /** The largest length (default 4). */
  readonly maxLength?: number;
};

/** Returns an arbitrary of shapes. They shrink to fewer and shorter axes. */
export function shapes(options: ShapeOptions = {}): fc.Arbitrary<number[]> {
  return drawnShapes("shapes", options);
}

function drawnShapes(who: string, options: ShapeOptions): fc.Arbitrary<number[]> {
  const known = ["minAxes", "maxAxes", "minLength", "maxLength"] as const;
  const { minAxes = 0, maxAxes = 4, minLength = 1, maxLength = 4 } = readOptions(who, options, known);
  readCount(who, "minAxes", minAxes, 0, MOST_AXES);
  readCount(who, "maxAxes", maxAxes, minAxes, MOST_AXES);
  readCount(who, "minLength", minLength, 0);
  readCount(who, "maxLength", maxLength, minLength);
  return fc.array(fc.integer({ min: minLength, max: maxLength }), { minLength: minAxes, maxLength: maxAxes });
}

/** Returns an arbitrary of seeds for a Generator. */
export function seeds(): fc.Arbitrary<number> {
  return fc.integer({ min: 0, max: 2 ** 31 - 1 });
}

/** The range of numbers. */
export type ValueOptions = {
  /** The least number (default −2). */
  readonly min?: number;
  /** The largest number (default 2). */
  readonly max?: number;
  /** Numbers to avoid, such as kinks (default none). */
  readonly awayFrom?: readonly number[];
  /** The distance from the numbers of `awayFrom` (default 0.05). */
  readonly gap?: number;
  /** The distance between any two numbers, which avoids ties (default 0). */
  readonly distinct?: number;
};

/**
 * Returns an arbitrary of tensors of one shape. The seed of their numbers shrinks. To shrink the shape, use
 * `shapes().chain((shape) => tensors(shape))`.
 * @param shape - the shape of the tensors
 * @example
 * import fc from "fast-check";
 *
 * const anyTensor = shapes({ maxAxes: 2 }).chain((shape) => tensors(shape, { awayFrom: [0] }));
 * fc.assert(fc.property(anyTensor, (x) => checkGradient(relu, [x])));
 */
export function tensors(shape: Shape, options: ValueOptions = {}): fc.Arbitrary<Tensor> {
  checkShape("tensors", shape);
  const values = readValueOptions("tensors", options);
  return seeds().map((seed) => tensor(valuesOf(sizeOf(shape), values, new Generator(seed)), shape));
}

function readValueOptions(who: string, options: ValueOptions): Required<ValueOptions> {
  const known = ["min", "max", "awayFrom", "gap", "distinct"] as const;
  const { min = -2, max = 2, awayFrom = [], gap = 0.05, distinct = 0 } = readOptions(who, options, known);
  readNumber(who, "min", min, FLOAT32);
  readNumber(who, "max", max, { ...FLOAT32, least: min });
  for (const [i, kink] of readList(who, "awayFrom", awayFrom).entries()) readNumber(who, `awayFrom[${i}]`, kink);
  readNumber(who, "gap", gap, { least: 0 });
  readNumber(who, "distinct", distinct, { least: 0 });
  return { min, max, awayFrom, gap, distinct };
}

const TRIES = 1000;

function valuesOf(count: number, { min, max, awayFrom, gap, distinct }: Required<ValueOptions>, random: Generator): Float32Array {
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

/**
 * Returns an arbitrary of two shapes that broadcast with each other. Leading axes may be missing, and lengths may be 1
 * on either side.
 * @example
 * import fc from "fast-check";
 *
 * fc.assert(fc.property(broadcastablePairs(), ([a, b]) => add(zeros(a), zeros(b)).shape.length >= a.length));
 */
export function broadcastablePairs(options: ShapeOptions = {}): fc.Arbitrary<[number[], number[]]> {
  return drawnShapes("broadcastablePairs", options).chain((whole) => {
    const side = fc
      .tuple(fc.nat({ max: whole.length }), fc.array(fc.boolean(), { minLength: whole.length, maxLength: whole.length }))
      .map(([dropped, single]) => whole.map((n, axis) => (single[axis] ? 1 : n)).slice(dropped));
    return fc.tuple(side, side);
  });
}
