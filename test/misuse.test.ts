import fc from "fast-check";
import { describe, expect, test } from "vitest";
import * as data from "../src/data/index.ts";
import * as h from "../src/index.ts";
import * as io from "../src/io/index.ts";
import * as models from "../src/models/index.ts";
import * as nn from "../src/nn/index.ts";
import * as onnx from "../src/onnx/index.ts";
import * as optim from "../src/optim/index.ts";
import * as smh from "../src/smh/index.ts";
import * as arbitraries from "../src/testing/arbitraries.ts";
import * as testing from "../src/testing/index.ts";
import * as train from "../src/train/index.ts";
import { unaries as ofOneTensor } from "./ops/unary.ts";

// Every public function is called with each of its arguments, and each field of its options, replaced by hostile
// values.

/** The exports by name, for tables. */
const exportsOf: Readonly<Record<"h" | "optim" | "smh", Readonly<Record<string, unknown>>>> = { h, optim, smh };

type Call = { readonly run: (...args: never[]) => unknown; readonly args: () => unknown[]; readonly says?: RegExp };

const t = (...shape: number[]): h.Tensor => h.full(shape, 0.5);
const leaf = (): h.Tensor => h.variable(t(2));
const vars = (): h.DenseVariables => new h.DenseVariables();
const random = (): h.Generator => new h.Generator(1);
const params = (): h.Tensor[] => {
  const x = leaf();
  h.backward(h.sum(h.square(x)));
  return [x];
};
const pool = (): smh.HashVariablePool => new smh.HashVariablePool({ poolSize: 20, fraction: 0.5 });
const context = (): smh.ModifierContext => ({
  name: "w",
  shape: [2, 2],
  init: h.normalInit(),
  stddev: 1,
  variable: () => h.variable(h.ones([])),
});
const model: h.Model = (v) => v.create("w", [2, 2]);

/** A tensor of an old step, whose memory was used again. */
const old = h.step(() => {
  const inner = t(2);
  return () => inner;
})();
for (let i = 0; i < 3; i++) h.step(() => void t(64));

/** What stands for a tensor of another copy of the library. */
const foreign = Object.create(
  { [Symbol.for("hashgrad.tensor")]: true },
  { shape: { value: [2] }, data: { value: new Float32Array(2) } },
);

const cyclic: unknown[] = [];
cyclic.push(cyclic);

const hostile: Readonly<Record<string, () => unknown>> = {
  null: () => null,
  undefined: () => undefined,
  "a string": () => "x",
  NaN: () => Number.NaN,
  "+infinity": () => Number.POSITIVE_INFINITY,
  "-1": () => -1,
  "0.5": () => 0.5,
  "2^53": () => 2 ** 53,
  "1e308": () => 1e308,
  "an empty list": () => [],
  "a list with holes": () => new Array(2),
  "a list of NaN": () => [Number.NaN],
  "a list of null": () => [null],
  "a list inside itself": () => cyclic,
  "an empty object": () => ({}),
  "an unknown key": () => ({ hostileKey: 1 }),
  "a function that returns null": () => () => null,
  true: () => true,
  "a bigint": () => 1n,
  "a symbol": () => Symbol("x"),
  "a tensor of rank 3": () => t(1, 2, 3),
  "an empty tensor": () => t(0),
  "a tensor of an old step": () => old,
  "a tensor of another copy": () => foreign,
};

const unary = (name: keyof typeof h): [string, Call] => [
  `hashgrad.${name}`,
  { run: exportsOf.h[name] as Call["run"], args: () => [t(2)] },
];
const call = (name: string, run: unknown, args: () => unknown[], says?: RegExp): [string, Call] => [
  name,
  { run: run as Call["run"], args, ...(says === undefined ? {} : { says }) },
];
/** A class, called as a function. */
const made =
  (Class: unknown): Call["run"] =>
  (...args) =>
    new (Class as new (...args: never[]) => unknown)(...args);
/** A method, or what a function returned, of an object that is made anew for every call. */
const on =
  <T>(make: () => T, use: (object: T, ...args: never[]) => unknown): Call["run"] =>
  (...args) =>
    use(make(), ...args);

const pairs = [
  "add",
  "mulUnlessZero",
  "sub",
  "mul",
  "div",
  "pow",
  "maximum",
  "minimum",
  "equal",
  "notEqual",
  "less",
  "lessEqual",
  "greater",
  "greaterEqual",
] as const;
const unaries = [...Object.keys(ofOneTensor), "straightThroughSign", "keep", "stopGradient", "variable"] as (keyof typeof h)[];

const image = (): h.Tensor => t(1, 4, 4, 2);
/** The layers that check what a model or a block hands on. */
const partOfModel =
  /^(basicBlock|bottleneck|invertedResidual|cifarResNet|resNet|mobileNetV2|mobileNetV3|efficientNet|squeezeExcite|optionAShortcut|sequential|residual|batchNorm|(depthwiseC|c)onv2d|dense|scope|create|stochasticDepth|dropout)/;
