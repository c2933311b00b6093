import { assign, readBoolean, readName, readOptions, sameShape, show, type Tensor } from "../tensor/index.ts";
import type { VariableCreator } from "../variables/index.ts";
import { modelOf, readCreator, type Source } from "./arguments.ts";
import { CHECKSUM, checksumOf } from "./checksum.ts";
import { FormatError } from "./errors.ts";
import { replaceFile, withBytes } from "./files.ts";
import { isRecord, parseJson } from "./json.ts";
import { type Metadata, readMetadata } from "./metadata.ts";
import { differenceOf, type SavedPool } from "./pooled.ts";
import { lowered, restored, WEIGHTS_DTYPES, type WeightsDtype } from "./precision.ts";
import { type Decoded, decode, encode, encodePieces, isOwn, type SavedTensors } from "./safetensors.ts";

/** The names of the optimizer's arrays in a checkpoint begin with this. */
export const OPTIMIZER = "optimizer/";

/** The name of a record of pool number i, from 0, in a file's metadata: `pool`, `pool_1`, … */
export const recordName = (name: string, i: number): string => (i === 0 ? name : `${name}_${i}`);

/** Options of `saveWeights` and `encodeWeights`. */
export type SaveOptions = {
  /**
   * The element type of the weights in the file (default "float32"). "float16" and "bfloat16" round to the nearest
   * number. "int8" stores whole numbers from −127 to 127 and a float32 scale for each row, with an error of at most
   * half a scale. Vectors and scalars stay float32: biases, norms, running statistics, learned scales.
   */
  readonly dtype?: WeightsDtype;
  /**
   * Strings to save with the weights, such as the names of the classes (default: none). The checksum covers them, and
   * `info` returns them. Names that the file uses itself are refused.
   */
  readonly metadata?: Metadata;
};

/** The tensors and strings that make a model what it is. `more` are those of a checkpoint. */
export function savedWeights(who: string, vars: VariableCreator, dtype: WeightsDtype, more?: SavedTensors): Decoded {
  const state = modelOf(who, vars);
  const { tensors: weights, types } = lowered(who, state, dtype);
  const tensors = new Map([...weights, ...(more?.tensors ?? [])]);
  const metadata: Record<string, string> = { format: "hashgrad 1", ...more?.metadata };
  if (dtype !== "float32") metadata.dtype = dtype;
  for (const [i, pool] of state.pools.entries()) {
    metadata[recordName("placements", i)] = JSON.stringify(Object.fromEntries(pool.placements));
    metadata[recordName("pool", i)] = JSON.stringify(pool.description);
    metadata[recordName("core", i)] = JSON.stringify(pool.core);
    metadata[recordName("modifier", i)] = pool.modifier;
    metadata[recordName("initializers", i)] = JSON.stringify(Object.fromEntries(pool.initializers));
  }
  metadata[CHECKSUM] = checksumOf(tensors, metadata);
  return { tensors, metadata, types };
}

function readSaved(who: string, vars: VariableCreator, options: SaveOptions | undefined): Decoded {
  readCreator(who, "vars", vars);
  const { dtype = "float32", metadata } = readOptions(who, options, ["dtype", "metadata"]);
  const more = { tensors: new Map(), metadata: readMetadata(who, metadata) };
  return savedWeights(who, vars, readName(who, "dtype", dtype, WEIGHTS_DTYPES), more);
}

/**
 * A model as the bytes of a safetensors file: parameters and running statistics by name. For a compressed model also
 * the pool's factors, the position of each variable in the pool, and the kinds and options of pool and modifier. A
 * checksum covers all of it. As float32, float16 and bfloat16, weights that are not finite are saved as they are.
 *
 * With `dtype: "int8"`, a row is the numbers along the last axis. For a kernel [height, width, in, out] these are the
 * `out` numbers of one pixel and input; for a factor [d, r], the r numbers of a row. A tensor "x" of shape [..., n] is
 * followed by "x:scales" of shape [...]. A tensor whose last axis has a single number, as that of a depthwise kernel,
 * stays float32.
 * @throws ValueError if `vars` is not a creator of variables, or if a weight has no finite value in the element type;
 * the message names the variable. Also if `metadata` has a reserved name or a value that is not a string.
 * MemoryError if the file does not fit into one array.
 * @example
 * const vars = new DenseVariables();
 * dense(vars, 3, 2);
 * const bytes = encodeWeights(vars, { dtype: "float16" });
 * console.log(loadWeights(bytes, vars).loaded); //=> [ 'kernel', 'bias' ]
 */
