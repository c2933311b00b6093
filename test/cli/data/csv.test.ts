import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { openCsv } from "../../../src/cli/data/csv.ts";
import type { DataOptions, OpenedData, RowPreprocessing } from "../../../src/cli/data/opened.ts";
import { numberIn, readTable } from "../../../src/cli/data/table.ts";
import type { Arrays, Data } from "../../../src/data/index.ts";
import { Tensor } from "../../../src/index.ts";
import { folderWithCache, optionsOf, write } from "./pictures.ts";

const root = folderWithCache();
let files = 0;
const file = (content: string | Uint8Array): string => {
  const name = `${files++}.csv`;
  return join(write(root, { [name]: content }), name);
};
const open = (content: string, target: string | null, more: Partial<DataOptions> = {}): Promise<OpenedData> =>
  openCsv(optionsOf(file(content), { target, ...more }));
const tableOf = (text: string) => readTable("t.csv", Buffer.from(text));

/** Inputs as rows, and targets. */
function contentOf(data: Data | null): { readonly rows: number[][]; readonly targets: number[] } {
  const { inputs, targets } = data as Arrays;
  if (!(inputs instanceof Tensor)) throw new Error("the inputs are no tensor");
  const [count = 0, width = 0] = inputs.shape;
  const rows = Array.from({ length: count }, (_, i) => [...inputs.data.subarray(i * width, (i + 1) * width)]);
  return { rows, targets: [...(targets as Int32Array)] };
}
const columnsOf = ({ preprocessing }: OpenedData): RowPreprocessing["columns"] => (preprocessing as RowPreprocessing).columns;
const skippedOf = ({ skipped }: OpenedData): string[] => skipped.map(({ where, reason }) => `${where}: ${reason}`);

