import { describe, expect, test } from "vitest";
import {
  avgPool2d,
  batchNorm,
  conv2d,
  dense,
  depthwiseConv2d,
  dropout,
  flatten,
  globalAvgPool2d,
  type Layer,
  maxPool2d,
  residual,
  sequential,
  toyNetwork,
} from "../../src/nn/index.ts";
import * as ops from "../../src/ops/index.ts";
import {
  Generator,
  inference,
  isTraining,
  ones,
  randomNormal,
  type Shape,
  type Tensor,
  tensor,
  training,
  zeros,
} from "../../src/tensor/index.ts";
import { DenseVariables, normalInit, onesInit, survey, type VariableCreator } from "../../src/variables/index.ts";
import { thrown } from "../thrown.ts";

const asked = (build: (vars: VariableCreator) => unknown): [string, Shape][] =>
  survey(build).map(({ name, shape }) => [name, shape]);
const normal = (...shape: number[]): Tensor => randomNormal(shape, new Generator(shape.length));
const reads = (vars: DenseVariables): Tensor[] => vars.variables().map((v) => v.read());
const biased = { biasInit: normalInit(1) };

describe("dense", () => {
  test("creates kernel, then bias, and no bias with bias: false", () => {
    expect(asked((vars) => dense(vars, 3, 2))).toEqual([
      ["kernel", [3, 2]],
      ["bias", [2]],
    ]);
    expect(asked((vars) => dense(vars, 3, 2, { bias: false }))).toEqual([["kernel", [3, 2]]]);
  });

  test("computes x·kernel + bias, with any number of batch axes", () => {
    const vars = new DenseVariables();
    const layer = dense(vars, 3, 2, biased);
    const [kernel, bias] = reads(vars) as [Tensor, Tensor];
    for (const x of [normal(4, 3), normal(2, 4, 3)]) {
      const y = layer(x);
      expect(y.shape).toEqual([...x.shape.slice(0, -1), 2]);
      const want = ops.add(ops.matmul(x, kernel), bias).toArray(); // rounds once more
      expect([...y.toArray()]).toEqual([...want].map((v) => expect.closeTo(v, 5)));
    }
    const plain = new DenseVariables();
    expect(dense(plain, 3, 2, { bias: false, init: onesInit })(tensor([[1, 2, 3]])).toNested()).toEqual([[6, 6]]);
  });

  test.each([
    [[4, 5], "x [4, 5]: need [batch, 3]"],
    [[3], "x [3]: need [batch, 3]"],
    [[2, 3, 1], "x [2, 3, 1]: need [batch, 3]"],
  ])("refuses x of shape %j and states the shape that it needs", (shape, start) => {
    const layer = dense(new DenseVariables(), 3, 2);
    expect(thrown(() => layer(ones(shape)))).toBe(`ShapeError: dense: ${start} for kernel [3, 2]; flatten() images first`);
  });
});

describe("conv2d", () => {
  test("creates kernel, then bias, and the kernel has the channels of one group", () => {
    expect(asked((vars) => conv2d(vars, 4, 6, [3, 5], { groups: 2 }))).toEqual([
      ["kernel", [3, 5, 2, 6]],
      ["bias", [6]],
    ]);
    expect(asked((vars) => conv2d(vars, 4, 6, 3, { bias: false }))).toEqual([["kernel", [3, 3, 4, 6]]]);
  });

  test.each([
    [{}, [2, 5, 7, 6]],
    [{ padding: "same" }, [2, 7, 9, 6]],
    [{ strides: [2, 3], padding: "same" }, [2, 4, 3, 6]],
    [{ dilations: 2 }, [2, 3, 5, 6]],
    [{ groups: 2 }, [2, 5, 7, 6]],
  ] as const)("with %j equals the op of the same name", (options, shape) => {
    const vars = new DenseVariables();
    const layer = conv2d(vars, 4, 6, 3, { ...biased, ...options });
    const [kernel, bias] = reads(vars) as [Tensor, Tensor];
    const x = normal(2, 7, 9, 4);
    const y = layer(x);
    expect(y.shape).toEqual(shape);
    expect(y.toArray()).toEqual(ops.conv2d(x, kernel, { ...options, bias }).toArray());
  });

  test("adds nothing without a bias", () => {
    const layer = conv2d(new DenseVariables(), 1, 2, 1, { bias: false });
    expect(
      layer(zeros([1, 2, 2, 1]))
        .toArray()
        .every((v) => v === 0),
    ).toBe(true);
  });

  test("refuses channels that the groups do not divide, and images with other channels", () => {
    expect(thrown(() => conv2d(new DenseVariables(), 3, 4, 3, { groups: 2 }))).toBe(
      "ShapeError: conv2d: 3 channels in 2 groups: need a multiple of groups",
    );
    expect(thrown(() => conv2d(new DenseVariables(), 3, 4, 3)(ones([1, 5, 5, 2])))).toMatch(
      /^ShapeError: conv2d: x \[1, 5, 5, 2\]/,
    );
  });
});

