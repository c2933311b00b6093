import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Queue } from "bullmq";
import type { Redis } from "ioredis";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { idOf, jobOf, queueName } from "../../src/cli/queue/job.ts";
import { loadRun } from "../../src/cli/run/load.ts";
import { readPlan } from "../../src/cli/sweep/plan.ts";
import { openRedis } from "../../src/distributed/index.ts";
import { isRedisMissing, type RedisServer, startRedis } from "../distributed/redis-server.ts";
import { temporaryFolder } from "../temporary-folder.ts";
import { programFile } from "./program-file.ts";
import { command, type Ran } from "./run-command.ts";
import { writeMnist } from "./tiny-mnist.ts";

const root = temporaryFolder();
const data = writeMnist(join(root, "data"));

const until = async (isTrue: () => boolean | Promise<boolean>): Promise<void> => {
  while (!(await isTrue())) await new Promise((resolve) => setTimeout(resolve, 20));
};

describe.skipIf(isRedisMissing())("a sweep with a queue", () => {
  let [redis, client, program]: [RedisServer, Redis, readonly string[]] = [] as never;
  let version = "";
  beforeAll(async () => {
    redis = await startRedis();
    client = await openRedis("test", redis.url);
    program = [process.execPath, await programFile(root)];
    version = (await command(["--version"])).out.trim();
  });
  afterAll(async () => {
    client?.disconnect();
    await redis?.remove();
  });
  let workers: ChildProcess[] = [];
  afterEach(async () => {
    for (const child of workers) child.kill("SIGKILL");
    workers = [];
    await client.flushall();
  });

  let sweeps = 0;
  const newSweep = (): string => join(root, `sweep-${++sweeps}`);
  const base = ["--data", data, "--model", "mlp", "--batch-size", "10"];
  const sweep = (out: string, more: readonly string[], signal?: AbortSignal): Promise<Ran> =>
    command(["sweep", ...base, "--queue", redis.url, "--out", out, ...more], signal, program);
  /** Starts a worker. `text` grows as it prints. */
  const work = (...more: string[]): ChildProcess & { text: string } => {
    const [file, script] = program;
    const options = ["--queue", redis.url, "--jobs", "1", "--threads", "1", "--stalled", "1", "--work", root];
    const child = Object.assign(spawn(file!, [script!, "worker", ...options, ...more]), { text: "" });
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (chunk: Buffer) => {
        child.text += chunk;
      });
    workers.push(child);
    return child;
  };
  const bytes = (folder: string): Buffer => readFileSync(join(folder, "best.safetensors"));
  /** The best weights of a run that one command trains. */
  const alone = async (...more: string[]): Promise<Buffer> => {
    const out = newSweep();
    expect((await command(["train", ...base, "--out", out, "--quiet", ...more])).code).toBe(0);
    return bytes(out);
  };

  test("three workers, of which one is killed, train 12 runs as train would", async () => {
    const out = newSweep();
    const grid = ["--fractions", "0.1,0.2", "--pools", "product,hash", "--seeds", "1,2,3", "--epochs", "2", "--quiet"];
    const [first] = [work(), work(), work()];
    const ran = sweep(out, grid);
    await until(() => first!.text.includes("begins"));
    first!.kill("SIGKILL");
    const { code, err, out: text } = await ran;
    expect([code, err]).toEqual([0, ""]);
    expect(text).not.toContain("complete: ");
    expect(readdirSync(out).filter((name) => /-seed-[123]$/.test(name))).toHaveLength(12);
    const want = await alone("--fraction", "0.2", "--pool", "hash", "--seed", "3", "--epochs", "2");
    expect(bytes(join(out, "hash-0.2-seed-3"))).toEqual(want);
    // A second sweep finds the runs in Redis. No worker trains them again.
    for (const child of workers) child.kill("SIGKILL");
    expect(await sweep(newSweep(), grid)).toEqual({ code, err, out: text });
  });

  test("a run of a killed worker continues from its checkpoint on another one", async () => {
    const out = newSweep();
    const first = work();
    const ran = sweep(out, ["--fractions", "0.2", "--epochs", "30", "--quiet"]);
    await until(async () => (await client.keys("hashgrad-run-files:*")).length > 0);
    first.kill("SIGKILL");
    const killed = Date.now();
    work();
    expect(await ran).toMatchObject({ code: 0, err: "" });
    const run = join(out, "product-0.2-seed-1");
    expect(Date.parse(loadRun(run).config.began)).toBeLessThan(killed);
    expect(bytes(run)).toEqual(await alone("--fraction", "0.2", "--epochs", "30"));
  });

  test("Ctrl-C of a worker gives its run to another one, with what it has trained", async () => {
    const out = newSweep();
    const first = work();
    const ran = sweep(out, ["--fractions", "0.3", "--epochs", "30", "--quiet"]);
    await until(async () => (await client.keys("hashgrad-run-files:*")).length > 0);
    first.kill("SIGINT");
    expect(await once(first, "exit")).toEqual([130, null]);
    const stopped = Date.now();
    expect(work("--drain").pid).toBeGreaterThan(0);
    expect(await ran).toMatchObject({ code: 0, err: "" });
    expect(Date.parse(loadRun(join(out, "product-0.3-seed-1")).config.began)).toBeLessThan(stopped);
    expect(bytes(join(out, "product-0.3-seed-1"))).toEqual(await alone("--fraction", "0.3", "--epochs", "30"));
  });

  test("Ctrl-C of the caller leaves the runs in the queue, and the same command fetches them", async () => {
    const out = newSweep();
    const stop = new AbortController();
    const grid = ["--fractions", "0.1,0.2", "--epochs", "1"];
    const ran = sweep(out, grid, stop.signal);
    await until(async () => (await client.llen(`bull:${queueName(version)}:wait`)) === 2);
    stop.abort();
    const first = await ran;
    expect([first.code, first.err]).toEqual([130, ""]);
    expect(first.out).toContain(
      "complete: 0 of 2 runs; the others stay in the queue; the same command fetches them, and tries failed runs again\n",
    );
    await once(work("--drain"), "exit");
    expect(await sweep(out, [...grid, "--quiet"])).toMatchObject({ code: 0, err: "" });
  });

  test("files go through a shared folder", async () => {
    const [out, shared] = [newSweep(), join(root, "shared")];
    work("--shared", shared);
    const { code } = await sweep(out, ["--fractions", "0.1", "--epochs", "1", "--quiet", "--shared", shared]);
    expect([code, await client.keys("hashgrad-run-files:*")]).toEqual([0, []]);
    expect(readdirSync(shared)).toHaveLength(1);
  });

  test("a run that diverges is not tried again; the message of its process arrives", async () => {
    work();
    const { code, err } = await sweep(newSweep(), ["--fractions", "0.1", "--learning-rate", "1e30", "--quiet"]);
    expect(code).toBe(1);
    expect(err).toMatch(/^product-0\.1-seed-1 failed: worker: train: the loss is .* \(on .*\)\n$/);
  });

  test("malformed jobs fail with a reason, files that do not fit are left out, and the worker goes on", async () => {
    const out = newSweep();
    const stop = new AbortController();
    const grid = ["--fractions", "0.1", "--epochs", "1", "--quiet"];
    const ran = sweep(out, grid, stop.signal);
    await until(async () => (await client.llen(`bull:${queueName(version)}:wait`)) === 1);
    const plan = readPlan(out);
    const good = jobOf(plan, plan.runs[0]!);
    await client.hset(`hashgrad-run-files:${idOf(good)}`, {
      "config.json": readFileSync(join(root, "sweep-1/product-0.1-seed-1/config.json")),
      "checkpoint.safetensors": "not a checkpoint",
      "../evil": "x",
    });
    const queue = new Queue(queueName(version), { connection: client });
    const jobs = [{ format: "other" }, { ...good, run: { ...good.run, fraction: "1; rm" } }, good, "x".repeat(1e6), null];
    const ids = ["a", "b", "c", "d", "e"];
    for (const [i, job] of jobs.entries()) await queue.add("run", job, { jobId: ids[i]!, priority: 0, lifo: true });
    work();
    expect(await ran).toMatchObject({ code: 0, err: "" });
    const reasons = await Promise.all(ids.map(async (id) => (await queue.getJob(id))!.failedReason));
    await queue.close();
    expect(reasons).toEqual([
      'worker: job a: format must be one of hashgrad run job 1, got "other"',
      'worker: job b: run.fraction must be a number, got "1; rm"',
      "worker: the id of job c is not the digest of its data",
      expect.stringMatching(/^worker: job d: the content must be an object, got "x+…"$/),
      "worker: job e: the content must be an object, got null",
    ]);
    expect(bytes(join(out, "product-0.1-seed-1"))).toEqual(await alone("--fraction", "0.1", "--epochs", "1"));
  });

  test("the commands of the page run", async () => {
    const page = readFileSync(new URL("../../docs/guides/sweeps.md", import.meta.url), "utf8");
    const commands = [...page.matchAll(/^hashgrad .*$/gm)].map(([line]) => line.replaceAll("redis://localhost:6379", redis.url));
    expect(commands.map((line) => line.split(" ")[1])).toEqual(["worker", "sweep", "sweep", "sweep"]);
    writeMnist(join(root, "digits"));
    work();
    const home = process.cwd();
    process.chdir(root);
    try {
      for (const line of commands.slice(1))
        expect(await command(line.split(" ").slice(1), undefined, program)).toMatchObject({ code: 0, err: "" });
    } finally {
      process.chdir(home);
    }
    expect(readdirSync(join(root, "sweeps/digits")).length).toBe(4 + 3);
    expect(readFileSync(join(root, "sweeps/parts/table.md"), "utf8")).not.toContain("Complete: ");
  });

  test("Redis that loses everything gets the runs again", async () => {
    const out = newSweep();
    const ran = sweep(out, ["--fractions", "0.1", "--epochs", "1", "--quiet"]);
    await until(async () => (await client.llen(`bull:${queueName(version)}:wait`)) === 1);
    await redis.stop("SIGKILL");
    await redis.start();
    work();
    expect(await ran).toMatchObject({ code: 0, err: "" });
  });
});

