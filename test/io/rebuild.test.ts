import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { loadWeights, saveWeights, type WeightsDtype } from "../../src/io/index.ts";
import { batchNorm, conv2d, dense } from "../../src/nn/index.ts";
import {
  HashVariablePool,
  type IndexStoreKind,
  ProductVariablePool,
  VariableFactory,
  type VariablePool,
} from "../../src/smh/index.ts";
import { assign, Generator, randomNormal } from "../../src/tensor/index.ts";
import { normalInit, scope, type VariableCreator, weightsOf } from "../../src/variables/index.ts";
import { misses, rmsOf } from "../model-cases.ts";
import { pythonWith, runPython } from "../python.ts";
import { temporaryFolder } from "./folder.ts";

// docs/examples/rebuild.py computes the weights of compressed models from their files.

const python = pythonWith("numpy");
const examples = fileURLToPath(new URL("../../docs/examples", import.meta.url));
const { at } = temporaryFolder();

test("rebuild.py has at most 80 lines", () => {
  expect(readFileSync(join(examples, "rebuild.py"), "utf8").trimEnd().split("\n").length).toBeLessThanOrEqual(80);
});

function network(vars: VariableCreator): void {
  conv2d(scope(vars, "conv"), 2, 4, 3);
  batchNorm(scope(vars, "norm"), 4);
  dense(scope(vars, "out"), 4, 5);
  vars.create("shifted", [4, 3], { init: { ...normalInit(0.5), mean: 2 } });
}
const size = 2 * 4 * 9 + 4 * 5 + 4 * 3;

type Case = readonly [name: string, make: (indexStore: IndexStoreKind) => VariablePool, store: IndexStoreKind, modifier?: null];
const product = (indexStore: IndexStoreKind, poolSize = size): VariablePool =>
  new ProductVariablePool({ poolSize, fraction: 0.6, seed: 1, stddev: 0.7, indexStore });
const kronecker = (indexStore: IndexStoreKind, poolSize = size): VariablePool =>
  new ProductVariablePool({ poolSize, fraction: 0.9, seed: 1, useKroneckerProduct: true, indexStore });
const hash = (indexStore: IndexStoreKind, poolSize = size): VariablePool =>
  new HashVariablePool({ poolSize, fraction: 0.3, seed: 1, name: "shared", indexStore });
const cases: readonly Case[] = [
  ["a product pool", product, "basic"],
  ["a product pool, cyclic", (store) => product(store, 50), "cyclic"],
  ["a product pool, padded", (store) => product(store, 50), "padding"],
  ["a product pool without a modifier", product, "basic", null],
  ["a Kronecker pool", kronecker, "basic"],
  ["a Kronecker pool, cyclic", (store) => kronecker(store, 50), "cyclic"],
  ["a Kronecker pool, padded", (store) => kronecker(store, 50), "padding"],
  ["a hash pool", hash, "basic"],
  ["a hash pool, cyclic", (store) => hash(store, 50), "cyclic"],
];

/** A model whose numbers, learned scales included, are random. */
function modelOf([, make, store, modifier]: Case, seed: number): VariableFactory {
  const vars = new VariableFactory({ pool: make(store), ...(modifier === null ? { modifier } : {}) });
  network(vars);
  const random = new Generator(seed);
  for (const [, x] of weightsOf(vars)) assign(x, randomNormal(x.shape, random, 0.5));
  return vars;
}

/** The weights in a file by rebuild.py, as lists. */
function rebuilt(path: string): Record<string, number[]> {
  const program = [
    "import json, sys",
    `sys.path.append(${JSON.stringify(examples)})`,
    "from rebuild import weights",
    "print(json.dumps({k: x.ravel().tolist() for k, x in weights(sys.argv[1]).items()}))",
  ];
  return JSON.parse(runPython(python!, ["-B", "-c", program.join("\n"), path])) as Record<string, number[]>;
}

describe.skipIf(python === null)("rebuild.py computes the weights of the model", () => {
  const compare = (vars: VariableFactory, path: string): void => {
    const found = rebuilt(path);
    expect(Object.keys(found).sort()).toEqual(
      vars
        .variables()
        .map(({ name }) => name)
        .sort(),
    );
    for (const variable of vars.variables()) {
      const want = variable.read().toArray();
      expect(found[variable.name]!.length).toBe(want.length);
      expect(misses(variable.name, found[variable.name]!, want, 1e-5, rmsOf(want))).toEqual([]);
    }
  };

  test.each(cases.map((one) => [one[0], one] as const))("%s", (_, one) => {
    const [vars, path] = [modelOf(one, 1), at("model.safetensors")];
    saveWeights(path, vars);
    compare(vars, path);
  });

  test.each(["float16", "bfloat16", "int8"] as const satisfies readonly WeightsDtype[])("a product pool in %s", (dtype) => {
    const [saved, vars, path] = [modelOf(cases[0]!, 1), modelOf(cases[0]!, 2), at("small.safetensors")];
    saveWeights(path, saved, { dtype });
    loadWeights(path, vars);
    compare(vars, path);
  });

  test("nested pools", () => {
    const inner = new VariableFactory({ pool: hash("basic", 20), applyTo: "out/kernel" });
    const vars = new VariableFactory({ pool: product("basic", 72), applyTo: "conv/kernel", variables: inner });
    conv2d(scope(vars, "conv"), 2, 4, 3);
    dense(scope(vars, "out"), 4, 5);
    const path = at("two.safetensors");
    saveWeights(path, vars);
    compare(vars, path);
  });
});