const residualOptions = (): models.ResidualOptions => ({
  stride: 2,
  epsilon: 1e-5,
  momentum: 0.9,
  drop: h.relu,
  shortcutZeros: "after",
});
const modelOptions = (): models.ModelOptions => ({
  classes: 3,
  channels: 2,
  width: 0.25,
  dropout: 0.5,
  stochasticDepth: 0.5,
  epsilon: 1e-5,
  momentum: 0.9,
  random: random(),
});
const layers: [string, Call][] = [
  call(
    "nn.conv2d",
    nn.conv2d,
    () => [vars(), 2, 3, 3, { strides: 1, dilations: 1, padding: "same", bias: true, groups: 1 }],
    /^(conv2d|create)/,
  ),
  call(
    "nn.depthwiseConv2d",
    nn.depthwiseConv2d,
    () => [vars(), 2, [3, 3], { multiplier: 1, strides: 1 }],
    /^(depthwiseConv2d|create)/,
  ),
  call("nn.dense", nn.dense, () => [vars(), 2, 3, { bias: true, init: h.onesInit, biasInit: h.zerosInit }], /^(dense|create)/),
  call("nn.dropout", nn.dropout, () => [0.5, random()]),
  call("nn.stochasticDepth", nn.stochasticDepth, () => [0.5, random()]),
  call("nn.optionAShortcut", nn.optionAShortcut, () => [2, 4, 2, "after"]),
  call(
    "nn.squeezeExcite",
    nn.squeezeExcite,
    () => [vars(), 2, { squeezed: 1, activation: h.relu, gate: h.hardSigmoid, init: h.onesInit }],
    /^(squeezeExcite|scope|conv2d|create|sequential)/,
  ),
  call("models.basicBlock", models.basicBlock, () => [vars(), 2, 4, residualOptions()], partOfModel),
  call("models.bottleneck", models.bottleneck, () => [vars(), 2, 4, residualOptions()], partOfModel),
  call(
    "models.invertedResidual",
    models.invertedResidual,
    () => [
      vars(),
      2,
      2,
      {
        stride: 1,
        epsilon: 1e-5,
        momentum: 0.9,
        drop: h.relu,
        expanded: 4,
        kernelSize: 3,
        activation: h.relu6,
        squeezeExcite: { squeezed: 1 },
      },
    ],
    partOfModel,
  ),
  call("models.resNet", models.resNet, () => [vars(), 18, modelOptions()], partOfModel),
  call("models.mobileNetV2", models.mobileNetV2, () => [vars(), modelOptions()], partOfModel),
  call("models.mobileNetV3", models.mobileNetV3, () => [vars(), "small", modelOptions()], partOfModel),
  call("models.efficientNet", models.efficientNet, () => [vars(), 0, modelOptions()], partOfModel),
  call("models.cifarResNet", models.cifarResNet, () => [vars(), 8, { ...modelOptions(), shortcutZeros: "after" }], partOfModel),
  call("nn.sequential", nn.sequential, () => [h.relu, h.relu]),
  call("nn.residual", nn.residual, () => [h.relu, h.relu]),
  call(
    "nn.toyNetwork",
    nn.toyNetwork,
    () => [vars(), { inputShape: [4, 4, 1], classes: 3 }],
    /^(toyNetwork|scope|conv2d|dense|create)/,
  ),
  call("nn.batchNorm", nn.batchNorm, () => [vars(), 2, { momentum: 0.9, epsilon: 1e-3, activation: h.relu }]),
  call("nn.layerNorm", nn.layerNorm, () => [vars(), 2, { epsilon: 1e-3 }]),
  call("nn.groupNorm", nn.groupNorm, () => [vars(), 2, 1, { epsilon: 1e-3 }]),
  call("nn.rmsNorm", nn.rmsNorm, () => [vars(), 2, { epsilon: 1e-3 }]),
  call("nn.embedding", nn.embedding, () => [vars(), 3, 2, { init: h.onesInit }], /^(embedding|create)/),
  call(
    "nn.multiHeadAttention",
    nn.multiHeadAttention,
    () => [vars(), 4, 2, { causal: true, bias: true, init: h.onesInit, biasInit: h.zerosInit }],
    /^(multiHeadAttention|dense|create)/,
  ),
  call("nn.gru", nn.gru, () => [vars(), 2, 3, { returns: "all", init: h.onesInit, biasInit: h.zerosInit }], /^(gru|create)/),
  call("nn.lstm", nn.lstm, () => [vars(), 2, 3, { returns: "last", init: h.onesInit, biasInit: h.zerosInit }], /^(lstm|create)/),
  call("nn.maxPool2d", nn.maxPool2d, () => [2, { strides: 1, padding: "same" }]),
  call("nn.avgPool2d", nn.avgPool2d, () => [2, { strides: 1, padding: "same" }]),
  call("nn.maxPool1d", nn.maxPool1d, () => [2, { strides: 1, padding: "same" }]),
  call("nn.avgPool1d", nn.avgPool1d, () => [2, { strides: 1, padding: 1 }]),
  call("nn.resize", nn.resize, () => [[3, 5], { method: "bilinear", alignCorners: false }]),
  call(
    "nn.conv1d",
    nn.conv1d,
    () => [vars(), 2, 3, 3, { strides: 1, dilations: 1, padding: [1, 1], bias: true, groups: 1 }],
    /^(conv1d|create)/,
  ),
  call(
    "nn.conv2dTranspose",
    nn.conv2dTranspose,
    () => [vars(), 2, 3, [3, 3], { strides: 2, dilations: 1, padding: 1, outputPadding: 1, bias: true, groups: 1 }],
    /^(conv2dTranspose|create)/,
  ),
  call("nn.globalAvgPool2d", nn.globalAvgPool2d, () => []),
  call("nn.flatten", nn.flatten, () => []),
];
/** What layers of several inputs, or of inputs of their own kind, are called with. */
const layerInputs: Readonly<Record<string, () => unknown[]>> = {
  "nn.toyNetwork": () => [t(1, 4, 4, 1)],
  "nn.embedding": () => [h.tensor([0, 2])],
  "nn.multiHeadAttention": () => [t(1, 2, 4), t(1, 3, 4), t(1, 3, 4), t(2, 3)],
  "nn.gru": () => [t(1, 2, 2), t(1, 3)],
  "nn.lstm": () => [t(1, 2, 2), t(1, 3), t(1, 3)],
};
const madeLayers: [string, Call][] = layers.map(([name, { run, args }]) =>
  call(
    `layer of ${name}`,
    on(
      () => (run as (...args: unknown[]) => nn.Layer)(...args()),
      (layer, ...xs) => layer(...(xs as never as [h.Tensor])),
    ),
    layerInputs[name] ??
      (() => [
        name.endsWith("1d") ? t(1, 4, 2) : /conv|ool|flat|resize|^models|optionA|squeeze/.test(name) ? image() : t(3, 2),
        "training",
      ]),
    /^models|squeeze/.test(name) || name === "nn.sequential" || name === "nn.toyNetwork"
      ? /^(sequential|conv2d|relu|create|residual|mean|optionAShortcut)/
      : undefined,
  ),
);

