import { isLittleEndian, type Numbers } from "../kernels/index.ts";

/**
 * An element type of the safetensors format: its size, how one element becomes a number, and for a type that is written
 * the way back.
 */
type Dtype = {
  readonly bytes: number;
  readonly read: (view: DataView, at: number) => number;
  readonly write?: (view: DataView, at: number, x: number) => void;
};

const word = (high: number, low: number): number => high * 2 ** 32 + low;

/** Half precision: 1 sign, 5 exponent and 10 fraction bits. */
function half(bits: number): number {
  const [exponent, fraction] = [(bits >> 10) & 31, bits & 1023];
  const size =
    exponent === 0
      ? fraction * 2 ** -24
      : exponent === 31
        ? fraction === 0
          ? Number.POSITIVE_INFINITY
          : Number.NaN
        : (1 + fraction / 1024) * 2 ** (exponent - 15);
  return bits & 0x8000 ? -size : size;
}

/** Rounds to the nearest whole number, ties to even, up to 2⁵⁰. Returns 0 and not −0. */
export function nearestEven(x: number): number {
  return x + 1.5 * 2 ** 52 - 1.5 * 2 ** 52; // beyond 2⁵² a float64 has no fraction bits
}

const scratch = new DataView(new ArrayBuffer(4));
function bitsOf(x: number): number {
  scratch.setFloat32(0, x);
  return scratch.getUint32(0);
}

/** The half precision of a float32 number: nearest, ties to even. From 65520 on infinite; NaN without its payload. */
function halfBits(x: number): number {
  const bits = bitsOf(x);
  const [sign, size] = [(bits >>> 16) & 0x8000, bits & 0x7fffffff];
  if (size > 0x7f800000) return 0x7e00;
  if (size >= 0x477ff000) return sign | 0x7c00;
  if (size < 0x38800000) return sign | nearestEven(Math.abs(x) * 2 ** 24); // below 2⁻¹⁴: a multiple of 2⁻²⁴
  return sign | ((size - 0x38000000 + 0xfff + ((size >>> 13) & 1)) >>> 13); // 112 less in the exponent; a carry raises it
}

/** The upper half of a float32. */
function brain(bits: number): number {
  scratch.setUint32(0, bits * 2 ** 16);
  return scratch.getFloat32(0);
}

/** The upper half of the nearest number whose lower half is zero, ties to even. NaN without its payload. */
function brainBits(x: number): number {
  if (Number.isNaN(x)) return 0x7fc0;
  const bits = bitsOf(x);
  return (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
}

/** The element types that are read, all converted to float32. F32, F16, BF16 and I8 are also written. */
export const dtypes: ReadonlyMap<string, Dtype> = new Map<string, Dtype>([
  ["F32", { bytes: 4, read: (view, at) => view.getFloat32(at, true) }],
  ["F64", { bytes: 8, read: (view, at) => view.getFloat64(at, true) }],
  [
    "F16",
    {
      bytes: 2,
      read: (view, at) => half(view.getUint16(at, true)),
      write: (view, at, x) => view.setUint16(at, halfBits(x), true),
    },
  ],
  [
    "BF16",
    {
      bytes: 2,
      read: (view, at) => brain(view.getUint16(at, true)),
      write: (view, at, x) => view.setUint16(at, brainBits(x), true),
    },
  ],
  ["I8", { bytes: 1, read: (view, at) => view.getInt8(at), write: (view, at, x) => view.setInt8(at, x) }],
  ["U8", { bytes: 1, read: (view, at) => view.getUint8(at) }],
  ["I16", { bytes: 2, read: (view, at) => view.getInt16(at, true) }],
  ["U16", { bytes: 2, read: (view, at) => view.getUint16(at, true) }],
  ["I32", { bytes: 4, read: (view, at) => view.getInt32(at, true) }],
  ["U32", { bytes: 4, read: (view, at) => view.getUint32(at, true) }],
  ["I64", { bytes: 8, read: (view, at) => word(view.getInt32(at + 4, true), view.getUint32(at, true)) }],
  ["U64", { bytes: 8, read: (view, at) => word(view.getUint32(at + 4, true), view.getUint32(at, true)) }],
  ["BOOL", { bytes: 1, read: (view, at) => (view.getUint8(at) === 0 ? 0 : 1) }],
]);

/**
 * Converts the elements in `bytes` to float32 numbers, stored from `first` on. F32 keeps every bit on little-endian
 * machines.
 */
export function convert({ read, bytes: width }: Dtype, bytes: Uint8Array, numbers: Numbers, first: number): void {
  const isFloat32 = read === dtypes.get("F32")!.read;
  if (isFloat32 && isLittleEndian) {
    new Uint8Array(numbers.buffer, numbers.byteOffset + 4 * first, bytes.length).set(bytes);
    return;
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let i = 0; i < bytes.length / width; i++) numbers[first + i] = read(view, i * width);
}

/** The number that a file in this element type gives back for x. */
export function rounded({ read, write }: Dtype, x: number): number {
  write!(roundTrip, 0, x);
  return read(roundTrip, 0);
}
const roundTrip = new DataView(new ArrayBuffer(4));

/** Writes `count` numbers from `first` on to the start of `bytes`, little-endian. F32 keeps every bit. */
export function writeNumbers(
  { bytes: width, write }: Dtype,
  numbers: Numbers,
  first: number,
  count: number,
  bytes: Uint8Array,
): void {
  if (write !== undefined) {
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    for (let i = 0; i < count; i++) write(view, i * width, numbers[first + i]!);
    return;
  }
  if (isLittleEndian) {
    bytes.set(new Uint8Array(numbers.buffer, numbers.byteOffset + 4 * first, 4 * count));
    return;
  }
  const words = new Uint32Array(numbers.buffer, numbers.byteOffset + 4 * first, count);
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  for (let i = 0; i < count; i++) view.setUint32(4 * i, words[i]!, true);
}
