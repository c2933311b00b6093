import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { openCsv } from "../../../src/cli/data/csv.ts";
import { openImages } from "../../../src/cli/data/images.ts";
import { openLabeled } from "../../../src/cli/data/labeled.ts";
import type { OpenedData } from "../../../src/cli/data/opened.ts";
import { likeliestOf, type PredictionOptions, predictSources } from "../../../src/cli/predictions.ts";
import { lengthOf, sourceOf } from "../../../src/data/index.ts";
import { mean, mul, type Tensor } from "../../../src/index.ts";
import type { Layer } from "../../../src/nn/index.ts";
import { writeMnist } from "../tiny-mnist.ts";
import { folderWithCache, optionsOf, png, write } from "./pictures.ts";

const root = folderWithCache();
const at = (name: string): string => join(root, name);

/** Logits of red, green and blue: the brightness of the channel times 3. */
const colors: Layer = (x) => mul(mean(x, [1, 2]), 3);
/** Returns its inputs. */
const same: Layer = (x) => x;

const SIZE = "size,color,price\n";
let [images, rows, prices]: OpenedData[] = [];
beforeAll(async () => {
  const [red, green, blue] = await Promise.all(["#ff0000", "#00ff00", "#0000ff"].map((color) => png(color)));
  write(root, { "c/train/red/1.png": red!, "c/train/green/1.png": green!, "c/train/blue/1.png": blue! });
  write(root, { "c/test/blue/1.png": blue!, "c/test/blue/2.png": red!, "broken.png": "x", "one.png": green! });
  write(root, { "rows.csv": `${SIZE}1,a,p\n2,b,q\n3,a,p\n`, "prices.csv": "size,price\n1,10.5\n3,30.5\n" });
  images = await openImages(optionsOf(at("c")));
  rows = await openCsv(optionsOf(at("rows.csv"), { target: "price" }));
  prices = await openCsv(optionsOf(at("prices.csv"), { target: "price", task: "numbers" }));
  writeMnist(at("digits"));
});

type Run = { readonly out: string[]; readonly err: string[]; readonly predicted: number; readonly failed: number };

async function run(
  model: Layer,
  { preprocessing, classes }: Pick<OpenedData, "preprocessing" | "classes">,
  sources: readonly string[],
  options: Partial<PredictionOptions> = {},
  input = "",
): Promise<Run> {
  const [out, err]: [string[], string[]] = [[], []];
  const into = (lines: string[]) => ({ write: (text: string) => lines.push(...text.trimEnd().split("\n")) });
  const streams = {
    stdout: into(out),
    stderr: into(err),
    signal: new AbortController().signal,
    input: async () => Buffer.from(input),
  };
  const counts = await predictSources({ model, preprocessing, classes }, { sources, json: false, top: 5, ...options }, streams);
  return { out, err, ...counts };
}
const parsed = (lines: readonly string[]): unknown[] => lines.map((line) => JSON.parse(line));

