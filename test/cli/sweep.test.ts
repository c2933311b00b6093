import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { loadRun } from "../../src/cli/run/load.ts";
import { temporaryFolder } from "../temporary-folder.ts";
import { programFile } from "./program-file.ts";
import { command, type Ran } from "./run-command.ts";
import { writeMnist } from "./tiny-mnist.ts";

const root = temporaryFolder();
const data = writeMnist(join(root, "data"));
let program: readonly string[] = [];
beforeAll(async () => {
  program = [process.execPath, await programFile(root)];
});

let sweeps = 0;
const newSweep = (): string => join(root, `sweep-${++sweeps}`);
const argv = (out: string, ...more: string[]): string[] => [
  ...["sweep", "--data", data, "--out", out, "--model", "mlp", "--epochs", "2", "--batch-size", "10", "--threads", "1"],
  ...more,
];
const run = (line: readonly string[], signal?: AbortSignal): Promise<Ran> => command(line, signal, program);
const bytes = (folder: string): Buffer => readFileSync(join(folder, "best.safetensors"));

test("a sweep trains what train would train, and ends with a table and a picture", async () => {
  const out = newSweep();
  const grid = ["--fractions", "0.1,0.3", "--pools", "product,hash", "--dense", "--seeds", "1,2"];
  const { code, out: text, err } = await run(argv(out, ...grid));
  expect([code, err]).toEqual([0, ""]);
  const names = ["dense", "product-0.1", "product-0.3", "hash-0.1", "hash-0.3"].flatMap((name) =>
    [1, 2].map((seed) => `${name}-seed-${seed}`),
  );
  expect(readdirSync(out).sort()).toEqual([...names, "score-over-size.svg", "sweep.json", "table.md"].sort());

  const alone = join(root, "alone");
  const options = ["--data", data, "--out", alone, "--model", "mlp", "--epochs", "2", "--batch-size", "10"];
  await run(["train", ...options, "--pool", "hash", "--fraction", "0.3", "--seed", "2", "--quiet"]);
  expect(bytes(join(out, "hash-0.3-seed-2"))).toEqual(bytes(alone));

  const score = (name: string): number => loadRun(join(out, name)).evaluation!.score;
  const percents = [1, 2].map((seed) => `${(100 * score(`dense-seed-${seed}`)).toFixed(2)} %`);
  const mean = `${(50 * (score("dense-seed-1") + score("dense-seed-2"))).toFixed(2)} %`;
  expect(readFileSync(join(out, "table.md"), "utf8").split("\n").slice(0, 3)).toEqual([
    "| pool | fraction | trained numbers | of weights | test accuracy | seeds | scores of the seeds |",
    "| -- | --: | --: | --: | --: | --: | -- |",
    `| dense |  | 118,282 | 100 % | ${mean} | 2 | ${percents.join(", ")} |`,
  ]);
  expect(text).toContain(`10 of 10  `);
  expect(text).toMatch(/\nproduct +0\.3 +35,357 +29\.9 % +[\d.]+ % +2 {2}[\d.]+ %, [\d.]+ %\nproduct +0\.1 /);
  expect(readFileSync(join(out, "score-over-size.svg"), "utf8")).toMatch(/^<svg [\s\S]*test accuracy[\s\S]*<\/svg>\n$/);

  const again = await run(["resume", out, "--quiet"]);
  expect(again).toMatchObject({ code: 0, err: "", out: text.slice(text.indexOf("\npool") + 1, text.indexOf("\n\ntable") + 1) });
  expect((await run(["report", out])).out).toBe(`${join(out, "report.html")}\n`);
});

test("--json prints a line for each epoch and each run, then the rows", async () => {
  const out = newSweep();
  const { code, out: text } = await run(argv(out, "--fractions", "0.2", "--jobs", "1", "--json"));
  const lines = text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(code).toBe(0);
  const { evaluation, config } = loadRun(join(out, "product-0.2-seed-1"));
  expect(lines).toMatchObject([
    { run: "product-0.2-seed-1", epoch: 1, epochs: 2 },
    { run: "product-0.2-seed-1", epoch: 2, epochs: 2 },
    { run: join(out, "product-0.2-seed-1"), testAccuracy: evaluation!.score },
    {
      sweep: out,
      runs: 1,
      complete: 1,
      interrupted: false,
      failed: [],
      rows: [{ pool: "product", fraction: 0.2, trainedSize: config.sizes.trainedSize, scores: [{ seed: 1 }] }],
    },
  ]);
});

