import { DataError } from "./errors.ts";

/** The largest expansion factor of deflate. */
const MOST_EXPANSION = 1032;
/** The compressed bytes that are unpacked to find the header, in pieces of this size. */
const PIECE = 1 << 12;
/** The largest number of pieces of the header. A gzip header, with its file name, may take 64 kB. */
const MOST_PIECES = 64;

export function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}

/**
 * Unpacks a gzip file, but no more bytes than its own header announces: a small file cannot fill the memory. The file
 * may have several members.
 *
 * `file` begins the messages. `announced` returns the length of the whole from the first `mostHeader` bytes, or fewer
 * if there are no more.
 * @throws DataError if the stream is broken, holds more than it announces, or if bytes follow it.
 */
export function unzip(
  file: string,
  bytes: Uint8Array,
  mostHeader: number,
  announced: (beginning: Uint8Array) => number,
): Uint8Array {
  const { gunzipSync } = process.getBuiltinModule("node:zlib");
  const size = announced(beginningOf(file, bytes, mostHeader));
  const most = bytes.length * MOST_EXPANSION;
  if (size > most) {
    throw new DataError(
      file,
      `truncated: its header announces ${size} bytes, the gzip stream holds at most ${most}; download it again`,
    );
  }
  let unpacked: unknown;
  try {
    // `info` makes Node return the engine too, which says how many bytes of the file belong to the stream.
    unpacked = gunzipSync(bytes, { maxOutputLength: Math.max(1, size), info: true });
  } catch (cause) {
    if (!isTooLarge(cause)) throw broken(file, cause);
    throw new DataError(file, `trailing bytes: its header announces ${size} bytes in all, the gzip stream holds more`, { cause });
  }
  const { buffer, engine } = unpacked as Inflated;
  const trailing = bytes.length - engine.bytesWritten;
  if (trailing > 0) throw new DataError(file, `${trailing} trailing bytes after the gzip stream`);
  return buffer;
}

/** What `gunzipSync` returns if `info` is set. Node's types leave it out. */
type Inflated = { readonly buffer: Buffer<ArrayBuffer>; readonly engine: { readonly bytesWritten: number } };

/** The first `length` bytes of the contents, or all of them if there are fewer. */
function beginningOf(file: string, bytes: Uint8Array, length: number): Uint8Array {
  const { constants, gunzipSync } = process.getBuiltinModule("node:zlib");
  const options = { finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength: 2 * PIECE * MOST_EXPANSION };
  for (let pieces = 1; pieces <= MOST_PIECES; pieces++) {
    let beginning: Uint8Array;
    try {
      beginning = gunzipSync(bytes.subarray(0, pieces * PIECE), options);
    } catch (cause) {
      throw broken(file, cause);
    }
    if (beginning.length >= length || pieces * PIECE >= bytes.length) return beginning.subarray(0, length);
  }
  throw new DataError(file, `the first ${MOST_PIECES * PIECE} bytes of the gzip stream unpack to fewer than ${length} bytes`);
}

const isTooLarge = (error: unknown): boolean =>
  error instanceof RangeError && "code" in error && error.code === "ERR_BUFFER_TOO_LARGE";

function broken(file: string, cause: unknown): DataError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new DataError(file, `the gzip stream is broken, download it again (${reason})`, { cause });
}
