import { encodeWeights, type Step } from "./messages.ts";
import type { Session } from "./session.ts";
import type { ShardResult, Tensors } from "./shards.ts";

// The jobs of a step in BullMQ, one for each shard. BullMQ gives the job of a worker that ended to another worker. This
// file adds a job again if BullMQ does not have it any more, or if its answer is late.

/** The job of a shard. */
type ShardJob = {
  /** How often the job was added. */
  attempt: number;
  /** The time of the last addition, in milliseconds. */
  added: number;
  /** The time of the first look that found a worker with the job; null before. */
  taken: number | null;
  /** Looks in a row that found no job. */
  lost: number;
};

/** The jobs of a step. */
export type StepJobs = {
  /** Publishes the weights, then adds a job for each shard without a result. */
  readonly publish: () => Promise<void>;
  /** Publishes the weights alone. */
  readonly sendWeights: () => Promise<void>;
  /** Looks at the state in Redis, and publishes again what is missing. */
  readonly look: () => Promise<void>;
};

/** The name of a job in BullMQ, which allows no colon. */
const nameOf = (run: string, step: number, shard: number, attempt: number): string => `${run}-${step}-${shard}-${attempt}`;

/** Decides by the state of a job whether the shard needs another job. */
function judgeOf(
  step: number,
  jobs: readonly ShardJob[],
  notice: Session["notice"],
  shardSeconds: number,
): (shard: number, state: string) => boolean {
  let isWaitNoted = false;
  const isLate = (since: number): boolean => performance.now() - since > 1000 * shardSeconds;
  return (shard, state) => {
    const job = jobs[shard]!;
    const name = `shard ${shard + 1} of step ${step}`;
    if (state === "waiting" || state === "prioritized" || state === "delayed") {
      if (isWaitNoted || !isLate(job.added)) return false;
      notice("waiting", `no worker has taken ${name} yet`);
      isWaitNoted = true;
      return false;
    }
    if (state === "active") {
      job.taken ??= performance.now();
      if (!isLate(job.taken)) return false;
      notice("again", `${name} is late; its job is added for another worker`);
      return true;
    }
    // A worker pushes its answer before BullMQ removes the job. So the answer of a job that is gone may be under way.
    job.lost++;
    if (job.lost < 2) return false;
    notice("again", `${name} has neither a job nor an answer; its job is added again`);
    return true;
  };
}

/** The jobs of a step. `results` holds null for each shard without an answer. */
export function jobsOf(
  { redis, queue, keys, id, frame, notice, publish: publishRun }: Session,
  tensors: Tensors,
  at: Step,
  results: readonly (ShardResult | null)[],
  shardSeconds: number,
): StepJobs {
  const weights = encodeWeights(frame, at, tensors);
  const jobs: ShardJob[] = results.map(() => ({ attempt: 0, added: 0, taken: null, lost: 0 }));
  const judge = judgeOf(at.step, jobs, notice, shardSeconds);
  const missing = (): number[] => [...results.keys()].filter((shard) => results[shard] === null);
  const sendWeights = async (): Promise<void> => void (await redis.set(keys.weights, weights));
  const add = async (shards: readonly number[]): Promise<void> => {
    for (const shard of shards) {
      const job = jobs[shard]!;
      Object.assign(job, { attempt: job.attempt + 1, added: performance.now(), taken: null, lost: 0 });
    }
    await queue.addBulk(
      shards.map((shard) => ({
        name: "shard",
        data: { run: id, step: at.step, shard },
        opts: { jobId: nameOf(id, at.step, shard, jobs[shard]!.attempt), removeOnComplete: true, removeOnFail: true },
      })),
    );
  };
  const look = async (): Promise<void> => {
    if ((await redis.exists(keys.weights, keys.manifest)) < 2) {
      notice("again", `Redis has lost the weights of step ${at.step}; they are published again`);
      await publishRun();
      await sendWeights();
    }
    const open = missing();
    const states = await Promise.all(open.map((shard) => queue.getJobState(nameOf(id, at.step, shard, jobs[shard]!.attempt))));
    const again = open.filter((shard, i) => results[shard] === null && judge(shard, states[i]!));
    if (again.length === 0) return;
    // A worker may have found a manifest or weights that another program has changed.
    await publishRun();
    await sendWeights();
    await add(again);
  };
  return {
    publish: async () => {
      await sendWeights();
      await add(missing());
    },
    sendWeights,
    look,
  };
}