const optimizer = (): optim.Optimizer => optim.sgd(params(), { momentum: 0.5 });
const common = { learningRate: 0.1, schedule: optim.constant, weightDecay: 0.1, groups: [{ match: "0" }] };

const dataset = (): data.Dataset => ({
  inputs: new Float32Array(6),
  inputShape: [2],
  labels: Int32Array.of(0, 1, 1),
  classes: 2,
});
const logits = (): h.Tensor =>
  h.tensor([
    [1, 0],
    [0, 1],
  ]);
const datasets: [string, Call][] = [
  call("data.batchCount", data.batchCount, () => [10, 3, true]),
  call("data.batchOrder", data.batchOrder, () => [10, { batchSize: 3, random: random(), dropLast: true }]),
  call("data.batchOf", data.batchOf, () => [dataset(), [0, 1]]),
  call(
    "data.batches",
    (...args: Parameters<typeof data.batches>) => [...data.batches(...args)],
    () => [dataset(), { batchSize: 2, random: random() }],
  ),
  call("data.checkDataset", data.checkDataset, () => [dataset()]),
  call("data.lengthOf", data.lengthOf, () => [dataset()]),
  call("data.takeFirst", data.takeFirst, () => [dataset(), 2]),
  call("data.parseIdx", data.parseIdx, () => [data.encodeIdx([2], Uint8Array.of(1, 2)), "parseIdx"]),
  call("data.encodeIdx", data.encodeIdx, () => [[2], Uint8Array.of(1, 2)]),
  call("data.syntheticDigits", data.syntheticDigits, () => [3, random(), { height: 8, width: 8, classes: 4 }]),
  call("data.sourceOf", data.sourceOf, () => [dataset()]),
  call("data.subset", data.subset, () => [dataset(), [1, 0]]),
  call("train.binaryAccuracy", train.binaryAccuracy, () => [t(2), t(2)]),
  call("train.precision", train.precision, () => [{ average: "micro", threshold: 0 }]),
  call("train.recall", train.recall, () => [{ average: "macro", threshold: 0 }]),
  call("train.f1", train.f1, () => [{ average: "macro", threshold: 0 }]),
  call("train.rSquared", train.rSquared, () => []),
  call("train.accuracy", train.accuracy, () => [logits(), [0, 1]]),
  call("train.correctCount", train.correctCount, () => [logits(), [0, 1]]),
  call("train.topKAccuracy", train.topKAccuracy, () => [logits(), [0, 1], 1]),
  call("train.topKCount", train.topKCount, () => [logits(), [0, 1], 1]),
  call("train.confusionMatrix", train.confusionMatrix, () => [logits(), [0, 1]]),
];

/** Tensors or shapes of an arbitrary, which the function of that name makes. */
const drawn =
  (make: (...args: never[]) => fc.Arbitrary<unknown>): Call["run"] =>
  (...args) =>
    fc.sample(make(...args), { numRuns: 3, seed: 1 });
const lengths = { minAxes: 1, maxAxes: 2, minLength: 1, maxLength: 3 };
const derivatives = { step: 0.01, upstream: t(2) };
const helpers: [string, Call][] = [
  call(
    "testing.checkGradient",
    testing.checkGradient,
    () => [h.square, [t(2)], { ...derivatives, tolerance: 0.1, seed: 1 }],
    /^(checkGradient|square)/,
  ),
  call(
    "testing.compareGradient",
    testing.compareGradient,
    () => [h.square, [t(2)], () => 0.1, { ...derivatives }],
    /^(compareGradient|square)/,
  ),
  call(
    "testing.gradientError",
    testing.gradientError,
    () => [h.square, [t(2)], () => 0.1, { ...derivatives }],
    /^(gradientError|square)/,
  ),
  call("testing.compareLeafGradient", testing.compareLeafGradient, () => {
    const x = leaf();
    return [() => h.square(x), [x], () => 0.1, { ...derivatives }];
  }),
  call("arbitraries.seeds", drawn(arbitraries.seeds), () => []),
  call("arbitraries.shapes", drawn(arbitraries.shapes), () => [{ ...lengths }]),
  call("arbitraries.broadcastablePairs", drawn(arbitraries.broadcastablePairs), () => [{ ...lengths }]),
  call("arbitraries.tensors", drawn(arbitraries.tensors), () => [
    [2, 3],
    { min: -1, max: 1, awayFrom: [0], gap: 0.01, distinct: 0.01 },
  ]),
];