describe("depthwiseConv2d", () => {
  test("creates kernel, then bias", () => {
    expect(asked((vars) => depthwiseConv2d(vars, 3, [2, 4], { multiplier: 2 }))).toEqual([
      ["kernel", [2, 4, 3, 2]],
      ["bias", [6]],
    ]);
    expect(asked((vars) => depthwiseConv2d(vars, 3, 3, { bias: false }))).toEqual([["kernel", [3, 3, 3, 1]]]);
  });

  test("equals the op of the same name", () => {
    const vars = new DenseVariables();
    const options = { strides: 2, padding: "same" } as const;
    const layer = depthwiseConv2d(vars, 3, 3, { ...biased, ...options, multiplier: 2 });
    const [kernel, bias] = reads(vars) as [Tensor, Tensor];
    const x = normal(2, 5, 5, 3);
    const y = layer(x);
    expect(y.shape).toEqual([2, 3, 3, 6]);
    expect(y.toArray()).toEqual(ops.depthwiseConv2d(x, kernel, { ...options, bias }).toArray());
  });

  test("starts with the standard deviation of a kernel that reads one channel", () => {
    const vars = new DenseVariables();
    depthwiseConv2d(vars, 100, 5, { bias: false });
    const kernel = vars.variables()[0]!.read().toArray();
    const deviation = Math.sqrt(kernel.reduce((sum, v) => sum + v * v, 0) / kernel.length);
    expect(deviation).toBeCloseTo(1 / 5, 2);
  });
});

test.each([
  ["maxPool2d", maxPool2d(2), (x: Tensor) => ops.maxPool2d(x, 2), [2, 3, 3, 3]],
  [
    "maxPool2d with options",
    maxPool2d([3, 2], { strides: 1 }),
    (x: Tensor) => ops.maxPool2d(x, [3, 2], { strides: 1 }),
    [2, 4, 6, 3],
  ],
  ["avgPool2d", avgPool2d(2, { padding: "same" }), (x: Tensor) => ops.avgPool2d(x, 2, { padding: "same" }), [2, 3, 4, 3]],
  ["globalAvgPool2d", globalAvgPool2d(), ops.globalAvgPool2d, [2, 3]],
  ["flatten", flatten(), ops.flatten, [2, 126]],
] as [string, Layer, (x: Tensor) => Tensor, Shape][])("%s equals the op of the same name", (_, layer, op, shape) => {
  const x = normal(2, 6, 7, 3);
  const y = training(() => layer(x));
  expect(y.shape).toEqual(shape);
  expect(y.toArray()).toEqual(op(x).toArray());
});

describe("dropout", () => {
  const x = ones([50, 40]);

  test("in training sets a share of the numbers to 0 and scales the rest, so that the mean stays the same", () => {
    const y = training(() => dropout(0.25, new Generator(1))(x)).toArray();
    const kept = y.filter((v) => v !== 0);
    expect(kept.every((v) => v === Math.fround(1 / 0.75))).toBe(true);
    expect(Math.abs(kept.length / y.length - 0.75)).toBeLessThan(5 * Math.sqrt((0.25 * 0.75) / y.length));
  });

  test("outside training returns its input and draws no random numbers", () => {
    const random = new Generator(1);
    const state = random.state;
    const layer = dropout(0.5, random);
    expect(layer(x)).toBe(x);
    expect(layer(x)).toBe(x);
    expect(training(() => dropout(0, random)(x))).toBe(x);
    expect(random.state).toEqual(state);
  });

  test("drops the same numbers for the same seed and different numbers in the next call", () => {
    const [a, b] = [dropout(0.5, new Generator(7)), dropout(0.5, new Generator(7))];
    const first = training(() => a(x)).toArray();
    expect(training(() => b(x)).toArray()).toEqual(first);
    expect(training(() => a(x)).toArray()).not.toEqual(first);
  });

  test.each([1, -0.1, Number.NaN])("refuses rate %s", (rate) => {
    expect(thrown(() => dropout(rate, new Generator(1)))).toBe(
      `ValueError: dropout: rate must be a finite number at least 0 and below 1, got ${rate}`,
    );
  });
});

