import { hasFiles } from "../kernels/index.ts";
import { checkShape, type Shape, ShapeError, show, sizeOf } from "../tensor/index.ts";
import { DataError } from "./errors.ts";

// The IDX format (http://yann.lecun.com/exdb/mnist): 0, 0, element type, rank; each length as a big-endian uint32; the elements, row-major.

/** The contents of an IDX file of unsigned bytes. */
export type Idx = { readonly shape: number[]; readonly data: Uint8Array };

const unsignedByte = 0x08;
const otherTypes = new Map([
  [0x09, "signed bytes"],
  [0x0b, "int16"],
  [0x0c, "int32"],
  [0x0d, "float32"],
  [0x0e, "float64"],
]);

/** Reads the bytes of an IDX file; `data` is a view of them. `name` begins the messages. */
export function parseIdx(bytes: Uint8Array, name: string): Idx {
  if (bytes.length < 4) throw new DataError(name, `too short for an IDX header: expected at least 4 bytes, got ${bytes.length}`);
  const [zero, alsoZero, type, rank] = bytes as Uint8Array & [number, number, number, number];
  if (zero !== 0 || alsoZero !== 0) {
    const remedy = isGzip(bytes)
      ? "it is gzip: unpack it first, or use readIdx"
      : "it may be compressed (.gz) or of another format";
    throw new DataError(name, `not an IDX file: expected to begin with 00 00 08, got ${hex(bytes.subarray(0, 4))}; ${remedy}`);
  }
  if (type !== unsignedByte) {
    const kind = otherTypes.get(type) ?? "of no known type";
    throw new DataError(name, `elements are ${kind} (${hex([type])}); only unsigned bytes (08) are supported`);
  }
  const header = 4 + 4 * rank;
  if (bytes.length < header) {
    throw new DataError(
      name,
      `too short for an IDX header of rank ${rank}: expected at least ${header} bytes, got ${bytes.length}`,
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, header);
  const shape = Array.from({ length: rank }, (_, axis) => view.getUint32(4 + 4 * axis));
  const [expected, got] = [sizeOf(shape), bytes.length - header];
  if (got < expected) throw new DataError(name, `truncated: expected ${expected} bytes of data for ${show(shape)}, got ${got}`);
  if (got > expected) {
    throw new DataError(
      name,
      `${got - expected} trailing bytes: expected ${expected} bytes of data for ${show(shape)}, got ${got}`,
    );
  }
  return { shape, data: new Uint8Array(bytes.buffer, bytes.byteOffset + header, expected) }; // a Buffer's subarray would be a Buffer
}

/** Reads an IDX file, plain or gzipped; which of them, its first bytes say, not its name. In Node only. */
export function readIdx(path: string): Idx {
  checkFiles("readIdx");
  const { readFileSync } = process.getBuiltinModule("node:fs");
  const { gunzipSync } = process.getBuiltinModule("node:zlib");
  const bytes = attempt(path, "cannot be read", () => readFileSync(path));
  if (!isGzip(bytes)) return parseIdx(bytes, path);
  return parseIdx(
    attempt(path, "the gzip stream is broken, download it again", () => gunzipSync(bytes)),
    path,
  );
}

/** The bytes of an IDX file that holds `data`, row-major. */
export function encodeIdx(shape: Shape, data: Uint8Array): Uint8Array<ArrayBuffer> {
  checkShape("encodeIdx", shape);
  if (shape.length > 255 || shape.some((length) => length >= 2 ** 32)) {
    throw new ShapeError("encodeIdx", `IDX holds at most 255 axes of lengths below 2^32, got ${show(shape)}`);
  }
  if (sizeOf(shape) !== data.length) {
    throw new ShapeError("encodeIdx", `${data.length} bytes do not fill shape ${show(shape)}, which holds ${sizeOf(shape)}`);
  }
  const header = 4 + 4 * shape.length;
  const bytes = new Uint8Array(header + data.length);
  bytes.set([0, 0, unsignedByte, shape.length]);
  const view = new DataView(bytes.buffer);
  for (const [axis, length] of shape.entries()) view.setUint32(4 + 4 * axis, length);
  bytes.set(data, header);
  return bytes;
}

/** Throws where this is no Node. */
export function checkFiles(who: string): void {
  if (!hasFiles())
    throw new DataError(who, "reads files, which takes Node; elsewhere fetch the bytes, and give them to parseIdx");
}

function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}

function hex(bytes: Iterable<number>): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
}

function attempt<T>(path: string, complaint: string, fn: () => T): T {
  try {
    return fn();
  } catch (error) {
    throw new DataError(path, `${complaint} (${error instanceof Error ? error.message : error})`);
  }
}
