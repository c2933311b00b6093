import type { Redis } from "ioredis";
import { DistributedError } from "./errors.ts";
import { sleep } from "./keys.ts";

// One coordinator for each name: a key that expires, which the coordinator renews. The key holds a random token, so a
// coordinator that was stopped for long notices that another one has taken its place.

const RENEW = `
local holder = redis.call("get", KEYS[1])
if holder == ARGV[1] or not holder then redis.call("set", KEYS[1], ARGV[1], "PX", ARGV[2]) return 1 end
return 0`;
const RELEASE = `
if redis.call("get", KEYS[1]) == ARGV[1] then return redis.call("del", KEYS[1]) end
return 0`;

/** The lock of a name. */
export type Lock = {
  /** Whether another coordinator has taken the name. */
  readonly isLost: () => boolean;
  readonly release: () => Promise<void>;
};

/**
 * Takes the lock of a name for this process, and renews it until its release. If another process holds the lock, waits
 * until the lock expires, as after a crash. Refuses if the other process renews it.
 * @throws DistributedError if another coordinator uses the name.
 */
export async function takeLock(redis: Redis, key: string, name: string, token: string, seconds: number): Promise<Lock> {
  const milliseconds = Math.ceil(1000 * seconds);
  for (let least = Number.POSITIVE_INFINITY; ; ) {
    if ((await redis.set(key, token, "PX", milliseconds, "NX")) !== null) break;
    const left = await redis.pttl(key);
    // The time that is left grows only if the other process is alive.
    if (left > least || left === -1)
      throw new DistributedError(
        "trainDistributed",
        `another coordinator trains the run "${name}": give another name, or end the other process`,
      );
    least = Math.max(0, left);
    await sleep(Math.min(100, Math.max(10, left / 10)));
  }
  let isLost = false;
  const renew = async (): Promise<void> => {
    isLost ||= (await redis.eval(RENEW, 1, key, token, milliseconds)) !== 1;
  };
  // Errors of the connection are reported by the connection.
  const timer = setInterval(() => void renew().catch(() => undefined), milliseconds / 3).unref();
  return {
    isLost: () => isLost,
    release: async () => {
      clearInterval(timer);
      await redis.eval(RELEASE, 1, key, token);
    },
  };
}
