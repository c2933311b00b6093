import fc from "fast-check";
import * as ops from "../../src/ops/index.ts";
import { broadcastShapes, Generator, gradients, sizeOf, type Tensor, tensor, variable } from "../../src/tensor/index.ts";
import { broadcastablePairs, seeds, shapes, tensors, type ValueOptions } from "../../src/testing/arbitraries.ts";
import type { Differentiable } from "../../src/testing/index.ts";
import { basicLaws } from "./basic-laws.ts";
import {
  all,
  alongAxis,
  type Case,
  doubled,
  elementwise,
  gradientLaw,
  type Law,
  note,
  oneOf,
  pairwise,
  reduction,
  whole,
} from "./law.ts";

type OpName = Exclude<
  { [K in keyof typeof ops]: (typeof ops)[K] extends (...args: never) => unknown ? K : never }[keyof typeof ops],
  Without
>;

/** Ops with a result that has no gradient. */
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

/** A tensor times one number, on either side, and a tensor times its own shape's only number. */
const scaledLaw: Law = gradientLaw(
  fc
    .tuple(
      shapes().chain((shape) => tensors(shape)),
      fc.constantFrom([], [1], [1, 1]).chain((shape) => tensors(shape)),
      fc.boolean(),
    )
    .map(([x, scale, swapped]) => ({ f: (u, v) => (swapped ? ops.mul(v!, u!) : ops.mul(u!, v!)), xs: [x, scale] })),
);

/** Numbers near whole ones against numbers near the halves between: never a tie. */
const nearWhole: ValueOptions = { awayFrom: [-1.5, -0.5, 0.5, 1.5], gap: 0.25 };
const nearHalf: ValueOptions = { awayFrom: [-2, -1, 0, 1, 2], gap: 0.35 };

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

/** A vector on either side, or on both. */
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

const pair = (min: number, max: number): fc.Arbitrary<readonly [number, number]> => fc.tuple(whole(min, max), whole(min, max));
const single = (p: readonly [number, number], short: boolean): ops.Pair => (short && p[0] === p[1] ? p[0] : p);

/** Windows and an image [height, width] that they fit into; padding outside is less than the window. */
const windows = (maxDilation: number) =>
  fc
    .record({
      size: pair(1, 3),
      strides: pair(1, 3),
      dilations: pair(1, maxDilation),
      more: pair(0, 3),
      kind: oneOf("valid", "same", "explicit", "number"),
      sides: fc.tuple(pair(0, 2), pair(0, 2)),
      short: fc.boolean(),
    })
    .map(({ size, strides, dilations, more, kind, sides: drawn, short }) => {
      const image = size.map((k, i) => (kind === "same" ? 1 : (k - 1) * dilations[i]! + 1) + more[i]!);
      const sides = drawn.map(([before, after], i) => [Math.min(before, size[i]! - 1), Math.min(after, size[i]! - 1)] as const);
      const around = Math.min(...sides.flat());
      const padding: ops.Padding =
        kind === "explicit" ? [sides[0]!, sides[1]!] : kind === "number" ? around : kind === "same" ? "same" : "valid";
      return { size, image, padding, strides: single(strides, short), dilations: single(dilations, short) };
    });

const convolutionLaw = (depthwise: boolean): Law =>
  gradientLaw(
    fc
      .record({
        windows: windows(2),
        batch: whole(1, 2),
        groups: whole(1, 3),
        share: whole(1, 2),
        outShare: whole(1, 3),
        biased: fc.boolean(),
      })
      .chain(({ windows: { size, image, ...options }, batch, groups, share, outShare, biased }) => {
        const channels = groups * share;
        const outputs = depthwise ? channels * outShare : groups * outShare;
        const kernel = depthwise ? [...size, channels, outShare] : [...size, share, outputs];
        const f: Differentiable = (x, w, bias) => {
          const o = bias === undefined ? options : { ...options, bias };
          return depthwise ? ops.depthwiseConv2d(x!, w!, o) : ops.conv2d(x!, w!, { ...o, groups });
        };
        return fc
          .tuple(tensors([batch, ...image, channels]), tensors(kernel), ...(biased ? [tensors([outputs])] : []))
          .map((xs) => ({ f, xs, note: note({ ...options, groups }) }));
      }),
  );

