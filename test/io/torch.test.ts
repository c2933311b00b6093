import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import {
  decodeSafetensors,
  encodeSafetensors,
  encodeTorchWeights,
  encodeWeights,
  loadTorchWeights,
  loadWeights,
  saveTorchWeights,
} from "../../src/io/index.ts";
import { torchNames, torchShape } from "../../src/io/torch-names.ts";
import { dense, type Layer } from "../../src/nn/index.ts";
import { compress, fitPool, ProductVariablePool, poolSizeFor, VariableFactory } from "../../src/smh/index.ts";
import { assign, Generator, ones, randomNormal, randomUniform, type Tensor, tensor } from "../../src/tensor/index.ts";
import { DenseVariables, scope, survey, type VariableCreator, weightsOf } from "../../src/variables/index.ts";
import { build } from "../model-adapter.ts";
import { fill, type ModelFile, misses, readModelFile, rmsOf } from "../model-cases.ts";
import { pythonWith, runPython } from "../python.ts";
import { thrown } from "../thrown.ts";
import { temporaryFolder } from "./folder.ts";

const { newPath } = temporaryFolder();
const script = (name: string): string => fileURLToPath(new URL(`torch/${name}`, import.meta.url));
const golden = new URL("../goldens/torch/", import.meta.url);

type Answers = {
  readonly logits: Readonly<Record<string, { readonly shape: readonly number[]; readonly logits: readonly number[] }>>;
  readonly names: Readonly<Record<string, { readonly count: number; readonly sha256: string }>>;
};
const answers = JSON.parse(readFileSync(new URL("torch.json", golden), "utf8")) as Answers;

/** Two images of sin(i). */
const image = (): Tensor =>
  tensor(
    Float32Array.from({ length: 2 * 40 * 40 * 3 }, (_, i) => Math.sin(i)),
    [2, 40, 40, 3],
  );

/** Random numbers in all variables and running statistics. */
function randomized(vars: VariableCreator, seed: number): void {
  const random = new Generator(seed);
  for (const [name, x] of weightsOf(vars)) {
    const isSize = /gamma|moving_variance|scale$/.test(name);
    assign(
      x,
      isSize ? randomUniform(x.shape, random, 0.5, 1.5) : randomNormal(x.shape, random, 0, x.shape.length > 1 ? 0.3 : 0.2),
    );
  }
}

describe("names and shapes match torchvision 0.14.1", () => {
  test.each(Object.entries(answers.names))("%s", (name, { count, sha256 }) => {
    const rows = survey((vars) => build(vars, name));
    const names = torchNames(rows.map((row) => row.name))!;
    const lines = rows.map((row) => `${names.get(row.name)} [${torchShape(row.name, row.shape).join(", ")}]`).sort();
    expect(lines.length).toBe(count);
    expect(createHash("sha256").update(lines.join("\n")).digest("hex")).toBe(sha256);
  });
});

test("a small MobileNetV3 that PyTorch saved as float16 gives the logits of PyTorch", () => {
  const vars = new DenseVariables();
  const model = build(vars, "mobilenet_v3_small", { width: 0.03, classes: 3 });
  const report = loadTorchWeights(readFileSync(new URL("mobilenet_v3_small.safetensors", golden)), vars);
  expect(report).toEqual({ loaded: vars.variables().map(({ name }) => name), missing: [], mismatched: [], unused: [] });
  const { logits } = answers.logits.mobilenet_v3_small!;
  expect(misses("logits", model(image()).toArray(), logits, 1e-5, rmsOf(logits))).toEqual([]);
});

const goldens = ["resnet20", "mobilenet_v2", "mobilenet_v2-w0.5-c10", "mobilenet_v3_small", "efficientnet_b0"];

