import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import * as nn from "../../src/nn/index.ts";
import * as ops from "../../src/ops/index.ts";
import { ProductVariablePool, VariableFactory } from "../../src/smh/index.ts";
import {
  assign,
  customGradient,
  Generator,
  GradientError,
  keep,
  noGrad,
  ones,
  randomNormal,
  recordOp,
  step,
  stopGradient,
  type Tensor,
  tensor,
  training,
  ValueError,
  variable,
  zeros,
} from "../../src/tensor/index.ts";
import { seeds } from "../../src/testing/arbitraries.ts";
import { DenseVariables, scope } from "../../src/variables/index.ts";
import { thrown } from "../thrown.ts";
import { laws } from "./laws.ts";
import { calls, checkReplay, met, replay } from "./replay.ts";

const { trace } = ops;
const random = (seed: number): Generator => new Generator(seed);
/** What the nodes of a graph are. */
const described = (graph: ops.Graph): string[] =>
  graph.nodes.map((node) => ("op" in node ? node.op : node.name === null ? node.kind : `${node.kind} ${node.name}`));

describe("the replay of a graph", () => {
  test.each<[string, (a: Tensor, b: Tensor) => Tensor]>([
    ["equal", ops.equal],
    ["notEqual", ops.notEqual],
    ["less", ops.less],
    ["lessEqual", ops.lessEqual],
    ["greater", ops.greater],
    ["greaterEqual", ops.greaterEqual],
  ])("is correct for %s", (_, op) => {
    checkReplay(op, [tensor([[0], [1], [2]]), tensor([0, 1, Number.NaN])]);
  });

  test("covers every op that can be recorded", () => {
    const before = fc.readConfigureGlobal();
    fc.configureGlobal({ ...before, numRuns: 30 });
    for (const law of Object.values(laws)) law();
    fc.configureGlobal(before);
    checkReplay(ops.straightThroughSign, [tensor([-2, 0, 3])]);
    expect(Object.keys(calls).filter((op) => !met.has(op))).toEqual([]);
  });

  test("is correct for batch statistics as results", () => {
    const x = randomNormal([6, 3], random(1));
    checkReplay((v) => Object.values(ops.batchNormTraining(v)) as Tensor[], [x]);
  });

  test("is correct for every kind of padding, with one number or two numbers for the directions", () => {
    const [x, kernel] = [randomNormal([2, 7, 6, 2], random(1)), randomNormal([3, 2, 2, 4], random(2))];
    for (const padding of [
      "same",
      "valid",
      [
        [1, 0],
        [0, 1],
      ],
    ] as const) {
      checkReplay((v, k) => ops.conv2d(v, k, { padding, strides: [2, 1] }), [x, kernel]);
      checkReplay((v) => [ops.maxPool2d(v, 2, { padding }), ops.avgPool2d(v, [2, 3], { padding, strides: 1 })], [x]);
    }
    checkReplay((v) => ops.maxPool2d(v, 2, { padding: "same" }), [zeros([1, 0, 3, 2])]);
  });

  test("keeps the order of operands", () => {
    for (const op of [ops.mul, ops.mulUnlessZero, ops.sub, ops.greater]) {
      const { graph } = trace((x) => [op(2, x), op(x, 2)], [ones([])]);
      const made = graph.nodes.flatMap((node) => (node.kind === "op" ? [node.inputs.map((i) => graph.nodes[i]!.kind)] : []));
      expect(made).toEqual([
        ["constant", "input"],
        ["input", "constant"],
      ]);
    }
  });

  test("is correct at infinity, NaN and minus zero", () => {
    const x = tensor([0, -0, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1e30]);
    checkReplay((v) => [ops.softmax(v), ops.relu(v), ops.mul(2, v), ops.sub(0, v), ops.mulUnlessZero(v, 1 / 0)], [x]);
  });

  /** A step of a random program: a tensor made of those before it, all of them [3, 4] or [4, 3]. */
  const steps: ((x: Tensor, y: Tensor, below: (n: number) => number) => Tensor)[] = [
    (x, y) => (x.shape[0] === y.shape[0] ? ops.add(x, y) : ops.add(x, ops.transpose(y))),
    (x, y) => (x.shape[0] === y.shape[0] ? ops.mul(x, y) : ops.mul(ops.transpose(y), x)),
    (x, _, below) => ops.softmax(x, below(2)),
    (x, _, below) => ops.sub(x, ops.mean(x, below(2), { keepDims: true })),
    (x, _, below) =>
      ops.gather(
        x,
        Array.from({ length: x.shape[1]! }, () => below(x.shape[1]!)),
        1,
      ),
    (x, y) => ops.tanh(ops.matmul(ops.matmul(x, x, { transposeB: true }), x.shape[0] === y.shape[0] ? y : ops.transpose(y))),
    (x, _, below) =>
      ops.concat(
        ops.split(
          x,
          [1, below(2), -1].map((n, i, all) => (i < 2 ? n : x.shape[0]! - all[0]! - all[1]!)),
        ),
      ),
    (x) => ops.layerNorm(x, ones([x.shape[1]!])),
    (x, _, below) => ops.dropout(x, 0.3, () => below(1000) / 1000),
    (x) => ops.reshape(x, [x.shape[1]!, -1]),
    (x, _, below) => ops.mul(below(2) === 0 ? ops.max(x) : 0.5, stopGradient(x)),
    (x) =>
      ops.where(ops.less(x, 0), ops.square(x), ops.reshape(ops.norm(ops.stack([x, x]), [0, 2], { keepDims: true }), [-1, 1])),
  ];

  test("is correct for random programs", () => {
    fc.assert(
      fc.property(seeds(), (seed) => {
        const program = (a: Tensor, b: Tensor): Tensor => {
          const draw = random(seed);
          const made = [a, b];
          for (let i = 0; i < 8; i++) {
            const [x, y] = [made[draw.below(made.length)]!, made[draw.below(made.length)]!];
            made.push(steps[draw.below(steps.length)]!(x, y, (n) => draw.below(n)));
          }
          return made.at(-1)!;
        };
        checkReplay(program, [randomNormal([3, 4], random(seed + 1)), randomNormal([4, 3], random(seed + 2))]);
      }),
    );
  });
});

