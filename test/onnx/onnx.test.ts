import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import * as models from "../../src/models/index.ts";
import * as nn from "../../src/nn/index.ts";
import { encodeOnnx, type OnnxOptions, saveOnnx, type Traceable } from "../../src/onnx/index.ts";
import { fileLength } from "../../src/onnx/protobuf.ts";
import * as ops from "../../src/ops/index.ts";
import {
  composeModifiers,
  HashVariablePool,
  ProductVariablePool,
  reluModifier,
  signModifier,
  VariableFactory,
  type VariablePool,
  variableFanoutScaleModifier,
} from "../../src/smh/index.ts";
import { Generator, noGrad, ones, randomNormal, recordOp, type Tensor, tensor } from "../../src/tensor/index.ts";
import { DenseVariables, scope } from "../../src/variables/index.ts";
import { metaPool } from "../meta-pool.ts";
import { thrown } from "../thrown.ts";
import { readOnnx } from "./read.ts";
import { difference, listOf, load } from "./run.ts";

const random = (seed: number): Generator => new Generator(seed);
const normal = (...shape: number[]): Tensor => randomNormal(shape, random(shape.length + 7));
const refusal = (model: Traceable, inputs: readonly Tensor[], options?: OnnxOptions): string =>
  thrown(() => encodeOnnx(model, inputs, options));

/**
 * Throws unless onnxruntime computes the numbers of a model for these inputs, from a file that was made with one
 * example.
 */
async function compare(model: Traceable, inputs: readonly Tensor[], options: OnnxOptions = {}): Promise<void> {
  const batch = inputs[0]!.shape[0];
  const one = inputs.map((x) => (x.shape[0] === batch ? ops.slice(x, [0], [1]) : x));
  const got = await (await load(encodeOnnx(model, one, options), options.layout))(...inputs);
  const want = listOf(noGrad(() => model(...inputs)));
  for (const [i, y] of want.entries()) expect(difference(got[i]!, y)).toBeLessThan(1e-4);
}

describe("a file computes the numbers of the model for another batch size:", () => {
  const images = normal(4, 7, 6, 4);
  const sequences = normal(4, 5, 4);
  const v = (): DenseVariables => new DenseVariables();
  test.each<[string, Traceable, readonly Tensor[]]>([
    ["gru", nn.gru(v(), 4, 3), [sequences]],
    ["lstm", nn.lstm(v(), 4, 3, { returns: "all" }), [sequences]],
    ["lstm with initial states", nn.lstm(v(), 4, 3, { returns: "last" }), [sequences, normal(4, 3), normal(4, 3)]],
    [
      "cross attention with a mask",
      nn.multiHeadAttention(v(), 4, 2),
      [sequences, normal(4, 3, 4), normal(4, 3, 4), normal(4, 1, 1, 3)],
    ],
    [
      "a causal mask as an input",
      nn.multiHeadAttention(v(), 4, 2, { causal: true }),
      [sequences, sequences, sequences, normal(5, 5)],
    ],
    ["groupNorm", nn.groupNorm(v(), 4, 2), [images]],
    ["rmsNorm", nn.rmsNorm(v(), 4), [images]],
    ["layerNorm", nn.layerNorm(v(), 4), [sequences]],
    ["batchNorm of sequences", nn.batchNorm(v(), 4, { activation: ops.silu }), [sequences]],
    ["conv1d", nn.conv1d(v(), 4, 3, 3, { padding: 1, strides: 2 }), [sequences]],
    ["resize nearest", nn.resize([9, 4]), [images]],
    ["resize bilinear", nn.resize([9, 4], { method: "bilinear" }), [images]],
    ["optionAShortcut", nn.optionAShortcut(4, 8, 2, "around"), [images]],
    ["squeezeExcite", nn.squeezeExcite(v(), 4, { squeezed: 2 }), [images]],
    [
      "embedding",
      nn.embedding(v(), 5, 3),
      [
        tensor([
          [0, 1],
          [4, 4],
          [2, 0],
          [3, 1],
        ]),
      ],
    ],
    ["a constant of the batch", (x) => ops.add(x, ones([x.shape[0]!, 1, 1])), [sequences]],
    ["tile over the batch", (x) => ops.tile(x, [3, 1, 1]), [sequences]],
    ["reverse of the batch", (x) => ops.flip(x), [sequences]],
    ["batches that become rows", (x) => ops.softmax(ops.reshape(x, [-1, 4])), [sequences]],
    ["two inputs", (x, y) => ops.mul(ops.mean(x, [1, 2]), y), [images, normal(4, 4)]],
    [
      "comparisons",
      (x) => [
        ops.less(x, 0),
        ops.lessEqual(x, 0),
        ops.greater(x, 0),
        ops.greaterEqual(x, 0),
        ops.equal(x, x),
        ops.notEqual(x, 0),
      ],
      [sequences],
    ],
    ["straightThroughSign", ops.straightThroughSign, [sequences]],
    [
      "an input, a constant and a parameter as results",
      (x) => [x, tensor([1, 2]), nn.dense(v(), 2, 2)(ones([1, 2]))],
      [sequences],
    ],
  ])("%s", async (_, model, inputs) => {
    await compare(model, inputs);
    await compare(model, inputs, { layout: "NCHW", pool: "materialized" });
  });
});