const good: ReadonlyMap<string, Call> = new Map<string, Call>([
  ...datasets,
  ...helpers,
  call("smh.namedModifier", smh.namedModifier, () => ["kind", smh.reluModifier]),
  call("hashgrad.configure", h.configure, () => [{ threads: 1 }]),
  ...unaries.map(unary),
  ...pairs.map((name) => call(`hashgrad.${name}`, exportsOf.h[name], () => [t(2), t(2)])),
  call("hashgrad.leakyRelu", h.leakyRelu, () => [t(2), 0.1]),
  call("hashgrad.gelu", h.gelu, () => [t(2), { approximate: "none" }]),
  call("hashgrad.elu", h.elu, () => [t(2), 0.1]),
  call("hashgrad.clip", h.clip, () => [t(2), 0, 1]),
  call("hashgrad.where", h.where, () => [t(2), t(2), 1]),
  call("hashgrad.dropout", h.dropout, () => [t(2), 0.5, () => 0.1]),
  call("hashgrad.sum", h.sum, () => [t(2, 3), [0], { keepDims: true }]),
  call("hashgrad.mean", h.mean, () => [t(2, 3), 1, { keepDims: true }]),
  call("hashgrad.max", h.max, () => [t(2, 3), 1, { keepDims: true }]),
  call("hashgrad.min", h.min, () => [t(2, 3), 1, { keepDims: true }]),
  ...(["prod", "norm", "logSumExp"] as const).map((name) =>
    call(`hashgrad.${name}`, exportsOf.h[name], () => [t(2, 3), [1], { keepDims: true }]),
  ),
  ...(["variance", "standardDeviation"] as const).map((name) =>
    call(`hashgrad.${name}`, exportsOf.h[name], () => [t(2, 3), 1, { keepDims: true, correction: 1 }]),
  ),
  call("hashgrad.argMax", h.argMax, () => [t(2, 3), 1]),
  call("hashgrad.argMin", h.argMin, () => [t(2, 3), 1]),
  call("hashgrad.cumsum", h.cumsum, () => [t(2, 3), 1]),
  call("hashgrad.topK", h.topK, () => [t(2, 3), 2, 1]),
  call("hashgrad.expandDims", h.expandDims, () => [t(2, 3), 1]),
  call("hashgrad.squeeze", h.squeeze, () => [t(2, 1), 1]),
  call("hashgrad.tile", h.tile, () => [t(2, 3), [2, 1]]),
  call("hashgrad.flip", h.flip, () => [t(2, 3), [1]]),
  call("hashgrad.eye", h.eye, () => [2, 3]),
  call("hashgrad.tril", h.tril, () => [t(2, 3), 1]),
  call("hashgrad.triu", h.triu, () => [t(2, 3), 1]),
  call("hashgrad.flatten", h.flatten, () => [t(2, 3)]),
  call("hashgrad.matmul", h.matmul, () => [t(2, 2), t(2, 2), { transposeA: true, transposeB: false, bias: t(2) }]),
  call("hashgrad.conv2d", h.conv2d, () => [
    image(),
    t(3, 3, 2, 1),
    { strides: 1, dilations: [1, 1], padding: "same", bias: t(1), groups: 1 },
  ]),
  call("hashgrad.depthwiseConv2d", h.depthwiseConv2d, () => [
    image(),
    t(3, 3, 2, 1),
    {
      strides: [1, 1],
      dilations: 1,
      padding: [
        [0, 0],
        [1, 1],
      ],
      bias: t(2),
    },
  ]),
  call("hashgrad.maxPool2d", h.maxPool2d, () => [image(), 2, { strides: 1, padding: "same" }]),
  call("hashgrad.avgPool2d", h.avgPool2d, () => [image(), [2, 2], { strides: [1, 1], padding: "valid" }]),
  call("hashgrad.globalAvgPool2d", h.globalAvgPool2d, () => [image()]),
  call("hashgrad.conv1d", h.conv1d, () => [
    t(1, 4, 2),
    t(3, 2, 1),
    { strides: 1, dilations: 1, padding: [1, 1], groups: 1, bias: t(1) },
  ]),
  call("hashgrad.conv2dTranspose", h.conv2dTranspose, () => [
    image(),
    t(3, 3, 1, 2),
    { strides: 2, dilations: [1, 1], padding: 1, outputPadding: 1, groups: 1, bias: t(1) },
  ]),
  call("hashgrad.maxPool1d", h.maxPool1d, () => [t(1, 4, 2), 2, { strides: 1, padding: "same" }]),
  call("hashgrad.avgPool1d", h.avgPool1d, () => [t(1, 4, 2), 2, { strides: 1, padding: 1 }]),
  call("hashgrad.resize", h.resize, () => [image(), [3, 5], { method: "bilinear", alignCorners: true }]),
  call("hashgrad.einsum", h.einsum, () => ["ij,jk->ik", t(2, 3), t(3, 4)]),
  call("hashgrad.meanAbsoluteError", h.meanAbsoluteError, () => [t(2), t(2), { reduction: "none" }]),
  call("hashgrad.huber", h.huber, () => [t(2), t(2), { delta: 1, reduction: "sum" }]),
  call("hashgrad.klDivergence", h.klDivergence, () => [t(2, 3), t(2, 3), { reduction: "mean" }]),
  call("hashgrad.reshape", h.reshape, () => [t(2, 3), [3, 2]]),
  call("hashgrad.transpose", h.transpose, () => [t(2, 3), [1, 0]]),
  call("hashgrad.broadcastTo", h.broadcastTo, () => [t(1, 3), [2, 3]]),
  call("hashgrad.slice", h.slice, () => [t(2, 3), [0, 1], [1, 2], { strides: [1, 2] }]),
  call("hashgrad.cyclicSlice", h.cyclicSlice, () => [t(3), 1, 4]),
  call("hashgrad.concat", h.concat, () => [[t(2), t(2)], 0]),
  call("hashgrad.stack", h.stack, () => [[t(2), t(2)], 0]),
  call("hashgrad.split", h.split, () => [t(4), [1, 3], 0]),
  call("hashgrad.pad", h.pad, () => [t(2), [[1, 1]], 3]),
  call("hashgrad.take", h.take, () => [t(2, 3), h.tensor([0, 1]), 0]),
  call("hashgrad.gather", h.gather, () => [t(2, 3), [0, 1], 0]),
  call("hashgrad.oneHot", h.oneHot, () => [[0, 1], 3]),
  call("hashgrad.softmax", h.softmax, () => [t(2, 3), 1]),
  call("hashgrad.logSoftmax", h.logSoftmax, () => [t(2, 3), 1]),
  call("hashgrad.crossEntropy", h.crossEntropy, () => [
    t(2, 3),
    [0, 1],
    { labelSmoothing: 0.1, reduction: "sum", ignoreIndex: 1, classWeights: [1, 2, 3] },
  ]),
  call("hashgrad.meanSquaredError", h.meanSquaredError, () => [t(2), t(2), { reduction: "none" }]),
  call("hashgrad.binaryCrossEntropyWithLogits", h.binaryCrossEntropyWithLogits, () => [t(2), t(2), { reduction: "mean" }]),
  call("hashgrad.batchNormTraining", h.batchNormTraining, () => [t(3, 2), t(2), t(2), 0.1, { activation: "relu" }]),
  call("hashgrad.batchNormInference", h.batchNormInference, () => [t(3, 2), t(2), t(2), t(2), t(2), 0.1, { activation: "silu" }]),
  call("hashgrad.layerNorm", h.layerNorm, () => [t(3, 2), t(2), t(2), 0.1]),
  call("hashgrad.tensor", h.tensor, () => [[1, 2], [2]]),
  call("hashgrad.zeros", h.zeros, () => [[2]]),
  call("hashgrad.ones", h.ones, () => [[2]]),
  call("hashgrad.full", h.full, () => [[2], 3]),
  call("hashgrad.range", h.range, () => [0, 3, 1]),
  call("hashgrad.randomNormal", h.randomNormal, () => [[2], random(), 0, 1]),
  call("hashgrad.randomTruncatedNormal", h.randomTruncatedNormal, () => [[2], random(), 0, 1]),
  call("hashgrad.randomUniform", h.randomUniform, () => [[2], random(), 0, 1]),
  call("hashgrad.noGrad", h.noGrad, () => [() => 1]),
  call("hashgrad.training", h.training, () => [() => 1]),
  call("hashgrad.inference", h.inference, () => [() => 1]),
  call("hashgrad.isTraining", h.isTraining, () => []),
  call("hashgrad.freeze", h.freeze, () => [[leaf()]]),
  call("hashgrad.unfreeze", h.unfreeze, () => [[leaf()]]),
  call("hashgrad.assignGradient", h.assignGradient, () => [leaf(), [1, 2]]),
  call("hashgrad.shared", h.shared, () => [new h.DenseVariables()]),
  call("smh.compress", smh.compress, () => [(vars: h.VariableCreator) => nn.dense(vars, 4, 4), { fraction: 0.5 }]),
  call("smh.fitPool", smh.fitPool, () => {
    const build = (vars: h.VariableCreator) => nn.dense(vars, 4, 4);
    const dense = new h.DenseVariables();
    build(dense);
    return [smh.compress(build, { fraction: 0.5 }).vars, dense];
  }),
  call("smh.collisions", smh.collisions, () => [pool(), pool().getSlice([4])]),
  call(
    "collisions().numbersOf",
    on(
      () => smh.collisions(pool(), pool().getSlice([4])),
      ({ numbersOf }, ...args: never[]) => numbersOf(...(args as unknown as [number])),
    ),
    () => [1],
    /^numbersOf/,
  ),
  call(
    "collisions().weightsOf",
    on(
      () => smh.collisions(pool(), pool().getSlice([4])),
      ({ weightsOf }, ...args: never[]) => weightsOf(...(args as unknown as [string, number])),
    ),
    () => ["hash", 1],
    /^weightsOf/,
  ),
  call("hashgrad.trace", h.trace, () => [(x: h.Tensor) => [x], [t(2)]]),
  call(
    "onnx.encodeOnnx",
    onnx.encodeOnnx,
    () => [
      (x: h.Tensor) => [x],
      [t(2)],
      { pool: "graph", layout: "NHWC", batch: "dynamic", inputNames: ["x"], outputNames: ["y"] },
    ],
    /^(encodeOnnx|trace)/,
  ),
  call("hashgrad.step", h.step, () => [() => t(2)]),
  call("hashgrad.assign", h.assign, () => [leaf(), [1, 2]]),
  call("hashgrad.zeroGrad", h.zeroGrad, () => [[leaf()]]),
  call(
    "hashgrad.backward",
    (y: h.Tensor, up: h.Tensor, options: object) => h.backward(y, up, options),
    () => [h.square(leaf()), t(2), { retain: true }],
  ),
  call(
    "hashgrad.gradients",
    (y: h.Tensor, xs: h.Tensor[], up: h.Tensor, options: object) => h.gradients(y, xs, up, options),
    () => {
      const x = leaf();
      return [h.square(x), [x], t(2), { retain: true }];
    },
  ),
  call("hashgrad.record", h.record, () => ["own", {}, [leaf()], [2], new Float32Array(2), () => undefined]),
  call(
    "hashgrad.customGradient",
    (name: string, xs: h.Tensor[], forward: () => h.Tensor, pullback: () => h.Tensor[]) => {
      const y = h.customGradient(name, xs, forward, pullback);
      if (y.tracked) h.backward(h.sum(y));
    },
    () => ["own", [leaf()], (x: h.Tensor) => h.neg(x), (dy: h.Tensor) => [dy]],
    /^(customGradient|own|neg)/,
  ),
  call("hashgrad.Generator", made(h.Generator), () => [1]),
  call(
    "Generator.below",
    on(random, (g, n) => g.below(n)),
    () => [3],
    /^Generator/,
  ),
  call(
    "Generator.permutation",
    on(random, (g, n) => g.permutation(n)),
    () => [3],
    /^Generator/,
  ),
  call(
    "Generator.state",
    on(random, (g, state) => Object.assign(g, { state })),
    () => [[1, 2, 3, 4]],
    /^Generator/,
  ),
  call("hashgrad.DenseVariables", made(h.DenseVariables), () => [{ seed: 1 }]),
  call(
    "DenseVariables.create",
    on(vars, (v, name, shape, options) => v.create(name, shape, options)),
    () => ["w", [2], { init: h.onesInit, trainable: true, dtype: "float32" }],
  ),
  call(
    "Variable.assign",
    on(vars, (v, values) => v.create("w", [2]).assign(values)),
    () => [[1, 2]],
    /^assign/,
  ),
  call("hashgrad.scope", h.scope, () => [vars(), "a"]),
  call("hashgrad.variableScope", h.variableScope, () => ["a", { creator: vars() }, () => 1]),
  call("hashgrad.variableCreatorScope", h.variableCreatorScope, () => [vars(), () => 1]),
  call("hashgrad.summary", h.summary, () => [vars()], /^(summary|survey)/),
  call("hashgrad.survey", h.survey, () => [model]),
  call("hashgrad.sizesOf", h.sizesOf, () => [vars()]),
  call("hashgrad.weightsOf", h.weightsOf, () => [vars()]),
  call("hashgrad.constantInit", h.constantInit, () => [1]),
  call("hashgrad.normalInit", h.normalInit, () => [1, 0]),
  call("hashgrad.truncatedNormalInit", h.truncatedNormalInit, () => [1, 0]),
  call("hashgrad.uniformInit", h.uniformInit, () => [0, 1]),
  call("hashgrad.varianceScaling", h.varianceScaling, () => [1, "in", "normal"]),
  call("hashgrad.orthogonal", h.orthogonal, () => [1]),
  ...layers,
  ...madeLayers,
  ...(["sgd", "adam", "adamW", "rmsprop"] as const).map((name) =>
    call(`optim.${name}`, exportsOf.optim[name], () => [params(), { ...common }]),
  ),
  call(
    "OptimizerOptions.groups",
    (...groups: optim.ParameterGroup[]) => optim.sgd(params(), { groups }),
    () => [{ match: "0", learningRate: 0.1, rateFactor: 2, weightDecay: 0.1 }],
    /^sgd/,
  ),
  call(
    "Optimizer.step by a schedule",
    (factor: number) => optim.sgd(params(), { schedule: () => factor }).step(),
    () => [1],
    /^sgd/,
  ),
  call(
    "Optimizer.restore",
    on(optimizer, (o, saved) => o.restore(saved)),
    () => [optimizer().state()],
    /^sgd/,
  ),
  call("optim.clipByValue", optim.clipByValue, () => [params(), 1]),
  call("optim.clipByGlobalNorm", optim.clipByGlobalNorm, () => [params(), 1]),
  call("optim.constant", optim.constant, () => [1]),
  call("optim.stepDecay", optim.stepDecay, () => [{ every: 1, factor: 0.1 }]),
  call("optim.exponentialDecay", optim.exponentialDecay, () => [{ factor: 0.1, every: 1 }]),
  call("optim.cosineDecay", optim.cosineDecay, () => [{ steps: 3, end: 0.1 }]),
  call("optim.warmUp", optim.warmUp, () => [3, optim.constant]),
  call(
    "smh.HashVariablePool",
    made(smh.HashVariablePool),
    () => [
      { poolSize: 20, fraction: 0.5, stddev: 1, indexStore: "basic", trainable: true, seed: 1, name: "p", initializer: "normal" },
    ],
    /^(HashVariablePool|the least)/,
  ),
  call("smh.ProductVariablePool", made(smh.ProductVariablePool), () => [
    {
      poolSize: 20,
      fraction: 1,
      stddev: 1,
      indexStore: "basic",
      trainable: true,
      seed: 1,
      name: "p",
      initializer: "normal",
      useKroneckerProduct: false,
    },
  ]),
  call(
    "smh.MetaVariablePool",
    made(smh.MetaVariablePool),
    () => [{ parts: [new smh.HashVariablePool({ poolSize: 20, fraction: 1 })], reduce: "sum" }],
    /^(Meta|Hash)/,
  ),
  call(
    "Pool.getSlice",
    on(pool, (p, shape) => p.getSlice(shape)),
    () => [[2, 2]],
    /^(getSlice|pool is full)/,
  ),
  call(
    "Pool.check",
    on(pool, (p, length) => p.check(length)),
    () => [2],
    /^(allocate|pool is full)/,
  ),
  ...(["basicStore", "cyclicStore", "paddingStore"] as const).flatMap((name) => [
    call(`smh.${name}`, exportsOf.smh[name], () => [5]),
    call(
      `${name}.allocate`,
      on(
        () => (exportsOf.smh[name] as typeof smh.basicStore)(5),
        (s, n) => s.allocate(n),
      ),
      () => [2],
      /^(allocate|pool is full)/,
    ),
  ]),
  ...(
    "reluModifier constantFanoutScaleModifier fanoutScaleModifier constantFaninScaleModifier variableScaleModifier " +
    "variableFanoutScaleModifier signModifier initializerScaleModifier"
  )
    .split(" ")
    .map((name) =>
      call(
        `smh.${name}`,
        exportsOf.smh[name],
        () => [t(2, 2), context()],
        name === "fanoutScaleModifier" ? /^constantFanoutScaleModifier/ : undefined,
      ),
    ),
  call("smh.composeModifiers", smh.composeModifiers, () => [smh.reluModifier, smh.signModifier]),
  call("models.makeDivisible", models.makeDivisible, () => [12]),
  call("smh.fanoutScale", smh.fanoutScale, () => [[2, 2]]),
  call("smh.poolSizeFor", smh.poolSizeFor, () => [model, { applyTo: "w" }]),
  call("smh.selector", smh.selector, () => ["w"]),
  call("smh.VariableFactory", made(smh.VariableFactory), () => [
    { pool: pool(), applyTo: "w", modifier: null, variables: vars(), seed: 1 },
  ]),
  call(
    "VariableFactory.create",
    on(
      () => new smh.VariableFactory({ pool: pool() }),
      (v, name, shape, options) => v.create(name, shape, options),
    ),
    () => ["w", [2, 2], { init: h.onesInit, trainable: true }],
    /^(create|pool is full)/,
  ),
]);

