import { appendFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { RunConfig } from "../../../src/cli/run/files.ts";
import { loadRun } from "../../../src/cli/run/load.ts";
import { FileError, FormatError } from "../../../src/io/index.ts";
import { temporaryFolder } from "../../temporary-folder.ts";
import { epochsOf, runOf, writeRun } from "./runs.ts";

const root = temporaryFolder();

let next = 0;
const folderOf = (): string => join(root, `run-${next++}`);
/** A run whose configuration has a field replaced. */
function changed(path: string, value: unknown): string {
  const config = structuredClone(runOf("").config) as Record<string, unknown>;
  const names = path.split(".");
  let parent = config;
  for (const name of names.slice(0, -1)) parent = parent[name] as Record<string, unknown>;
  parent[names.at(-1)!] = value;
  return writeRun(folderOf(), { ...runOf(""), config: config as RunConfig });
}

describe("loadRun", () => {
  test("returns what was written", () => {
    const run = runOf(folderOf());
    expect(loadRun(writeRun(run.folder, run))).toEqual(run);
  });

  test("a number that JSON cannot hold is read as NaN", () => {
    const [first] = epochsOf(1);
    const run = runOf(folderOf(), {}, { epochs: [{ ...first!, train: { loss: Number.NaN, score: 0.1 } }] });
    expect(loadRun(writeRun(run.folder, run)).epochs).toEqual(run.epochs);
  });

  test.each(['{"epoch": 13, "epo', "garbage", '{"epoch": 13}'])("a last line that ends early is left out: %s", (end) => {
    const run = runOf(folderOf());
    expect(loadRun(writeRun(run.folder, run, end))).toEqual({ ...run, torn: true });
  });

  test("a last line without a line feed counts if it is complete", () => {
    const run = runOf(folderOf());
    const last = { ...run.epochs[0]!, epoch: 13 };
    expect(loadRun(writeRun(run.folder, run, JSON.stringify(last)))).toEqual({ ...run, epochs: [...run.epochs, last] });
  });

  test("the last line of an epoch counts, because a resumed run repeats an epoch", () => {
    const run = runOf(folderOf());
    writeRun(run.folder, run);
    const again = { ...run.epochs[11]!, seconds: 99 };
    appendFileSync(join(run.folder, "metrics.jsonl"), `${JSON.stringify(again)}\n`);
    expect(loadRun(run.folder).epochs).toEqual([...run.epochs.slice(0, 11), again]);
  });

  test("a run without epochs and without an evaluation is read", () => {
    const folder = folderOf();
    mkdirSync(folder);
    writeFileSync(join(folder, "config.json"), JSON.stringify(runOf("").config));
    expect(loadRun(folder)).toMatchObject({ epochs: [], evaluation: null, torn: false });
  });

  test("a folder that is no run is refused with the name of the missing file", () => {
    expect(() => loadRun(root)).toThrow(FileError);
    expect(() => loadRun(root)).toThrow(`loadRun: ${root} is no run folder: it has no config.json`);
    expect(() => loadRun(join(root, "missing"))).toThrow("does not exist: pass a run folder");
  });

  test.each([
    ["format", "hashgrad run 2", 'format must be one of hashgrad run 1, got "hashgrad run 2"'],
    ["epochs", -1, "epochs must be a whole number of at least 0, got -1"],
    ["classes", [1], "classes[0] must be a text, got 1"],
    ["data.imageSize", [28], "data.imageSize must be [height, width], got"],
    ["sizes.layers", [{ name: "a", shape: [1], storage: "disk" }], "sizes.layers[0].storage must be one of dense, pool"],
    ["sizes", null, "sizes must be an object, got null"],
    ["preprocessing", { kind: "sound" }, "preprocessing.kind must be one of images, rows"],
  ])("a wrong field of config.json is named: %s", (path, value, message) => {
    const folder = changed(path, value);
    expect(() => loadRun(folder)).toThrow(FormatError);
    expect(() => loadRun(folder)).toThrow(`${join(folder, "config.json")}: ${message}`);
  });

  test("a malformed line of the metrics is named, unless it is the last", () => {
    const run = runOf(folderOf());
    writeRun(run.folder, run, "{\n");
    appendFileSync(join(run.folder, "metrics.jsonl"), `${JSON.stringify(run.epochs[0])}\n`);
    expect(() => loadRun(run.folder)).toThrow("metrics.jsonl: line 13 is not JSON");
  });

  test("an evaluation is refused if its matrix is not square, names an unknown class, or lacks pixels", () => {
    const run = runOf(folderOf());
    const evaluation = run.evaluation!;
    const wrong = (changes: object): string =>
      writeRun(run.folder, { ...run, evaluation: { ...evaluation, ...changes } as typeof evaluation });
    expect(() => loadRun(wrong({ confusion: [[1, 2]] }))).toThrow("confusion[0] must be 1 counts, as many as rows");
    expect(() => loadRun(wrong({ worst: [{ ...evaluation.worst[0]!, actual: 10 }] }))).toThrow(
      "worst[0] must be a pair of the 10",
    );
    const examples = [{ index: 0, probability: 1, image: { height: 2, width: 2, channels: 1, pixels: "AAAA" } }];
    expect(() => loadRun(wrong({ worst: [{ ...evaluation.worst[0]!, examples }] }))).toThrow(
      "worst[0].examples[0].image.pixels must be 4 bytes in base64",
    );
  });
});