describe("the graph of a compressed network", () => {
  const options = { inputShape: [8, 8, 1], classes: 3 } as const;
  const build = (useKroneckerProduct: boolean) => {
    const vars = new VariableFactory({ pool: new ProductVariablePool({ poolSize: 2000, fraction: 0.4, useKroneckerProduct }) });
    return { vars, model: nn.toyNetwork(vars, options) };
  };
  const images = randomNormal([2, 8, 8, 1], random(3));

  test.each([false, true])("computes the weights from the factors of the pool (Kronecker product: %s)", (kronecker) => {
    const { vars, model } = build(kronecker);
    const before = noGrad(() => model(images).toArray()); // the pool keeps its product from here on
    const { graph, outputs } = trace(model, [images]);
    expect(outputs[0]!.toArray()).toEqual(before);
    const leaves = described(graph).filter((text) => text.startsWith("parameter"));
    expect(leaves.sort()).toEqual(
      vars
        .parameters()
        .map(({ name }) => `parameter ${name}`)
        .sort(),
    );
    expect(graph.nodes.filter(({ kind }) => kind === "constant").map(({ shape }) => shape.length)).not.toContain(2);
    expect(graph.nodes.flatMap((node) => ("op" in node && node.name !== null ? [node.name] : []))).toEqual([
      "conv/kernel",
      "dense/kernel",
    ]);
    const products = described(graph).filter((op) => op === "matmul").length;
    expect(products).toBe(2); // the pool's, formed once, and the dense layer's
    checkReplay(model, [images]);
  });

  test("with an embedding reads the ids of its input", () => {
    const model = nn.embedding(new DenseVariables(), 5, 3);
    const { graph } = trace(model, [tensor([[0, 4]])]);
    const others = tensor([[3, 1]]);
    expect(replay(graph, [others]).at(-1)!.toArray()).toEqual(model(others).toArray());
  });

  test("gives the numbers of the model after its parameters change", () => {
    const { vars, model } = build(false);
    const { graph } = trace(model, [images]);
    for (const { tensor: x } of vars.parameters())
      assign(
        x,
        x.toArray().map((v) => v * 0.5 + 0.01),
      );
    const others = randomNormal([2, 8, 8, 1], random(4));
    expect(replay(graph, [others])[graph.outputs[0]!]!.toArray()).toEqual(noGrad(() => model(others)).toArray());
  });
});