/** Exports that are no functions to misuse: errors are made by the library, `Tensor` by its functions. */
const exempt = /Error$|^hashgrad\.(Tensor|backend|memory|resetPeak)$|Init$|^hashgrad\.(glorot|he)|^smh\.PADDING$/;

/**
 * Functions that read files, or are asynchronous: test/io/arguments.test.ts, test/onnx, test/data and test/train call
 * them with hostile values.
 */
const elsewhere =
  /^io\.|^onnx\.saveOnnx$|^train\.(train|trainWith|computeBatch|evaluate|predict)$|^data\.(readIdx|readMnist|mnistFolder)$/;

const entryPoints = { hashgrad: h, nn, models, optim, smh, data, io, train, onnx, testing, arbitraries };

test("every public function and class has a valid call in the table", () => {
  const functions = Object.entries(entryPoints).flatMap(([entry, exports]) =>
    Object.entries(exports).flatMap(([name, value]) => (typeof value === "function" ? [`${entry}.${name}`] : [])),
  );
  expect(functions.filter((name) => !good.has(name) && !exempt.test(name) && !elsewhere.test(name))).toEqual([]);
});

/** The valid arguments with each argument, and each field of plain options, replaced in turn. */
function variants(
  args: readonly unknown[],
): { readonly where: string; readonly change: (args: unknown[], value: unknown) => void }[] {
  return args.flatMap((arg, i) => {
    const whole = {
      where: `argument ${i}`,
      change: (all: unknown[], value: unknown): void => {
        all[i] = value;
      },
    };
    const isOptions = typeof arg === "object" && arg !== null && Object.getPrototypeOf(arg) === Object.prototype;
    if (!isOptions) return [whole];
    const fields = Object.keys(arg).map((key) => ({
      where: `argument ${i}.${key}`,
      change: (all: unknown[], value: unknown): void => {
        all[i] = { ...(all[i] as object), [key]: value };
      },
    }));
    return [whole, ...fields];
  });
}