describe("predict of images", () => {
  const [most, least] = [Math.exp(3), 1].map((x) => x / (Math.exp(3) + 2));
  test("prints the classes by falling probability", async () => {
    expect(images!.classes).toEqual(["blue", "green", "red"]);
    const bgr = { ...images!, classes: ["red", "green", "blue"] };
    const { out, err, predicted, failed } = await run(colors, bgr, [at("one.png"), at("c/test")]);
    const text = (name: string, other: string): string => `${name} ${(100 * most!).toFixed(1)} %, ${other}`;
    expect(out).toEqual([
      `${at("one.png")}: ${text("green", `red ${(100 * least!).toFixed(1)} %, blue ${(100 * least!).toFixed(1)} %`)}`,
      `${at("c/test/blue/1.png")}: ${text("blue", `red ${(100 * least!).toFixed(1)} %, green ${(100 * least!).toFixed(1)} %`)}`,
      `${at("c/test/blue/2.png")}: ${text("red", `green ${(100 * least!).toFixed(1)} %, blue ${(100 * least!).toFixed(1)} %`)}`,
    ]);
    expect([err, predicted, failed]).toEqual([[], 3, 0]);
  });

  test("reports images that cannot be read, and predicts the others", async () => {
    const { out, err, predicted, failed } = await run(colors, images!, [at("no.png"), at("broken.png"), at("one.png")], {
      json: true,
    });
    expect(parsed(out)).toEqual([
      {
        file: at("one.png"),
        predictions: [
          { class: "green", probability: expect.closeTo(most!, 6) },
          { class: "blue", probability: expect.closeTo(least!, 6) },
          { class: "red", probability: expect.closeTo(least!, 6) },
        ],
      },
    ]);
    expect(err).toEqual([
      `${at("no.png")}: does not exist, or is a link to nothing`,
      `${at("broken.png")}: is not a complete JPEG, PNG, WebP, GIF, AVIF, TIFF or SVG image`,
    ]);
    expect([predicted, failed]).toEqual([1, 2]);
  });

  test("the option top limits the classes, and more than 256 images keep their order", async () => {
    const files = Array.from({ length: 300 }, (_, i) => at(i % 3 === 0 ? "one.png" : "c/train/red/1.png"));
    const { out, predicted } = await run(colors, { ...images!, classes: ["red", "green", "blue"] }, files, {
      json: true,
      top: 1,
    });
    expect(predicted).toBe(300);
    const names = (parsed(out) as { predictions: { class: string }[] }[]).map(({ predictions }) =>
      predictions.map((one) => one.class),
    );
    expect(names).toEqual(files.map((_, i) => [i % 3 === 0 ? "green" : "red"]));
  });
});

describe("predict of rows", () => {
  test("takes columns by name and in any order, and names the line of each row", async () => {
    write(root, { "new.csv": "extra;color;size\n;b;2\n;new;\n;a;x\n;a\n" });
    const { out, err, predicted, failed } = await run(same, { ...rows!, classes: ["x", "y", "z"] }, [at("new.csv")], {
      json: true,
    });
    // size 2 is the mean, so all inputs are 0 or 1: [size, a, b].
    const b = Math.E / (2 + Math.E);
    expect(parsed(out)).toEqual([
      {
        file: at("new.csv"),
        line: 2,
        predictions: [{ class: "z", probability: expect.closeTo(b, 6) }, ...others(["x", "y"], (1 - b) / 2)],
      },
      { file: at("new.csv"), line: 3, predictions: others(["x", "y", "z"], 1 / 3) },
    ]);
    expect(err).toEqual([
      `${at("new.csv")} line 5: has 2 cells, the header has 3`,
      `${at("new.csv")} line 4: column "size" holds "x", which is not a number`,
    ]);
    expect([predicted, failed]).toEqual([2, 2]);
  });
  const others = (names: readonly string[], probability: number): object[] =>
    names.map((name) => ({ class: name, probability: expect.closeTo(probability, 6) }));

  test("reads the standard input, and prints numbers in the unit of the target", async () => {
    // Both columns rise by the same number of standard deviations, so the model that returns its input is exact.
    const text = "size\n1\n3\n2\n5\n";
    expect((await run(same, prices!, ["-"], {}, text)).out).toEqual(
      [2, 3, 4, 5].map((line, i) => `standard input line ${line}: ${[10.5, 30.5, 20.5, 50.5][i]}`),
    );
    expect(parsed((await run(same, prices!, ["-"], { json: true }, "size\n2\n")).out)).toEqual([
      { file: "-", line: 2, value: expect.closeTo(20.5, 5) },
    ]);
  });

  test("reports a file that cannot be used, and predicts the others", async () => {
    write(root, { "wrong.csv": "height\n1\n", "right.csv": "size\n1\n", "none.csv": "size\n" });
    const { out, err, failed } = await run(same, prices!, [
      at("wrong.csv"),
      at("gone.csv"),
      at("right.csv"),
      at("none.csv"),
      root,
    ]);
    expect(out).toEqual([`${at("right.csv")} line 2: 10.5`]);
    expect(err).toEqual([
      `${at("wrong.csv")}: has no column "size"; its columns are height`,
      `${at("gone.csv")}: cannot be read: it does not exist, or is a link to nothing`,
      `${root}: is a folder, but the model takes rows: pass .csv files`,
    ]);
    expect(failed).toBe(3);
  });
});

