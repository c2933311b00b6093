import {
  type Bounds,
  checkShape,
  describe,
  FLOAT32,
  full,
  type Generator,
  randomNormal,
  randomTruncatedNormal,
  randomUniform,
  readFunction,
  readName,
  readNumber,
  readObject,
  type Shape,
  ShapeError,
  show,
  sizeOf,
  type Tensor,
  ValueError,
} from "../tensor/index.ts";

/** The distribution of the starting values of a variable. */
export type Initializer = {
  /** The name, for messages. */
  readonly name: string;
  /** Mean and standard deviation for a shape; pools scale their slices to them. */
  readonly mean: number;
  /** The standard deviation for a shape; pools scale their slices to it. */
  readonly deviation: (shape: Shape) => number;
  /** Returns the starting values of a variable. */
  readonly draw: (shape: Shape, random: Generator) => Tensor;
};

const LEAST_0: Bounds = { ...FLOAT32, least: 0 };

/** An initializer of this library, or a custom object with the same fields. */
export function readInitializer(who: string, name: string, init: Initializer): Initializer {
  readObject(who, name, init);
  readNumber(who, `${name}.mean`, init.mean, FLOAT32);
  readFunction(who, `${name}.deviation`, init.deviation);
  readFunction(who, `${name}.draw`, init.draw);
  return init;
}

/** The deviation of a normal distribution with deviation 1 that is cut at ±2. */
const CUT_DEVIATION = 0.8796256610342398;

/**
 * Returns an initializer that sets every number to `value`.
 * @param value - the number
 */
export function constantInit(value: number): Initializer {
  readNumber("constantInit", "value", value, FLOAT32);
  return { name: `constant ${value}`, mean: value, deviation: () => 0, draw: (shape) => full(shape, value) };
}

/** Initializer: zeros. */
export const zerosInit: Initializer = constantInit(0);
/** Initializer: ones. */
export const onesInit: Initializer = constantInit(1);

/**
 * Returns an initializer that draws from the uniform distribution between `low` and `high`.
 * @param low - the lower bound (default −0.05)
 * @param high - the upper bound (default 0.05)
 */
export function uniformInit(low = -0.05, high = 0.05): Initializer {
  readNumber("uniformInit", "low", low, FLOAT32);
  readNumber("uniformInit", "high", high, { ...FLOAT32, least: low });
  return {
    name: `uniform ${low}…${high}`,
    mean: (low + high) / 2,
    deviation: () => (high - low) / Math.sqrt(12),
    draw: (shape, random) => randomUniform(shape, random, low, high),
  };
}

/**
 * Returns an initializer that draws from a normal distribution.
 * @param deviation - the standard deviation (default 0.05)
 * @param mean - the mean (default 0)
 */
export function normalInit(deviation = 0.05, mean = 0): Initializer {
  readNumber("normalInit", "deviation", deviation, LEAST_0);
  readNumber("normalInit", "mean", mean, FLOAT32);
  return {
    name: `normal ${deviation}`,
    mean,
    deviation: () => deviation,
    draw: (shape, random) => randomNormal(shape, random, mean, deviation),
  };
}

/**
 * Returns an initializer that draws from a normal distribution, truncated at 2·deviation from the mean. The standard
 * deviation of the draws is 0.88·deviation.
 * @param deviation - the standard deviation before truncation (default 0.05)
 * @param mean - the mean (default 0)
 */
export function truncatedNormalInit(deviation = 0.05, mean = 0): Initializer {
  readNumber("truncatedNormalInit", "deviation", deviation, LEAST_0);
  readNumber("truncatedNormalInit", "mean", mean, FLOAT32);
  return {
    name: `truncated normal ${deviation}`,
    mean,
    deviation: () => deviation * CUT_DEVIATION,
    draw: (shape, random) => randomTruncatedNormal(shape, random, mean, deviation),
  };
}

/** How many numbers one output reads and one input feeds: [inputs, outputs] or [height, width, inputs, outputs]. */
export function fansOf(shape: Shape): { fanIn: number; fanOut: number } {
  const [inputs, outputs] = shape.length >= 2 ? [shape.at(-2)!, shape.at(-1)!] : [shape[0] ?? 1, shape[0] ?? 1];
  const field = shape.length > 2 ? sizeOf(shape.slice(0, -2)) : 1;
  return { fanIn: Math.max(1, inputs * field), fanOut: Math.max(1, outputs * field) };
}

/** A kind of random distribution. */
export type Distribution = "uniform" | "normal" | "truncated normal";

const DISTRIBUTIONS: readonly Distribution[] = ["uniform", "normal", "truncated normal"];

