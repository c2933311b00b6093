import * as ops from "../../src/ops/index.ts";
import type { Tensor } from "../../src/tensor/index.ts";
import type { ValueOptions } from "../../src/testing/arbitraries.ts";

/** What must hold of an op of one tensor. */
export type Unary = {
  /** The op's value, if possible by another formula than the kernel's. */
  readonly formula: (x: number) => number;
  /** What the op and its slope tend to at −∞ and ∞. */
  readonly limits: readonly [values: readonly [number, number], slopes: readonly [number, number]];
  /** The slope at kinks: [x, slope]. */
  readonly kinks?: readonly (readonly [x: number, slope: number])[];
  /** Numbers for which the gradient is compared with central differences; −2 to 2 by default. Keep away from kinks. */
  readonly numbers?: ValueOptions;
};

type Ops = typeof ops;
type OfOneTensor = { [K in keyof Ops]: Ops[K] extends (...args: infer P) => Tensor ? (P extends [Tensor] ? K : never) : never };
/** Functions of one tensor, element by element. The compiler asks for an entry of each. */
export type UnaryName = Exclude<OfOneTensor[keyof Ops], "flatten" | "globalAvgPool2d" | "straightThroughSign">;

/** These functions by name. */
export const unaryOps: Readonly<Record<UnaryName, (x: Tensor) => Tensor>> = ops;

const { POSITIVE_INFINITY: inf, NaN: nan } = Number;
const logistic = (x: number): number => 1 / (1 + Math.exp(-x));
/** 2/√π · ∫ e^(−t²) dt from 0 to x by Simpson's rule. */
function erf(x: number): number {
  const n = 1000;
  const heights = Array.from(
    { length: n + 1 },
    (_, i) => (i === 0 || i === n ? 1 : i % 2 === 0 ? 2 : 4) * Math.exp(-(((i / n) * x) ** 2)),
  );
  return ((2 / Math.sqrt(Math.PI)) * x * heights.reduce((sum, v) => sum + v)) / (3 * n);
}

export const unaries: Readonly<Record<UnaryName, Unary>> = {
  abs: {
    formula: (x) => Math.sqrt(x * x),
    limits: [
      [inf, inf],
      [-1, 1],
    ],
    kinks: [[0, 0]],
    numbers: { awayFrom: [0] },
  },
  cos: {
    formula: (x) => Math.sin(x + Math.PI / 2),
    limits: [
      [nan, nan],
      [nan, nan],
    ],
  },
  erf: {
    formula: erf,
    limits: [
      [-1, 1],
      [0, 0],
    ],
    kinks: [[0, Math.fround(2 / Math.sqrt(Math.PI))]],
  },
  exp: {
    formula: (x) => Math.E ** x,
    limits: [
      [0, inf],
      [0, inf],
    ],
  },
  floor: {
    formula: (x) => x - (((x % 1) + 1) % 1),
    limits: [
      [-inf, inf],
      [0, 0],
    ],
    kinks: [[1, 0]],
    numbers: { awayFrom: [-2, -1, 0, 1, 2] },
  },
  hardSigmoid: {
    formula: (x) => Math.min(1, Math.max(0, x / 6 + 0.5)),
    limits: [
      [0, 1],
      [0, 0],
    ],
    kinks: [
      [-3, Math.fround(1 / 6)],
      [3, Math.fround(1 / 6)],
    ],
    numbers: { min: -5, max: 5, awayFrom: [-3, 3] },
  },
  hardSwish: {
    formula: (x) => (x * Math.min(Math.max(x + 3, 0), 6)) / 6,
    limits: [
      [0, inf],
      [0, 1],
    ],
    numbers: { min: -5, max: 5, awayFrom: [-3, 3] },
  },
  log: {
    formula: (x) => Math.log2(x) * Math.LN2,
    limits: [
      [nan, inf],
      [0, 0],
    ],
    numbers: { min: 0.3, max: 3 },
  },
  mish: {
    formula: (x) => x * Math.tanh(Math.log(1 + Math.exp(x))),
    limits: [
      [0, inf],
      [0, 1],
    ],
    numbers: { min: -5, max: 5 },
  },
  neg: {
    formula: (x) => 0 - x,
    limits: [
      [inf, -inf],
      [-1, -1],
    ],
  },
  reciprocal: {
    formula: (x) => x ** -1,
    limits: [
      [0, 0],
      [0, 0],
    ],
    numbers: { awayFrom: [0], gap: 0.4 },
  },
  relu: {
    formula: (x) => Math.max(x, 0),
    limits: [
      [0, inf],
      [0, 1],
    ],
    kinks: [[0, 0]],
    numbers: { awayFrom: [0] },
  },
  relu6: {
    formula: (x) => Math.min(6, Math.max(0, x)),
    limits: [
      [0, 6],
      [0, 0],
    ],
    kinks: [
      [0, 0],
      [6, 1],
    ],
    numbers: { min: -2, max: 8, awayFrom: [0, 6] },
  },
  round: {
    formula: (x) => x + 1.5 * 2 ** 52 - 1.5 * 2 ** 52,
    limits: [
      [-inf, inf],
      [0, 0],
    ],
    kinks: [[0.5, 0]],
    numbers: { awayFrom: [-1.5, -0.5, 0.5, 1.5] },
  },
  rsqrt: {
    formula: (x) => x ** -0.5,
    limits: [
      [nan, 0],
      [nan, 0],
    ],
    numbers: { min: 0.3, max: 3 },
  },
  sigmoid: {
    formula: (x) => (1 + Math.tanh(x / 2)) / 2,
    limits: [
      [0, 1],
      [0, 0],
    ],
    numbers: { min: -5, max: 5 },
  },
  silu: {
    formula: (x) => (x * (1 + Math.tanh(x / 2))) / 2,
    limits: [
      [0, inf],
      [0, 1],
    ],
    numbers: { min: -5, max: 5 },
  },
  sin: {
    formula: (x) => -Math.cos(x + Math.PI / 2),
    limits: [
      [nan, nan],
      [nan, nan],
    ],
  },
  softplus: {
    formula: (x) => Math.log(1 + Math.exp(x)),
    limits: [
      [0, inf],
      [0, 1],
    ],
    numbers: { min: -5, max: 5 },
  },
  sqrt: {
    formula: (x) => x ** 0.5,
    limits: [
      [nan, inf],
      [nan, 0],
    ],
    kinks: [[0, inf]],
    numbers: { min: 0.3, max: 3 },
  },
  square: {
    formula: (x) => x ** 2,
    limits: [
      [inf, inf],
      [-inf, inf],
    ],
  },
  tanh: {
    formula: (x) => 2 * logistic(2 * x) - 1,
    limits: [
      [-1, 1],
      [0, 0],
    ],
    numbers: { min: -3, max: 3 },
  },
};
