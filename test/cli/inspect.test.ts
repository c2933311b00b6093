import { copyFileSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { encodeIdx } from "../../src/data/index.ts";
import { info } from "../../src/io/index.ts";
import { Generator } from "../../src/tensor/index.ts";
import { temporaryFolder } from "../temporary-folder.ts";
import { abortedAtRead, command } from "./run-command.ts";
import { TEST_IMAGES, writeMnist } from "./tiny-mnist.ts";

// `evaluate`, `info` and `export` of runs that `train` wrote.

const root = temporaryFolder();
const at = (...names: string[]): string => join(root, ...names);
const write = (name: string, text: string): void => writeFileSync(at(name), text);

beforeAll(async () => {
  writeMnist(at("digits"));
  const random = new Generator(3);
  const rows = Array.from({ length: 60 }, (_, i) => [4 + 2 * (i % 2) + random.normal() / 4, i % 2 ? "lily" : "rose"] as const);
  write("flowers.csv", `length,kind\n${rows.map((row) => row.join(",")).join("\n")}\n`);
  write("prices.csv", `length,price\n${rows.map(([length]) => `${length},${10.5 * length + 100}`).join("\n")}\n`);
  const train = async (...args: string[]): Promise<void> =>
    expect(await command(["train", "--quiet", "--batch-size", "8", ...args])).toMatchObject({ code: 0, err: "" });
  const digits = ["--data", at("digits"), "--epochs", "1"];
  await train(...digits, "--fraction", "0.3", "--out", at("run"));
  await train(...digits, "--model", "resnet8", "--fraction", "0.2", "--out", at("resnet"));
  const table = ["--validation", "0.2", "--epochs", "2", "--fraction", "0.3"];
  await train("--data", at("flowers.csv"), "--target", "kind", ...table, "--out", at("flowers"));
  await train("--data", at("prices.csv"), "--target", "price", ...table, "--out", at("prices"));
  const begun = await command(["train", ...digits, "--batch-size", "8", "--out", at("begun")], abortedAtRead(4));
  expect(begun.code).toBe(130);
  mkdirSync(at("empty"));
  write("text.safetensors", "no weights");
  write("sweep.json", "{}");
  mkdirSync(at("sweeps"));
  copyFileSync(at("sweep.json"), at("sweeps", "sweep.json"));
  expect((await command(["export", at("resnet"), at("torch.safetensors"), "--torch", "--quiet"])).code).toBe(0);
}, 120_000);

/** Runs a command that fails: exit code 2, one line on stderr that begins with the command, nothing on stdout. */
async function refused(...argv: string[]): Promise<string> {
  const { code, out, err } = await command(argv);
  expect({ code, out }).toEqual({ code: 2, out: "" });
  expect(err).toMatch(/^[^\n]+\n$/);
  expect(err.startsWith(`${argv[0]}: `)).toBe(true);
  return err
    .trimEnd()
    .slice(argv[0]!.length + 2)
    .replaceAll(`${root}/`, "");
}

const noModel = "which does not say how to build its model: pass a file of `hashgrad train`, such as best.safetensors";

describe("a path that no command can read is refused with the remedy", () => {
  const predictors = ["evaluate", "export", "predict"];
  const more = (name: string): string[] =>
    ({ evaluate: ["--data", at("digits")], export: [at("out.safetensors")], predict: [at("flowers.csv")] })[name] ?? [];

  test.each(predictors)("%s", async (name) => {
    const said = (path: string): Promise<string> => refused(name, path, ...more(name));
    const pass = "pass a run folder, or a weights file such as best.safetensors";
    expect(await said("")).toBe(`"" does not exist: ${pass}`);
    expect(await said(at("nowhere"))).toBe(`nowhere does not exist: ${pass}`);
    expect(await said(at("empty"))).toMatch(/^empty is no run folder: it has no config\.json; `hashgrad train --out` writes/);
    expect(await said(at("sweeps"))).toBe("sweeps is the folder of a sweep: pass a folder of a run inside");
    expect(await said(at("begun"))).toBe(
      `begun has no weights yet, because no epoch is complete: \`hashgrad resume ${at("begun")}\` continues the run`.replace(
        `${root}/`,
        "",
      ),
    );
    expect(await said(at("run", "checkpoint.safetensors"))).toBe(`run/checkpoint.safetensors: is a checkpoint, ${noModel}`);
    expect(await said(at("torch.safetensors"))).toMatch(/^torch\.safetensors: holds weights only, and does not say how to build/);
    expect(await said(at("text.safetensors"))).toMatch(/^text\.safetensors: .*not a safetensors file$/);
  });

  test("resume and report", async () => {
    for (const name of ["resume", "report"]) {
      expect(await refused(name, "")).toBe('"" does not exist: pass a run folder, which `hashgrad train --out` writes');
      expect(await refused(name, at("nowhere"))).toMatch(/^nowhere does not exist: pass a run folder/);
      expect(await refused(name, at("run", "best.safetensors"))).toBe("run/best.safetensors is a file: pass a run folder");
      expect(await refused(name, at("empty"))).toMatch(/^empty is no run folder/);
    }
  });

  test("info", async () => {
    expect(await refused("info", "")).toBe('"" does not exist: pass a run folder or a .safetensors file');
    expect(await refused("info", at("nowhere"))).toMatch(/^nowhere does not exist: pass a run folder or a \.safetensors file$/);
    expect(await refused("info", at("empty"))).toMatch(/^empty is no run folder/);
    expect(await refused("info", at("text.safetensors"))).toMatch(/^text\.safetensors: .*not a safetensors file$/);
  });

  test("train and export, for the path that they write", async () => {
    const data = ["--data", at("digits"), "--epochs", "1"];
    expect(await refused("train", ...data, "--out", at("flowers.csv", "run"))).toBe(
      "--out must be the path of a folder, but flowers.csv is a file",
    );
    expect(await refused("export", at("run"), "")).toBe('<file> must be a path, got ""');
    expect(await refused("export", at("run"), at("empty"))).toMatch(/^empty cannot be written: it is a folder/);
    expect(await refused("export", at("run"), at("nowhere", "x.onnx"), "--onnx")).toMatch(
      /^there is no folder nowhere for nowhere\/x\.onnx: make the folder first$/,
    );
    expect(await refused("report", at("run"), "--out", at("empty"))).toMatch(/^empty cannot be written: it is a folder/);
  });
});

/** The keys that the guide lists for a line of `--json`. */
const page = readFileSync(new URL("../../docs/guides/cli.md", import.meta.url), "utf8");
const documented = (line: string): string[] => {
  const row = page.split("\n").find((text) => text.startsWith(`| ${line} | \``))!;
  return [...row.split("|")[2]!.matchAll(/`(\w+)`/g)].map(([, key]) => key!);
};

test("the keys of --json are those of the guide", async () => {
  const lines = async (...argv: string[]): Promise<object[]> =>
    (await command([...argv, "--json"])).out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as object);
  const train = ["train", "--data", at("digits"), "--epochs", "1", "--validation", "0.2", "--out", at("json")];
  const [epoch, result] = await lines(...train);
  expect(Object.keys(epoch!)).toEqual(documented("an epoch of `train`, `resume`"));
  expect(Object.keys(result!)).toEqual(documented("the result of `train`, `resume`"));
  for (const [name, argv] of [
    ["`evaluate`", ["evaluate", at("json")]],
    ["`export`", ["export", at("json"), at("json.safetensors")]],
    ["`info` of a run", ["info", at("json")]],
    ["`info` of a file", ["info", at("json", "best.safetensors")]],
  ] as const)
    expect(Object.keys((await lines(...argv))[0]!).sort()).toEqual(documented(name).sort());
});

