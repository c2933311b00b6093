import { alloc, decodeText, encodeText, joinBytes } from "../kernels/index.ts";
import {
  describe,
  fresh,
  readObject,
  readTensor,
  readText,
  type Shape,
  show,
  sizeOf,
  type Tensor,
  ValueError,
} from "../tensor/index.ts";
import { bytesIn, isMap } from "./arguments.ts";
import { CHECKSUM, checksumOf } from "./checksum.ts";
import { convert, dtypes, writeNumbers } from "./dtypes.ts";
import { FormatError } from "./errors.ts";
import { type Bytes, inMemory } from "./files.ts";
import { isRecord, parseJson } from "./json.ts";

/** Named tensors and strings about them. */
export type SavedTensors = { readonly tensors: ReadonlyMap<string, Tensor>; readonly metadata: Readonly<Record<string, string>> };

/** The element types of tensors by name; F32 if a name is missing. */
export type Types = ReadonlyMap<string, string>;
const typeOf = (types: Types | undefined, name: string): NonNullable<ReturnType<typeof dtypes.get>> =>
  dtypes.get(types?.get(name) ?? "F32")!;

const METADATA = "__metadata__";
/** Bytes that are read or written at once; every element size divides it. */
const PIECE = 1 << 22;
/** The longest header. The reference implementation has the same limit. */
const MOST_HEADER = 100_000_000;

/**
 * Returns tensors as the bytes of a safetensors file (https://huggingface.co/docs/safetensors). The file has the length
 * of the header (8 bytes, little-endian), the header as JSON, then the numbers of each tensor as little-endian float32.
 * Writes the metadata as given.
 * @param saved - the tensors and the metadata
 * @throws ValueError if `tensors` is not a Map of tensors, a name is "__metadata__", or a value of `metadata` is not a
 * string. MemoryError if the file does not fit into one array.
 * @example
 * const bytes = encodeSafetensors({ tensors: new Map([["w", ones([2, 3])]]), metadata: { author: "me" } });
 * console.log(decodeSafetensors(bytes).tensors.get("w")); //=> Tensor [2, 3] 1 1 1 1 1 1
 */
export function encodeSafetensors(saved: SavedTensors): Uint8Array<ArrayBuffer> {
  return encode("encodeSafetensors", saved);
}

/** The same in other element types, F16, BF16 or I8, for tensors whose numbers these types hold exactly. */
export function encode(who: string, saved: SavedTensors, types?: Types): Uint8Array<ArrayBuffer> {
  const { header, length } = headerOf(who, saved, types);
  const remedy = "saveWeights and saveCheckpoint write files of any size";
  return joinBytes(who, pieces(header, saved, types), header.length + length, remedy);
}

/**
 * The same bytes piece by piece, without a second copy of the numbers. A piece is valid until the next one is asked
 * for.
 */
export function encodePieces(who: string, saved: SavedTensors, types?: Types): Iterable<Uint8Array> {
  return pieces(headerOf(who, saved, types).header, saved, types);
}

function* pieces(header: Uint8Array, { tensors }: SavedTensors, types?: Types): Iterable<Uint8Array> {
  yield header;
  const piece = new Uint8Array(PIECE);
  for (const [name, { data }] of tensors) {
    const type = typeOf(types, name);
    for (let first = 0; first < data.length; first += PIECE / type.bytes) {
      const count = Math.min(PIECE / type.bytes, data.length - first);
      writeNumbers(type, data, first, count, piece);
      yield piece.subarray(0, type.bytes * count);
    }
  }
}

/**
 * The length of the header and the header itself, padded with spaces to a multiple of 8 bytes; and how many bytes of
 * numbers follow.
 */
function headerOf(who: string, saved: SavedTensors, types?: Types): { readonly header: Uint8Array; readonly length: number } {
  const { tensors, metadata } = readSavedTensors(who, saved);
  const entries: [string, unknown][] = [[METADATA, metadata]];
  let end = 0;
  for (const [name, { shape, size }] of tensors) {
    const bytes = typeOf(types, name).bytes * size;
    entries.push([name, { dtype: types?.get(name) ?? "F32", shape, data_offsets: [end, end + bytes] }]);
    end += bytes;
  }
  const text = encodeText(JSON.stringify(Object.fromEntries(entries)));
  const header = new Uint8Array(8 + Math.ceil(text.length / 8) * 8).fill(0x20);
  new DataView(header.buffer).setBigUint64(0, BigInt(header.length - 8), true);
  header.set(text, 8);
  return { header, length: end };
}

