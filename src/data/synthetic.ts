import { MemoryError } from "../kernels/index.ts";
import { describe, Generator as Random, readCount, readNumber, readOptions, ValueError } from "../tensor/index.ts";
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

/** Options of `syntheticDigits`. */
export type SyntheticOptions = {
  /** From 8 to 4096. Default 28. */
  readonly height?: number;
  /** From 8 to 4096. Default 28. */
  readonly width?: number;
  /** From 1 to 10. Default 10. */
  readonly classes?: number;
  /** The standard deviation of the noise. Default 0.2. */
  readonly noise?: number;
};

/**
 * Returns a dataset of seven-segment digits `[height, width, 1]` with numbers from 0 to 1, for examples and tests
 * without files. Each digit is shifted by up to 5 % of the image and has normal noise. Labels repeat in order: 0, 1, …
 * classes − 1, 0, 1, …
 * @param count - the number of images
 * @param random - draws shifts and noise
 * @throws ValueError for arguments out of range, MemoryError if the images do not fit into memory.
 * @example
 * const data = syntheticDigits(20, new Generator(1));
 * console.log(data.inputShape, data.labels.slice(8, 12)); //=> [ 28, 28, 1 ] Int32Array(4) [ 8, 9, 0, 1 ]
 */
export function syntheticDigits(count: number, random: Random, options: SyntheticOptions = {}): Dataset {
  const who = "syntheticDigits";
  const {
    height = 28,
    width = 28,
    classes = 10,
    noise = 0.2,
  } = readOptions(who, options, ["height", "width", "classes", "noise"]);
  readCount(who, "count", count, 0, 2 ** 31);
  if (!(random instanceof Random)) throw new ValueError(who, `random must be a Generator, got ${describe(random)}`);
  readCount(who, "height", height, 8, 4096); // the segments need 8 pixels to be told apart
  readCount(who, "width", width, 8, 4096);
  readCount(who, "classes", classes, 1, lit.length);
  readNumber(who, "noise", noise, { least: 0 });
  const inputs = numbersFor(who, count * height * width);
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

function numbersFor(who: string, length: number): Float32Array {
  try {
    return new Float32Array(length);
  } catch (cause) {
    throw new MemoryError(who, `${Math.ceil((4 * length) / 1e6)} MB of images do not fit into memory; ask for fewer`, { cause });
  }
}
