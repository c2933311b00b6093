import fc from "fast-check";
import {
  backward,
  crossEntropy,
  DenseVariables,
  Generator,
  glorotUniform,
  heNormal,
  mul,
  normalInit,
  onesInit,
  randomNormal,
  reshape,
  type Shape,
  scope,
  sum,
  type Tensor,
  tensor,
  zerosInit,
} from "hashgrad";
import { batchNorm, dense, toyNetwork } from "hashgrad/nn";
import { adam, sgd } from "hashgrad/optim";
import {
  composeModifiers,
  constantFaninScaleModifier,
  constantFanoutScaleModifier,
  fanoutScaleModifier,
  HashVariablePool,
  initializerScaleModifier,
  type Modifier,
  type PoolOptions,
  ProductVariablePool,
  poolSizeFor,
  reluModifier,
  selector,
  signModifier,
  VariableFactory,
  type VariablePool,
  variableFanoutScaleModifier,
  variableScaleModifier,
} from "hashgrad/smh";
import { compareLeafGradient } from "hashgrad/testing";
import { describe, expect, test } from "vitest";
import "../fixed-seed.ts";
import { metaPool } from "../meta-pool.ts";
import { thrown } from "../thrown.ts";

const newPool = (options: Partial<PoolOptions> = {}): ProductVariablePool =>
  new ProductVariablePool({ poolSize: 10_000, fraction: 0.5, seed: 1, ...options });
const storages = (factory: VariableFactory): string[] => factory.variables().map(({ name, storage }) => `${name} ${storage}`);
const deviationOf = (x: Tensor): number => {
  const numbers = x.toArray();
  const mean = numbers.reduce((a, b) => a + b) / numbers.length;
  return Math.sqrt(numbers.reduce((a, v) => a + (v - mean) ** 2, 0) / numbers.length);
};

describe("the variables that come from the pool", () => {
  const build = (factory: VariableFactory): string[] => {
    factory.create("conv/kernel", [3, 3, 1, 4]);
    factory.create("conv/bias", [4]);
    factory.create("dense/kernel", [5, 2]);
    factory.create("dense/bias", [2]);
    return storages(factory);
  };

  test("are kernels and matrices by default, not biases and norms", () => {
    expect(build(new VariableFactory({ pool: newPool() }))).toEqual([
      "conv/kernel pool",
      "conv/bias dense",
      "dense/kernel pool",
      "dense/bias dense",
    ]);
  });

  test("are none without a pool", () => {
    expect(build(new VariableFactory()).every((line) => line.endsWith("dense"))).toBe(true);
    expect(build(new VariableFactory({ pool: null, applyTo: ".*" })).every((line) => line.endsWith("dense"))).toBe(true);
  });

  test("match a string at the start of every alternative, a RegExp anywhere, or a function", () => {
    const takes = (applyTo: Parameters<typeof selector>[0], name: string): boolean => selector(applyTo)(name, [2, 2]);
    expect(takes("conv|kernel", "dense/kernel")).toBe(false);
    expect(takes("conv|kernel", "kernel_1")).toBe(true);
    expect(takes(".*kernel", "dense/kernel")).toBe(true);
    expect(takes("", "anything")).toBe(true);
    for (const flags of ["", "g", "y", "gi"]) {
      const takesKernel = selector(new RegExp("kernel", flags));
      // The flags g and y change lastIndex, which must not matter.
      for (let i = 0; i < 3; i++) expect(takesKernel("dense/kernel", [1])).toBe(true);
    }
    expect(takes(/^kernel/, "dense/kernel")).toBe(false);
    expect(takes((name, shape) => name.startsWith("d") && shape.length === 2, "dense/kernel")).toBe(true);
    expect(() => selector("(")).toThrow(/^selector: applyTo "\(" is no regular expression: /);
  });

  test("include biases and norms if applyTo matches, but not variables that are not trained", () => {
    const factory = new VariableFactory({ pool: newPool(), applyTo: ".*" });
    batchNorm(scope(factory, "bn"), 4);
    expect(storages(factory)).toEqual(["bn/gamma pool", "bn/beta pool", "bn/moving_mean dense", "bn/moving_variance dense"]);
  });

  test("include variables in a scope called SMH", () => {
    const factory = new VariableFactory({ pool: newPool(), applyTo: ".*" });
    scope(factory, "SMH").create("kernel", [2, 2]);
    expect(storages(factory)).toEqual(["SMH/kernel pool"]);
  });
});