/**
 * What is wrong with one call: null if it returned sound shapes or threw an error of the library that names the
 * function.
 */
function complaint(name: string, { run, says }: Call, args: unknown[]): string | null {
  const begin = performance.now();
  let result: unknown;
  try {
    result = run(...(args as never[]));
  } catch (error) {
    if (!(error instanceof h.HashgradError))
      return `threw ${error instanceof Error ? `${error.name}: ${error.message}` : String(error)}`;
    const own = new RegExp(`^${name.slice(name.lastIndexOf(".") + 1)}`);
    const recycled = error instanceof h.RecycledError;
    return recycled || (says ?? own).test(error.message) ? null : `does not name the function: ${error.message}`;
  }
  if (performance.now() - begin > 10_000) return `took ${performance.now() - begin} ms`;
  const tensors = (Array.isArray(result) ? result : [result]).filter((x) => x instanceof h.Tensor);
  const wrong = tensors.find(
    (x) => !x.shape.every((n: unknown) => Number.isSafeInteger(n)) || x.shape.reduce((a, b) => a * b, 1) !== x.size,
  );
  return wrong === undefined ? null : `returned a tensor of shape [${wrong.shape}] and ${wrong.size} numbers`;
}

describe("a hostile argument gives a correct result or an error that names the function", () => {
  test.each([...good])("%s", (name, made) => {
    expect(complaint(name, made, made.args())).toBeNull(); // the valid call
    const found: string[] = [];
    for (const { where, change } of variants(made.args())) {
      for (const [value, make] of Object.entries(hostile)) {
        const args = made.args();
        change(args, make());
        const wrong = complaint(name, made, args);
        if (wrong !== null) found.push(`${where} = ${value}: ${wrong}`);
      }
    }
    expect(found).toEqual([]);
  });
});

