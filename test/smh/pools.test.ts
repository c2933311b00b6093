import fc from "fast-check";
import {
  add,
  assign,
  backward,
  Generator,
  mul,
  noGrad,
  normalInit,
  type Shape,
  square,
  step,
  sum,
  type Tensor,
  uniformInit,
  zeros,
} from "hashgrad";
import {
  HashVariablePool,
  type IndexStoreKind,
  MetaVariablePool,
  type PoolOptions,
  ProductVariablePool,
  type VariablePool,
} from "hashgrad/smh";
import { compareLeafGradient } from "hashgrad/testing";
import { describe, expect, test } from "vitest";
import { install, kernels } from "../../src/backends/index.ts";
import { rootAbove } from "../../src/smh/product-pool.ts";
import "../fixed-seed.ts";
import { metaPool } from "../meta-pool.ts";

const kinds: Readonly<Record<string, (options: PoolOptions) => VariablePool>> = {
  product: (options) => new ProductVariablePool(options),
  kronecker: (options) => new ProductVariablePool({ ...options, useKroneckerProduct: true }),
  hash: (options) => new HashVariablePool(options),
  "sum of product and hash": (options) => metaPool(["product", "hash"], "sum", options),
  "product of product and kronecker": (options) => metaPool(["product", "kronecker"], "product", options),
};

/** The whole virtual vector of a pool, by the formulas of the paper and plain loops. */
function virtual(pool: VariablePool): number[] {
  if (pool instanceof MetaVariablePool) {
    const parts = pool.parts.map(virtual);
    const isSum = Math.abs(pool.stddev - Math.hypot(...pool.parts.map((part) => part.stddev))) < 1e-12;
    return parts[0]!.map((_, i) => parts.map((part) => part[i]!).reduce((a, b) => (isSum ? a + b : a * b)));
  }
  const [first, second] = pool.coreVariables.map((core) => core.tensor.toArray());
  if (pool instanceof HashVariablePool) return Array.from({ length: pool.poolSize }, (_, i) => first![i % first!.length]!);
  const { dim: d, replicas: r } = pool as ProductVariablePool;
  const kronecker = pool.coreVariables[0]!.tensor.shape.length === 3;
  return Array.from({ length: pool.poolSize }, (_, at) => {
    let total = 0;
    for (let k = 0; k < r; k++) {
      if (!kronecker) total += first![Math.floor(at / d) * r + k]! * second![k * d + (at % d)]!;
      else {
        const [row, column] = [Math.floor(at / d ** 2), at % d ** 2];
        const [i, p, j, q] = [Math.floor(row / d), row % d, Math.floor(column / d), column % d];
        total += first![(k * d + i) * d + j]! * second![(k * d + p) * d + q]!;
      }
    }
    return total;
  });
}

const shapeLists = fc.array(fc.array(fc.integer({ min: 1, max: 5 }), { maxLength: 4 }), { minLength: 1, maxLength: 4 });
const sizeOf = (shape: Shape): number => shape.reduce((a, b) => a * b, 1);
const total = (shapes: readonly Shape[]): number => shapes.reduce((n, shape) => n + sizeOf(shape), 0);

