import type { OpAttributes } from "../ops/index.ts";
import type { Shape } from "../tensor/index.ts";
import type { Exporter, Value } from "./exporter.ts";

/** An op as a graph records it. */
export type Recorded<Attributes> = {
  readonly inputs: readonly number[];
  readonly shape: Shape;
  readonly attributes: Attributes;
};

/**
 * Writes node i from its records for both sizes of the batch. Returns the name of its value, with the axes of the
 * library, or the value with the order of its axes.
 */
export type Writer<Attributes> = (
  to: Exporter,
  i: number,
  node: Recorded<Attributes>,
  other: Recorded<Attributes>,
) => Value | string;

/** A writer of each op. */
export type Writers = { readonly [Op in keyof OpAttributes]: Writer<OpAttributes[Op]> };

/** The ops without attributes, all of which compute each element separately. */
export type WithoutAttributes = {
  [Op in keyof OpAttributes]: OpAttributes[Op] extends Readonly<Record<string, never>> ? Op : never;
}[keyof OpAttributes];
