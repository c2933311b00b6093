import { hasFiles, TENSOR_BRAND } from "../kernels/index.ts";
import { checkShape, describe, readText, type Shape, ShapeError, show, sizeOf, ValueError } from "../tensor/index.ts";
import { arrayKind } from "./dataset.ts";
import { DataError } from "./errors.ts";
import { isGzip, unzip } from "./gzip.ts";

// The IDX format (http://yann.lecun.com/exdb/mnist): 0, 0, element type, rank; each length as a big-endian uint32; the
// elements, row-major.

/** The contents of an IDX file of unsigned bytes. */
export type Idx = { readonly shape: number[]; readonly data: Uint8Array };

const unsignedByte = 0x08;
/** As many axes as a tensor may have; the format itself ends at 255. */
const MOST_AXES = 64;
const otherTypes = new Map([
  [0x09, "signed bytes"],
  [0x0b, "int16"],
  [0x0c, "int32"],
  [0x0d, "float32"],
  [0x0e, "float64"],
]);

/**
 * Returns the shape and the bytes of an IDX file; `data` is a view of the given bytes.
 * @param bytes - the content of the file
 * @param name - the name of the file in messages
 * @throws DataError for bytes that are not exactly one IDX file of unsigned bytes with at most 64 axes.
 * @example
 * const bytes = encodeIdx([2, 3], new Uint8Array(6));
 * console.log(parseIdx(bytes, "labels").shape); //=> [ 2, 3 ]
 */
export function parseIdx(bytes: Uint8Array, name: string): Idx {
  readText("parseIdx", "name", name);
  if (arrayKind(bytes) !== "Uint8Array")
    throw new ValueError("parseIdx", `bytes must be a Uint8Array, got ${describe(bytes)}${remedyFor(bytes)}`);
  return parse(`parseIdx: ${name}`, bytes);
}

const remedyFor = (bytes: unknown): string =>
  typeof bytes === "object" && bytes !== null && !(TENSOR_BRAND in bytes) ? "; wrap a buffer in new Uint8Array(...)" : "";

function parse(who: string, bytes: Uint8Array): Idx {
  const { shape, header, size } = headerOf(who, bytes);
  const got = bytes.length - header;
  if (got < size) throw new DataError(who, `truncated: expected ${size} bytes of data for ${show(shape)}, got ${got}`);
  if (got > size)
    throw new DataError(who, `${got - size} trailing bytes: expected ${size} bytes of data for ${show(shape)}, got ${got}`);
  // Not `subarray`: of a Buffer it returns a Buffer.
  return { shape, data: new Uint8Array(bytes.buffer, bytes.byteOffset + header, size) };
}

/** The shape of the file, the bytes of the header, and the bytes of data after the header. */
function headerOf(who: string, bytes: Uint8Array): { shape: number[]; header: number; size: number } {
  if (bytes.length < 4) throw new DataError(who, `too short for an IDX header: expected at least 4 bytes, got ${bytes.length}`);
  const [zero, alsoZero, type, rank] = bytes as Uint8Array & [number, number, number, number];
  if (zero !== 0 || alsoZero !== 0) {
    const remedy = isGzip(bytes)
      ? "it is gzip: unpack it first, or use readIdx"
      : "it may be compressed (.gz) or of another format";
    throw new DataError(who, `not an IDX file: expected to begin with 00 00 08, got ${hex(bytes.subarray(0, 4))}; ${remedy}`);
  }
  if (type !== unsignedByte) {
    const kind = otherTypes.get(type) ?? "of no known type";
    throw new DataError(who, `elements are ${kind} (${hex([type])}); only unsigned bytes (08) are supported`);
  }
  if (rank > MOST_AXES) throw new DataError(who, `has ${rank} axes; at most ${MOST_AXES} are supported`);
  const header = 4 + 4 * rank;
  if (bytes.length < header)
    throw new DataError(
      who,
      `too short for an IDX header of rank ${rank}: expected at least ${header} bytes, got ${bytes.length}`,
    );
  const view = new DataView(bytes.buffer, bytes.byteOffset, header);
  const shape = Array.from({ length: rank }, (_, axis) => view.getUint32(4 + 4 * axis));
  if (!isCountable(shape)) throw new DataError(who, `the shape ${show(shape)} is larger than any file`);
  return { shape, header, size: sizeOf(shape) };
}