describe.each(Object.entries(kinds))("a pool of the kind %s", (kind, make) => {
  test("gives the slices of the paper's formula, at any offset in a row", () => {
    fc.assert(
      fc.property(shapeLists, fc.integer(), (shapes, seed) => {
        const pool = make({ poolSize: Math.max(40, total(shapes)), fraction: 1, seed });
        const slices = shapes.map((shape) => pool.getSlice(shape));
        const whole = virtual(pool);
        let at = 0;
        for (const slice of slices) {
          const got = slice.read();
          expect(got.shape).toEqual(slice.shape);
          for (const v of got.toArray()) expect(v).toBeCloseTo(whole[at++]!, 4);
        }
        expect(pool.status).toBe(at);
      }),
      { numRuns: 25 },
    );
  });

  test("has the correct gradient with any store", () => {
    fc.assert(
      fc.property(
        shapeLists,
        fc.constantFrom<IndexStoreKind>("basic", "cyclic", "padding"),
        fc.integer(),
        (shapes, wanted, seed) => {
          const indexStore = wanted === "padding" && kind.includes("hash") ? "cyclic" : wanted;
          const poolSize = indexStore === "basic" ? Math.max(40, total(shapes)) : 40;
          const pool = make({ poolSize, fraction: 1, indexStore, seed });
          const slices = shapes.map((shape) => pool.getSlice(shape));
          const core = pool.coreVariables.map((parameter) => parameter.tensor);
          const random = new Generator(seed);
          const { error } = compareLeafGradient(
            () => slices.map((slice) => slice.read()),
            core,
            () => random.uniform(),
          );
          expect(error).toBeLessThan(2e-3);
        },
      ),
      { numRuns: 25 },
    );
  });

  test("starts with virtual weights of the stated standard deviation", () => {
    const pool = make({ poolSize: 40_000, fraction: 0.5, stddev: 0.3, seed: 4 });
    const numbers = pool.getSlice([30_000]).read().toArray();
    const mean = numbers.reduce((a, b) => a + b) / numbers.length;
    const deviation = Math.sqrt(numbers.reduce((a, v) => a + (v - mean) ** 2, 0) / numbers.length);
    expect(deviation / pool.stddev).toBeGreaterThan(0.85);
    expect(deviation / pool.stddev).toBeLessThan(1.15);
    expect(pool.coreSize).toBe(pool.coreVariables.reduce((n, core) => n + core.tensor.size, 0));
    expect(pool.coreSize).toBeLessThanOrEqual(20_000);
  });

  test("gives the same numbers for the same seed and different numbers for another seed", () => {
    const first = (seed: number): number[] => [...make({ poolSize: 100, fraction: 1, seed }).getSlice([20]).read().toArray()];
    expect(first(1)).toEqual(first(1));
    expect(first(1)).not.toEqual(first(2));
  });

  test.skipIf(kind.includes(" of "))("refuses invalid sizes, fractions and standard deviations", () => {
    for (const fraction of [0, -0.1, 1.5, Number.NaN]) {
      expect(() => make({ poolSize: 100, fraction })).toThrow(
        `fraction must be a finite number above 0 and at most 1, got ${fraction}`,
      );
    }
    expect(() => make({ poolSize: 0, fraction: 0.5 })).toThrow(
      "poolSize must be a finite number at least 1 and at most 9007199254740991, got 0",
    );
    expect(() => make({ poolSize: Number.POSITIVE_INFINITY, fraction: 0.5 })).toThrow(
      "poolSize must be a finite number at least 1",
    );
    expect(() => make({ poolSize: 100, fraction: 0.5, stddev: 0 })).toThrow(
      "stddev must be a finite number above 0 and at most 3.4028234663852886e+38, got 0",
    );
    expect(() => make({ poolSize: 100, fraction: 1, indexStore: "magic" as "basic" })).toThrow(
      'must be "basic", "cyclic", "padding"',
    );
  });

  test("reports its usage if it is full, and takes nothing", () => {
    const pool = make({ poolSize: 81, fraction: 1 });
    pool.getSlice([4, 20]);
    expect(() => pool.getSlice([1000])).toThrow(/pool is full: 1000 weights asked, \d+ of \d+ left/);
    expect(pool.status).toBe(80);
    expect(pool.getSlice([1]).read().size).toBe(1);
  });

  test("has no gradient if trainable is false", () => {
    const pool = make({ poolSize: 100, fraction: 1, trainable: false });
    expect(pool.getSlice([3]).read().tracked).toBe(false);
  });
});

