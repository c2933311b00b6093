import { MemoryError } from "./errors.ts";

/** Whether this machine stores the low byte of a number first, as files do. */
export const isLittleEndian: boolean = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/** The pieces in one array of `length` bytes. @throws MemoryError, which ends with `remedy`, if memory is too small. */
export function joinBytes(who: string, pieces: Iterable<Uint8Array>, length: number, remedy: string): Uint8Array<ArrayBuffer> {
  const bytes = allocate(who, length, remedy);
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

function allocate(who: string, length: number, remedy: string): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(length);
  } catch (cause) {
    throw new MemoryError(who, `${Math.ceil(length / 1e6)} MB do not fit into one array; ${remedy}`, { cause });
  }
}
