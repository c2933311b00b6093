import { mkdtempSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { main } from "../../src/cli/main.ts";
import { MODEL_NAMES } from "../../src/cli/models.ts";
import { encodeIdx } from "../../src/data/index.ts";
import { temporaryFolder } from "../temporary-folder.ts";
import { TEST_IMAGES, TRAIN_IMAGES, writeMnist } from "./tiny-mnist.ts";

const root = temporaryFolder();
const folder = writeMnist(join(root, "plain"));

const COMMANDS = ["train", "resume", "evaluate", "info", "export", "report"];

type Run = { readonly code: number; readonly out: string; readonly err: string; readonly writes: readonly string[] };

/** Runs the command in this process. `onWrite` sees what goes to stdout, and may abort. */
async function run(
  argv: readonly string[],
  {
    terminal = {},
    stop = new AbortController(),
    onWrite = () => undefined,
  }: {
    readonly terminal?: { readonly isTTY?: boolean; readonly columns?: number };
    readonly stop?: AbortController;
    readonly onWrite?: (text: string, stop: AbortController) => void;
  } = {},
): Promise<Run> {
  const [writes, errors]: [string[], string[]] = [[], []];
  const write = (text: string): void => {
    writes.push(text);
    onWrite(text, stop);
  };
  const stderr = { write: (text: string) => errors.push(text) };
  const code = await main(argv, { stdout: { write, ...terminal }, stderr, signal: stop.signal });
  return { code, out: writes.join(""), err: errors.join(""), writes };
}
let runs = 0;
/** Arguments of a short run in a folder of its own. */
const train = (...more: string[]): string[] => [
  ...["train", "--data", folder, "--epochs", "1", "--batch-size", "16", "--out", join(root, `run-${++runs}`)],
  ...more,
];
const linesOf = (text: string): string[] => text.trimEnd().split("\n");
const jsonOf = (text: string): Record<string, unknown>[] => linesOf(text).map((line) => JSON.parse(line));

describe("help", () => {
  test.each([["--help"], ["-h"], []])("of the program lists the commands, for the arguments %j", async (...argv) => {
    const { code, out, err } = await run(argv);
    expect([code, err]).toEqual([0, ""]);
    expect(out).toMatch(/^Usage: hashgrad <command> \[options\]/);
    for (const name of COMMANDS) expect(out).toMatch(new RegExp(`^ {2}${name} `, "m"));
  });

  test.each(COMMANDS)("of %s fits on a screen, and says range and default of each option with a value", async (name) => {
    const { code, out } = await run([name, "--help"]);
    const lines = linesOf(out);
    expect(code).toBe(0);
    expect(lines.length).toBeLessThanOrEqual(24);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(100);
    const open = lines.filter((line) => /^ {2}--[\w-]+ <(n|share|rate|pixels)>/.test(line));
    expect(open.filter((line) => !line.includes("(default: "))).toEqual([]);
  });

  test("--version prints the version of the package", async () => {
    const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as { version: string };
    expect(await run(["--version"])).toMatchObject({ code: 0, out: `${version}\n` });
  });
});

/** Exit code 2, one line on stderr without a stack, nothing on stdout. */
async function refused(argv: readonly string[]): Promise<string> {
  const { code, out, err } = await run(argv);
  expect({ code, out }).toEqual({ code: 2, out: "" });
  expect(err).toMatch(/^[^\n]+\n$/);
  expect(err).not.toMatch(/\bat .*:\d+:\d+/);
  return err.trimEnd();
}

test.each([
  [["--fraction", "0"], '--fraction must be above 0 and at most 1, got "0"'],
  [["--fraction", "2"], '--fraction must be above 0 and at most 1, got "2"'],
  [["--fraction", "abc"], '--fraction must be above 0 and at most 1, got "abc"'],
  [["--fraction", ""], '--fraction must be above 0 and at most 1, got ""'],
  [["--fraction=-0.5"], '--fraction must be above 0 and at most 1, got "-0.5"'],
  [["--fraction", "NaN"], '--fraction must be above 0 and at most 1, got "NaN"'],
  [["--fraction"], "option '--fraction <share>' argument missing; hashgrad train --help lists the options"],
  [["--fraction", "-1"], '--fraction must be above 0 and at most 1, got "-1"'],
  [["--epochs", "0"], '--epochs must be a whole number of at least 1, got "0"'],
  [["--epochs", "1.5"], '--epochs must be a whole number of at least 1, got "1.5"'],
  [["--epochs", " "], '--epochs must be a whole number of at least 1, got " "'],
  [["--batch-size", "0"], '--batch-size must be a whole number of at least 1, got "0"'],
  [["--limit", "1e400"], '--limit must be a whole number of at least 1, got "1e400"'],
  [["--seed", "-1"], '--seed must be a whole number of at least 0, got "-1"'],
  [["--threads", "17"], '--threads must be a whole number from 1 to 16, got "17"'],
  [["--validation", "1"], '--validation must be at least 0 and below 1, got "1"'],
  [["--image-size", "3x"], '--image-size must be 1 to 4096 pixels, such as 32 or 32x48, got "3x"'],
  [["--augment", "shift,rotate"], '--augment must be one of shift, flip, crop, got "rotate"'],
  [["--early-stopping", "0"], '--early-stopping must be a whole number of at least 1, got "0"'],
  [["--seed", "0.5"], '--seed must be a whole number of at least 0, got "0.5"'],
  [["--learning-rate", "0"], '--learning-rate must be above 0, got "0"'],
  [["--learning-rate", "Infinity"], '--learning-rate must be above 0, got "Infinity"'],
  [["--pool", "best"], '--pool must be one of product, kronecker, hash, meta, got "best"'],
  [["--pool", ""], '--pool must be one of product, kronecker, hash, meta, got ""'],
  [["--model", "lenet"], `--model must be one of ${MODEL_NAMES}, got "lenet"`],
  [["--model", "resnet21"], `--model must be one of ${MODEL_NAMES}, got "resnet21"`],
  [["--dense", "--pool", "hash"], "--dense trains without a pool: leave out --pool and --fraction"],
  [["--dense", "--fraction", "0.4"], "--dense trains without a pool: leave out --pool and --fraction"],
  [["--frction", "0.4"], "unknown option '--frction' (Did you mean --fraction?); hashgrad train --help lists the options"],
  [["0.4"], "too many arguments for 'train'. Expected 0 arguments but got 1; hashgrad train --help lists the options"],
  [[], "--data is missing: mnist, a folder of IDX files, a folder of images, or a .csv file"],
])("the command refuses %j with a message of one line", async (argv, text) => {
  expect(await refused(["train", ...argv])).toBe(`train: ${text}`);
});

test("the command line corrects a misspelled command", async () => {
  expect(await refused(["tran"])).toBe(
    "hashgrad: unknown command 'tran' (Did you mean train?); hashgrad --help lists the options",
  );
});

test("the command refuses an unknown option that contains a line break with a message of one line", async () => {
  expect(await refused(["train", "--no\nsuch"])).toBe(
    "train: unknown option '--no such'; hashgrad train --help lists the options",
  );
});

test("the command refuses a fraction too low for the pool and names the least fraction that works", async () => {
  expect(await refused(train("--fraction", "0.001"))).toMatch(
    /^train: ProductVariablePool: fraction 0.001 leaves no column: .* the least fraction for 31760 weights is 0\.\d+$/,
  );
  expect(await refused(train("--fraction", "0.00001", "--pool", "hash"))).toMatch(
    /^train: HashVariablePool: .* the least fraction for 31760 weights is 0.00003149$/,
  );
});

const zeros = (...shape: number[]): Uint8Array => encodeIdx(shape, new Uint8Array(shape.reduce((a, b) => a * b, 1)));

test.each([
  ["a truncated file", "train-images-idx3-ubyte", zeros(40, 28, 28).subarray(0, -7), "truncated: expected 31360 bytes of data"],
  [
    "a bad magic number",
    "train-labels-idx1-ubyte",
    new Uint8Array(48).fill(7),
    "not an IDX file: expected to begin with 00 00 08",
  ],
  ["labels that are too few", "t10k-labels-idx1-ubyte", zeros(19), "19 labels for the 20 images"],
  ["a label out of range", "train-labels-idx1-ubyte", encodeIdx([40], new Uint8Array(40).fill(10)), "label 10 at index 0"],
  ["an empty file", "t10k-images-idx3-ubyte", new Uint8Array(0), "too short for an IDX header"],
] as const)("the command refuses %s and names the file", async (_, name, bytes, text) => {
  const broken = writeMnist(mkdtempSync(join(root, "broken-")), { changes: { [name]: bytes } });
  expect(await refused(["train", "--data", broken])).toMatch(`train: ${join(broken, name)}: ${text}`);
});

test("the command refuses training and test images of different sizes", async () => {
  const broken = writeMnist(mkdtempSync(join(root, "broken-")), { changes: { "t10k-images-idx3-ubyte": zeros(20, 14, 14) } });
  expect(await refused(["train", "--data", broken])).toMatch("training images [28, 28, 1] and test images [14, 14, 1]");
});

test("the network refuses images of a single pixel", async () => {
  const changes = { "train-images-idx3-ubyte": zeros(40, 1, 1), "t10k-images-idx3-ubyte": zeros(20, 1, 1) };
  const tiny = writeMnist(mkdtempSync(join(root, "broken-")), { changes });
  expect(await refused(["train", "--data", tiny])).toMatch("toyNetwork: inputShape [1, 1, 1]: images need at least 2×2 pixels");
});

test("the command refuses a folder that does not exist and names the folder", async () => {
  const missing = join(root, "nowhere");
  expect(await refused(["train", "--data", missing])).toMatch(missing);
});

test("training that diverges exits with 1 and prints one line to stderr", async () => {
  const { code, err } = await run(train("--learning-rate", "1e30"));
  expect(code).toBe(1);
  expect(err).toMatch(/^train: the loss is (NaN|Infinity) in epoch 1, batch \d+: [^\n]*\n$/);
});

describe("--json", () => {
  test("prints one line per epoch and the result in the last line", async () => {
    const { code, out, err } = await run(train("--epochs", "2", "--json", "--seed", "7"));
    expect([code, err]).toEqual([0, ""]);
    const [first, second, result, ...more] = jsonOf(out);
    expect(more).toEqual([]);
    for (const [i, epoch] of [first, second].entries()) {
      expect(epoch).toEqual({
        epoch: i + 1,
        epochs: 2,
        loss: expect.any(Number),
        accuracy: expect.any(Number),
        testLoss: expect.any(Number),
        testAccuracy: expect.any(Number),
        learningRate: expect.any(Number),
        examples: TRAIN_IMAGES,
        seconds: expect.any(Number),
        examplesPerSecond: expect.any(Number),
      });
    }
    expect(result).toEqual({
      testAccuracy: second!.testAccuracy,
      testLoss: second!.testLoss,
      run: expect.stringMatching(/run-\d+$/),
      trainExamples: TRAIN_IMAGES,
      validationExamples: 0,
      testExamples: TEST_IMAGES,
      bestEpoch: 2,
      stoppedEarly: false,
      denseSize: 31_786,
      trainedSize: 12_558,
      achievedFraction: 12_558 / 31_786,
      coreSize: 12_530,
      fraction: 0.4,
      epochs: 2,
      seed: 7,
      secondsTotal: expect.any(Number),
      model: "toy",
      pool: "product",
      batchSize: 16,
      interrupted: false,
    });
  });

  test("reports no core for a dense network and counts all weights as trained", async () => {
    const [, result] = jsonOf((await run(train("--dense", "--json"))).out);
    expect(result).toMatchObject({ denseSize: 31_786, trainedSize: 31_786, coreSize: 0, fraction: 1, achievedFraction: 1 });
  });

  test.each(["product", "kronecker", "hash", "meta"])("with --pool %s reports a core within the fraction", async (kind) => {
    const { code, out } = await run(train("--pool", kind, "--fraction", "0.3", "--json"));
    expect(code).toBe(0);
    const { coreSize, trainedSize, testLoss } = jsonOf(out).at(-1) as Record<string, number>;
    expect(coreSize).toBeLessThanOrEqual(0.3 * 31_760);
    expect(coreSize).toBeGreaterThan(0.2 * 31_760);
    expect(trainedSize! - coreSize!).toBe(16 + 10 + 2); // biases and a scale for each kernel
    expect(testLoss).toBeGreaterThan(0);
  });

  test.each([
    ["resnet20", 269_434],
    ["mobilenetv3", 409_250],
  ])("with --model %s trains that network, dense or from a pool", async (model, denseSize) => {
    const few = ["--model", model, "--limit", "16", "--json"];
    const [, pooled] = jsonOf((await run(train(...few, "--fraction", "0.1"))).out);
    expect(pooled).toMatchObject({ model, denseSize, pool: "product", trainExamples: 16, testLoss: expect.any(Number) });
    expect(pooled!.achievedFraction).toBeCloseTo(0.1, 1);
    const [, dense] = jsonOf((await run(train(...few, "--dense"))).out);
    expect(dense).toMatchObject({ model, denseSize, trainedSize: denseSize, pool: null, trainExamples: 16 });
  });

  test("gives the same numbers for the same seed and different numbers for another seed", async () => {
    const lossOf = async (seed: string): Promise<unknown> =>
      jsonOf((await run(train("--json", "--seed", seed))).out)[1]!.testLoss;
    const first = await lossOf("3");
    expect(await lossOf("3")).toBe(first);
    expect(await lossOf("4")).not.toBe(first);
  });

  test("with --limit trains on the first training images and tests on all test images", async () => {
    const [epoch, result] = jsonOf((await run(train("--json", "--limit", "10"))).out);
    expect(epoch!.examples).toBe(10);
    expect(result).toMatchObject({ trainExamples: 10, testExamples: TEST_IMAGES });
    expect(jsonOf((await run(train("--json", "--limit", "1000"))).out)[1]!.trainExamples).toBe(TRAIN_IMAGES);
  });

  test("gives the same loss for compressed and uncompressed files", async () => {
    const packed = writeMnist(join(root, "packed"), { gzip: true });
    const [plain, gzipped] = [await run(train("--json")), await run(train("--json", "--data", packed))];
    expect(jsonOf(gzipped.out)[1]!.testLoss).toBe(jsonOf(plain.out)[1]!.testLoss);
  });

  test("shows no progress line, even on a terminal", async () => {
    const { writes } = await run(train("--json"), { terminal: { isTTY: true } });
    expect(writes.join("")).not.toContain("\r");
  });
});

const epochLine =
  /^epoch 1\/1 {2}loss \d\.\d{4} {2}accuracy \d+\.\d\d % {2}test accuracy \d+\.\d\d % {2}\d+\.\d s, [\d,]+ examples\/s$/;

test("without --json the command prints the table, one line per epoch and the result", async () => {
  const { code, out, err } = await run(train());
  expect([code, err]).toEqual([0, ""]);
  expect(linesOf(out)).toEqual([
    "layer  variable  shape          weights  storage",
    "─────  ────────  ─────────────  ───────  ───────",
    "conv   kernel    [5, 5, 1, 16]      400  pool",
    "conv   bias      [16]                16  dense",
    "dense  kernel    [3136, 10]      31,360  pool",
    "dense  bias      [10]                10  dense",
    "total                            31,786",
    "",
    "31,786 weights from 12,558 trained numbers: achieved fraction 0.395",
    "product pool: 12,530 numbers make 32,041 weights, 31,760 are used",
    "",
    "40 training, 20 test examples",
    "",
    expect.stringMatching(epochLine),
    "",
    expect.stringMatching(/^result {9}test accuracy \d+\.\d\d % {2}\(loss \d\.\d{4}, 20 examples\)$/),
    "epoch          1 of 1",
    "dense size     31,786 weights",
    "core size      12,530 numbers in the pool, for 31,760 weights",
    "trained size   12,558 numbers, biases and scales included",
    "fraction       0.4 asked, 0.395 achieved (trained size / dense size)",
    expect.stringMatching(/^time {11}\d+\.\d s of training, without evaluations$/),
    expect.stringMatching(/^run {12}.*run-\d+$/),
  ]);
});

test("--quiet prints the result only, from the first line on", async () => {
  const { code, out } = await run(train("--quiet"));
  expect(code).toBe(0);
  expect(linesOf(out).map((line) => line.slice(0, 12).trimEnd())).toEqual([
    "result",
    "epoch",
    "dense size",
    "core size",
    "trained size",
    "fraction",
    "time",
    "run",
  ]);
});

test("the command prints no core size for a dense network", async () => {
  const { out } = await run(train("--dense"));
  expect(out).toContain("dense size     31,786 weights\ntrained size   31,786 numbers");
  expect(out).not.toContain("core size");
  expect(out).not.toContain("pool");
});

describe("on a terminal", () => {
  const ERASE = "\x1b[K"; // to the end of the line
  const visible = (text: string): string => text.replaceAll("\r", "").replaceAll(ERASE, "");

  test.each([
    [40, 39],
    [20, 19],
    [200, 199],
    [undefined, 79],
  ])("of %s columns the progress line has at most %s characters and is cleared", async (columns, widest) => {
    const terminal = { isTTY: true, ...(columns === undefined ? {} : { columns }) };
    const { out, writes } = await run(train("--batch-size", "4"), { terminal });
    const live = writes.filter((text) => text.startsWith("\r") && visible(text) !== "");
    expect(live.length).toBeGreaterThan(0);
    expect(Math.max(...live.map((text) => visible(text).length))).toBeLessThanOrEqual(widest);
    expect(visible(live[0]!)).toMatch(/^epoch 1\/1 █░░░░░░░(?!\S)/);
    expect(live.every((text) => text.endsWith(ERASE) && !text.includes("\n"))).toBe(true);
    const after = writes.indexOf(live.at(-1)!) + 1;
    expect(writes[after]).toBe(`\r${ERASE}`);
    expect(out.split(`\r${ERASE}`).at(-1)).toMatch(/^epoch 1\/1( {2}|\n)/);
  });

  test.each([
    [200, "loss 0.0000  accuracy 00.00 %  validation accuracy 00.00 %  test accuracy 00.00 %  0.0 s, 0 examples/s"],
    [100, "loss 0.0000  accuracy 00.00 %  validation accuracy 00.00 %  test accuracy 00.00 %"],
    [80, "accuracy 00.00 %  validation accuracy 00.00 %  test accuracy 00.00 %"],
    [60, "validation accuracy 00.00 %"],
  ])("of %i columns the line of an epoch fits, and has the scores that matter most", async (columns, parts) => {
    const { writes } = await run(train("--validation", "0.2"), { terminal: { isTTY: true, columns } });
    const line = writes.find((text) => text.startsWith("epoch 1/1"))!.trimEnd();
    expect(line.length).toBeLessThan(columns);
    const shape = (text: string): string => text.replaceAll(/\d[\d,]*/g, "0");
    expect(shape(line)).toBe(shape(`epoch 1/1  ${parts}`));
  });

  test("the progress line shows loss, accuracy, speed and the time left", async () => {
    const { writes } = await run(train(), { terminal: { isTTY: true, columns: 200 } });
    expect(visible(writes.find((text) => text.startsWith("\r"))!)).toMatch(
      /^epoch 1\/1 [█░]{8} {2}loss \d\.\d{4} {2}accuracy \d+\.\d\d % {2}[\d,]+ examples\/s {2}\d+:\d\d left$/,
    );
  });
});

describe("Ctrl-C", () => {
  test("during an epoch ends training after the current step, saves, says how to resume, and exits with 130", async () => {
    const argv = train("--epochs", "3");
    const folderOf = argv[argv.indexOf("--out") + 1]!;
    const { code, out, err } = await run(argv, {
      terminal: { isTTY: true },
      onWrite: (text, stop) => text.startsWith("\r") && stop.abort(),
    });
    expect([code, err]).toEqual([130, ""]);
    // The K is the end of the sequence that erases the progress line.
    expect(out).toMatch(/Kstopped in epoch 1 of 3 after batch 1 of 3; saved: `hashgrad resume .*` continues\n$/);
    expect((await run(["resume", folderOf, "--json"])).code).toBe(0);
  });

  test("between epochs is reported by --json as interrupted", async () => {
    const { code, out } = await run(train("--epochs", "3", "--json"), { onWrite: (_, stop) => stop.abort() });
    expect(code).toBe(130);
    const lines = jsonOf(out);
    expect(lines).toHaveLength(2);
    expect(lines[1]).toMatchObject({ interrupted: true, epochs: 1 });
  });

  test("before the data are read writes nothing", async () => {
    const stop = new AbortController();
    stop.abort();
    expect(await run(train(), { stop })).toMatchObject({ code: 130, out: "" });
  });

  test("after the last epoch changes nothing, and the exit code is 0", async () => {
    const { code, out } = await run(train("--json"), { onWrite: (_, stop) => stop.abort() });
    expect(code).toBe(0);
    expect(jsonOf(out)[1]).toMatchObject({ interrupted: false, epochs: 1 });
  });
});

test("an error of the file system becomes a line on stderr", async () => {
  const long = "x".repeat(300);
  const text = await refused(["train", "--data", folder, "--epochs", "1", "--out", join(root, long)]);
  expect(text).toMatch(/^train: ENAMETOOLONG: name too long, mkdir '.*'$/);
});

test("a permission that Deno lacks becomes a line on stderr", async () => {
  const message = 'Requires write access to "x", run again with the --allow-write flag';
  const refuse = (): never => {
    throw Object.assign(new Error(message), { name: "NotCapable" });
  };
  expect(await run(train(), { onWrite: refuse })).toMatchObject({ code: 2, err: `train: ${message}\n` });
});

test("the command rethrows an error that the user did not cause", async () => {
  const broken = (): never => {
    throw new RangeError("a bug");
  };
  await expect(run(train(), { onWrite: broken })).rejects.toThrow(RangeError);
});