export function encodeWeights(vars: VariableCreator, options?: SaveOptions): Uint8Array<ArrayBuffer> {
  const saved = readSaved("encodeWeights", vars, options);
  return encode("encodeWeights", saved, saved.types);
}

/**
 * Writes `encodeWeights(vars, options)` to a file of any size, piece by piece. Writes a temporary file in the same
 * folder, then renames it: a reader, a crash or a concurrent writer never finds a partial file. Keeps the permissions
 * of an existing file. If `path` is a link, replaces the file behind the link. Needs Node.js, Deno or Bun.
 *
 * Temporary files have random names like `.hashgrad-….tmp`. A process that is killed while it saves leaves one; the
 * next save into the folder removes it.
 * @param path - the path of the file
 * @param vars - the creator of the model
 * @throws FileError if the file system refuses, or if `path` is a folder, a device, or a link to nothing. The file
 * stays as it was. ValueError as `encodeWeights`.
 */
export function saveWeights(path: string, vars: VariableCreator, options?: SaveOptions): void {
  const saved = readSaved("saveWeights", vars, options);
  replaceFile("saveWeights", path, encodePieces("saveWeights", saved, saved.types));
}

/** What `loadWeights` did with each tensor, by name. */
export type LoadReport = {
  /** In both, with the same shape: loaded. */
  readonly loaded: readonly string[];
  /** In the model, but not in the file: unchanged. */
  readonly missing: readonly string[];
  /** In the file, but not in the model. */
  readonly unexpected: readonly string[];
  /** In both, but with another shape, or part of a pool that makes other weights from the same numbers: unchanged. */
  readonly mismatched: readonly string[];
};

/**
 * Loads a file of `saveWeights` in any element type, the model of a checkpoint, or any other safetensors file into a
 * model. Compares names, shapes, and for a compressed model pool, modifier and the position of each variable in the
 * pool (it follows from the order of creation). Weights that are not finite are loaded as they are.
 *
 * @param source A path (in Node.js, Deno and Bun) or bytes.
 * @returns The names that were loaded, missing, unexpected and mismatched.
 * @throws FormatError if the file is malformed or damaged, or if no tensor fits the model. With `strict`, also if the
 * file differs from the model; the message names the difference. FileError if the file cannot be read. ValueError if an
 * argument is of the wrong kind.
 * @example
 * const vars = new DenseVariables();
 * dense(vars, 3, 2);
 * const { loaded, missing } = loadWeights(encodeWeights(vars), vars, { strict: false });
 * console.log(loaded, missing); //=> [ 'kernel', 'bias' ] []
 */
export function loadWeights(
  source: Source,
  vars: VariableCreator,
  options: {
    /**
     * True (default) refuses the file if anything differs, and changes nothing. False loads the tensors that fit by
     * name and shape, and reports the others. The numbers of a pool fit only if pool, modifier and placements do.
     */
    readonly strict?: boolean;
  } = {},
): LoadReport {
  readCreator("loadWeights", "vars", vars);
  const { strict = true } = readOptions("loadWeights", options, ["strict"]);
  readBoolean("loadWeights", "strict", strict);
  return withBytes("loadWeights", source, "weights", (bytes) => {
    const fit = compare("loadWeights", bytes.name, decode(bytes), vars);
    const fits = fit.pairs.length > 0;
    if (strict) refuseDifferences(bytes.name, fit, fits ? "; { strict: false } loads the tensors that fit" : "");
    const difference = fit.poolDifference ?? fit.difference;
    if (!fits && difference !== null) throw new FormatError(bytes.name, `none of its tensors fits the model: ${difference}`);
    for (const [target, values] of fit.pairs) assign(target, values);
    return fit.report;
  });
}