describe("the graph of a layer", () => {
  const v = (): DenseVariables => new DenseVariables();
  const [images, sequences] = [
    [2, 6, 6, 4],
    [2, 5, 4],
  ];
  test.each<[string, number[], () => nn.Layer]>([
    ["conv1d", sequences, () => nn.conv1d(v(), 4, 3, 3, { padding: 1 })],
    ["conv2d", images, () => nn.conv2d(v(), 4, 6, 3, { padding: 1, strides: 2, groups: 2 })],
    ["depthwiseConv2d", images, () => nn.depthwiseConv2d(v(), 4, [3, 2], { padding: "same" })],
    ["conv2dTranspose", images, () => nn.conv2dTranspose(v(), 4, 3, 3, { strides: 2 })],
    ["multiHeadAttention", sequences, () => nn.multiHeadAttention(v(), 4, 2, { causal: true })],
    ["gru", sequences, () => nn.gru(v(), 4, 3) as nn.Layer],
    ["lstm", sequences, () => nn.lstm(v(), 4, 3) as nn.Layer],
    ["groupNorm", images, () => nn.groupNorm(v(), 4, 2)],
    ["rmsNorm", sequences, () => nn.rmsNorm(v(), 4)],
    ["layerNorm", sequences, () => nn.layerNorm(v(), 4)],
    ["batchNorm", images, () => nn.batchNorm(v(), 4)],
    ["resize", images, () => nn.resize([9, 4], { method: "bilinear" })],
    ["globalAvgPool2d", images, () => nn.globalAvgPool2d()],
  ])("%s gives its numbers when replayed", (_, shape, make) => {
    checkReplay(make(), [randomNormal(shape, random(5))]);
  });
});