function readSavedTensors(who: string, saved: SavedTensors): SavedTensors {
  const { tensors, metadata } = readObject(who, "saved", saved);
  if (!isMap(tensors)) throw new ValueError(who, `tensors must be a Map from names to tensors, got ${describe(tensors)}`);
  for (const [name, x] of tensors) {
    readText(who, "the name of a tensor", name);
    readTensor(who, `tensor ${JSON.stringify(name)}`, x);
    if (name === METADATA) throw new ValueError(who, `"${name}" cannot be the name of a tensor`);
  }
  for (const [key, value] of Object.entries(readObject(who, "metadata", metadata)))
    readText(who, `metadata ${JSON.stringify(key)}`, value);
  return saved;
}

/**
 * Returns the tensors of a safetensors file, converted to float32. Reads F32, F64, F16, BF16, I8, U8, I16, U16, I32,
 * U32, I64, U64 and BOOL. F64 is rounded to float32 (about 7 digits; beyond 3.4·10³⁸ infinite), and so are I32, U32,
 * I64 and U64 numbers beyond 2²⁴. The other types keep their values. If the metadata has the checksum that
 * `saveWeights` writes, the content must match.
 * @param bytes - a Uint8Array, another view or an ArrayBuffer
 * @param name - the name of the file in messages (default "safetensors")
 * @throws FormatError if the bytes are anything else: malformed, cut off, damaged, or of another element type.
 * @example
 * const bytes = encodeSafetensors({ tensors: new Map([["w", ones([2])]]), metadata: {} });
 * console.log([...decodeSafetensors(bytes).tensors.keys()]); //=> [ 'w' ]
 */
export function decodeSafetensors(bytes: ArrayBufferView | ArrayBuffer, name = "safetensors"): SavedTensors {
  const found = bytesIn(bytes);
  readText("decodeSafetensors", "name", name);
  if (found === null)
    throw new ValueError("decodeSafetensors", `bytes must be a Uint8Array or an ArrayBuffer, got ${describe(bytes)}`);
  const { tensors, metadata } = decode(inMemory(found, name));
  return { tensors, metadata };
}

/** What a header says of a tensor. Its bytes count from the end of the header. */
type Entry = {
  readonly key: string;
  readonly dtype: string;
  readonly shape: Shape;
  readonly begin: number;
  readonly end: number;
};

/** All that a file says before its numbers, which begin at byte `start`. `sorted`: the entries by their bytes. */
type Header = {
  readonly metadata: SavedTensors["metadata"];
  readonly entries: readonly Entry[];
  readonly sorted: readonly Entry[];
  readonly start: number;
};

/** Reads and checks the header alone. The checksum, which covers the numbers, is not compared. */
export function readHeader(bytes: Bytes): Header {
  const { name, size } = bytes;
  const length = size < 8 ? Number.NaN : Number(viewOf(bytes.read(0, 8)).getBigUint64(0, true));
  if (!(length <= size - 8))
    throw new FormatError(name, `the header does not fit into ${size} bytes: cut off, or not a safetensors file`);
  if (length > MOST_HEADER) throw new FormatError(name, `the header has ${length} bytes, at most ${MOST_HEADER} are read`);
  const header = parseHeader(bytes.read(8, 8 + length), name);
  const metadata = metadataIn(header[METADATA], name);
  const entries = Object.entries(header).flatMap(([key, entry]) => (key === METADATA ? [] : [entryOf(key, entry, name)]));
  return { metadata, entries, sorted: sortedRanges(entries, size - 8 - length, name), start: 8 + length };
}

/** Tensors, metadata, and the element types of the tensors. */
export type Decoded = SavedTensors & { readonly types: Types };

