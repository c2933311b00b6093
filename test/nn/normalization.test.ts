import { describe, expect, test } from "vitest";
import { batchNorm, groupNorm, type Layer, layerNorm, rmsNorm, sequential } from "../../src/nn/index.ts";
import * as ops from "../../src/ops/index.ts";
import { backward, Generator, ones, randomNormal, step, type Tensor, training, zeros } from "../../src/tensor/index.ts";
import { DenseVariables, survey, type Variable, type VariableCreator } from "../../src/variables/index.ts";
import "../fixed-seed.ts";
import { thrown } from "../thrown.ts";
import { checkLayerLaw } from "./layer-law.ts";

const input = (seed: number): Tensor => randomNormal([8, 3], new Generator(seed), 2, 3);
const named = (vars: DenseVariables): Record<string, Variable> => Object.fromEntries(vars.variables().map((v) => [v.name, v]));

/** The mean and the biased variance of each column, in double precision. */
function momentsOf(x: Tensor): { mean: number[]; variance: number[] } {
  const channels = x.shape.at(-1)!;
  const columns = Array.from({ length: channels }, (_, c) => [...x.toArray()].filter((_v, i) => i % channels === c));
  const mean = columns.map((column) => column.reduce((a, b) => a + b) / column.length);
  return { mean, variance: columns.map((column, c) => column.reduce((sum, v) => sum + (v - mean[c]!) ** 2, 0) / column.length) };
}
const close = (values: number[]): number[] => values.map((v) => expect.closeTo(v, 5));

describe("batchNorm", () => {
  test("creates gamma and beta, and moving statistics that are not trained", () => {
    expect(survey((vars) => batchNorm(vars, 3)).map(({ name, shape, trainable }) => [name, shape, trainable])).toEqual([
      ["gamma", [3], true],
      ["beta", [3], true],
      ["moving_mean", [3], false],
      ["moving_variance", [3], false],
    ]);
  });

  test("in training normalizes by the statistics of the batch, then scales by gamma and shifts by beta", () => {
    const vars = new DenseVariables();
    const layer = batchNorm(vars, 3, { epsilon: 0.01 });
    const { gamma, beta } = named(vars);
    gamma!.assign([1, 2, 3]);
    beta!.assign([0, -1, 5]);
    const x = input(1);
    const { mean, variance } = momentsOf(x);
    const want = [...x.toArray()].map((v, i) => {
      const c = i % 3;
      return ((c + 1) * (v - mean[c]!)) / Math.sqrt(variance[c]! + 0.01) + [0, -1, 5][c]!;
    });
    expect([...training(() => layer(x)).toArray()]).toEqual(close(want));
  });

  test("moves the running statistics in training by moving = momentum·moving + (1 − momentum)·batch", () => {
    const vars = new DenseVariables();
    const layer = batchNorm(vars, 3, { momentum: 0.75 });
    let want = { mean: [0, 0, 0], variance: [1, 1, 1] };
    for (const seed of [1, 2, 3]) {
      training(() => layer(input(seed)));
      const batch = momentsOf(input(seed));
      const moved = (old: number[], now: number[]): number[] => old.map((v, c) => 0.75 * v + 0.25 * now[c]!);
      want = { mean: moved(want.mean, batch.mean), variance: moved(want.variance, batch.variance) };
    }
    const { moving_mean, moving_variance } = named(vars);
    expect(moving_mean!.read().toNested()).toEqual(close(want.mean));
    expect(moving_variance!.read().toNested()).toEqual(close(want.variance));
  });

  test("in inference uses the running statistics and does not change them", () => {
    const vars = new DenseVariables();
    const layer = batchNorm(vars, 3);
    for (let i = 0; i < 3; i++) training(() => layer(input(i)));
    const { gamma, beta, moving_mean: mean, moving_variance: variance } = named(vars);
    const x = input(9);
    const before = mean!.read().toArray();
    const want = ops.batchNormInference(x, gamma!.read(), beta!.read(), mean!.read(), variance!.read(), 1e-3);
    expect(layer(x).toArray()).toEqual(want.toArray());
    expect(layer(x).toArray()).toEqual(want.toArray());
    expect(mean!.read().toArray()).toEqual(before);
  });

  test("has a default momentum of 0.9, which equals 0.1 in PyTorch", () => {
    const vars = new DenseVariables();
    training(() => batchNorm(vars, 2)(ones([4, 2])));
    expect(named(vars).moving_mean!.read().toNested()).toEqual(close([0.1, 0.1]));
    expect(named(vars).moving_variance!.read().toNested()).toEqual(close([0.9, 0.9]));
  });

  test("keeps its running statistics after the step that moved them and gives them no gradient", () => {
    const vars = new DenseVariables();
    const model = sequential(batchNorm(vars, 3, { momentum: 0 }), ops.square);
    step(() => backward(ops.sum(training(() => model(input(1))))));
    const { gamma, moving_mean } = named(vars);
    for (let i = 0; i < 4; i++) step(() => void ops.mul(ones([64]), 7)); // writes over the memory of steps
    expect(moving_mean!.read().toNested()).toEqual(close(momentsOf(input(1)).mean));
    expect(moving_mean!.read().grad).toBeNull();
    expect(gamma!.read().grad).not.toBeNull();
  });

  test.each(Object.entries({ relu: ops.relu, relu6: ops.relu6, hardSwish: ops.hardSwish, silu: ops.silu, tanh: ops.tanh }))(
    "applies the activation %s, in training and inference",
    (_, activation) => {
      const [fused, composed] = [{ activation }, {}].map((options) => {
        const layer = batchNorm(new DenseVariables(), 3, options);
        return [training(() => layer(input(1))), layer(input(2))];
      });
      for (const [i, y] of composed!.entries()) expect([...fused![i]!.toArray()]).toEqual(close([...activation(y).toArray()]));
    },
  );

  test("adds one node to a graph with a fused activation and two nodes with another activation", () => {
    const opsOf = (activation: Layer): string[] =>
      ops
        .trace(batchNorm(new DenseVariables(), 3, { activation }), [input(1)])
        .graph.nodes.flatMap((node) => (node.kind === "op" ? [node.op] : []));
    expect(opsOf(ops.silu)).toEqual(["batchNormInference"]);
    expect(opsOf(ops.tanh)).toEqual(["batchNormInference", "tanh"]);
  });

  test.each([-0.1, 1.1, Number.NaN])("refuses a momentum of %s", (momentum) => {
    expect(thrown(() => batchNorm(new DenseVariables(), 2, { momentum }))).toBe(
      `ValueError: batchNorm: momentum must be a finite number at least 0 and at most 1, got ${momentum}`,
    );
  });

  test("refuses x with other channels", () => {
    const layer = batchNorm(new DenseVariables(), 2);
    expect(thrown(() => training(() => layer(ones([4, 3]))))).toBe(
      "ShapeError: batchNormTraining: gamma [2] must be [3], the last axis of x [4, 3]",
    );
    expect(thrown(() => layer(ones([4, 3])))).toBe(
      "ShapeError: batchNormInference: gamma [2] must be [3], the last axis of x [4, 3]",
    );
  });
});

