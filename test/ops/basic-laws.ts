// Laws of the ops that are not layers: shapes, statistics, special functions.
import fc from "fast-check";
import * as ops from "../../src/ops/index.ts";
import { range, type Tensor } from "../../src/tensor/index.ts";
import { type ShapeOptions, shapes, tensors, type ValueOptions } from "../../src/testing/arbitraries.ts";
import { all, alongAxis, elementwise, gradientLaw, type Law, note, oneOf, reduction, whole } from "./law.ts";

/** f of a tensor and an argument that depends on its shape. */
function shaping<T>(
  f: (x: Tensor, given: T) => Tensor,
  given: (shape: readonly number[]) => fc.Arbitrary<T>,
  sizes: ShapeOptions = {},
  values: ValueOptions = {},
): Law {
  return gradientLaw(
    shapes({ maxLength: 3, ...sizes }).chain((shape) =>
      fc.tuple(tensors(shape, values), given(shape)).map(([x, g]) => ({ f: (v: Tensor) => f(v, g), xs: [x], note: note(g) })),
    ),
  );
}

const axesOf = (shape: readonly number[]): fc.Arbitrary<ops.Axis | undefined> =>
  fc.option(fc.subarray(shape.map((_, axis) => (axis % 2 === 0 ? axis : axis - shape.length))), { nil: undefined });
const diagonals = (): fc.Arbitrary<number> => whole(-4, 4);

/** Blocks of negative, partial and strided ranges. */
const slices = (shape: readonly number[]): fc.Arbitrary<Parameters<typeof ops.slice> extends [Tensor, ...infer R] ? R : never> =>
  fc
    .tuple(
      fc.tuple(...shape.map((n) => fc.tuple(whole(-n, n - 1), whole(0, n), fc.boolean(), oneOf(-2, -1, 1, 2, 3)))),
      whole(0, shape.length),
      whole(0, shape.length),
      whole(0, shape.length),
    )
    .map(([cuts, begins, sizes, strides]) => {
      const begin = cuts.slice(0, begins).map(([at]) => at);
      const room = shape.map((n, axis) => n - ((begin[axis] ?? 0) < 0 ? begin[axis]! + n : (begin[axis] ?? 0)));
      const size = cuts.slice(0, sizes).map(([, length, fromEnd], axis) => {
        const least = Math.min(length, room[axis]!);
        return fromEnd ? least - room[axis]! - 1 : least;
      });
      return [begin, size, { strides: cuts.slice(0, strides).map(([, , , step]) => step) }];
    });

/** Numbers so far apart that their deviation is not next to nothing. */
const deviation = (f: typeof ops.variance): Law => {
  const ramp = (x: Tensor): Tensor => ops.reshape(range(0, x.size), x.shape);
  return all(
    reduction((x, axis, options) => f(ops.add(x, ramp(x)), axis, options), { min: -0.3, max: 0.3 }),
    reduction((x, axis, options) => f(ops.add(x, ramp(x)), axis, { ...options, correction: 0.5 }), { min: -0.3, max: 0.3 }),
  );
};

const zeroed = (x: Tensor, axis: ops.Axis | undefined): Tensor => ops.prod(ops.relu(x), axis);
const few: ShapeOptions = { maxAxes: 2 };

type Name =
  | "cumsum"
  | "elu"
  | "expandDims"
  | "flip"
  | "gelu"
  | "logSumExp"
  | "norm"
  | "prod"
  | "slice"
  | "squeeze"
  | "standardDeviation"
  | "tile"
  | "topK"
  | "tril"
  | "triu"
  | "variance";

export const basicLaws: Readonly<Record<Name, Law>> = {
  cumsum: alongAxis(ops.cumsum),
  elu: all(
    elementwise((x) => ops.elu(x), { awayFrom: [0] }),
    elementwise((x) => ops.elu(x, 0.3), { awayFrom: [0] }),
  ),
  expandDims: shaping(ops.expandDims, (shape) => whole(-shape.length - 1, shape.length)),
  flip: shaping(ops.flip, axesOf),
  gelu: all(
    elementwise((x) => ops.gelu(x), { min: -4, max: 4 }),
    elementwise((x) => ops.gelu(x, { approximate: "none" }), { min: -4, max: 4 }),
  ),
  logSumExp: reduction(ops.logSumExp),
  norm: reduction(ops.norm, { awayFrom: [0], gap: 0.3 }),
  prod: all(
    shaping((x, axis) => ops.prod(x, axis), axesOf, few),
    shaping((x, axis) => ops.prod(x, axis, { keepDims: true }), axesOf, { maxAxes: 3, maxLength: 2 }),
    shaping(zeroed, axesOf, few, { awayFrom: [0] }),
  ),
  slice: shaping((x, given) => ops.slice(x, ...given), slices),
  squeeze: shaping<ops.Axis | undefined>(
    (x, axis) => ops.squeeze(x, axis),
    (shape) => axesOf(shape).map((axis) => (Array.isArray(axis) ? axis.filter((i) => shape.at(i) === 1) : axis)),
  ),
  standardDeviation: deviation(ops.standardDeviation),
  tile: shaping(ops.tile, (shape) => fc.array(whole(0, 3), { maxLength: shape.length + 1 })),
  topK: shaping<[number, number]>(
    (x, [axis, k]) => ops.topK(x, k, axis).values,
    (shape) => whole(-shape.length, shape.length - 1).chain((axis) => fc.tuple(oneOf(axis), whole(0, shape.at(axis)!))),
    { minAxes: 1 },
    { distinct: 0.04 },
  ),
  tril: shaping(ops.tril, diagonals, { minAxes: 2 }),
  triu: shaping(ops.triu, diagonals, { minAxes: 2 }),
  variance: deviation(ops.variance),
};
