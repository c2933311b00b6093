import type { WorkerOptions } from "bullmq";
import type { Data, Dataset } from "../data/index.ts";
import type { Outputs, Tensor } from "../tensor/index.ts";
import { loadBullmq, openRedis } from "./connection.ts";
import { describeData } from "./identity.ts";
import { keysOf, QUEUE_PREFIX, within } from "./keys.ts";
import { printable } from "./manifest.ts";
import { Refusal } from "./messages.ts";
import { type JoinOptions, type Notice, readJoinOptions } from "./options.ts";
import { type ShardJob, shardWorker } from "./shard-worker.ts";

/** What a worker has done. */
export type JoinResult = {
  /** The number of shards that the worker computed. */
  readonly shards: number;
  /** Whether the signal ended the worker, and not the end of the run. */
  readonly aborted: boolean;
};

/** Milliseconds between two looks at the signal and at the end of the run. */
const TICK = 250;
const CLOSE_MILLISECONDS = 5000;

/**
 * Computes shards for `trainDistributed`, until the run ends. Model, variables, data, loss, transform and generators
 * must be made as in the coordinator: compare the example of the guide docs/guides/distributed.md. The coordinator may
 * start later. If the coordinator is killed, the worker waits for it. The variables of the worker take the weights of
 * each step. A process can run one worker; each shard blocks its event loop.
 * @param options - the model, its variables, the data and the address of Redis
 * @returns the number of shards that the worker computed
 * @throws DistributedError if Redis cannot be reached, or if version, model or data differ from those of the
 * coordinator: the message names the difference. An error of the model, of the data or of the loss ends the worker;
 * the coordinator then computes the shard. ValueError for options of the wrong kind.
 */
export async function joinTraining<D extends Data = Dataset, R extends Outputs = Tensor>(
  options: JoinOptions<D, R>,
): Promise<JoinResult> {
  const who = "joinTraining";
  const run = readJoinOptions(options as JoinOptions<Data, Outputs>);
  const data = describeData(who, run.data, run.digest);
  const notice = (kind: Notice["kind"], message: string): void => run.onNotice({ kind, message: printable(message) });
  const onError = (error: Error): void => notice("connection", error.message);
  const { Worker } = await loadBullmq(who);
  const redis = await openRedis(who, run.connection, { onError });
  try {
    const keys = keysOf(run.name);
    const endedBefore = await redis.get(keys.ended);
    let failure: { readonly error: unknown } | null = null;
    const end = (error: unknown): void => {
      failure ??= { error };
      void worker.pause(true); // takes no further job
    };
    const shards = shardWorker({ run, data, redis, keys, notice, end });
    const process = async (job: { readonly data: ShardJob }): Promise<void> => {
      try {
        await shards.compute(job.data);
      } catch (error) {
        if (!(error instanceof Refusal)) throw error; // BullMQ removes the job, and the coordinator adds it again
        notice("refused", `${error.message}; the job is ignored`);
      }
    };
    const worker = new Worker<ShardJob>(run.name, process, { connection: redis, ...workerOptions(run.lockSeconds) });
    worker.on("failed", (_, error) => onError(error));
    worker.on("error", onError);
    try {
      for (;;) {
        if (failure !== null) throw (failure as { readonly error: unknown }).error;
        if (run.signal?.aborted) return { shards: shards.count(), aborted: true };
        const ended = await Promise.race([redis.get(keys.ended), pause()]);
        if (typeof ended === "string" && ended !== endedBefore) return { shards: shards.count(), aborted: false };
        await pause();
      }
    } finally {
      await within(CLOSE_MILLISECONDS, worker.close());
    }
  } finally {
    redis.disconnect();
  }
}

/** The options of a worker of BullMQ that depend on this library. */
function workerOptions(lockSeconds: number): Omit<WorkerOptions, "connection"> {
  const lock = Math.ceil(1000 * lockSeconds);
  return {
    prefix: QUEUE_PREFIX,
    skipVersionCheck: true, // its warnings would be printed
    concurrency: 1,
    lockDuration: lock,
    stalledInterval: lock,
    drainDelay: 1,
    runRetryDelay: TICK,
    removeOnComplete: { count: 0 },
    removeOnFail: { count: 0 },
  };
}

const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, TICK));
