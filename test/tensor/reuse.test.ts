import { createHash } from "node:crypto";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { memory, poisonArena, resetPeak } from "../../src/kernels/index.ts";
import { cifarResNet, efficientNet, mobileNetV3 } from "../../src/models/index.ts";
import { batchNorm, conv2d, dense, gru, lstm, multiHeadAttention, residual, sequential } from "../../src/nn/index.ts";
import { add, crossEntropy, matmul, mean, mul, relu, reshape, slice, square, sub, sum, tanh } from "../../src/ops/index.ts";
import { ProductVariablePool, poolSizeFor, VariableFactory } from "../../src/smh/index.ts";
import {
  backward,
  customGradient,
  Generator,
  gradients,
  keep,
  noGrad,
  RecycledError,
  randomNormal,
  record,
  step,
  type Tensor,
  training,
  variable,
  watched,
} from "../../src/tensor/index.ts";
import { DenseVariables, scope, type VariableCreator } from "../../src/variables/index.ts";
import { slopes } from "../ops/law.ts";
import { laws } from "../ops/laws.ts";

// Reuse of memory changes no bit. Every computation gives the same numbers outside a step, in a step, and in a poisoned
// step. The memory of a poisoned step is NaN before its first use and after its last use.

type Results = readonly (Float32Array | number)[];

function poisoned<T>(run: () => T): T {
  poisonArena(true);
  try {
    return step(run);
  } finally {
    poisonArena(false);
  }
}

/** A digest of the bits: short, so that a failure prints no arrays. */
function digest(results: Results): string {
  const hash = createHash("sha256");
  for (const x of results) hash.update(typeof x === "number" ? Float64Array.of(x) : x);
  return `${hash.digest("hex").slice(0, 16)} of ${results.length}`;
}

function checkReuse(run: () => Results): void {
  const want = run();
  expect(want.every((x) => (typeof x === "number" ? Number.isFinite(x) : x.every(Number.isFinite)))).toBe(true);
  for (const around of [poisoned, step, step, poisoned]) expect(digest(around(run))).toBe(digest(want));
}

describe("in poisoned memory, the gradient checks give the same bits:", () => {
  const before = fc.readConfigureGlobal();
  beforeEach(() => fc.configureGlobal({ ...before, numRuns: 5 }));
  afterEach(() => fc.configureGlobal(before));

  test.each(Object.entries(laws))("%s", (op, law) => {
    const run = (): number[] => {
      slopes.length = 0;
      law();
      return [...slopes];
    };
    expect(run().length > 0).toBe(op !== "straightThroughSign"); // whose law compares no derivatives
    const want = digest(slopes);
    for (const around of [poisoned, step]) expect(digest(around(run))).toBe(want);
  });
});

const normal = (...shape: number[]): Tensor => randomNormal(shape, new Generator(shape.length));
const leaf = (...shape: number[]): Tensor => variable(normal(...shape));

/** The loss, and the gradients and statistics of all variables, after one training step. */
function trained(build: (vars: VariableCreator) => (x: Tensor) => Tensor, x: Tensor): Results {
  const vars = new DenseVariables({ seed: 1 });
  const model = build(vars);
  const loss = mean(square(training(() => model(x))));
  backward(loss);
  const parameters = vars.parameters().map(({ tensor }) => tensor);
  const all = [loss, ...parameters.map((p) => p.grad!), ...vars.variables().map((v) => v.read())];
  const kept = all.map((one) => one.toArray());
  const infer = (): Float32Array => noGrad(() => model(x)).toArray();
  const [whole, reused] = [watched(infer), infer()]; // while ops are watched, layers give nothing back
  expect(digest([reused])).toBe(digest([whole]));
  return [...kept, whole];
}

