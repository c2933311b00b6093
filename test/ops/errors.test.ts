import { describe, expect, test } from "vitest";
import * as ops from "../../src/ops/index.ts";
import { ones, ShapeError, type Tensor, tensor, ValueError, zeros } from "../../src/tensor/index.ts";
import { unaries } from "./unary.ts";

const z = (...shape: number[]): Tensor => zeros(shape);
const pairText = "a [2, 3] and b [2]: lengths must be equal or 1, counted from the last axis; 3 is not 2";

/** For each op: a call that must fail, the class of its error, and the text after the op's name. */
type Failure = readonly [call: () => unknown, error: typeof ShapeError | typeof ValueError, text: string];

const failures: Readonly<Record<string, readonly Failure[]>> = {
  add: [[() => ops.add(z(2, 3), z(2)), ShapeError, pairText]],
  sub: [[() => ops.sub(z(2, 3), z(2)), ShapeError, pairText]],
  trace: [
    [
      () => Reflect.apply(ops.trace, null, [async () => z(1), []]),
      ValueError,
      "the function must not be async; await outside, and call trace with what was awaited",
    ],
    [() => ops.trace(() => null as never, []), ValueError, "the result of fn must be a list, got null"],
  ],
  mul: [[() => ops.mul(z(2, 3), z(2)), ShapeError, pairText]],
  mulUnlessZero: [[() => ops.mulUnlessZero(z(2, 3), z(2)), ShapeError, pairText]],
  div: [[() => ops.div(z(2, 3), z(2)), ShapeError, pairText]],
  pow: [[() => ops.pow(z(2, 3), z(2)), ShapeError, pairText]],
  maximum: [[() => ops.maximum(z(2, 3), z(2)), ShapeError, pairText]],
  minimum: [[() => ops.minimum(z(2, 3), z(2)), ShapeError, pairText]],
  where: [
    [() => ops.where(z(1), z(2, 3), z(2)), ShapeError, pairText],
    [
      () => ops.where(z(4), z(2, 3), 0),
      ShapeError,
      "a [4] and b [2, 3]: lengths must be equal or 1, counted from the last axis; 4 is not 3",
    ],
  ],
  clip: [[() => ops.clip(z(1), 2, 1), ValueError, "low must not be above high, got 2 and 1"]],
  dropout: [
    [() => ops.dropout(z(1), 1, Math.random), ValueError, "rate must be a finite number at least 0 and below 1, got 1"],
    [
      () => ops.dropout(z(1), Number.NaN, Math.random),
      ValueError,
      "rate must be a finite number at least 0 and below 1, got NaN",
    ],
  ],
  matmul: [
    [() => ops.matmul(z(2, 3), z(2, 3)), ShapeError, "a [2, 3] · b [2, 3]: need [m, k] · [k, n] with the same k"],
    [() => ops.matmul(z(2), z(3, 2)), ShapeError, "a [2] · b [3, 2]: need the same k: [k] or [m, k] · [k] or [k, n]"],
    [() => ops.matmul(z(2, 3), z(2)), ShapeError, "a [2, 3] · b [2]: need the same k: [k] or [m, k] · [k] or [k, n]"],
    [() => ops.matmul(z(), z(2)), ShapeError, "a [] · b [2]: need the same k: [k] or [m, k] · [k] or [k, n]"],
    [() => ops.matmul(z(2), z(2), { transposeB: true }), ValueError, "transposeB must be left out: b is a vector"],
    [
      () => ops.matmul(z(2, 3), z(2, 3), { transposeA: true, transposeB: true }),
      ShapeError,
      "aᵀ [2, 3] · bᵀ [2, 3]: need [m, k] · [k, n] with the same k",
    ],
    [
      () => ops.matmul(z(2, 1, 1), z(3, 1, 1)),
      ShapeError,
      "a [2] and b [3]: lengths must be equal or 1, counted from the last axis; 2 is not 3",
    ],
  ],
  conv2d: [
    [
      () => ops.conv2d(z(1, 5, 5, 3), z(3, 3, 2, 4)),
      ShapeError,
      "x [1, 5, 5, 3], kernel [3, 3, 2, 4], groups 1: need [batch, height, width, channels] and [kernelHeight, kernelWidth, channels/groups, outputs], outputs a multiple of groups",
    ],
    [
      () => ops.conv2d(z(1, 5, 5, 4), z(3, 3, 2, 3), { groups: 2 }),
      ShapeError,
      "x [1, 5, 5, 4], kernel [3, 3, 2, 3], groups 2: need [batch, height, width, channels] and [kernelHeight, kernelWidth, channels/groups, outputs], outputs a multiple of groups",
    ],
    [() => ops.conv2d(z(1, 5, 5, 3), z(3, 3, 3, 4), { bias: z(3) }), ShapeError, "bias [3] must be [4], one number per output"],
    [
      () => ops.conv2d(z(1, 2, 5, 1), z(3, 3, 1, 1)),
      ShapeError,
      'x [1, 2, 5, 1]: a window of 3 does not fit into 2 pixels with padding [0, 0]; use "same"',
    ],
    [
      () => ops.conv2d(z(1, 5, 5, 1), z(3, 3, 1, 1), { strides: 0 }),
      ShapeError,
      "window 3, stride 0, dilation 1: need whole numbers of at least 1 and below 2^31",
    ],
    [
      () =>
        ops.conv2d(z(1, 5, 5, 1), z(3, 3, 1, 1), {
          padding: [
            [0, -1],
            [0, 0],
          ],
        }),
      ShapeError,
      "padding [0, -1]: need whole numbers of at least 0 and below 2^31",
    ],
  ],
  depthwiseConv2d: [
    [
      () => ops.depthwiseConv2d(z(1, 5, 5, 3), z(3, 3, 2, 1)),
      ShapeError,
      "x [1, 5, 5, 3], kernel [3, 3, 2, 1]: need [batch, height, width, channels] and [kernelHeight, kernelWidth, channels, multiplier]",
    ],
    [
      () => ops.depthwiseConv2d(z(1, 5, 5, 2), z(3, 3, 2, 2), { bias: z(2) }),
      ShapeError,
      "bias [2] must be [4], one number per output",
    ],
  ],
  conv1d: [
    [
      () => ops.conv1d(z(1, 5, 3), z(3, 2, 4)),
      ShapeError,
      "x [1, 5, 3], kernel [3, 2, 4], groups 1: need [batch, length, channels] and [kernelLength, channels/groups, outputs], outputs a multiple of groups",
    ],
    [() => ops.conv1d(z(1, 5, 3), z(3, 3, 4), { bias: z(3) }), ShapeError, "bias [3] must be [4], one number per output"],
    [
      () => ops.conv1d(z(1, 2, 1), z(3, 1, 1)),
      ShapeError,
      'x [1, 2, 1]: a window of 3 does not fit into 2 pixels with padding [0, 0]; use "same"',
    ],
    [
      () => ops.conv1d(z(1, 5, 1), z(3, 1, 1), { padding: "full" as "same" }),
      ShapeError,
      'padding "full": need a whole number, "same", "valid" or [before, after]',
    ],
  ],
  conv2dTranspose: [
    [
      () => ops.conv2dTranspose(z(1, 5, 5, 3), z(3, 3, 3, 4)),
      ShapeError,
      "x [1, 5, 5, 3], kernel [3, 3, 3, 4], groups 1: need [batch, height, width, channels] and [kernelHeight, kernelWidth, outputs/groups, channels], channels a multiple of groups",
    ],
    [
      () => ops.conv2dTranspose(z(1, 5, 5, 3), z(3, 3, 4, 3), { strides: 2, outputPadding: 2 }),
      ValueError,
      "outputPadding must be a whole number of at least 0 and at most 1, got 2",
    ],
    [
      () => ops.conv2dTranspose(z(1, 1, 5, 3), z(3, 3, 4, 3), { padding: 2 }),
      ShapeError,
      "x [1, 1, 5, 3]: a window of 3 with stride 1 and padding [2, 2] makes no pixel of 1",
    ],
    [
      () => ops.conv2dTranspose(z(1, 5, 5, 3), z(3, 3, 4, 3), { bias: z(3) }),
      ShapeError,
      "bias [3] must be [4], one number per output",
    ],
  ],
  resize: [
    [
      () => ops.resize(z(4, 4, 1), [2, 2]),
      ShapeError,
      "x [4, 4, 1] to size [2, 2]: need [batch, height, width, channels] and [height, width], all four lengths of at least 1",
    ],
    [
      () => ops.resize(z(1, 4, 4, 1), [2, 0]),
      ShapeError,
      "x [1, 4, 4, 1] to size [2, 0]: need [batch, height, width, channels] and [height, width], all four lengths of at least 1",
    ],
    [
      () => ops.resize(z(1, 4, 4, 1), [2, 2], { alignCorners: true }),
      ValueError,
      'alignCorners has no meaning for method "nearest"; leave it out, or choose "bilinear"',
    ],
  ],
  maxPool1d: [
    [() => ops.maxPool1d(z(2, 2), 2), ShapeError, "x [2, 2]: need sequences [batch, length, channels]"],
    [
      () => ops.maxPool1d(z(1, 4, 1), 2, { padding: 2 }),
      ShapeError,
      "padding 2 leaves windows without a pixel; it must be smaller than the window",
    ],
  ],
  avgPool1d: [
    [
      () => ops.avgPool1d(z(1, 2, 1), 3),
      ShapeError,
      'x [1, 2, 1]: a window of 3 does not fit into 2 pixels with padding [0, 0]; use "same"',
    ],
  ],
  maxPool2d: [
    [
      () => ops.maxPool2d(z(1, 4, 4, 1), 2, { padding: 2 }),
      ShapeError,
      "padding 2 leaves windows without a pixel; it must be smaller than the window",
    ],
    [
      () => ops.maxPool2d(z(1, 4, 4, 1), 2, { padding: "full" as "same" }),
      ShapeError,
      'padding "full": need a whole number, "same", "valid" or [[top, bottom], [left, right]]',
    ],
    [() => ops.maxPool2d(z(2, 2), 2), ShapeError, "x [2, 2]: need images [batch, height, width, channels]"],
    [
      () =>
        ops.maxPool2d(z(1, 4, 4, 1), 2, {
          padding: [
            [2, 0],
            [0, 0],
          ],
        }),
      ShapeError,
      "padding [[2,0],[0,0]] leaves windows without a pixel; it must be smaller than the window",
    ],
  ],
  avgPool2d: [
    [
      () => ops.avgPool2d(z(1, 2, 2, 1), 3),
      ShapeError,
      'x [1, 2, 2, 1]: a window of 3 does not fit into 2 pixels with padding [0, 0]; use "same"',
    ],
    [
      () =>
        ops.avgPool2d(z(1, 4, 4, 1), 2, {
          padding: [
            [0, 0],
            [0, 2],
          ],
        }),
      ShapeError,
      "padding [[0,0],[0,2]] leaves windows without a pixel; it must be smaller than the window",
    ],
  ],
  globalAvgPool2d: [[() => ops.globalAvgPool2d(z(2, 3)), ShapeError, "x [2, 3]: need images [batch, height, width, channels]"]],
  sum: [
    [() => ops.sum(z(2, 3), 2), ShapeError, "axis 2 does not exist in x [2, 3]: axes go from -2 to 1"],
    [
      () => Reflect.apply(ops.sum, null, [z(2, 3), { keepDims: true }]),
      ValueError,
      "axis must be a whole number or a list of them, got an object with the keys keepDims; options come after axis",
    ],
  ],
  mean: [[() => ops.mean(z(2, 3), [1, -1]), ShapeError, "axis [1, 1] of x [2, 3]: each axis once"]],
  max: [
    [() => ops.max(z(2, 0), 1), ShapeError, "x [2, 0] has nothing along axis [1]: there is no max of no numbers"],
    [() => ops.max(z(), 0), ShapeError, "axis 0 does not exist in x []: a scalar has no axes"],
  ],
  min: [[() => ops.min(z(0)), ShapeError, "x [0] has nothing along axis [0]: there is no min of no numbers"]],
  argMax: [
    [() => ops.argMax(z(2, 0)), ShapeError, "x [2, 0] has nothing along axis 1: there is no max of no numbers"],
    [() => ops.argMax(z(2), 0.5), ShapeError, "axis 0.5 does not exist in x [2]: axes go from -1 to 0"],
  ],
  equal: [[() => ops.equal(z(2, 3), z(2)), ShapeError, pairText]],
  notEqual: [[() => ops.notEqual(z(2, 3), z(2)), ShapeError, pairText]],
  less: [[() => ops.less(z(2, 3), z(2)), ShapeError, pairText]],
  lessEqual: [[() => ops.lessEqual(z(2, 3), z(2)), ShapeError, pairText]],
  greater: [[() => ops.greater(z(2, 3), z(2)), ShapeError, pairText]],
  greaterEqual: [[() => ops.greaterEqual(z(2, 3), z(2)), ShapeError, pairText]],
  prod: [[() => ops.prod(z(2, 3), 2), ShapeError, "axis 2 does not exist in x [2, 3]: axes go from -2 to 1"]],
  norm: [
    [() => ops.norm(z(2, 3), 2), ShapeError, "axis 2 does not exist in x [2, 3]: axes go from -2 to 1"],
    [() => ops.norm(z(2, 3), [0, 0]), ShapeError, "axis [0, 0] of x [2, 3]: each axis once"],
  ],
  logSumExp: [[() => ops.logSumExp(z(2, 3), 2), ShapeError, "axis 2 does not exist in x [2, 3]: axes go from -2 to 1"]],
  cumsum: [
    [() => ops.cumsum(z(2, 3), 2), ShapeError, "axis 2 does not exist in x [2, 3]: axes go from -2 to 1"],
    [() => ops.cumsum(z()), ShapeError, "axis -1 does not exist in x []: a scalar has no axes"],
  ],
  variance: [
    [() => ops.variance(z(2, 3), 2), ShapeError, "axis 2 does not exist in x [2, 3]: axes go from -2 to 1"],
    [() => ops.variance(z(2), 0, { correction: -1 }), ValueError, "correction must be a finite number at least 0, got -1"],
  ],
  standardDeviation: [
    [() => ops.standardDeviation(z(2, 3), 2), ShapeError, "axis 2 does not exist in x [2, 3]: axes go from -2 to 1"],
  ],
  flip: [[() => ops.flip(z(2, 3), 2), ShapeError, "axis 2 does not exist in x [2, 3]: axes go from -2 to 1"]],
  argMin: [
    [() => ops.argMin(z(2, 0)), ShapeError, "x [2, 0] has nothing along axis 1: there is no min of no numbers"],
    [() => ops.argMin(z()), ShapeError, "axis -1 does not exist in x []: a scalar has no axes"],
  ],
  topK: [
    [() => ops.topK(z(2, 3), 4), ValueError, "k must be a whole number of at least 0 and at most 3, got 4"],
    [() => ops.topK(z(), 1), ShapeError, "axis -1 does not exist in x []: a scalar has no axes"],
  ],
  expandDims: [[() => ops.expandDims(z(2), 2), ValueError, "axis must be a whole number of at least -2 and at most 1, got 2"]],
  squeeze: [
    [() => ops.squeeze(z(1, 3), 1), ShapeError, "axis 1 of x [1, 3] has length 3: need length 1"],
    [() => ops.squeeze(z(1), 1), ShapeError, "axis 1 does not exist in x [1]: axes go from -1 to 0"],
  ],
  tile: [
    [() => ops.tile(z(2), [-1]), ValueError, "repeats[0] must be a whole number of at least 0, got -1"],
    [() => ops.tile(z(2), [2 ** 32]), ShapeError, "shape [8589934592] is too large: a tensor has fewer than 2^32 numbers"],
  ],
  eye: [
    [() => ops.eye(-1), ValueError, "rows must be a whole number of at least 0, got -1"],
    [() => ops.eye(2, 0.5), ValueError, "columns must be a whole number of at least 0, got 0.5"],
  ],
  tril: [
    [() => ops.tril(z(2)), ShapeError, "x [2]: need matrices [..., rows, columns]"],
    [() => ops.tril(z(2, 2), 0.5), ValueError, "diagonal must be a whole number, got 0.5"],
  ],
  triu: [[() => ops.triu(z()), ShapeError, "x []: need matrices [..., rows, columns]"]],
  gelu: [[() => ops.gelu(z(2), { approximate: "erf" as "none" }), ValueError, 'approximate must be "tanh" or "none", got "erf"']],
  elu: [[() => ops.elu(z(2), Number.NaN), ValueError, "alpha must be a finite number, got NaN"]],
  flatten: [[() => ops.flatten(z()), ShapeError, "a scalar has no batch axis"]],
  reshape: [
    [() => ops.reshape(z(2, 3), [4]), ShapeError, "x [2, 3] has 6 elements, [4] cannot hold exactly these"],
    [() => ops.reshape(z(2, 3), [4, -1]), ShapeError, "x [2, 3] has 6 elements, [4, -1] cannot hold exactly these"],
    [() => ops.reshape(z(2, 3), [-1, -1]), ShapeError, "x [2, 3] has 6 elements, [-1, -1] cannot hold exactly these"],
  ],
  transpose: [
    [() => ops.transpose(z(2, 3), [0, 0]), ShapeError, "order [0, 0] of x [2, 3]: name each of the 2 axes once"],
    [() => ops.transpose(z(2, 3), [0, 2]), ShapeError, "axis 2 does not exist in x [2, 3]: axes go from -2 to 1"],
  ],
  broadcastTo: [
    [
      () => ops.broadcastTo(z(2), [3]),
      ShapeError,
      "a [2] and b [3]: lengths must be equal or 1, counted from the last axis; 2 is not 3",
    ],
    [
      () => ops.broadcastTo(z(2, 3), [1, 3]),
      ShapeError,
      "x [2, 3] does not broadcast to [1, 3]: its lengths must be 1 or equal, counted from the last axis",
    ],
    [() => ops.broadcastTo(z(1), [-1]), ShapeError, "a shape is a list of whole numbers of at least 0, got [-1]"],
  ],
  slice: [
    [() => ops.slice(z(2, 3), [1, 0, 0]), ShapeError, "begin [1, 0, 0] of x [2, 3]: need at most one number per axis"],
    [() => ops.slice(z(2), [0], [1, 1]), ShapeError, "size [1, 1] of x [2]: need at most one number per axis"],
    [() => ops.slice(z(2, 3), [1, 2], [1, 2]), ShapeError, "begin [1, 2], size [1, 2] leaves x [2, 3] at axis 1"],
    [() => ops.slice(z(2), [-3]), ShapeError, "begin [-3] leaves x [2] at axis 0"],
    [() => ops.slice(z(2), [1], [-3]), ShapeError, "begin [1], size [-3] leaves x [2] at axis 0"],
    [() => ops.slice(z(2), [0], [2], { strides: [0] }), ValueError, "strides[0] must not be 0; -1 goes backwards"],
    [() => ops.slice(z(2), [0], [2], { strides: [1.5] }), ValueError, "strides[0] must be a whole number, got 1.5"],
  ],
  cyclicSlice: [
    [() => ops.cyclicSlice(z(0), 0, 1), ShapeError, "x [0]: need a vector that is not empty"],
    [() => ops.cyclicSlice(z(2, 2), 0, 1), ShapeError, "x [2, 2]: need a vector that is not empty"],
    [() => ops.cyclicSlice(z(2), -1, 1), ValueError, "begin must be a whole number of at least 0, got -1"],
  ],
  concat: [
    [() => ops.concat([]), ShapeError, "need at least one tensor"],
    [() => ops.concat([z(2, 3), z(2, 4)]), ShapeError, "[2, 3] and [2, 4] along axis 0: all other lengths must be equal"],
    [() => ops.concat([z(2), z(2)], 1), ShapeError, "axis 1 does not exist in x [2]: axes go from -1 to 0"],
  ],
  stack: [
    [() => ops.stack([]), ShapeError, "need at least one tensor"],
    [() => ops.stack([z(2), z(3)]), ShapeError, "[2] and [3]: all shapes must be equal"],
  ],
  split: [
    [() => ops.split(z(5), 2), ShapeError, "x [5] does not split into 2 equal parts along axis 0, whose length is 5"],
    [
      () => ops.split(z(2, 3), [1, 1], 1),
      ShapeError,
      "x [2, 3] does not split into parts [1, 1] along axis 1, whose length is 3",
    ],
    [() => ops.split(z(5), -1), ShapeError, "x [5] does not split into -1 equal parts along axis 0, whose length is 5"],
    [() => ops.split(z(3), 1.5), ShapeError, "x [3] does not split into 1.5 equal parts along axis 0, whose length is 3"],
  ],
  pad: [
    [() => ops.pad(z(2), []), ShapeError, "padding [] of x [2]: need [before, after] of at least 0 for each axis"],
    [() => ops.pad(z(2), [[-1, 0]]), ShapeError, "padding [[-1, 0]] of x [2]: need [before, after] of at least 0 for each axis"],
  ],
  take: [
    [() => ops.take(z(3, 2), tensor([[0, 3]])), ValueError, "indices[1] must be a whole number from 0 to 2, got 3"],
    [() => ops.take(z(), tensor([0])), ShapeError, "axis 0 does not exist in x []: a scalar has no axes"],
  ],
  gather: [
    [
      () => ops.gather(z(3, 2), tensor([[0, 3]]) as never),
      ValueError,
      "indices must be a list or an Int32Array, got a tensor; take(x, indices, axis) reads tensors",
    ],
    [() => ops.gather(z(3, 2), [0, 3]), ValueError, "indices[1] must be a whole number from 0 to 2, got 3"],
    [() => ops.gather(z(3, 2), [-1], 1), ValueError, "indices[0] must be a whole number from 0 to 1, got -1"],
    [() => ops.gather(z(3), [0.5]), ValueError, "indices[0] must be a whole number from 0 to 2, got 0.5"],
    [() => ops.gather(z(), [0]), ShapeError, "axis 0 does not exist in x []: a scalar has no axes"],
  ],
  softmax: [[() => ops.softmax(z(2), 1), ShapeError, "axis 1 does not exist in x [2]: axes go from -1 to 0"]],
  logSoftmax: [[() => ops.logSoftmax(z()), ShapeError, "axis -1 does not exist in x []: a scalar has no axes"]],
  batchNormTraining: [
    [() => ops.batchNormTraining(z(4, 3), z(2), z(3)), ShapeError, "gamma [2] must be [3], the last axis of x [4, 3]"],
    [() => ops.batchNormTraining(z(), z(1), z(1)), ShapeError, "x [] needs a last axis that is not empty"],
    [
      () => ops.batchNormTraining(z(4, 3), z(3), z(3), 0.1, { activation: "gelu" as "silu" }),
      ValueError,
      'activation must be "none", "relu", "relu6", "hardSwish" or "silu", got "gelu"',
    ],
  ],
  batchNormInference: [
    [
      () => ops.batchNormInference(z(4, 3), z(3), z(3), z(3), z(1, 3)),
      ShapeError,
      "variance [1, 3] must be [3], the last axis of x [4, 3]",
    ],
  ],
  layerNorm: [
    [() => ops.layerNorm(z(4, 3), z(3), z(4)), ShapeError, "beta [4] must be [3], the last axis of x [4, 3]"],
    [() => ops.layerNorm(z(4, 0), z(0), z(0)), ShapeError, "x [4, 0] needs a last axis that is not empty"],
  ],
  crossEntropy: [
    [() => ops.crossEntropy(z(), [0]), ShapeError, "logits []: need [..., classes]"],
    [() => ops.crossEntropy(z(2, 3), [0]), ShapeError, "1 labels for logits [2, 3]: need one per row"],
    [
      () => ops.crossEntropy(z(2, 3), z(3)),
      ShapeError,
      "target [3] must have the shape of logits [2, 3] (probabilities) or [2] (labels)",
    ],
    [() => ops.crossEntropy(z(2, 4, 3), [0, 1]), ShapeError, "2 labels for logits [2, 4, 3]: need one per row"],
    [() => ops.crossEntropy(z(1, 3), tensor([0.5])), ValueError, "target[0] must be a whole number from 0 to 2, got 0.5"],
    [
      () => ops.crossEntropy(z(2, 3), [-1, -2], { ignoreIndex: -1 }),
      ValueError,
      "target[1] must be a whole number from 0 to 2, got -2",
    ],
    [() => ops.crossEntropy(z(1, 3), [0], { ignoreIndex: 0.5 }), ValueError, "ignoreIndex must be a whole number, got 0.5"],
    [
      () => ops.crossEntropy(z(1, 3), z(1, 3), { ignoreIndex: 0 }),
      ValueError,
      "ignoreIndex needs labels, the target holds probabilities; set the ignored rows to 0",
    ],
    [
      () => ops.crossEntropy(z(1, 3), [0], { classWeights: [1, 2] }),
      ShapeError,
      "2 class weights for 3 classes: need one per class",
    ],
    [
      () => ops.crossEntropy(z(1, 3), [0], { classWeights: [1, -2, 1] }),
      ValueError,
      "classWeights[1] must be a finite number at least 0, got -2",
    ],
    [() => ops.crossEntropy(z(1, 3), [3]), ValueError, "target[0] must be a whole number from 0 to 2, got 3"],
    [
      () => ops.crossEntropy(z(1, 3), [0], { labelSmoothing: 1.5 }),
      ValueError,
      "labelSmoothing must be a finite number at least 0 and at most 1, got 1.5",
    ],
  ],
  meanSquaredError: [
    [() => ops.meanSquaredError(z(2), z(2, 1)), ShapeError, "prediction [2] and target [2, 1] must have the same shape"],
  ],
  meanAbsoluteError: [
    [() => ops.meanAbsoluteError(z(2), z(2, 1)), ShapeError, "prediction [2] and target [2, 1] must have the same shape"],
  ],
  huber: [
    [() => ops.huber(z(2), z(3)), ShapeError, "prediction [2] and target [3] must have the same shape"],
    [() => ops.huber(z(2), z(2), { delta: 0 }), ValueError, "delta must be a finite number above 0, got 0"],
  ],
  klDivergence: [
    [() => ops.klDivergence(z(2), z(3)), ShapeError, "logProbabilities [2] and target [3] must have the same shape"],
    [() => ops.klDivergence(z(), z()), ShapeError, "logProbabilities []: need [..., classes]"],
  ],
  einsum: [
    [
      () => ops.einsum("ij,jk", z(2, 3), z(3, 4)),
      ValueError,
      'equation "ij,jk": need two operands and a result, such as "ij,jk->ik"',
    ],
    [
      () => ops.einsum("ii,ij->j", z(2, 2), z(2, 3)),
      ValueError,
      'equation "ii,ij->j": label "i" stands twice in "ii"; diagonals are not supported',
    ],
    [
      () => ops.einsum("ij,jk->il", z(2, 3), z(3, 4)),
      ValueError,
      'equation "ij,jk->il": label "l" of the result is in no operand',
    ],
    [() => ops.einsum("ij,jk->ik", z(2), z(3, 4)), ShapeError, 'a [2] has 1 axes, "ij" names 2'],
    [() => ops.einsum("ij,jk->ik", z(2, 3), z(4, 5)), ShapeError, 'a [2, 3], b [4, 5]: label "j" is 3 and 4 long'],
  ],
  binaryCrossEntropyWithLogits: [
    [() => ops.binaryCrossEntropyWithLogits(z(2), ones([3])), ShapeError, "logits [2] and target [3] must have the same shape"],
  ],
  oneHot: [
    [() => ops.oneHot([0, 2], 2), ValueError, "labels[1] must be a whole number from 0 to 1, got 2"],
    [() => ops.oneHot([], -1), ValueError, "classes must be a whole number of at least 0, got -1"],
  ],
};

/** Ops that take a tensor of any shape and any numbers. */
const unfailing = [...Object.keys(unaries), "leakyRelu", "straightThroughSign"];

describe.each(Object.entries(failures))("the error of %s names the op, the arguments and the rule", (op, cases) => {
  test.each(cases)("%#", (call, error, text) => {
    expect(call).toThrow(new error(op, text));
    expect(call).toThrow(error);
  });
});

test("every public op has error tests here or accepts any tensor", () => {
  const functions = Object.entries(ops).flatMap(([name, value]) => (typeof value === "function" ? [name] : []));
  expect([...Object.keys(failures), ...unfailing].sort()).toEqual(functions.sort());
});

test("a list in place of a tensor or a number raises an error that names the remedy", () => {
  const list: unknown = [1, 2];
  expect(() => ops.add(tensor([1, 2]), list as number)).toThrow(
    new ValueError("add", "b must be a tensor, got a list of 2; make one with tensor(...)"),
  );
});
