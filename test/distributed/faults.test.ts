import { join } from "node:path";
import { Queue } from "bullmq";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openRedis } from "../../src/distributed/connection.ts";
import { type DistributedOptions, joinTraining, type Notice, trainDistributed } from "../../src/distributed/index.ts";
import { QUEUE_PREFIX } from "../../src/distributed/keys.ts";
import { VERSION } from "../../src/distributed/version.ts";
import { temporaryFolder } from "../temporary-folder.ts";
import { killAll, type Outcome, type Programs, programs, type Started, start } from "./processes.ts";
import { isRedisMissing, type RedisServer, startRedis } from "./redis-server.ts";
import { bits, build, type Kind, kinds } from "./runs.ts";

// Coordinator and workers in processes of their own, with a real Redis. Every run must end with the bits of a run
// that one process computes.

const options = { epochs: 2, batchSize: 16, seed: 3, shards: 3, shardSeconds: 5, lockSeconds: 1 } as const;

/** The weights of one process. */
async function reference(kind: Kind, change: Partial<DistributedOptions> = {}): Promise<[string, Float32Array][]> {
  const built = build(kind);
  await trainDistributed({ ...built, ...options, connection: null, ...change });
  return bits(built.vars);
}

describe.skipIf(isRedisMissing())("workers in processes", () => {
  let redis: RedisServer;
  let program: Programs;
  beforeAll(async () => {
    [redis, program] = await Promise.all([startRedis(), programs(VERSION)]);
  });
  afterAll(async () => {
    killAll();
    program?.remove();
    await redis?.remove();
  });

  const worker = (name: string, kind: Kind, more: object = {}, url = redis.url, file = program.current): Started =>
    start(file, { role: "worker", url, name, kind, lockSeconds: 1, ...more });

  type Run = { readonly notices: readonly Notice[]; readonly weights: [string, Float32Array][]; readonly started: Started[] };
  /** Trains with a coordinator in this process. */
  async function run(name: string, kind: Kind, started: Started[], change: Partial<DistributedOptions> = {}): Promise<Run> {
    const built = build(kind);
    const notices: Notice[] = [];
    const onNotice = (notice: Notice): void => void notices.push(notice);
    await trainDistributed({ ...built, ...options, connection: redis.url, name, onNotice, ...change });
    return { notices, weights: bits(built.vars), started };
  }
  const shardsOf = (outcome: Outcome): number => (outcome.result as { readonly shards: number }).shards;
  const kindsOf = (notices: readonly Notice[]): string[] =>
    [...new Set(notices.map(({ kind }) => kind).filter((kind) => kind !== "waiting"))].sort(); // processes may start late

  /** Waits until workers wait for jobs: one that joins after the end of a run waits for the next run. */
  async function ready(name: string, count: number): Promise<void> {
    const client = await openRedis("test", redis.url);
    const queue = new Queue(name, { connection: client, prefix: QUEUE_PREFIX });
    while ((await queue.getWorkersCount()) < count) await new Promise((resolve) => setTimeout(resolve, 50));
    await queue.close();
    client.disconnect();
  }

  test.each([1, 2, 3, 5].map((count, i) => [count, kinds[i]!] as const))("%i workers, %s", async (count, kind) => {
    const started = Array.from({ length: count }, () => worker(`count-${count}`, kind));
    await ready(`count-${count}`, count);
    const { notices, weights } = await run(`count-${count}`, kind, started);
    expect(weights).toEqual(await reference(kind));
    expect(kindsOf(notices)).toEqual([]);
    const outcomes = await Promise.all(started.map(({ outcome }) => outcome));
    // 3 shards in each of 3 batches, 2 in the last batch of 2 examples.
    expect(outcomes.map(shardsOf).reduce((sum, shards) => sum + shards)).toBe(2 * (3 * 3 + 2));
  });

  test("a worker that is killed in a shard", async () => {
    const slow = worker("killed", "norm", { delay: 60_000 });
    const training = run("killed", "norm", [slow], { shardSeconds: 1 });
    await slow.wrote("shard", 1);
    slow.kill("SIGKILL");
    const other = worker("killed", "norm");
    const { weights, notices } = await training;
    expect(weights).toEqual(await reference("norm"));
    expect(kindsOf(notices)).toEqual(["again"]);
    expect([await slow.outcome, shardsOf(await other.outcome)]).toEqual([{}, 22]);
  });

  test("a worker that is paused in a shard, and continues later", async () => {
    const paused = worker("paused", "norm", { delay: 300 });
    const training = run("paused", "norm", [paused], { shardSeconds: 0.5 });
    await paused.wrote("shard", 1);
    paused.kill("SIGSTOP");
    const other = worker("paused", "norm", { delay: 30 });
    await other.wrote("shard", 6);
    paused.kill("SIGCONT");
    expect((await training).weights).toEqual(await reference("norm"));
    expect((await paused.outcome).error).toBeUndefined();
    expect((await other.outcome).error).toBeUndefined();
  });

  test("a slow worker beside a fast one", async () => {
    const slow = worker("slow", "hash", { delay: 1500 });
    const training = run("slow", "hash", [slow], { shardSeconds: 0.3, epochs: 1 });
    await slow.wrote("shard", 1);
    const fast = worker("slow", "hash");
    const { weights, notices } = await training;
    expect(weights).toEqual(await reference("hash", { epochs: 1 }));
    expect(kindsOf(notices)).toEqual(["again"]);
    expect(shardsOf(await fast.outcome)).toBeGreaterThan(shardsOf(await slow.outcome));
  });

  test("a worker that joins late", async () => {
    const training = run("late", "dense", [], { shardSeconds: 0.2 });
    await new Promise((resolve) => setTimeout(resolve, 800));
    const late = worker("late", "dense");
    const { weights, notices } = await training;
    expect(weights).toEqual(await reference("dense"));
    expect(notices[0]).toEqual({ kind: "waiting", message: "no worker has taken shard 1 of step 1 yet" });
    expect(shardsOf(await late.outcome)).toBe(22);
  });

  test.each([true, false])("Redis is restarted, with persistence: %s", async (isPersistent) => {
    const own = await startRedis(isPersistent ? ["--appendonly", "yes", "--appendfsync", "always"] : []);
    try {
      const workers = [1, 2].map(() => worker("restart", "product", { delay: 60 }, own.url));
      const training = run("restart", "product", workers, { connection: own.url, shardSeconds: 1 });
      await workers[0]!.wrote("shard", 3);
      await own.stop("SIGKILL");
      await new Promise((resolve) => setTimeout(resolve, 300));
      await own.start();
      const { weights, notices } = await training;
      expect(weights).toEqual(await reference("product"));
      expect(kindsOf(notices)).toContain("connection");
      if (!isPersistent) expect(notices.map(({ message }) => message).join()).toMatch(/Redis has lost the weights of step \d/);
      for (const { outcome } of workers) expect((await outcome).error).toBeUndefined();
    } finally {
      await own.remove();
    }
  });

  const folder = temporaryFolder();
  test("a coordinator that is killed continues from its checkpoint", async () => {
    const coordinator = { role: "coordinator", url: redis.url, name: "restarted", kind: "norm", lockSeconds: 1 } as const;
    const saved = { ...coordinator, checkpoint: join(folder, "checkpoint") };
    const workers = [1, 2].map(() => worker("restarted", "norm", { delay: 30 }));
    const first = start(program.current, saved);
    await first.wrote("batch", 3);
    first.kill("SIGKILL");
    const second = start(program.current, saved);
    const { result } = await second.outcome;
    expect(result).toEqual((await reference("norm")).map(([name, numbers]) => [name, [...numbers]]));
    expect(second.lines.filter((line) => line === "batch").length).toBeLessThan(8);
    for (const { outcome } of workers) expect((await outcome).error).toBeUndefined();
  });

  test("a worker of another version, or with another model, is refused on both sides", async () => {
    const strangers = [worker("refused", "dense", {}, redis.url, program.other), worker("refused", "product")];
    const training = run("refused", "dense", strangers);
    const [version, model] = await Promise.all(strangers.map(async ({ outcome }) => (await outcome).error));
    expect(version).toBe(
      `DistributedError: joinTraining: the run "refused" has another version of hashgrad: ${VERSION} in the coordinator, 0.0.1 in the worker`,
    );
    expect(model).toMatch(
      /^DistributedError: joinTraining: the run "refused" has another model: the worker has no "conv\/kernel"/,
    );
    worker("refused", "dense");
    const { weights, notices } = await training;
    expect(weights).toEqual(await reference("dense"));
    const refusals = notices.flatMap(({ kind, message }) => (kind === "refused" ? [message] : []));
    expect(refusals).toHaveLength(2);
    expect(refusals.join()).toContain("another version of hashgrad");
    expect(refusals.join()).toContain("another model");
  });

  test("a second coordinator of a name is refused", async () => {
    const training = run("twice", "dense", []);
    await new Promise((resolve) => setTimeout(resolve, 200));
    const second = await run("twice", "dense", []).catch((error: unknown) => String(error));
    expect(second).toBe(
      'DistributedError: trainDistributed: another coordinator trains the run "twice": give another name, or end the other process',
    );
    await joinTraining({ ...withoutOptimizer(build("dense")), connection: redis.url, name: "twice" });
    expect((await training).weights).toEqual(await reference("dense"));
  });
});

const withoutOptimizer = ({ optimizer, ...rest }: ReturnType<typeof build>): Omit<typeof rest, never> => rest;
