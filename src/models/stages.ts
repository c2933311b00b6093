import { dense, dropout, globalAvgPool2d, type Layer, sequential } from "../nn/index.ts";
import { readNumber } from "../tensor/index.ts";
import { scope, type VariableCreator } from "../variables/index.ts";
import type { Settings } from "./options.ts";

/** A row of a family's table: output channels, number of blocks, stride of the first block. */
export type Stage = { readonly filters: number; readonly repeats: number; readonly stride: number };

/** What a family's table does not say of a block: its variables, input channels, stride, and its position among all blocks, from 0 to 1. */
type Place = { readonly vars: VariableCreator; readonly channels: number; readonly stride: number; readonly share: number };

/** The blocks of all rows, one after another. Variables of block i (from 0) of row s (from 1): `layer<s>/<i>/…`. */
export function stages<Row extends Stage>(
  vars: VariableCreator,
  channels: number,
  rows: readonly Row[],
  block: (row: Row, place: Place) => Layer,
): Layer {
  const count = rows.reduce((sum, { repeats }) => sum + repeats, 0);
  const blocks: Layer[] = [];
  let inputs = channels;
  for (const [s, row] of rows.entries()) {
    for (let i = 0; i < row.repeats; i++) {
      const at = { vars: scope(vars, `layer${s + 1}/${i}`), channels: inputs, stride: i === 0 ? row.stride : 1 };
      blocks.push(block(row, { ...at, share: blocks.length / count }));
      inputs = row.filters;
    }
  }
  return sequential(...blocks);
}

/** Each channel's mean, dropout, and a dense layer `fc/`: x [batch, height, width, channels] → logits [batch, classes]. */
export function classifier(vars: VariableCreator, channels: number, { classes, dropout: rate, random }: Settings): Layer {
  return sequential(globalAvgPool2d(), dropout(rate, random), dense(scope(vars, "fc"), channels, classes));
}

/**
 * The multiple of 8 that is nearest to v, at least 8 and not below 0.9·v (Sandler et al. 2018, the reference code): how the mobile
 * families round scaled channel counts.
 */
export function makeDivisible(v: number): number {
  readNumber("makeDivisible", "v", v, { least: 0 });
  const nearest = Math.max(8, Math.floor(v + 4) - (Math.floor(v + 4) % 8));
  return nearest < 0.9 * v ? nearest + 8 : nearest;
}