test("an abort ends predictions with the reason of the signal", async () => {
  const reason = new Error("stopped");
  const silent = { write: () => undefined };
  const streams = { stdout: silent, stderr: silent, signal: AbortSignal.abort(reason), input: async () => new Uint8Array() };
  const predictor = { model: colors, preprocessing: images!.preprocessing, classes: images!.classes };
  await expect(predictSources(predictor, { sources: [at("one.png")], json: false, top: 5 }, streams)).rejects.toBe(reason);
});

test("probabilities of large logits are finite", () => {
  expect(likeliestOf([1000, 0, -1000], ["a", "b", "c"], 2)).toEqual([
    { class: "a", probability: 1 },
    { class: "b", probability: 0 },
  ]);
});

describe("openLabeled", () => {
  const batch = async ({ data }: { data: Parameters<typeof sourceOf>[0] }) =>
    sourceOf(data).batch(Int32Array.from({ length: lengthOf(data) }, (_, i) => i));

  test("reads the test part of a folder of images with the classes of the model", async () => {
    const labeled = await openLabeled({ data: at("c"), strict: false }, images!);
    const { inputs, targets } = await batch(labeled);
    expect(targets).toEqual(Int32Array.of(0, 0));
    expect([...(inputs as Tensor).data.subarray(0, 3), ...(inputs as Tensor).data.subarray(48, 51)]).toEqual([0, 0, 1, 1, 0, 0]);
    await expect(openLabeled({ data: at("c"), strict: false }, { ...images!, classes: ["a", "b", "c"] })).rejects.toThrow(
      "test/blue/1.png is of class blue, which is no class of the model",
    );
  });

  test("reads rows with the statistics and the labels of the model", async () => {
    write(root, { "held.csv": `${SIZE}4,b,q\n2,new,p\n2,a,other\n2,a,?\n` });
    const labeled = await openLabeled({ data: at("held.csv"), strict: false }, rows!);
    const { inputs, targets } = await batch(labeled);
    const two = Math.fround(2 / Math.sqrt(2 / 3));
    expect([[...(inputs as Tensor).data], targets]).toEqual([[two, 0, 1, 0, 0, 0], Int32Array.of(1, 0)]);
    expect(labeled.skipped).toEqual([
      { where: "line 4", reason: 'the target "price" holds "other", which is no class of the model' },
      { where: "line 5", reason: 'the target "price" has no value' },
    ]);
    await expect(openLabeled({ data: at("held.csv"), strict: true }, rows!)).rejects.toThrow(
      "--strict refuses this file: line 4:",
    );
    const numbers = await batch(await openLabeled({ data: at("prices.csv"), strict: false }, prices!));
    expect([...(numbers.targets as Tensor).data]).toEqual([-1, 1]);
  });

  test("reads the test part of IDX files of the same shape", async () => {
    const trained = {
      preprocessing: { kind: "images", height: 28, width: 28, channels: 1 },
      classes: [..."0123456789"],
    } as const;
    expect(lengthOf((await openLabeled({ data: at("digits"), strict: false }, trained)).data)).toBe(20);
    const small = { ...trained, preprocessing: { ...trained.preprocessing, height: 14 } };
    await expect(openLabeled({ data: at("digits"), strict: false }, small)).rejects.toThrow(
      "holds images [28, 28, 1], but the model takes [14, 28, 1]",
    );
    const two = { ...trained, classes: ["cat", "dog"] };
    await expect(openLabeled({ data: at("digits"), strict: false }, two)).rejects.toThrow(
      /digits: holds the label \d, but the model has 2 classes, from label 0 on$/,
    );
  });

  test("refuses data of another kind", async () => {
    await expect(openLabeled({ data: at("rows.csv"), strict: false }, images!)).rejects.toThrow(
      "is a CSV file, but the model takes images",
    );
    await expect(openLabeled({ data: at("c"), strict: false }, rows!)).rejects.toThrow("holds images, but the model takes rows");
  });
});
