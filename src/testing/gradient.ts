import {
  assign,
  Generator,
  GradientError,
  gradients,
  noGrad,
  readCount,
  readFunction,
  readNumber,
  readOptions,
  readTensors,
  ShapeError,
  show,
  Tensor,
  tensor,
  ValueError,
  variable,
} from "../tensor/index.ts";

/** A function whose gradient is checked. It must return the same result at every call. */
export type Differentiable = (...xs: Tensor[]) => Tensor | readonly Tensor[];

/** Options of `compareGradient` and `gradientError`. */
export type GradientOptions = {
  /** The distance that inputs move along the direction (default 1/64). Keep inputs this far from kinks and ties. */
  readonly step?: number;
  /** ∂loss/∂f (default random). */
  readonly upstream?: Tensor | readonly Tensor[];
};

/** The derivative from gradients, the derivative from differences, and their relative error. */
export type GradientComparison = { readonly exact: number; readonly numeric: number; readonly error: number };

/**
 * Compares the derivative of ⟨upstream, f⟩ along one random direction of all inputs: from `gradients`, and from central
 * differences of f. Four evaluations of f check every partial derivative at once.
 *
 * Richardson extrapolation of differences over ±step and ±step/2 leaves an error of order step⁴. Moved inputs are
 * rounded to float32; the exact derivative uses the rounded movement. f rounds its results to about 2⁻²⁴, and the
 * difference divides this error by the step.
 * So the error is relative to the larger derivative, but at least to `FLOOR` times this noise and to `CANCELLED` times
 * the terms of the derivative. A derivative that is zero or cancels is not compared with rounding errors.
 * @param f - the function
 * @param xs - the inputs of f
 * @param random - returns numbers of at least 0 and below 1, such as a Generator's `uniform`
 * @example
 * const random = new Generator(1);
 * const { error } = compareGradient(tanh, [tensor([0.5, -1])], () => random.uniform());
 * console.log(error < 1e-3); //=> true
 */
export function compareGradient(
  f: Differentiable,
  xs: readonly Tensor[],
  random: () => number,
  options: GradientOptions = {},
): GradientComparison {
  return compared("compareGradient", f, xs, random, options);
}

function compared(
  who: string,
  f: Differentiable,
  xs: readonly Tensor[],
  random: () => number,
  options: GradientOptions,
): GradientComparison {
  readFunction(who, "f", f);
  const leaves = readTensors(who, "xs", xs).map(variable);
  return comparedLeaves(who, () => f(...leaves), leaves, random, options);
}

/**
 * Compares the derivative of a function that reads variables by itself, such as a model, as `compareGradient` does.
 * Moves the variables, then restores them.
 * @param f - the function, without arguments
 * @param leaves - variables
 * @param random - returns numbers of at least 0 and below 1, such as a Generator's `uniform`
 * @example
 * const vars = new DenseVariables();
 * const model = dense(vars, 3, 2);
 * const leaves = vars.parameters().map((p) => p.tensor);
 * const random = new Generator(1);
 * const { error } = compareLeafGradient(() => model(ones([4, 3])), leaves, () => random.uniform());
 * console.log(error < 1e-3); //=> true
 */
export function compareLeafGradient(
  f: () => Tensor | readonly Tensor[],
  leaves: readonly Tensor[],
  random: () => number,
  options: GradientOptions = {},
): GradientComparison {
  readFunction("compareLeafGradient", "f", f);
  for (const [i, x] of readTensors("compareLeafGradient", "leaves", leaves).entries()) {
    if (x.leaf === null || !x.tracked)
      throw new ValueError("compareLeafGradient", `leaves[${i}] ${show(x.shape)} must be a variable that is not frozen`);
  }
  return comparedLeaves("compareLeafGradient", f, leaves, random, options);
}

function comparedLeaves(
  who: string,
  f: () => Tensor | readonly Tensor[],
  leaves: readonly Tensor[],
  random: () => number,
  options: GradientOptions,
): GradientComparison {
  readFunction(who, "random", random);
  const { step = 1 / 64, upstream } = readOptions(who, options, ["step", "upstream"]);
  readNumber(who, "step", step, { above: 0 });
  const results = (): readonly Tensor[] => listed(who, "f's result", f());
  const signed = (): number => 2 * readNumber(who, "random()", random(), { least: 0, below: 1 }) - 1;
  const directions = leaves.map((x) => Float64Array.from(x.data, signed));
  const ys = results();
  const weights =
    upstream === undefined
      ? ys.map((y) => Float32Array.from(y.data, signed))
      : upstreamOf(who, ys, listed(who, "upstream", upstream));
  const before = leaves.map((x) => x.toArray());
  const slopes = slopesOf(leaves, ys, weights);
  const size = Math.sqrt(ys.reduce((total, y, i) => total + sumOf(weights[i]!, (w, at) => (w * y.data[at]!) ** 2), 0));

  /** A central difference over ±h, and the derivative that the gradients promise for the movement that was made. */
  const difference = (h: number): { numeric: number; exact: number } => {
    const moved = (t: number): Float32Array[] =>
      before.map((x, i) => Float32Array.from(x, (v, at) => v + t * directions[i]![at]!));
    const value = (at: readonly Float32Array[]): number => {
      for (const [i, x] of leaves.entries()) assign(x, at[i]!);
      return noGrad(() => results().reduce((total, y, i) => total + dot(weights[i]!, y.data), 0));
    };
    const [ahead, behind] = [moved(h), moved(-h)];
    const exact = slopes.reduce((total, dx, i) => total + sumOf(dx, (d, at) => d * (ahead[i]![at]! - behind[i]![at]!)), 0);
    return { numeric: (value(ahead) - value(behind)) / (2 * h), exact: exact / (2 * h) };
  };
  let wide: ReturnType<typeof difference>;
  let narrow: ReturnType<typeof difference>;
  try {
    [wide, narrow] = [difference(step), difference(step / 2)];
  } finally {
    for (const [i, x] of leaves.entries()) assign(x, before[i]!); // also if f throws
  }
  const extrapolated = (far: number, near: number): number => (4 * near - far) / 3;
  const exact = extrapolated(wide.exact, narrow.exact);
  const numeric = extrapolated(wide.numeric, narrow.numeric);
  const terms = Math.sqrt(slopes.reduce((total, dx, i) => total + sumOf(dx, (d, at) => (d * directions[i]![at]!) ** 2), 0));
  const least = Math.max((FLOOR * size * 2 ** -24) / step, CANCELLED * terms);
  if (exact === numeric) return { exact, numeric, error: 0 };
  return { exact, numeric, error: Math.abs(exact - numeric) / Math.max(Math.abs(exact), Math.abs(numeric), least) };
}

