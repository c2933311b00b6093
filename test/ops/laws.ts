import fc from "fast-check";
import * as ops from "../../src/ops/index.ts";
import { broadcastShapes, Generator, gradients, sizeOf, type Tensor, tensor, variable } from "../../src/tensor/index.ts";
import { broadcastablePairs, seeds, shapes, tensors } from "../../src/testing/arbitraries.ts";
import { basicLaws } from "./basic-laws.ts";
import { einsumLaw } from "./einsums.ts";
import {
  all,
  alongAxis,
  type Case,
  doubled,
  elementwise,
  gradientLaw,
  type Law,
  nearHalf,
  nearWhole,
  note,
  oneOf,
  pair,
  pairwise,
  reduction,
  whole,
} from "./law.ts";
import { lossLaws } from "./loss-laws.ts";
import { type UnaryName, unaries, unaryOps } from "./unary.ts";
import { windowLaws } from "./window-laws.ts";

type OpName = Exclude<
  { [K in keyof typeof ops]: (typeof ops)[K] extends (...args: never) => unknown ? K : never }[keyof typeof ops],
  Without | "trace"
>;

/** Ops whose result has no gradient. */
export const withoutGradient = [
  "argMax",
  "argMin",
  "equal",
  "eye",
  "greater",
  "greaterEqual",
  "less",
  "lessEqual",
  "notEqual",
  "oneHot",
] as const;
type Without = (typeof withoutGradient)[number];

/** A tensor times a tensor of one element, in either order. */
const scaledLaw: Law = gradientLaw(
  fc
    .tuple(
      shapes().chain((shape) => tensors(shape)),
      fc.constantFrom([], [1], [1, 1]).chain((shape) => tensors(shape)),
      fc.boolean(),
    )
    .map(([x, scale, swapped]) => ({ f: (u, v) => (swapped ? ops.mul(v!, u!) : ops.mul(u!, v!)), xs: [x, scale] })),
);

const matmulLaw: Law = gradientLaw(
  fc
    .record({
      batches: broadcastablePairs({ maxAxes: 2, maxLength: 3 }),
      m: whole(1, 5),
      k: whole(1, 5),
      n: whole(1, 5),
      transposeA: fc.boolean(),
      transposeB: fc.boolean(),
      biased: fc.boolean(),
    })
    .chain(({ batches: [a, b], m, k, n, biased, ...flags }) => {
      const [left, right] = [
        tensors([...a, ...(flags.transposeA ? [k, m] : [m, k])]),
        tensors([...b, ...(flags.transposeB ? [n, k] : [k, n])]),
      ];
      const product = (x: Tensor, y: Tensor, bias?: Tensor) =>
        ops.matmul(x, y, { ...flags, ...(bias === undefined ? {} : { bias }) });
      const described = note({ ...flags, biased });
      return (biased ? fc.tuple(left, right, tensors([n])) : fc.tuple(left, right)).map((xs) => ({
        f: product,
        xs,
        note: described,
      }));
    }),
);

/** A matrix product in which the left factor, the right factor or both are vectors. */
const vectorLaw: Law = gradientLaw(
  fc
    .tuple(shapes({ maxAxes: 1, maxLength: 2 }), whole(1, 4), whole(1, 4), oneOf("row", "column", "both"), fc.boolean())
    .chain(([batch, k, n, kind, transposed]) => {
      const matrix = [...batch, ...((kind === "row") === transposed ? [n, k] : [k, n])];
      const [a, b] = kind === "both" ? [[k], [k]] : kind === "row" ? [[k], matrix] : [matrix, [k]];
      const options = kind === "both" ? {} : { [kind === "row" ? "transposeB" : "transposeA"]: transposed };
      return fc
        .tuple(tensors(a), tensors(b))
        .map((xs): Case => ({ f: (u, v) => ops.matmul(u!, v!, options), xs, note: note(options) }));
    }),
);

/**
 * f of x [..., channels], gamma and beta. Callers choose enough rows or channels that the variance is not close to 0.
 */
