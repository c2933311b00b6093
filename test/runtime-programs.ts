// The program that test/runtimes.ts runs: it trains, saves, loads and evaluates with the installed package. As a module
// of its own, and as the only test of a project that uses jest or vitest.

/** What the program writes to report.json in the working directory. */
export type Report = {
  readonly backend: { readonly name: string; readonly fused: boolean; readonly threads: number; readonly reason: string };
  readonly digest: string;
  readonly accuracy: number;
};

const imports = `
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createHash } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { backend, Generator, relu, scope } from "hashgrad";
import { syntheticDigits } from "hashgrad/data";
import { encodeWeights, loadWeights, saveWeights } from "hashgrad/io";
import { batchNorm, conv2d, dense, globalAvgPool2d, sequential } from "hashgrad/nn";
import { adam } from "hashgrad/optim";
import { poolSizeFor, ProductVariablePool, VariableFactory } from "hashgrad/smh";
import { evaluate, train } from "hashgrad/train";
`;

const body = `
const network = (vars) => sequential(
  conv2d(scope(vars, "conv"), 1, 8, 3, { padding: "same", strides: 2 }),
  batchNorm(scope(vars, "norm"), 8),
  relu,
  conv2d(scope(vars, "conv2"), 8, 16, 3),
  relu,
  globalAvgPool2d(),
  dense(scope(vars, "head"), 16, 10),
);
const build = () => {
  const vars = new VariableFactory({ pool: new ProductVariablePool({ poolSize: poolSizeFor(network), fraction: 0.5, seed: 1 }), seed: 1 });
  return { vars, model: network(vars) };
};
const data = syntheticDigits(128, new Generator(1));
const { vars, model } = build();
const { epochs } = await train({ model, optimizer: adam(vars.parameters()), data, epochs: 4, batchSize: 16 });
if (!(epochs.at(-1).loss < epochs[0].loss)) throw new Error("no learning: " + epochs.map(({ loss }) => loss).join(" "));
const folder = mkdtempSync(join(tmpdir(), "hashgrad-run-"));
const file = join(folder, "weights.safetensors");
await saveWeights(file, vars);
const other = build();
await loadWeights(file, other.vars);
rmSync(folder, { recursive: true });
const [first, second] = [await evaluate({ model, data }), await evaluate({ model: other.model, data })];
if (first.loss !== second.loss) throw new Error("the loaded model is another: " + first.loss + " and " + second.loss);
const digest = createHash("sha256").update(encodeWeights(vars)).digest("hex").slice(0, 16);
writeFileSync("report.json", JSON.stringify({ backend: backend(), digest, accuracy: first.accuracy }));
`;

const inTest = `test("the installed package trains, saves and loads", async () => {${body}}, 60_000);\n`;

/** The program as an ES module. */
export const program: string = imports + body;

/** A project whose test runner runs the program. `arguments` of Node start the runner. */
export type Project = {
  readonly package: string;
  readonly files: Readonly<Record<string, string>>;
  readonly arguments: readonly string[];
};

const jest = "node_modules/jest/bin/jest.js";
const json = (value: object): string => `${JSON.stringify(value)}\n`;

/**
 * The projects by name. jest loads CommonJS, through the package's `require` entries, unless Node's flag lets it load
 * ES modules.
 */
export const projects: Readonly<Record<string, Project>> = {
  jest: {
    package: "jest@30",
    files: {
      "package.json": json({ private: true }),
      "train.test.js": imports.replaceAll("import {", "const {").replaceAll(/ from (.*);/g, " = require($1);") + inTest,
    },
    arguments: [jest],
  },
  "jest-esm": {
    package: "jest@30",
    files: {
      "package.json": json({ private: true, type: "module", jest: { transform: {} } }),
      "train.test.js": imports + inTest,
    },
    arguments: ["--experimental-vm-modules", jest],
  },
  vitest: {
    package: "vitest@4",
    files: {
      "package.json": json({ private: true, type: "module" }),
      "train.test.js": `import { test } from "vitest";${imports}${inTest}`,
    },
    arguments: ["node_modules/vitest/vitest.mjs", "run"],
  },
};