/** A derivative counts in full if it is at least this many times the rounding noise of f. */
const FLOOR = 3000;

/** A derivative counts in full if it is at least this share of the root of squares of its terms. */
const CANCELLED = 0.03;

/**
 * Returns the relative error of the gradient of f along one random direction; see `compareGradient`. NaN if either
 * derivative is NaN.
 * @param f - the function
 * @param xs - the inputs of f
 * @param random - returns numbers of at least 0 and below 1, such as a Generator's `uniform`
 * @example
 * const random = new Generator(1);
 * console.log(gradientError(tanh, [tensor([0.5, -1])], () => random.uniform()) < 1e-3); //=> true
 */
export function gradientError(
  f: Differentiable,
  xs: readonly Tensor[],
  random: () => number,
  options: GradientOptions = {},
): number {
  return compared("gradientError", f, xs, random, options).error;
}

/** Options of `checkGradient`, which include {@link GradientOptions}. */
export type CheckOptions = GradientOptions & {
  /** The largest relative error (default 2e-3). */
  readonly tolerance?: number;
  /** The seed of direction and upstream (default 0). */
  readonly seed?: number;
};

/**
 * Throws unless the gradient of f agrees with central differences along one random direction.
 * @param f - the function
 * @param xs - the inputs of f
 * @throws GradientError with both derivatives, their relative error and the seed.
 * @example
 * const random = new Generator(1);
 * const [x, kernel] = [randomNormal([1, 4, 4, 2], random), randomNormal([3, 3, 2, 1], random)];
 * checkGradient((x, kernel) => conv2d(x, kernel, { padding: "same" }), [x, kernel]);
 */
export function checkGradient(f: Differentiable, xs: readonly Tensor[], options: CheckOptions = {}): void {
  const {
    tolerance = 2e-3,
    seed = 0,
    ...rest
  } = readOptions("checkGradient", options, ["step", "upstream", "tolerance", "seed"]);
  readNumber("checkGradient", "tolerance", tolerance, { least: 0, infinite: true });
  readCount("checkGradient", "seed", seed, Number.MIN_SAFE_INTEGER);
  const random = new Generator(seed);
  const { exact, numeric, error } = compared("checkGradient", f, xs, () => random.uniform(), rest);
  if (error <= tolerance) return; // false for NaN
  throw new GradientError(
    "checkGradient",
    `the gradient says ${exact}, central differences say ${numeric}: relative error ${error} is above ${tolerance}; seed ${seed}`,
  );
}

function listed(who: string, name: string, ys: Tensor | readonly Tensor[]): readonly Tensor[] {
  return ys instanceof Tensor ? [ys] : readTensors(who, name, ys);
}

function upstreamOf(who: string, ys: readonly Tensor[], upstream: readonly Tensor[]): Float32Array[] {
  return ys.map((y, i) => {
    const given = upstream[i];
    if (given === undefined || given.size !== y.size || upstream.length !== ys.length) {
      const shapes = (list: readonly Tensor[]): string => list.map((x) => show(x.shape)).join(", ");
      throw new ShapeError(who, `upstream ${shapes(upstream)} must have the shapes of f's result, ${shapes(ys)}`);
    }
    return given.toArray();
  });
}

/** The gradient of each x, added over all results; a result that does not depend on any x adds nothing. */
function slopesOf(xs: readonly Tensor[], ys: readonly Tensor[], weights: readonly Float32Array[]): Float64Array[] {
  const slopes = xs.map((x) => new Float64Array(x.size));
  for (const [i, y] of ys.entries()) {
    if (!y.tracked) continue;
    for (const [j, dx] of gradients(y, xs, tensor(weights[i]!, y.shape), { retain: true }).entries()) {
      const slope = slopes[j]!;
      dx.data.forEach((d, at) => {
        slope[at]! += d;
      });
    }
  }
  return slopes;
}

function sumOf(x: Float32Array | Float64Array, term: (v: number, at: number) => number): number {
  let total = 0;
  for (let i = 0; i < x.length; i++) total += term(x[i]!, i);
  return total;
}

const dot = (a: Float32Array, b: Float32Array): number => sumOf(a, (v, at) => v * b[at]!);
