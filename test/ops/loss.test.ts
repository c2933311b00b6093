import { expect, test } from "vitest";
import {
  binaryCrossEntropyWithLogits,
  crossEntropy,
  huber,
  klDivergence,
  logSoftmax,
  meanAbsoluteError,
  meanSquaredError,
  oneHot,
  softmax,
} from "../../src/ops/index.ts";
import { gradients, ones, type Tensor, tensor, variable, zeros } from "../../src/tensor/index.ts";

const logits = tensor([
  [2, -1, 0.5],
  [0, 3, 1],
  [1, 1, 1],
]);
const labels = [0, 2, 1];
const close = (x: Tensor, want: number[]): void => expect([...x.data]).toEqual(want.map((v) => expect.closeTo(v, 5)));

const logSoftmaxOf = (row: number[]): number[] => {
  const total = Math.log(row.reduce((sum, v) => sum + Math.exp(v), 0));
  return row.map((v) => v - total);
};
const rows = [0, 1, 2].map((i) => logSoftmaxOf([...logits.data.subarray(3 * i, 3 * i + 3)]));
const losses = labels.map((label, i) => -rows[i]![label]!);

test("cross entropy is −log softmax at the label, reduced by mean, sum or not at all", () => {
  const total = losses.reduce((a, b) => a + b);
  close(crossEntropy(logits, labels, { reduction: "none" }), losses);
  close(crossEntropy(logits, Int32Array.from(labels), { reduction: "sum" }), [total]);
  close(crossEntropy(logits, labels), [total / 3]);
});

test("one-hot targets and labels give the same losses and gradients, smoothed or not", () => {
  for (const labelSmoothing of [0, 0.1, 1]) {
    const [x, z] = [variable(logits), variable(logits)];
    const a = crossEntropy(x, labels, { labelSmoothing });
    const b = crossEntropy(z, oneHot(labels, 3), { labelSmoothing });
    expect(a.item()).toBeCloseTo(b.item(), 5);
    close(gradients(a, [x])[0]!, [...gradients(b, [z])[0]!.data]);
  }
});

test("label smoothing distributes its share over all classes", () => {
  const want = labels.map((label, i) => {
    const mean = rows[i]!.reduce((a, b) => a + b) / 3;
    return -0.7 * rows[i]![label]! - 0.3 * mean;
  });
  close(crossEntropy(logits, labels, { labelSmoothing: 0.3, reduction: "none" }), want);
});

test("the loss of large logits is their distance and does not overflow", () => {
  close(crossEntropy(tensor([[1000, 0]]), [1]), [1000]);
  close(crossEntropy(tensor([[1000, 0]]), [0]), [0]);
  close(crossEntropy(tensor([[1e38, -1e38]]), [0]), [0]);
  close(binaryCrossEntropyWithLogits(tensor([1000, -1000]), tensor([0, 0]), { reduction: "none" }), [1000, 0]);
});

test("changing the labels after the loss does not change the gradient of the loss", () => {
  const [x, mine] = [variable(logits), Int32Array.from(labels)];
  const loss = crossEntropy(x, mine);
  mine.fill(0);
  close(gradients(loss, [x])[0]!, [...gradients(crossEntropy(x, labels), [x])[0]!.data]);
});

test("the losses of an empty batch are empty, with sum 0 and mean NaN", () => {
  expect(crossEntropy(zeros([0, 3]), [], { reduction: "sum" }).item()).toBe(0);
  expect(crossEntropy(zeros([0, 3]), [], { reduction: "none" }).shape).toEqual([0]);
  expect(crossEntropy(zeros([0, 3]), []).item()).toBeNaN();
});

