import fc from "fast-check";
import {
  DenseVariables,
  Generator,
  matmul,
  noGrad,
  randomNormal,
  relu,
  scope,
  sub,
  type Tensor,
  tensor,
  type VariableCreator,
} from "hashgrad";
import { batchNorm, conv2d, dense, flatten, type Layer, maxPool2d, sequential } from "hashgrad/nn";
import {
  compress,
  fitPool,
  HashVariablePool,
  MetaVariablePool,
  ProductVariablePool,
  poolSizeFor,
  signModifier,
  VariableFactory,
} from "hashgrad/smh";
import { describe, expect, test } from "vitest";
import { bestFactors } from "../../src/smh/low-rank.ts";
import "../fixed-seed.ts";
import { thrown } from "../thrown.ts";

const norm = (x: ArrayLike<number>): number => Math.sqrt(Array.from(x).reduce((sum, v) => sum + v * v, 0));
const errorOf = (matrix: Tensor, r: number): number => {
  const [m = 0, n = 0] = matrix.shape;
  const { left, right } = bestFactors(matrix, r);
  return norm(sub(matrix, matmul(tensor(left, [m, r]), tensor(right, [r, n]))).data);
};

/** Columns of a random matrix [m, k], orthonormal. */
function orthonormal(m: number, k: number, random: Generator): Float64Array[] {
  const columns: Float64Array[] = [];
  for (let j = 0; j < k; j++) {
    const column = Float64Array.from({ length: m }, () => random.normal());
    for (let pass = 0; pass < 2; pass++)
      for (const other of columns) {
        const dot = column.reduce((sum, v, i) => sum + v * other[i]!, 0);
        for (let i = 0; i < m; i++) column[i]! -= dot * other[i]!;
      }
    const size = norm(column);
    columns.push(column.map((v) => v / size));
  }
  return columns;
}

/** A matrix with these singular values: the sum of σₖ · uₖ · vₖᵀ. */
function withSingularValues(m: number, n: number, values: readonly number[], seed: number): Tensor {
  const random = new Generator(seed);
  const [u, v] = [orthonormal(m, values.length, random), orthonormal(n, values.length, random)];
  const entries = Float32Array.from({ length: m * n }, (_, at) => {
    const [i, j] = [Math.floor(at / n), at % n];
    return values.reduce((sum, value, k) => sum + value * u[k]![i]! * v[k]![j]!, 0);
  });
  return tensor(entries, [m, n]);
}

describe("the best factors of a matrix", () => {
  test("have the error of the singular values after the first r (Eckart and Young)", () => {
    const side = fc.integer({ min: 1, max: 24 });
    fc.assert(
      fc.property(side, side, fc.integer({ min: 1, max: 12 }), fc.nat(1000), (m, n, r, seed) => {
        const random = new Generator(seed);
        const values = Array.from({ length: Math.min(m, n) }, () => 0.1 + random.uniform() * 3).sort((a, b) => b - a);
        const optimum = norm(values.slice(r));
        const found = errorOf(withSingularValues(m, n, values, seed), r);
        expect(found).toBeLessThanOrEqual(optimum * 1.001 + 1e-5 * norm(values));
      }),
      { numRuns: 60 },
    );
  });

  test("are within 0.1 % of the optimum for a matrix of 150 rows with nearly equal singular values", () => {
    const values = Array.from({ length: 150 }, (_, k) => 1 - k / 600);
    const found = errorOf(withSingularValues(150, 150, values, 1), 15);
    expect(found).toBeLessThanOrEqual(1.001 * norm(values.slice(15)));
  });

  test("of a matrix of zeros, and of a matrix of lower rank, are finite and exact", () => {
    expect(errorOf(tensor(new Float32Array(12), [3, 4]), 2)).toBe(0);
    expect(errorOf(withSingularValues(6, 5, [2, 1], 3), 4)).toBeLessThan(1e-5);
  });

  test("have equal norms", () => {
    const { left, right } = bestFactors(withSingularValues(9, 7, [100, 3, 1], 2), 2);
    expect(norm(left)).toBeCloseTo(norm(right), 3);
  });
});

const net = (vars: VariableCreator): Layer =>
  sequential(
    conv2d(scope(vars, "conv"), 1, 6, 3, { padding: "same" }),
    batchNorm(scope(vars, "norm"), 6),
    relu,
    maxPool2d(2),
    flatten(),
    dense(scope(vars, "head"), 4 * 4 * 6, 5),
  );