describe("a file with the pool in the graph computes the numbers of", () => {
  const size = { poolSize: 130, seed: 1 };
  const pools: Readonly<Record<string, VariablePool>> = {
    product: new ProductVariablePool({ ...size, fraction: 0.5 }),
    Kronecker: new ProductVariablePool({ ...size, fraction: 0.7, useKroneckerProduct: true }),
    "padding store": new ProductVariablePool({ ...size, poolSize: 100, fraction: 0.5, indexStore: "padding" }),
    hash: new HashVariablePool({ ...size, fraction: 0.1 }),
    streaming: new ProductVariablePool({ ...size, fraction: 0.5, streaming: true }),
    meta: metaPool(["product", "hash"], "sum", { ...size, fraction: 0.6 }),
  };
  test.each(Object.entries(pools))("%s", async (_, pool) => {
    const vars = new VariableFactory({ pool, modifier: composeModifiers(variableFanoutScaleModifier, reluModifier) });
    const model = nn.sequential(nn.dense(scope(vars, "in"), 6, 9), ops.tanh, nn.dense(scope(vars, "out"), 9, 7));
    await compare(model, [normal(4, 6)]);
    await compare(model, [normal(4, 6)], { pool: "materialized" });
  });

  test("the sign modifier", async () => {
    const vars = new VariableFactory({ pool: new HashVariablePool({ ...size, fraction: 0.5 }), modifier: signModifier });
    await compare(nn.dense(vars, 6, 9), [normal(4, 6)]);
  });
});

