import { existsSync, utimesSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { claim } from "../../src/cli/run/lock.ts";
import { temporaryFolder } from "../temporary-folder.ts";
import { command } from "./run-command.ts";
import { writeMnist } from "./tiny-mnist.ts";

const folder = temporaryFolder();
const lock = join(folder, "run.lock");
const another = JSON.stringify({ pid: 1, host: "another machine" });
const message = (owner: string): string => `f: ${folder} is in use by ${owner}; if that process has ended, delete ${lock}`;

test("a claim waits for the release of another one, and is refused if none comes", async () => {
  const release = await claim("f", folder, "run.lock");
  await expect(claim("f", folder, "run.lock", { patience: 50 })).rejects.toThrow(
    message(`process ${process.pid} on ${hostname()}`),
  );
  setTimeout(release, 200);
  (await claim("f", folder, "run.lock"))();
  expect(existsSync(lock)).toBe(false);
});

test("a lock of another machine is replaced only if its process does not touch it", async () => {
  writeFileSync(lock, another);
  (await claim("f", folder, "run.lock", { silence: 300 }))();
  writeFileSync(lock, another);
  let seconds = 0;
  const timer = setInterval(() => utimesSync(lock, ++seconds, seconds), 50);
  await expect(claim("f", folder, "run.lock", { silence: 300 })).rejects.toThrow(message("process 1 on another machine"));
  clearInterval(timer);
});

test("a lock that is not readable is refused", async () => {
  writeFileSync(lock, "");
  await expect(claim("f", folder, "run.lock", { patience: 50 })).rejects.toThrow(message("another process"));
});

test("a run in training cannot be resumed beside it", async () => {
  const [data, run] = [writeMnist(join(folder, "data")), join(folder, "run")];
  const stop = new AbortController();
  const training = command(
    ["train", "--data", data, "--model", "mlp", "--epochs", "100000", "--out", run, "--quiet"],
    stop.signal,
  );
  while (!existsSync(join(run, "run.lock"))) await new Promise((done) => setTimeout(done, 5));
  const { code, err } = await command(["resume", run]);
  expect([code, err]).toEqual([
    2,
    `resume: ${run} is in use by process ${process.pid} on ${hostname()}; if that process has ended, delete ${join(run, "run.lock")}\n`,
  ]);
  stop.abort();
  expect((await training).code).toBe(130);
  expect(existsSync(join(run, "run.lock"))).toBe(false);
});