const normalized = (
  rows: fc.Arbitrary<number[]>,
  channels: fc.Arbitrary<number>,
  f: (x: Tensor, gamma: Tensor, beta: Tensor, epsilon: number | undefined) => Tensor,
): Law =>
  gradientLaw(
    fc
      .tuple(rows, channels, oneOf(undefined, 0.1))
      .chain(([outer, n, epsilon]) =>
        fc
          .tuple(tensors([...outer, n]), tensors([n], { min: 0.5, max: 1.5 }), tensors([n]))
          .map((xs): Case => ({ f: (x, gamma, beta) => f(x!, gamma!, beta!, epsilon), xs, note: `epsilon ${epsilon}` })),
      ),
  );

/** Activations without kinks, which central differences would meet; test/ops/batch-norm.test.ts checks the others. */
const smooth = ["none", "silu"] as const;

const batchNormTrainingLaw: Law = all(
  ...smooth.map((activation) =>
    normalized(
      fc.tuple(shapes({ maxAxes: 2, maxLength: 2 }), whole(6, 9)).map(([front, rows]) => [...front, rows]),
      whole(1, 4),
      (x, gamma, beta, epsilon) => ops.batchNormTraining(x, gamma, beta, epsilon, { activation }).y,
    ),
  ),
);

const batchNormInferenceLaw: Law = all(
  ...smooth.map((activation) =>
    normalized(shapes({ maxAxes: 3, maxLength: 3 }), whole(1, 4), (x, gamma, beta, epsilon) => {
      const random = new Generator(gamma.size);
      const drawn = (low: number): Tensor => tensor(Float32Array.from(gamma.data, () => low + random.uniform()));
      return ops.batchNormInference(x, gamma, beta, drawn(-0.5), drawn(0.5), epsilon, { activation });
    }),
  ),
);

const gatherLaw = (kind: "list" | "typed" | "tensor"): Law =>
  gradientLaw(
    shapes({ minAxes: 1, maxAxes: 3, maxLength: 3 }).chain((shape) =>
      whole(-shape.length, shape.length - 1).chain((axis) =>
        fc.tuple(tensors(shape), fc.array(fc.nat({ max: shape.at(axis)! - 1 }), { maxLength: 6 })).map(([x, indices]) => ({
          f: (v: Tensor) =>
            kind === "tensor"
              ? ops.take(v, tensor(indices, [indices.length, 1]), axis)
              : ops.gather(v, kind === "list" ? indices : Int32Array.from(indices), axis),
          xs: [x],
          note: note({ indices, axis, kind }),
        })),
      ),
    ),
  );

/** One to four tensors whose shapes differ along one axis only. The first tensor is also the last. */
const concatLaw: Law = gradientLaw(
  shapes({ minAxes: 1, maxAxes: 3, maxLength: 3 }).chain((shape) =>
    fc
      .tuple(whole(-shape.length, shape.length - 1), fc.array(whole(0, 3), { minLength: 1, maxLength: 4 }))
      .chain(([axis, lengths]) =>
        fc.tuple(...lengths.map((length) => tensors(shape.with(axis, length)))).map((xs) => ({
          f: (...vs: Tensor[]) => ops.concat([...vs, vs[0]!], axis),
          xs,
          note: `axis ${axis}`,
        })),
      ),
  ),
);

const stackLaw: Law = gradientLaw(
  shapes({ maxAxes: 3, maxLength: 3 }).chain((shape) =>
    fc
      .tuple(whole(-shape.length - 1, shape.length), fc.array(tensors(shape), { minLength: 1, maxLength: 3 }))
      .map(([axis, xs]) => ({ f: (...vs: Tensor[]) => ops.stack([...vs, vs[0]!], axis), xs, note: `axis ${axis}` })),
  ),
);

/** Splits into parts of given lengths, also of length 0, and into equal parts. All parts are results of f. */
const splitLaw: Law = gradientLaw(
  fc
    .tuple(shapes({ minAxes: 1, maxAxes: 3, maxLength: 3 }), fc.array(whole(0, 3), { minLength: 1 }), fc.boolean())
    .chain(([shape, lengths, equal]) =>
      whole(-shape.length, shape.length - 1).chain((axis) => {
        const total = equal ? 2 * lengths.length : lengths.reduce((a, b) => a + b);
        const parts = equal ? lengths.length : lengths;
        return tensors(shape.with(axis, total)).map((x) => ({
          f: (v: Tensor) => ops.split(v, parts, axis),
          xs: [x],
          note: note({ parts, axis }),
        }));
      }),
    ),
);

