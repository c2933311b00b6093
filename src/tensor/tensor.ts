import {
  alloc,
  type Bounds,
  describe,
  FLOAT32,
  isTypedArray,
  type Lifetime,
  lasting,
  lifetimeNow,
  type Numbers,
  RecycledError,
  readNumber,
  ShapeError,
  TENSOR_BRAND,
  ValueError,
} from "../kernels/index.ts";
import { checkShape, MOST_AXES, MOST_NUMBERS, type Shape, sameShape, show, sizeOf } from "./shape.ts";

/** Gives a pullback the buffer of the gradient of an input x, if x needs a gradient. */
export interface Into {
  /**
   * Calls `write(dx, accumulate)`, which overwrites every element of dx, or adds to every element if `accumulate`.
   * @param x - an input of the op
   * @param write - writes dx
   */
  (x: Tensor, write: (dx: Numbers, accumulate: boolean) => void): void;
  /**
   * Calls `write(dx)`, which adds to some elements of dx. The other elements hold earlier contributions or zeros.
   * @param x - an input of the op
   * @param write - adds to dx
   */
  partly(x: Tensor, write: (dx: Numbers) => void): void;
  /**
   * Adds dy to dx element by element. Call it last: if dy is the first contribution and x is not a leaf, dy becomes the
   * gradient of x without a copy, so later contributions change dy.
   * @param x - an input of the op
   * @param dy - the argument of the pullback
   */
  same(x: Tensor, dy: Numbers): void;
}

/**
 * The gradient of an op: from dy, writes the gradients of its inputs. dy is valid during the call only: later gradients
 * reuse its memory.
 */
export type Pullback = (dy: Numbers, into: Into) => void;

/** The recorded attributes of an op, for exporters. */
export type Attributes = Readonly<Record<string, unknown>>;

/**
 * How a tensor was made. `variable()` gives a leaf a history without inputs and pullback. Gradients stop at a leaf and
 * stay there.
 */
export type History = {
  readonly order: number;
  readonly op: string;
  readonly attributes: Attributes;
  inputs: readonly Tensor[];
  /** null for a leaf, and once `backward` has used it. */
  pullback: Pullback | null;
  /** The versions of the inputs, added up, when the op ran. */
  readonly versions: number;
  /** Several graphs read it: a walk leaves it as it is. */
  shared: boolean;
  gradient: Numbers | null;
  seen: number;
};

/** The lasting gradient of a leaf: a buffer, and whether it holds anything. */
export type LeafGradient = { buffer: Numbers | null; filled: boolean };

/**
 * A shape, float32 numbers in row-major order, and the history of their computation. `tensor`, `zeros`, … and ops make
 * tensors. The numbers of a tensor never change, except those of a variable by `assign` and optimizers.
 * @example
 * const x = tensor([[1, 2], [3, 4]]);
 * console.log(x.shape, x.size, x.toNested()); //=> [ 2, 2 ] 4 [ [ 1, 2 ], [ 3, 4 ] ]
 */
export class Tensor {
  readonly shape: Shape;
  readonly size: number;
  /** @internal */ readonly numbers: Numbers;
  /** @internal */ lifetime: Lifetime;
  /** @internal */ history: History | null = null;
  /** @internal */ leaf: LeafGradient | null = null;
  /** @internal The name of the variable whose numbers these are. */ name: string | null = null;

  /** @internal Tensors are made by `tensor()`, `zeros()` and ops. */
  constructor(shape: Shape, numbers: Numbers, lifetime: Lifetime) {
    this.shape = shape;
    this.size = numbers.length;
    this.numbers = numbers;
    this.lifetime = lifetime;
  }

  /**
   * A view of the numbers. If a step made the tensor, it is valid until the next step begins; use `toArray()` for a
   * lasting copy.
   * @throws RecycledError if the memory is in use again.
   */
  get data(): Numbers {
    if (this.lifetime.ended !== null) {
      const made = this.history === null ? "a tensor" : `the result of ${this.history.op}`;
      throw new RecycledError(made, `${show(this.shape)} cannot be read: ${this.lifetime.ended}`);
    }
    return this.numbers;
  }

  /** The number of changes of the numbers; 0 unless this is a variable or a view of a variable. */
  get version(): number {
    return this.lifetime.version;
  }

  /** Whether gradients flow to this tensor. */
  get tracked(): boolean {
    return this.history !== null;
  }

  /** A copy of the gradient that `backward` added up for this variable; null if there is none. */
  get grad(): Tensor | null {
    if (this.leaf === null || !this.leaf.filled) return null;
    return new Tensor(this.shape, this.leaf.buffer!.slice(), lasting());
  }

  /** Returns a copy of the numbers in row-major order. */
  toArray(): Float32Array {
    return new Float32Array(this.data);
  }

  /**
   * Returns the number of a tensor of size 1.
   * @throws ShapeError if the tensor has another size.
   */
  item(): number {
    if (this.size !== 1)
      throw new ShapeError("item", `x ${show(this.shape)} has ${this.size} elements, need exactly 1; use toArray()`);
    return this.data[0]!;
  }

  /** Returns the numbers as nested lists, which `tensor()` accepts. */
  toNested(): Nested {
    const build = (axis: number, at: number): Nested => {
      if (axis === this.shape.length) return this.data[at]!;
      const step = sizeOf(this.shape.slice(axis + 1));
      return Array.from({ length: this.shape[axis]! }, (_, i) => build(axis + 1, at + i * step));
    };
    return build(0, 0);
  }

