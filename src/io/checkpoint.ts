import type { Optimizer } from "../optim/index.ts";
import { Generator, readCount, type Tensor, tensor, ValueError } from "../tensor/index.ts";
import { readSaved, replaceFile, type Source } from "./files.ts";
import { encodeSafetensors, FormatError } from "./safetensors.ts";
import { assignWeights, OPTIMIZER, type Placed, savedWeights } from "./weights.ts";

/** All that the next step of a training run depends on. */
export type TrainingState = {
  readonly vars: Placed;
  readonly optimizer: Optimizer;
  /** What else is drawn from, such as dropout's generator, by names of one's own. */
  readonly generators?: Generators;
};

type Generators = Readonly<Record<string, Generator>>;
type States = Readonly<Record<string, readonly number[]>>;

/** What a checkpoint holds besides arrays. */
type Reached = { readonly epoch: number; readonly steps: number; readonly generators: States };

/**
 * A training run after `epoch` epochs as the bytes of a safetensors file: what `encodeWeights` makes, the optimizer's state as
 * `optimizer/<name>`, and the generators' states. `loadWeights` reads the model alone.
 *
 * @throws ValueError for an epoch that is no count, or a variable whose name begins with "optimizer/".
 */
export function encodeCheckpoint({ vars, optimizer, generators = {} }: TrainingState, epoch: number): Uint8Array<ArrayBuffer> {
  readCount("encodeCheckpoint", "epoch", epoch, 0);
  const { tensors, metadata } = withoutDrawing(generators, () => savedWeights(vars));
  const taken = [...tensors.keys()].find((name) => name.startsWith(OPTIMIZER));
  if (taken !== undefined)
    throw new ValueError("encodeCheckpoint", `"${taken}" begins like the optimizer's state; give the layer another scope()`);
  const { steps, arrays } = optimizer.state();
  const reached: Reached = { epoch, steps, generators: statesOf(generators) };
  return encodeSafetensors({
    tensors: new Map([
      ...tensors,
      ...[...arrays].map(([name, numbers]): [string, Tensor] => [OPTIMIZER + name, tensor(numbers, [numbers.length])]),
    ]),
    metadata: { ...metadata, training: JSON.stringify(reached) },
  });
}

/** Writes `encodeCheckpoint(state, epoch)` to a file, as `saveWeights` does: never half a file. In Node only. */
export function saveCheckpoint(path: string, state: TrainingState, epoch: number): void {
  replaceFile(path, encodeCheckpoint(state, epoch));
}

/**
 * Reads what `saveCheckpoint` wrote, from a path (in Node) or bytes, into a run that was built the same way; returns how many epochs it
 * had done. `train` goes on with `firstEpoch` one above, and reaches the bits of a run that was never interrupted, where what is not in the
 * file is the same: data, seed, batch size, schedule, the optimizer's kind and options. Where anything differs nothing is changed.
 *
 * @throws FormatError where the file and the run differ (what `loadWeights` compares, and the generators' names); ValueError or
 * ShapeError where the optimizer's state is another's.
 */
export function loadCheckpoint(source: Source, { vars, optimizer, generators = {} }: TrainingState): number {
  const { name: file, saved } = readSaved(source, "checkpoint");
  const { epoch, steps, generators: states } = reachedIn(saved.metadata.training, file);
  const other = [...Object.keys(states), ...Object.keys(generators)].find(
    (name) => !(Object.hasOwn(states, name) && Object.hasOwn(generators, name)),
  );
  if (other !== undefined) {
    const where = Object.hasOwn(states, other) ? "file" : "run";
    throw new FormatError(file, `the generator "${other}" is in the ${where} alone; give the same as when it was saved`);
  }
  const arrays = new Map<string, ArrayLike<number>>();
  for (const [name, { data }] of saved.tensors) if (name.startsWith(OPTIMIZER)) arrays.set(name.slice(OPTIMIZER.length), data);

  const takeBack = withoutDrawing(generators, () => assignWeights(file, saved, vars));
  try {
    optimizer.restore({ steps, arrays });
  } catch (error) {
    takeBack();
    throw error;
  }
  setStates(generators, states);
  return epoch;
}

const statesOf = (generators: Generators): States =>
  Object.fromEntries(Object.entries(generators).map(([name, { state }]) => [name, state]));

function setStates(generators: Generators, states: States): void {
  for (const [name, generator] of Object.entries(generators)) generator.state = states[name]!;
}

/** Reading weights runs modifiers, and those may draw: afterwards the generators stand where they stood. */
function withoutDrawing<T>(generators: Generators, fn: () => T): T {
  const states = statesOf(generators);
  try {
    return fn();
  } finally {
    setStates(generators, states);
  }
}

/** The record of a checkpoint's training. @throws FormatError where it is none. */
function reachedIn(text: string | undefined, path: string): Reached {
  if (text === undefined) throw new FormatError(path, "is no checkpoint: it says nothing of training; loadWeights reads weights");
  try {
    const reached: Reached = JSON.parse(text);
    readCount(path, "epoch", reached.epoch, 0);
    readCount(path, "steps", reached.steps, 0);
    for (const state of Object.values(reached.generators)) new Generator(0).state = state; // throws where it is none
    return reached;
  } catch {
    throw new FormatError(path, "its record of training is not readable; it was saved by something else");
  }
}
