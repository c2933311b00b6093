import { add, mul, sub } from "../ops/index.ts";
import {
  assign,
  describe,
  noGrad,
  ones,
  type Parameter,
  sameShape,
  show,
  Tensor,
  tensor,
  ValueError,
  zeros,
} from "../tensor/index.ts";
import { readCreator, type VariableCreator } from "../variables/index.ts";
import { HashVariablePool } from "./hash-pool.ts";
import { bestFactors, squares } from "./low-rank.ts";
import { ProductVariablePool } from "./product-pool.ts";
import type { PooledVariable } from "./rule.ts";
import { VariableFactory } from "./variable-factory.ts";

/** How well pools reproduce given weights: relative errors ‖fitted − given‖ / ‖given‖. */
export type FitReport = {
  /** The error of each variable that comes from a pool. */
  readonly layers: readonly { readonly name: string; readonly error: number }[];
  /** The error of all these variables together. */
  readonly error: number;
};

/**
 * Fits the weights of a compressed model to those of a trained dense model, and copies all variables outside the pools.
 * Fine-tune the model afterwards.
 *
 * First the learned scale of each variable is set so that all slices have the pool's standard deviation. Otherwise the
 * error of layers with small weights would hardly count. Then the pool is fitted by least squares:
 * - A product pool gets the factors of a truncated SVD.
 * - A hash pool alternates. Each number becomes the weighted mean of the weights that share the number; then each scale
 *   is fitted to the numbers.
 *
 * @param vars - the factory of the compressed model, after the model was built
 * @param weights - the variables of the dense model, or its weights by name; names and shapes must be those of `vars`
 * @throws ValueError if a weight is missing or has another shape, or if a pool is neither a product nor a hash pool.
 *   Also if a modifier is not linear in the slice, such as `signModifier`.
 * @example
 * const trained = new DenseVariables({ seed: 1 }); // train this network first
 * toyNetwork(trained);
 * const { vars } = compress((vars) => toyNetwork(vars), { fraction: 0.4, seed: 1 });
 * const { error } = fitPool(vars, trained); // then fine-tune the compressed network
 * console.log(error < 0.75); //=> true
 */
export function fitPool(vars: VariableFactory, weights: VariableCreator | ReadonlyMap<string, Tensor>): FitReport {
  if (!(vars instanceof VariableFactory))
    throw new ValueError("fitPool", `vars must be a VariableFactory, got ${describe(vars)}; compress() returns one`);
  const given = readWeights(vars, weights);
  return noGrad(() => {
    const scales = new Map(vars.parameters().map((parameter) => [parameter.name, parameter]));
    const targets = vars.pools.map((pool) =>
      [...vars.pooled(pool)].map(([name, variable]) => targetOf(name, variable, given.get(name)!, scales.get(`${name}/scale`))),
    );
    for (const variable of vars.variables()) if (variable.storage === "dense") variable.assign(given.get(variable.name)!);
    for (const [i, pool] of vars.pools.entries()) {
      for (const target of targets[i]!) normalize(target, pool.stddev);
      if (pool instanceof HashVariablePool) fitHash(pool, targets[i]!);
      else fitProduct(pool as ProductVariablePool, targets[i]!);
    }
    return reportOf(vars, given);
  });
}

/** The weights for all variables, checked before anything changes. */
function readWeights(vars: VariableFactory, weights: VariableCreator | ReadonlyMap<string, Tensor>): Map<string, Tensor> {
  const isMap = weights instanceof Map;
  const source = isMap
    ? (weights as ReadonlyMap<string, Tensor>)
    : new Map(
        readCreator("fitPool", "weights", weights as VariableCreator)
          .variables()
          .map((v) => [v.name, v.read()]),
      );
  for (const pool of vars.pools) {
    if (!(pool instanceof HashVariablePool || pool instanceof ProductVariablePool))
      throw new ValueError(
        "fitPool",
        `fits product and hash pools, got a pool of the kind ${pool.description?.kind ?? "custom"}`,
      );
  }
  const found = new Map<string, Tensor>();
  for (const { name, shape } of vars.variables()) {
    const weight = source.get(name);
    if (!(weight instanceof Tensor))
      throw new ValueError("fitPool", `weights lack "${name}" ${show(shape)}; build both models alike`);
    if (!sameShape(weight.shape, shape))
      throw new ValueError("fitPool", `"${name}" has shape ${show(shape)}, the given weight ${show(weight.shape)}`);
    const bad = weight.toArray().findIndex((x) => !Number.isFinite(x));
    if (bad >= 0) throw new ValueError("fitPool", `the given weight "${name}" holds ${weight.toArray()[bad]}`);
    found.set(name, weight);
  }
  return found;
}