const DENSE = "it holds no pool: load it into a model with denseVars = new DenseVariables(), then call fitPool(vars, denseVars)";

/** How a file and a model fit: tensors that take the numbers of others, and all names. */
export type Fit = {
  readonly pairs: readonly (readonly [target: Tensor, values: Tensor])[];
  readonly report: LoadReport;
  /** The first difference between the pools or modifiers of file and model, in words; null if there is none. */
  readonly poolDifference: string | null;
  /** The first difference between names and shapes, in words; null if there is none. */
  readonly difference: string | null;
};

/**
 * @throws FormatError if the file and the model differ in anything. `remedy` ends the message about names and shapes.
 */
export function refuseDifferences(file: string, { poolDifference, difference }: Fit, remedy = ""): void {
  if (poolDifference !== null) throw new FormatError(file, poolDifference);
  if (difference !== null) throw new FormatError(file, `${difference}${remedy}`);
}

/**
 * Compares a file with a model, which it does not change. @throws FormatError if a record or the scales of the file are
 * not readable.
 */
export function compare(who: string, file: string, saved: Decoded, vars: VariableCreator): Fit {
  const { weights, pools } = modelOf(who, vars);
  const { tensors, metadata } = restored(saved, file);
  const core = new Set<string>();
  const isDense = !Object.hasOwn(metadata, recordName("pool", 0));
  let poolDifference: string | null = null;
  for (let i = 0; i < Math.max(1, pools.length) || Object.hasOwn(metadata, recordName("pool", i)); i++) {
    const other = differenceOf(pooledIn(file, metadata, i), pools[i] ?? null);
    if (other !== null) for (const name of pools[i]?.core ?? []) core.add(name);
    poolDifference ??= other;
  }
  const pairs: [Tensor, Tensor][] = [];
  const report = { loaded: [] as string[], missing: [] as string[], unexpected: [] as string[], mismatched: [] as string[] };
  let difference: string | null = null;
  for (const [name, target] of weights) {
    const values = tensors.get(name);
    if (values === undefined) {
      report.missing.push(name);
      difference ??= `has no "${name}"; ${isDense && pools.some((pool) => pool.core.includes(name)) ? DENSE : "it was saved from another model"}`;
    } else if (!sameShape(values.shape, target.shape)) {
      report.mismatched.push(name);
      difference ??= `"${name}" has shape ${show(values.shape)}, the model's has ${show(target.shape)}`;
    } else if (core.has(name)) {
      report.mismatched.push(name);
    } else {
      report.loaded.push(name);
      pairs.push([target, values]);
    }
  }
  for (const name of tensors.keys()) {
    if (weights.has(name) || (metadata.training !== undefined && name.startsWith(OPTIMIZER))) continue;
    report.unexpected.push(name);
    difference ??= `holds "${name}", which the model does not have; it was saved from another model`;
  }
  return { pairs, report, poolDifference, difference };
}

/** What a file records of pool number i. @throws FormatError if a record is not readable. */
export function pooledIn(file: string, metadata: SavedTensors["metadata"], i: number): SavedPool {
  const record = (name: string): string | undefined => metadata[recordName(name, i)];
  const placements = recordIn(file, record("placements"), "where variables lie in the pool", isRecord);
  if (!isOwn(metadata)) return { placements, description: undefined, modifier: undefined, initializers: undefined };
  return {
    placements,
    description: recordIn(file, record("pool"), "the pool", isRecord),
    modifier: record("modifier"),
    initializers: recordIn(file, record("initializers"), "the initializers", isRecord),
  };
}

/** A record that the metadata hold as JSON; undefined if there is none. @throws FormatError if `isRight` is false. */
export function recordIn<T>(
  file: string,
  text: string | undefined,
  what: string,
  isRight: (record: unknown) => record is T,
): T | undefined {
  if (text === undefined) return undefined;
  try {
    const record = parseJson(text);
    if (isRight(record)) return record;
  } catch {
    // falls through to the one error below
  }
  throw new FormatError(file, `its record of ${what} is not readable; it was saved by something else`);
}
