import fc from "fast-check";
import { parseHTML } from "linkedom/worker";
import { describe, expect, test } from "vitest";
import { clean } from "../../../src/cli/report/html.ts";
import { reportPage } from "../../../src/cli/report/page.ts";
import { namesOf } from "../../../src/cli/report/runs.ts";
import { scoreOverSize } from "../../../src/cli/report/score-over-size.ts";
import type { EpochLine } from "../../../src/cli/run/files.ts";
import type { LoadedRun } from "../../../src/cli/run/load.ts";
import { configOf, epochsOf, evaluationOf, layersOf, runOf } from "./runs.ts";

type Node = {
  readonly tagName: string;
  readonly textContent: string;
  getAttribute(name: string): string | null;
  querySelectorAll(selector: string): Iterable<Node>;
};
const parse = (page: string): Node => parseHTML(page).document.documentElement as unknown as Node;
const all = (node: Node, selector: string): Node[] => [...node.querySelectorAll(selector)];
const texts = (node: Node, selector: string): string[] =>
  all(node, selector).map(({ textContent }) => textContent.trim().replace(/\s+/g, " "));

const three = [
  runOf("runs/product"),
  runOf("runs/dense", { pool: null }, { epochs: epochsOf(12, 2) }),
  runOf("runs/hash", { pool: "hash" }, { epochs: epochsOf(9, 0.5) }),
];