/** The aim of the fit of one variable: gain · slice = wanted, element by element. */
type Target = {
  readonly variable: PooledVariable;
  /** The given weights, less the shift of the modifier. */
  readonly wanted: Float32Array;
  /** The factor by which the modifier multiplies each number of the slice. */
  readonly gain: Float32Array;
  /** The learned scale that multiplies all of `gain`, or null. */
  readonly scale: Parameter | null;
  /** The slice that gives the wanted weights exactly, after `normalize`. */
  readonly slice: Float64Array;
};

/** Finds how the modifier maps a slice to weights: gain · slice + shift. */
function targetOf(name: string, variable: PooledVariable, weight: Tensor, scale: Parameter | undefined): Target {
  const { shape, modify } = variable;
  const shift = modify(zeros(shape));
  const gain = sub(modify(ones(shape)), shift);
  const twice = sub(modify(add(ones(shape), 1)), shift);
  if (!isMultiple(twice, gain, 2)) {
    throw new ValueError(
      "fitPool",
      `the modifier of "${name}" is not linear in the slice; use initializerScaleModifier, variableScaleModifier, a fan-in or fan-out scale, or null`,
    );
  }
  const [wanted, gains] = [sub(weight, shift).toArray(), gain.toArray()];
  return { variable, wanted, gain: gains, scale: scalesGain(variable, gain, scale), slice: new Float64Array(wanted.length) };
}

/** Returns the parameter if it is a single number and `gain` is proportional to it. Otherwise null. */
function scalesGain({ shape, modify }: PooledVariable, gain: Tensor, scale: Parameter | undefined): Parameter | null {
  if (scale === undefined || scale.tensor.size !== 1 || scale.tensor.item() === 0) return null;
  const before = scale.tensor.toArray();
  assign(scale.tensor, mul(scale.tensor, 2));
  const doubled = sub(modify(ones(shape)), modify(zeros(shape)));
  assign(scale.tensor, before);
  return isMultiple(doubled, gain, 2) ? scale : null;
}

function isMultiple(x: Tensor, y: Tensor, factor: number): boolean {
  const [a, b] = [x.toArray(), y.toArray()];
  return a.every((value, i) => Math.abs(value - factor * b[i]!) <= 1e-4 * Math.abs(value) + 1e-30);
}

/**
 * Computes `slice` = wanted / gain. If the variable has a scale, sets the scale so that the slice has the root mean
 * square `stddev`.
 */
function normalize(target: Target, stddev: number): void {
  const { wanted, gain, slice, scale } = target;
  for (let i = 0; i < slice.length; i++) slice[i] = gain[i] === 0 ? 0 : wanted[i]! / gain[i]!;
  const factor = Math.sqrt(squares(slice) / Math.max(1, slice.length)) / stddev;
  if (scale === null || factor === 0) return;
  assign(scale.tensor, mul(scale.tensor, factor));
  for (let i = 0; i < slice.length; i++) slice[i]! /= factor;
}

/** Calls `visit` for each number of a slice that the pool computes, so not for padding. */
function eachPlace({ variable }: Target, visit: (place: number, index: number) => void): void {
  let index = 0;
  for (const { begin, length } of variable.slice.placement[0]!) {
    if (begin >= 0) for (let i = 0; i < length; i++) visit(begin + i, index + i);
    index += length;
  }
}

/**
 * Returns the wanted number at each place of a pool: the mean if slices overlap, as with a cyclic store, and 0 if no
 * slice reads the place.
 */
function wantedPool(targets: readonly Target[], size: number): Float64Array {
  const [sum, count] = [new Float64Array(size), new Uint32Array(size)];
  for (const target of targets) {
    eachPlace(target, (place, index) => {
      sum[place]! += target.slice[index]!;
      count[place]!++;
    });
  }
  return sum.map((value, place) => value / Math.max(1, count[place]!));
}

/** The most rounds of an iteration. */
const MOST_ROUNDS = 50;