test("mean squared error matches a result computed by hand", () => {
  const [p, t] = [
    tensor([
      [1, 2],
      [3, 4],
    ]),
    tensor([
      [1, 0],
      [0, 4],
    ]),
  ];
  expect(meanSquaredError(p, t).item()).toBe(13 / 4);
  expect(meanSquaredError(p, t, { reduction: "sum" }).item()).toBe(13);
  expect(meanSquaredError(p, t, { reduction: "none" }).toNested()).toEqual([
    [0, 4],
    [9, 0],
  ]);
});

test("binary cross entropy follows −t·log p − (1 − t)·log(1 − p)", () => {
  const [x, t] = [
    [-2, 0.5, 3],
    [0, 0.25, 1],
  ];
  const p = x.map((v) => 1 / (1 + Math.exp(-v)));
  const want = p.map((q, i) => -t[i]! * Math.log(q) - (1 - t[i]!) * Math.log(1 - q));
  close(binaryCrossEntropyWithLogits(tensor(x), tensor(t), { reduction: "none" }), want);
  close(binaryCrossEntropyWithLogits(tensor(x), tensor(t)), [want.reduce((a, b) => a + b) / 3]);
});

test("oneHot sets a 1 at each label", () => {
  expect(oneHot([2, 0], 3).toNested()).toEqual([
    [0, 0, 1],
    [1, 0, 0],
  ]);
  expect(oneHot([], 3).shape).toEqual([0, 3]);
});

test("binary cross entropy keeps the precision of small losses, for targets 0 and 1", () => {
  for (const size of [0, 1, 10, 14, 16, 40, 80]) {
    const want = Math.log1p(Math.exp(-size));
    const losses = binaryCrossEntropyWithLogits(tensor([size, -size]), tensor([1, 0]), { reduction: "none" });
    for (const loss of losses.data) expect(Math.abs(loss / want - 1)).toBeLessThan(1e-6);
  }
  const infinite = tensor([Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]);
  expect(binaryCrossEntropyWithLogits(infinite, tensor([0.5, 0.5])).item()).toBe(Number.POSITIVE_INFINITY);
});

test("the losses refuse an unknown reduction", () => {
  const reduction = "avg" as "mean";
  expect(() => meanSquaredError(tensor([1]), tensor([1]), { reduction })).toThrow(
    'meanSquaredError: reduction must be "mean", "sum" or "none", got "avg"',
  );
});

const infinity = Number.POSITIVE_INFINITY;
const lossAndGradient = (f: (x: Tensor) => Tensor, row: readonly number[]): number[] => {
  const x = variable(tensor([[...row]]));
  const loss = f(x);
  const [dx] = gradients(loss, [x]);
  return [loss.item(), ...dx!.data];
};

test("a class with target 0 adds nothing to loss and gradient, even at a logit of −∞", () => {
  const row = [-infinity, 0, 1];
  const e = Math.E / (1 + Math.E);
  const want = [Math.log(1 + Math.E), 0, -e, e].map((v) => expect.closeTo(v, 6));
  expect(lossAndGradient((x) => crossEntropy(x, [1]), row)).toEqual(want);
  expect(lossAndGradient((x) => crossEntropy(x, tensor([[0, 1, 0]])), row)).toEqual(want);
  const many = 300; // enough for the fast kernels
  const wide = [...row, ...new Array<number>(many).fill(-infinity)];
  const target = tensor([wide.map((_, i) => (i === 1 ? 1 : 0))]);
  expect(lossAndGradient((x) => crossEntropy(x, target), wide).slice(0, 4)).toEqual(want);
});

test("label smoothing gives an infinite loss at a logit of −∞, even with a smoothing of 1", () => {
  for (const labelSmoothing of [0.5, 1]) {
    expect(crossEntropy(tensor([[-infinity, 0]]), [1], { labelSmoothing }).item()).toBe(infinity);
    expect(crossEntropy(tensor([[-infinity, 0]]), [0], { labelSmoothing }).item()).toBe(infinity);
    expect(crossEntropy(tensor([[-infinity, 0]]), tensor([[0, 1]]), { labelSmoothing }).item()).toBe(infinity);
  }
});