export function decode(bytes: Bytes): Decoded {
  const { metadata, entries, sorted, start } = readHeader(bytes);
  const read = new Map(sorted.map((entry) => [entry.key, readNumbers(bytes, start, entry)]));
  const tensors = new Map(entries.map(({ key }) => [key, read.get(key)!])); // as the header lists them
  if (isOwn(metadata) && metadata[CHECKSUM] !== undefined && metadata[CHECKSUM] !== checksumOf(tensors, metadata))
    throw new FormatError(bytes.name, "its content does not fit its checksum; the file is damaged or was changed");
  return { tensors, metadata, types: new Map(entries.map(({ key, dtype }) => [key, dtype])) };
}

/** Whether this library wrote the file. Other programs may use the same keys for other purposes. */
export function isOwn(metadata: SavedTensors["metadata"]): boolean {
  return metadata.format?.startsWith("hashgrad ") === true;
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

function parseHeader(bytes: Uint8Array, name: string): Readonly<Record<string, unknown>> {
  let reason = "";
  try {
    const text = decodeText(bytes.slice()); // decoders refuse shared memory
    const header = parseJson(text);
    if (isRecord(header)) return header;
    reason = "the header is not an object";
  } catch (error) {
    reason =
      error instanceof SyntaxError && /^(has|nests)/.test(error.message)
        ? `the header ${error.message}`
        : "the header is not JSON";
  }
  throw new FormatError(name, `${reason}: not a safetensors file`);
}

function metadataIn(value: unknown, name: string): Readonly<Record<string, string>> {
  if (value === undefined) return {};
  if (!isRecord(value)) throw new FormatError(name, `its metadata must be an object of strings, got ${describe(value)}`);
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== "string")
      throw new FormatError(name, `its metadata ${describe(key)} must be a string, got ${describe(text)}`);
  }
  return value as Readonly<Record<string, string>>;
}

function entryOf(key: string, entry: unknown, name: string): Entry {
  const { dtype, shape, data_offsets: offsets } = isRecord(entry) ? entry : {};
  const bytes = typeof dtype === "string" ? dtypes.get(dtype)?.bytes : undefined;
  if (bytes === undefined) {
    const known = [...dtypes.keys()].join(", ");
    throw new FormatError(name, `${describe(key)} must have one of the element types ${known}, got ${describe(dtype)}`);
  }
  if (!isCounts(shape) || !isCounts(offsets) || offsets.length !== 2)
    throw new FormatError(name, `${describe(key)} has no readable shape and offsets`);
  const [begin, end] = offsets as [number, number];
  const size = shape.includes(0) ? 0 : bytes * sizeOf(shape);
  if (end - begin !== size)
    throw new FormatError(
      name,
      `${describe(key)} ${show(shape)} of ${dtype} needs ${size} bytes, its offsets are ${begin} and ${end}; the file is damaged`,
    );
  return { key, dtype: dtype as string, shape, begin, end };
}

/**
 * Lists of whole numbers that are exact. 64 axes are more than any model has; more could make a size that is not a
 * number.
 */
function isCounts(value: unknown): value is Shape {
  return Array.isArray(value) && value.length <= 64 && value.every((n) => Number.isSafeInteger(n) && n >= 0);
}

/** The entries in the order of their bytes. @throws FormatError unless every byte belongs to exactly one tensor. */
function sortedRanges(entries: readonly Entry[], length: number, name: string): readonly Entry[] {
  const sorted = entries.toSorted((a, b) => a.begin - b.begin || a.end - b.end);
  let at = 0;
  for (const { key, begin, end } of sorted) {
    if (begin !== at) {
      const rule = "numbers may not overlap or leave holes";
      throw new FormatError(name, `${describe(key)} begins at byte ${begin}, not at ${at}: ${rule}; the file is damaged`);
    }
    if (end > length)
      throw new FormatError(name, `${describe(key)} ends at byte ${end} of ${length}: the file is cut off or damaged`);
    at = end;
  }
  if (at !== length) throw new FormatError(name, `${length - at} bytes at the end belong to no tensor; the file is damaged`);
  return sorted;
}

function readNumbers(bytes: Bytes, start: number, { dtype, shape, begin, end }: Entry): Tensor {
  const type = dtypes.get(dtype)!;
  const numbers = alloc((end - begin) / type.bytes);
  for (let at = begin; at < end; at += PIECE) {
    const piece = bytes.read(start + at, start + Math.min(at + PIECE, end));
    convert(type, piece, numbers, (at - begin) / type.bytes);
  }
  return fresh([...shape], numbers);
}