/**
 * Returns an initializer with standard deviation √(scale/fan).
 * @param scale - a number above 0
 * @param fan - "in": the numbers that one output reads; "out": the outputs that one input feeds; "average" of both; or
 * a number
 * @param distribution - the kind of the distribution
 * @example
 * const init = varianceScaling(2, "in", "normal"); // the same as heNormal
 * console.log(init.deviation([8, 16]), heNormal.deviation([8, 16])); //=> 0.5 0.5
 */
export function varianceScaling(scale: number, fan: "in" | "out" | "average" | number, distribution: Distribution): Initializer {
  readNumber("varianceScaling", "scale", scale, { above: 0 });
  if (typeof fan === "number") readNumber("varianceScaling", "fan", fan, { above: 0 });
  else readFan(fan);
  readName("varianceScaling", "distribution", distribution, DISTRIBUTIONS);
  const deviation = (shape: Shape): number => {
    const { fanIn, fanOut } = fansOf(shape);
    const n = typeof fan === "number" ? fan : fan === "in" ? fanIn : fan === "out" ? fanOut : (fanIn + fanOut) / 2;
    return Math.sqrt(scale / n);
  };
  return {
    name: `variance scaling ${scale}, fan ${fan}, ${distribution}`,
    mean: 0,
    deviation,
    draw: (shape, random) => ofDeviation(distribution, deviation(shape)).draw(shape, random),
  };
}

function readFan(fan: unknown): void {
  if (fan !== "in" && fan !== "out" && fan !== "average")
    throw new ValueError("varianceScaling", `fan must be "in", "out", "average" or a number above 0, got ${describe(fan)}`);
}

/** A distribution with mean 0 and exactly this standard deviation. */
export function ofDeviation(distribution: Distribution, deviation: number): Initializer {
  if (distribution === "normal") return normalInit(deviation);
  if (distribution === "truncated normal") return truncatedNormalInit(deviation / CUT_DEVIATION);
  const bound = deviation * Math.sqrt(3);
  return uniformInit(-bound, bound);
}

/** Initializer: uniform with standard deviation √(2/(fanIn + fanOut)) (Glorot and Bengio 2010). */
export const glorotUniform: Initializer = varianceScaling(1, "average", "uniform");
/** Initializer: normal with standard deviation √(2/(fanIn + fanOut)) (Glorot and Bengio 2010). */
export const glorotNormal: Initializer = varianceScaling(1, "average", "normal");
/** Initializer: uniform with standard deviation √(2/fanIn), for layers before a relu (He et al. 2015). */
export const heUniform: Initializer = varianceScaling(2, "in", "uniform");
/** Initializer: normal with standard deviation √(2/fanIn), for layers before a relu (He et al. 2015). */
export const heNormal: Initializer = varianceScaling(2, "in", "normal");

/**
 * Returns an initializer that draws a random orthogonal matrix (Saxe et al. 2014), times `gain`. All axes but the last
 * form the rows.
 * @param gain - the factor (default 1)
 */
export function orthogonal(gain = 1): Initializer {
  readNumber("orthogonal", "gain", gain, FLOAT32);
  const sides = (shape: Shape): [number, number] => {
    checkShape("orthogonal", shape);
    if (shape.length < 2)
      throw new ShapeError("orthogonal", `shape ${show(shape)} has no two sides; use it for kernels and matrices`);
    return [sizeOf(shape.slice(0, -1)), shape.at(-1)!];
  };
  return {
    name: `orthogonal ${gain}`,
    mean: 0,
    deviation: (shape) => gain / Math.sqrt(Math.max(...sides(shape))),
    draw: (shape, random) => {
      const [rows, columns] = sides(shape);
      const x = randomNormal(shape, random);
      const wide = rows < columns;
      orthonormalize(x.data, wide ? rows : columns, wide ? columns : 1, wide ? columns : rows, wide ? 1 : columns);
      for (let i = 0; i < x.size; i++) x.data[i] = x.data[i]! * gain;
      return x;
    },
  };
}

/**
 * Gram and Schmidt, twice for accuracy: `count` vectors of `length`, vector v's element i at x[v·vectorStep + i·step].
 */
function orthonormalize(x: Float32Array, count: number, vectorStep: number, length: number, step: number): void {
  const dot = (u: number, v: number): number => {
    let total = 0;
    for (let i = 0; i < length; i++) total += x[u * vectorStep + i * step]! * x[v * vectorStep + i * step]!;
    return total;
  };
  for (let v = 0; v < count; v++) {
    for (let pass = 0; pass < 2; pass++) {
      for (let u = 0; u < v; u++) {
        const overlap = dot(u, v);
        for (let i = 0; i < length; i++) x[v * vectorStep + i * step]! -= overlap * x[u * vectorStep + i * step]!;
      }
      const norm = Math.sqrt(dot(v, v));
      for (let i = 0; i < length; i++) x[v * vectorStep + i * step]! /= norm;
    }
  }
}