const padLaw: Law = gradientLaw(
  shapes({ maxAxes: 3, maxLength: 3 }).chain((shape) =>
    fc
      .tuple(tensors(shape), fc.tuple(...shape.map(() => pair(0, 2))), oneOf(undefined, 1.5))
      .map(([x, padding, value]) => ({ f: (v: Tensor) => ops.pad(v, padding, value), xs: [x], note: note(padding) })),
  ),
);

/** Any block. Begins are counted from either end. Sizes are lengths or −1 (to the end), or the argument is left out. */
const sliceLaw: Law = gradientLaw(
  shapes({ maxLength: 4 }).chain((shape) =>
    fc
      .tuple(
        tensors(shape),
        fc.tuple(...shape.map((n) => fc.tuple(whole(0, n), whole(0, n), fc.boolean(), fc.boolean()))),
        fc.boolean(),
      )
      .map(([x, cuts, rest]) => {
        const begin = cuts.map(([at, , fromEnd], axis) => (fromEnd && at < shape[axis]! ? at - shape[axis]! : at));
        const size = cuts.map(([at, length, , open], axis) => (open ? -1 : Math.min(length, shape[axis]! - at)));
        return {
          f: (v: Tensor) => ops.slice(v, begin, rest ? undefined : size),
          xs: [x],
          note: note({ begin, size: rest ? undefined : size }),
        };
      }),
  ),
);

const cyclicSliceLaw: Law = gradientLaw(
  whole(1, 6).chain((n) =>
    fc.tuple(tensors([n]), whole(0, 12), whole(0, 20)).map(([x, begin, length]) => ({
      f: (v: Tensor) => ops.cyclicSlice(v, begin, length),
      xs: [x],
      note: note({ begin, length }),
    })),
  ),
);

const reshapeLaw: Law = gradientLaw(
  shapes().chain((shape) =>
    fc
      .tuple(tensors(shape), oneOf([-1], [...shape].reverse(), [...shape, 1, -1], [sizeOf(shape)]))
      .map(([x, to]) => ({ f: (v: Tensor) => ops.mul(ops.reshape(v, to), ops.reshape(v, to)), xs: [x], note: note(to) })),
  ),
);

const transposeLaw: Law = gradientLaw(
  shapes().chain((shape) => {
    const axes = shape.map((_, i) => i);
    const orders = fc.shuffledSubarray(axes, { minLength: axes.length });
    return fc.tuple(tensors(shape), fc.option(orders, { nil: undefined }), fc.boolean()).map(([x, order, negative]) => {
      const named = negative ? order?.map((axis) => axis - shape.length) : order;
      return { f: (v: Tensor) => ops.transpose(v, named), xs: [x], note: note(named) };
    });
  }),
);

const broadcastLaw: Law = gradientLaw(
  broadcastablePairs({ maxLength: 3 }).chain(([a, b]) => {
    const shape = broadcastShapes("broadcastTo", a, b);
    return tensors(a).map((x) => ({ f: (v: Tensor) => ops.broadcastTo(v, shape), xs: [x], note: note(shape) }));
  }),
);

/** Condition, a and b broadcast; a or b may be a number. */
const whereLaw: Law = gradientLaw(
  fc
    .tuple(broadcastablePairs({ maxLength: 3 }), oneOf("as a", "as b", "whole", "scalar"), seeds(), oneOf("tensors", "a", "b"))
    .chain(([[a, b], kind, seed, numbers]) => {
      const full = broadcastShapes("where", a, b);
      const shape = kind === "as a" ? a : kind === "as b" ? b : kind === "whole" ? full : [];
      const random = new Generator(seed);
      const condition = tensor(
        Float32Array.from({ length: sizeOf(shape) }, () => random.below(2)),
        shape,
      );
      return fc.tuple(tensors(a), tensors(b)).map(([x, z]): Case => {
        const text = `condition ${condition}`;
        if (numbers === "a") return { f: (v) => ops.where(condition, 3, v!), xs: [z], note: text };
        if (numbers === "b") return { f: (v) => ops.where(condition, v!, 3), xs: [x], note: text };
        return { f: (u, v) => ops.where(condition, u!, v!), xs: [x, z], note: text };
      });
    }),
);