  toString(): string {
    if (this.lifetime.ended !== null) return `Tensor ${show(this.shape)} (recycled)`;
    const few = Array.from(this.numbers.subarray(0, 6), (v) => Number(v.toPrecision(4)));
    return `Tensor ${show(this.shape)} ${few.join(" ")}${this.size > 6 ? " …" : ""}`;
  }
}

/** Other copies of the library recognize a tensor of this one by this key, and refuse it. */
Object.defineProperty(Tensor.prototype, TENSOR_BRAND, { value: true });

/** What `console.log` shows in Node. */
Object.defineProperty(Tensor.prototype, Symbol.for("nodejs.util.inspect.custom"), {
  value(this: Tensor): string {
    return this.toString();
  },
});

/** A number or nested lists of numbers. */
export type Nested = number | readonly Nested[];

/** The values that `tensor()` accepts. */
export type TensorLike = Nested | Float32Array | Float64Array | Int32Array | Uint8Array;

/** A tensor around numbers that were just written to memory from `alloc`. */
export function fresh(shape: Shape, numbers: Numbers): Tensor {
  return new Tensor(shape, numbers, lifetimeNow());
}

/**
 * Returns a tensor from nested lists, or from a flat array and a shape. The numbers are copied to float32.
 * @param values - a number, nested lists, or a typed array in row-major order
 * @param shape - the shape of a flat array (default: the shape of the lists)
 * @throws ShapeError if lists differ in length, are nested too deep, or the shape does not hold the numbers.
 * @example
 * console.log(tensor([[1, 2], [3, 4]])); //=> Tensor [2, 2] 1 2 3 4
 * console.log(tensor(new Float32Array([1, 2, 3, 4]), [2, 2])); //=> Tensor [2, 2] 1 2 3 4
 */
export function tensor(values: TensorLike, shape?: Shape): Tensor {
  const flat: number[] = [];
  const source = isTypedArray(values) ? values : flat;
  const found = isTypedArray(values) ? [values.length] : flatten(values, flat, 0);
  if (shape !== undefined) checkShape("tensor", shape);
  const wanted = shape ?? found;
  if (sizeOf(wanted) !== source.length) {
    throw new ShapeError("tensor", `${source.length} numbers do not fill shape ${show(wanted)}, which holds ${sizeOf(wanted)}`);
  }
  const numbers = alloc(source.length);
  numbers.set(source);
  return fresh([...wanted], numbers);
}

/**
 * Appends the numbers of nested lists to `flat` and returns their shape. The depth is bounded, so a cycle of lists ends
 * in an error.
 */
function flatten(values: Nested, flat: number[], depth: number): number[] {
  if (typeof values === "number") {
    flat.push(values);
    return [];
  }
  if (!Array.isArray(values))
    throw new ValueError("tensor", `values must be numbers or lists of numbers, got ${describe(values)}`);
  if (depth === MOST_AXES)
    throw new ShapeError(
      "tensor",
      `lists are nested deeper than ${MOST_AXES}, the most axes of a tensor; is a list inside itself?`,
    );
  let inner: number[] | null = null;
  for (const value of values as readonly Nested[]) {
    const shape = flatten(value, flat, depth + 1);
    if (inner !== null && !sameShape(inner, shape)) {
      throw new ShapeError("tensor", `lists side by side must have the same shape, found ${show(inner)} beside ${show(shape)}`);
    }
    inner ??= shape;
  }
  return [values.length, ...(inner ?? [])];
}

/**
 * Returns a tensor with all elements equal to `value`.
 * @param shape - the shape of the result
 * @param value - the number
 */
export const full = (shape: Shape, value: number): Tensor => filled("full", shape, readNumber("full", "value", value, ANY));
/**
 * Returns a tensor of zeros.
 * @param shape - the shape of the result
 */
export const zeros = (shape: Shape): Tensor => filled("zeros", shape, 0);
/**
 * Returns a tensor of ones.
 * @param shape - the shape of the result
 */
export const ones = (shape: Shape): Tensor => filled("ones", shape, 1);

const ANY: Bounds = { nan: true };

function filled(who: string, shape: Shape, value: number): Tensor {
  checkShape(who, shape);
  return fresh([...shape], alloc(sizeOf(shape)).fill(value));
}

/**
 * Returns the vector of the numbers begin, begin + step, … before `end`. Omits numbers that float32 rounds to `end` or
 * beyond. A negative step counts down.
 * @param begin - the first number
 * @param end - the exclusive end
 * @param step - the difference of neighbors (default 1)
 * @example
 * console.log(range(0, 1, 0.25)); //=> Tensor [4] 0 0.25 0.5 0.75
 */
export function range(begin: number, end: number, step = 1): Tensor {
  readNumber("range", "begin", begin, FLOAT32);
  readNumber("range", "end", end, FLOAT32);
  if (readNumber("range", "step", step) === 0) throw new ValueError("range", "step must be a number other than 0, got 0");
  const stop = Math.fround(end);
  const isBefore = (i: number): boolean =>
    step > 0 ? Math.fround(begin + i * step) < stop : Math.fround(begin + i * step) > stop;
  let length = Math.max(0, Math.ceil((end - begin) / step));
  if (!(length < MOST_NUMBERS))
    throw new ValueError("range", `step ${step} from ${begin} to ${end} makes ${length} numbers, a tensor has fewer than 2^32`);
  while (length > 0 && !isBefore(length - 1)) length--;
  const numbers = alloc(length);
  for (let i = 0; i < length; i++) numbers[i] = begin + i * step;
  return fresh([length], numbers);
}
