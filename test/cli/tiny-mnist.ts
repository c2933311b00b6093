import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { encodeIdx, lengthOf, syntheticDigits } from "../../src/data/index.ts";
import { Generator } from "../../src/tensor/index.ts";

/** How many images the folder holds. */
export const TRAIN_IMAGES = 40;
export const TEST_IMAGES = 20;

const filesOf = (name: string, count: number, seed: number): [string, Uint8Array][] => {
  const digits = syntheticDigits(count, new Generator(seed));
  const images = Uint8Array.from(digits.inputs, (v) => Math.round(255 * v));
  return [
    [`${name}-images-idx3-ubyte`, encodeIdx([lengthOf(digits), 28, 28], images)],
    [`${name}-labels-idx1-ubyte`, encodeIdx([lengthOf(digits)], Uint8Array.from(digits.labels))],
  ];
};
const sound = new Map([...filesOf("train", TRAIN_IMAGES, 1), ...filesOf("t10k", TEST_IMAGES, 2)]);

/** Writes a folder in the form of MNIST, with some files replaced. Returns its path. */
export function writeMnist(
  folder: string,
  { changes = {}, gzip = false }: { changes?: Record<string, Uint8Array>; gzip?: boolean } = {},
): string {
  mkdirSync(folder, { recursive: true });
  for (const [name, bytes] of sound) {
    const content = changes[name] ?? bytes;
    writeFileSync(join(folder, gzip ? `${name}.gz` : name), gzip ? gzipSync(content) : content);
  }
  return folder;
}
