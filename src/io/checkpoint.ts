import type { Optimizer } from "../optim/index.ts";
import {
  assign,
  describe,
  Generator,
  readCount,
  readObject,
  readOptions,
  type Tensor,
  tensor,
  ValueError,
} from "../tensor/index.ts";
import type { VariableCreator } from "../variables/index.ts";
import { isMap, modelOf, readCreator, type Source } from "./arguments.ts";
import { FormatError } from "./errors.ts";
import { replaceFile, withBytes } from "./files.ts";
import { isRecord, parseJson } from "./json.ts";
import { type Metadata, readMetadata } from "./metadata.ts";
import { decode, encode, encodePieces, type SavedTensors } from "./safetensors.ts";
import { compare, OPTIMIZER, refuseDifferences, savedWeights } from "./weights.ts";

/** All that the next step of a training run depends on. */
export type TrainingState = {
  /** The creator of the model. */
  readonly vars: VariableCreator;
  /** The optimizer. */
  readonly optimizer: Optimizer;
  /** Other generators that the run draws from, such as dropout's, by names that you choose. Default: none. */
  readonly generators?: Readonly<Record<string, Generator>>;
};

type Generators = Readonly<Record<string, Generator>>;
type States = Readonly<Record<string, readonly number[]>>;

/** Options of `saveCheckpoint` and `encodeCheckpoint`. */
export type CheckpointOptions = {
  /** The number of completed batches of the next epoch (default 0). Only `resumeCheckpoint` loads such a file. */
  readonly batch?: number;
  /** Strings to save with the checkpoint, as for `saveWeights` (default: none). */
  readonly metadata?: Metadata;
};

/** The position of a run, as options of `train`. */
export type ResumePosition = {
  /** The epoch in which the run continues, from 1. */
  readonly firstEpoch: number;
  /** The batch of this epoch with which the run continues, from 1. */
  readonly firstBatch: number;
};

/** The record of training in a checkpoint, beside arrays. */
type Reached = { readonly epoch: number; readonly batch: number; readonly steps: number; readonly generators: States };

/**
 * Returns a training run after `epoch` epochs as the bytes of a safetensors file. The file holds the content of
 * `encodeWeights`, the state of the optimizer as `optimizer/<name>`, and the states of the generators. `loadWeights`
 * reads the model of the file.
 * @param state - the variables, the optimizer and the generators of the run
 * @param epoch - the number of completed epochs
 * @throws ValueError if an argument is of the wrong kind, or if `epoch` or `batch` is not a whole number of at least 0.
 * Also if the name of a variable begins with "optimizer/", and for metadata that `encodeWeights` refuses.
 * @example
 * const vars = new DenseVariables();
 * dense(vars, 3, 2);
 * const bytes = encodeCheckpoint({ vars, optimizer: adam(vars.parameters()) }, 5);
 * console.log(loadCheckpoint(bytes, { vars, optimizer: adam(vars.parameters()) })); //=> 5
 */
export function encodeCheckpoint(state: TrainingState, epoch: number, options?: CheckpointOptions): Uint8Array<ArrayBuffer> {
  return encode("encodeCheckpoint", savedRun("encodeCheckpoint", state, epoch, options));
}

/**
 * Writes `encodeCheckpoint(state, epoch, options)` to a file, as `saveWeights` does: a crash never leaves a partial
 * file at `path`. Needs Node.js, Deno or Bun.
 * @param path - the path of the file
 * @param state - the variables, the optimizer and the generators of the run
 * @param epoch - the number of completed epochs
 * @throws FileError if the file system refuses; the previous file stays. ValueError as `encodeCheckpoint`.
 */
export function saveCheckpoint(path: string, state: TrainingState, epoch: number, options?: CheckpointOptions): void {
  const saved = savedRun("saveCheckpoint", state, epoch, options);
  replaceFile("saveCheckpoint", path, encodePieces("saveCheckpoint", saved));
}