describe("residual", () => {
  const x = tensor([[1, 2]]);

  test("adds x to the output of the layer", () => {
    expect(residual((v) => ops.mul(v, 10))(x).toNested()).toEqual([[11, 22]]);
  });

  test("adds the shortcut of x if a shortcut is given", () => {
    const y = residual(
      (v) => ops.mul(v, 10),
      (v) => ops.neg(v),
    );
    expect(y(x).toNested()).toEqual([[9, 18]]);
  });

  test("refuses a layer that changes the shape unless the shortcut changes the shape equally, and never broadcasts", () => {
    const layer = residual((v) => ops.sum(v, 1, { keepDims: true }));
    expect(thrown(() => layer(x))).toBe(
      "ShapeError: residual: the layer makes [1, 1], the shortcut [1, 2]: give a shortcut that changes x the same way",
    );
  });
});

describe("sequential", () => {
  test("runs its layers from left to right and returns x unchanged without layers", () => {
    const x = tensor([1, -2]);
    expect(
      sequential(
        (v) => ops.add(v, 1),
        ops.relu,
        (v) => ops.mul(v, 3),
      )(x).toNested(),
    ).toEqual([6, 0]);
    expect(sequential()(x)).toBe(x);
  });

  test("and custom blocks keep the mode of the run", () => {
    const modes: boolean[] = [];
    const spy: Layer = (x) => {
      modes.push(isTraining());
      return x;
    };
    const block: Layer = (x) => ops.relu(spy(x));
    const model = sequential(spy, residual(sequential(block), spy), spy);
    model(ones([1]));
    expect(modes.splice(0)).toEqual([false, false, false, false]);
    training(() => model(ones([1])));
    expect(modes.splice(0)).toEqual([true, true, true, true]);
    training(() => inference(() => model(ones([1]))));
    expect(modes).toEqual([false, false, false, false]);
  });

  test("and layers refuse a mode as an argument", () => {
    const x = ones([2, 2]);
    const norm = batchNorm(new DenseVariables(), 2);
    const old = (layer: Layer, mode: string): string => thrown(() => (layer as (x: Tensor, mode?: string) => Tensor)(x, mode));
    expect(old(dropout(0.5, new Generator(1)), "train")).toBe(
      'ValueError: dropout: takes one tensor, got "train" after it; training(() => model(x)) sets the mode',
    );
    for (const layer of [norm, residual(norm), sequential(norm)])
      expect(old(layer, "training")).toMatch(/^ValueError: (batchNorm|residual|sequential): .* got "training"/);
  });

  test("passes only tensors, so that an op with a second argument works as a layer", () => {
    expect(training(() => sequential(ops.leakyRelu)(tensor([-1, 2]))).toNested()).toEqual([Math.fround(-0.2), 2]);
  });

  test("takes and passes several tensors", () => {
    const split: Layer<[x: Tensor], Tensor[]> = (x) => [ops.mul(x, 2), ops.mul(x, 3)];
    const merge: Layer<[a: Tensor, b: Tensor]> = (a, b) => ops.add(a, b);
    const both: Layer<[a: Tensor, b: Tensor], Tensor> = sequential(merge, ops.neg);
    expect(sequential(split, merge)(tensor([1])).toNested()).toEqual([5]);
    expect(both(tensor([1]), tensor([2])).toNested()).toEqual([-3]);
    const pair: readonly Tensor[] = sequential(ops.neg, split)(tensor([1]));
    expect(pair.map((x) => x.item())).toEqual([-2, -3]);
  });
});

test.each([
  [[1, 28, 1], "[1, 28, 1]"],
  [[28, 1, 3], "[28, 1, 3]"],
] as [[number, number, number], string][])(
  "the toy network refuses images of %j, which are too small to pool",
  (inputShape, shown) => {
    expect(thrown(() => toyNetwork(new DenseVariables(), { inputShape }))).toBe(
      `ShapeError: toyNetwork: inputShape ${shown}: images need at least 2×2 pixels`,
    );
  },
);