describe("the product pool", () => {
  const newPool = (fraction = 1): ProductVariablePool => new ProductVariablePool({ poolSize: 10_000, fraction, seed: 1 });

  /** The sizes of the matrix products that `fn` computes. */
  const products = (fn: () => void): number[][] => {
    const found: number[][] = [];
    const { gemm } = kernels;
    const restore = install({
      gemm: (g) => {
        found.push([g.m, g.n, g.k]);
        gemm(g);
      },
    });
    fn();
    restore();
    return found;
  };

  test("is computed once per step for the assigned rows of all slices, with two products in the backward pass", () => {
    const pool = newPool();
    const slices = Array.from({ length: 6 }, () => pool.getSlice([5, 70]));
    const read = (): Tensor => slices.map((slice) => sum(mul(slice.read(), slice.read()))).reduce((a, b) => mul(a, b));
    for (let i = 0; i < 3; i++) {
      let y: Tensor | null = null;
      step(() => {
        expect(products(() => (y = read()))).toEqual([[21, 100, 50]]); // 2100 of 10,000 weights are 21 of 100 rows
        expect(products(() => backward(y!))).toEqual([
          [21, 50, 100],
          [50, 100, 21],
        ]);
        assign(pool.coreVariables[0]!.tensor, pool.coreVariables[0]!.tensor.toArray()); // what an optimizer does
      });
    }
  });

  test("is computed once for a whole evaluation", () => {
    const pool = newPool();
    const slice = pool.getSlice([30, 30]);
    const batches = (): void => {
      for (let i = 0; i < 5; i++) step(() => noGrad(() => void slice.read()));
    };
    expect(products(batches)).toEqual([[9, 100, 50]]);
    expect(products(batches)).toEqual([]);
  });

  test("is computed again for training after a pass under noGrad, so that no gradient is lost", () => {
    const pool = newPool();
    const slice = pool.getSlice([10]);
    noGrad(() => slice.read());
    const y = sum(slice.read());
    expect(y.tracked).toBe(true);
    backward(y);
    expect(pool.coreVariables.every((core) => core.tensor.grad !== null)).toBe(true);
  });

  test("gives slices that follow changes by an optimizer at the next read", () => {
    const pool = newPool();
    const slice = pool.getSlice([4]);
    const before = slice.read().toArray();
    const evaluated = noGrad(() => slice.read().toArray());
    const [left] = pool.coreVariables;
    assign(
      left!.tensor,
      left!.tensor.toArray().map((v) => 2 * v),
    );
    expect(evaluated).toEqual(before);
    expect(slice.read().toArray()).toEqual(before.map((v) => 2 * v));
    expect(noGrad(() => slice.read().toArray())).toEqual(before.map((v) => 2 * v));
  });

  test("gives slices that can be read again after a backward pass", () => {
    const pool = newPool();
    const slice = pool.getSlice([4]);
    for (let i = 0; i < 2; i++) backward(sum(slice.read()));
    const [left] = pool.coreVariables;
    const twice = left!.tensor.grad!.toArray();
    left!.tensor.leaf!.filled = false;
    backward(sum(slice.read()));
    expect(twice).toEqual(left!.tensor.grad!.toArray().map((v) => 2 * v));
  });

  test("has bounded factors if the initializer is bounded", () => {
    for (const initializer of ["uniform", "truncated normal"] as const) {
      const pool = new ProductVariablePool({ poolSize: 400, fraction: 0.5, initializer, seed: 3 });
      const sigma = Math.sqrt(1 / Math.sqrt(pool.replicas));
      const bound = initializer === "uniform" ? Math.sqrt(3) * sigma : (2 * sigma) / 0.8796;
      const largest = Math.max(...pool.coreVariables.flatMap((core) => [...core.tensor.toArray()].map(Math.abs)));
      expect(largest).toBeLessThanOrEqual(bound * 1.0001);
      expect(largest).toBeGreaterThan(0.9 * bound);
    }
    const own = new ProductVariablePool({ poolSize: 400, fraction: 0.5, initializer: uniformInit(2, 3) });
    expect(own.coreVariables[0]!.tensor.toArray().every((v) => v >= 2 && v < 3)).toBe(true);
  });

  test("names the least fraction that works, and this fraction works", () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 5000 }), fc.boolean(), (poolSize, useKroneckerProduct) => {
        const make = (fraction: number): ProductVariablePool =>
          new ProductVariablePool({ poolSize, fraction, useKroneckerProduct });
        try {
          make(1e-6);
        } catch (error) {
          const least = /the least fraction for \d+ weights is ([\d.]+)$/.exec(String(error))?.[1];
          if (least !== undefined) expect(make(Number(least)).replicas).toBe(1);
          else expect(() => make(1)).toThrow(`no fraction works for ${poolSize} weights`);
          return;
        }
        expect.unreachable("a millionth cannot work");
      }),
      { numRuns: 200 },
    );
    expect(() => new ProductVariablePool({ poolSize: 72, fraction: 0.1 })).toThrow(
      "ProductVariablePool: fraction 0.1 leaves no column: the factors would be [9, 0] and [0, 9]; the least fraction for 72 weights is 0.25",
    );
  });

  test("has the exact root of every size as its side", () => {
    expect(rootAbove(10 ** 4, 4)).toBe(10);
    expect(rootAbove(7e5, 2)).toBe(837);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3000 }), fc.constantFrom(2, 4), (d, n) => {
        expect(rootAbove(d ** n, n)).toBe(d);
        if (d > 1) expect(rootAbove(d ** n - 1, n)).toBe(d);
        expect(rootAbove(d ** n + 1, n)).toBe(d + 1);
      }),
    );
  });

  test("prefixes its variables with the name of the pool", () => {
    const pool = new ProductVariablePool({ poolSize: 100, fraction: 0.5, name: "second" });
    expect(pool.coreVariables.map((core) => core.name)).toEqual(["second/variable_left", "second/variable_right"]);
  });
});

