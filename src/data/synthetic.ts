import { type Generator as Random, ValueError } from "../tensor/index.ts";
import type { Dataset } from "./dataset.ts";

/** From row and column to row and column of a seven-segment display, rows 0…2, columns 0…1; segments a to g. */
const segments = [
  [0, 0, 0, 1],
  [0, 1, 1, 1],
  [1, 1, 2, 1],
  [2, 0, 2, 1],
  [1, 0, 2, 0],
  [0, 0, 1, 0],
  [1, 0, 1, 1],
] as const;

/** The segments of the digits 0…9, bit 0 is a. */
const lit = [0x3f, 0x06, 0x5b, 0x4f, 0x66, 0x6d, 0x7d, 0x07, 0x7f, 0x6f];

/**
 * Seven-segment digits `[height, width, 1]` of 0…1, each moved by up to 5 % of the image and covered with normal noise of the
 * deviation `noise`, for examples and tests without files. Labels go round: 0, 1, … classes - 1, 0, 1, …
 */
export function syntheticDigits(
  count: number,
  random: Random,
  {
    height = 28,
    width = 28,
    classes = 10,
    noise = 0.2,
  }: { height?: number; width?: number; classes?: number; noise?: number } = {},
): Dataset {
  const check = (name: string, value: number, least: number, most: number): void => {
    if (Number.isInteger(value) && value >= least && value <= most) return;
    throw new ValueError("syntheticDigits", `${name} must be a whole number in ${least}…${most}, got ${value}`);
  };
  check("count", count, 0, 2 ** 31);
  check("height", height, 8, 4096); // the segments need 8 pixels to be told apart
  check("width", width, 8, 4096);
  check("classes", classes, 1, lit.length);
  if (!(noise >= 0 && noise < Infinity))
    throw new ValueError("syntheticDigits", `noise must be a number of at least 0, got ${noise}`);
  const inputs = new Float32Array(count * height * width);
  const labels = Int32Array.from({ length: count }, (_, i) => i % classes);
  const thickness = Math.max(1, Math.floor(Math.min(height, width) / 7));
  const shift = (length: number): number => random.below(2 * Math.floor(0.05 * length) + 1) - Math.floor(0.05 * length);
  for (const [i, label] of labels.entries()) {
    const image = inputs.subarray(i * height * width, (i + 1) * height * width);
    const [down, right] = [shift(height), shift(width)];
    const y = (row: number): number => Math.round((0.12 + 0.3 * row) * height) + down;
    const x = (column: number): number => Math.round((0.22 + 0.4 * column) * width) + right;
    for (const [bit, [row, column, toRow, toColumn]] of segments.entries()) {
      if (((lit[label]! >> bit) & 1) === 0) continue;
      for (let at = y(row); at < y(toRow) + thickness; at++)
        image.fill(1, at * width + x(column), at * width + x(toColumn) + thickness);
    }
    for (let p = 0; p < image.length; p++) image[p] = Math.min(1, Math.max(0, image[p]! + noise * random.normal()));
  }
  return { inputs, inputShape: [height, width, 1], labels, classes };
}
