// `npm run test:site`: builds the documentation site, checks every internal link and anchor of every page, and opens
// three pages in Chromium. It does so under two paths, because the site must not depend on its path. Then it trains on
// the page docs/demo in Chromium and Firefox. It skips a browser that is not installed. `--built` skips the build.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, posix } from "node:path";
import { fileURLToPath } from "node:url";
import { browsers } from "./browsers.ts";
import { tryDemo } from "./demo.ts";
import { ended } from "./drive/ended.ts";
import { serve } from "./drive/serve.ts";

const root = fileURLToPath(new URL("../", import.meta.url));
const site = join(root, "site");

function fail(problems: readonly string[]): void {
  if (problems.length === 0) return;
  process.stderr.write(`${problems.slice(0, 50).join("\n")}\n${problems.length} problems\n`);
  process.exit(1);
}

function build(): void {
  const { status } = spawnSync(process.execPath, ["--import", "tsx", "docs/.vitepress/build.ts"], {
    cwd: root,
    stdio: "inherit",
  });
  if (status !== 0) fail([`the build ended with ${status}`]);
}

type Page = { readonly ids: ReadonlySet<string>; readonly links: readonly string[] };
const decoded = (text: string): string => text.replaceAll("&amp;", "&").replaceAll("&quot;", '"').replaceAll("&#39;", "'");

/** All pages of the site, by path. */
function readPages(): Map<string, Page> {
  const names = readdirSync(site, { recursive: true, encoding: "utf8" }).map((name) => name.replaceAll("\\", "/"));
  return new Map(
    names
      .filter((name) => name.endsWith(".html") && name !== "404.html")
      .map((name) => {
        const html = readFileSync(join(site, name), "utf8");
        const all = (pattern: RegExp): string[] => [...html.matchAll(pattern)].map(([, found = ""]) => decoded(found));
        return [name, { ids: new Set(all(/ id="([^"]*)"/g)), links: all(/ (?:href|src)="([^"]*)"/g) }];
      }),
  );
}

/** The links of the site that lead nowhere. */
function brokenLinks(pages: ReadonlyMap<string, Page>): string[] {
  return [...pages].flatMap(([name, { links }]) =>
    links.flatMap((link) => {
      if (/^[a-z]+:/.test(link)) return [];
      const [path = "", hash] = link.split("#").map(decodeURIComponent);
      if (path.startsWith("/")) return [`${name}: ${link} depends on the path of the site`];
      const joined = path === "" ? name : posix.join(posix.dirname(name), path);
      const target = joined.endsWith("/") || joined === "." ? posix.join(joined, "index.html") : joined;
      if (!existsSync(join(site, target)) || statSync(join(site, target)).isDirectory())
        return [`${name}: ${link} names no file`];
      if (hash === undefined || hash === "" || pages.get(target)?.ids.has(hash)) return [];
      return [`${name}: ${link} names no heading`];
    }),
  );
}

/** What a visitor does on each page, in the page: a function, since its source is sent. Returns what went wrong. */
const visit = `async (heading) => {
  const problems = [];
  addEventListener("error", ({ message }) => problems.push(message));
  const find = async (what, test) => {
    for (let i = 0; i < 400; i++) {
      const found = test();
      if (found) return found;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error("no " + what);
  };
  const title = () => document.querySelector(".vp-doc h1")?.firstChild?.textContent.trim();
  try {
    await find("program", () => document.querySelector("#app").__vue_app__);
    await find("heading " + heading, () => title() === heading);
    const isDark = () => document.documentElement.classList.contains("dark");
    const before = isDark();
    const themes = () => [...document.querySelectorAll("img[data-theme]")].filter((image) => image.checkVisibility());
    document.querySelector(".VPSwitchAppearance").click();
    await find("other colors", () => isDark() !== before);
    await find("pictures in the colors of the page", () => themes().every(({ dataset }) => (dataset.theme === "dark") === isDark()));
    const twice = document.querySelectorAll("img[data-theme]").length;
    if (themes().length * 2 !== twice) problems.push(themes().length + " of " + twice + " pictures are shown");
    document.querySelector(".VPNavBarMenuLink[href$='docs/architecture.html']").click();
    await find("architecture", () => title() === "Architecture");
    document.querySelector("#local-search button").click();
    const box = await find("search box", () => document.querySelector(".search-input"));
    box.value = "globalAvgPool2d";
    box.dispatchEvent(new Event("input"));
    const hit = await find("search result", () => document.querySelector(".result[href*='globalAvgPool2d']"));
    hit.click();
    await find("page of the result", () => title() === "globalAvgPool2d()");
    for (const image of document.images) if (image.naturalWidth === 0) problems.push("no picture " + image.src);
  } catch (error) {
    problems.push(String(error.message));
  }
  await fetch("/report", { method: "POST", body: JSON.stringify(problems) });
}`;

/** Opens one page of the site, served under a path, and returns the problems. */
async function open(base: string, page: string, heading: string): Promise<string[]> {
  const { path, args } = browsers.Chromium;
  const profile = mkdtempSync(join(tmpdir(), "hashgrad-site-"));
  let running: ChildProcess | null = null;
  let report: (problems: string[]) => void = () => undefined;
  const served = await serve(site, {
    base,
    change: (name, text) => (name === page ? `${text}<script>(${visit})(${JSON.stringify(heading)})</script>` : text),
    answer: (pathname, response, request) => {
      if (pathname !== "/report") return false;
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => report(JSON.parse(Buffer.concat(chunks).toString()) as string[]));
      response.end();
      return true;
    },
  });
  try {
    const problems = await new Promise<string[]>((resolve) => {
      report = resolve;
      running = spawn(path!, [...args(profile), served.url + page], { stdio: "ignore", detached: true });
      setTimeout(() => resolve(["no report within two minutes"]), 120_000).unref();
    });
    return [...problems, ...served.missing].map((problem) => `${base}${page}: ${problem}`);
  } finally {
    await ended(running);
    served.close();
    rmSync(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
}

if (!process.argv.includes("--built")) build();
const pages = readPages();
fail(brokenLinks(pages));
process.stdout.write(`${pages.size} pages: every link leads to a page, and every anchor to a heading\n`);
if (browsers.Chromium.path === undefined) process.stdout.write("no Chromium: no page was opened\n");
else {
  fail(await open("/", "index.html", "hashgrad"));
  fail(await open("/some/path/", "docs/guides/training.html", "Training"));
  fail(await open("/some/path/", "reference/nn/functions/conv2d.html", "conv2d()"));
  process.stdout.write("three pages opened in Chromium: links, search and colors work\n");
}
for (const name of ["Chromium", "Firefox"] as const) {
  if (browsers[name].path === undefined) process.stdout.write(`no ${name}: the page that trains was not opened\n`);
  else fail(await tryDemo(name, site));
}