describe("deep, long and cyclic lists", () => {
  test("tensor() refuses lists that are nested deeper than the most axes of a tensor", () => {
    let deep: unknown = [1];
    for (let i = 0; i < 20_000; i++) deep = [deep];
    for (const list of [deep, cyclic]) expect(() => h.tensor(list as h.Nested)).toThrow(h.ShapeError);
  });

  test("step keeps the tensors of a cyclic and of a deep structure, and the identity of the structure", () => {
    type Ring = { x: h.Tensor; self?: Ring };
    const ring = h.step(() => {
      const made: Ring = { x: h.add(t(2), 1) };
      made.self = made;
      return made;
    });
    let deep = h.step(() => {
      let list: unknown = h.add(t(2), 1);
      for (let i = 0; i < 20_000; i++) list = [list];
      return list;
    });
    for (let i = 0; i < 3; i++) h.step(() => void t(64));
    expect(ring.self).toBe(ring);
    expect(ring.x.toNested()).toEqual([1.5, 1.5]);
    while (Array.isArray(deep)) deep = deep[0];
    expect((deep as h.Tensor).toNested()).toEqual([1.5, 1.5]);
  });

  test("summary lists 200,000 variables, and scopes nest 10,000 deep", () => {
    const many: h.Model = (v) => {
      for (let i = 0; i < 200_000; i++) v.create(`w${i}`, []);
    };
    expect(h.summary(many).split("\n")).toHaveLength(200_003);
    let inner: h.VariableCreator = vars();
    for (let i = 0; i < 10_000; i++) inner = h.scope(inner, "s");
    expect(inner.create("w", [2]).name).toHaveLength(20_001);
    expect(inner.variables()).toHaveLength(1);
  });

  test("uniqueNames, shared and variable scopes nest 10,000 deep", () => {
    let [numbered, reusing] = [vars() as h.VariableCreator, vars() as h.VariableCreator];
    for (let i = 0; i < 10_000; i++) {
      numbered = h.variableCreatorScope(h.scope(numbered, "s"), (inner) => inner);
      reusing = h.variableScope("s", { creator: reusing }, (inner) => inner);
    }
    const [first, second] = [numbered.create("w", [2]), numbered.create("w", [2])];
    expect([first.name.length, second.name.slice(-4)]).toEqual([20_001, "/w_1"]);
    expect(reusing.create("w", [2])).toBe(reusing.create("w", [2]));
  });
});

