import fc from "fast-check";
import { expect, test } from "vitest";
import { type CrossEntropyOptions, crossEntropy, oneHot, reshape } from "../../src/ops/index.ts";
import { Generator, gradients, randomNormal, type Tensor, tensor, variable } from "../../src/tensor/index.ts";
import "../fixed-seed.ts";

const close = (x: Tensor, want: number | number[]): void =>
  expect([...x.data]).toEqual([want].flat().map((v) => expect.closeTo(v, 4)));

/** PyTorch's formulas, one example after another. */
function naive(logits: Tensor, target: number[] | Tensor, o: CrossEntropyOptions): { losses: number[]; mean: number } {
  const classes = logits.shape.at(-1)!;
  const { labelSmoothing: e = 0, ignoreIndex, classWeights: w = new Array<number>(classes).fill(1) } = o;
  const losses: number[] = [];
  let total = 0;
  for (let row = 0; row < logits.size / classes; row++) {
    const x = [...logits.data.subarray(row * classes, (row + 1) * classes)];
    const norm = Math.log(x.reduce((sum, v) => sum + Math.exp(v), 0));
    let loss = 0;
    if (Array.isArray(target)) {
      const label = target[row]!;
      if (label !== ignoreIndex) {
        loss = (1 - e) * w[label]! * (norm - x[label]!);
        for (let c = 0; c < classes; c++) loss += (e / classes) * w[c]! * (norm - x[c]!);
        total += w[label]!;
      }
    } else {
      for (let c = 0; c < classes; c++)
        loss += w[c]! * (target.data[row * classes + c]! * (1 - e) + e / classes) * (norm - x[c]!);
      total += 1;
    }
    losses.push(loss);
  }
  return { losses, mean: losses.reduce((a, b) => a + b, 0) / total };
}

test("cross entropy of any rank follows PyTorch's formulas, with ignored labels, class weights and smoothing", () => {
  fc.assert(
    fc.property(
      fc.record({
        front: fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 3 }),
        classes: fc.integer({ min: 2, max: 5 }),
        labelSmoothing: fc.constantFrom(0, 0.2),
        ignoreIndex: fc.constantFrom(undefined, -100, 1),
        weighted: fc.boolean(),
        kind: fc.constantFrom("list", "Int32Array", "tensor", "probabilities"),
        seed: fc.integer({ min: 0 }),
      }),
      ({ front, classes, labelSmoothing, ignoreIndex, weighted, kind, seed }) => {
        const random = new Generator(seed);
        const logits = randomNormal([...front, classes], random, 0, 2);
        const count = logits.size / classes;
        const labels = Array.from({ length: count }, (_, i) =>
          i > 0 && ignoreIndex !== undefined && random.uniform() < 0.4
            ? ignoreIndex
            : ignoreIndex === 1
              ? 0
              : random.below(classes),
        );
        const soft = kind === "probabilities";
        const options: CrossEntropyOptions = {
          labelSmoothing,
          ...(ignoreIndex === undefined || soft ? {} : { ignoreIndex }),
          ...(weighted ? { classWeights: Float64Array.from({ length: classes }, (_, i) => i + 0.5) } : {}),
        };
        const target =
          kind === "list"
            ? labels
            : kind === "Int32Array"
              ? Int32Array.from(labels)
              : kind === "tensor"
                ? tensor(Float32Array.from(labels), front)
                : tensor(
                    Float32Array.from(logits.data, () => random.uniform()),
                    logits.shape,
                  );
        const want = naive(logits, soft ? (target as Tensor) : labels, options);
        const each = crossEntropy(logits, target, { ...options, reduction: "none" });
        expect(each.shape).toEqual(front);
        close(each, want.losses);
        close(
          crossEntropy(logits, target, { ...options, reduction: "sum" }),
          want.losses.reduce((a, b) => a + b, 0),
        );
        close(crossEntropy(logits, target, options), want.mean);
      },
    ),
  );
});

test("logits of any rank give the same loss and gradient as the same rows in a matrix", () => {
  const flat = randomNormal([6, 4], new Generator(1));
  const labels = [3, 0, 1, 2, 2, 1];
  const [x, z] = [variable(flat), variable(tensor(flat.data, [2, 3, 4]))];
  const [a, b] = [
    crossEntropy(x, labels),
    crossEntropy(
      z,
      tensor([
        [3, 0, 1],
        [2, 2, 1],
      ]),
    ),
  ];
  expect(b.item()).toBe(a.item());
  expect(gradients(b, [z])[0]!.toArray()).toEqual(gradients(a, [x])[0]!.toArray());
  const probabilities = reshape(oneHot(labels, 4), [2, 3, 4]);
  close(crossEntropy(tensor(flat.data, [2, 3, 4]), probabilities), a.item());
});

test("the logits of ignored examples get gradient 0, even if the logits are NaN", () => {
  const x = variable(
    tensor([
      [1, 2],
      [Number.NaN, 0],
      [0, Number.NEGATIVE_INFINITY],
    ]),
  );
  const loss = crossEntropy(x, [0, -1, -1], { ignoreIndex: -1 });
  close(loss, Math.log(1 + Math.E));
  const p = 1 / (1 + Math.exp(-1));
  close(gradients(loss, [x])[0]!, [-p, p, 0, 0, 0, 0]);
});

test("loss and gradient are 0 if all examples are ignored", () => {
  for (const reduction of ["mean", "sum"] as const) {
    const x = variable(
      tensor([
        [1, 2],
        [3, 4],
      ]),
    );
    const loss = crossEntropy(x, [5, 5], { ignoreIndex: 5, reduction });
    expect(loss.item()).toBe(0);
    expect([...gradients(loss, [x])[0]!.data]).toEqual([0, 0, 0, 0]);
  }
  expect(crossEntropy(tensor([[1, 2]]), [5], { ignoreIndex: 5, reduction: "none" }).toNested()).toEqual([0]);
});

test("a class of weight 0 adds nothing, even at a logit of −∞", () => {
  const x = tensor([
    [Number.NEGATIVE_INFINITY, 0],
    [0, 1],
  ]);
  close(crossEntropy(x, [0, 1], { classWeights: [0, 2] }), Math.log(1 + Math.exp(-1)));
});
