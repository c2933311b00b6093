import { copyFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { main } from "../../src/cli/main.ts";
import { folderWithCache, png, write } from "./data/pictures.ts";
import { command } from "./run-command.ts";

const root = folderWithCache();
const at = (name: string): string => join(root, name);

beforeAll(async () => {
  const shades = [200, 215, 230, 255].map((shade) => shade.toString(16));
  for (const [i, shade] of shades.entries()) {
    write(root, { [`images/red/${i}.png`]: await png(`#${shade}0000`, 4, 4) });
    write(root, { [`images/blue/${i}.png`]: await png(`#0000${shade}`, 4, 4) });
  }
  write(root, {
    "broken.png": "x",
    "prices.csv": `size,color,price\n${Array.from({ length: 40 }, (_, i) => `${i % 8},${i % 2 ? "red" : "blue"},${100 + 10.5 * (i % 8)}`).join("\n")}\n`,
  });
  const train = async (...args: string[]): Promise<void> =>
    expect(await command(["train", "--quiet", "--threads", "1", ...args])).toMatchObject({ code: 0, err: "" });
  const common = ["--batch-size", "1", "--dense"];
  await train("--data", at("images"), "--model", "mlp", "--epochs", "8", ...common, "--out", at("run"));
  await train(
    "--data",
    at("prices.csv"),
    "--target",
    "price",
    "--epochs",
    "5",
    "--learning-rate",
    "0.03",
    ...common,
    "--out",
    at("table"),
  );
}, 60_000);

test("predict prints the classes of images from the weights file alone", async () => {
  mkdirSync(at("elsewhere"));
  copyFileSync(at("run/best.safetensors"), at("elsewhere/my.safetensors"));
  const files = [at("images/red/0.png"), at("images/blue/3.png")];
  const { code, out, err } = await command(["predict", at("elsewhere/my.safetensors"), ...files]);
  expect([code, err]).toEqual([0, ""]);
  expect(out).toMatch(/^\S+red\/0\.png: red \d+\.\d %, blue \d+\.\d %\n\S+blue\/3\.png: blue \d+\.\d %, red \d+\.\d %\n$/);
  expect((await command(["predict", at("run"), ...files])).out).toBe(out);
});

test("predict reports an image that cannot be read, predicts the others, and exits with 2", async () => {
  const { code, out, err } = await command(["predict", at("run"), at("broken.png"), at("images"), "--json", "--top", "1"]);
  const lines = out
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(lines.map(({ file, predictions }) => [file, predictions.map((one: { class: string }) => one.class)])).toEqual(
    ["blue", "red"].flatMap((name) => [0, 1, 2, 3].map((i) => [at(`images/${name}/${i}.png`), [name]])),
  );
  expect([code, err]).toEqual([2, `${at("broken.png")}: is not a complete JPEG, PNG, WebP, GIF, AVIF, TIFF or SVG image\n`]);
});

test("predict reads rows of the standard input, and prints numbers in the unit of the target", async () => {
  async function* stdin(): AsyncGenerator<Uint8Array> {
    yield Buffer.from("color,size\nred,3\nbl");
    yield Buffer.from("ue,6\n");
  }
  const texts: string[] = [];
  const io = { write: (text: string) => texts.push(text) };
  const signal = new AbortController().signal;
  expect(await main(["predict", at("table"), "-", "--json"], { stdout: io, stderr: io, signal, stdin: stdin() })).toBe(0);
  const [three, six] = texts
    .join("")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect([three.file, three.line, six.line]).toEqual(["-", 2, 3]);
  expect(Math.abs(three.value - 131.5)).toBeLessThan(5);
  expect(Math.abs(six.value - 163)).toBeLessThan(5);
});

test.each([
  [["predict"], "predict: missing required argument 'model'; hashgrad predict --help lists the options\n"],
  [["predict", "run"], "predict: missing required argument 'files'; hashgrad predict --help lists the options\n"],
  [["predict", "run", "x.png", "--top", "0"], 'predict: --top must be a whole number of at least 1, got "0"\n'],
  [["predict", "run", "-", "-"], "predict: - is the standard input, which is read once: give - once\n"],
])("the command refuses %j", async (argv, err) => {
  expect(await command(argv)).toEqual({ code: 2, out: "", err });
});
