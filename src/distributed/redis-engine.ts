import { areFinite } from "../tensor/index.ts";
import type { BatchTask } from "../train/index.ts";
import { DistributedError } from "./errors.ts";
import { differenceOf } from "./identity.ts";
import { jobsOf, type StepJobs } from "./jobs.ts";
import { sleep } from "./keys.ts";
import { decodeIdentity } from "./manifest.ts";
import { type Answer, decodeAnswer, Refusal, type Step } from "./messages.ts";
import type { DistributedRun } from "./options.ts";
import { roundedResult } from "./rounding.ts";
import type { Session } from "./session.ts";
import { computeShard, groupOf, type Shard, type ShardResult, type ShardRun } from "./shards.ts";

/** What computes the shards of a batch; null if the signal ended the wait. */
export type Engine = {
  readonly compute: (shards: readonly Shard[], task: BatchTask) => Promise<readonly ShardResult[] | null>;
  readonly close: () => Promise<void>;
};

/** Computes all shards in this process, one after another. */
export function localEngine(run: DistributedRun, own: ShardRun): Engine {
  return {
    compute: async (shards) => {
      const results: ShardResult[] = [];
      for (const shard of shards) {
        if (run.signal?.aborted) return null;
        results.push(await computeHere(run, own, shard));
      }
      return results;
    },
    close: async () => undefined,
  };
}

const computeHere = async ({ gradients }: DistributedRun, own: ShardRun, shard: Shard): Promise<ShardResult> =>
  roundedResult(await computeShard(own, shard), gradients, own.seed, shard);

/** Computes shards by workers. */
export function redisEngine(run: DistributedRun, session: Session, own: ShardRun): Engine {
  const here = localEngine(run, own);
  const { trained, others } = own.tensors;
  const all = [...trained.map(({ tensor }) => tensor), ...others.map(([, tensor]) => tensor)];
  let step = 0;
  return {
    compute: async (shards, task) => {
      // Workers refuse weights that are not finite. This process names the op from which the loss is not finite.
      if (!all.every(({ data }) => areFinite(data))) return here.compute(shards, task);
      step++;
      const { epoch, batch, isFirst, trained, indices } = task;
      return collect(run, session, own, shards, { step, epoch, batch, isFirst, trained, indices, group: groupOf(task) });
    },
    close: session.close,
  };
}

/** Milliseconds between two looks at the jobs of shards that have no answer. */
const TICK = 500;

/** Publishes a step, and waits for the answers to all shards. */
async function collect(
  run: DistributedRun,
  session: Session,
  own: ShardRun,
  shards: readonly Shard[],
  at: Step,
): Promise<readonly ShardResult[] | null> {
  const { lock, frame, notice } = session;
  const results: (ShardResult | null)[] = shards.map(() => null);
  const jobs = jobsOf(session, own.tensors, at, results, run.shardSeconds);
  let popped: Promise<Buffer | null> | null = null;
  // Calls that wait for the connection must not keep the loop from the signal.
  let busy: Promise<void> | null = null;
  const start = (work: Promise<void>): void => {
    busy = work
      .catch((error: Error) => notice("connection", error.message))
      .finally(() => {
        busy = null;
      });
  };
  start(jobs.publish());
  for (let isPublished = false; results.includes(null); ) {
    if (run.signal?.aborted) return null;
    if (lock.isLost()) throw new DistributedError("trainDistributed", `another coordinator has taken the run "${run.name}"`);
    isPublished ||= busy === null;
    popped ??= pop(session);
    const answer = await Promise.race([popped, sleep(TICK)]);
    if (answer !== undefined) popped = null;
    if (!answer) {
      if (isPublished && busy === null) start(jobs.look());
      continue;
    }
    try {
      const decoded = decodeAnswer(answer, frame, own.tensors, at.step, shards.length);
      if (decoded !== null && results[decoded.shard] === null) await use(run, session, own, shards, results, decoded, jobs);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      notice("refused", `${error.message}; it is ignored`);
    }
  }
  return results as ShardResult[];
}

/** The next answer; null if there is none for a second. Never rejects. */
async function pop({ blocking, redis, keys, id, notice, isClosed }: Session): Promise<Buffer | null> {
  const key = keys.answers(id);
  try {
    return (await blocking.blpopBuffer(key, 1))?.[1] ?? null;
  } catch (error) {
    if (isClosed()) return null;
    notice("refused", `the answers in Redis cannot be read (${(error as Error).message}); they are removed`);
    await redis.del(key).catch(() => undefined); // somebody has put a value of another type there
    return null;
  }
}

/** Uses an answer: takes its gradients, or does what its fault needs. */
async function use(
  run: DistributedRun,
  { identity, notice }: Session,
  own: ShardRun,
  shards: readonly Shard[],
  results: (ShardResult | null)[],
  answer: Answer,
  jobs: StepJobs,
): Promise<void> {
  const { shard } = answer;
  if (answer.kind === "gradients") {
    results[shard] = answer.result;
    return;
  }
  if (answer.kind === "stranger") {
    const difference = differenceOf(identity, decodeIdentity(answer.text)) ?? "nothing that is known";
    notice("refused", `a worker was refused, it has ${difference}`);
    return;
  }
  if (answer.kind === "unreadable") {
    notice("again", `a worker could not read the weights (${answer.text}); they are published again`);
    await jobs.sendWeights();
    return;
  }
  notice("failed", `a worker could not compute ${shards[shard]!.task.where} (${answer.text}); the coordinator computes it`);
  // If the cause is in the model or in the data, this throws the error that `train` would throw.
  results[shard] = await computeHere(run, own, shards[shard]!);
}
