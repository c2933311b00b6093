import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { fileURLToPath } from "node:url";
import { type DefaultTheme, defineConfig, type UserConfig } from "vitepress";
import { bothPictures } from "./pictures.ts";
import { PLACEHOLDER } from "./relative.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const input = join(root, ".site");

/** The anchors of GitHub, so that a link to a heading works there and here. */
const slugify = (heading: string): string =>
  heading
    .trim()
    .toLowerCase()
    .replace(/[^\p{Letter}\p{Mark}\p{Number}\p{Connector_Punctuation}\- ]/gu, "")
    .replaceAll(" ", "-");

/**
 * A link of the repository as a link of the site: the README is the start page, other files and folders are shown on a
 * page.
 */
function siteLink(href: string, page: string): string {
  const [path = "", hash] = href.split("#");
  if (path === "" || /^[a-z]+:/.test(path)) return href;
  const target = posix.join(posix.dirname(page), path);
  const after = hash === undefined ? "" : `#${hash}`;
  if (target === "README.md") return `/index.md${after}`;
  return existsSync(join(input, `${target}.md`)) ? `${path}.md${after}` : href;
}

type Item = DefaultTheme.SidebarItem;
const titleOf = (page: string): string => /^# (.*)$/m.exec(readFileSync(join(input, page), "utf8"))?.[1] ?? page;
const itemsOf = (...pages: readonly string[]): Item[] =>
  pages
    .filter((page) => existsSync(join(input, page)))
    .map((page) => ({ text: titleOf(page).replaceAll("\\", ""), link: `/${page}` }));

/** The pages of one entry point, functions first. */
const pagesIn = (folder: string): string[] =>
  ["functions", "variables", "classes", "interfaces", "type-aliases"]
    .filter((kind) => existsSync(join(input, folder, kind)))
    .flatMap((kind) => readdirSync(join(input, folder, kind)).map((name) => `${folder}/${kind}/${name}`));

/** The entry points by the names that users import. */
const entries: readonly (readonly [name: string, folder: string])[] = [
  ...readFileSync(join(input, "reference/index.md"), "utf8").matchAll(/\(([^)]*)\/index\.md\)/g),
].map(([, folder = ""]): [string, string] => [folder === "hashgrad" ? folder : `hashgrad/${folder}`, `reference/${folder}`]);
const entryItems: Item[] = entries.map(([text, folder]) => ({ text, link: `/${folder}/index.md` }));

const guides = [
  ...[
    "install",
    "data",
    "training",
    "cli",
    "sweeps",
    "distributed",
    "compress",
    "save",
    "files",
    "onnx",
    "pytorch",
    "tensorflow",
  ],
  ...["extend", "performance", "browser", "numerics"],
].map((name) => `docs/guides/${name}.md`);
const topics = ["layers", "models", "smh", "accuracy", "runtimes"].map((name) => `docs/${name}.md`);
const inside = ["architecture", "kernels", "decisions", "add-an-op", "graph", "ops", "style"].map((name) => `docs/${name}.md`);

const config: UserConfig<DefaultTheme.Config> = defineConfig({
  title: "hashgrad",
  description: "Neural networks in pure TypeScript, trained small.",
  base: PLACEHOLDER,
  metaChunk: true, // one copy of the sidebars, not one in each page
  srcDir: "../.site",
  outDir: "../site",
  cacheDir: "../.site/cache",
  srcExclude: ["cache/**"],
  vite: { publicDir: false, build: { chunkSizeWarningLimit: 2000 } },
  markdown: {
    anchor: { slugify },
    config: (md) => {
      const open = md.renderer.rules.link_open!;
      md.renderer.rules.link_open = (tokens, i, options, env, self) => {
        const token = tokens[i]!;
        token.attrSet("href", siteLink(token.attrGet("href") ?? "", env.relativePath));
        return open(tokens, i, options, env, self);
      };
      const image = md.renderer.rules.image!;
      md.renderer.rules.image = (tokens, i, options, env, self) => {
        const token = tokens[i]!;
        return bothPictures(token.attrGet("src") ?? "", (source, theme) => {
          token.attrSet("src", source);
          if (theme !== null) token.attrSet("data-theme", theme);
          return image(tokens, i, options, env, self);
        });
      };
    },
  },
  themeConfig: {
    search: { provider: "local" },
    outline: "deep",
    nav: [
      { text: "Guides", link: "/docs/guides/install.md" },
      { text: "Reference", link: "/reference/index.md" },
      { text: "Benchmarks", link: "/docs/benchmarks.md" },
      { text: "Architecture", link: "/docs/architecture.md" },
      { text: "Demo", link: "/docs/demo/index.md" },
    ],
    sidebar: {
      // Each entry point lists its own pages only: the whole reference in every page would make the site ten times as
      // large.
      ...Object.fromEntries(
        entries.map(([text, folder]) => [
          `/${folder}/`,
          [
            { text: "Reference", link: "/reference/index.md", items: entryItems },
            { text, link: `/${folder}/index.md`, items: itemsOf(...pagesIn(folder)) },
          ],
        ]),
      ),
      "/": [
        { text: "Guides", items: [...itemsOf(...guides), ...itemsOf("docs/demo/index.md")] },
        { text: "Topics", items: itemsOf(...topics, "docs/benchmarks.md") },
        { text: "Inside", items: itemsOf(...inside, "CONTRIBUTING.md", "CHANGELOG.md") },
        { text: "Reference", link: "/reference/index.md", items: entryItems },
      ],
    },
  },
});

export default config;
