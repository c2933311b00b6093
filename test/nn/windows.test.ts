import { expect, test } from "vitest";
import {
  avgPool1d,
  conv1d,
  conv2d,
  conv2dTranspose,
  dense,
  flatten,
  type Layer,
  maxPool1d,
  resize,
  sequential,
} from "../../src/nn/index.ts";
import * as ops from "../../src/ops/index.ts";
import { Generator, ones, randomNormal, type Tensor } from "../../src/tensor/index.ts";
import { DenseVariables, normalInit, scope, survey } from "../../src/variables/index.ts";
import { thrown } from "../thrown.ts";
import { parameterGradientError } from "./network-law.ts";

const normal = (...shape: number[]): Tensor => randomNormal(shape, new Generator(shape.length));
const biased = { biasInit: normalInit(1) };

test.each([
  [{}, [2, 7, 6]],
  [{ padding: "same", strides: 2 }, [2, 5, 6]],
  [{ padding: [2, 0], dilations: 2, groups: 2 }, [2, 7, 6]],
] as const)("conv1d with %j equals the op of the same name", (options, shape) => {
  const vars = new DenseVariables();
  const layer = conv1d(vars, 4, 6, 3, { ...biased, ...options });
  const [kernel, bias] = vars.variables().map((v) => v.read()) as [Tensor, Tensor];
  const x = normal(2, 9, 4);
  const y = layer(x);
  expect(y.shape).toEqual(shape);
  expect(y.toArray()).toEqual(ops.conv1d(x, kernel, { ...options, bias }).toArray());
});

test.each([
  [{}, [2, 7, 8, 6]],
  [{ padding: "same", strides: 2 }, [2, 10, 12, 6]],
  [{ padding: 1, strides: 2, outputPadding: [0, 1], groups: 2 }, [2, 9, 12, 6]],
] as const)("conv2dTranspose with %j equals the op of the same name", (options, shape) => {
  const vars = new DenseVariables();
  const layer = conv2dTranspose(vars, 4, 6, 3, { ...biased, ...options });
  const [kernel, bias] = vars.variables().map((v) => v.read()) as [Tensor, Tensor];
  const x = normal(2, 5, 6, 4);
  const y = layer(x);
  expect(y.shape).toEqual(shape);
  expect(y.toArray()).toEqual(ops.conv2dTranspose(x, kernel, { ...options, bias }).toArray());
});

test("the layers create kernel, then bias, and no bias with bias: false", () => {
  const asked = (build: Parameters<typeof survey>[0]) => survey(build).map(({ name, shape }) => [name, shape]);
  expect(asked((vars) => conv1d(vars, 4, 6, 5, { groups: 2 }))).toEqual([
    ["kernel", [5, 2, 6]],
    ["bias", [6]],
  ]);
  expect(asked((vars) => conv2dTranspose(vars, 4, 6, [3, 5], { groups: 2, bias: false }))).toEqual([["kernel", [3, 5, 3, 4]]]);
});

test("layers refuse groups that do not divide their channels", () => {
  const vars = new DenseVariables();
  expect(thrown(() => conv1d(vars, 3, 4, 3, { groups: 2 }))).toBe(
    "ShapeError: conv1d: 3 channels in 2 groups: need a multiple of groups",
  );
  expect(thrown(() => conv2dTranspose(vars, 4, 3, 3, { groups: 2 }))).toBe(
    "ShapeError: conv2dTranspose: 4 channels and 3 filters in 2 groups: need multiples of groups",
  );
  expect(thrown(() => conv1d(vars, 3, 4, 3)(ones([1, 5, 2])))).toMatch(/^ShapeError: conv1d: x \[1, 5, 2\]/);
});

test("layers for pooling of sequences and for resizing equal the ops of the same names", () => {
  const [x, image] = [normal(2, 7, 3), normal(2, 3, 4, 1)];
  expect(maxPool1d(3, { strides: 2, padding: 1 })(x)).toEqual(ops.maxPool1d(x, 3, { strides: 2, padding: 1 }));
  expect(avgPool1d(2)(x)).toEqual(ops.avgPool1d(x, 2));
  expect(resize([6, 5], { method: "bilinear" })(image)).toEqual(ops.resize(image, [6, 5], { method: "bilinear" }));
});

test("the gradients of a network over sequences and of a decoder agree with central differences", () => {
  const sequence = (vars: DenseVariables): Layer =>
    sequential(
      conv1d(scope(vars, "conv"), 2, 4, 3, { padding: 1 }),
      ops.tanh,
      avgPool1d(2),
      flatten(),
      dense(scope(vars, "out"), 16, 3),
    );
  const decoder = (vars: DenseVariables): Layer =>
    sequential(
      conv2dTranspose(scope(vars, "up"), 2, 3, 4, { strides: 2, padding: 1 }),
      ops.tanh,
      resize([7, 9], { method: "bilinear" }),
      conv2d(scope(vars, "out"), 3, 1, 3, { padding: 1 }),
    );
  for (const [build, x] of [
    [sequence, normal(3, 8, 2)],
    [decoder, normal(2, 3, 4, 2)],
  ] as const) {
    const vars = new DenseVariables({ seed: 3 });
    const model = build(vars);
    expect(parameterGradientError(vars.parameters(), () => model(x), new Generator(5))).toBeLessThan(2e-3);
  }
});
