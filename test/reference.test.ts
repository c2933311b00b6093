import ts from "typescript";
import { expect, test } from "vitest";
import { sharedDescription } from "../docs/.vitepress/docstrings.ts";
import { checker, docOf, exampleOf, exportsOf, placeOf, publicNames, root, summaryOf, typeOf } from "./docstrings.ts";

// The API reference is generated from docstrings, so these tests check the docstrings of all that the entry points
// export.

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

test("the docstring of every option states its default", () => {
  const found = new Map([...publicNames.keys()].flatMap(optionsOf).map((field) => [placeOf(field), docOf(field)]));
  expect(found.size).toBeGreaterThan(100);
  expect([...found].filter(([, doc]) => !/default/i.test(doc)).map(([place]) => place)).toEqual([]);
});

test("the docstring of every op states the shapes of its operands", () => {
  const ops = exportsOf(`${root}src/ops/index.ts`).filter(({ symbol }) => typeOf(symbol).getCallSignatures().length > 0);
  expect(ops.length).toBeGreaterThan(80);
  const shapes = /\[[^\]]*[a-z.][^\]]*\]|\[[0-9, ]+\]\s+→|elementwise|any shape|the same shape/i;
  expect(ops.filter(({ symbol }) => !shapes.test(docOf(symbol))).map(({ name }) => name)).toEqual([]);
});

/** The functions, constructors and methods that a public symbol declares itself. */
function callablesOf(symbol: ts.Symbol): ts.SignatureDeclaration[] {
  return (symbol.declarations ?? []).flatMap((node): ts.SignatureDeclaration[] => {
    if (ts.isFunctionDeclaration(node)) return [node];
    if (ts.isVariableDeclaration(node)) {
      const value = node.initializer;
      return value && (ts.isArrowFunction(value) || ts.isFunctionExpression(value)) ? [value] : [];
    }
    if (!ts.isClassDeclaration(node) && !ts.isInterfaceDeclaration(node)) return [];
    return [...node.members].filter(
      (member): member is ts.MethodDeclaration | ts.MethodSignature | ts.ConstructorDeclaration =>
        (ts.isMethodDeclaration(member) || ts.isMethodSignature(member) || ts.isConstructorDeclaration(member)) &&
        !(member.name && ts.isPrivateIdentifier(member.name)) &&
        !ts.getJSDocTags(member).some(({ tagName }) => tagName.text === "internal"),
    );
  });
}
const hasText = (tag: ts.JSDocParameterTag): boolean => /\w/.test(ts.getTextOfJSDocComment(tag.comment) ?? "");

test("the docstring of every function describes its parameters", () => {
  const parameters = [...publicNames].flatMap(([symbol, name]) =>
    callablesOf(symbol).flatMap((callable) =>
      // An overload repeats the parameters of the first signature.
      callable === callablesOf(symbol)[0] || !ts.isFunctionDeclaration(callable)
        ? callable.parameters.map((parameter, i) => {
            const own = ts.isIdentifier(parameter.name) ? parameter.name.text : "options";
            const tags = ts.getJSDocTags(callable).filter(ts.isJSDocParameterTag);
            const described = tags.some((tag) => tag.name.getText() === own && hasText(tag));
            const shared = sharedDescription(own, parameter.type?.getText() ?? "", summaryOf(symbol));
            return { name: `${name} ${i}: ${own}`, described: described || shared !== undefined };
          })
        : [],
    ),
  );
  expect(parameters.length).toBeGreaterThan(350);
  expect(parameters.filter(({ described }) => !described).map(({ name }) => name)).toEqual([]);
});

/** Functions whose use follows from their signature, or from the example of another function in the same line. */
const obvious: readonly string[] = [
  ...["full", "zeros", "ones", "randomNormal", "randomTruncatedNormal"], // randomUniform
  ...["constantInit", "normalInit", "orthogonal", "truncatedNormalInit", "uniformInit"], // varianceScaling
  ...["isTraining", "inference"], // training
  ...["resetPeak", "zeroGrad", "mnistFolder", "recall", "seeds", "shapes"], // memory, backward, readMnist, f1, tensors
  ...[
    "readIdx",
    "replaceFile",
    "saveCheckpoint",
    "saveOnnx",
    "saveTorchWeights",
    "saveWeights",
    "summary",
    "joinTraining",
    "openRedis",
  ], // the guides show files and tables
];

test("the docstring of every function and class has an example, unless its use is obvious", () => {
  const silent = [...publicNames].filter(([symbol, name]) => {
    const isClass = (symbol.flags & ts.SymbolFlags.Class) !== 0;
    if (!isClass && callablesOf(symbol).length === 0) return false;
    if ((symbol.flags & ts.SymbolFlags.Value) === 0 || name.endsWith("Error") || /elementwise/.test(summaryOf(symbol)))
      return false;
    return exampleOf(symbol) === undefined;
  });
  expect(silent.map(([, name]) => name).filter((name) => !obvious.includes(name))).toEqual([]);
});
