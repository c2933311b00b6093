// `npm run docs` builds the documentation site into the folder `site`, which any static host serves under any path.
//
// The pages have the paths that they have in the repository, so a relative link works in both places. `.site` holds the
// input of VitePress: copies of the Markdown files, the API reference that typedoc writes from the docstrings, and a
// page for each source file that a page links.
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, extname, join, posix, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { Application, type TypeDocOptions } from "typedoc";
import type { PluginOptions } from "typedoc-plugin-markdown";
import { build } from "vitepress";
import { makeRelative } from "./relative.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const input = join(root, ".site");
const output = join(root, "site");

/** Every file below a folder of the repository, as a path with slashes. */
const filesIn = (folder: string): string[] =>
  readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .map((name) => posix.join(folder, name.replaceAll("\\", "/")))
    .filter((name) => statSync(join(root, name)).isFile());

function write(name: string, text: string): void {
  mkdirSync(dirname(join(input, name)), { recursive: true });
  writeFileSync(join(input, name), text);
}

/** Copies the pages and their pictures. The README is the start page. */
function copyPages(): string[] {
  const pages = filesIn("docs").filter((name) => /\.(md|svg)$/.test(name) && !name.includes("/."));
  for (const name of pages) cpSync(join(root, name), join(input, name));
  for (const name of ["README.md", "CHANGELOG.md", "CONTRIBUTING.md"]) {
    if (!existsSync(join(root, name))) continue;
    write(name === "README.md" ? "index.md" : name, readFileSync(join(root, name), "utf8"));
    pages.push(name);
  }
  return pages.filter((name) => name.endsWith(".md"));
}

/**
 * A page for each source file and each folder that a page links. `config.ts` turns the links into links to these pages.
 */
function showLinkedFiles(pages: readonly string[]): void {
  const links = pages.flatMap((page) =>
    [...readFileSync(join(root, page), "utf8").matchAll(/\]\(([^)\s#:]+)[^)\s:]*\)/g)].map(([, link = ""]) =>
      posix.join(posix.dirname(page), link),
    ),
  );
  for (const name of new Set(links)) {
    if (!existsSync(join(root, name)) || /\.(md|svg)$/.test(name)) continue;
    if (statSync(join(root, name)).isDirectory()) {
      const files = readdirSync(join(root, name)).filter((file) => statSync(join(root, name, file)).isFile());
      write(`${name}.md`, `# ${name}\n\n${files.map((file) => `- [${file}](${posix.basename(name)}/${file})\n`).join("")}`);
      for (const file of files) showFile(posix.join(name, file));
    } else showFile(name);
  }
}
function showFile(name: string): void {
  const text = readFileSync(join(root, name), "utf8");
  write(`${name}.md`, `# ${name}\n\n\`\`\`\`${extname(name).slice(1)}\n${text}\n\`\`\`\`\n`);
}

/** The entry points, and what their pages are called. */
const { exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { exports: Record<string, unknown> };
const entryPoints = Object.keys(exports)
  .filter((name) => name !== "./package.json" && name !== "./plain") // "plain" has the exports of all others
  .map((name) => (name === "." ? "index.ts" : `${name}.ts`))
  .map((name) => join(root, "src", existsSync(join(root, "src", name)) ? name : name.replace(/\.ts$/, "/index.ts")));

/** Writes the API reference from the docstrings. */
async function writeReference(): Promise<void> {
  const options: TypeDocOptions & PluginOptions = {
    plugin: ["typedoc-plugin-markdown"],
    entryPoints,
    tsconfig: join(root, "tsconfig.json"),
    out: join(input, "reference"),
    sortEntryPoints: false,
    groupOrder: ["Functions", "Variables", "Classes", "Interfaces", "Type Aliases"],
    indexFormat: "table", // with the summaries
    readme: "none",
    name: "API reference",
    logLevel: "Error",
    skipErrorChecking: true, // `npm test` checks the types
    excludeInternal: true,
    disableSources: true,
    entryFileName: "index",
    hideBreadcrumbs: true,
    hidePageHeader: true,
    useCodeBlocks: true,
    expandObjects: true,
    expandParameters: true,
    parametersFormat: "table",
    interfacePropertiesFormat: "table",
    classPropertiesFormat: "table",
    typeAliasPropertiesFormat: "table",
    typeDeclarationFormat: "table",
    tableColumnSettings: { hideModifiers: true },
    pageTitleTemplates: { member: "{name}", module: ({ name }) => (name === "hashgrad" ? name : `hashgrad/${name}`) },
  };
  const app = await Application.bootstrapWithPlugins(options);
  const project = await app.convert();
  if (project === undefined) throw new Error("typedoc found no API");
  await app.generateOutputs(project);
  const index = readFileSync(join(input, "reference/index.md"), "utf8");
  write(
    "reference/index.md",
    `${index}\n\`hashgrad/plain\` exports all of this without WebAssembly; see [Runtimes](../docs/runtimes.md).\n`,
  );
  for (const name of readdirSync(join(input, "reference"), { recursive: true, encoding: "utf8" }))
    sayImport(name.replaceAll("\\", "/"));
}

/** Puts the import of a value or type below the title of its page. */
function sayImport(name: string): void {
  const [, module, kind, exported] = /^(.*)\/(functions|variables|classes|interfaces|type-aliases)\/(\w+)\.md$/.exec(name) ?? [];
  if (module === undefined) return;
  const keyword = kind === "interfaces" || kind === "type-aliases" ? "import type" : "import";
  const from = module === "hashgrad" ? module : `hashgrad/${module}`;
  const text = readFileSync(join(input, "reference", name), "utf8");
  const line = `\`\`\`ts\n${keyword} { ${exported} } from "${from}";\n\`\`\`\n`;
  write(
    `reference/${name}`,
    text.replace(/^# .*\n/, (title) => `${title}\n${line}`),
  );
}

rmSync(input, { recursive: true, force: true });
rmSync(output, { recursive: true, force: true });
showLinkedFiles(copyPages());
await writeReference();
await build(join(root, "docs"));
makeRelative(output);
process.stdout.write(`the site is in ${relative(process.cwd(), output) || "."}\n`);
