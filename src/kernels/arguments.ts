import { ValueError } from "./errors.ts";

// Readers of arguments. Each returns its argument with the declared type, or throws a ValueError that names the
// function, the argument, the rule and the given value. A public function reads each of its arguments once, at its
// beginning.

/** Every tensor of every copy of the library carries this key, so that one copy recognizes the tensors of another. */
export const TENSOR_BRAND: unique symbol = Symbol.for("hashgrad.tensor");

/** A short description of any value, for messages. Never throws and never calls the value's own methods. */
export function describe(value: unknown): string {
  if (value === null || value === undefined || typeof value === "boolean") return String(value);
  if (typeof value === "number") return Object.is(value, -0) ? "-0" : String(value);
  if (typeof value === "string") return JSON.stringify(value.length > 40 ? `${value.slice(0, 37)}...` : value);
  if (typeof value === "bigint") return "a bigint";
  if (typeof value === "symbol") return "a symbol";
  if (typeof value === "function") return "a function";
  if (TENSOR_BRAND in (value as object)) return "a tensor";
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (ArrayBuffer.isView(value)) return `a ${Object.prototype.toString.call(value).slice(8, -1)}`;
  if (value instanceof Promise) return "a promise; await it first";
  const keys = Object.keys(value as object);
  return keys.length === 0
    ? "an object"
    : `an object with the keys ${keys.slice(0, 5).join(", ")}${keys.length > 5 ? ", ..." : ""}`;
}

function refuse(who: string, name: string, rule: string, value: unknown): never {
  throw new ValueError(who, `${name} must be ${rule}, got ${describe(value)}`);
}

/**
 * Bounds of a number. `least` and `most` are inclusive, `above` and `below` exclusive. `infinite` admits ±∞, `nan`
 * admits ±∞ and NaN; without them a number must be finite.
 */
export type Bounds = {
  readonly least?: number;
  readonly most?: number;
  readonly above?: number;
  readonly below?: number;
  readonly infinite?: boolean;
  readonly nan?: boolean;
};

/** Bounds of a number that float32 can hold, negative or not. */
export const FLOAT32: Bounds = { least: -3.4028234663852886e38, most: 3.4028234663852886e38 };

export function readNumber(who: string, name: string, value: unknown, bounds: Bounds = {}): number {
  const { least, most, above, below, infinite = false, nan = false } = bounds;
  if (nan && typeof value === "number") return value;
  if (
    typeof value === "number" &&
    (infinite ? !Number.isNaN(value) : Number.isFinite(value)) &&
    (least === undefined || value >= least) &&
    (most === undefined || value <= most) &&
    (above === undefined || value > above) &&
    (below === undefined || value < below)
  )
    return value;
  const limits = [
    least === undefined ? "" : `at least ${least}`,
    above === undefined ? "" : `above ${above}`,
    most === undefined ? "" : `at most ${most}`,
    below === undefined ? "" : `below ${below}`,
  ].filter((text) => text !== "");
  return refuse(
    who,
    name,
    `a ${infinite || nan ? "" : "finite "}number${limits.length === 0 ? "" : ` ${limits.join(" and ")}`}`,
    value,
  );
}

/** A whole number from `least` to `most` (2⁵³ − 1). */
export function readCount(
  who: string,
  name: string,
  value: unknown,
  least: number,
  most: number = Number.MAX_SAFE_INTEGER,
): number {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= least && value <= most) return value;
  const upper = most === Number.MAX_SAFE_INTEGER ? "" : ` and at most ${most}`;
  const lower = least === Number.MIN_SAFE_INTEGER ? "" : ` of at least ${least}`;
  return refuse(who, name, `a whole number${lower}${upper}`, value);
}

export function readBoolean(who: string, name: string, value: unknown): boolean {
  return typeof value === "boolean" ? value : refuse(who, name, "true or false", value);
}

export function readText(who: string, name: string, value: unknown): string {
  return typeof value === "string" ? value : refuse(who, name, "a string", value);
}

/** One of the names that are allowed. */
export function readName<T extends string>(who: string, name: string, value: unknown, allowed: readonly T[]): T {
  if ((allowed as readonly unknown[]).includes(value)) return value as T;
  const quoted = allowed.map((text) => JSON.stringify(text));
  const list = quoted.length === 1 ? quoted[0]! : `${quoted.slice(0, -1).join(", ")} or ${quoted.at(-1)}`;
  return refuse(who, name, list, value);
}