test("the same folder takes more runs with the same settings, and refuses other settings", async () => {
  const out = newSweep();
  expect((await run(argv(out, "--fractions", "0.2", "--quiet"))).code).toBe(0);
  const before = readFileSync(join(out, "product-0.2-seed-1/config.json"), "utf8");
  const more = await run(argv(out, "--fractions", "0.2,0.3", "--quiet"));
  expect(more).toMatchObject({ code: 0, err: "" });
  expect(readFileSync(join(out, "product-0.2-seed-1/config.json"), "utf8")).toBe(before);
  expect(existsSync(join(out, "product-0.3-seed-1/evaluation.json"))).toBe(true);
  expect(await run(argv(out, "--batch-size", "8"))).toEqual({
    code: 2,
    out: "",
    err: `sweep: ${out} holds a sweep with --batch-size 10, and this command asks for 8: runs of one sweep share all settings; give another --out\n`,
  });
});

test("a run that a command of its own trained with other settings is refused", async () => {
  const out = newSweep();
  const path = join(out, "product-0.2-seed-1");
  await run(["train", "--data", data, "--out", path, "--model", "mlp", "--epochs", "1", "--fraction", "0.2", "--quiet"]);
  const { code, err } = await run(argv(out, "--fractions", "0.2", "--batch-size", "64"));
  expect([code, err]).toEqual([
    2,
    `sweep: ${path} was trained with --epochs 1, and the sweep has 2: move the folder away, or give another --out\n`,
  ]);
});

test("runs of different data are not compared", async () => {
  const [out, moved] = [newSweep(), join(root, "other")];
  const line = argv(out, "--quiet", "--fractions").map((word) => (word === data ? moved : word));
  cpSync(data, moved, { recursive: true });
  expect((await run([...line, "0.2,0.3"])).code).toBe(0);
  rmSync(join(out, "product-0.3-seed-1"), { recursive: true });
  const labels = readFileSync(join(moved, "train-labels-idx1-ubyte"));
  writeFileSync(join(moved, "train-labels-idx1-ubyte"), labels.fill((labels.at(-1)! + 1) % 10, labels.length - 1));
  const names = ["product-0.2-seed-1", "product-0.3-seed-1"].map((name) => join(out, name));
  expect(await run([...line, "0.2,0.3"])).toEqual({
    code: 2,
    out: "",
    err: `sweep: the data ${moved} have changed since the sweep ${out} began: give another --out\n`,
  });
  expect(await run(["resume", out, "--quiet"])).toEqual({
    code: 2,
    out: "",
    err: `resume: ${names.join(" and ")} were trained on different data, so they cannot be compared: move one of them away\n`,
  });
});

describe("a command that cannot begin leaves no folder", () => {
  test.each([
    [["--fractions", "0.1,0.00001"], /fraction/],
    [["--early-stopping", "2"], /^sweep: --early-stopping watches validation data/],
    [["--target", "kind"], /--target kind names a column/],
    [["--fractions", "2"], /^sweep: --fractions must be above 0 and at most 1, got "2"/],
    [["--pools", "hash,hashh"], /^sweep: --pools must be one of product, kronecker, hash, meta, got "hashh"/],
    [["--seeds", "1,x"], /^sweep: --seeds must be a whole number of at least 0, got "x"/],
    [["--shard", "3/2"], /^sweep: --shard must be a part and the number of parts, such as 2\/4, or auto\/4 .*, got "3\/2"/],
  ])("%s", async (more, message) => {
    const out = newSweep();
    const { code, err } = await run(argv(out, ...more));
    expect(code).toBe(2);
    expect(err).toMatch(message);
    expect(existsSync(out)).toBe(false);
  });
});

test("runs that diverge are listed, and the others are trained", async () => {
  const out = newSweep();
  expect((await run(argv(out, "--fractions", "0.2", "--learning-rate", "1e30", "--quiet"))).code).toBe(1);
  const { code, out: text, err } = await run(["resume", out]);
  expect(code).toBe(1);
  expect(err).toMatch(/^product-0\.2-seed-1 failed: train: the loss is .*\n$/);
  expect(text).toContain(`complete: 0 of 1 run; \`hashgrad resume ${out}\` tries the others again\n`);
});

