import type { Queue } from "bullmq";
import type { Redis } from "ioredis";
import type { Connection } from "./address.ts";
import { loadBullmq, openRedis } from "./connection.ts";
import { DistributedError } from "./errors.ts";
import { describeData, type Identity, identityDigest, identityOf } from "./identity.ts";
import { type Keys, keysOf, QUEUE_PREFIX, within } from "./keys.ts";
import { type Lock, takeLock } from "./lock.ts";
import { encodeManifest, printable } from "./manifest.ts";
import { type Frame, HEAD, sizesOf } from "./messages.ts";
import type { DistributedRun, Notice } from "./options.ts";
import type { Tensors } from "./shards.ts";

/** What a coordinator has in Redis while it trains. */
export type Session = {
  readonly redis: Redis;
  /** A connection of its own for commands that block. */
  readonly blocking: Redis;
  readonly queue: Queue;
  readonly lock: Lock;
  readonly keys: Keys;
  /** The number of the run in hexadecimal digits. */
  readonly id: string;
  readonly frame: Frame;
  readonly identity: Identity;
  readonly notice: (kind: Notice["kind"], message: string) => void;
  /** Publishes what workers must know of the run. */
  readonly publish: () => Promise<void>;
  /** Tells the workers that the run has ended, removes its keys, and closes the connections. */
  readonly close: () => Promise<void>;
  readonly isClosed: () => boolean;
};

/** A string of Redis has at most this many bytes. */
const MOST_BYTES = 512 * 2 ** 20;
const ENDED_SECONDS = 3600;
const CLOSE_MILLISECONDS = 3000;

/**
 * Connects a coordinator, takes the lock of the name, and publishes the run.
 * @throws DistributedError if Redis cannot be reached, if another coordinator uses the name, or if the trained numbers
 * exceed the largest message of Redis.
 */
export async function openSession(run: DistributedRun, tensors: Tensors, connection: Connection): Promise<Session> {
  const who = "trainDistributed";
  const bytes = HEAD + 4 * (run.batchSize + sizesOf(tensors).reduce((sum, size) => sum + size, 0));
  if (bytes > MOST_BYTES)
    throw new DistributedError(who, `a step has ${bytes} bytes, and a message of Redis at most ${MOST_BYTES}`);
  const identity = identityOf(run.vars, tensors, describeData(who, run.data, run.digest));
  const notice: Session["notice"] = (kind, message) => run.onNotice({ kind, message: printable(message) });
  const onError = (error: Error): void => notice("connection", error.message);
  const keys = keysOf(run.name);
  const random = process.getBuiltinModule("node:crypto").randomBytes(16);
  const id = random.toString("hex");
  const { Queue } = await loadBullmq(who);
  const redis = await openRedis(who, connection, { onError });
  const clients = [redis];
  try {
    const lock = await takeLock(redis, keys.lock, run.name, id, run.lockSeconds);
    const blocking = await openRedis(who, connection, { onError });
    clients.push(blocking);
    const queue = new Queue(run.name, { connection: redis, prefix: QUEUE_PREFIX, skipVersionCheck: true });
    queue.on("error", onError);
    const text = encodeManifest({ run: id, identity, seed: run.seed, shards: run.shards, element: run.gradients });
    const publish = async (): Promise<void> => void (await redis.set(keys.manifest, text));
    const frame: Frame = { run: random, identity: identityDigest(identity), element: run.gradients };
    await queue.drain(true); // jobs of a coordinator that was killed
    await publish();
    const end = async (): Promise<void> => {
      if (!lock.isLost()) {
        await redis.set(keys.ended, id, "EX", ENDED_SECONDS);
        await redis.del(keys.manifest, keys.weights, keys.answers(id));
        await queue.obliterate({ force: true });
      }
      await lock.release();
      await queue.close();
    };
    let isClosed = false;
    const close = async (): Promise<void> => {
      isClosed = true;
      await within(CLOSE_MILLISECONDS, end());
      for (const client of clients) client.disconnect();
    };
    return { redis, blocking, queue, lock, keys, id, frame, identity, notice, publish, close, isClosed: () => isClosed };
  } catch (error) {
    for (const client of clients) client.disconnect();
    throw error;
  }
}