/** A file's logits against the golden ones. */
function logitMisses(file: ModelFile, source: string | Uint8Array): string[] {
  const { model: asked, runs } = file;
  const run = runs[0]!;
  const vars = new DenseVariables();
  const model = build(vars, asked.name, { classes: asked.classes, width: asked.width, ...run.options });
  expect(loadTorchWeights(source, vars).loaded.length).toBe(file.parameters.length + file.statistics.length);
  const logits = model(tensor(fill(run.image), run.image.shape)).toArray();
  return misses("logits", logits, run.eval.logits.data, run.tol.eval, rmsOf(run.eval.logits.data));
}

describe("a file with PyTorch's names and layouts gives the golden logits", () => {
  test.each(goldens)("%s", (name) => {
    const file = readModelFile<ModelFile>(name);
    const tensors = new Map([...file.parameters, ...file.statistics].map((one) => [one.name, tensor(fill(one), one.shape)]));
    expect(logitMisses(file, encodeSafetensors({ tensors, metadata: { format: "pt" } }))).toEqual([]);
  });
});

const torch = pythonWith("torch", "numpy");
describe.skipIf(torch === null)("a file that PyTorch writes gives the golden logits", () => {
  test.each(["resnet20", "mobilenet_v2"])("%s", (name) => {
    const path = newPath();
    runPython(torch!, ["-B", script("fill.py"), fileURLToPath(new URL(`../goldens/models/${name}.json`, import.meta.url)), path]);
    expect(logitMisses(readModelFile<ModelFile>(name), path)).toEqual([]);
  });
});

type Small = readonly [name: string, options: { width: number; classes: number }, torchvision: object | null];
const small: readonly Small[] = [
  ["resnet8", { width: 0.25, classes: 3 }, null],
  ["resnet18", { width: 1, classes: 3 }, { num_classes: 3 }],
  ["resnet50", { width: 1 / 16, classes: 3 }, null],
  ["mobilenet_v2", { width: 0.1, classes: 3 }, { num_classes: 3, width_mult: 0.1 }],
  ["mobilenet_v3_large", { width: 0.1, classes: 3 }, { num_classes: 3, width_mult: 0.1 }],
  ["efficientnet_b1", { width: 0.1, classes: 3 }, null],
];

/** A network of random numbers, dense or with its kernels in a pool at fraction 0.3. */
function randomModel(name: string, options: Small[1], seed: number, compressed = false): { vars: VariableCreator; model: Layer } {
  const make = (vars: VariableCreator): Layer => build(vars, name, options);
  const pool = compressed ? new ProductVariablePool({ poolSize: poolSizeFor(make), fraction: 0.3, seed }) : null;
  const vars = pool === null ? new DenseVariables({ seed }) : new VariableFactory({ pool, seed });
  const model = make(vars);
  if (!compressed) randomized(vars, seed);
  return { vars, model };
}

describe("loadTorchWeights reads the file of saveTorchWeights", () => {
  test.each(small.filter(([name]) => name !== "resnet18"))("%s, dense, with the same bits", (name, options) => {
    const [saved, other] = [randomModel(name, options, 1), randomModel(name, options, 2)];
    const bytes = encodeTorchWeights(saved.vars);
    loadTorchWeights(bytes, other.vars);
    expect(Buffer.compare(encodeWeights(other.vars), encodeWeights(saved.vars))).toBe(0);
    expect(Buffer.compare(encodeTorchWeights(other.vars), bytes)).toBe(0);
  });

  test.each(small.filter(([name]) => name !== "resnet18"))(
    "%s, compressed, into a dense model with the same logits",
    (name, options) => {
      const saved = randomModel(name, options, 1, true);
      const path = newPath();
      saveTorchWeights(path, saved.vars);
      const { vars, model } = randomModel(name, options, 2);
      loadTorchWeights(path, vars);
      expect(model(image()).toArray()).toEqual(saved.model(image()).toArray());
    },
  );
});