describe("readTable", () => {
  test("reads back every table that is written with quotes, for each separator and end of line", async () => {
    const name = fc.string({ minLength: 1, maxLength: 6, unit: "grapheme" }).map((text) => `c${text.trim()}`);
    const cell = fc.oneof(
      fc.string({ maxLength: 8, unit: "grapheme" }),
      fc.constantFrom(",", ";", "\t", '"', "\n", "\r\n", "a,b"),
    );
    const table = fc
      .uniqueArray(name, { minLength: 2, maxLength: 5 })
      .chain((header) =>
        fc.tuple(
          fc.constant(header),
          fc.array(fc.array(cell, { minLength: header.length, maxLength: header.length }), { maxLength: 6 }),
        ),
      );
    const forms = fc.record({
      separator: fc.constantFrom(",", ";", "\t"),
      end: fc.constantFrom("\n", "\r\n", "\r"),
      bom: fc.boolean(),
      last: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(table, forms, async ([header, rows], { separator, end, bom, last }) => {
        const quoted = [header, ...rows].map((row) => row.map((text) => `"${text.replaceAll('"', '""')}"`).join(separator));
        const text = (bom ? "\ufeff" : "") + quoted.join(end) + (last ? end : "");
        const read = await tableOf(text);
        expect(read.header).toEqual(header);
        expect(read.separator).toBe(separator);
        expect(read.rows.map(({ cells }) => cells)).toEqual(rows.map((row) => row.map((text) => text.trimEnd())));
        expect(read.skipped).toEqual([]);
      }),
    );
  });

  test("numbers lines as an editor does, and lists lines with more or fewer cells", async () => {
    const { rows, skipped } = await tableOf('a,b\n\n1,2\r\n"two\nlines",3\n4\n5,6,7\n  \n8, "9, 10"\n11,5" tall\n');
    expect(rows).toEqual([
      { line: 3, cells: ["1", "2"] },
      { line: 4, cells: ["two\nlines", "3"] },
      { line: 9, cells: ["8", "9, 10"] },
      { line: 10, cells: ["11", '5" tall'] },
    ]);
    expect(skipped).toEqual([
      { where: "line 6", reason: "has 1 cells, the header has 2" },
      { where: "line 7", reason: "has 3 cells, the header has 2" },
    ]);
  });

  test.each([
    ["", /^t\.csv: is empty: need a line with the names of the columns, then the rows$/],
    ["\n \n", /: is empty/],
    ["1,2\n3,4\n", /: the first line holds numbers only: need a line with the names of the columns$/],
    ["a,b,a\n1,2,3\n", /: two columns have the name "a": rename one of them$/],
    ['a,b\n1,2\n3,"open\n5,6\n', /: a quote that opens in line 3 is never closed$/],
    ["a\0,b\n", /: is no text: it holds bytes of value 0$/],
  ])("refuses %j", async (text, message) => {
    await expect(tableOf(text)).rejects.toThrow(message);
  });

  test("refuses text that is not UTF-8, with the remedy", async () => {
    await expect(readTable("t.csv", Buffer.from("a,é\n", "latin1"))).rejects.toThrow(
      "t.csv: is not UTF-8 text, perhaps Latin-1: save it as UTF-8",
    );
    await expect(readTable("t.csv", Buffer.from("\ufeffa,b\n", "utf16le"))).rejects.toThrow(
      "t.csv: is UTF-16 text: save it as UTF-8",
    );
  });

  test("an abort ends it, and progress counts bytes", async () => {
    const text = Buffer.from(`a,b\n${`${"1".repeat(1000)},2\n`.repeat(2200)}`);
    const seen: number[] = [];
    const stop = new AbortController();
    const reading = readTable("t.csv", text, {
      signal: stop.signal,
      onProgress: (done, total) => {
        seen.push(done);
        expect(total).toBe(text.length);
        stop.abort(new Error("stopped"));
      },
    });
    await expect(reading).rejects.toThrow("stopped");
    expect(seen).toEqual([1 << 20]);
  });

  test("a number is what JavaScript prints, and a comma is a decimal point in files with semicolons only", () => {
    fc.assert(
      fc.property(fc.double({ noDefaultInfinity: true, noNaN: true }), (x) => {
        expect(numberIn(`${x}`, ",")).toBe(Object.is(x, -0) ? 0 : x);
      }),
    );
    expect(["1,5", "-0,25", "1,234,5", "1,5e3"].map((text) => numberIn(text, ";"))).toEqual([1.5, -0.25, null, 1500]);
    for (const text of ["1,5", "0x10", "1_000", "Infinity", "1e999", "", ".", "e5", "5 %", "--1"])
      expect(numberIn(text, ",")).toBe(null);
    expect([".5", "5.", "+3", "1E-2"].map((text) => numberIn(text, ","))).toEqual([0.5, 5, 3, 0.01]);
  });
});

describe("columns", () => {
  test("numbers are standardized, words become a 1 in the place of their category, in the order of code units", async () => {
    const data = await open("size,color,kind\n1,red,a\n3,Blue,b\n5,red,a\n7,green,b\n", "kind");
    expect(columnsOf(data)).toEqual([
      { name: "size", kind: "number", mean: 4, stddev: Math.sqrt(5) },
      { name: "color", kind: "category", categories: ["Blue", "green", "red"] },
    ]);
    expect(data.inputShape).toEqual([4]);
    const { rows, targets } = contentOf(data.train);
    expect(rows).toEqual(
      [
        [-3 / Math.sqrt(5), 0, 0, 1],
        [-1 / Math.sqrt(5), 1, 0, 0],
        [1 / Math.sqrt(5), 0, 0, 1],
        [3 / Math.sqrt(5), 0, 1, 0],
      ].map((row) => row.map(Math.fround)),
    );
    expect([targets, data.classes, data.validation, data.test, data.skipped]).toEqual([[0, 1, 0, 1], ["a", "b"], null, null, []]);
  });

  test("a missing number becomes the mean, a missing word a category of its own, and --strict refuses both", async () => {
    const text = "x,word,kind\n1,a,p\n?,NA,q\nnull,b,p\n3,,q\n";
    const data = await open(text, "kind");
    expect(columnsOf(data)).toEqual([
      { name: "x", kind: "number", mean: 2, stddev: 1 },
      { name: "word", kind: "category", categories: ["", "a", "b"] },
    ]);
    expect(contentOf(data.train).rows).toEqual([
      [-1, 0, 1, 0],
      [0, 1, 0, 0],
      [0, 0, 0, 1],
      [1, 1, 0, 0],
    ]);
    await expect(open(text, "kind", { strict: true })).rejects.toThrow(
      /--strict refuses this file: line 3: column "x" has no value; line 4: column "x" has no value; line 5: column "word" has no value$/,
    );
  });

  test("statistics and categories come from the training rows only", async () => {
    const lines = Array.from({ length: 40 }, (_, i) => `${2 ** (i / 3)},w${i},${"ab"[i % 2]}`);
    const text = `x,word,kind\n${lines.map((line, i) => line.replace(`w${i}`, `w${i % 7}`)).join("\n")}\n`;
    const data = await open(text, "kind", { validation: 0.25 });
    const { rows, targets } = contentOf(data.train);
    expect([targets.length, contentOf(data.validation).targets.length]).toEqual([30, 10]);
    const mean = rows.reduce((sum, [x]) => sum + x!, 0) / rows.length;
    const square = rows.reduce((sum, [x]) => sum + x! ** 2, 0) / rows.length;
    expect(Math.abs(mean)).toBeLessThan(1e-6);
    expect(Math.abs(square - 1)).toBeLessThan(1e-6);
    const other = await open(text, "kind", { validation: 0.25, seed: 2 });
    expect(columnsOf(other)[0]).not.toEqual(columnsOf(data)[0]);
    expect(await open(text, "kind", { validation: 0.25 }).then(({ digest }) => digest)).toBe(data.digest);
  });

  test("constant columns, empty columns, ids and columns of many words are left out with the reason", async () => {
    const lines = Array.from({ length: 300 }, (_, i) =>
      [i + 1000, `name ${i}`, 5, "", i % 2 === 0 ? `w${i}` : "w1", (i * 7919) % 300, Math.sin(i), "ab"[i % 2]].join(","),
    );
    const text = `id,name,five,none,few,shuffled,wave,kind\n${lines.join("\n")}\n`;
    const data = await open(text, "kind");
    expect(columnsOf(data).map(({ name }) => name)).toEqual(["few", "wave"]);
    expect(skippedOf(data)).toEqual([
      'column "id": has a different whole number in every row, as ids have',
      'column "name": has a different word in every row, as ids have',
      'column "five": has the same value in every row',
      'column "none": has no values',
      'column "shuffled": has a different whole number in every row, as ids have',
    ]);
    await expect(open(text, "kind", { strict: true })).rejects.toThrow(
      '--strict refuses this file: column "id": has a different',
    );
    const many = Array.from({ length: 600 }, (_, i) => `w${i % 300},${i % 2},${"ab"[i % 2]}`).join("\n");
    expect(skippedOf(await open(`word,x,kind\n${many}\n`, "kind"))).toEqual([
      'column "word": has 300 different words, more than 256',
    ]);
    await expect(open("a,b,kind\n1,2,p\n1,2,q\n", "kind")).rejects.toThrow(
      'no column can be an input: column "a" has the same value in every row; column "b" has the same value in every row',
    );
  });

  test("a word in a column of numbers is refused with its line", async () => {
    const lines = Array.from({ length: 400 }, (_, i) => `${i === 57 ? "n.a." : i / 7},${"ab"[i % 2]}`);
    await expect(open(`x,kind\n${lines.join("\n")}\n`, "kind")).rejects.toThrow(
      'column "x" holds "n.a." in line 59, and numbers in 399 of 400 rows: correct the cell, or leave it empty',
    );
  });

  test("a validation row with a word in a column of numbers is skipped", async () => {
    const lines = (bad: number): string[] => Array.from({ length: 10 }, (_, i) => `${i === bad ? "odd" : i},${"ab"[i % 2]}`);
    const held = contentOf((await open(`x,kind\n${lines(-1).join("\n")}\n`, "kind", { validation: 0.2 })).validation);
    expect([...held.targets].sort()).toEqual([0, 1]);
    const results = await Promise.all(
      Array.from({ length: 10 }, (_, bad) => open(`x,kind\n${lines(bad).join("\n")}\n`, "kind", { validation: 0.2 })),
    );
    const skipped = results.flatMap((data, bad) => skippedOf(data).map((text) => [bad, text]));
    expect(skipped).toHaveLength(2);
    for (const [bad, text] of skipped)
      expect(text).toBe(`line ${Number(bad) + 2}: column "x" holds "odd", which is not a number`);
  });
});

describe("the target", () => {
  const column = (values: readonly (string | number)[]): string =>
    `x,y\n${values.map((y, i) => `${Math.sin(i)},${y}`).join("\n")}\n`;

  test.each([
    ["words", ["b", "a", "b"], ["a", "b"], [1, 0, 1]],
    ["whole numbers with few values, in ascending order", [10, 9, 10, 9, "10.0"], ["9", "10"], [1, 0, 1, 0, 1]],
    ["words among few numbers", [1, 2, "x"], ["1", "2", "x"], [0, 1, 2]],
  ])("%s are classes", async (_, values, classes, labels) => {
    const data = await open(column(values), "y");
    expect([data.classes, contentOf(data.train).targets, (data.preprocessing as RowPreprocessing).scale]).toEqual([
      classes,
      labels,
      null,
    ]);
  });

  test.each([
    ["fractions", [0.5, 1.5, 0.5, 1.5]],
    ["whole numbers that rarely repeat", [1, 2, 3, 4, 5]],
    ["more than 20 whole numbers", Array.from({ length: 63 }, (_, i) => i % 21)],
  ])("%s are numbers, which are standardized", async (_, values) => {
    const data = await open(column(values), "y");
    const mean = values.reduce((a, b) => a + b) / values.length;
    const stddev = Math.sqrt(values.reduce((sum, y) => sum + (y - mean) ** 2, 0) / values.length);
    const { scale } = data.preprocessing as RowPreprocessing;
    expect(data.classes).toBe(null);
    expect(scale!.mean).toBeCloseTo(mean, 12);
    expect(scale!.stddev).toBeCloseTo(stddev, 12);
    const { targets } = contentOf(data.train);
    expect((data.train as Arrays).targets).toBeInstanceOf(Float32Array);
    for (const [i, y] of values.entries()) expect(targets[i]! * scale!.stddev + scale!.mean).toBeCloseTo(y, 4);
  });

  test("the option task decides otherwise", async () => {
    expect((await open(column([1, 2, 1, 2]), "y", { task: "numbers" })).classes).toBe(null);
    expect((await open(column([0.5, 1.5, 2.5]), "y", { task: "classes" })).classes).toEqual(["0.5", "1.5", "2.5"]);
    await expect(open(column(["a", "b"]), "y", { task: "numbers" })).rejects.toThrow(
      'the target column "y" holds no numbers: leave out --task to predict classes',
    );
  });

  test("rows without a target are skipped, and words among many numbers", async () => {
    const values = Array.from({ length: 50 }, (_, i) => (i === 3 ? "" : i === 7 ? "low" : i + 0.5));
    const data = await open(column(values), "y");
    expect(skippedOf(data)).toEqual([
      'line 5: the target "y" has no value',
      'line 9: the target "y" holds "low", which is not a number',
    ]);
    expect(contentOf(data.train).targets).toHaveLength(48);
  });

  test.each([
    ["one class", column(["a", "a"]), "y", /: the target column "y" holds "a" only: need at least two classes$/],
    ["one number", column([0.5, 0.5]), "y", /: the target column "y" holds 0\.5 only: there is nothing to learn$/],
    ["no value", column(["", "?"]), "y", /: has no row with a value in the target column "y"$/],
    ["another name", column([1, 2]), "z", /: has no column "z"; its columns are x, y$/],
    ["no name", column([1, 2]), null, /: pass the column to predict, such as --target "y"$/],
    ["no other column", "y\na\nb\n", "y", /: has the column "y" only: need at least one other column$/],
    [
      "1001 classes",
      column(Array.from({ length: 1001 }, (_, i) => `w${i}`)),
      "y",
      /: the target column "y" holds 1,001 different values: need at most 1000 classes$/,
    ],
  ])("refuses a target of %s", async (_, text, target, message) => {
    await expect(open(text, target)).rejects.toThrow(message);
  });

  test("each class is in training and validation, and --limit takes the first rows", async () => {
    const data = await open(column(Array.from({ length: 30 }, (_, i) => (i < 27 ? "often" : "rare"))), "y", { validation: 0.1 });
    expect([data.train, data.validation].map((part) => new Set(contentOf(part).targets).size)).toEqual([2, 2]);
    const limited = await open(column(["a", "b", "a", "c"]), "y", { limit: 3 });
    expect([limited.classes, contentOf(limited.train).targets]).toEqual([
      ["a", "b"],
      [0, 1, 0],
    ]);
  });
});

test("a file that cannot be read is named with the reason", async () => {
  await expect(openCsv(optionsOf(join(root, "no.csv"), { target: "y" }))).rejects.toThrow(
    /no\.csv: cannot be read: it does not exist, or is a link to nothing$/,
  );
});
