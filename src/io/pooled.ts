import type { PooledState } from "../variables/index.ts";

/** What a file records of pool and modifier; undefined stands for records that it lacks. */
export type SavedPool = {
  readonly placements: Readonly<Record<string, unknown>> | undefined;
  readonly description: Readonly<Record<string, unknown>> | undefined;
  readonly modifier: string | undefined;
  readonly initializers: Readonly<Record<string, unknown>> | undefined;
};

/**
 * Describes the first difference of pool or modifier between a file and a model; null if there is none. With such a
 * difference the numbers of the file would give other weights than in the saved model. Does not compare the weights:
 * backends round differently, and signs of tiny weights flip.
 */
export function differenceOf(saved: SavedPool, own: PooledState | null): string | null {
  if (own === null) {
    if (saved.description === undefined) return null;
    return `its variables come from the pool ${shown(saved.description)}, the model has no pool`;
  }
  const { description, modifier } = saved;
  if (description !== undefined && canonical(description) !== canonical(own.description))
    return `it was saved with the pool ${shown(description)}, the model has the pool ${shown(own.description)}`;
  if (modifier !== undefined && modifier !== own.modifier)
    return `it was saved with the modifier "${clipped(modifier)}", the model has the modifier "${clipped(own.modifier)}"`;
  const moved = saved.placements && firstOther(saved.placements, Object.fromEntries(own.placements));
  if (moved != null)
    return `its variables lie elsewhere in the pool: create them in the order of the model that was saved (first difference: "${moved}")`;
  const scaled = saved.initializers && firstOther(saved.initializers, Object.fromEntries(own.initializers));
  if (scaled == null) return null;
  const [was, is] = [saved.initializers?.[scaled], own.initializers.get(scaled)];
  return `its modifier scaled "${scaled}" for an initializer with ${moments(was)}, the model's has ${moments(is)}`;
}

/** The first name whose values differ in two records, as JSON. */
function firstOther(a: Readonly<Record<string, unknown>>, b: Readonly<Record<string, unknown>>): string | null {
  const names = [...Object.keys(a), ...Object.keys(b)];
  const valueIn = (record: Readonly<Record<string, unknown>>, name: string): string | undefined =>
    Object.hasOwn(record, name) ? JSON.stringify(record[name]) : undefined;
  return names.find((name) => valueIn(a, name) !== valueIn(b, name)) ?? null;
}

/** JSON with the options in alphabetical order: who wrote the file does not matter. */
function canonical(description: Readonly<Record<string, unknown>>): string {
  return JSON.stringify(Object.entries(description).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** `product (poolSize 42, fraction 0.6)` */
function shown({ kind, ...options }: Readonly<Record<string, unknown>>): string {
  const list = Object.entries(options).map(
    ([name, value]) => `${name} ${typeof value === "string" ? value : JSON.stringify(value)}`,
  );
  return clipped(`${typeof kind === "string" ? kind : JSON.stringify(kind)}${list.length === 0 ? "" : ` (${list.join(", ")})`}`);
}

function moments(value: unknown): string {
  const [mean, deviation] = Array.isArray(value) ? value : [null, null];
  return clipped(`mean ${JSON.stringify(mean)} and standard deviation ${JSON.stringify(deviation)}`);
}

const clipped = (text: string): string => (text.length > 200 ? `${text.slice(0, 197)}...` : text);
