import { describe, type Shape, sizeOf } from "../tensor/index.ts";
import type { Source } from "./arguments.ts";
import { reachedIn } from "./checkpoint.ts";
import { FormatError } from "./errors.ts";
import { withBytes } from "./files.ts";
import { isRecord } from "./json.ts";
import { isOwn, readHeader } from "./safetensors.ts";
import { pooledIn, recordIn, recordName } from "./weights.ts";

/**
 * A tensor of a file: its element type by the name of the safetensors format ("F32", "F16", "BF16", "I8", …), and its
 * size in bytes.
 */
export type TensorInfo = { readonly name: string; readonly dtype: string; readonly shape: Shape; readonly bytes: number };

/** What a file records of a pool. A field is null if the file does not record it. */
export type PoolInfo = {
  /** "product", "kronecker", "hash", "meta", or the kind of a pool of your own. */
  readonly kind: string;
  /** The options of the pool, such as `poolSize`, `fraction`, `stddev` and `indexStore`. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly fraction: number | null;
  /** The count of numbers of the pool. */
  readonly trainedSize: number | null;
  /** The count of weights that variables take from the pool. */
  readonly denseSize: number | null;
  readonly modifier: string | null;
  /** The ranges of the pool that each variable takes, for each part of the pool. */
  readonly placements: Readonly<Record<string, unknown>>;
};

/** What a file holds. */
export type FileInfo = {
  /** "weights" of `saveWeights`, "checkpoint" of `saveCheckpoint`, or "safetensors" of another program. */
  readonly kind: "weights" | "checkpoint" | "safetensors";
  /** The version of this library's format, such as "hashgrad 1"; null for a file of another program. */
  readonly format: string | null;
  /** The size of the file. */
  readonly bytes: number;
  /** In the order of the header. Includes the scales of int8 tensors and the state of an optimizer. */
  readonly tensors: readonly TensorInfo[];
  /** Empty for a dense model and for a file of another program. */
  readonly pools: readonly PoolInfo[];
  /** Completed epochs and steps of the optimizer in a checkpoint; null for other files. */
  readonly epoch: number | null;
  readonly steps: number | null;
  /** Completed batches of the next epoch in a checkpoint; null for other files. */
  readonly batch: number | null;
  /** All strings of the file's metadata, as they are. */
  readonly metadata: Readonly<Record<string, string>>;
};

/**
 * Tells what a safetensors file holds, without its numbers: of a path it reads the header only, so the size of the file
 * does not matter. Checks the header and the size of the file, but not the checksum, which covers the numbers.
 * @param source A path (in Node.js, Deno and Bun) or bytes.
 * @throws FormatError if the file is cut off, malformed, or has a record that is not readable. FileError if the file
 * cannot be read. ValueError if `source` is neither a path nor bytes.
 * @example
 * const vars = new DenseVariables();
 * dense(vars, 3, 2);
 * const { tensors } = info(encodeWeights(vars));
 * console.log(tensors.map(({ name, shape }) => `${name} ${shape}`)); //=> [ 'kernel 3,2', 'bias 2' ]
 */
export function info(source: Source): FileInfo {
  return withBytes("info", source, "file", (bytes) => {
    const { metadata, entries } = readHeader(bytes);
    const own = isOwn(metadata);
    const tensors = entries.map(({ key, dtype, shape, begin, end }) => ({ name: key, dtype, shape, bytes: end - begin }));
    const training = own && Object.hasOwn(metadata, "training") ? reachedIn(metadata.training, bytes.name) : null;
    return {
      kind: training !== null ? "checkpoint" : own ? "weights" : "safetensors",
      format: own ? metadata.format! : null,
      bytes: bytes.size,
      tensors,
      pools: own ? poolsIn(bytes.name, metadata, tensors) : [],
      epoch: training?.epoch ?? null,
      steps: training?.steps ?? null,
      batch: training?.batch ?? null,
      metadata,
    };
  });
}

function poolsIn(file: string, metadata: FileInfo["metadata"], tensors: readonly TensorInfo[]): PoolInfo[] {
  const pools: PoolInfo[] = [];
  for (let i = 0; Object.hasOwn(metadata, recordName("pool", i)); i++) {
    const { description = {}, placements = {}, modifier = null } = pooledIn(file, metadata, i);
    const { kind, ...options } = description;
    if (typeof kind !== "string") throw new FormatError(file, `the kind of its pool must be a string, got ${describe(kind)}`);
    pools.push({
      kind,
      options,
      fraction: typeof options.fraction === "number" ? options.fraction : null,
      trainedSize: coreSize(file, metadata[recordName("core", i)], tensors),
      denseSize: placedSize(placements),
      modifier,
      placements,
    });
  }
  return pools;
}

/** The count of the numbers of a pool, whose names the file records as JSON. */
function coreSize(file: string, text: string | undefined, tensors: readonly TensorInfo[]): number | null {
  const names = recordIn(file, text, "the pool's numbers", isNames);
  if (names === undefined) return null;
  const sizes = new Map(tensors.map(({ name, shape }) => [name, sizeOf(shape)]));
  const lost = names.find((name) => !sizes.has(name));
  if (lost !== undefined) throw new FormatError(file, `the numbers ${describe(lost)} of its pool are not in the file`);
  return names.reduce((sum, name) => sum + sizes.get(name)!, 0);
}

const isNames = (record: unknown): record is readonly string[] =>
  Array.isArray(record) && record.every((name) => typeof name === "string");

/** The weights of all variables, counted in the first part of the pool; null for records that do not list ranges. */
function placedSize(placements: Readonly<Record<string, unknown>>): number | null {
  let size = 0;
  for (const parts of Object.values(placements)) {
    const ranges: unknown = Array.isArray(parts) ? parts[0] : undefined;
    if (!Array.isArray(ranges)) return null;
    for (const range of ranges) {
      const length = isRecord(range) ? range.length : undefined;
      if (!Number.isSafeInteger(length)) return null;
      size += length as number;
    }
  }
  return size;
}