export function readFunction<F extends (...args: never[]) => unknown>(who: string, name: string, value: F): F {
  return typeof value === "function" ? value : refuse(who, name, "a function", value);
}

/** A list without holes. The caller checks the elements. */
export function readList<T>(who: string, name: string, value: readonly T[]): readonly T[] {
  if (!Array.isArray(value)) return refuse(who, name, "a list", value);
  for (let i = 0; i < value.length; i++) if (!(i in value)) return refuse(who, name, "a list without holes", value);
  return value;
}

/**
 * Whole numbers from 0 to `end` − 1, from a list or a typed array, as an Int32Array. A given Int32Array is returned
 * itself. Refuses tensors: a tensor of indices is a likely mistake, since indices get no gradient.
 */
export function readIndices(who: string, name: string, value: ArrayLike<number>, end: number): Int32Array {
  if (!Array.isArray(value) && !isTypedArray(value)) return refuse(who, name, "a list or typed array of whole numbers", value);
  for (let i = 0; i < value.length; i++) {
    const index: unknown = value[i];
    if (!(typeof index === "number" && Number.isInteger(index) && index >= 0 && index < end)) {
      const rule = end > 0 ? `a whole number from 0 to ${end - 1}` : "left out: there is nothing to choose from";
      return refuse(who, `${name}[${i}]`, rule, index);
    }
  }
  return value instanceof Int32Array ? value : Int32Array.from(value);
}

/** A list of numbers or a typed array, unchanged. Refuses everything else, such as a list with a string or a hole. */
export function readNumbers(who: string, name: string, value: ArrayLike<number>): ArrayLike<number> {
  if (isTypedArray(value)) return value;
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      const number: unknown = value[i];
      if (typeof number !== "number") refuse(who, `${name}[${i}]`, "a number", number);
    }
    return value;
  }
  return refuse(who, name, "a list or typed array of numbers", value);
}

type TypedArray = Float32Array | Float64Array | Int32Array | Uint8Array;

/** Whether a value is an array of numbers of any kind, as opposed to a list, bigints or a DataView. */
export function isTypedArray(value: unknown): value is TypedArray {
  if (!ArrayBuffer.isView(value)) return false;
  return !(value instanceof DataView || value instanceof BigInt64Array || value instanceof BigUint64Array);
}

/** Two numbers, [down, across], or one for both. The caller checks that they are whole. */
export function readPair(who: string, name: string, value: number | readonly [number, number]): readonly [number, number] {
  if (typeof value === "number") return [value, value];
  if (Array.isArray(value) && value.length === 2) return value;
  return refuse(who, name, "one whole number or two, [down, across]", value);
}

/** An object, such as the options of a class, or a dataset. The caller checks its fields. */
export function readObject<T extends object>(who: string, name: string, value: T): T {
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value);
  return isObject && !(TENSOR_BRAND in value) ? value : refuse(who, name, "an object", value);
}

const NO_OPTIONS: object = Object.freeze({});

/**
 * The options of a function: an object that has only keys of `known`, or undefined for no options. The caller checks
 * the fields.
 */
export function readOptions<T extends object>(who: string, value: T | undefined, known: readonly (keyof T & string)[]): T {
  if (value === undefined) return NO_OPTIONS as T;
  readObject(who, "options", value);
  for (const key of Object.keys(value)) {
    if ((known as readonly string[]).includes(key)) continue;
    const near = nearest(key, known);
    throw new ValueError(
      who,
      `unknown option "${key}"${near === null ? `; the options are ${known.join(", ")}` : `; did you mean "${near}"?`}`,
    );
  }
  return value;
}

/** The name that fewest edits (insert, delete, replace) separate from `word`, if these are few; else null. */
function nearest(word: string, names: readonly string[]): string | null {
  let [best, least] = [null as string | null, Math.max(2, Math.floor(word.length / 2)) + 1];
  for (const name of names) {
    const edits = distance(word.toLowerCase(), name.toLowerCase());
    if (edits < least) [best, least] = [name, edits];
  }
  return best;
}

/** Levenshtein's distance. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    row = next;
  }
  return row[b.length]!;
}
