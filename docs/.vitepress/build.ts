// `npm run docs` builds the documentation site into the folder `site`, which any static host serves under any path.
//
// The pages have the paths that they have in the repository, so a relative link works in both places. `.site` holds the
// input of VitePress:
// - copies of the Markdown files,
// - the API reference, which typedoc writes from the docstrings,
// - a page for each source file that a page links.
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, extname, join, posix, relative } from "node:path";
import { fileURLToPath } from "node:url";
import {
  Application,
  Comment,
  Converter,
  type ParameterReflection,
  type Reflection,
  ReflectionKind,
  type TypeDocOptions,
} from "typedoc";
import type { PluginOptions } from "typedoc-plugin-markdown";
import { build } from "vitepress";
import { buildDemo } from "./demo.ts";
import { importsOf, sharedDescription } from "./docstrings.ts";
import { darkName } from "./pictures.ts";
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
  const pages = filesIn("docs").filter((name) => /\.(md|svg|png)$/.test(name) && !name.includes("/."));
  for (const name of pages) {
    if (name.endsWith(".svg")) copyPicture(name);
    else cpSync(join(root, name), join(input, name));
  }
  for (const name of ["README.md", "CHANGELOG.md", "CONTRIBUTING.md"]) {
    if (!existsSync(join(root, name))) continue;
    write(name === "README.md" ? "index.md" : name, readFileSync(join(root, name), "utf8"));
    pages.push(name);
  }
  return pages.filter((name) => name.endsWith(".md"));
}

/**
 * The colors of a picture follow the system; those of the site follow its switch. So the site has a light and a dark
 * file of each picture, and `config.ts` puts both into the page.
 */
function copyPicture(name: string): void {
  const text = readFileSync(join(root, name), "utf8");
  const dark = /@media\(prefers-color-scheme:dark\)\{((?:[^{}]*\{[^{}]*\})*)\}/;
  if (!dark.test(text)) throw new Error(`${name} has no dark colors; draw it with the function picture of svg.ts`);
  write(name, text.replace(dark, ""));
  write(darkName(name), text.replace(dark, "$1"));
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
    if (!existsSync(join(root, name)) || /\.(md|svg|png)$/.test(name)) continue;
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
  app.converter.on(Converter.EVENT_RESOLVE_END, ({ project }) => {
    for (const one of project.getReflectionsByKind(ReflectionKind.Parameter)) describeParameter(one as ParameterReflection);
    for (const one of project.getReflectionsByKind(ReflectionKind.Property)) describeAttribute(one);
  });
  const project = await app.convert();
  if (project === undefined) throw new Error("typedoc found no API");
  await app.generateOutputs(project);
  const index = readFileSync(join(input, "reference/index.md"), "utf8");
  write(
    "reference/index.md",
    `${index}\n\`hashgrad/plain\` exports all of this without WebAssembly; see [Runtimes](../docs/runtimes.md).\n`,
  );
  const pages = readdirSync(join(input, "reference"), { recursive: true, encoding: "utf8" }).map((name) =>
    name.replaceAll("\\", "/"),
  );
  const values = new Map<string, Set<string>>();
  for (const page of pages) {
    const [, module, name] = /^(.*)\/(?:functions|variables|classes)\/(\w+)\.md$/.exec(page) ?? [];
    if (module === undefined || name === undefined) continue;
    values.set(moduleName(module), (values.get(moduleName(module)) ?? new Set()).add(name));
  }
  for (const page of pages) sayImports(page, values);
}

const moduleName = (folder: string): string => (folder === "hashgrad" ? folder : `hashgrad/${folder}`);
const describe = (reflection: Reflection, text: string): void => {
  reflection.comment = new Comment([{ kind: "text", text }]);
};

/** Gives a parameter the description that its docstring leaves out. */
function describeParameter(parameter: ParameterReflection): void {
  if (parameter.hasComment()) return;
  const summary = Comment.combineDisplayParts(parameter.parent?.comment?.summary);
  const text = sharedDescription(parameter.name, parameter.type?.toString() ?? "", summary);
  if (text !== undefined) describe(parameter, text);
}

/** Describes an entry of `OpAttributes`, whose names are those of the op's parameters. */
function describeAttribute(property: Reflection): void {
  if (property.hasComment()) return;
  const path = property.getFullName().split(".");
  const [op, attribute] = path.slice(path.indexOf("OpAttributes") + 1).filter((name) => name !== "__type");
  if (!path.includes("OpAttributes") || op === undefined) return;
  describe(property, attribute === undefined ? `The attributes of \`${op}\`.` : `The argument of \`${op}\`.`);
}

/** Puts the import of a value or type below the title of its page, and the imports of its example into the example. */
function sayImports(name: string, values: ReadonlyMap<string, ReadonlySet<string>>): void {
  const [, module, kind, exported] = /^(.*)\/(functions|variables|classes|interfaces|type-aliases)\/(\w+)\.md$/.exec(name) ?? [];
  if (module === undefined) return;
  const keyword = kind === "interfaces" || kind === "type-aliases" ? "import type" : "import";
  const from = moduleName(module);
  const text = readFileSync(join(input, "reference", name), "utf8");
  const line = `\`\`\`ts\n${keyword} { ${exported} } from "${from}";\n\`\`\`\n`;
  write(
    `reference/${name}`,
    text
      .replace(/(^#+ Example\n\n```ts\n)([\s\S]*?)(?=\n```)/m, (_, head: string, code: string) =>
        [head + importsOf(code, from, values), "", code].join("\n"),
      )
      .replace(/^# .*\n/, (title) => `${title}\n${line}`),
  );
}

rmSync(input, { recursive: true, force: true });
rmSync(output, { recursive: true, force: true });
showLinkedFiles(copyPages());
await writeReference();
await build(join(root, "docs"));
makeRelative(output);
await buildDemo(join(output, "docs/demo"));
process.stdout.write(`the site is in ${relative(process.cwd(), output) || "."}\n`);
