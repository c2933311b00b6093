import { describe, readList, ShapeError, ValueError } from "../kernels/index.ts";

/** The lengths of a tensor's axes; a scalar has none. */
export type Shape = readonly number[];

/** How many elements a shape holds: the product of its lengths, 1 for a scalar. */
export function sizeOf(shape: Shape): number {
  let size = 1;
  for (const length of shape) size *= length;
  return size;
}

/** How shapes look in messages: `[2, 3]`. */
export function show(shape: Shape): string {
  return `[${shape.join(", ")}]`;
}

export function sameShape(a: Shape, b: Shape): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** The distance of neighbors along each axis in a row-major array. */
export function stridesOf(shape: Shape): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= shape[axis]!;
  }
  return strides;
}

/** A tensor has fewer numbers than this: 16 GiB of float32. */
export const MOST_NUMBERS: number = 2 ** 32;

/** The largest number of axes of a tensor, as in NumPy and PyTorch. */
export const MOST_AXES: number = 64;

/**
 * Throws unless every length is a whole number of at least 0, and a tensor of this shape can exist. Holes are refused.
 */
export function checkShape(who: string, shape: Shape): void {
  checkLengths(who, shape);
  checkSize(who, shape);
}

/**
 * Throws unless a shape is a list of whole numbers of at least 0 whose product is a safe integer: virtual weights need
 * no memory.
 */
export function checkLengths(who: string, shape: Shape): void {
  if (!Array.isArray(shape))
    throw new ShapeError(who, `a shape is a list of whole numbers of at least 0, got ${describe(shape)}`);
  if (shape.length > MOST_AXES)
    throw new ShapeError(who, `a tensor has at most ${MOST_AXES} axes, got a shape of ${shape.length} lengths`);
  for (let axis = 0; axis < shape.length; axis++) {
    const length: unknown = shape[axis];
    if (!(typeof length === "number" && Number.isSafeInteger(length) && length >= 0)) {
      throw new ShapeError(
        who,
        `a shape is a list of whole numbers of at least 0, got [${Array.from(shape, describe).join(", ")}]`,
      );
    }
  }
  if (!Number.isSafeInteger(sizeOf(shape)))
    throw new ShapeError(who, `shape ${show(shape)} is too large: need fewer than 2^53 numbers`);
}

/** Throws unless a tensor of this shape can exist: each length and the number of elements below 2³². */
export function checkSize(who: string, shape: Shape): void {
  const size = sizeOf(shape);
  if (!(size < MOST_NUMBERS) || shape.some((length) => length >= MOST_NUMBERS))
    throw new ShapeError(who, `shape ${show(shape)} is too large: a tensor has fewer than 2^32 numbers`);
}

/** The axis as a number from 0; negative ones count from the end. */
export function axisOf(who: string, axis: number, shape: Shape): number {
  if (typeof axis !== "number") throw new ShapeError(who, `axis must be a whole number, got ${describe(axis)}`);
  const found = axis < 0 ? axis + shape.length : axis;
  if (!Number.isInteger(axis) || found < 0 || found >= shape.length) {
    const range = shape.length === 0 ? "a scalar has no axes" : `axes go from ${-shape.length} to ${shape.length - 1}`;
    throw new ShapeError(who, `axis ${axis} does not exist in x ${show(shape)}: ${range}`);
  }
  return found;
}

/** The argument `axis` of a reduction as sorted numbers from 0, each once; all axes if it is left out. */
export function axesOf(who: string, axis: number | readonly number[] | undefined, shape: Shape): number[] {
  if (axis === undefined) return shape.map((_, i) => i);
  if (typeof axis !== "number" && !Array.isArray(axis))
    throw new ValueError(who, `axis must be a whole number or a list of them, got ${describe(axis)}; options come after axis`);
  const found = (typeof axis === "number" ? [axis] : readList(who, "axis", axis)).map((i) => axisOf(who, i, shape));
  if (new Set(found).size !== found.length) throw new ShapeError(who, `axis ${show(found)} of x ${show(shape)}: each axis once`);
  return found.sort((a, b) => a - b);
}

/** The shape two shapes broadcast to, as in NumPy: aligned at the end, lengths equal or 1. */
export function broadcastShapes(who: string, a: Shape, b: Shape): Shape {
  if (sameShape(a, b)) return a;
  const axes = Math.max(a.length, b.length);
  const shape = new Array<number>(axes);
  for (let i = 1; i <= axes; i++) {
    const [x, y] = [a[a.length - i] ?? 1, b[b.length - i] ?? 1];
    if (x !== y && x !== 1 && y !== 1) {
      throw new ShapeError(
        who,
        `a ${show(a)} and b ${show(b)}: lengths must be equal or 1, counted from the last axis; ${x} is not ${y}`,
      );
    }
    shape[axes - i] = x === 1 ? y : x;
  }
  return shape;
}