/** The first axis of random windows, as the one axis of a sequence. */
const windows1d = (maxDilation: number) =>
  windows(maxDilation).map(({ size, image, padding, strides, dilations }) => ({
    size: size[0],
    length: image[0]!,
    padding: (typeof padding === "object" ? padding[0] : padding) as ops.Padding1d,
    strides: typeof strides === "number" ? strides : strides[0],
    dilations: typeof dilations === "number" ? dilations : dilations[0],
  }));

const conv1dLaw: Law = gradientLaw(
  fc
    .record({ windows: windows1d(2), batch: whole(1, 2), groups: whole(1, 2), share: whole(1, 2), biased: fc.boolean() })
    .chain(({ windows: { size, length, ...options }, batch, groups, share, biased }) =>
      fc
        .tuple(
          tensors([batch, length, groups * share]),
          tensors([size, share, groups * 2]),
          ...(biased ? [tensors([groups * 2])] : []),
        )
        .map(
          (xs): Case => ({
            f: (x, w, bias) => ops.conv1d(x!, w!, { ...options, groups, ...(bias === undefined ? {} : { bias }) }),
            xs,
            note: note({ ...options, groups }),
          }),
        ),
    ),
);

const conv2dTransposeLaw: Law = gradientLaw(
  fc
    .record({
      size: pair(1, 3),
      image: pair(1, 4),
      strides: pair(1, 3),
      dilations: pair(1, 2),
      more: pair(0, 2),
      kind: oneOf<ops.Padding>("valid", "same", 1, [
        [1, 0],
        [0, 1],
      ]),
      batch: whole(1, 2),
      groups: whole(1, 2),
      share: whole(1, 2),
      biased: fc.boolean(),
    })
    .map((o) => {
      const outputPadding = o.more.map((n, i) => (o.kind === "same" ? 0 : Math.min(n, o.strides[i]! - 1))) as [number, number];
      return { ...o, outputPadding, image: o.kind === 1 ? o.image.map((n) => n + 2) : o.image.map((n) => n + 1) };
    })
    .chain(({ size, image, strides, dilations, kind: padding, outputPadding, batch, groups, share, biased }) => {
      const options = { strides, dilations, padding, outputPadding, groups };
      return fc
        .tuple(
          tensors([batch, ...image, groups * 2]),
          tensors([...size, share, groups * 2]),
          ...(biased ? [tensors([groups * share])] : []),
        )
        .map(
          (xs): Case => ({
            f: (x, w, bias) => ops.conv2dTranspose(x!, w!, bias === undefined ? options : { ...options, bias }),
            xs,
            note: note(options),
          }),
        );
    }),
);

type Pool1d = (x: Tensor, size: number, options: ops.Pool1dOptions) => Tensor;

const pool1dLaw = (f: Pool1d, values: ValueOptions = {}): Law =>
  gradientLaw(
    fc
      .record({ windows: windows1d(1), batch: whole(1, 2), channels: whole(1, 3), strided: fc.boolean() })
      .chain(({ windows: { size, length, padding, strides }, batch, channels, strided }) => {
        const options: ops.Pool1dOptions = strided ? { padding, strides } : { padding };
        return tensors([batch, length, channels], values).map((x) => ({
          f: (v: Tensor) => f(v, size, options),
          xs: [x],
          note: note({ size, ...options }),
        }));
      }),
  );

const resizeLaw: Law = gradientLaw(
  fc
    .tuple(
      pair(1, 4),
      pair(1, 6),
      oneOf<ops.ResizeOptions>({}, { method: "bilinear" }, { method: "bilinear", alignCorners: true }),
    )
    .chain(([image, size, options]) =>
      tensors([2, ...image, 2]).map((x) => ({
        f: (v: Tensor) => ops.resize(v, size, options),
        xs: [x],
        note: note({ size, ...options }),
      })),
    ),
);