test("a sweep in which no run has begun has no report", async () => {
  const out = newSweep();
  await run(argv(out, "--fractions", "0.2", "--quiet"));
  rmSync(join(out, "product-0.2-seed-1"), { recursive: true });
  expect(await run(["report", out])).toMatchObject({
    code: 2,
    err: expect.stringMatching(/^report: .* is the folder of a sweep in which no run has begun\n$/),
  });
});

test("data that have changed end the sweep with exit code 2", async () => {
  const [out, moved] = [newSweep(), join(root, "moved")];
  cpSync(data, moved, { recursive: true });
  const line = argv(out, "--fractions", "0.2,0.3", "--jobs", "1").map((word) => (word === data ? moved : word));
  const abort = new AbortController();
  const first = run([...line, "--epochs", "100000"], abort.signal);
  while (!existsSync(join(out, "product-0.2-seed-1/checkpoint.safetensors"))) await new Promise((done) => setTimeout(done, 20));
  abort.abort();
  expect(await first).toMatchObject({ code: 130, err: "" });
  const labels = readFileSync(join(moved, "train-labels-idx1-ubyte"));
  writeFileSync(join(moved, "train-labels-idx1-ubyte"), labels.fill((labels.at(-1)! + 1) % 10, labels.length - 1));
  const { code, err } = await run(["resume", out]);
  expect(code).toBe(2);
  expect(err).toMatch(/^sweep: product-0\.2-seed-1 cannot be trained: resume: the data .* have changed since the run began/);
});

test("two parts train all runs together", async () => {
  const out = newSweep();
  const line = argv(out, "--fractions", "0.1,0.2,0.3", "--quiet");
  expect(await run([...line, "--shard", "2/2"])).toMatchObject({
    code: 0,
    out: expect.stringContaining("complete: 1 of 3 runs; "),
  });
  expect(await run([...line, "--shard", "1/2"])).toMatchObject({
    code: 0,
    out: expect.not.stringContaining("complete: "),
  });
});

test("a folder in use is refused, and the lock of a dead process is not in the way", async () => {
  const out = newSweep();
  mkdirSync(out);
  const lock = join(out, "sweep.lock");
  const line = argv(out, "--fractions", "0.2", "--quiet");
  writeFileSync(lock, JSON.stringify({ pid: process.pid, host: hostname() }));
  expect(await run(line)).toMatchObject({
    code: 2,
    err: `sweep: ${out} is in use by process ${process.pid} on ${hostname()}; if that process has ended, delete ${lock}\n`,
  });
  const child = spawn(process.execPath, ["--eval", ""]);
  await once(child, "close");
  writeFileSync(lock, JSON.stringify({ pid: child.pid, host: hostname() }));
  expect(await run(line)).toMatchObject({ code: 0, err: "" });
  expect(existsSync(lock)).toBe(false);
});

describe.skipIf(process.platform === "win32")("a sweep that is ended", () => {
  const start = (out: string): ChildProcess => {
    const [file, script] = program;
    return spawn(file!, [script!, ...argv(out, "--fractions", "0.1,0.2,0.3", "--epochs", "8", "--jobs", "2", "--json")]);
  };
  const resumed = async (out: string): Promise<void> => {
    expect(await run(["resume", out, "--quiet"])).toMatchObject({ code: 0, err: "" });
    const whole = join(root, "whole");
    rmSync(whole, { recursive: true, force: true });
    const options = ["--data", data, "--out", whole, "--model", "mlp", "--epochs", "8", "--batch-size", "10", "--quiet"];
    await run(["train", ...options, "--fraction", "0.2"]);
    expect(bytes(join(out, "product-0.2-seed-1"))).toEqual(bytes(whole));
  };

  test("by Ctrl-C saves its runs, and resume ends with the same weights", async () => {
    const out = newSweep();
    const child = start(out);
    await once(child.stdout!, "data");
    child.kill("SIGINT");
    const [code] = await once(child, "exit");
    expect(code).toBe(130);
    for (const name of ["product-0.1-seed-1", "product-0.2-seed-1"])
      expect(existsSync(join(out, name, "checkpoint.safetensors"))).toBe(true);
    await resumed(out);
  });

  test("by SIGKILL can be resumed, and ends with the same weights", async () => {
    const out = newSweep();
    const child = start(out);
    await once(child.stdout!, "data");
    child.kill("SIGKILL");
    await once(child, "exit");
    await resumed(out);
  });
});