describe("a file", () => {
  test("gives nodes and weights unique names that start with the layer", () => {
    const vars = new DenseVariables();
    const model = nn.sequential(nn.dense(scope(vars, "in"), 3, 4), ops.relu, ops.relu, nn.dense(scope(vars, "out"), 4, 2));
    const { nodes, initializers, inputs, outputs } = readOnnx(encodeOnnx(model, [ones([1, 3])]));
    expect(nodes.map(({ name }) => name)).toEqual(["in/Gemm", "in/Relu", "in/Relu_2", "out/Gemm", "output"]);
    expect(initializers.map(({ name }) => name)).toEqual(["in/kernel", "in/bias", "out/kernel", "out/bias"]);
    expect([inputs, outputs]).toEqual([["input: float32 [batch, 3]"], ["output: float32 [batch, 2]"]]);
  });

  test.each(["NHWC", "NCHW"] as const)("keeps the NCHW layout between convolutions, for inputs %s", (layout) => {
    const model = models.mobileNetV3(new DenseVariables(), "small", { classes: 3, width: 0.25 });
    const { nodes, inputs } = readOnnx(encodeOnnx(model, [ones([1, 32, 32, 3])], { layout }));
    expect(nodes.filter(({ op }) => op === "Transpose")).toHaveLength(layout === "NHWC" ? 1 : 0);
    expect(inputs).toEqual([`input: float32 [batch, ${layout === "NHWC" ? "32, 32, 3" : "3, 32, 32"}]`]);
    expect(new Set(nodes.map(({ name }) => name)).size).toBe(nodes.length);
  });

  test("uses the requested layout of images for inputs and results", () => {
    const model = nn.conv2d(new DenseVariables(), 3, 5, 3);
    expect(readOnnx(encodeOnnx(model, [ones([1, 8, 6, 3])])).outputs).toEqual(["output: float32 [batch, 6, 4, 5]"]);
    const { outputs, nodes } = readOnnx(encodeOnnx(model, [ones([1, 8, 6, 3])], { layout: "NCHW" }));
    expect([outputs, nodes.map(({ op }) => op)]).toEqual([["output: float32 [batch, 5, 6, 4]"], ["Conv", "Identity"]]);
  });

  test("declares ids as int64, unless the graph also uses the ids as numbers", () => {
    const embed = nn.embedding(new DenseVariables(), 3, 2);
    const ids = tensor([[0, 2]]);
    expect(readOnnx(encodeOnnx(embed, [ids])).inputs).toEqual(["input: int64 [batch, 2]"]);
    const both = (x: Tensor): Tensor => ops.add(embed(x), ops.expandDims(x, -1));
    expect(readOnnx(encodeOnnx(both, [ids])).inputs).toEqual(["input: float32 [batch, 2]"]);
  });

  test("uses the given names for inputs and outputs, and a fixed batch", () => {
    const options: OnnxOptions = { batch: "fixed", inputNames: ["a", "b"], outputNames: ["total"] };
    const { inputs, outputs } = readOnnx(encodeOnnx(ops.add, [ones([2, 3]), ones([3])], options));
    expect([inputs, outputs]).toEqual([["a: float32 [2, 3]", "b: float32 [3]"], ["total: float32 [2, 3]"]]);
  });

  test("stores either the factors of a pool once or the weights", () => {
    const vars = new VariableFactory({ pool: new ProductVariablePool({ poolSize: 130, fraction: 0.5 }) });
    const model = nn.sequential(nn.dense(scope(vars, "in"), 6, 9), nn.dense(scope(vars, "out"), 9, 7));
    const stored = (pool: "graph" | "materialized"): string[] =>
      readOnnx(encodeOnnx(model, [ones([1, 6])], { pool })).initializers.flatMap(({ name, shape }) =>
        shape.length === 2 ? [name] : [],
      );
    expect(stored("graph")).toEqual(["variable_left", "variable_right"]);
    expect(stored("materialized")).toEqual(["in/kernel", "out/kernel"]);
  });
});