describe("meta pools, hash pools and index stores", () => {
  test("a meta pool combines pools of different kinds and fractions", () => {
    const product = new ProductVariablePool({ poolSize: 400, fraction: 0.5, stddev: 0.6, name: "product" });
    const hash = new HashVariablePool({ poolSize: 390, fraction: 0.1, stddev: 0.8, name: "hash" });
    const pool = new MetaVariablePool({ parts: [product, hash], reduce: "sum" });
    expect([pool.coreSize, pool.poolSize, pool.stddev]).toEqual([product.coreSize + 39, 400, 1]);
    expect(new MetaVariablePool({ parts: [product, hash], reduce: "product" }).stddev).toBeCloseTo(0.48, 12);
    expect(pool.coreVariables.map(({ name }) => name)).toEqual(["product/variable_left", "product/variable_right", "hash/hash"]);
  });

  test("a hash pool refuses a hash of size 0, with the least fraction, and a padding store", () => {
    expect(() => new HashVariablePool({ poolSize: 10, fraction: 0.09 })).toThrow(
      "HashVariablePool: fraction 0.09 of 10 weights leaves a hash of size 0; the least fraction for 10 weights is 0.1",
    );
    expect(() => new HashVariablePool({ poolSize: 10, fraction: 0.5, indexStore: "padding" })).toThrow(
      "a padding store does not fit a hash pool",
    );
  });

  test("a meta pool refuses parts that are not pools, parts with the same name and unknown reducers", () => {
    const product = new ProductVariablePool({ poolSize: 100, fraction: 0.5 });
    expect(() => new MetaVariablePool({ parts: ["hash" as unknown as VariablePool], reduce: "sum" })).toThrow(
      'MetaVariablePool: parts[0] must be a pool, such as new ProductVariablePool(...), got "hash"',
    );
    expect(() => new MetaVariablePool({ parts: [], reduce: "sum" })).toThrow("needs at least one part");
    expect(() => new MetaVariablePool({ parts: [product], reduce: "max" as "sum" })).toThrow(
      'reduce must be "sum" or "product", got "max"',
    );
    expect(() => new MetaVariablePool({ parts: [product, product], reduce: "sum" })).toThrow(
      'MetaVariablePool: two parts have an array "variable_left"; give each part a name: new ProductVariablePool({ …, name: "first" })',
    );
  });

  test("a full part does not change the other parts of a meta pool", () => {
    // The parts hold 64 and 50 virtual weights.
    const pool = metaPool(["product", "hash"], "sum", { poolSize: 50, fraction: 1 });
    pool.getSlice([45]);
    expect(() => pool.getSlice([10])).toThrow("pool is full: 10 weights asked, 5 of 50 left");
    expect(pool.parts.map((part) => part.status)).toEqual([45, 45]);
  });

  test("a slice past the end of a padding store is constant and has no gradient", () => {
    const pool = new ProductVariablePool({ poolSize: 9, fraction: 1, indexStore: "padding" });
    pool.getSlice([9]);
    const y = pool.getSlice([2]).read();
    expect(y.toArray()).toEqual(Float32Array.from([0.01, 0.01]));
    expect(y.tracked).toBe(false);
  });

  test.each([false, true])("constants past the end of the pool do not count as used (Kronecker: %s)", (useKroneckerProduct) => {
    const pool = new ProductVariablePool({ poolSize: 16, fraction: 1, indexStore: "padding", useKroneckerProduct });
    const y = pool.getSlice([100]).read().toArray();
    expect(y.subarray(16)).toEqual(new Float32Array(84).fill(0.01));
    const whole = new ProductVariablePool({ poolSize: 16, fraction: 1, useKroneckerProduct });
    expect(y.subarray(0, 16)).toEqual(whole.getSlice([16]).read().toArray());
  });

  test("a pool uses a custom index store", () => {
    const backwards = (size: number) => {
      let current = 0;
      const check = (): void => undefined;
      return {
        size,
        get current(): number {
          return current;
        },
        check,
        allocate: (length: number) => {
          current += length;
          return [{ begin: size - current, length }];
        },
      };
    };
    const pool = new HashVariablePool({ poolSize: 6, fraction: 1, indexStore: backwards });
    const hash = pool.coreVariables[0]!.tensor.toArray();
    expect([...pool.getSlice([2]).read().toArray()]).toEqual([...hash.slice(4)]);
    expect([...pool.getSlice([3]).read().toArray()]).toEqual([...hash.slice(1, 4)]);
  });
});

