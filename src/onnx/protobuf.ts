import { encodeText, isLittleEndian } from "../kernels/index.ts";

// The wire format of protocol buffers (https://protobuf.dev/programming-guides/encoding), as far as ONNX files need it.

/** The bytes of a message, in pieces. Arrays of numbers are not copied before the file is written. */
export type Message = readonly Uint8Array[];

/** The most bytes of a message: readers of protocol buffers keep lengths in signed 32-bit integers. */
const MOST_BYTES = 2 ** 31 - 1;

const lengthOf = (message: Message): number => message.reduce((sum, { length }) => sum + length, 0);

/** A whole number in groups of seven bits, the lowest group first. A negative number takes 64 bits. */
function varint(n: number): number[] {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(n));
  do {
    const low = Number(rest & 127n);
    rest >>= 7n;
    bytes.push(rest > 0n ? low | 128 : low);
  } while (rest > 0n);
  return bytes;
}

/** A field with a whole number. */
export const int = (field: number, n: number): Message => [Uint8Array.from([...varint(field * 8), ...varint(n)])];

/** A field with a float32 number. */
export function float(field: number, x: number): Message {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setFloat32(0, x, true);
  return [Uint8Array.from([...varint(field * 8 + 5), ...bytes])];
}

/** A field with a message or with bytes. */
export function nested(field: number, ...parts: readonly Message[]): Message {
  const content = parts.flat();
  return [Uint8Array.from([...varint(field * 8 + 2), ...varint(lengthOf(content))]), ...content];
}

/** A field with a string. */
export const text = (field: number, string: string): Message => nested(field, [encodeText(string)]);

/** Float32 numbers in little-endian order. */
export function floatBytes(numbers: Float32Array): Uint8Array {
  if (isLittleEndian) return new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);
  const view = new DataView(new ArrayBuffer(numbers.byteLength));
  for (const [i, x] of numbers.entries()) view.setFloat32(4 * i, x, true);
  return new Uint8Array(view.buffer);
}

/** Whole numbers as little-endian int64. */
export function int64Bytes(numbers: ArrayLike<number>): Uint8Array {
  const view = new DataView(new ArrayBuffer(8 * numbers.length));
  for (let i = 0; i < numbers.length; i++) view.setBigInt64(8 * i, BigInt(numbers[i]!), true);
  return new Uint8Array(view.buffer);
}

/**
 * The length of a file. `refuse` is called with the length if readers of protocol buffers cannot read that many bytes.
 */
export function fileLength(file: Message, refuse: (length: number) => never): number {
  const length = lengthOf(file);
  return length > MOST_BYTES ? refuse(length) : length;
}