describe("encodeOnnx refuses", () => {
  const x = ones([2, 3]);
  test.each<[string, Traceable, string]>([
    [
      "statistics of a batch",
      (v) => ops.batchNormTraining(v).y,
      "batchNormTraining: statistics of a batch belong to training; export layers, or call batchNormInference",
    ],
    [
      "a loss",
      (v) => ops.crossEntropy(v, new Int32Array(v.shape[0]!)),
      "crossEntropy: a loss belongs to training, and its labels are constants; export a model that returns the logits",
    ],
    [
      "a user's op, by its layer",
      (() => {
        const layer = nn.dense(scope(new DenseVariables(), "hidden"), 3, 3);
        return (v) => recordOp("swirl", {}, [layer(v)], v.shape, v.toArray(), () => undefined);
      })(),
      `swirl in layer "hidden": a user's op has no counterpart in ONNX; write it with ops of the library`,
    ],
    [
      "numbers that were read from a tensor",
      (v) => ops.mul(v, ops.sum(v).item()),
      'mul: reads a constant [] whose numbers depend on the batch, such as random numbers or item(); compute them from the inputs by ops, or { batch: "fixed" } exports the given batch only',
    ],
    [
      "attributes that were read from a tensor",
      (v) => ops.clip(v, 0, ops.sum(v).item()),
      "clip: its attributes depend on the batch; compute with tensors, not with numbers that are read from them",
    ],
    [
      "a part of the batch",
      (v) => ops.slice(v, [0], [-2]),
      'slice: the block along axis 0 depends on the batch; only a whole axis may follow the batch, or { batch: "fixed" } exports the given batch only',
    ],
    [
      "a length that is no multiple of the batch",
      (v) =>
        ops.reshape(
          ops.pad(v, [
            [1, 0],
            [0, 0],
          ]),
          [-1, 3, 1],
        ),
      'reshape: axis 0 has length 3 for a batch of 2 and 4 for a batch of 3: lengths must be multiples of the batch; { batch: "fixed" } exports the given batch only',
    ],
    [
      "other ops for other batches",
      (v) => (v.shape[0]! > 2 ? ops.relu(v) : ops.tanh(v)),
      'tanh: the model runs other ops for a batch of 2 than of 3; { batch: "fixed" } exports the given batch only',
    ],
    [
      "a model of one batch",
      (v) => ops.add(v, ones([2, 3])),
      'the model fails for a batch of 3: add: a [3, 3] and b [2, 3]: lengths must be equal or 1, counted from the last axis; 3 is not 2; { batch: "fixed" } exports the given batch only',
    ],
    [
      "normalization over the batch",
      (v) => ops.layerNorm(ops.transpose(v)),
      'layerNorm: axis 1 of an input follows the batch; { batch: "fixed" } exports the given batch only',
    ],
    [
      "indices that follow the batch",
      (v) => ops.gather(v, v.shape[0] === 2 ? [0, 1] : [0, 1, 1]),
      'gather: the indices depend on the batch; { batch: "fixed" } exports the given batch only',
    ],
    [
      "a vector that follows the batch",
      (v) => ops.cyclicSlice(ops.reshape(v, [-1]), 1, 9),
      'cyclicSlice: the length of the vector follows the batch; { batch: "fixed" } exports the given batch only',
    ],
  ])("%s", (_, model, message) => {
    expect(refusal(model, [x])).toBe(`OnnxError: encodeOnnx: ${message}`);
  });

  test("arguments of the wrong kind", () => {
    expect(refusal(ops.relu, [ones([0, 3])])).toBe(
      "ValueError: encodeOnnx: inputs must hold at least one example; the model is run on them",
    );
    expect(refusal(ops.relu, [x], { inputNames: ["a", "b"] })).toBe(
      'ValueError: encodeOnnx: inputNames must be 1 different names, got ["a","b"]',
    );
    expect(refusal(ops.relu, [x], { inputNames: ["a"], outputNames: ["a"] })).toBe(
      'ValueError: encodeOnnx: an input and an output have the name "a"',
    );
    expect(refusal(ops.relu, [x], { layout: "CHWN" as never })).toBe(
      'ValueError: encodeOnnx: layout must be "NHWC" or "NCHW", got "CHWN"',
    );
    expect(refusal((v) => ops.matmul(v, v), [x])).toMatch(/^ShapeError: matmul: /);
  });

  test("files larger than readers of protocol buffers accept", () => {
    const piece = new Uint8Array(2 ** 24);
    const lengthOf = (count: number): number =>
      fileLength(new Array<Uint8Array>(count).fill(piece), (length) => {
        throw new Error(`${length} bytes`);
      });
    expect(lengthOf(127)).toBe(127 * 2 ** 24);
    expect(() => lengthOf(128)).toThrow("2147483648 bytes");
  });
});

describe("saveOnnx", () => {
  const folder = mkdtempSync(join(tmpdir(), "onnx-"));
  afterAll(() => rmSync(folder, { recursive: true }));
  const model = nn.dense(new DenseVariables(), 3, 2);

  test("writes the bytes of encodeOnnx and leaves no other file", () => {
    const path = join(folder, "model.onnx");
    writeFileSync(path, "before");
    saveOnnx(path, model, [ones([1, 3])]);
    expect(new Uint8Array(readFileSync(path))).toEqual(encodeOnnx(model, [ones([1, 3])]));
    expect(readdirSync(folder)).toEqual(["model.onnx"]);
  });

  test("reports why a file cannot be written", () => {
    const path = join(folder, "none", "model.onnx");
    expect(thrown(() => saveOnnx(path, model, [ones([1, 3])]))).toBe(
      `FileError: saveOnnx: ${path} cannot be written: there is no such folder (ENOENT)`,
    );
    expect(thrown(() => saveOnnx("", model, [ones([1, 3])]))).toMatch(/^ValueError: saveOnnx: path must be a string/);
  });
});
