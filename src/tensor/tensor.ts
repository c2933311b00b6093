import {
  alloc,
  type Lifetime,
  lasting,
  lifetimeNow,
  type Numbers,
  RecycledError,
  ShapeError,
  TENSOR_BRAND,
  ValueError,
} from "../kernels/index.ts";
import { checkShape, type Shape, show, sizeOf } from "./shape.ts";

/** Where a gradient goes: asks for the buffer of x's gradient, if anyone wants it. */
export interface Into {
  /** `write(dx, accumulate)` writes every element of dx, or adds to every element when `accumulate`. */
  (x: Tensor, write: (dx: Numbers, accumulate: boolean) => void): void;
  /** `write(dx)` adds to some elements only; the rest of dx holds what was there before, or zeros. */
  partly(x: Tensor, write: (dx: Numbers) => void): void;
  /** dx (+)= dy, number by number, where `dy` is what the pullback was given: no copy where it is the first gradient of x. */
  same(x: Tensor, dy: Numbers): void;
}

/** An op's gradient: given dy, pushes into the gradients of its inputs. */
export type Pullback = (dy: Numbers, into: Into) => void;

/** What an op says of itself besides numbers; an exporter reads it. */
export type Attributes = Readonly<Record<string, unknown>>;

/** How a tensor was made. A leaf was not made by an op: gradients stop there and stay. */
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
 * A shape, float32 numbers in row-major order, and how they were made. Made by `tensor`, `zeros`, … and by ops; a tensor's numbers
 * never change, except a leaf's through `assign` and optimizers.
 */
export class Tensor {
  readonly shape: Shape;
  readonly size: number;
  /** @internal */ readonly numbers: Numbers;
  /** @internal */ readonly lifetime: Lifetime;
  /** @internal */ history: History | null = null;
  /** @internal */ leaf: LeafGradient | null = null;

  /** @internal Tensors are made by `tensor()`, `zeros()` and ops. */
  constructor(shape: Shape, numbers: Numbers, lifetime: Lifetime) {
    this.shape = shape;
    this.size = numbers.length;
    this.numbers = numbers;
    this.lifetime = lifetime;
  }

  /**
   * A view of the numbers, for reading now: it may be reused after the next step. Use `toArray()` for a copy that lasts.
   * @throws RecycledError where the memory is used again already.
   */
  get data(): Numbers {
    if (this.lifetime.ended !== null) {
      const made = this.history === null ? "a tensor" : `the result of ${this.history.op}`;
      throw new RecycledError(
        made,
        `${show(this.shape)} cannot be read: ${this.lifetime.ended}; keep(x) inside the step, or return it from step()`,
      );
    }
    return this.numbers;
  }

  /** How often the numbers were changed; stays 0 unless this is a variable or a view of one. */
  get version(): number {
    return this.lifetime.version;
  }

  /** Whether gradients flow to this tensor. */
  get tracked(): boolean {
    return this.history !== null;
  }

  /** The gradient that `backward` collected in this leaf, a copy; null where there is none. */
  get grad(): Tensor | null {
    if (this.leaf === null || !this.leaf.filled) return null;
    return new Tensor(this.shape, this.leaf.buffer!.slice(), lasting());
  }

  /** The numbers, copied, in row-major order. */
  toArray(): Float32Array {
    return Float32Array.from(this.data);
  }

  /** The one number of a tensor of size 1. */
  item(): number {
    if (this.size !== 1)
      throw new ShapeError("item", `x ${show(this.shape)} has ${this.size} elements, need exactly 1; use toArray()`);
    return this.data[0]!;
  }

  /** The numbers as lists in lists, as `tensor()` takes them. */
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

/** Numbers in lists in lists. */
export type Nested = number | readonly Nested[];

/** What `tensor()` makes a tensor of. */
export type TensorLike = Nested | Float32Array | Float64Array | Int32Array | Uint8Array;

/** A tensor around numbers that were just written to memory from `alloc`. */
export function fresh(shape: Shape, numbers: Numbers): Tensor {
  return new Tensor(shape, numbers, lifetimeNow());
}

/**
 * A tensor from nested lists, `tensor([[1, 2], [3, 4]])`, or from a flat array and a shape. The numbers are copied to float32.
 * @throws ShapeError where lists differ in length or the shape does not hold the numbers.
 */
export function tensor(values: TensorLike, shape?: Shape): Tensor {
  const flat: number[] = [];
  const source = ArrayBuffer.isView(values) ? values : flat;
  const found = ArrayBuffer.isView(values) ? [values.length] : flatten(values, flat);
  if (shape !== undefined) checkShape("tensor", shape);
  const wanted = shape ?? found;
  if (sizeOf(wanted) !== source.length) {
    throw new ShapeError("tensor", `${source.length} numbers do not fill shape ${show(wanted)}, which holds ${sizeOf(wanted)}`);
  }
  const numbers = alloc(source.length);
  numbers.set(source);
  return fresh([...wanted], numbers);
}

function flatten(values: Nested, flat: number[]): number[] {
  if (typeof values === "number") {
    flat.push(values);
    return [];
  }
  if (!Array.isArray(values)) throw new ValueError("tensor", `values are numbers or lists of numbers, got ${typeof values}`);
  let inner: number[] | null = null;
  for (const value of values as readonly Nested[]) {
    const shape = flatten(value, flat);
    if (inner !== null && show(inner) !== show(shape)) {
      throw new ShapeError("tensor", `lists side by side must have the same shape, found ${show(inner)} beside ${show(shape)}`);
    }
    inner = shape;
  }
  return [values.length, ...(inner ?? [])];
}

/** All elements the same number. */
export function full(shape: Shape, value: number): Tensor {
  checkShape("full", shape);
  return fresh([...shape], alloc(sizeOf(shape)).fill(value));
}

export const zeros = (shape: Shape): Tensor => full(shape, 0);
export const ones = (shape: Shape): Tensor => full(shape, 1);

/** The numbers begin, begin + step, … below `end`. */
export function range(begin: number, end: number, step = 1): Tensor {
  if (!(step !== 0 && Number.isFinite(step))) throw new ValueError("range", `step must be a number other than 0, got ${step}`);
  const length = Math.max(0, Math.ceil((end - begin) / step));
  const numbers = alloc(length);
  for (let i = 0; i < length; i++) numbers[i] = begin + i * step;
  return fresh([length], numbers);
}

/** A number as a scalar, a tensor as it is. */
export function asTensor(x: Tensor | number): Tensor {
  if (x instanceof Tensor) return x;
  if (typeof x !== "number")
    throw new ValueError("asTensor", `need a tensor or a number, got ${typeof x}; wrap lists in tensor()`);
  return fresh([], alloc(1).fill(x));
}

/** A copy that stays readable after its step, without history. */
export function keep(x: Tensor): Tensor {
  return new Tensor(x.shape, Float32Array.from(x.data), lasting());
}
