import { readdirSync, readFileSync } from "node:fs";
import { dirname, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { expect, test } from "vitest";

/**
 * From the lowest level up. A module imports from itself and from lower levels; modules of one level do not import each
 * other.
 */
const levels = [
  ["kernels"],
  ["backends"],
  ["tensor"],
  ["ops"],
  ["variables", "optim"],
  ["nn", "smh"],
  ["models"],
  ["data", "io"],
  ["train", "onnx"],
  ["distributed"],
  ["cli", "testing"],
  [""], // src/index.ts
];
/**
 * The modules that may import Node's own modules: the others are followed in a browser, too, and ask for them when they
 * need them.
 */
const onNode = ["cli"];
/** The packages that a module may import. */
const packages: Readonly<Record<string, readonly string[]>> = {
  cli: ["@observablehq/plot", "bullmq", "commander", "csv-parse", "ioredis", "linkedom/worker", "sharp"],
  distributed: ["bullmq", "ioredis"],
  testing: ["fast-check"],
};

const root = fileURLToPath(new URL("../src", import.meta.url));
const files = readdirSync(root, { recursive: true, encoding: "utf8" })
  .map((file) => file.split(sep).join("/"))
  .filter((file) => file.endsWith(".ts") && !/(^|\/)build\.ts$/.test(file)) // build scripts are not part of the library
  .sort();

const moduleOf = (file: string): string => (file.includes("/") ? file.slice(0, file.indexOf("/")) : "");
const levelOf = (module: string): number => levels.findIndex((modules) => modules.includes(module));

/** What a file imports or exports from, types and dynamic imports included, as it is written. */
function importsOf(file: string): string[] {
  const source = ts.createSourceFile(file, readFileSync(resolve(root, file), "utf8"), ts.ScriptTarget.Latest, true);
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    let from: ts.Node | undefined;
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) from = node.moduleSpecifier;
    else if (ts.isImportTypeNode(node)) from = ts.isLiteralTypeNode(node.argument) ? node.argument.literal : node.argument;
    else if (ts.isExternalModuleReference(node)) from = node.expression;
    else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) from = node.arguments[0];
    if (from !== undefined) found.push(ts.isStringLiteralLike(from) ? from.text : `(computed) ${from.getText()}`);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

const imports = new Map(files.map((file) => [file, importsOf(file)]));
const inside = (target: string): boolean => target.startsWith(".");
/** The file that a relative import means, from src. */
const targetOf = (file: string, target: string): string => {
  const path = relative(root, resolve(root, dirname(file), target))
    .split(sep)
    .join("/");
  return path.endsWith(".ts") ? path : `${path}.ts`; // AssemblyScript names files without their ending
};
const pairs = [...imports].flatMap(([file, targets]) => targets.map((target): [string, string] => [file, target]));

test("every module belongs to a level, and every import within src names an existing file", () => {
  expect(files.map(moduleOf).filter((module) => levelOf(module) < 0)).toEqual([]);
  const missing = pairs.filter(([file, target]) => inside(target) && !files.includes(targetOf(file, target)));
  expect(missing.map(([file, target]) => `${file} imports ${target}: there is no such file`)).toEqual([]);
  expect(pairs.length).toBeGreaterThan(files.length);
});

test("a file imports from its own module and from lower levels only", () => {
  const wrong = pairs.flatMap(([file, target]) => {
    if (!inside(target)) return [];
    const [from, to] = [moduleOf(file), moduleOf(targetOf(file, target))];
    return from === to || levelOf(to) < levelOf(from) ? [] : [`${file} imports ${target}: ${to} is not below ${from}`];
  });
  expect(wrong).toEqual([]);
});

test("a file imports from another module only through its index.ts", () => {
  const wrong = pairs.filter(([file, target]) => {
    if (!inside(target)) return false;
    const to = targetOf(file, target);
    return moduleOf(to) !== moduleOf(file) && to !== `${moduleOf(to)}/index.ts`;
  });
  expect(wrong.map(([file, target]) => `${file} imports ${target}: enter through index.ts`)).toEqual([]);
});

test("only cli imports Node's modules, and only the listed modules import packages", () => {
  const wrong = pairs.filter(([file, target]) => {
    if (inside(target)) return false;
    if (target.startsWith("node:")) return !onNode.includes(moduleOf(file));
    return !packages[moduleOf(file)]?.includes(target);
  });
  expect(wrong.map(([file, target]) => `${file} imports ${target}`)).toEqual([]);
});

test("imports form no cycle", () => {
  const done = new Set<string>();
  const circleFrom = (file: string, path: readonly string[]): string | null => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file].join(" → ");
    if (done.has(file)) return null;
    for (const target of (imports.get(file) ?? []).filter(inside)) {
      const circle = circleFrom(targetOf(file, target), [...path, file]);
      if (circle !== null) return circle;
    }
    done.add(file);
    return null;
  };
  expect(files.map((file) => circleFrom(file, [])).filter((circle) => circle !== null)).toEqual([]);
});

const MOST_FILE_LINES = 400;
const MOST_FUNCTION_LINES = 60;
/** The functions that may be longer, with the reason. */
const longFunctions = new Map([
  [
    "backends/wasm/assembly/conv.ts convolveStrips",
    "V8 keeps the values of its loops in registers only if they are in one function",
  ],
  [
    "backends/wasm/assembly/tile.ts computeFive",
    "its end is written twice; with a condition inside the end, V8 keeps the sums in memory",
  ],
]);

/** The number of lines of each function with a body, by file and name. */
function functionLines(file: string): [string, number][] {
  const source = ts.createSourceFile(file, readFileSync(resolve(root, file), "utf8"), ts.ScriptTarget.Latest, true);
  const found: [string, number][] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node) && "body" in node && node.body !== undefined) {
      const [first, last] = [node.getStart(source), node.end].map((at) => source.getLineAndCharacterOfPosition(at).line);
      found.push([`${file} ${node.name?.getText() ?? "(anonymous)"}`, last! - first! + 1]);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

test("a file has at most 400 lines, and a function at most 60 unless the list gives the reason", () => {
  const lengths = files.map((file) => [file, readFileSync(resolve(root, file), "utf8").trimEnd().split("\n").length] as const);
  expect(lengths.filter(([, lines]) => lines > MOST_FILE_LINES)).toEqual([]);
  const long = files.flatMap(functionLines).filter(([, lines]) => lines > MOST_FUNCTION_LINES);
  expect(long.map(([name]) => name).sort()).toEqual([...longFunctions.keys()].sort());
});
