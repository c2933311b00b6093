import { survey } from "hashgrad";
import { makeDivisible } from "hashgrad/models";
import { describe, expect, test } from "vitest";
import { differences, type GoldenCase } from "./golden-cases.ts";
import { build, runDifferences, sliceDifferences } from "./model-adapter.ts";
import { runBlock } from "./model-blocks.ts";
import { type ModelFile, readModelFile } from "./model-cases.ts";

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
const built = /^resnet(20|32|44|56|110)/;

describe("models have the parameter counts of torchvision", () => {
  const all = [...counts.models, ...counts.variants].filter(({ name }) => built.test(name));
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

const files = ["resnet20", "resnet20-smh0.25"].map((name): [string, ModelFile] => [name, readModelFile(name)]);
const runs = files.flatMap(([, file]) => file.runs.map((run) => [run.id, file, run] as const));

describe("inference, training, statistics and gradients are those of PyTorch", () => {
  test.each(runs)("%s", (_, file, run) => {
    expect(runDifferences(file, run)).toEqual([]);
  });

  test("a wrong place of the zero channels is told from the right one", () => {
    const [, file] = files[0]!;
    const wrong = { ...file.runs[0]!, options: file.runs[1]!.options! };
    expect(runDifferences(file, wrong).length).toBeGreaterThan(20);
  });
});

describe("kernels are the golden slices of a product pool at fraction 0.25", () => {
  test.each(files.filter(([, file]) => file.pool !== undefined))("%s", (_, file) => {
    expect(sliceDifferences(file)).toEqual([]);
  });
});

describe("blocks are those of PyTorch", () => {
  const blocks = readModelFile<{ cases: GoldenCase[] }>("blocks").cases;
  test.each(blocks.map((one): [string, GoldenCase] => [one.id, one]))("%s", (_, one) => {
    expect(differences(one, runBlock(one))).toEqual([]);
  });

  test.each(blocks.filter(({ op }) => op === "optionAShortcut").map((one): [string, GoldenCase] => [one.id, one]))(
    "%s with all zero channels behind",
    (_, one) => {
      expect(
        differences({ ...one, ...one.alternatives![0]! }, runBlock({ ...one, attrs: { ...one.attrs, zeros: "after" } })),
      ).toEqual([]);
    },
  );
});