/** Two operands over up to four labels, and a result of any of their labels in any order. */
export const einsums: fc.Arbitrary<{ equation: string; a: number[]; b: number[] }> = fc
  .tuple(
    fc.shuffledSubarray(["i", "j", "k", "l"], { maxLength: 3 }),
    fc.shuffledSubarray(["i", "j", "k", "l"], { maxLength: 3 }),
    fc.record({ i: whole(1, 3), j: whole(1, 3), k: whole(1, 3), l: whole(1, 3) }),
  )
  .chain(([inA, inB, lengths]) =>
    fc.shuffledSubarray([...new Set([...inA, ...inB])]).map((result) => {
      const shape = (labels: string[]): number[] => labels.map((label) => lengths[label as keyof typeof lengths]);
      return { equation: `${inA.join("")},${inB.join("")}->${result.join("")}`, a: shape(inA), b: shape(inB) };
    }),
  );

const einsumLaw: Law = gradientLaw(
  einsums.chain(({ equation, a, b }) =>
    fc.tuple(tensors(a), tensors(b)).map((xs): Case => ({ f: (u, v) => ops.einsum(equation, u!, v!), xs, note: equation })),
  ),
);

type Pool = (x: Tensor, size: ops.Pair, options: ops.Pool2dOptions) => Tensor;

const poolLaw = (f: Pool, values: ValueOptions = {}): Law =>
  gradientLaw(
    fc
      .record({ windows: windows(1), batch: whole(1, 2), channels: whole(1, 3), strided: fc.boolean() })
      .chain(({ windows: { size, image, padding, strides }, batch, channels, strided }) => {
        const options: ops.Pool2dOptions = strided ? { padding, strides } : { padding };
        return tensors([batch, ...image, channels], values).map((x) => ({
          f: (v: Tensor) => f(v, size, options),
          xs: [x],
          note: note({ size, ...options }),
        }));
      }),
  );

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

/** x [..., channels], gamma and beta; enough rows and features that their variance is not next to nothing. */
const normalised = (
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

const batchNormTrainingLaw: Law = normalised(
  fc.tuple(shapes({ maxAxes: 2, maxLength: 2 }), whole(6, 9)).map(([front, rows]) => [...front, rows]),
  whole(1, 4),
  (x, gamma, beta, epsilon) => ops.batchNormTraining(x, gamma, beta, epsilon).y,
);

const batchNormInferenceLaw: Law = normalised(shapes({ maxAxes: 3, maxLength: 3 }), whole(1, 4), (x, gamma, beta, epsilon) => {
  const random = new Generator(gamma.size);
  const drawn = (low: number): Tensor => tensor(Float32Array.from(gamma.data, () => low + random.uniform()));
  return ops.batchNormInference(x, gamma, beta, drawn(-0.5), drawn(0.5), epsilon);
});

const gatherLaw: Law = gradientLaw(
  shapes({ minAxes: 1, maxAxes: 3, maxLength: 3 }).chain((shape) =>
    whole(-shape.length, shape.length - 1).chain((axis) =>
      fc
        .tuple(tensors(shape), fc.array(fc.nat({ max: shape.at(axis < 0 ? axis : axis)! - 1 }), { maxLength: 6 }), fc.boolean())
        .map(([x, indices, typed]) => ({
          f: (v: Tensor) => ops.gather(v, typed ? Int32Array.from(indices) : indices, axis),
          xs: [x],
          note: note({ indices, axis }),
        })),
    ),
  ),
);

/** One to four tensors that differ along one axis only; one of them also comes a second time. */
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

/** Into parts of given lengths, empty ones too, and into equal parts; all parts are results. */
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

/** Any block: begins from either end, lengths given, −1 or left out. */
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

/** The same mask on every call: a new generator with the same seed. */
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

/** Its gradient is the upstream itself, which is not the derivative of the sign. */
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
  elementwise((x) => ops.pow(x, 3)), // negative bases too
  elementwise((x) => ops.pow(x, -2), { awayFrom: [0], gap: 0.5 }),
);

