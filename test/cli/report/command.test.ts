import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { report } from "../../../src/cli/commands/report.ts";
import { reportPage } from "../../../src/cli/report/page.ts";
import { loadRun } from "../../../src/cli/run/load.ts";
import { FileError } from "../../../src/io/index.ts";
import { browsers } from "../../browsers.ts";
import { temporaryFolder } from "../../temporary-folder.ts";
import { command } from "../run-command.ts";
import { chromium, type Page } from "./chromium.ts";
import { epochsOf, runOf, writeRun } from "./runs.ts";

const root = temporaryFolder();
let folders: string[] = [];
beforeAll(() => {
  const long = ["cat", "<b>dog</b>", "a very long name of a class ".repeat(8), "x".repeat(200), "e", "f", "g", "h", "i", "j"];
  const runs = [
    runOf("product", { classes: long }),
    runOf("dense", { pool: null }, { epochs: epochsOf(12, 2) }),
    runOf("hash <with a long name>", { pool: "hash" }, { epochs: epochsOf(1, 0.5, false) }),
    runOf("hundred", { classes: Array.from({ length: 100 }, (_, i) => `class ${i}`) }),
  ];
  folders = runs.map((run) => writeRun(join(root, run.folder), run));
});

const written: string[] = [];
const io = { stdout: { write: (text: string) => written.push(text) } };

describe("report", () => {
  test("writes report.html into the folder of the first run, and prints its path", () => {
    const path = join(folders[0]!, "report.html");
    report({ folders: folders.slice(0, 2), out: null }, io);
    expect(written.pop()).toBe(`${path}\n`);
    expect(readFileSync(path, "utf8")).toBe(reportPage(folders.slice(0, 2).map(loadRun)));
  });

  test("--out names the file", () => {
    const path = join(root, "all.html");
    report({ folders: folders.slice(1, 2), out: path }, io);
    expect(written.pop()).toBe(`${path}\n`);
    expect(readFileSync(path, "utf8")).toContain("<h1>Test accuracy 97.00 %</h1>");
  });

  test("the command line writes the page, and refuses a folder that is no run with exit code 2 and one line", async () => {
    const path = join(root, "line.html");
    expect(await command(["report", folders[1]!, folders[0]!, "--out", path])).toEqual({ code: 0, out: `${path}\n`, err: "" });
    expect(await command(["report", root])).toEqual({
      code: 2,
      out: "",
      err: `report: ${root} is no run folder: it has no config.json; \`hashgrad train --out\` writes a run folder\n`,
    });
    const none = await command(["report"]);
    expect([none.code, none.out]).toEqual([2, ""]);
    expect(none.err).toMatch(/^report: missing required argument 'runs'.*\n$/);
  });

  test("a folder that is no run is refused, and no file is written", () => {
    const before = readdirSync(root).length;
    expect(() => report({ folders: [folders[0]!, root], out: join(root, "none.html") }, io)).toThrow(FileError);
    expect(() => report({ folders: [root], out: null }, io)).toThrow("is no run folder: it has no config.json");
    expect(readdirSync(root)).toHaveLength(before);
  });

  test("runs with classes and runs with a numeric target are not compared", () => {
    const numeric = writeRun(join(root, "numeric"), runOf("numeric", { classes: null }));
    expect(() => report({ folders: [folders[0]!, numeric], out: null }, io)).toThrow(
      `report: ${folders[0]} and ${numeric} cannot be compared: one predicts classes, the other numbers`,
    );
  });
});

describe.skipIf(browsers.Chromium.path === undefined)("in Chromium", () => {
  let page: Page;
  beforeAll(async () => {
    page = await chromium();
  });
  afterAll(() => page.close());

  /** Measures of the page: the width that it scrolls over, the smallest font, text outside of its chart. */
  const measures = `(() => {
    const shown = (element) => element.checkVisibility();
    const texts = [...document.querySelectorAll("body *")].filter((e) => shown(e) && [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim() !== ""));
    const svgs = [...document.querySelectorAll("svg[role=img]")].filter(shown);
    const size = (e) => {
      const svg = e.closest("svg[role=img]");
      return parseFloat(getComputedStyle(e).fontSize) * (svg ? svg.getBoundingClientRect().width / svg.viewBox.baseVal.width : 1);
    };
    const clipped = svgs.flatMap((svg) => [...svg.querySelectorAll("text")].filter((text) => {
      const [box, frame] = [text.getBoundingClientRect(), svg.getBoundingClientRect()];
      return box.left < frame.left - 1 || box.right > frame.right + 1 || box.top < frame.top - 1 || box.bottom > frame.bottom + 1;
    }).map((text) => text.textContent));
    const overlapping = svgs.flatMap((svg) => {
      const boxes = [...svg.querySelectorAll("text")].map((text) => ({ text: text.textContent, box: text.getBoundingClientRect() }));
      return boxes.flatMap((a, i) => boxes.slice(i + 1).filter((b) =>
        Math.min(a.box.right, b.box.right) - Math.max(a.box.left, b.box.left) > 1 &&
        Math.min(a.box.bottom, b.box.bottom) - Math.max(a.box.top, b.box.top) > 4).map((b) => a.text + " | " + b.text));
    });
    return {
      scrolls: document.documentElement.scrollWidth - innerWidth,
      charts: svgs.length,
      smallest: Math.min(...texts.filter((e) => !e.matches("title,desc,summary *")).map(size)),
      clipped,
      overlapping,
      background: getComputedStyle(document.body).backgroundColor,
    };
  })()`;

  test.each([
    [400, "light", false],
    [400, "dark", false],
    [1400, "light", false],
    [1400, "dark", false],
    [700, "dark", true],
  ] as const)(
    "at %i pixels, %s, print %s: reads well, without sideways scroll, requests or errors",
    async (width, scheme, print) => {
      const pages = [folders.slice(0, 1), folders.slice(0, 3), folders.slice(3)];
      for (const [i, some] of pages.entries()) {
        const path = join(root, `page-${i}.html`);
        writeFileSync(path, reportPage(some.map(loadRun)));
        const url = pathToFileURL(path).href;
        await page.open(url, { width, scheme, print });
        const found = (await page.evaluate(measures)) as Readonly<Record<string, number>>;
        expect(found).toMatchObject({ scrolls: 0, clipped: [], overlapping: [] });
        expect(found.charts).toBeGreaterThanOrEqual(4);
        expect(found.smallest).toBeGreaterThanOrEqual(11);
        expect(found.background).toBe(scheme === "dark" && !print ? "rgb(15, 20, 25)" : "rgb(255, 255, 255)");
        const { requests, errors } = page.events();
        expect(requests.filter((request) => request !== url && !request.startsWith("data:"))).toEqual([]);
        expect(errors).toEqual([]);
      }
    },
  );

  test("the page reports a request and an error of a page that has them", async () => {
    const path = join(root, "wrong.html");
    writeFileSync(path, `<!doctype html><img src="missing.png"><script>throw new Error("a mistake")</script>`);
    await page.open(pathToFileURL(path).href, { width: 400, scheme: "light" });
    const { requests, errors } = page.events();
    expect(requests.some((request) => request.endsWith("missing.png"))).toBe(true);
    expect(errors.join()).toContain("a mistake");
  });
});