function fitProduct(pool: ProductVariablePool, targets: readonly Target[]): void {
  const [{ tensor: left }, { tensor: right }] = pool.coreVariables as [Parameter, Parameter];
  const [d, r, isKronecker] = [pool.dim, pool.replicas, left.shape.length === 3];
  const ranges = targets.flatMap(({ variable }) => variable.slice.placement[0]!);
  const used = ranges.reduce((most, { begin, length }) => (begin < 0 ? most : Math.max(most, begin + length)), 0);
  const rowSize = isKronecker ? d ** 3 : d;
  const rows = Math.ceil(used / rowSize);
  const wanted = wantedPool(targets, rows * rowSize);
  // The matrix of the product: [rows, d]. For a Kronecker product [(i, j), (p, q)]: its weight lies at (i, p, j, q).
  const [height, width] = isKronecker ? [rows * d, d * d] : [rows, d];
  const placeOf = (at: number): number => {
    if (!isKronecker) return at;
    const [row, column] = [Math.floor(at / width), at % width];
    const [i, j, p, q] = [Math.floor(row / d), row % d, Math.floor(column / d), column % d];
    return ((i * d + p) * d + j) * d + q;
  };
  const matrix = Float32Array.from({ length: height * width }, (_, at) => wanted[placeOf(at)]!);
  let made = bestFactors(tensor(matrix, [height, width]), r);
  // No slice reads the places from `used` on, so their error does not count: set them to the current product, fit
  // again, and repeat.
  const free = Array.from(matrix.keys()).filter((at) => placeOf(at) >= used);
  for (let round = 0; round < (free.length === 0 ? 0 : MOST_ROUNDS); round++) {
    let change = 0;
    for (const at of free) {
      const [row, column] = [Math.floor(at / width), at % width];
      let value = 0;
      for (let k = 0; k < r; k++) value += made.left[row * r + k]! * made.right[k * width + column]!;
      change += (value - matrix[at]!) ** 2;
      matrix[at] = value;
    }
    made = bestFactors(tensor(matrix, [height, width]), r, made);
    if (change < 1e-8 * matrix.length) break;
  }
  const [newLeft, newRight] = [left.toArray(), right.toArray()];
  for (let k = 0; k < r; k++) {
    const at = (row: number): number => (isKronecker ? k * d * d + row : row * r + k);
    for (let row = 0; row < height; row++) newLeft[at(row)] = made.left[row * r + k]!;
    // If the matrix has a rank below r, column k of `left` is 0. Row k of `right` keeps its random numbers, because
    // with two zero factors no gradient would flow.
    const row = made.right.subarray(k * width, (k + 1) * width);
    if (row.some((value) => value !== 0)) newRight.set(row, k * width);
  }
  assign(left, newLeft);
  assign(right, newRight);
}

/**
 * Alternates two least-squares fits: the numbers for fixed shares, then the shares for fixed numbers. A share is the
 * factor of one slice; at the end it multiplies the learned scale of the variable.
 */
function fitHash(pool: HashVariablePool, targets: readonly Target[]): void {
  const { tensor: hash } = pool.coreVariables[0]!;
  const size = hash.size;
  const shares = targets.map(() => 1);
  let numbers = Float64Array.from(hash.data);
  let last = Number.POSITIVE_INFINITY;
  for (let round = 0; round < MOST_ROUNDS; round++) {
    const [sum, weight] = [new Float64Array(size), new Float64Array(size)];
    for (const [i, target] of targets.entries()) {
      eachPlace(target, (place, index) => {
        sum[place % size]! += shares[i]! * target.slice[index]!;
        weight[place % size]! += shares[i]! ** 2;
      });
    }
    numbers = numbers.map((before, i) => (weight[i] === 0 ? before : sum[i]! / weight[i]!));
    let error = 0;
    for (const [i, target] of targets.entries()) {
      let [product, square] = [0, 0];
      eachPlace(target, (place, index) => {
        const number = numbers[place % size]!;
        product += number * target.slice[index]!;
        square += number * number;
      });
      if (target.scale !== null && product > 0) shares[i] = product / square;
      eachPlace(target, (place, index) => {
        error += (shares[i]! * numbers[place % size]! - target.slice[index]!) ** 2;
      });
    }
    if (!(error < last * (1 - 1e-7))) break;
    last = error;
  }
  assign(hash, Float32Array.from(numbers));
  for (const [i, { scale }] of targets.entries()) if (scale !== null) assign(scale.tensor, mul(scale.tensor, shares[i]!));
}

function reportOf(vars: VariableFactory, given: ReadonlyMap<string, Tensor>): FitReport {
  let [missed, all] = [0, 0];
  const layers = vars.variables().flatMap((variable) => {
    if (variable.storage === "dense") return [];
    const [wanted, got] = [given.get(variable.name)!.toArray(), variable.read().toArray()];
    const [difference, size] = [squares(Float64Array.from(got, (value, i) => value - wanted[i]!)), squares(wanted)];
    missed += difference;
    all += size;
    return [{ name: variable.name, error: relative(difference, size) }];
  });
  return { layers, error: relative(missed, all) };
}

/** √(difference / size) of two sums of squares; 0 if `difference` is 0. */
const relative = (difference: number, size: number): number => (difference === 0 ? 0 : Math.sqrt(difference / size));
