// The file of images that the page loads. After gunzip: the number of training images and of test images as two
// little-endian uint32, the labels as bytes, then the pixels as bytes, training images first.
import { DataError, type Dataset } from "hashgrad/data";
import type { Digits } from "./messages.ts";

export const SIDE = 28;
export const PIXELS: number = SIDE * SIDE;
const HEADER = 8;

/** The bytes of the file, before gzip. The inputs of the datasets are bytes. */
export function packDigits({ train, test }: Digits): Uint8Array {
  const parts = [train, test];
  const counts = Uint32Array.from(parts, ({ labels }) => labels.length);
  const total = counts[0]! + counts[1]!;
  const bytes = new Uint8Array(HEADER + total * (1 + PIXELS));
  const view = new DataView(bytes.buffer);
  for (const [i, count] of counts.entries()) view.setUint32(4 * i, count, true);
  let [label, pixel] = [HEADER, HEADER + total];
  for (const { inputs, labels } of parts) {
    bytes.set(labels, label);
    bytes.set(inputs, pixel);
    label += labels.length;
    pixel += inputs.length;
  }
  return bytes;
}

/** The datasets of a file, after gunzip. Throws a DataError if the file has another length than its header says. */
export function unpackDigits(bytes: Uint8Array): Digits {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const counts = bytes.length < HEADER ? [0, 0] : [view.getUint32(0, true), view.getUint32(4, true)];
  const total = counts[0]! + counts[1]!;
  const wanted = HEADER + total * (1 + PIXELS);
  if (total === 0 || bytes.length !== wanted)
    throw new DataError("unpackDigits", `the file has ${bytes.length} bytes; its header says ${wanted}; build the site again`);
  const part = (first: number, count: number): Dataset => ({
    inputs: bytes.subarray(HEADER + total + first * PIXELS, HEADER + total + (first + count) * PIXELS),
    inputShape: [SIDE, SIDE, 1],
    labels: Int32Array.from(bytes.subarray(HEADER + first, HEADER + first + count)),
    classes: 10,
  });
  return { train: part(0, counts[0]!), test: part(counts[0]!, counts[1]!) };
}
