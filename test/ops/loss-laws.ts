// Laws of losses.
import fc from "fast-check";
import * as ops from "../../src/ops/index.ts";
import { Generator, sizeOf, type Tensor, tensor } from "../../src/tensor/index.ts";
import { seeds, shapes, tensors, type ValueOptions } from "../../src/testing/arbitraries.ts";
import { type Case, gradientLaw, type Law, nearHalf, nearWhole, note, oneOf, whole } from "./law.ts";

const reductions = oneOf<ops.Reduction>("mean", "sum", "none");

const crossEntropyLaw: Law = gradientLaw(
  fc
    .record({
      front: shapes({ maxAxes: 2, maxLength: 3 }),
      classes: whole(1, 5),
      labelSmoothing: oneOf(0, 0.1, 1),
      reduction: reductions,
      kind: oneOf("list", "Int32Array", "tensor", "one-hot", "soft"),
      ignored: fc.boolean(),
      weighted: fc.boolean(),
      seed: seeds(),
    })
    .chain(({ front, classes, kind, ignored, weighted, seed, ...rest }) => {
      const random = new Generator(seed);
      const labels = Array.from({ length: sizeOf(front) }, () => random.below(classes));
      const soft = kind === "one-hot" || kind === "soft";
      const options: ops.CrossEntropyOptions = {
        ...rest,
        ...(ignored && !soft ? { ignoreIndex: 0 } : {}),
        ...(weighted
          ? {
              classWeights: labels
                .concat(new Array(classes).fill(0))
                .slice(0, classes)
                .map((v) => v + 0.5),
            }
          : {}),
      };
      const target =
        kind === "list"
          ? labels
          : kind === "tensor"
            ? tensor(Float32Array.from(labels), front)
            : kind === "one-hot"
              ? ops.reshape(ops.oneHot(labels, classes), [...front, classes])
              : Int32Array.from(labels);
      const scores = tensors([...front, classes], { min: -4, max: 4 });
      const probabilities = tensors([...front, classes], { min: 0, max: 1 });
      const text = `${kind} ${labels} ${note(options)}`;
      if (kind === "soft") {
        return fc
          .tuple(scores, probabilities)
          .map((xs): Case => ({ f: (x, t) => ops.crossEntropy(x!, t!, options), xs, note: text }));
      }
      return scores.map((x): Case => ({ f: (v) => ops.crossEntropy(v!, target, options), xs: [x], note: text }));
    }),
);

type Loss = (x: Tensor, target: Tensor, options: { readonly reduction?: ops.Reduction }) => Tensor;

const lossLaw = (f: Loss, predicted: ValueOptions = { min: -4, max: 4 }, wanted: ValueOptions = { min: 0, max: 1 }): Law =>
  gradientLaw(
    fc
      .tuple(shapes({ maxLength: 3 }), reductions)
      .chain(([shape, reduction]) =>
        fc
          .tuple(tensors(shape, predicted), tensors(shape, wanted))
          .map((xs) => ({ f: (x: Tensor, t: Tensor) => f(x, t, { reduction }), xs, note: reduction })),
      ),
  );

const klDivergenceLaw: Law = gradientLaw(
  fc
    .tuple(shapes({ minAxes: 1, maxLength: 3 }), reductions)
    .chain(([shape, reduction]) =>
      fc
        .tuple(tensors(shape, { min: -4, max: 0 }), tensors(shape, { min: 0.2, max: 1 }))
        .map((xs): Case => ({ f: (x, t) => ops.klDivergence(x!, t!, { reduction }), xs, note: reduction })),
    ),
);

type Name = "binaryCrossEntropyWithLogits" | "crossEntropy" | "huber" | "klDivergence" | "meanAbsoluteError" | "meanSquaredError";

export const lossLaws: Readonly<Record<Name, Law>> = {
  binaryCrossEntropyWithLogits: lossLaw(ops.binaryCrossEntropyWithLogits),
  crossEntropy: crossEntropyLaw,
  huber: lossLaw((x, t, o) => ops.huber(x, t, { ...o, delta: 1 }), nearWhole, nearHalf),
  klDivergence: klDivergenceLaw,
  meanAbsoluteError: lossLaw(ops.meanAbsoluteError, nearWhole, nearHalf),
  meanSquaredError: lossLaw(ops.meanSquaredError),
};
