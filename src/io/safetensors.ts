import { decodeText, encodeText } from "../kernels/index.ts";
import { HashgradError, type Shape, sizeOf, type Tensor, tensor, ValueError } from "../tensor/index.ts";

/** A file that is not what it should be. */
export class FormatError extends HashgradError {}

/** Named tensors and a few strings about them. */
export type SavedTensors = { readonly tensors: ReadonlyMap<string, Tensor>; readonly metadata: Readonly<Record<string, string>> };

/**
 * Tensors as the bytes of a safetensors file: the length of the header (8 bytes, little-endian), the header as JSON, then the numbers as
 * little-endian float32 one after another (https://huggingface.co/docs/safetensors).
 */
export function encodeSafetensors({ tensors, metadata }: SavedTensors): Uint8Array<ArrayBuffer> {
  const header = new Map<string, unknown>([["__metadata__", metadata]]);
  let end = 0;
  for (const [name, { shape, size }] of tensors) {
    if (name === "__metadata__") throw new ValueError("encodeSafetensors", `"${name}" cannot be the name of a tensor`);
    header.set(name, { dtype: "F32", shape, data_offsets: [end, end + 4 * size] });
    end += 4 * size;
  }
  const unpadded = encodeText(JSON.stringify(Object.fromEntries(header)));
  const length = Math.ceil(unpadded.length / 8) * 8;
  const bytes = new Uint8Array(8 + length + end).fill(0x20, 8, 8 + length); // the header is padded with spaces
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(length), true);
  bytes.set(unpadded, 8);
  let at = 8 + length;
  for (const { data } of tensors.values()) {
    for (let i = 0; i < data.length; i++) view.setFloat32(at + 4 * i, data[i]!, true);
    at += 4 * data.length;
  }
  return bytes;
}

/** The tensors of a safetensors file of float32 numbers. @throws FormatError where the bytes are anything else. */
export function decodeSafetensors(bytes: Uint8Array, name = "safetensors"): SavedTensors {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = bytes.length < 8 ? Number.NaN : Number(view.getBigUint64(0, true));
  if (!(length <= bytes.length - 8))
    throw new FormatError(name, `the header does not fit into ${bytes.length} bytes: cut off, or not a safetensors file`);
  const header = parseHeader(bytes.subarray(8, 8 + length), name);
  const entries: Entry[] = [];
  let metadata: Record<string, string> = {};
  for (const [key, entry] of Object.entries(header)) {
    if (key === "__metadata__") {
      metadata = Object.fromEntries(Object.entries(entry as object).map(([k, v]) => [k, String(v)]));
      continue;
    }
    const { dtype, shape, data_offsets: offsets } = entry as { dtype?: unknown; shape?: unknown; data_offsets?: unknown };
    if (dtype !== "F32") throw new FormatError(name, `"${key}" holds ${String(dtype)}, only F32 is read`);
    if (!isCounts(shape) || !isCounts(offsets) || offsets.length !== 2)
      throw new FormatError(name, `"${key}" has no readable shape and offsets`);
    const [begin, end] = offsets as [number, number];
    if (end - begin !== 4 * sizeOf(shape) || 8 + length + end > bytes.length) {
      throw new FormatError(
        name,
        `"${key}" [${shape.join(", ")}] needs ${4 * sizeOf(shape)} bytes at ${begin}…${end}, the file is cut off or damaged`,
      );
    }
    entries.push({ key, shape, begin, end });
  }
  checkRanges(entries, bytes.length - 8 - length, name);
  const read = ({ key, shape, begin }: Entry): [string, Tensor] => {
    const at = 8 + length + begin;
    const numbers = new Float32Array(sizeOf(shape));
    for (let i = 0; i < numbers.length; i++) numbers[i] = view.getFloat32(at + 4 * i, true);
    return [key, tensor(numbers, shape)];
  };
  return { tensors: new Map(entries.map(read)), metadata };
}

/** What a header says of a tensor: its bytes count from the header's end. */
type Entry = { readonly key: string; readonly shape: Shape; readonly begin: number; readonly end: number };

/** Throws unless every byte belongs to one tensor: what overlaps, or is left over, was not meant so. */
function checkRanges(entries: readonly Entry[], length: number, name: string): void {
  let at = 0;
  for (const { key, begin, end } of entries.toSorted((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (begin !== at)
      throw new FormatError(
        name,
        `"${key}" begins at byte ${begin}, not at ${at}: numbers may not overlap or leave holes; the file is damaged`,
      );
    at = end;
  }
  if (at !== length) throw new FormatError(name, `${length - at} bytes at the end belong to no tensor; the file is damaged`);
}

function parseHeader(bytes: Uint8Array, name: string): Record<string, unknown> {
  try {
    const header: unknown = JSON.parse(decodeText(bytes));
    if (
      typeof header === "object" &&
      header !== null &&
      Object.values(header).every((v) => typeof v === "object" && v !== null)
    ) {
      return header as Record<string, unknown>;
    }
  } catch {
    // falls through to the one error below
  }
  throw new FormatError(name, "the header is not JSON: not a safetensors file");
}

function isCounts(value: unknown): value is Shape {
  return Array.isArray(value) && value.every((n) => Number.isInteger(n) && n >= 0);
}