describe("fitPool", () => {
  test("restores the outputs of a network that the pool can represent exactly", () => {
    const build = (vars: VariableCreator): Layer => dense(scope(vars, "only"), 64, 7);
    const { model: from, vars: weights } = compress(build, { fraction: 0.3, seed: 1 });
    const { model, vars } = compress(build, { fraction: 0.3, seed: 2 });
    const { error, layers } = fitPool(vars, weights);
    expect(error).toBeLessThan(1e-3);
    expect(layers).toEqual([{ name: "only/kernel", error }]);
    const inputs = randomNormal([2, 64], new Generator(7));
    const [want, got] = [noGrad(() => from(inputs)).toArray(), noGrad(() => model(inputs)).toArray()];
    expect(norm(got.map((v, i) => v - want[i]!)) / norm(want)).toBeLessThan(1e-3);
  });

  test("copies the variables outside the pool, running statistics among them", () => {
    const given = new DenseVariables({ seed: 3 });
    net(given);
    for (const { storage, shape, assign } of given.variables())
      if (storage === "dense") assign(randomNormal(shape, new Generator(4)));
    const { vars } = compress(net, { fraction: 0.3, seed: 2 });
    fitPool(vars, new Map(given.variables().map((v) => [v.name, v.read()])));
    const numbers = (from: VariableCreator): [string, Float32Array][] =>
      from.variables().flatMap((v) => (/kernel/.test(v.name) ? [] : [[v.name, v.read().toArray()]]));
    expect(numbers(vars)).toEqual(numbers(given));
    expect(numbers(vars).length).toBe(6);
  });

  test.each([
    ["product", (poolSize: number) => new ProductVariablePool({ poolSize, fraction: 0.3, seed: 2 })],
    ["kronecker", (poolSize: number) => new ProductVariablePool({ poolSize, fraction: 0.5, seed: 2, useKroneckerProduct: true })],
    ["hash", (poolSize: number) => new HashVariablePool({ poolSize, fraction: 0.3, seed: 2 })],
  ])("finds numbers of a %s pool that no small change improves", (_, make) => {
    const dense = new DenseVariables({ seed: 3 });
    net(dense);
    const pool = make(poolSizeFor(net));
    const vars = new VariableFactory({ pool, seed: 2 });
    net(vars);
    const { error, layers } = fitPool(vars, dense);
    expect(layers.map(({ name }) => name)).toEqual(["conv/kernel", "head/kernel"]);
    expect(error).toBeGreaterThan(0.1);
    /** The error in slices of equal size, which the fit minimizes. */
    const missed = (): number => {
      const wanted = new Map(dense.variables().map((v) => [v.name, v.read().toArray()]));
      return vars.variables().reduce((sum, v) => {
        const want = wanted.get(v.name)!;
        return v.storage === "dense"
          ? sum
          : sum +
              (norm(
                v
                  .read()
                  .toArray()
                  .map((g, i) => g - want[i]!),
              ) /
                norm(want)) **
                2 *
                want.length;
      }, 0);
    };
    const least = missed();
    const random = new Generator(5);
    for (let trial = 0; trial < 40; trial++) {
      const { data } = pool.coreVariables[trial % pool.coreVariables.length]!.tensor;
      const before = data.slice();
      for (let i = 0; i < data.length; i++) data[i]! += 0.02 * random.normal();
      for (const core of pool.coreVariables) core.tensor.lifetime.version++;
      expect(missed()).toBeGreaterThan(least * (1 - 1e-6));
      data.set(before);
    }
  });

  test("names the arguments that do not fit in its errors", () => {
    const dense = new DenseVariables({ seed: 3 });
    net(dense);
    const { vars } = compress(net, { fraction: 0.3 });
    expect(thrown(() => fitPool(dense as never, dense))).toContain("fitPool: vars must be a VariableFactory");
    expect(thrown(() => fitPool(vars, new DenseVariables()))).toBe(
      'ValueError: fitPool: weights lack "conv/kernel" [3, 3, 1, 6]; build both models alike',
    );
    const other = new Map(dense.variables().map((v) => [v.name, v.read()]));
    other.set("head/kernel", tensor([[1]]));
    expect(thrown(() => fitPool(vars, other))).toBe(
      'ValueError: fitPool: "head/kernel" has shape [96, 5], the given weight [1, 1]',
    );
    const signs = compress(net, { fraction: 0.3, modifier: signModifier });
    expect(thrown(() => fitPool(signs.vars, dense))).toContain('the modifier of "conv/kernel" is not linear in the slice');
    const parts = [new HashVariablePool({ poolSize: poolSizeFor(net), fraction: 0.3 })];
    const meta = new VariableFactory({ pool: new MetaVariablePool({ parts, reduce: "sum" }) });
    net(meta);
    expect(thrown(() => fitPool(meta, dense))).toBe(
      "ValueError: fitPool: fits product and hash pools, got a pool of the kind meta",
    );
  });
});