describe("evaluate", () => {
  test("prints scores and counts with --json", async () => {
    const { code, out } = await command(["evaluate", at("run"), "--json"]);
    expect(code).toBe(0);
    const { confusion, ...result } = JSON.parse(out) as { confusion: number[][] };
    expect(result).toEqual({
      file: at("run", "best.safetensors"),
      split: "test",
      loss: expect.any(Number),
      accuracy: expect.any(Number),
      examples: TEST_IMAGES,
    });
    expect([confusion.length, confusion.flat().reduce((a, b) => a + b, 0)]).toEqual([10, TEST_IMAGES]);
    const numbers = JSON.parse((await command(["evaluate", at("prices"), "--json"])).out);
    expect(numbers).toEqual({
      file: at("prices", "best.safetensors"),
      split: "validation",
      loss: expect.any(Number),
      r2: expect.any(Number),
      examples: 12,
      confusion: null,
    });
  });

  test("gives the score of the run for its data, named by the run or by --data", async () => {
    const { score } = JSON.parse(readFileSync(at("run", "evaluation.json"), "utf8")) as { score: number };
    const accuracy = async (...argv: string[]): Promise<number> =>
      JSON.parse((await command(["evaluate", ...argv, "--json"])).out).accuracy as number;
    expect(await accuracy(at("run"))).toBe(score);
    expect(await accuracy(at("run"), "--data", at("digits"))).toBe(score);
    expect(await accuracy(at("run", "best.safetensors"), "--data", at("digits"))).toBe(score);
  });

  test("--quiet prints one line", async () => {
    expect((await command(["evaluate", at("run"), "--quiet"])).out).toMatch(
      /^test accuracy \d+\.\d\d % {2}\(loss \d\.\d{4}, 20 examples\)\n$/,
    );
  });

  test("refuses a part that the data of the run do not have, and names the parts", async () => {
    expect(await refused("evaluate", at("run"), "--split", "validation")).toBe(
      "--split validation: the data of the run have no such part; they have train, test",
    );
    expect(await refused("evaluate", at("flowers"), "--split", "test")).toMatch(/they have train, validation$/);
    expect(await refused("evaluate", at("run"), "--split", "tests")).toMatch(/^--split must be one of train, validation, test/);
    expect(await refused("evaluate", at("run"), "--split", "test", "--data", at("digits"))).toMatch(
      /^--split is for the data of the run: leave it out beside --data$/,
    );
    expect(await refused("evaluate", at("run", "best.safetensors"))).toMatch(/^--data is missing: a weights file does not know/);
  });

  test("refuses data of another kind or shape, with other columns, and other classes", async () => {
    const data = (run: string, name: string): Promise<string> => refused("evaluate", at(run), "--data", at(name));
    expect(await data("run", "nowhere")).toMatch(/^nowhere: cannot be read: it does not exist/);
    expect(await data("run", "flowers.csv")).toBe("flowers.csv: is a CSV file, but the model takes images");
    expect(await data("flowers", "digits")).toBe("digits: holds images, but the model takes rows");
    const small = { "t10k-images-idx3-ubyte": encodeIdx([20, 14, 14], new Uint8Array(20 * 14 * 14)) };
    writeMnist(at("small"), {
      changes: { ...small, "train-images-idx3-ubyte": encodeIdx([40, 14, 14], new Uint8Array(40 * 196)) },
    });
    expect(await data("run", "small")).toBe("small: holds images [14, 14, 1], but the model takes [28, 28, 1]");
    write("narrow.csv", "width,kind\n1,rose\n");
    expect(await data("flowers", "narrow.csv")).toMatch(/^narrow\.csv: .*length/);
    write("plain.csv", "length,color\n1,red\n");
    expect(await data("flowers", "plain.csv")).toMatch(/^plain\.csv: .*kind/);
    write("tulips.csv", "length,kind\n1,tulip\n");
    expect(await data("flowers", "tulips.csv")).toBe(
      'tulips.csv: holds no row that can be used; line 2: the target "kind" holds "tulip", which is no class of the model',
    );
    expect(await data("prices", "flowers.csv")).toMatch(/^flowers\.csv: .*price/);
  });

  test("refuses labels that are no digits", async () => {
    const labels = encodeIdx(
      [20],
      Uint8Array.from({ length: 20 }, (_, i) => i),
    );
    writeMnist(at("letters"), { changes: { "t10k-labels-idx1-ubyte": labels } });
    expect(await refused("evaluate", at("run"), "--data", at("letters"))).toMatch(/label 1\d at index \d+/);
  });

  test("lists rows that cannot be used, and evaluates the others", async () => {
    write("mixed.csv", "length,kind\n4,rose\n6,lily\n5,tulip\n,rose\n");
    const { code, out, err } = await command(["evaluate", at("flowers"), "--data", at("mixed.csv"), "--json"]);
    expect([code, JSON.parse(out).examples]).toEqual([0, 3]); // a missing length is the mean
    expect(err).toBe('skipped line 4: the target "kind" holds "tulip", which is no class of the model\n');
  });
});