describe("the factory", () => {
  test("gives the same slice for a shared name and refuses another shape", () => {
    const factory = new VariableFactory({ pool: newPool() });
    const kernel = factory.create("hidden/kernel", [4, 2]);
    expect(factory.create("hidden/kernel", [4, 2], { reuse: true })).toBe(kernel);
    expect(() => factory.create("hidden/kernel", [4, 2])).toThrow('variable "hidden/kernel" exists already; give each layer');
    expect(factory.pool?.status).toBe(8);
    expect(() => factory.create("hidden/kernel", [4, 3])).toThrow(
      'variable "hidden/kernel" exists already with shape [4, 2], asked for [4, 3]; give each layer its own scope(vars, "name")',
    );
  });

  test("refuses dtypes other than float32, assignment to slices, and invalid names", () => {
    const factory = new VariableFactory({ pool: newPool() });
    expect(() => factory.create("a", [2, 2], { dtype: "int32" as "float32" })).toThrow(
      'create "a": variables are float32, got dtype int32',
    );
    expect(() => factory.create("", [2, 2])).toThrow("a variable needs a name");
    expect(() => factory.create("a", [2, 2]).assign([1, 2, 3, 4])).toThrow(
      "is a slice of a pool and cannot be assigned; fitPool(vars, weights) fits the pool to given weights",
    );
  });

  test("accepts an initializer with private fields", () => {
    class Mine {
      readonly #own = normalInit(0.5);
      readonly name = "mine";
      readonly extra = 3;
      get mean(): number {
        return this.#own.mean;
      }
      deviation(shape: Shape): number {
        return this.#own.deviation(shape);
      }
      draw(shape: Shape, random: Generator): Tensor {
        return this.#own.draw(shape, random);
      }
    }
    const seen: unknown[] = [];
    const modifier: Modifier = (slice, { init, variable }) => {
      variable("own", [2], init);
      seen.push({ name: init.name, mean: init.mean, deviation: init.deviation([2]), extra: (init as Mine).extra });
      return slice;
    };
    new VariableFactory({ pool: newPool(), modifier }).create("a", [2, 3], { init: new Mine() });
    expect(seen[0]).toEqual({ name: "mine", mean: 0, deviation: 0.5, extra: 3 });
  });

  test("refuses a variable if the modifier changes its shape, and takes nothing from the pool", () => {
    const factory = new VariableFactory({ pool: newPool(), modifier: (slice) => reshape(slice, [-1]) });
    expect(thrown(() => factory.create("a", [2, 3]))).toBe(
      'VariableError: variable "a" has shape [2, 3], its modifier made [6] of it; it must return a tensor of that shape',
    );
    const nothing = new VariableFactory({ pool: newPool(), modifier: (() => undefined) as never });
    expect(thrown(() => nothing.create("a", [2, 3]))).toMatch("its modifier made undefined of it");
    expect([factory.pool!.status, factory.variables()]).toEqual([0, []]);
  });

  test("refuses to give parameters to an optimizer before the model is built", () => {
    const factory = new VariableFactory({ pool: newPool() });
    expect(factory.report()).toMatchObject({ denseSize: 0, trainedSize: factory.pool!.coreSize });
    const text = "VariableFactory: there are no variables yet; build the model first, then ask for vars.parameters()";
    expect(thrown(() => sgd(factory.parameters()))).toBe(`ValueError: ${text}`);
    const before = factory.create("a", [2, 3]) && factory.parameters();
    factory.create("b", [2, 3]);
    // `parameters` returned a copy, which does not change.
    expect(before.map(({ name }) => name)).toEqual(["variable_left", "variable_right", "a/scale"]);
    expect(
      factory
        .parameters()
        .filter((p) => !before.includes(p))
        .map(({ name }) => name),
    ).toEqual(["b/scale"]);
  });

  test("changes nothing if the pool is full or the modifier throws", () => {
    const pool = newPool({ poolSize: 16, fraction: 1 });
    const full = new VariableFactory({ pool });
    expect(() => full.create("a", [5, 5])).toThrow("pool is full: 25 weights asked, 16 of 16 left");
    const modifier = (): Tensor => {
      throw new Error("no");
    };
    expect(() => new VariableFactory({ pool, modifier }).create("a", [2, 2])).toThrow("no");
    expect([pool.status, full.variables().length, full.report().trainedSize]).toEqual([0, 0, pool.coreSize]);
  });

  test("lists the factors of the pool first, then scales and variables outside the pool", () => {
    const factory = new VariableFactory({ pool: newPool({ poolSize: poolSizeFor(toyNetwork), fraction: 0.4 }) });
    toyNetwork(factory);
    expect(factory.parameters().map(({ name, tensor, decay }) => [name, tensor.size, decay])).toEqual([
      ["variable_left", 6265, true],
      ["variable_right", 6265, true],
      ["conv/kernel/scale", 1, false],
      ["conv/bias", 16, false],
      ["dense/kernel/scale", 1, false],
      ["dense/bias", 10, false],
    ]);
    const report = factory.report();
    expect(report).toMatchObject({
      denseSize: 31_786,
      coreSize: 12_530,
      trainedSize: 12_558,
      pools: [{ kind: "product", coreSize: 12_530, poolSize: 179 ** 2, used: 31_760 }],
      warnings: [],
    });
    expect(report.achievedFraction).toBeCloseTo(12_558 / 31_786, 12);
    expect([...factory.placements()]).toEqual([
      ["conv/kernel", [[{ begin: 0, length: 400 }]]],
      ["dense/kernel", [[{ begin: 400, length: 31_360 }]]],
    ]);
  });

  test("poolSizeFor counts the weights that come from the pool", () => {
    expect(poolSizeFor(toyNetwork)).toBe(31_760);
    expect(poolSizeFor(toyNetwork, { applyTo: ".*" })).toBe(31_786);
    expect(poolSizeFor(toyNetwork, { applyTo: "conv" })).toBe(416);
    expect(poolSizeFor((vars) => batchNorm(vars, 8), { applyTo: ".*" })).toBe(16); // not the running statistics
  });

  test("lists no factors of a pool with trainable: false", () => {
    const factory = new VariableFactory({ pool: newPool({ trainable: false }) });
    factory.create("a", [2, 2]);
    expect(factory.parameters().map((p) => p.name)).toEqual(["a/scale"]);
  });

  test("trains a network whose weights all come from a pool", () => {
    const factory = new VariableFactory({ pool: newPool({ poolSize: 400, fraction: 0.5 }), applyTo: ".*" });
    const model = dense(factory, 12, 3);
    const optimizer = adam(factory.parameters());
    const x = randomNormal([30, 12], new Generator(2));
    const labels = Array.from({ length: 30 }, (_, i) => i % 3);
    const losses = Array.from({ length: 60 }, () => {
      const loss = crossEntropy(model(x), labels);
      backward(loss);
      optimizer.step();
      return loss.item();
    });
    expect(losses.at(-1)).toBeLessThan(0.5 * losses[0]!);
  });
});

