import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { importsOf } from "../docs/.vitepress/docstrings.ts";

// The docstrings of all that the entry points export, as the compiler reads them.

export const root: string = fileURLToPath(new URL("../", import.meta.url));
const { exports } = JSON.parse(readFileSync(`${root}package.json`, "utf8")) as { exports: Record<string, unknown> };

/** The source file of each entry point, by its name in `exports`: "./nn" is src/nn/index.ts. */
const sources = new Set(
  readdirSync(`${root}src`, { recursive: true, encoding: "utf8" }).map((file) => file.replaceAll("\\", "/")),
);
const fileOf = (name: string): string =>
  `${root}src/${[`${name}.ts`, `${name}/index.ts`, "index.ts"].map((file) => file.replace(/^\//, "")).find((file) => sources.has(file))}`;
const entryNames = Object.keys(exports)
  .filter((name) => name !== "./package.json")
  .map((name) => name.slice(2));
export const entries: readonly string[] = entryNames.map(fileOf);

const { config } = ts.readConfigFile(`${root}tsconfig.json`, ts.sys.readFile);
const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root);
const program = ts.createProgram([...entries], options);
export const checker: ts.TypeChecker = program.getTypeChecker();

type Exported = { readonly name: string; readonly symbol: ts.Symbol };
const resolved = (symbol: ts.Symbol): ts.Symbol =>
  symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
export const exportsOf = (file: string): Exported[] =>
  checker
    .getExportsOfModule(checker.getSymbolAtLocation(program.getSourceFile(file)!)!)
    .map((symbol) => ({ name: symbol.name, symbol: resolved(symbol) }));

const namespaces = ts.SymbolFlags.Module;
/** The public symbols, and the names under which they are exported. */
export const publicNames: ReadonlyMap<ts.Symbol, string> = new Map(
  entries.flatMap(exportsOf).flatMap(({ name, symbol }) => (symbol.flags & namespaces ? [] : [[symbol, name] as const])),
);

/** The docstring of a symbol without its example. */
export function docOf(symbol: ts.Symbol): string {
  const tags = symbol.getJsDocTags(checker).filter(({ name }) => name !== "example");
  return [summaryOf(symbol), ...tags.map(({ text }) => ts.displayPartsToString(text))].join("\n").trim();
}

/** The docstring of a symbol without its tags. */
export const summaryOf = (symbol: ts.Symbol): string => ts.displayPartsToString(symbol.getDocumentationComment(checker));

export const typeOf = (symbol: ts.Symbol): ts.Type =>
  symbol.flags & ts.SymbolFlags.Type ? checker.getDeclaredTypeOfSymbol(symbol) : checker.getTypeOfSymbol(symbol);

/** The position of a symbol's declaration: file, line and name. */
export function placeOf(symbol: ts.Symbol): string {
  const node = symbol.declarations![0]!;
  const file = node.getSourceFile();
  const { line } = file.getLineAndCharacterOfPosition(node.getStart());
  return `${file.fileName.slice(root.length)}:${line + 1} ${symbol.name}`;
}

/** The text of the tag `@example` of a symbol; undefined if it has none. */
export function exampleOf(symbol: ts.Symbol): string | undefined {
  const tag = symbol.getJsDocTags(checker).find(({ name }) => name === "example");
  return tag && ts.displayPartsToString(tag.text);
}

/** The examples of docstrings, with the imports that they leave out: [entry point and name, source]. */
export function docExamples(): [name: string, source: string][] {
  const values = new Map(
    entryNames
      .filter((entry) => entry !== "plain")
      .map((entry) => {
        const names = exportsOf(fileOf(entry)).filter(({ symbol }) => symbol.flags & ts.SymbolFlags.Value);
        return [entry === "" ? "hashgrad" : `hashgrad/${entry}`, new Set(names.map(({ name }) => name))] as const;
      }),
  );
  const found = new Map<ts.Symbol, [string, string]>();
  for (const entry of values.keys()) {
    for (const { name, symbol } of exportsOf(fileOf(entry.replace(/^hashgrad\/?/, "")))) {
      const code = exampleOf(symbol);
      if (code === undefined || found.has(symbol)) continue;
      found.set(symbol, [`${entry} ${name}`, `${importsOf(code, entry, values)}\n${code}\n`]);
    }
  }
  return [...found.values()];
}