/** f uses the same mask on every call, from a new generator with the same seed. */
const dropoutLaw: Law = gradientLaw(
  fc.tuple(shapes(), oneOf(0, 0.3, 0.8), seeds()).chain(([shape, rate, seed]) =>
    tensors(shape).map((x) => ({
      f: (v: Tensor) => {
        const random = new Generator(seed);
        return ops.dropout(v, rate, () => random.uniform());
      },
      xs: [x],
      note: `rate ${rate}, mask seed ${seed}`,
    })),
  ),
);

/**
 * The gradient of straightThroughSign is the upstream gradient itself. It is not a derivative, so finite differences do
 * not apply.
 */
const straightThroughLaw: Law = () =>
  fc.assert(
    fc.property(
      shapes().chain((shape) => fc.tuple(tensors(shape), tensors(shape))),
      ([x, upstream]) => {
        const v = variable(x);
        const [dx] = gradients(ops.straightThroughSign(v), [v], upstream);
        if (String(dx!.toArray()) !== String(upstream.toArray())) throw new Error(`${dx} is not the upstream ${upstream}`);
      },
    ),
  );

const powLaw: Law = all(
  pairwise(ops.pow, { min: 0.4, max: 2 }),
  elementwise((x) => ops.pow(x, 3)), // also negative bases
  elementwise((x) => ops.pow(x, -2), { awayFrom: [0], gap: 0.5 }),
);

const unaryLaws = Object.fromEntries(
  Object.entries(unaries).map(([name, { numbers }]) => [name, elementwise(unaryOps[name as UnaryName], numbers)]),
) as Record<UnaryName, Law>;

/** A law for every op that has a gradient. */
export const laws: Readonly<Record<OpName, Law>> = {
  ...basicLaws,
  ...unaryLaws,
  ...lossLaws,
  ...windowLaws,
  add: all(pairwise(ops.add), doubled(ops.add)),
  batchNormInference: batchNormInferenceLaw,
  batchNormTraining: batchNormTrainingLaw,
  broadcastTo: broadcastLaw,
  clip: elementwise((x) => ops.clip(x, -0.5, 0.7), { awayFrom: [-0.5, 0.7] }),
  concat: concatLaw,
  cyclicSlice: cyclicSliceLaw,
  div: all(pairwise(ops.div, {}, { awayFrom: [0], gap: 0.5 }), doubled(ops.div, { awayFrom: [0], gap: 0.5 })),
  dropout: dropoutLaw,
  einsum: einsumLaw,
  flatten: gradientLaw(
    shapes({ minAxes: 1 })
      .chain((shape) => tensors(shape))
      .map((x) => ({ f: ops.flatten, xs: [x] })),
  ),
  gather: all(gatherLaw("list"), gatherLaw("typed")),
  globalAvgPool2d: gradientLaw(
    shapes({ minAxes: 4 })
      .chain((shape) => tensors(shape))
      .map((x) => ({ f: ops.globalAvgPool2d, xs: [x] })),
  ),
  layerNorm: normalized(shapes({ maxAxes: 2 }), whole(4, 7), ops.layerNorm),
  leakyRelu: all(
    elementwise((x) => ops.leakyRelu(x), { awayFrom: [0] }),
    elementwise((x) => ops.leakyRelu(x, 0.01), { awayFrom: [0] }),
  ),
  logSoftmax: alongAxis(ops.logSoftmax, { min: -5, max: 5 }),
  matmul: all(matmulLaw, vectorLaw),
  max: reduction(ops.max, { distinct: 0.04 }),
  maximum: pairwise(ops.maximum, nearWhole, nearHalf),
  mean: reduction(ops.mean),
  min: reduction(ops.min, { distinct: 0.04 }),
  minimum: pairwise(ops.minimum, nearWhole, nearHalf),
  mul: all(pairwise(ops.mul), doubled(ops.mul), scaledLaw),
  mulUnlessZero: pairwise(ops.mulUnlessZero, { awayFrom: [0], gap: 0.02 }),
  pad: padLaw,
  pow: powLaw,
  reshape: reshapeLaw,
  slice: all(sliceLaw, basicLaws.slice),
  softmax: alongAxis(ops.softmax, { min: -3, max: 3 }),
  split: splitLaw,
  stack: stackLaw,
  straightThroughSign: straightThroughLaw,
  sub: all(pairwise(ops.sub), doubled(ops.sub)),
  sum: reduction(ops.sum),
  take: gatherLaw("tensor"),
  transpose: transposeLaw,
  where: whereLaw,
};
