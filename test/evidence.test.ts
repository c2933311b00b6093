import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { assign, Generator, square, sum, tensor } from "hashgrad";
import { syntheticDigits } from "hashgrad/data";
import { compareLeafGradient } from "hashgrad/testing";
import { afterAll, describe, expect, test } from "vitest";
import { halved, shiftAndFlip, takeLast } from "../bench/evidence/images.ts";
import { RandomHashPool } from "../bench/evidence/random-hash-pool.ts";
import { accuracyTable, pageWithReport } from "../bench/evidence/report.ts";
import { appendLine, isDone, linesIn } from "../bench/evidence/results.ts";
import { type Network, RUNS, runOf } from "../bench/evidence/runs.ts";
import { measureSteps } from "../bench/evidence/steps.ts";
import { type Line, type Task, trainTask } from "../bench/evidence/train.ts";
import type { Row } from "../src/cli/sweep/table.ts";
import "./fixed-seed.ts";

const folder = mkdtempSync(join(tmpdir(), "hashgrad-evidence-"));
afterAll(() => rmSync(folder, { recursive: true }));

const IMAGES = 16;
const data = syntheticDigits(IMAGES, new Generator(1), { height: 8, width: 8 });
const weightsOf = ({ vars }: Network): number[][] => [...vars.state!().weights.values()].map((w) => [...w.toArray()]);

test("a run that diverges is reported and does not run again", async () => {
  const run = { ...runOf("dense"), rate: 1e30 };
  const task: Task = { run, seed: 1, epochs: 3, images: IMAGES };
  const lines: Line[] = [];
  const checkpoint = join(folder, "diverges.safetensors");
  await trainTask(task, { data, held: data, batchSize: 4, commit: "none", checkpoint, onLine: (line) => lines.push(line) });
  expect(lines).toEqual([expect.objectContaining({ run: "dense", epoch: 3, loss: null, accuracy: 0 })]);
  expect(isDone(lines, task)).toBe(true);
  expect(accuracyTable(lines)).toContain("| diverged | not yet run |");
});

describe.each(["product 0.1", "random hashing 4× 0.1", "MobileNetV3 product 0.25"])("the run %s", (name) => {
  const task: Task = { run: runOf(name), seed: 1, epochs: 2, images: IMAGES };
  /** Trains one batch per epoch. `stop` ends the run in the way that it names, after the first line. */
  const trained = async (file: string, stop?: "signal" | "crash"): Promise<Network> => {
    const signal = { aborted: false };
    const out = join(folder, `${file}.jsonl`);
    return trainTask(task, {
      ...{ data, held: data, batchSize: IMAGES, commit: "none", checkpoint: join(folder, `${file}.safetensors`), signal },
      onLine: (line) => {
        appendLine(out, task, line);
        if (stop === "crash") throw new Error("crash");
        signal.aborted = stop === "signal";
      },
    });
  };
  const numbersIn = (file: string) =>
    linesIn(join(folder, `${file}.jsonl`)).map(({ epoch, trainLoss, loss, accuracy }) => [epoch, trainLoss, loss, accuracy]);

  test("continues with the same bits after a stop or a crash", async () => {
    const slug = name.replaceAll(/\W+/g, "-");
    const whole = weightsOf(await trained(`${slug}-whole`));
    await trained(`${slug}-stopped`, "signal");
    expect(isDone(linesIn(join(folder, `${slug}-stopped.jsonl`)), task)).toBe(false);
    expect(weightsOf(await trained(`${slug}-stopped`))).toEqual(whole);
    await expect(trained(`${slug}-killed`, "crash")).rejects.toThrow("crash"); // after the line, before the checkpoint
    expect(weightsOf(await trained(`${slug}-killed`))).toEqual(whole);
    for (const file of ["stopped", "killed"]) expect(numbersIn(`${slug}-${file}`)).toEqual(numbersIn(`${slug}-whole`));
    expect(isDone(linesIn(join(folder, `${slug}-stopped.jsonl`)), task)).toBe(true);
  });
});

test("run names are unique, and compared runs have networks of about the same size", () => {
  expect(new Set(RUNS.map(({ name }) => name)).size).toBe(RUNS.length);
  const size = (name: string): number =>
    runOf(name)
      .build(1)
      .vars.parameters()
      .reduce((total, p) => total + p.tensor.size, 0);
  expect(size("width 0.5") / size("product 0.25")).toBeCloseTo(1, 1);
  expect(size("width 0.3125") / size("product 0.1")).toBeCloseTo(1, 1);
  expect(size("twice as wide, product 0.25") / size("dense")).toBeCloseTo(1, 1);
});

test("the table of the toy network has the rows of its sweep", () => {
  const read = (path: string): string => readFileSync(new URL(`../${path}`, import.meta.url), "utf8");
  const { rows } = JSON.parse(read("bench/results/accuracy.json")) as { rows: Row[] };
  const page = read("docs/accuracy.md").split("\n");
  const percent = (score: number): string => `${(100 * score).toFixed(2)} %`;
  expect(rows).toHaveLength(11);
  for (const { pool, fraction, trainedSize, score, scores } of rows) {
    const begin = `| ${pool ?? "dense"} | ${pool === null ? "" : fraction} | ${trainedSize.toLocaleString("en")} |`;
    const end = `| ${percent(score)} | 3 | ${scores.map((one) => percent(one.score)).join(", ")} |`;
    expect(page.filter((line) => line.startsWith(begin) && line.endsWith(end))).toHaveLength(1);
  }
});

