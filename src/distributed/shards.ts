import type { Data } from "../data/index.ts";
import { Generator, type Outputs, type Parameter, type Tensor } from "../tensor/index.ts";
import { type BatchOptions, type BatchTask, type ComputedBatch, computeBatch, TrainingError } from "../train/index.ts";
import { seedFor, type VariableCreator, weightsOf } from "../variables/index.ts";

// A batch is divided into shards by the positions of its examples. Every result depends on the shard only, never on the
// process that computes the shard.

/** A part of a batch. */
export type Shard = {
  /** The number of the shard in its batch, from 0. */
  readonly shard: number;
  /** The part of the batch as a batch. `share` counts against all examples of the update. */
  readonly task: BatchTask;
  /** The number of the part for the generator of `transform`; undefined if the shard is the whole batch. */
  readonly part: number | undefined;
};

/** The result of a shard: as that of a batch, with the assigned tensors by their position in `Tensors.others`. */
export type ShardResult = Pick<ComputedBatch, "loss" | "correct" | "gradients"> & {
  readonly assigned: readonly (Float32Array | null)[];
};

/** The tensors of a model: the parameters of the optimizer, and all others by name. */
export type Tensors = {
  readonly trained: readonly Parameter[];
  readonly others: readonly (readonly [name: string, tensor: Tensor])[];
};

/** The parameters, and all other weights of `vars`, sorted by name. */
export function tensorsOf(vars: VariableCreator, trained: readonly Parameter[]): Tensors {
  const own = new Set(trained.map(({ tensor }) => tensor));
  const others = [...weightsOf(vars)].filter(([, tensor]) => !own.has(tensor));
  return { trained, others: others.sort(([a], [b]) => (a < b ? -1 : 1)) };
}

/** What shards of a run depend on. */
export type ShardRun = {
  readonly model: BatchOptions<Data, Outputs>["model"];
  readonly data: Data;
  readonly loss?: BatchOptions<Data, Outputs>["loss"];
  readonly transform?: BatchOptions<Data, Outputs>["transform"];
  readonly tensors: Tensors;
  readonly generators: Readonly<Record<string, Generator>>;
  readonly seed: number;
};

/**
 * Divides `count` examples among `shards`: the sizes differ by at most 1, the first shards are larger. Returns the
 * bounds of each shard; shards without examples are left out.
 */
export function boundsOf(count: number, shards: number): readonly (readonly [begin: number, end: number])[] {
  const [least, larger] = [Math.floor(count / shards), count % shards];
  const sizes = Array.from({ length: shards }, (_, i) => least + (i < larger ? 1 : 0)).filter((size) => size > 0);
  let end = 0;
  return sizes.map((size) => {
    end += size;
    return [end - size, end];
  });
}

/** The shards of a batch. `group` is the number of examples of its update. */
export function shardsOf(task: BatchTask, shards: number, group: number): readonly Shard[] {
  return boundsOf(task.indices.length, shards).map(([begin, end], shard) => ({
    shard,
    part: shards === 1 ? undefined : shard,
    task: {
      ...task,
      indices: task.indices.slice(begin, end),
      share: (end - begin) / group,
      where: shards === 1 ? task.where : `${task.where}, shard ${shard + 1}`,
    },
  }));
}

/** The number of examples of the update that a batch belongs to. */
export const groupOf = ({ indices, share }: BatchTask): number => Math.round(indices.length / share);

/** Computes a shard. Generators, gradients and running statistics are afterwards as before. */
export async function computeShard(run: ShardRun, { task, part }: Shard): Promise<ShardResult> {
  const { tensors, generators, seed, model, data, loss, transform } = run;
  const states = Object.values(generators).map(({ state }) => state);
  try {
    for (const [name, generator] of Object.entries(generators))
      generator.state = new Generator(seedFor(seed, `${name} ${task.epoch}/${task.batch}/${part ?? 0}`)).state;
    const options = { model, data, seed, parameters: tensors.trained };
    const optional = { ...(loss === undefined ? {} : { loss }), ...(transform === undefined ? {} : { transform }) };
    const { assigned, ...rest } = await computeBatch<Data, Outputs>({ ...options, ...optional }, task, part);
    const known = new Set(tensors.others.map(([, tensor]) => tensor));
    const unknown = Array.from(assigned.keys()).find((tensor) => !known.has(tensor));
    if (unknown !== undefined)
      throw new TrainingError("train", `the model assigns ${named(unknown)}, which vars does not hold: create it with vars`);
    return { ...rest, assigned: tensors.others.map(([, tensor]) => assigned.get(tensor) ?? null) };
  } finally {
    for (const [i, generator] of Object.values(generators).entries()) generator.state = states[i]!;
  }
}

const named = ({ name }: Tensor): string => (name === null ? "a tensor without a name" : `"${name}"`);

/**
 * The result of a batch from the results of its shards. Adds gradients from left to right in float32. Averages losses
 * and assigned tensors by the number of examples in float64. A shard that does not assign a tensor counts with
 * the present numbers of the tensor.
 */
export function combine(shards: readonly Shard[], results: readonly ShardResult[], { trained, others }: Tensors): ComputedBatch {
  const total = shards.reduce((sum, { task }) => sum + task.indices.length, 0);
  const shares = shards.map(({ task }) => task.indices.length / total);
  const gradients = trained.map((_, i) => sumOf(results.flatMap(({ gradients }) => gradients[i] ?? [])));
  const assigned = new Map<Tensor, Float32Array>();
  for (const [i, [, tensor]] of others.entries()) {
    const values = results.map((result) => result.assigned[i]!);
    if (values.some((value) => value !== null)) assigned.set(tensor, meanOf(values, shares, tensor));
  }
  const counts = results.map(({ correct }) => correct);
  return {
    loss: results.length === 1 ? results[0]!.loss : results.reduce((sum, { loss }, i) => sum + shares[i]! * loss, 0),
    correct: counts.some((count) => count === null) ? null : counts.reduce<number>((sum, count) => sum + count!, 0),
    gradients,
    assigned,
  };
}

function sumOf(arrays: readonly Float32Array[]): Float32Array | null {
  const [first, ...rest] = arrays;
  if (first === undefined) return null;
  const sum = first.slice();
  for (const array of rest) for (let i = 0; i < sum.length; i++) sum[i] = sum[i]! + array[i]!;
  return sum;
}

function meanOf(values: readonly (Float32Array | null)[], shares: readonly number[], tensor: Tensor): Float32Array {
  if (values.length === 1) return values[0]!;
  const sum = new Float64Array(tensor.size);
  for (const [i, value] of values.entries()) {
    const numbers = value ?? tensor.data;
    for (let j = 0; j < sum.length; j++) sum[j] = sum[j]! + shares[i]! * numbers[j]!;
  }
  return Float32Array.from(sum);
}