describe("info", () => {
  test("describes a run, weights and a checkpoint with --json", async () => {
    const json = async (...path: string[]): Promise<Record<string, unknown>> =>
      JSON.parse((await command(["info", at(...path), "--json"])).out) as Record<string, unknown>;
    const run = await json("run");
    expect(Object.keys(run)).toEqual(["config", "epochs", "bestEpoch", "checkpoint", "evaluation"]);
    expect(run).toMatchObject({
      bestEpoch: 1,
      checkpoint: { epoch: 1, batch: 0, steps: 5 },
      config: { model: "toy", fraction: 0.3, backend: { fused: expect.any(Boolean) } },
      evaluation: { split: "test", examples: TEST_IMAGES },
    });
    expect(await json("begun")).toMatchObject({ epochs: [], bestEpoch: null, checkpoint: { epoch: 0 }, evaluation: null });
    const weights = await json("run", "best.safetensors");
    expect(Object.keys(weights)).toEqual(
      expect.arrayContaining(["kind", "format", "bytes", "epoch", "batch", "steps", "tensors", "pools", "metadata", "model"]),
    );
    expect(weights).toMatchObject({ kind: "weights", model: { model: "toy", epoch: 1, inputShape: [28, 28, 1] } });
    expect(await json("run", "checkpoint.safetensors")).toMatchObject({ kind: "checkpoint", epoch: 1, model: null });
    expect(await json("torch.safetensors")).toMatchObject({ format: null, model: null });
  });

  test("describes a run without a complete epoch, a checkpoint, and weights of another program", async () => {
    const text = async (...path: string[]): Promise<string> => (await command(["info", at(...path)])).out;
    expect(await text("begun")).toMatch(/^epochs {8}0 of 1, checkpoint: epoch 0, batch \d of the next$/m);
    expect(await text("begun")).not.toMatch(/^(best|result) /m);
    expect(await text("run", "checkpoint.safetensors")).toMatch(/^kind {10}checkpoint, format .*\nepoch {9}1, 5 steps$/m);
    expect(await text("torch.safetensors")).toMatch(/^kind {10}safetensors of another program\n\ntensor +shape/m);
    expect(await text("prices")).toMatch(/^inputs {8}1, for a number$/m);
  });
});

