import { FormatError } from "../../io/index.ts";
import { describe } from "../../tensor/index.ts";

// Checks of JSON from files that another program, or another version, may have written.

/** A place in a file, for messages. */
export type Place = { readonly file: string; readonly field: string };

/** Returns the value with its type, or throws FormatError that names the file, the field and the rule. */
export type Check<T> = (value: unknown, place: Place) => T;

/** Throws the error of a field. */
export function refuse({ file, field }: Place, rule: string, value: unknown): never {
  const what = typeof value === "string" ? JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value) : describe(value);
  throw new FormatError(file, `${field === "" ? "the content" : field} must be ${rule}, got ${what}`);
}

export const text: Check<string> = (value, place) => (typeof value === "string" ? value : refuse(place, "a text", value));

export const yesOrNo: Check<boolean> = (value, place) =>
  typeof value === "boolean" ? value : refuse(place, "true or false", value);

/** A whole number of at least `least`. */
export const whole =
  (least = 0): Check<number> =>
  (value, place) =>
    Number.isSafeInteger(value) && (value as number) >= least
      ? (value as number)
      : refuse(place, `a whole number of at least ${least}`, value);

export const finite: Check<number> = (value, place) =>
  typeof value === "number" && Number.isFinite(value) ? value : refuse(place, "a number", value);

/** A measured number. JSON has no NaN and no infinity: `JSON.stringify` writes null for them. */
export const measured: Check<number> = (value, place) => (value === null ? Number.NaN : finite(value, place));

export const oneOf =
  <const T extends string>(...names: readonly T[]): Check<T> =>
  (value, place) =>
    names.find((name) => name === value) ?? refuse(place, `one of ${names.join(", ")}`, value);

export const nullable =
  <T>(check: Check<T>): Check<T | null> =>
  (value, place) =>
    value === null ? null : check(value, place);

export const list =
  <T>(check: Check<T>): Check<T[]> =>
  (value, place) =>
    Array.isArray(value)
      ? value.map((item: unknown, i) => check(item, { ...place, field: `${place.field}[${i}]` }))
      : refuse(place, "a list", value);

/** A check for each field of an object. */
export type Checks<T> = { readonly [K in keyof T]-?: Check<T[K]> };

/** An object with these fields; other fields are left out. */
export const record =
  <T extends object>(checks: Checks<T>): Check<T> =>
  (value, place) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return refuse(place, "an object", value);
    const given = new Map<string, unknown>(Object.entries(value));
    const fields = Object.entries<Check<unknown>>(checks).map(([name, check]) => {
      const field = place.field === "" ? name : `${place.field}.${name}`;
      return [name, check(given.get(name), { ...place, field })];
    });
    return Object.fromEntries(fields) as T;
  };

/** A JSON text. @throws FormatError that names the file. */
export function parsed<T>(json: string, check: Check<T>, place: Place): T {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new FormatError(place.file, `${place.field === "" ? "the content" : place.field} is not JSON: ${why}`);
  }
  return check(value, place);
}
