import { appendFileSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { backend } from "../../src/backends/index.ts";
import { loadRun } from "../../src/cli/run/load.ts";
import { withPart } from "../../src/cli/run/part.ts";
import { info } from "../../src/io/index.ts";
import { Generator } from "../../src/tensor/index.ts";
import { temporaryFolder } from "../temporary-folder.ts";
import { abortedAtRead, command } from "./run-command.ts";
import { writeMnist } from "./tiny-mnist.ts";

const root = temporaryFolder();
const folder = writeMnist(join(root, "data"));

let runs = 0;
const newRun = (): string => join(root, `run-${++runs}`);
const argv = (out: string, ...more: string[]): string[] => [
  "train",
  "--data",
  folder,
  "--out",
  out,
  "--batch-size",
  "8",
  "--json",
  ...more,
];

/** All that must be equal: bytes of weights, and metrics without times. */
function stateOf(run: string): object {
  const bytes = (name: string): string => readFileSync(join(run, name)).toString("base64");
  const epochs = loadRun(run).epochs.map(({ seconds, ...line }) => line);
  return { best: bytes("best.safetensors"), checkpoint: bytes("checkpoint.safetensors"), epochs, files: readdirSync(run).sort() };
}

test.each([
  ["toy", ["--epochs", "3", "--validation", "0.2", "--augment", "shift,crop"]],
  ["mlp", ["--epochs", "4", "--dense", "--validation", "0.25", "--early-stopping", "1", "--learning-rate", "0.05"]],
  ["mobilenetv3", ["--epochs", "2", "--limit", "16", "--fraction", "0.2"]], // has dropout and running statistics
])("a run of %s that is interrupted at random batches ends with the bytes of an uninterrupted run", async (model, more) => {
  const [whole, parts] = [newRun(), newRun()];
  expect(await command(argv(whole, "--model", model, ...more))).toMatchObject({ code: 0, err: "" });
  const random = new Generator(5);
  let { code } = await command(argv(parts, "--model", model, ...more), abortedAtRead(9 + random.below(5)));
  expect(code).toBe(130);
  for (let cuts = 0; code === 130 && cuts < 20; cuts++)
    ({ code } = await command(["resume", parts, "--json"], abortedAtRead(9 + random.below(9))));
  expect(code).toBe(0);
  const [want, got] = [stateOf(whole), stateOf(parts)] as { epochs: { train: { loss: number } }[] }[];
  // Means of two parts are rounded differently.
  for (const [i, line] of want!.epochs.entries()) expect(got!.epochs[i]!.train.loss).toBeCloseTo(line.train.loss, 6);
  const exact = (state: typeof want): object => ({ ...state, epochs: state!.epochs.map(({ train, ...line }) => line) });
  expect(exact(got)).toEqual(exact(want));
});

describe("resume", () => {
  test("of a complete run evaluates again and changes nothing", async () => {
    const run = newRun();
    const { out } = await command(argv(run, "--epochs", "1"));
    const before = stateOf(run);
    const again = await command(["resume", run, "--json"]);
    expect(again.code).toBe(0);
    expect(stateOf(run)).toEqual(before);
    const { secondsTotal, ...result } = JSON.parse(out.trim().split("\n").at(-1)!) as Record<string, unknown>;
    expect(JSON.parse(again.out)).toMatchObject(result);
  });

  test("counts the time and the progress of the epochs and batches before", async () => {
    const run = newRun();
    const secondsOf = (out: string): number => JSON.parse(out.trim().split("\n").at(-1)!).secondsTotal as number;
    const sum = (): number => loadRun(run).epochs.reduce((total, { seconds }) => total + seconds, 0);
    const first = await command(argv(run, "--epochs", "3"), abortedAtRead(13));
    expect(first.code).toBe(130);
    const part = secondsOf(first.out) - sum(); // of the interrupted epoch
    expect([loadRun(run).epochs.length, part > 0]).toEqual([1, true]);

    expect((await command(["resume", run])).code).toBe(0);
    const { epochs } = loadRun(run);
    expect(epochs[1]!.seconds).toBeGreaterThan(part);
    expect(secondsOf((await command(["resume", run, "--json"])).out)).toBeCloseTo(sum(), 9);
  });

  test("says that the kernels differ from those of the run", async () => {
    const run = newRun();
    await command(argv(run, "--epochs", "1"));
    const path = join(run, "config.json");
    const config = loadRun(run).config;
    expect(config.backend.fused).toBe(backend().fused);
    writeFileSync(path, JSON.stringify({ ...config, backend: { ...config.backend, fused: !backend().fused } }));
    const { code, err } = await command(["resume", run, "--json"]);
    expect(code).toBe(0);
    expect(err).toMatch(
      /^note: the run began with the kernels wasm.*, this process has wasm.*: the last bits of the weights may differ\n$/,
    );
  });

  test("removes a torn last line of the metrics and lines after the checkpoint", async () => {
    const run = newRun();
    expect((await command(argv(run, "--epochs", "3"), abortedAtRead(13))).code).toBe(130);
    const { epochs } = loadRun(run);
    const next = { ...epochs[0]!, epoch: info(join(run, "checkpoint.safetensors")).epoch! + 1 };
    appendFileSync(join(run, "metrics.jsonl"), `${JSON.stringify(next)}\n{"epoch":9,"ep`);
    expect((await command(["resume", run, "--json"])).code).toBe(0);
    const whole = newRun();
    await command(argv(whole, "--epochs", "3"));
    expect(readFileSync(join(run, "best.safetensors"))).toEqual(readFileSync(join(whole, "best.safetensors")));
    expect(
      readFileSync(join(run, "metrics.jsonl"), "utf8")
        .split("\n")
        .map((line) => line.slice(0, 10)),
    ).toEqual(['{"epoch":1', '{"epoch":2', '{"epoch":3', ""]);
  });

  test("refuses data that have changed, and a folder without a run", async () => {
    const [run, data] = [newRun(), join(root, "moved")];
    cpSync(folder, data, { recursive: true });
    expect((await command(["train", "--data", data, "--out", run, "--epochs", "1", "--quiet"])).code).toBe(0);
    const labels = readFileSync(join(data, "t10k-labels-idx1-ubyte"));
    labels[labels.length - 1] = (labels.at(-1)! + 1) % 10;
    writeFileSync(join(data, "t10k-labels-idx1-ubyte"), labels);
    const changed = await command(["resume", run]);
    expect(changed).toMatchObject({ code: 2, out: "" });
    expect(changed.err).toMatch(/^resume: the data .*moved have changed since the run began: .* train a new run\n$/);
    expect(await command(["resume", root])).toMatchObject({ code: 2, err: expect.stringMatching(/is no run folder/) });
  });
});

describe("the run folder of train", () => {
  test("is refused if the folder holds a run, and may be an existing folder", async () => {
    const run = newRun();
    mkdirSync(run);
    expect((await command(argv(run, "--epochs", "1"))).code).toBe(0);
    const again = await command(argv(run, "--epochs", "1"));
    expect(again).toMatchObject({ code: 2, out: "" });
    expect(again.err).toBe(
      `train: ${run} holds a run: \`hashgrad resume ${run}\` continues the run, another --out begins a new run\n`,
    );
  });

  test("is not written if training cannot begin", async () => {
    const run = newRun();
    expect((await command(argv(run, "--early-stopping", "2"))).err).toMatch(/--early-stopping watches validation data/);
    expect((await command(argv(run, "--fraction", "0.0001"))).code).toBe(2);
    expect(existsSync(run)).toBe(false);
  });

  test("holds the last checkpoint if the run diverges, and the exit code is 1", async () => {
    const run = newRun();
    const { code, err } = await command(argv(run, "--learning-rate", "1e30"));
    expect(code).toBe(1);
    expect(err).toMatch(/^train: the loss is .*: \w+ in layer "\w+" is the first op whose result is not finite/);
    expect(loadRun(run).config.learningRate).toBe(1e30);
  });
});

test("the progress of a resumed epoch covers the batches before the interruption", () => {
  const progress = { epoch: 2, epochs: 3, batch: 3, batches: 4, examples: 30, seconds: 3, loss: 1, accuracy: 0.5 };
  const before = { loss: 2, score: 0.1, examples: 10, seconds: 2 };
  const of = (classes: string[] | null, metrics: Record<string, number>): object =>
    withPart(before, { ...progress, metrics, validation: null }, classes);
  expect(of(["a", "b"], {})).toMatchObject({ examples: 40, seconds: 5, loss: 1.25, accuracy: 0.4, batch: 3 });
  expect(of(null, { r2: 0.9 })).toMatchObject({ examples: 40, loss: 1.25, metrics: { r2: 0.7 } });
});
