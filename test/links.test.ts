import { existsSync, readdirSync, readFileSync } from "node:fs";
import { posix } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

// Links between Markdown files, as the code host follows them. `npm run test:site` checks the links of the site.

const root = fileURLToPath(new URL("../", import.meta.url));
const pages = [
  ...["README.md", "CHANGELOG.md", "CONTRIBUTING.md"],
  ...readdirSync(`${root}docs`, { recursive: true, encoding: "utf8" })
    .map((name) => `docs/${name.replaceAll("\\", "/")}`)
    .filter((name) => name.endsWith(".md")),
];
/** The text of a page without blocks of code. */
const proseOf = (page: string): string => readFileSync(root + page, "utf8").replace(/^```[\s\S]*?^```$/gm, "");

/** The anchors of a page's headings, by GitHub's rule. */
const anchorsOf = (page: string): string[] =>
  [...proseOf(page).matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replace(/[^\p{Letter}\p{Mark}\p{Number}\p{Connector_Punctuation}\- ]/gu, "")
      .replaceAll(" ", "-"),
  );

test("every relative link of a Markdown page names an existing file, and every anchor an existing heading", () => {
  const links = pages.flatMap((page) => [...proseOf(page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = ""]) => ({ page, link })));
  expect(links.length).toBeGreaterThan(50);
  const broken = links.filter(({ page, link }) => {
    if (/^[a-z]+:/.test(link)) return false;
    const [path = "", anchor] = link.split("#");
    const target = path === "" ? page : posix.join(posix.dirname(page), path);
    if (!existsSync(root + target)) return true;
    return anchor !== undefined && !anchorsOf(target).includes(anchor);
  });
  expect(broken.map(({ page, link }) => `${page}: ${link}`)).toEqual([]);
});