describe("parameters", () => {
  test("a scope lists only its own variables and parameters", () => {
    const all = vars();
    const [a, b] = [h.scope(all, "a"), h.scope(all, "b")];
    for (const part of [a, b]) nn.dense(part, 2, 3);
    expect([...a.parameters(), ...b.parameters()].map(({ name }) => name)).toEqual(["a/kernel", "a/bias", "b/kernel", "b/bias"]);
    expect(b.variables().map(({ name }) => name)).toEqual(["b/kernel", "b/bias"]);
  });

  test("a scope of a factory lists its scales and biases, and the pool's factors if the scope has a slice of the pool", () => {
    const factory = new smh.VariableFactory({ pool: pool() });
    const [a, b] = [h.scope(factory, "a"), h.scope(factory, "b")];
    nn.dense(a, 2, 3);
    b.create("offset", [3]);
    expect(a.parameters().map(({ name }) => name)).toEqual(["hash", "a/kernel/scale", "a/bias"]);
    expect(b.parameters().map(({ name }) => name)).toEqual(["b/offset"]);
    expect(() => optim.adam([...a.parameters(), ...a.parameters()]).step()).not.toThrow();
  });

  test("a schedule that gives NaN, a negative or an infinite number changes nothing", () => {
    for (const factor of [Number.NaN, -1, Number.POSITIVE_INFINITY]) {
      const [x] = params();
      const o = optim.sgd([x!], { schedule: () => factor });
      expect(() => o.step()).toThrow(h.ValueError);
      expect([o.steps, x!.toArray(), x!.grad!.toArray()]).toEqual([0, Float32Array.of(0.5, 0.5), Float32Array.of(1, 1)]);
    }
  });
});

test("range excludes its end, even after rounding to float32", () => {
  expect([h.range(1, 1.3, 0.1).size, h.range(1.3, 1, -0.1).size, h.range(0, 1, 0.1).size, h.range(0, 0).size]).toEqual([
    3, 3, 10, 0,
  ]);
  expect(() => h.range(0, 1e38, 1e-3)).toThrow(h.ValueError);
});

test("a pool refuses an index store that returns ranges outside the pool", () => {
  for (const begin of [-2, 0.5, 19, Number.NaN]) {
    const store = (size: number): smh.IndexStore => ({
      size,
      current: 0,
      check: () => undefined,
      allocate: (length) => [{ begin, length }],
    });
    const wrong = new smh.HashVariablePool({ poolSize: 20, fraction: 0.5, indexStore: store });
    expect(() => wrong.getSlice([2, 2])).toThrow(h.HashgradError);
  }
});