describe("layerNorm", () => {
  test("creates gamma and beta and equals the op of the same name in both modes", () => {
    const vars = new DenseVariables();
    const layer = layerNorm(vars, 3, { epsilon: 0.5 });
    expect(vars.variables().map((v) => [v.name, v.shape])).toEqual([
      ["gamma", [3]],
      ["beta", [3]],
    ]);
    const { gamma, beta } = named(vars);
    gamma!.assign([1, 2, 3]);
    beta!.assign([0, -1, 5]);
    const want = ops.layerNorm(input(1), gamma!.read(), beta!.read(), 0.5).toArray();
    expect(layer(input(1)).toArray()).toEqual(want);
    expect(training(() => layer(input(1))).toArray()).toEqual(want);
  });

  test("starts with mean 0 and standard deviation 1 in each row", () => {
    const y = layerNorm(new DenseVariables(), 16)(randomNormal([2, 16], new Generator(1), 5, 3)).toArray();
    for (const row of [y.subarray(0, 16), y.subarray(16)]) {
      expect(row.reduce((a, b) => a + b) / 16).toBeCloseTo(0, 5);
      expect(row.reduce((a, b) => a + b * b, 0) / 16).toBeCloseTo(1, 4);
    }
  });
});

/** Numbers other than ones and zeros in gamma and beta, so that each shows in the result. */
function draw(vars: VariableCreator, random: Generator): void {
  for (const v of vars.variables()) v.assign(randomNormal(v.shape, random));
}