describe("trace", () => {
  test("distinguishes inputs, constants and parameters and names the parameters", () => {
    const vars = new DenseVariables();
    const layer = nn.dense(scope(vars, "out"), 2, 3);
    const offset = tensor([1, 2, 3]);
    const { graph } = trace((x, unused) => [ops.add(layer(x), offset), unused], [ones([4, 2]), ones([5])]);
    expect(described(graph)).toEqual([
      "input",
      "input",
      "parameter out/kernel",
      "parameter out/bias",
      "constant",
      "matmul",
      "broadcastTo",
      "add",
    ]);
    expect([graph.inputs, graph.outputs]).toEqual([
      [0, 1],
      [7, 1],
    ]);
    const kernel = graph.nodes[2]!;
    expect(kernel.kind === "parameter" && kernel.tensor === vars.parameters()[0]!.tensor && kernel.trainable).toBe(true);
    expect(graph.nodes.at(-1)).toEqual({ kind: "op", op: "add", attributes: {}, inputs: [5, 6], shape: [4, 3], name: null });
  });

  test("runs in inference mode and records no gradients", () => {
    const vars = new DenseVariables();
    const model = nn.sequential(nn.batchNorm(vars, 3), nn.dropout(0.5, random(1)));
    const { graph, outputs } = training(() => trace(model, [ones([2, 3])]));
    expect(outputs[0]!.tracked).toBe(false);
    expect(described(graph).slice(1, 6)).toEqual([
      "parameter moving_mean",
      "parameter moving_variance",
      "parameter gamma",
      "parameter beta",
      "batchNormInference",
    ]);
    expect(graph.nodes.map((node) => node.kind === "parameter" && node.trainable).slice(1, 5)).toEqual([
      false,
      false,
      true,
      true,
    ]);
  });

  test("refuses a function that changes variables and restores the variables", () => {
    const vars = new DenseVariables();
    const layer = nn.batchNorm(vars, 2);
    expect(
      thrown(() =>
        trace(
          (x) => training(() => layer(x)),
          [
            tensor([
              [1, 2],
              [3, 5],
            ]),
          ],
        ),
      ),
    ).toBe(
      'ValueError: trace: fn assigns to the variable "moving_mean", which a graph cannot record; call layers outside of training()',
    );
    expect(vars.variables().map((v) => [...v.read().data])).toEqual([
      [1, 1],
      [0, 0],
      [0, 0],
      [1, 1],
    ]);
  });

  test("refuses async functions and results that are not tensors", () => {
    const call = (fn: unknown): string => thrown(() => Reflect.apply(trace, null, [fn, [ones([2])]]));
    expect(call(async (x: Tensor) => x)).toBe(
      "ValueError: trace: the function must not be async; await outside, and call trace with what was awaited",
    );
    expect(call(() => null)).toBe("ValueError: trace: the result of fn must be a list, got null");
    expect(call(() => [1])).toMatch(/^ValueError: trace: the result of fn\[0\] must be a tensor, got 1/);
    expect(() => trace(ops.relu, [null as never])).toThrow(ValueError);
    expect(call(() => trace(ops.relu, []))).toBe("ValueError: trace: fn must not call trace");
  });

  test("adds no nodes for copies, stopped gradients, steps and custom gradients", () => {
    const doubled = (x: Tensor): Tensor =>
      customGradient(
        "doubled",
        [x],
        (v) => ops.mul(v, 2),
        (dy) => [dy],
      );
    const { graph } = trace((x) => step(() => keep(stopGradient(doubled(x)))), [variable(ones([2]))]);
    expect(described(graph)).toEqual(["input", "constant", "mul"]);
  });

  test("records a custom op by its name and attributes, even if the library has an op of the same name", () => {
    const own = (x: Tensor): Tensor => {
      const y = x.toArray().map((v) => 2 * v);
      return recordOp("tanh", { times: 2 }, [x], x.shape, y, () => undefined);
    };
    const { graph } = trace(own, [ones([2])]);
    expect(graph.nodes[1]).toEqual({ kind: "custom", op: "tanh", attributes: { times: 2 }, inputs: [0], shape: [2], name: null });
  });

  test("keeps the constants and the structure of a graph traced inside a step", () => {
    const graph = step(() => {
      const offset = ops.add(ones([2]), 1);
      const { graph } = trace((x) => ops.add(x, offset), [ones([2])]);
      return () => graph;
    })();
    for (let i = 0; i < 4; i++) step(() => void zeros([1000]));
    expect(replay(graph, [tensor([1, 2])])[graph.outputs[0]!]!.toArray()).toEqual(Float32Array.of(3, 4));
  });

  test("gives the value of every node, which shows the first op with a result that is not finite", () => {
    const { graph, values } = trace((x) => ops.sum(ops.log(ops.relu(x))), [tensor([-1, 2])]);
    const at = values.findIndex((value) => !value.toArray().every(Number.isFinite));
    expect(described(graph)[at]).toBe("log");
  });

  test("ignores later changes of lists that were passed to ops", () => {
    const [shape, padding] = [[2, 2], [[1, 1]] as [number, number][]];
    const { graph } = trace(
      (x) => {
        const y = ops.broadcastTo(x, shape);
        shape[0] = 7;
        const z = ops.pad(x, padding);
        padding[0]![0] = 7;
        return [y, z];
      },
      [ones([2])],
    );
    expect(graph.nodes.slice(1).map((node) => "attributes" in node && node.attributes)).toEqual([
      { shape: [2, 2] },
      { padding: [[1, 1]], value: 0 },
    ]);
  });

  test("rethrows errors of fn and restores the previous recording", () => {
    expect(() =>
      trace(() => {
        throw new GradientError("mine", "no");
      }, []),
    ).toThrow(/^mine: no/);
    expect(ops.relu(variable(ones([1]))).tracked).toBe(true);
  });
});

test("docs/graph.md lists the call of every op with attributes", () => {
  const page = readFileSync(new URL("../../docs/graph.md", import.meta.url), "utf8");
  const rows = page.slice(page.indexOf("| op | call |")).matchAll(/^\| (`[^|]*) \|/gm);
  const listed = [...rows].flatMap(([, names]) => names!.replaceAll("`", "").split(", "));
  expect(listed.sort()).toEqual(Object.keys(calls).sort());
});
