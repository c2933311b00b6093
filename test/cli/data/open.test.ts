import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { openData } from "../../../src/cli/data/open.ts";
import { writeMnist } from "../tiny-mnist.ts";
import { folderWithCache, optionsOf, png, write } from "./pictures.ts";

const root = folderWithCache();
beforeAll(async () => {
  write(root, { "pets/cat/1.png": await png("#ff0000"), "pets/dog/1.png": await png("#00ff00") });
  write(root, { "rows.CSV": "x,y\n1,a\n2,b\n", "rows.tsv": "x\ty\n1\ta\n2\tb\n", "notes.txt": "x" });
  writeMnist(join(root, "digits"));
});

test.each([
  ["digits", "idx", null],
  ["pets", "images", null],
  ["rows.CSV", "csv", "y"],
  ["rows.tsv", "csv", "y"],
])("openData reads %s as %s", async (name, kind, target) => {
  expect((await openData(optionsOf(join(root, name), { target }))).kind).toBe(kind);
});

test.each([
  ["nothing", null, /nothing: cannot be read: it does not exist, or is a link to nothing$/],
  ["notes.txt", null, /notes\.txt: is neither a folder nor a \.csv file: pass a folder of images, .* or mnist$/],
  ["pets", "y", /pets: --target y names a column, and these data are no CSV file: leave it out$/],
  ["rows.CSV", null, /rows\.CSV: pass the column to predict, such as --target "y"$/],
])("openData refuses %s with target %s", async (name, target, message) => {
  await expect(openData(optionsOf(join(root, name), { target }))).rejects.toThrow(message);
});

test("openData ends before it reads anything if the signal is aborted", async () => {
  const reason = new Error("stopped");
  await expect(openData(optionsOf(join(root, "nothing")), { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
});