/** A law for every op that has a gradient. */
export const laws: Readonly<Record<OpName, Law>> = {
  ...basicLaws,
  abs: elementwise(ops.abs, { awayFrom: [0] }),
  add: all(pairwise(ops.add), doubled(ops.add)),
  avgPool1d: pool1dLaw(ops.avgPool1d),
  avgPool2d: poolLaw(ops.avgPool2d),
  batchNormInference: batchNormInferenceLaw,
  batchNormTraining: batchNormTrainingLaw,
  binaryCrossEntropyWithLogits: lossLaw(ops.binaryCrossEntropyWithLogits),
  broadcastTo: broadcastLaw,
  clip: elementwise((x) => ops.clip(x, -0.5, 0.7), { awayFrom: [-0.5, 0.7] }),
  concat: concatLaw,
  conv1d: conv1dLaw,
  conv2d: convolutionLaw(false),
  conv2dTranspose: conv2dTransposeLaw,
  crossEntropy: crossEntropyLaw,
  cyclicSlice: cyclicSliceLaw,
  depthwiseConv2d: convolutionLaw(true),
  div: all(pairwise(ops.div, {}, { awayFrom: [0], gap: 0.5 }), doubled(ops.div, { awayFrom: [0], gap: 0.5 })),
  dropout: dropoutLaw,
  einsum: einsumLaw,
  exp: elementwise(ops.exp),
  flatten: gradientLaw(
    shapes({ minAxes: 1 })
      .chain((shape) => tensors(shape))
      .map((x) => ({ f: ops.flatten, xs: [x] })),
  ),
  gather: gatherLaw,
  globalAvgPool2d: gradientLaw(
    shapes({ minAxes: 4 })
      .chain((shape) => tensors(shape))
      .map((x) => ({ f: ops.globalAvgPool2d, xs: [x] })),
  ),
  hardSwish: elementwise(ops.hardSwish, { min: -5, max: 5, awayFrom: [-3, 3] }),
  huber: lossLaw((x, t, o) => ops.huber(x, t, { ...o, delta: 1 }), nearWhole, nearHalf),
  klDivergence: klDivergenceLaw,
  layerNorm: normalised(shapes({ maxAxes: 2 }), whole(4, 7), ops.layerNorm),
  leakyRelu: all(
    elementwise((x) => ops.leakyRelu(x), { awayFrom: [0] }),
    elementwise((x) => ops.leakyRelu(x, 0.01), { awayFrom: [0] }),
  ),
  log: elementwise(ops.log, { min: 0.3, max: 3 }),
  logSoftmax: alongAxis(ops.logSoftmax, { min: -5, max: 5 }),
  matmul: all(matmulLaw, vectorLaw),
  max: reduction(ops.max, { distinct: 0.04 }),
  maxPool1d: pool1dLaw(ops.maxPool1d, { min: -6, max: 6, distinct: 0.04 }),
  maxPool2d: poolLaw(ops.maxPool2d, { min: -6, max: 6, distinct: 0.04 }),
  maximum: pairwise(ops.maximum, nearWhole, nearHalf),
  mean: reduction(ops.mean),
  meanAbsoluteError: lossLaw(ops.meanAbsoluteError, nearWhole, nearHalf),
  meanSquaredError: lossLaw(ops.meanSquaredError),
  min: reduction(ops.min, { distinct: 0.04 }),
  minimum: pairwise(ops.minimum, nearWhole, nearHalf),
  mul: all(pairwise(ops.mul), doubled(ops.mul), scaledLaw),
  neg: elementwise(ops.neg),
  pad: padLaw,
  pow: powLaw,
  reciprocal: elementwise(ops.reciprocal, { awayFrom: [0], gap: 0.4 }),
  relu: elementwise(ops.relu, { awayFrom: [0] }),
  reshape: reshapeLaw,
  resize: resizeLaw,
  sigmoid: elementwise(ops.sigmoid, { min: -5, max: 5 }),
  silu: elementwise(ops.silu, { min: -5, max: 5 }),
  slice: all(sliceLaw, basicLaws.slice),
  softmax: alongAxis(ops.softmax, { min: -3, max: 3 }),
  softplus: elementwise(ops.softplus, { min: -5, max: 5 }),
  split: splitLaw,
  sqrt: elementwise(ops.sqrt, { min: 0.3, max: 3 }),
  square: elementwise(ops.square),
  stack: stackLaw,
  straightThroughSign: straightThroughLaw,
  sub: all(pairwise(ops.sub), doubled(ops.sub)),
  sum: reduction(ops.sum),
  tanh: elementwise(ops.tanh, { min: -3, max: 3 }),
  transpose: transposeLaw,
  where: whereLaw,
};
