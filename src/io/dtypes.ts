import type { Numbers } from "../kernels/index.ts";

/** An element type of the safetensors format: its size, and how one element becomes a number. */
type Dtype = { readonly bytes: number; readonly read: (view: DataView, at: number) => number };

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

const scratch = new DataView(new ArrayBuffer(4));
/** The upper half of a float32. */
function brain(bits: number): number {
  scratch.setUint16(0, bits);
  return scratch.getFloat32(0);
}

/** The element types that are read, all converted to float32. */
export const dtypes: ReadonlyMap<string, Dtype> = new Map<string, Dtype>([
  ["F32", { bytes: 4, read: (view, at) => view.getFloat32(at, true) }],
  ["F64", { bytes: 8, read: (view, at) => view.getFloat64(at, true) }],
  ["F16", { bytes: 2, read: (view, at) => half(view.getUint16(at, true)) }],
  ["BF16", { bytes: 2, read: (view, at) => brain(view.getUint16(at, true)) }],
  ["I8", { bytes: 1, read: (view, at) => view.getInt8(at) }],
  ["U8", { bytes: 1, read: (view, at) => view.getUint8(at) }],
  ["I16", { bytes: 2, read: (view, at) => view.getInt16(at, true) }],
  ["U16", { bytes: 2, read: (view, at) => view.getUint16(at, true) }],
  ["I32", { bytes: 4, read: (view, at) => view.getInt32(at, true) }],
  ["U32", { bytes: 4, read: (view, at) => view.getUint32(at, true) }],
  ["I64", { bytes: 8, read: (view, at) => word(view.getInt32(at + 4, true), view.getUint32(at, true)) }],
  ["U64", { bytes: 8, read: (view, at) => word(view.getUint32(at + 4, true), view.getUint32(at, true)) }],
  ["BOOL", { bytes: 1, read: (view, at) => (view.getUint8(at) === 0 ? 0 : 1) }],
]);

/** Whether this machine stores the low byte of a number first, as the files do. */
const lowFirst = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/**
 * Converts the elements in `bytes` to float32 numbers, stored from `first` on. F32 keeps every bit on little-endian
 * machines.
 */
export function convert({ read, bytes: width }: Dtype, bytes: Uint8Array, numbers: Numbers, first: number): void {
  const isFloat32 = read === dtypes.get("F32")!.read;
  if (isFloat32 && lowFirst) {
    new Uint8Array(numbers.buffer, numbers.byteOffset + 4 * first, bytes.length).set(bytes);
    return;
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let i = 0; i < bytes.length / width; i++) numbers[first + i] = read(view, i * width);
}

/** Writes `count` numbers from `first` on as little-endian float32 to the start of `bytes`. Keeps every bit. */
export function writeFloats(numbers: Numbers, first: number, count: number, bytes: Uint8Array): void {
  if (lowFirst) {
    bytes.set(new Uint8Array(numbers.buffer, numbers.byteOffset + 4 * first, 4 * count));
    return;
  }
  const words = new Uint32Array(numbers.buffer, numbers.byteOffset + 4 * first, count);
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  for (let i = 0; i < count; i++) view.setUint32(4 * i, words[i]!, true);
}