const torchvision = pythonWith("torch", "torchvision");
describe.skipIf(torchvision === null)("torchvision loads the file and gives the same logits", () => {
  test.each(small.filter(([, , kwargs]) => kwargs !== null))("%s", (name, options, kwargs) => {
    const { vars, model } = randomModel(name, options, 1);
    const path = newPath();
    saveTorchWeights(path, vars);
    const want = JSON.parse(runPython(torchvision!, ["-B", script("run.py"), name, JSON.stringify(kwargs), path])) as number[];
    expect(misses("logits", model(image()).toArray(), want, 1e-4, rmsOf(want))).toEqual([]);
  });
});

describe("differences between file and model", () => {
  const options = { width: 0.125, classes: 3 };
  const state = decodeSafetensors(encodeTorchWeights(randomModel("resnet8", options, 1).vars));
  const changed = (change: (tensors: Map<string, Tensor>) => void): Uint8Array => {
    const tensors = new Map(state.tensors);
    change(tensors);
    return encodeSafetensors({ tensors, metadata: {} });
  };
  const without = changed((tensors) => tensors.delete("layer1.0.bn1.weight"));
  const other = changed((tensors) => tensors.set("fc.weight", ones([7, 8])));
  const more = changed((tensors) => tensors.set("extra.weight", ones([2])).set("bn1.num_batches_tracked", ones([])));

  test.each([
    ["a tensor that is missing", without, 'has no "layer1.0.bn1.weight" for "layer1/0/norm1/gamma"'],
    ["another shape", other, '"fc.weight" has shape [7, 8], "fc/kernel" [8, 3] needs [3, 8]'],
    ["a tensor too many", more, 'holds "extra.weight", which the model does not have'],
  ])("strict refuses %s and changes nothing", (_, file, text) => {
    const { vars } = randomModel("resnet8", options, 2);
    const before = encodeWeights(vars);
    expect(thrown(() => loadTorchWeights(file, vars))).toBe(
      `FormatError: weights: ${text}; { strict: false } loads the tensors that fit`,
    );
    expect(encodeWeights(vars)).toEqual(before);
  });

  test("strict: false loads the tensors that fit and reports the rest", () => {
    const { vars } = randomModel("resnet8", options, 2);
    const [name] = ["layer1/0/norm1/gamma"];
    expect(loadTorchWeights(without, vars, { strict: false })).toMatchObject({ missing: [name], mismatched: [], unused: [] });
    expect(loadTorchWeights(other, vars, { strict: false })).toMatchObject({
      missing: [],
      mismatched: ["fc/kernel"],
      unused: [],
    });
    const report = loadTorchWeights(more, vars, { strict: false });
    expect(report).toMatchObject({ missing: [], mismatched: [], unused: ["extra.weight"] });
    expect(report.loaded.length).toBe(vars.variables().length);
  });

  test("loadTorchWeights refuses a file without any tensor that fits, even with strict: false", () => {
    const { vars } = randomModel("mobilenet_v2", { width: 0.1, classes: 3 }, 1);
    for (const strict of [true, false])
      expect(thrown(() => loadTorchWeights(without, vars, { strict }))).toBe(
        'FormatError: weights: none of its tensors fits the model: has no "features.0.0.weight" for "stem/kernel"',
      );
  });

  test("loadTorchWeights refuses a truncated file", () => {
    const { vars } = randomModel("resnet8", options, 2);
    for (const end of [0, 7, 100, without.length - 1])
      expect(thrown(() => loadTorchWeights(without.subarray(0, end), vars))).toMatch(
        /^FormatError: weights: .*(cut off|not JSON)/,
      );
  });

  test("a variable outside the family counts as missing in loading, and saving refuses the variable", () => {
    const { vars } = randomModel("resnet8", options, 2);
    dense(scope(vars, "head"), 3, 2);
    const whole = encodeSafetensors(state);
    expect(thrown(() => loadTorchWeights(whole, vars))).toMatch(
      /the model has "head\/kernel", which its family lacks; \{ strict: false/,
    );
    expect(loadTorchWeights(whole, vars, { strict: false }).missing).toEqual(["head/kernel", "head/bias"]);
    expect(thrown(() => encodeTorchWeights(vars))).toBe(
      'ValueError: encodeTorchWeights: "head/kernel" has no name in PyTorch: the family lacks it',
    );
  });
});

describe("models", () => {
  const options = { width: 0.125, classes: 3 };
  const bytes = encodeTorchWeights(randomModel("resnet8", options, 1).vars);

  test("loading and saving a scope that holds a model omit the name of the scope", () => {
    const vars = new DenseVariables();
    const backbone = scope(vars, "backbone");
    build(backbone, "resnet8", options);
    expect(loadTorchWeights(bytes, backbone).loaded[0]).toBe("backbone/conv1/kernel");
    expect(encodeTorchWeights(backbone)).toEqual(bytes);
    expect(thrown(() => loadTorchWeights(bytes, vars))).toMatch(
      /^ValueError: loadTorchWeights: vars must hold the variables of a model/,
    );
  });

  test("loadTorchWeights and saveTorchWeights refuse a model of another family", () => {
    const vars = new DenseVariables();
    const text = 'for other models see docs/guides/pytorch.md, "Copy trained weights"';
    const start = "ValueError: loadTorchWeights: vars must hold the variables of a model of hashgrad/models";
    expect(thrown(() => loadTorchWeights(bytes, vars))).toBe(`${start}, there are none; ${text}`);
    dense(scope(vars, "out"), 2, 3);
    expect(thrown(() => loadTorchWeights(bytes, vars))).toBe(`${start}, got "out/kernel", "out/bias", …; ${text}`);
    expect(thrown(() => saveTorchWeights(newPath(), vars))).toMatch(/^ValueError: saveTorchWeights: vars must hold/);
  });

  test("loadTorchWeights refuses weights that come from a pool, and its remedy gives a fitted model", () => {
    const { vars } = compress((creator) => build(creator, "resnet8", options), { fraction: 0.3, seed: 1 });
    for (const strict of [true, false])
      expect(thrown(() => loadTorchWeights(bytes, vars, { strict }))).toBe(
        'ValueError: loadTorchWeights: "conv1/kernel" is a slice of a pool, which cannot take given weights; load into the same model with denseVars = new DenseVariables(), then call fitPool(vars, denseVars)',
      );
    const denseVars = new DenseVariables();
    build(denseVars, "resnet8", options);
    loadTorchWeights(bytes, denseVars);
    expect(fitPool(vars, denseVars).error).toBeLessThan(0.9);
    const statistics = (of: VariableCreator): Float32Array[] =>
      of
        .variables()
        .filter(({ trainable }) => !trainable)
        .map((variable) => variable.read().toArray());
    expect(statistics(vars)).toEqual(statistics(denseVars));
  });

  test("the error for an argument of the wrong kind names the function", () => {
    const { vars } = randomModel("resnet8", options, 1);
    for (const value of [null, undefined, Number.NaN, 1, {}, [], () => 1] as never[]) {
      expect(thrown(() => loadTorchWeights(value, vars))).toMatch(/^ValueError: loadTorchWeights: source must be/);
      expect(thrown(() => loadTorchWeights(bytes, value))).toMatch(/^ValueError: loadTorchWeights: vars must/);
      expect(thrown(() => encodeTorchWeights(value))).toMatch(/^ValueError: encodeTorchWeights: vars must/);
      expect(thrown(() => saveTorchWeights(value, vars))).toMatch(/^ValueError: saveTorchWeights: path must/);
    }
    expect(thrown(() => loadTorchWeights(bytes, vars, { strict: 1 as never }))).toMatch(
      /^ValueError: loadTorchWeights: strict must/,
    );
    expect(thrown(() => loadWeights(bytes, vars))).toMatch(/^FormatError: weights: /);
  });
});