describe("modifiers", () => {
  const modifiers: Readonly<Record<string, Modifier>> = {
    "constant fan-out": constantFanoutScaleModifier,
    "constant fan-in": constantFaninScaleModifier,
    scale: variableScaleModifier,
    "scale and fan-out": variableFanoutScaleModifier,
    "initializer scale": initializerScaleModifier,
    "composed of two scales": composeModifiers(variableScaleModifier, constantFanoutScaleModifier, variableScaleModifier),
    "a user's own, which shifts": (slice, { variable }) => mul(slice, variable("shift", [], onesInit)),
  };
  const pools: Readonly<Record<string, (options: PoolOptions) => VariablePool>> = {
    product: (options) => new ProductVariablePool(options),
    kronecker: (options) => new ProductVariablePool({ ...options, useKroneckerProduct: true }),
    hash: (options) => new HashVariablePool(options),
    meta: (options) => metaPool(["product", "hash"], "product", options),
  };

  test.each(Object.keys(modifiers).flatMap((name) => Object.keys(pools).map((pool): [string, string] => [name, pool])))(
    "%s has the correct gradient over a %s pool",
    (name, kind) => {
      const shape = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 4 });
      fc.assert(
        fc.property(shape, fc.integer(), (own, seed) => {
          const pool = pools[kind]!({ poolSize: 300, fraction: 1, seed });
          const factory = new VariableFactory({ pool, applyTo: ".*", modifier: modifiers[name]!, seed });
          const made = factory.create("a", own, { init: heNormal });
          const again = factory.create("b", own, { init: onesInit });
          const random = new Generator(seed);
          const { error } = compareLeafGradient(
            () => [made.read(), again.read(), made.read()],
            factory.parameters().map((p) => p.tensor),
            () => random.uniform(),
          );
          expect(error).toBeLessThan(3e-3);
        }),
        { numRuns: 12 },
      );
    },
  );

  test("relu passes positive weights and their gradients", () => {
    const factory = new VariableFactory({ pool: newPool(), modifier: reluModifier });
    const plain = new VariableFactory({ pool: newPool(), modifier: null });
    const [kernel, slice] = [factory.create("a", [5, 7]).read(), plain.create("a", [5, 7]).read()];
    const positive = tensor(
      slice.toArray().map((v) => (v > 0 ? 1 : 0)),
      [5, 7],
    );
    expect(kernel.toArray()).toEqual(
      mul(slice, positive)
        .toArray()
        .map((v) => v + 0),
    ); // no −0
    backward(sum(kernel));
    backward(sum(mul(slice, positive)));
    const gradient = (of: VariableFactory): Float32Array[] => of.parameters().map((p) => p.tensor.grad!.toArray());
    expect(gradient(factory)).toEqual(gradient(plain));
  });

  test("fanoutScaleModifier equals constantFanoutScaleModifier", () => {
    expect(fanoutScaleModifier).toBe(constantFanoutScaleModifier);
  });

  test("signs pass gradients straight through", () => {
    const factory = new VariableFactory({ pool: newPool(), modifier: signModifier });
    const kernel = factory.create("a", [3, 4]).read();
    expect(kernel.toArray().every((v) => Math.abs(v) === 1)).toBe(true);
    backward(sum(kernel));
    expect(factory.parameters().every((p) => p.tensor.grad !== null)).toBe(true);
  });

  test("the default modifier starts each slice with the standard deviation and mean of the layer's initializer", () => {
    const factory = new VariableFactory({ pool: newPool({ poolSize: 40_000, stddev: 0.2 }), applyTo: ".*" });
    for (const [init, shape] of [
      [glorotUniform, [80, 120]],
      [heNormal, [3, 3, 20, 40]],
    ] as const) {
      const kernel = factory.create(init.name, shape as Shape, { init });
      expect(deviationOf(kernel.read()) / init.deviation(shape)).toBeGreaterThan(0.9);
      expect(deviationOf(kernel.read()) / init.deviation(shape)).toBeLessThan(1.1);
    }
    const gamma = factory.create("gamma", [500], { init: onesInit }).read().toArray();
    expect(Math.abs(gamma.reduce((a, b) => a + b) / 500 - 1)).toBeLessThan(0.01);
    expect(deviationOf(factory.create("bias", [500], { init: zerosInit }).read())).toBeLessThan(0.02);
  });

  test("a variable of a modifier is created with its slice, stays the same on every read and ignores applyTo", () => {
    const asked: Tensor[] = [];
    const modifier: Modifier = (slice, { variable }) => {
      asked.push(variable("gain", [2], zerosInit));
      return slice;
    };
    const factory = new VariableFactory({ pool: newPool(), applyTo: ".*", modifier });
    const a = factory.create("a", [2, 2]);
    expect(factory.parameters().map((p) => p.name)).toEqual(["variable_left", "variable_right", "a/gain"]);
    a.read();
    a.read();
    expect(new Set(asked).size).toBe(1);
    expect(factory.variables().map((v) => v.name)).toEqual(["a"]);
  });

  test("variables outside the pool may use a custom creator", () => {
    const variables = new DenseVariables({ seed: 3 });
    const factory = new VariableFactory({ pool: newPool(), variables });
    factory.create("a", [2, 2]);
    factory.create("b", [2]);
    expect(variables.parameters().map((p) => p.name)).toEqual(["a/scale", "b"]);
  });
});

test("an applyTo that matches nothing raises an error", () => {
  const factory = new VariableFactory({ pool: newPool(), applyTo: "kernel" });
  dense(scope(factory, "head"), 4, 2);
  expect(() => factory.parameters()).toThrow(
    "VariableFactory: applyTo matched none of the 2 variables (head/kernel, head/bias, …), so nothing is compressed; a string must match from the start of a name, a RegExp anywhere",
  );
});