describe("export", () => {
  test.each([
    ["float16", ["--dtype", "float16"]],
    ["int8", ["--dtype", "int8"]],
    ["onnx", ["--onnx"]],
    ["torch", ["--torch"]],
  ])("of a compressed run to %s prints sizes with --json", async (format, args) => {
    const out = at(`out.${format === "onnx" ? "onnx" : "safetensors"}`);
    const { code, out: text } = await command(["export", at("resnet"), out, ...args, "--json"]);
    expect(code).toBe(0);
    const from = at("resnet", "best.safetensors");
    expect(JSON.parse(text)).toEqual({ file: out, format, bytes: statSync(out).size, from, fromBytes: statSync(from).size });
  });

  test("of a compressed run to int8 gives a file of the same model, which evaluate and export read", async () => {
    const [small, model] = [at("small.safetensors"), at("small.onnx")];
    expect((await command(["export", at("run"), small, "--dtype", "int8"])).out).toMatch(
      /small\.safetensors: int8, [\d,]+ bytes\n$/,
    );
    expect(statSync(small).size).toBeLessThan(0.4 * statSync(at("run", "best.safetensors")).size);
    const loss = async (file: string): Promise<number> =>
      JSON.parse((await command(["evaluate", file, "--data", at("digits"), "--json"])).out).loss as number;
    expect(Math.abs((await loss(small)) - (await loss(at("run"))))).toBeLessThan(0.01);
    expect((await command(["export", small, model, "--onnx", "--quiet"])).out).toBe("");
    expect(existsSync(model)).toBe(true);
  });

  test("to PyTorch's names writes the weights that the pool makes", async () => {
    const tensors = info(at("torch.safetensors")).tensors;
    expect(tensors.find(({ name }) => name === "conv1.weight")?.shape).toEqual([16, 1, 3, 3]);
    const numbers = tensors.filter(({ dtype }) => dtype === "F32").reduce((sum, { bytes }) => sum + bytes / 4, 0);
    expect(numbers).toBeGreaterThan(70_000); // the pool holds a fifth of them
  });

  test("refuses two formats, names of torchvision for other networks, and a file that it would overwrite or misname", async () => {
    const out = at("refused.safetensors");
    expect(await refused("export", at("run"), out, "--onnx", "--torch")).toBe(
      "--onnx, --torch and --dtype exclude each other: write one file after the other",
    );
    expect(await refused("export", at("run"), out, "--dtype", "int4")).toMatch(/^--dtype must be one of float32, /);
    expect(await refused("export", at("run"), out, "--torch")).toBe(
      "--torch writes the names of torchvision, which has no toy: --onnx writes every model",
    );
    expect(await refused("export", at("run"), at("run", "best.safetensors"))).toMatch(
      /is the file that is read: give another name$/,
    );
    expect(await refused("export", at("run"), at("model.onnx"))).toBe(
      "model.onnx is named like an ONNX file, which --onnx writes: pass --onnx or another name",
    );
    expect([existsSync(out), existsSync(at("model.onnx"))]).toEqual([false, false]);
  });
});
