import {
  backward,
  crossEntropy,
  DenseVariables,
  Generator,
  inference,
  mul,
  randomNormal,
  scope,
  survey,
  type Tensor,
  training,
} from "hashgrad";
import {
  efficientNet,
  invertedResidual,
  type ModelOptions,
  makeDivisible,
  mobileNetV2,
  mobileNetV3,
  resNet,
} from "hashgrad/models";
import type { Layer } from "hashgrad/nn";
import { describe, expect, test } from "vitest";
import { differences, type GoldenCase } from "./golden-cases.ts";
import { build, runDifferences, sliceDifferences } from "./model-adapter.ts";
import { runBlock } from "./model-blocks.ts";
import { fill, type ModelFile, readModelFile, sha256 } from "./model-cases.ts";

type Counted = {
  readonly name: string;
  readonly classes?: number;
  readonly width?: number;
  readonly parameters: number;
  readonly kernels: number;
  readonly runningStatistics: number;
};
const counts = readModelFile<{ models: readonly Counted[]; variants: readonly Counted[]; makeDivisible: [number, number][] }>(
  "counts",
);

test("the tensors of the golden files match their test vectors", () => {
  const vectors = readModelFile<{ fill: { name: string; count: number; scale: number; offset: number; sha256: string }[] }>(
    "vectors",
  );
  expect(vectors.fill.length).toBeGreaterThan(3);
  for (const { name, count, scale, offset, sha256: want } of vectors.fill)
    expect([name, sha256([fill({ name, shape: [count], scale, offset })])]).toEqual([name, want]);
});

describe("models have the parameter counts of torchvision", () => {
  const all = [...counts.models, ...counts.variants];
  test.each(all.map((one) => [`${one.name} width ${one.width ?? 1}, ${one.classes ?? "default"} classes`, one] as const))(
    "%s",
    (_, { name, classes, width, parameters, kernels, runningStatistics }) => {
      const options = { ...(classes === undefined ? {} : { classes }), ...(width === undefined ? {} : { width }) };
      const rows = survey((vars) => build(vars, name, options));
      const total = (wanted: (row: (typeof rows)[number]) => boolean): number =>
        rows.reduce((sum, row) => sum + (wanted(row) ? row.size : 0), 0);
      expect({
        parameters: total((row) => row.trainable),
        kernels: total((row) => row.shape.length >= 2),
        runningStatistics: total((row) => !row.trainable),
      }).toEqual({ parameters, kernels, runningStatistics });
    },
  );

  test.each(counts.makeDivisible)("makeDivisible(%d) is %d", (v, want) => {
    expect(makeDivisible(v)).toBe(want);
  });
});

const names =
  "resnet20 resnet18 mobilenet_v2 mobilenet_v2-w0.5-c10 mobilenet_v3_small efficientnet_b0 resnet20-smh0.25 mobilenet_v2-smh0.25";
const files = names.split(" ").map((name): [string, ModelFile] => [name, readModelFile(name)]);
const runs = files.flatMap(([, file]) => file.runs.map((run) => [run.id, file, run] as const));

describe("inference, training, statistics and gradients match PyTorch", () => {
  test.each(runs)("%s", (_, file, run) => {
    expect(runDifferences(file, run)).toEqual([]);
  });

  test("the comparison fails if the zero channels are in the wrong place", () => {
    const [, file] = files[0]!;
    const wrong = { ...file.runs[0]!, options: file.runs[1]!.options! };
    expect(runDifferences(file, wrong).length).toBeGreaterThan(20);
  });
});

describe("kernels equal the golden slices of a product pool at fraction 0.25", () => {
  test.each(files.filter(([, file]) => file.pool !== undefined))("%s", (_, file) => {
    expect(sliceDifferences(file)).toEqual([]);
  });
});

describe("dropout and stochastic depth", () => {
  const image = randomNormal([4, 32, 32, 3], new Generator(1));

  test("a model draws both masks from its generator in training mode and draws nothing in inference mode", () => {
    const logits = (seed: number, run: (fn: () => Tensor) => Tensor, options: ModelOptions = {}): Float32Array => {
      const model = mobileNetV2(new DenseVariables(), { width: 0.25, random: new Generator(seed), ...options });
      return run(() => model(image)).toArray();
    };
    for (const options of [{ dropout: 0.5 }, { dropout: 0, stochasticDepth: 0.9 }]) {
      expect(logits(1, training, options)).toEqual(logits(1, training, options));
      expect(logits(1, training, options)).not.toEqual(logits(2, training, options));
      expect(logits(1, inference, options)).toEqual(logits(2, inference, { dropout: 0, stochasticDepth: 0 }));
    }
  });

  test("a block without a shortcut never drops its branch", () => {
    const drop: Layer = (x) => mul(x, 0);
    const [vars, x] = [new DenseVariables(), randomNormal([1, 4, 4, 8], new Generator(1))];
    expect(invertedResidual(scope(vars, "with"), 8, 8, { drop })(x).toArray()).toEqual(x.toArray());
    for (const [filters, stride] of [
      [8, 2],
      [16, 1],
    ] as const) {
      const block = invertedResidual(scope(vars, `without/${stride}`), 8, filters, { drop, stride });
      expect(
        block(x)
          .toArray()
          .some((v) => v !== 0),
      ).toBe(true);
    }
  });
});

describe("images of another size", () => {
  const models: [string, (vars: DenseVariables) => Layer][] = [
    ["resNet 50", (vars) => resNet(vars, 50, { width: 0.125, classes: 7, channels: 1 })],
    ["mobileNetV3 large", (vars) => mobileNetV3(vars, "large", { width: 0.25, classes: 7, channels: 1 })],
    ["efficientNet B1", (vars) => efficientNet(vars, 1, { width: 0.25, classes: 7, channels: 1 })],
  ];
  test.each(models)("%s takes gray images of 33×47 pixels and trains", (_, build) => {
    const vars = new DenseVariables();
    const model = build(vars);
    const loss = crossEntropy(
      training(() => model(randomNormal([2, 33, 47, 1], new Generator(1)))),
      [0, 6],
    );
    backward(loss);
    const names = vars.parameters().flatMap(({ name, tensor }) => (tensor.grad === null ? [name] : []));
    expect([Number.isFinite(loss.item()), names]).toEqual([true, []]);
  });
});

describe("blocks match PyTorch", () => {
  const blocks = readModelFile<{ cases: GoldenCase[] }>("blocks").cases;
  test.each(blocks.map((one): [string, GoldenCase] => [one.id, one]))("%s", (_, one) => {
    expect(differences(one, runBlock(one))).toEqual([]);
  });

  test.each(blocks.filter(({ op }) => op === "optionAShortcut").map((one): [string, GoldenCase] => [one.id, one]))(
    "%s with all zero channels at the end",
    (_, one) => {
      expect(
        differences({ ...one, ...one.alternatives![0]! }, runBlock({ ...one, attrs: { ...one.attrs, zeros: "after" } })),
      ).toEqual([]);
    },
  );
});