describe("in poisoned memory, training gives the same bits:", () => {
  const images = normal(2, 32, 32, 3);
  const small = { classes: 5, width: 0.25 };

  test.each<[string, (vars: VariableCreator) => (x: Tensor) => Tensor, Tensor]>([
    ["a ResNet", (vars) => cifarResNet(vars, 8, small), images],
    ["a MobileNetV3", (vars) => mobileNetV3(vars, "small", small), images],
    ["an EfficientNet", (vars) => efficientNet(vars, 0, small), images],
    ["a recurrent network", (vars) => lstm(vars, 6, 5), normal(3, 7, 6)],
    ["a gated recurrent network", (vars) => gru(vars, 6, 5), normal(3, 7, 6)],
    ["attention", (vars) => multiHeadAttention(vars, 8, 2, { causal: true }), normal(2, 6, 8)],
    [
      "arrays of several cache lines",
      (vars) =>
        sequential(
          conv2d(scope(vars, "a"), 3, 16, 3, { padding: "same" }),
          residual(sequential(batchNorm(scope(vars, "b"), 16), relu, conv2d(scope(vars, "c"), 16, 16, 3, { padding: "same" }))),
          (x) => reshape(x, [2, -1]),
          dense(scope(vars, "d"), 32 * 32 * 16, 4),
        ),
      images,
    ],
  ])("%s", (_, build, x) => checkReuse(() => trained(build, x)));

  test("slices of one pool", () => {
    checkReuse(() => {
      const build = (vars: VariableCreator) => sequential(dense(scope(vars, "a"), 30, 40), relu, dense(scope(vars, "b"), 40, 5));
      const pool = new ProductVariablePool({ poolSize: poolSizeFor(build), fraction: 0.4, seed: 1 });
      const vars = new VariableFactory({ pool, seed: 1 });
      const model = build(vars);
      const [x, labels] = [normal(8, 30), [0, 1, 2, 3, 4, 0, 1, 2]];
      for (let i = 0; i < 2; i++) backward(crossEntropy(model(x), labels)); // two graphs share the product
      return vars.parameters().map(({ tensor }) => tensor.grad!.toArray());
    });
  });
});

describe("in poisoned memory, the backward pass gives the same bits:", () => {
  test("gradients of one tensor over several paths, twice with retain", () => {
    checkReuse(() => {
      const [x, w] = [leaf(20, 30), leaf(30, 30)];
      const h = tanh(matmul(x, w));
      const y = sum(
        add(sub(add(h, h), mul(h, reshape(h, [20, 30]))), add(slice(h, [0], [20]), reshape(reshape(h, [600]), [20, 30]))),
      );
      const first = gradients(y, [x, w, h], undefined, { retain: true });
      return [...first, ...gradients(y, [w, h, x])].map((g) => g.toArray());
    });
  });

  test("gradients passed on without a copy by reshape and add", () => {
    checkReuse(() => {
      const [x, z] = [leaf(40, 50), leaf(40, 50)];
      const s = add(reshape(x, [50, 40]), reshape(z, [50, 40]));
      const y = sum(mul(add(s, add(s, reshape(x, [50, 40]))), reshape(s, [50, 40])));
      backward(y);
      return [x.grad!.toArray(), z.grad!.toArray()];
    });
  });

  test("an op that passes dy to two inputs, and a custom gradient that returns dy twice", () => {
    checkReuse(() => {
      const [x, z] = [leaf(10, 500), leaf(10, 500)];
      const [u, v] = [tanh(x), tanh(z)];
      const both = record("both", {}, [u, v], u.shape, add(u, v).data, (dy, into) => {
        into.same(u, dy);
        into.same(v, dy);
      });
      const custom = customGradient("twice", [both, u], add, (dy) => [dy, dy]);
      backward(sum(square(mul(custom, both))));
      return [x.grad!.toArray(), z.grad!.toArray()];
    });
  });
});

test("dy of a custom gradient is readable only during the pullback unless the pullback keeps dy", () => {
  const x = leaf(10, 500);
  let [seen, kept]: Tensor[] = [];
  step(() => {
    const y = customGradient("seen", [tanh(x)], relu, (dy) => {
      [seen, kept] = [reshape(dy, [5000]), keep(dy)];
      return [dy];
    });
    backward(sum(y));
    expect(() => seen!.data).toThrow(RecycledError);
    expect(() => seen!.data).toThrow(
      /the pullback is over and its memory belongs to later gradients; keep\(dy\) inside the pullback/,
    );
  });
  expect(kept!.data.every((v) => v === 1)).toBe(true);
});

test("a backward pass holds the gradients of one op at a time", () => {
  const x = leaf(100, 1000);
  const run = (depth: number): number =>
    step(() => {
      let y = x;
      for (let i = 0; i < depth; i++) y = tanh(y);
      const loss = sum(y);
      resetPeak();
      const before = memory().inUse;
      backward(loss);
      return memory().peak - before;
    });
  for (const depth of [5, 20]) expect(run(depth)).toBeLessThanOrEqual(2 * 400_000 + 4 * 2 ** 16);
});