describe("random hashing", () => {
  const options = fc.record({
    poolSize: fc.integer({ min: 8, max: 40 }),
    fraction: fc.double({ min: 0.2, max: 1, noNaN: true }),
    hashes: fc.integer({ min: 1, max: 4 }),
    seed: fc.nat(),
  });

  test("adds one signed number per hash", () => {
    fc.assert(
      fc.property(options, (given) => {
        const pool = new RandomHashPool(given);
        assign(pool.coreVariables[0]!.tensor, new Float32Array(pool.coreSize).fill(1));
        pool.getSlice([3]);
        const weights = pool
          .getSlice([given.poolSize - 3])
          .read()
          .toArray();
        for (const w of weights) expect([Math.abs(w) <= given.hashes, Math.abs(w) % 2]).toEqual([true, given.hashes % 2]);
      }),
    );
  });

  test("has the correct gradient", () => {
    fc.assert(
      fc.property(options, ({ poolSize, ...given }) => {
        const pool = new RandomHashPool({ poolSize, ...given });
        const [first, second] = [pool.getSlice([2, 3]), pool.getSlice([poolSize - 6])];
        const random = new Generator(given.seed);
        const f = () => [sum(square(first.read())), second.read()];
        expect(compareLeafGradient(f, [pool.coreVariables[0]!.tensor], () => random.uniform()).error).toBeLessThan(2e-3);
      }),
    );
  });
});

test("shiftAndFlip moves whole images by up to two pixels and mirrors some of them", () => {
  const [height, width] = [6, 7];
  const inputs = tensor(
    Array.from({ length: 40 * height * width }, (_, i) => i + 1),
    [40, height, width, 1],
  );
  const { inputs: moved, targets } = shiftAndFlip({ inputs, targets: "labels" }, new Generator(3));
  expect(targets).toBe("labels");
  const at = (x: Float32Array, n: number, i: number, j: number): number =>
    i < 0 || i >= height || j < 0 || j >= width ? 0 : x[(n * height + i) * width + j]!;
  const seen = new Set<string>();
  for (let n = 0; n < 40; n++) {
    const places = [-2, -1, 0, 1, 2].flatMap((down) =>
      [-2, -1, 0, 1, 2].flatMap((right) => [true, false].map((flip) => ({ down, right, flip }))),
    );
    const fits = places.filter(({ down, right, flip }) =>
      Array.from({ length: height * width }, (_, p) => [Math.floor(p / width), p % width] as const).every(([i, j]) => {
        const from = j - right < 0 || j - right >= width ? -1 : flip ? width - 1 - (j - right) : j - right;
        return at(moved.data, n, i, j) === at(inputs.data, n, i - down, from);
      }),
    );
    expect(fits.length).toBe(1);
    seen.add(JSON.stringify(fits[0]));
  }
  expect(seen.size).toBeGreaterThan(20);
});

test("halved averages 2×2 pixels, and takeLast takes the last images", () => {
  const inputs = Uint8Array.from([
    ...[0, 2, 10, 10],
    ...[2, 4, 10, 14],
    ...[1, 1, 0, 0],
    ...[1, 1, 0, 2],
    ...new Array(16).fill(7),
  ]);
  const whole = { inputs, inputShape: [4, 4, 1], labels: Int32Array.from([3, 5]), classes: 10 };
  expect(halved(whole)).toEqual({ ...whole, inputShape: [2, 2, 1], inputs: Uint8Array.from([2, 11, 1, 1, 7, 7, 7, 7]) });
  expect(takeLast(whole, 1)).toEqual({ ...whole, labels: Int32Array.from([5]), inputs: inputs.subarray(16) });
});

test("the measurement of step times alternates between the networks", () => {
  const out = join(folder, "steps.jsonl");
  const lines = measureSteps(out, "none", { rounds: 1, batch: 2, side: 8, runs: ["dense", "random hashing 1× 0.1"] });
  expect(lines.map(({ milliseconds }) => milliseconds > 0 && Number.isFinite(milliseconds))).toEqual([true, true]);
  expect(linesIn(out)).toEqual(lines);
});

test("the table shows each seed, compares means over common seeds and lists the missing runs", () => {
  const line = (run: string, seed: number, epoch: number, accuracy: number): Line => ({
    ...{ run, seed, epoch, accuracy, epochs: 8, images: 60_000, rate: 0.1, rateFactor: null, trainLoss: 0, loss: 0 },
    ...{ trainedSize: 27_306, denseSize: 0, seconds: 0, cpuSeconds: 0, fused: true, commit: "" },
  });
  const lines = [
    line("dense", 1, 8, 0.93),
    line("product 0.1", 1, 8, 0.925),
    line("product 0.1", 2, 8, 0.935),
    line("dense", 2, 3, 0.9),
  ];
  const rows = accuracyTable(lines).split("\n");
  expect(rows[2]).toBe("| dense | 27,306 | 93.00 | epoch 3 of 8: 90.00 | not yet run | 93.00 |  |");
  expect(rows[3]).toBe("| product 0.1 | 27,306 | 92.50 | 93.50 | not yet run | 93.00 | -0.50 |");
  expect(rows.slice(4, 9)).toEqual(["", "Not yet run:", "", "- width 0.3125", "- MobileNetV3 dense"]);
});

test("docs/accuracy.md holds the tables of the current results (if not, run npm run evidence -- --report)", () => {
  expect(readFileSync(new URL("../docs/accuracy.md", import.meta.url), "utf8")).toBe(pageWithReport());
});