describe.skipIf(isRedisMissing())("while Redis cannot be reached", () => {
  test("both commands say so once, and Ctrl-C ends them", async () => {
    const redis = await startRedis();
    const file = await programFile(temporaryFolder());
    const out = join(root, "outage");
    const options = ["--data", data, "--model", "mlp", "--epochs", "1", "--fractions", "0.1", "--out", out];
    const children = [
      ["worker", "--queue", redis.url],
      ["sweep", ...options, "--queue", redis.url],
    ].map((argv) => Object.assign(spawn(process.execPath, [file, ...argv]), { text: "", errors: "" }));
    for (const child of children) {
      child.stdout.on("data", (chunk: Buffer) => {
        child.text += chunk;
      });
      child.stderr.on("data", (chunk: Buffer) => {
        child.errors += chunk;
      });
    }
    await until(() => children[0]!.text.includes("takes runs") && children[1]!.text.includes("workers train"));
    await redis.stop("SIGKILL");
    await until(() => children.every(({ text }) => text.includes("Redis cannot be reached")));
    for (const child of children) child.kill("SIGINT");
    const codes = await Promise.all(children.map(async (child) => (await once(child, "exit"))[0] as number));
    await redis.remove();
    expect(codes).toEqual([130, 130]);
    expect(children.map(({ errors }) => errors)).toEqual(["", ""]);
    expect(children.map(({ text }) => text.split("cannot be reached").length)).toEqual([2, 2]);
  });
});

test("the commands name what is missing", async () => {
  const failed = async (...argv: string[]): Promise<string> => (await command(argv)).err;
  expect(await failed("worker")).toBe(
    "worker: --queue needs the URL of Redis, such as redis://host:6379, or the variable HASHGRAD_QUEUE\n",
  );
  expect(await failed("worker", "--queue", "http://h")).toMatch(/^worker: the URL of Redis begins with http:\/\//);
  expect(await failed("sweep", ...["--data", data, "--shared", "x"])).toBe(
    "sweep: --shared is a folder for workers: give --queue\n",
  );
});