function savedRun(who: string, state: TrainingState, epoch: number, options: CheckpointOptions | undefined): SavedTensors {
  const { vars, optimizer, generators } = readState(who, state);
  readCount(who, "epoch", epoch, 0);
  const { batch = 0, metadata } = readOptions(who, options, ["batch", "metadata"]);
  readCount(who, "batch", batch, 0);
  const strings = readMetadata(who, metadata);
  const taken = [...withoutDrawing(generators, () => modelOf(who, vars)).weights.keys()].find((name) =>
    name.startsWith(OPTIMIZER),
  );
  if (taken !== undefined)
    throw new ValueError(who, `"${taken}" begins like the optimizer's state; give the layer another scope()`);
  const { steps, arrays } = readObject(who, "state.optimizer.state()", optimizer.state());
  if (!isMap(arrays)) throw new ValueError(who, `the arrays of state.optimizer must be a Map, got ${describe(arrays)}`);
  // Without a batch the record is that of earlier versions.
  const reached = { epoch, ...(batch === 0 ? {} : { batch }), steps, generators: statesOf(generators) };
  const tensors = new Map(
    [...arrays].map(([name, numbers]): [string, Tensor] => [OPTIMIZER + name, tensor(numbers, [numbers.length])]),
  );
  return withoutDrawing(generators, () =>
    savedWeights(who, vars, "float32", { tensors, metadata: { ...strings, training: JSON.stringify(reached) } }),
  );
}

/**
 * Loads a file of `saveCheckpoint` into a run that was built the same way, and returns the number of completed epochs.
 *
 * If `train` continues with `firstEpoch` one above, it ends with exactly the same weights as an uninterrupted run. This
 * holds if data, seed, batch size, schedule, and kind and options of the optimizer are the same. The file does not hold
 * these settings. If anything in the file differs from the run, nothing is changed.
 * @param source - a path (in Node.js, Deno and Bun) or bytes
 * @param state - the variables, the optimizer and the generators of the run
 * @returns the number of epochs that the run had completed
 * @throws FormatError if the file is malformed or damaged, or if file and run differ (see `loadWeights`; also the names
 * of the generators). Also if the file was saved within an epoch. FileError if the file cannot be read. ValueError or
 * ShapeError if the optimizer's state belongs to another optimizer.
 * @example
 * const vars = new DenseVariables();
 * dense(vars, 3, 2);
 * const state = { vars, optimizer: adam(vars.parameters()) };
 * console.log(loadCheckpoint(encodeCheckpoint(state, 5), state)); //=> 5
 */
export function loadCheckpoint(source: Source, state: TrainingState): number {
  return restore("loadCheckpoint", source, state, false).epoch;
}

/**
 * Loads a file of `saveCheckpoint`, as `loadCheckpoint` does. Also reads a file that was saved within an epoch. Returns
 * the position of the run, which may be spread into the options of `train`. The run then ends with exactly the same
 * weights as an uninterrupted run.
 * @param source - a path (in Node.js, Deno and Bun) or bytes
 * @param state - the variables, the optimizer and the generators of the run
 * @throws FormatError, FileError, ValueError and ShapeError as `loadCheckpoint`.
 * @example
 * const vars = new DenseVariables();
 * dense(vars, 3, 2);
 * const state = { vars, optimizer: adam(vars.parameters()) };
 * const bytes = encodeCheckpoint(state, 5, { batch: 20 });
 * console.log(resumeCheckpoint(bytes, state)); //=> { firstEpoch: 6, firstBatch: 21 }
 */
export function resumeCheckpoint(source: Source, state: TrainingState): ResumePosition {
  const { epoch, batch } = restore("resumeCheckpoint", source, state, true);
  return { firstEpoch: epoch + 1, firstBatch: batch + 1 };
}

