import type { Data, Dataset } from "../data/index.ts";
import type { Outputs, Tensor } from "../tensor/index.ts";
import { type BatchLearner, type ComputedBatch, type History, trainWith } from "../train/index.ts";
import { weightsOf } from "../variables/index.ts";
import { DistributedError } from "./errors.ts";
import { type DistributedOptions, type DistributedRun, readDistributedOptions } from "./options.ts";
import { type Engine, localEngine, redisEngine } from "./redis-engine.ts";
import { savingOf } from "./resume.ts";
import { openSession } from "./session.ts";
import { combine, groupOf, type ShardRun, shardsOf, type Tensors, tensorsOf } from "./shards.ts";

/**
 * Trains a model by several processes, on one or more machines. This process is the coordinator: it divides each batch
 * into `shards` parts, publishes the trained numbers in Redis, and updates the model. Workers (`joinTraining`) compute
 * the gradients of the shards as jobs of BullMQ. Needs Node.js and, unless `connection` is null, the packages bullmq
 * and ioredis.
 *
 * The weights depend on `shards`, but not on the number of workers, on their speed, or on which of them fail. They have
 * the bits of a run with `connection: null`, which computes the same shards in this process. With one shard they have
 * the bits of `train`, unless the model draws from generators. The loss of a shard counts by its share of the batch, as
 * with `accumulate`. Gradients are added in the order of the shards. Batch normalization uses the statistics of a
 * shard. Running statistics are averaged by the number of examples. Metrics are computed for validation data only.
 * @param options - the options of `train`, with `vars`, `connection` and `shards`
 * @returns the history, as `train`
 * @throws DistributedError if Redis cannot be reached, if another coordinator uses the name, or if the checkpoint
 * belongs to another run. TrainingError, DataError and ValueError as `train`.
 * @example
 * const vars = new DenseVariables();
 * const model = toyNetwork(vars);
 * const data = syntheticDigits(100, new Generator(1));
 * const optimizer = adam(vars.parameters());
 * const { epochs } = await trainDistributed({ model, vars, optimizer, data, connection: null, shards: 4 });
 * console.log(epochs[0]!.examples); //=> 100
 */
export async function trainDistributed<D extends Data = Dataset, R extends Outputs = Tensor, M extends string = string>(
  options: DistributedOptions<D, R, M>,
): Promise<History<M>> {
  const run = readDistributedOptions(options as DistributedOptions<Data, Outputs>);
  checkParameters(run);
  const tensors = tensorsOf(run.vars, run.optimizer.parameters);
  const saving = savingOf(run);
  const engine = await engineOf(run, tensors);
  const learner: BatchLearner = async (task): Promise<ComputedBatch | null> => {
    const shards = shardsOf(task, run.shards, groupOf(task));
    const results = await engine.compute(shards, task);
    return results === null ? null : combine(shards, results, tensors);
  };
  try {
    const { connection, shards, gradients, checkpoint, checkpointSeconds, shardSeconds, lockSeconds, ...rest } = run;
    const { name, digest, onNotice, ...train } = rest;
    const history = await trainWith<Data, Outputs>({ ...train, ...saving.hooks }, learner);
    if (history.aborted) saving.finish();
    return history;
  } finally {
    await engine.close();
  }
}

/** Throws if the optimizer has a parameter that workers cannot know. */
function checkParameters({ vars, optimizer }: DistributedRun): void {
  const known = new Set(weightsOf(vars).values());
  const foreign = optimizer.parameters.find(({ tensor }) => !known.has(tensor));
  if (foreign !== undefined)
    throw new DistributedError("trainDistributed", `the optimizer has "${foreign.name}", which vars does not hold`);
}

async function engineOf(run: DistributedRun, tensors: Tensors): Promise<Engine> {
  const { model, data, loss, transform, generators, seed, connection } = run;
  const optional = { ...(loss === undefined ? {} : { loss }), ...(transform === undefined ? {} : { transform }) };
  const own: ShardRun = { model, data, ...optional, tensors, generators, seed };
  return connection === null ? localEngine(run, own) : redisEngine(run, await openSession(run, tensors, connection), own);
}