/** Whether the number of elements is exact, and would be if no length were 0. */
const isCountable = (shape: Shape): boolean => Number.isSafeInteger(sizeOf(shape.filter((length) => length !== 0)));

/**
 * Reads an IDX file, plain or gzipped (detected from the first bytes). Unpacks the header of a gzipped file first, then
 * at most the bytes that the header announces. Needs Node.js, Deno or Bun.
 * @param path - the path of the file
 * @throws DataError that names the file if it cannot be read, is not a regular file, or is not exactly one IDX file.
 */
export function readIdx(path: string): Idx {
  checkFiles("readIdx");
  readText("readIdx", "path", path);
  return readIdxFor("readIdx", path);
}

/** `readIdx` for a function called `who`. */
export function readIdxFor(who: string, path: string): Idx {
  const { readFileSync, statSync } = process.getBuiltinModule("node:fs");
  const file = `${who}: ${path}`;
  const readable = attempt(file, () => statSync(path).isFile()); // a pipe or a device may never end
  if (!readable) throw new DataError(file, "cannot be read: it is a folder or a device, not a file");
  const bytes: Uint8Array = attempt(file, () => readFileSync(path));
  if (!isGzip(bytes)) return parse(file, bytes);
  const unpacked = unzip(file, bytes, 4 + 4 * MOST_AXES, (beginning) => {
    const { header, size } = headerOf(file, beginning);
    return header + size;
  });
  return parse(file, unpacked);
}

/**
 * Returns the bytes of an IDX file that holds `data`.
 * @param shape - the shape of the data
 * @param data - the elements in row-major order
 * @throws ShapeError if the shape does not hold the data, or if IDX cannot hold the shape.
 * @example
 * console.log(encodeIdx([2, 3], new Uint8Array(6)).length); //=> 18
 */
export function encodeIdx(shape: Shape, data: Uint8Array): Uint8Array<ArrayBuffer> {
  checkShape("encodeIdx", shape);
  if (arrayKind(data) !== "Uint8Array")
    throw new ValueError("encodeIdx", `data must be a Uint8Array, got ${describe(data)}${remedyFor(data)}`);
  if (shape.length > MOST_AXES || shape.some((length) => length >= 2 ** 32) || !isCountable(shape))
    throw new ShapeError(
      "encodeIdx",
      `IDX files have at most ${MOST_AXES} axes of lengths below 2^32 and 2^53 elements, got ${show(shape)}`,
    );
  if (sizeOf(shape) !== data.length)
    throw new ShapeError("encodeIdx", `${data.length} bytes do not fill shape ${show(shape)}, which holds ${sizeOf(shape)}`);
  const header = 4 + 4 * shape.length;
  const bytes = new Uint8Array(header + data.length);
  bytes.set([0, 0, unsignedByte, shape.length]);
  const view = new DataView(bytes.buffer);
  for (const [axis, length] of shape.entries()) view.setUint32(4 + 4 * axis, length);
  bytes.set(data, header);
  return bytes;
}

/** Throws outside Node.js, Deno and Bun. */
export function checkFiles(who: string): void {
  if (!hasFiles())
    throw new DataError(who, "reads files, which takes Node; elsewhere fetch the bytes, and give them to parseIdx");
}

function hex(bytes: Iterable<number>): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
}

function attempt<T>(file: string, fn: () => T): T {
  try {
    return fn();
  } catch (cause) {
    throw new DataError(file, `cannot be read (${cause instanceof Error ? cause.message : cause})`, { cause });
  }
}