describe("the report of one run", () => {
  const page = reportPage([runOf("runs/product")]);
  const root = parse(page);

  test("has the result as its title, and a heading for each part", () => {
    expect(texts(root, "h1")).toEqual(["Test accuracy 97.00 %"]);
    expect(texts(root, "title")[0]).toBe("Test accuracy 97.00 % · hashgrad report");
    expect(texts(root, "h2")).toEqual([
      ...["Curves", "Confusion matrix", "Worst confusions", "Compression of each variable", "Matrix of virtual weights"],
      "Configuration",
    ]);
  });

  test("holds no script, and no address besides data URIs", () => {
    expect(all(root, "script,link,iframe,object,embed,base,form")).toEqual([]);
    const addresses = all(root, "[src],[href]").map((node) => node.getAttribute("src") ?? node.getAttribute("href"));
    expect(addresses.length).toBe(24);
    expect(addresses.filter((address) => !address!.startsWith("data:image/png;base64,"))).toEqual([]);
    expect(page).not.toMatch(/url\((?!#)|@import|https?:/);
    expect(all(root, "meta[http-equiv]")[0]!.getAttribute("content")).toContain("default-src 'none'");
  });

  test("each chart has a title and a description of its own, each table a caption, each picture a text", () => {
    const charts = all(root, "svg[role=img]");
    expect(charts).toHaveLength(8); // loss, score, variables and matrix in two widths
    for (const chart of charts) {
      for (const attribute of ["aria-labelledby", "aria-describedby"]) {
        const id = chart.getAttribute(attribute)!;
        expect(all(root, `[id="${id}"]`).map(({ textContent }) => textContent.length > 10)).toEqual([true]);
      }
    }
    const unlabeled = all(root, "table").filter((table) => all(table, "caption").length !== 1);
    expect(unlabeled).toEqual([]);
    expect(
      all(root, "img").filter((image) => !/^Example \d+: \d, predicted as \d with \d+/.test(image.getAttribute("alt")!)),
    ).toEqual([]);
  });

  test("the confusion matrix shows every count", () => {
    const rows = all(root, ".confusion tbody tr").map((row) => texts(row, "td").map(Number));
    expect(rows).toEqual(evaluationOf(10).confusion);
  });

  test("the table of variables lists storage, trained numbers and positions", () => {
    const rows = all(root, "details table").at(-1)!;
    const { trainedSize } = configOf().sizes;
    const inPool = trainedSize - 32 - 64 - 10;
    const trained = (size: number): string => Math.round((inPool * size) / (288 + 51_200 + 640)).toLocaleString("en");
    expect(all(rows, "tbody tr").map((row) => texts(row, "th,td"))).toEqual([
      ["conv/kernel", "3 × 3 × 1 × 32", "pool", "288", trained(288), "0 to 287"],
      ["conv/bias", "32", "dense", "32", "32", "–"],
      ["hidden/kernel", "800 × 64", "pool", "51,200", trained(51_200), "288 to 51,487"],
      ["hidden/bias", "64", "dense", "64", "64", "–"],
      ["out/kernel", "64 × 10", "pool", "640", trained(640), "51,488 to 52,127"],
      ["out/bias", "10", "dense", "10", "10", "–"],
    ]);
  });

  test("is the same for the same run", () => {
    expect(reportPage([runOf("runs/product")])).toBe(page);
  });
});

describe("the report of several runs", () => {
  const root = parse(reportPage(three));

  test("gives the range of results, a table of runs, and score over trained numbers", () => {
    expect(texts(root, "h1")).toEqual(["Test accuracy 97.00 % in 3 runs"]);
    expect(texts(root, ".runs tbody th")).toEqual(["product", "dense", "hash"]);
    expect(texts(root, "h2")).toEqual(["Curves", "Score over trained numbers", "Each run", "Configuration"]);
    expect(all(root, "details.run").map((node) => node.getAttribute("open") !== null)).toEqual([true, false, false]);
  });

  test("the table of configurations marks the rows that differ", () => {
    expect(texts(root, "tr.differs th")).toEqual(["pool", "fraction", "trained numbers"]);
  });

  test("ids are unique", () => {
    const ids = all(root, "[id]").map((node) => node.getAttribute("id"));
    expect(new Set(ids).size).toBe(ids.length);
  });

  test("only runs with a product pool have a matrix of virtual weights", () => {
    expect(all(root, "svg[aria-labelledby^=matrix]").map((node) => node.getAttribute("aria-labelledby"))).toEqual([
      "matrix-0-wide-title",
      "matrix-0-narrow-title",
    ]);
  });
});

describe("unusual runs", () => {
  const broken = (epochs: readonly EpochLine[]): EpochLine[] =>
    epochs.map((line) => ({ ...line, train: { loss: Number.NaN, score: Number.NaN }, validation: null }));

  test.each<[string, Partial<LoadedRun>, string]>([
    ["no epoch", { epochs: [], evaluation: null }, "No epoch is complete"],
    ["no evaluation", { evaluation: null }, "no evaluation yet"],
    ["one epoch", { epochs: epochsOf(1) }, "Loss after each epoch"],
    ["no validation data", { epochs: epochsOf(3, 1, false) }, "Dashed: training data."],
    ["missing epochs", { epochs: epochsOf(9).filter(({ epoch }) => ![2, 5, 6, 7].includes(epoch)) }, "2, 5 to 7."],
    ["only NaN", { epochs: broken(epochsOf(2)) }, "The loss is not a number in any epoch."],
    ["a NaN", { epochs: [...epochsOf(2), ...broken(epochsOf(3)).slice(2)] }, "is not a number in these epochs: 3."],
    ["a torn line", { torn: true }, "is incomplete and is left out"],
    [
      "a diverged loss",
      { epochs: epochsOf(3).map((line) => ({ ...line, train: { loss: 1e30 ** line.epoch, score: 0 } })) },
      "loss",
    ],
    ["no examples", { evaluation: { ...evaluationOf(2, 0), worst: [] } }, "No example was evaluated."],
    ["a perfect model", { evaluation: { ...evaluationOf(2), worst: [] } }, "No example is confused"],
    ["a huge epoch", { epochs: [{ ...epochsOf(1)[0]!, epoch: 2 ** 52 }] }, "1 to 4503599627370495"],
  ])("%s", (_, changes, sentence) => {
    const page = reportPage([runOf("runs/a", {}, changes)]);
    expect(parse(page).textContent.replace(/\s+/g, " ")).toContain(sentence);
    expect(page).not.toMatch(/NaN|undefined|Infinity/);
  });

  test("a numeric target has R² and no confusion matrix", () => {
    const evaluation = { split: "test", epoch: 3, loss: 2, score: -1e6, examples: 10, confusion: null, worst: [] } as const;
    const root = parse(reportPage([runOf("runs/a", { classes: null }, { evaluation })]));
    expect(texts(root, "h1")).toEqual(["Test R² -1.00e+6"]);
    expect(root.textContent).toContain("there is no confusion matrix");
  });

  test.each([
    [21, 1],
    [100, 1],
    [1000, 10],
  ])("the confusions of %i classes are a picture of at most 100 × 100 cells", (classes, joined) => {
    const names = Array.from({ length: classes }, (_, i) => `class ${i}`);
    const page = reportPage([runOf("runs/a", { classes: names }, { evaluation: evaluationOf(classes, 100) })]);
    const root = parse(page);
    expect(all(root, ".confusion")).toEqual([]);
    const cells = all(root, "svg.heat path").flatMap((path) => path.getAttribute("d")!.split("z").slice(0, -1));
    const side = Math.ceil(classes / joined);
    expect(cells).toHaveLength(2 * side); // the diagonal and the neighbor of each class
    expect(cells).toContain(`M${side - 1} ${side - 1}h1v1h-1`);
    expect(page.length).toBeLessThan(300_000);
  });

  test("more variables than bars are joined into one bar", () => {
    const layers = Array.from({ length: 60 }, (_, i) => ({ ...layersOf(10, true)[0]!, name: `block_${i}`, offset: 288 * i }));
    const sizes = { ...configOf().sizes, layers, matrix: { rows: 132, columns: 132, rank: 4 } };
    const root = parse(reportPage([runOf("runs/a", { sizes })]));
    expect(texts(root, "svg[aria-labelledby=layers-0-wide-title] text")).toContain("41 smaller variables");
    expect(all(all(root, "details table").at(-1)!, "tbody tr")).toHaveLength(60);
  });
});

/** Texts with the characters that HTML, attributes, CSS and SVG treat in a special way. */
const hostile = fc
  .array(
    fc.oneof(
      fc.constantFrom("<", ">", "&", '"', "'", "`", "</script>", "<img src=x onerror=alert(1)>", "]]>", "-->", "\u0000"),
      fc.string({ unit: "binary", minLength: 1, maxLength: 6 }),
    ),
    { minLength: 1, maxLength: 60 },
  )
  .map((parts) => `x${parts.join("")}`);

test("any text in names of runs, classes, variables and data stays text", () => {
  const page = (name: (i: number) => string): Node =>
    parse(
      reportPage(
        [0, 1].map((i) =>
          runOf(
            `runs/${i}${name(0).replaceAll(/[\\/]/g, "|")}`,
            {
              classes: [name(1), name(2)],
              sizes: { ...configOf().sizes, layers: layersOf(2, true).map((layer) => ({ ...layer, name: name(3) })) },
              ...{ model: name(4), version: name(4), augment: [name(5)], digest: name(5), inputShape: [2] },
            },
            { epochs: epochsOf(1) },
          ),
        ),
      ),
    );
  const elements = (node: Node): string[] => all(node, "*").map(({ tagName }) => tagName.toLowerCase());
  const plain = elements(page((i) => `name ${i}`));
  fc.assert(
    fc.property(fc.array(hostile, { minLength: 6, maxLength: 6 }), (names) => {
      const root = page((i) => names[i]!);
      expect(elements(root)).toEqual(plain);
      const events = all(root, "*").filter((node) =>
        ["onerror", "onload", "onclick"].some((name) => node.getAttribute(name) !== null),
      );
      expect(events).toEqual([]);
      const titles = all(root, ".confusion th[title]").map((node) => node.getAttribute("title"));
      expect(titles.slice(0, 2)).toEqual([clean(names[1]!), clean(names[2]!)]);
    }),
    { numRuns: 10 },
  );
});

test("scoreOverSize returns an SVG file with the points that have a score", () => {
  const points = [
    { series: "product", label: "0.1", trainedSize: 1000, score: 0.9 },
    { series: "product", label: "0.5", trainedSize: 5000, score: 0.95 },
    { series: "<dense>", label: null, trainedSize: 10_000, score: Number.NaN },
  ];
  const svg = scoreOverSize(points, { scoreName: "test accuracy", isShare: true, width: 600 });
  expect(svg).toMatch(/^<svg xmlns="http:\/\/www.w3.org\/2000\/svg" /);
  const root = parse(`<!doctype html><html><body>${svg}</body></html>`);
  expect(texts(root, "desc")).toEqual(["0.1: 1,000 trained, 90.00 %. 0.5: 5,000 trained, 95.00 %."]);
  expect(texts(root, "style")[0]).toContain("prefers-color-scheme");
  expect(all(root, "g[aria-label=line] path")).toHaveLength(1);
  expect(scoreOverSize([], { scoreName: "accuracy", isShare: true, width: 600 })).toMatch(/^<svg /);
});

test("names of runs are the shortest ends of their paths that differ", () => {
  expect(namesOf(["runs/a/", "runs/b"])).toEqual(["a", "b"]);
  expect(namesOf(["x/a", "y/a"])).toEqual(["x/a", "y/a"]);
  expect(namesOf(["x/a", "x/a"])).toEqual(["a (1)", "a (2)"]);
  expect(namesOf(["C:\\runs\\a"])).toEqual(["a"]);
});