/** Loads a checkpoint. `withinEpoch`: whether the file may be of the middle of an epoch. */
function restore(who: string, source: Source, state: TrainingState, withinEpoch: boolean): Reached {
  const { vars, optimizer, generators } = readState(who, state);
  return withBytes(who, source, "checkpoint", (bytes) => {
    const { name: file } = bytes;
    const saved = decode(bytes);
    const reached = reachedIn(saved.metadata.training, file);
    const { epoch, batch, steps, generators: states } = reached;
    if (batch > 0 && !withinEpoch)
      throw new FormatError(file, `was saved in epoch ${epoch + 1}, after batch ${batch}: load it with resumeCheckpoint`);
    const other = [...Object.keys(states), ...Object.keys(generators)].find(
      (name) => !(Object.hasOwn(states, name) && Object.hasOwn(generators, name)),
    );
    if (other !== undefined) {
      const where = Object.hasOwn(states, other) ? "file" : "run";
      throw new FormatError(file, `the generator "${other}" is in the ${where} alone; give the same as when it was saved`);
    }
    const fit = withoutDrawing(generators, () => compare(who, file, saved, vars));
    refuseDifferences(file, fit);
    const arrays = new Map<string, ArrayLike<number>>();
    for (const [name, { data }] of saved.tensors) if (name.startsWith(OPTIMIZER)) arrays.set(name.slice(OPTIMIZER.length), data);
    optimizer.restore({ steps, arrays }); // compares everything before it changes anything
    for (const [target, values] of fit.pairs) assign(target, values);
    setStates(generators, states);
    return reached;
  });
}

function readState(who: string, state: TrainingState): TrainingState & { readonly generators: Generators } {
  const { vars, optimizer, generators = {} } = readObject(who, "state", state);
  readCreator(who, "state.vars", vars);
  readObject(who, "state.optimizer", optimizer);
  if (typeof optimizer.state !== "function" || typeof optimizer.restore !== "function")
    throw new ValueError(who, `state.optimizer must be an optimizer such as adam(vars.parameters()), got ${describe(optimizer)}`);
  for (const [name, generator] of Object.entries(readObject(who, "state.generators", generators))) {
    if (!(generator instanceof Generator))
      throw new ValueError(who, `state.generators.${name} must be a Generator, got ${describe(generator)}`);
  }
  return { vars, optimizer, generators };
}

const statesOf = (generators: Generators): States =>
  Object.fromEntries(Object.entries(generators).map(([name, { state }]) => [name, state]));

function setStates(generators: Generators, states: States): void {
  for (const [name, generator] of Object.entries(generators)) generator.state = states[name]!;
}

/** Reading a variable of a user's own creator may draw numbers. Afterwards the generators are as before. */
function withoutDrawing<T>(generators: Generators, fn: () => T): T {
  const states = statesOf(generators);
  try {
    return fn();
  } finally {
    setStates(generators, states);
  }
}

/** The record of training in a checkpoint's metadata. @throws FormatError if the text is not such a record. */
export function reachedIn(text: string | undefined, file: string): Reached {
  if (text === undefined)
    throw new FormatError(file, "is not a checkpoint: it has no record of training; loadWeights reads weights");
  try {
    const reached = parseJson(text);
    if (isRecord(reached) && isRecord(reached.generators)) {
      const { epoch, batch = 0, steps, generators } = reached;
      for (const state of Object.values(generators)) checkState(state);
      return {
        epoch: readCount(file, "epoch", epoch, 0),
        batch: readCount(file, "batch", batch, 0),
        steps: readCount(file, "steps", steps, 0),
        generators: generators as States,
      };
    }
  } catch {
    // falls through to the one error below
  }
  throw new FormatError(file, "its record of training is not readable; it was saved by something else");
}

/** Throws unless a generator accepts the state. */
function checkState(state: unknown): void {
  if (!Array.isArray(state) || state.length !== 4) throw new RangeError("a state is a list of four numbers");
  new Generator(0).state = state;
}