describe("groupNorm", () => {
  test("creates gamma and beta", () => {
    expect(survey((vars) => groupNorm(vars, 6, 3)).map(({ name, shape }) => [name, shape])).toEqual([
      ["gamma", [6]],
      ["beta", [6]],
    ]);
  });

  test("equals plain loops over the adjacent channels and all positions of one example, in both modes", () => {
    for (const groups of [1, 2, 3, 6]) {
      for (const shape of [
        [4, 6],
        [2, 5, 6],
        [3, 2, 4, 6],
        [1, 1, 6],
      ]) {
        const vars = new DenseVariables();
        const layer = groupNorm(vars, 6, groups, { epsilon: 0.01 });
        draw(vars, new Generator(groups));
        const [gamma, beta] = vars.variables().map((v) => v.read().data) as [Float32Array, Float32Array];
        const x = randomNormal(shape, new Generator(1), 2, 3);
        const example = x.size / shape[0]!;
        const groupOf = (i: number): number => Math.floor(i / example) * groups + Math.floor((i % 6) / (6 / groups));
        const want = [...x.data].map((v, i) => {
          const members = [...x.data].filter((_, j) => groupOf(j) === groupOf(i));
          const mean = members.reduce((a, b) => a + b) / members.length;
          const variance = members.reduce((sum, m) => sum + (m - mean) ** 2, 0) / members.length;
          return (gamma[i % 6]! * (v - mean)) / Math.sqrt(variance + 0.01) + beta[i % 6]!;
        });
        const y = layer(x);
        expect(y.shape).toEqual(shape);
        expect([...y.data]).toEqual(close(want));
        expect(training(() => layer(x)).toArray()).toEqual(y.toArray());
      }
    }
  });

  test("has gradients of x and of parameters that agree with central differences", () => {
    checkLayerLaw((vars, random) => {
      const [groups, each, batch, positions] = [
        1 + random.below(3),
        2 + random.below(2),
        1 + random.below(2),
        1 + random.below(4),
      ];
      const layer = groupNorm(vars, groups * each, groups, { epsilon: 0.1 });
      draw(vars, random);
      return { run: (x) => layer(x!), inputs: [randomNormal([batch, positions, groups * each], random)] };
    });
  });

  test("accepts a batch of 0 and works in `sequential`", () => {
    expect(sequential(groupNorm(new DenseVariables(), 4, 2), ops.relu)(zeros([0, 3, 4])).shape).toEqual([0, 3, 4]);
  });

  test("refuses groups that do not divide the channels, x with other channels and x without positions", () => {
    expect(thrown(() => groupNorm(new DenseVariables(), 6, 4))).toBe(
      "ShapeError: groupNorm: 6 channels in 4 groups: need a multiple of groups",
    );
    const layer = groupNorm(new DenseVariables(), 4, 2);
    for (const shape of [[4], [2, 3], [2, 0, 4]])
      expect(thrown(() => layer(ones(shape)))).toBe(
        `ShapeError: groupNorm: x [${shape.join(", ")}]: need [batch, ..., 4] with at least one position`,
      );
  });
});

describe("rmsNorm", () => {
  test("creates gamma and divides each row by the root of its mean square, in both modes", () => {
    const vars = new DenseVariables();
    const layer = rmsNorm(vars, 3, { epsilon: 0.5 });
    expect(vars.variables().map((v) => [v.name, v.shape])).toEqual([["gamma", [3]]]);
    draw(vars, new Generator(1));
    const gamma = vars.variables()[0]!.read().data;
    for (const x of [input(1), randomNormal([2, 4, 3], new Generator(2)), randomNormal([3], new Generator(3))]) {
      const want = [...x.data].map((v, i) => {
        const row = [...x.data].slice(i - (i % 3), i - (i % 3) + 3);
        return (gamma[i % 3]! * v) / Math.sqrt(row.reduce((sum, r) => sum + r * r, 0) / 3 + 0.5);
      });
      expect([...layer(x).data]).toEqual(close(want));
      expect(training(() => layer(x)).toArray()).toEqual(layer(x).toArray());
    }
  });

  test("has a default epsilon of 1e-6 and keeps zeros", () => {
    const layer = rmsNorm(new DenseVariables(), 2);
    expect([...layer(ops.mul(ones([1, 2]), 1e-3)).data]).toEqual(close([Math.SQRT1_2, Math.SQRT1_2]));
    expect(layer(zeros([1, 2])).toNested()).toEqual([[0, 0]]);
  });

  test("has gradients of x and of gamma that agree with central differences", () => {
    checkLayerLaw((vars, random) => {
      const features = 1 + random.below(4);
      const layer = rmsNorm(vars, features, { epsilon: 0.1 });
      draw(vars, random);
      return { run: (x) => layer(x!), inputs: [randomNormal([1 + random.below(4), features], random)] };
    });
  });

  test("accepts a batch of 0 and refuses x with other features", () => {
    const layer = sequential(rmsNorm(new DenseVariables(), 4));
    expect(layer(zeros([0, 4])).shape).toEqual([0, 4]);
    expect(thrown(() => layer(ones([4, 3])))).toBe("ShapeError: rmsNorm: x [4, 3]: need [..., 4]");
  });
});