test("a pool with a custom initializer states the standard deviation of its weights", () => {
  const options = { poolSize: 10_000, fraction: 0.5, initializer: normalInit(0.05), seed: 1 };
  const [product, hash] = [new ProductVariablePool(options), new HashVariablePool(options)];
  expect(product.stddev).toBeCloseTo(Math.sqrt(product.replicas) * 0.05 ** 2, 10);
  expect(hash.stddev).toBe(0.05);
  const numbers = product.getSlice([10_000]).read().toArray();
  const deviation = Math.sqrt(numbers.reduce((total, v) => total + v * v, 0) / numbers.length);
  expect(deviation / product.stddev).toBeCloseTo(1, 1);
  expect(() => new ProductVariablePool({ ...options, initializer: "gauss" as "normal" })).toThrow(
    'ProductVariablePool: initializer must be "normal", "truncated normal", "uniform" or an initializer, got "gauss"',
  );
});

test("two backward passes after two forward passes both differentiate the shared product", () => {
  const gradientsOf = (both: boolean): number[] => {
    const pool = new ProductVariablePool({ poolSize: 100, fraction: 0.5, seed: 1 });
    const part = pool.getSlice([60]);
    if (both) {
      const [first, second] = [sum(square(part.read())), sum(part.read())];
      backward(first);
      backward(second);
    } else backward(add(sum(square(part.read())), sum(part.read())));
    return pool.coreVariables.flatMap(({ tensor }) => [...tensor.grad!.data]);
  };
  const [twice, once] = [gradientsOf(true), gradientsOf(false)];
  for (const [i, g] of twice.entries()) expect(g).toBeCloseTo(once[i]!, 4);
});

test("a read outside a step does not use the product of that step", () => {
  const pool = new ProductVariablePool({ poolSize: 100, fraction: 0.5, seed: 1 });
  const part = pool.getSlice([60]);
  step(() => void part.read());
  const loss = sum(part.read());
  step(() => zeros([10]));
  step(() => zeros([10]));
  backward(loss);
  expect(pool.coreVariables[0]!.tensor.grad).not.toBeNull();
});
