import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { expect, test } from "vitest";

// What the API reference is made of: the docstrings of all that the entry points export.

const root = fileURLToPath(new URL("../", import.meta.url));
const { exports } = JSON.parse(readFileSync(`${root}package.json`, "utf8")) as { exports: Record<string, unknown> };

/** The source file of each entry point, by its name in `exports`: "./nn" is src/nn/index.ts. */
const sources = new Set(
  readdirSync(`${root}src`, { recursive: true, encoding: "utf8" }).map((file) => file.replaceAll("\\", "/")),
);
const entries = Object.keys(exports)
  .filter((name) => name !== "./package.json")
  .map((name) => name.slice(2))
  .map((name) => [`${name}.ts`, `${name}/index.ts`, "index.ts"].find((file) => sources.has(file.replace(/^\//, "")))!)
  .map((file) => `${root}src/${file.replace(/^\//, "")}`);

const { config } = ts.readConfigFile(`${root}tsconfig.json`, ts.sys.readFile);
const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root);
const program = ts.createProgram(entries, options);
const checker = program.getTypeChecker();

type Exported = { readonly name: string; readonly symbol: ts.Symbol };
const resolved = (symbol: ts.Symbol): ts.Symbol =>
  symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
const exportsOf = (file: string): Exported[] =>
  checker
    .getExportsOfModule(checker.getSymbolAtLocation(program.getSourceFile(file)!)!)
    .map((symbol) => ({ name: symbol.name, symbol: resolved(symbol) }));

const namespaces = ts.SymbolFlags.Module;
const publicNames = new Map(
  entries.flatMap(exportsOf).flatMap(({ name, symbol }) => (symbol.flags & namespaces ? [] : [[symbol, name] as const])),
);

/** The docstring of a symbol, tags included. */
function docOf(symbol: ts.Symbol): string {
  const tags = symbol.getJsDocTags(checker).map(({ text }) => ts.displayPartsToString(text));
  return [ts.displayPartsToString(symbol.getDocumentationComment(checker)), ...tags].join("\n").trim();
}
const typeOf = (symbol: ts.Symbol): ts.Type =>
  symbol.flags & ts.SymbolFlags.Type ? checker.getDeclaredTypeOfSymbol(symbol) : checker.getTypeOfSymbol(symbol);

test("every public export has a summary", () => {
  expect(publicNames.size).toBeGreaterThan(300);
  const silent = [...publicNames].filter(([symbol]) => docOf(symbol) === "").map(([, name]) => name);
  expect(silent).toEqual([]);
});

/**
 * The optional fields of a public type, and of the objects that a public function takes. The fields of TypeScript's own
 * types are left out.
 */
function optionsOf(symbol: ts.Symbol): ts.Symbol[] {
  const type = typeOf(symbol);
  const calls = [...type.getCallSignatures(), ...type.getConstructSignatures()];
  const parameters = calls.flatMap(({ parameters }) => parameters.map((parameter) => checker.getTypeOfSymbol(parameter)));
  const fields = [type, ...parameters].flatMap((type) => checker.getNonNullableType(type).getProperties());
  const optional = ts.SymbolFlags.Optional | ts.SymbolFlags.Property;
  return fields.filter((field) => (field.flags & optional) === optional && placeOf(field).startsWith("src/"));
}

/** Where a symbol is declared: file, line and name. */
function placeOf(symbol: ts.Symbol): string {
  const node = symbol.declarations![0]!;
  const file = node.getSourceFile();
  const { line } = file.getLineAndCharacterOfPosition(node.getStart());
  return `${file.fileName.slice(root.length)}:${line + 1} ${symbol.name}`;
}

test("the docstring of every option states its default", () => {
  const found = new Map([...publicNames.keys()].flatMap(optionsOf).map((field) => [placeOf(field), docOf(field)]));
  expect(found.size).toBeGreaterThan(100);
  expect([...found].filter(([, doc]) => !/default/i.test(doc)).map(([place]) => place)).toEqual([]);
});

test("the docstring of every op says which shapes it takes", () => {
  const ops = exportsOf(`${root}src/ops/index.ts`).filter(({ symbol }) => typeOf(symbol).getCallSignatures().length > 0);
  expect(ops.length).toBeGreaterThan(80);
  const shapes = /\[[^\]]*[a-z.][^\]]*\]|\[[0-9, ]+\]\s+→|elementwise|any shape|the same shape/i;
  expect(ops.filter(({ symbol }) => !shapes.test(docOf(symbol))).map(({ name }) => name)).toEqual([]);
});
