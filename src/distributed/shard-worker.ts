import type { Redis } from "ioredis";
import { lengthOf } from "../data/index.ts";
import { assign, type Parameter } from "../tensor/index.ts";
import { TrainingError } from "../train/index.ts";
import { DistributedError } from "./errors.ts";
import { differenceOf, identityDigest, identityOf } from "./identity.ts";
import type { Keys } from "./keys.ts";
import { decodeManifest, type Manifest, printable } from "./manifest.ts";
import { decodeWeights, encodeGradients, encodeText, type Frame, HEAD, NAMED, Refusal, type Step, sizesOf } from "./messages.ts";
import type { JoinRun, Notice } from "./options.ts";
import { halvesOf } from "./rounding.ts";
import { computeShard, type Shard, shardsOf, type Tensors, tensorsOf } from "./shards.ts";

/** The data of a job of BullMQ. They come from Redis, so they are checked. */
export type ShardJob = { readonly run?: unknown; readonly step?: unknown; readonly shard?: unknown };

/** A run that this worker fits. */
type Joined = {
  readonly manifest: Manifest;
  readonly tensors: Tensors;
  readonly frame: Frame;
};
/** The weights of a step are in the model. `named` is the beginning of their message. */
type Loaded = { readonly step: Step; readonly named: Buffer; readonly shards: readonly Shard[] };

/** Pushes an answer, unless the coordinator has published another step since. */
const ANSWER = `
if redis.call("getrange", KEYS[1], 0, ${NAMED - 1}) ~= ARGV[1] then return 0 end
redis.call("rpush", KEYS[2], ARGV[2])
redis.call("expire", KEYS[2], 3600)
return 1`;

/** What a worker needs beside a job. */
type Context = {
  readonly run: JoinRun;
  /** The text of `describeData`. */
  readonly data: string;
  readonly redis: Redis;
  readonly keys: Keys;
  readonly notice: (kind: Notice["kind"], message: string) => void;
  /** Ends the worker with an error. */
  readonly end: (error: unknown) => void;
};

/**
 * Computes the shards of jobs. `compute` throws a Refusal for a job or a message that does not fit, and errors of
 * Redis. `count` returns how many answers were pushed.
 */
export function shardWorker(context: Context): {
  readonly compute: (job: ShardJob) => Promise<void>;
  readonly count: () => number;
} {
  let joined: Joined | null = null;
  let loaded: Loaded | null = null;
  let count = 0;
  const compute = async ({ run: id, step, shard: at }: ShardJob): Promise<void> => {
    if (typeof id !== "string" || !/^[0-9a-f]{32}$/.test(id) || !Number.isSafeInteger(step) || !Number.isSafeInteger(at))
      throw new Refusal("a job has a field of the wrong kind");
    if (joined?.manifest.run !== id) [joined, loaded] = [await join(context, id), null];
    if (joined === null) return;
    if (loaded?.step.step !== step) loaded = await load(context, joined, step as number);
    if (loaded === null) return;
    const shard = loaded.shards[at as number];
    if (shard === undefined) throw new Refusal(`a job names the shard ${at} of ${loaded.shards.length}`);
    const answer = await answerTo(context, joined, loaded.step.step, shard);
    if (await push(context, joined, loaded.named, answer)) count++;
  };
  return { compute, count: () => count };
}

/** Returns false if the coordinator has published another step since, so that the answer is too late. */
async function push({ redis, keys }: Context, { manifest }: Joined, named: Buffer, answer: Buffer): Promise<boolean> {
  return (await redis.eval(ANSWER, 2, keys.weights, keys.answers(manifest.run), named, answer)) === 1;
}

/** Compares this process with a run; null if the run has ended, or if this process does not fit the run. */
async function join(context: Context, id: string): Promise<Joined | null> {
  const { run, redis, keys, data, end } = context;
  const text = await redis.get(keys.manifest);
  const manifest = text === null ? null : decodeManifest(text);
  if (manifest?.run !== id) return null;
  const parameters = new Map(run.vars.parameters().map((parameter) => [parameter.name, parameter]));
  const trained = manifest.identity.trained.flatMap(([name]): Parameter[] => {
    const parameter = parameters.get(name);
    return parameter === undefined ? [] : [parameter];
  });
  const tensors = tensorsOf(run.vars, trained);
  const identity = identityOf(run.vars, tensors, data);
  const frame: Frame = { run: Buffer.from(id, "hex"), identity: identityDigest(identity), element: manifest.element };
  const joined = { manifest, tensors, frame };
  const difference = differenceOf(manifest.identity, identity);
  if (difference === null) return joined;
  end(new DistributedError("joinTraining", `the run "${run.name}" has ${printable(difference)}`));
  const head = await redis.getrangeBuffer(keys.weights, 0, HEAD - 1);
  const step = head.length === HEAD ? head.readUInt32LE(NAMED - 4) : 0;
  await push(context, joined, head.subarray(0, NAMED), encodeText("stranger", frame, step, 0, JSON.stringify(identity)));
  return null;
}

/** Loads the weights of a step into the model; null if another step is published. */
async function load(context: Context, joined: Joined, number: number): Promise<Loaded | null> {
  const { run, redis, keys, notice } = context;
  const { tensors, frame, manifest } = joined;
  const sizes = sizesOf(tensors);
  const length = lengthOf(run.data);
  const most = HEAD + 4 * (length + sizes.reduce((sum, size) => sum + size, 0));
  const bytes = await redis.getrangeBuffer(keys.weights, 0, most); // one byte more than the largest message
  if (bytes.length === 0) return null;
  const named = bytes.subarray(0, NAMED);
  try {
    const { step, weights } = decodeWeights(bytes, frame, sizes, length);
    if (step.step !== number) return null;
    const all = [...tensors.trained.map(({ tensor }) => tensor), ...tensors.others.map(([, tensor]) => tensor)];
    for (const [i, tensor] of all.entries()) assign(tensor, weights[i]!);
    const { group, ...task } = step;
    const where = `in epoch ${task.epoch}, batch ${task.batch + 1}`;
    const whole = { ...task, where, share: task.indices.length / group };
    return { step, named, shards: shardsOf(whole, manifest.shards, group) };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    notice("refused", `${error.message}; the coordinator is asked to send the weights again`);
    await push(context, joined, named, encodeText("unreadable", frame, number, 0, error.message));
    return null;
  }
}

/** The answer to a shard: its gradients, or why they cannot be computed. */
async function answerTo({ run, end }: Context, joined: Joined, step: number, shard: Shard): Promise<Buffer> {
  const { frame, manifest, tensors } = joined;
  const { seed, element } = manifest;
  try {
    const result = await computeShard({ ...run, tensors, seed }, shard);
    return encodeGradients(frame, step, shard.shard, result, element === "float16" ? halvesOf(result, seed, shard) : null);
  } catch (error) {
    if (!(error instanceof TrainingError)) end(error);
    return encodeText("fault", frame, step, shard.shard, error instanceof Error ? error.message : String(error));
  }
}