test("binary cross entropy at logits of ±∞ is 0 with gradient 0 if correct, and infinite with slope ±1 if wrong", () => {
  const at = (logit: number, target: number) =>
    lossAndGradient((x) => binaryCrossEntropyWithLogits(x, tensor([[target]])), [logit]).map((v) => v + 0);
  expect(at(infinity, 1)).toEqual([0, 0]);
  expect(at(-infinity, 0)).toEqual([0, 0]);
  expect(at(infinity, 0)).toEqual([infinity, 1]);
  expect(at(-infinity, 1)).toEqual([infinity, -1]);
});

test("a NaN logit of a class with target 0 gives a NaN loss", () => {
  expect(crossEntropy(tensor([[Number.NaN, 0]]), tensor([[0, 1]])).item()).toBeNaN();
});

test("mean absolute error matches a result computed by hand", () => {
  const [p, t] = [tensor([1, -2, 3]), tensor([1, 2, 0])];
  expect(meanAbsoluteError(p, t, { reduction: "none" }).toNested()).toEqual([0, 4, 3]);
  expect(meanAbsoluteError(p, t, { reduction: "sum" }).item()).toBe(7);
  close(meanAbsoluteError(p, t), [7 / 3]);
});

test("the Huber loss follows PyTorch's formula, quadratic near 0 and linear beyond delta", () => {
  const d = [-3, -2, -1, -0.5, 0, 0.25, 1, 2, 4];
  for (const delta of [0.5, 1, 2]) {
    const want = d.map((v) => (Math.abs(v) <= delta ? v ** 2 / 2 : delta * (Math.abs(v) - delta / 2)));
    const x = variable(tensor(d));
    const loss = huber(x, zeros([d.length]), { delta, reduction: "none" });
    close(loss, want);
    const slopes = d.map((v) => Math.min(Math.max(v, -delta), delta));
    close(gradients(loss, [x], ones([d.length]))[0]!, slopes);
    close(huber(tensor(d), zeros([d.length]), { delta }), [want.reduce((a, b) => a + b) / d.length]);
  }
  expect(huber(tensor([1e30]), tensor([0])).item()).toBeCloseTo(1e30, -24);
  expect(lossAndGradient((x) => huber(x, tensor([[0]])), [infinity])).toEqual([infinity, 1]);
});

test("the KL divergence is the mean over rows of Σ t·(log t − log p), and 0 if both are equal", () => {
  const [p, t] = [
    softmax(logits),
    tensor([
      [0.2, 0.3, 0.5],
      [0, 1, 0],
      [0.1, 0, 0.9],
    ]),
  ];
  const want = [0, 1, 2].map((row) =>
    [0, 1, 2].reduce((sum, c) => {
      const [q, w] = [p.data[3 * row + c]!, t.data[3 * row + c]!];
      return sum + (w === 0 ? 0 : w * (Math.log(w) - Math.log(q)));
    }, 0),
  );
  close(klDivergence(logSoftmax(logits), t, { reduction: "none" }), want);
  close(klDivergence(logSoftmax(logits), t, { reduction: "sum" }), [want.reduce((a, b) => a + b)]);
  close(klDivergence(logSoftmax(logits), t), [want.reduce((a, b) => a + b) / 3]);
  close(klDivergence(logSoftmax(logits), p), [0]);
});

test("KL divergence has finite gradients at a target of 0 and is NaN for a negative target", () => {
  const target = variable(tensor([[0, 1]]));
  const x = variable(tensor([[-1, -2]]));
  const [dx, dt] = gradients(klDivergence(x, target), [x, target]);
  expect([...dx!.data].map((v) => v + 0)).toEqual([0, -1]);
  expect(dt!.toArray().every(Number.isFinite)).toBe(true);
  expect(klDivergence(tensor([[-1, -2]]), tensor([[-1, 2]])).item()).toBeNaN();
});
