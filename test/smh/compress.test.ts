import { expect, test } from "vitest";
import { batchNorm, dense, sequential, toyNetwork } from "../../src/nn/index.ts";
import { compress, HashVariablePool, ProductVariablePool, poolSizeFor, VariableFactory } from "../../src/smh/index.ts";
import { freeze, Generator, randomUniform, unfreeze } from "../../src/tensor/index.ts";
import { type Model, scope, weightsOf } from "../../src/variables/index.ts";
import { thrown } from "../thrown.ts";

test("compress equals survey, pool and factory in one call", () => {
  const { model, vars, report } = compress((vars) => toyNetwork(vars), { fraction: 0.4, seed: 3 });
  const pool = new ProductVariablePool({ poolSize: poolSizeFor(toyNetwork), fraction: 0.4, seed: 3 });
  const byHand = toyNetwork(new VariableFactory({ pool, seed: 3 }));
  const x = randomUniform([2, 28, 28, 1], new Generator(1));
  expect(model(x).toArray()).toEqual(byHand(x).toArray());
  expect(report).toEqual(vars.report());
  expect(report.achievedFraction).toBeCloseTo(0.395, 3);
});

test("compress passes applyTo, the pool and the modifier to the factory", () => {
  const { report, vars } = compress((vars) => toyNetwork(vars), {
    fraction: 0.5,
    pool: "hash",
    applyTo: "dense",
    modifier: null,
  });
  expect(report.pools).toEqual([{ kind: "hash", coreSize: 15_685, poolSize: 31_370, used: 31_370 }]);
  expect(vars.parameters().map(({ name }) => name)).toEqual(["hash", "conv/kernel", "conv/bias"]);
});

test("compress refuses a fraction that is too small, and unknown options", () => {
  expect(thrown(() => compress((vars) => toyNetwork(vars), { fraction: 0.001 }))).toContain(
    "the least fraction for 31760 weights is",
  );
  expect(thrown(() => compress((vars) => toyNetwork(vars), { fraction: 0.4, poolsize: 3 } as never))).toBe(
    'ValueError: compress: unknown option "poolsize"; did you mean "pool"?',
  );
});

const net: Model = (vars) =>
  sequential(dense(scope(vars, "a"), 6, 6), batchNorm(scope(vars, "norm"), 6), dense(scope(vars, "b"), 6, 4));

test("the error of a full pool names the variable, the variables that fill the pool, and the remedy", () => {
  const vars = new VariableFactory({ pool: new HashVariablePool({ poolSize: 40, fraction: 1 }) });
  expect(thrown(() => net(vars))).toBe(
    'PoolError: create "b/kernel" [6, 4]: pool is full: 24 weights asked, 4 of 40 left; taken by a/kernel [6, 6]. ' +
      "Make the pool as large as the model needs: poolSize: poolSizeFor(model), or leave variables out with applyTo",
  );
});

test("the state of nested factories holds the numbers of every pool, and refuses two pools of one name", () => {
  const inner = new VariableFactory({
    pool: new HashVariablePool({ poolSize: 24, fraction: 1, name: "inner" }),
    applyTo: "b/kernel",
  });
  const outer = new VariableFactory({
    pool: new HashVariablePool({ poolSize: 36, fraction: 1, trainable: false }),
    applyTo: "a/kernel",
    variables: inner,
  });
  net(outer);
  expect(outer.state().pools.map(({ core }) => core)).toEqual([["hash"], ["inner/hash"]]);
  expect([...weightsOf(scope(outer, "a")).keys()]).toEqual([
    ...["hash", "inner/hash", "a/kernel/scale", "a/bias", "norm/gamma", "norm/beta", "b/kernel/scale", "b/bias"],
    ...["norm/moving_mean", "norm/moving_variance"],
  ]);
  const same = new VariableFactory({ pool: new HashVariablePool({ poolSize: 24, fraction: 1 }), applyTo: "b/kernel" });
  const twice = new VariableFactory({
    pool: new HashVariablePool({ poolSize: 36, fraction: 1 }),
    applyTo: "a/kernel",
    variables: same,
  });
  net(twice);
  expect(() => twice.state()).toThrow('variable "hash" is in two pools; give each pool its own name');
});

test("frozen factors of a pool stay among the parameters, so that unfreeze finds them", () => {
  const { vars } = compress((vars) => dense(vars, 8, 8), { fraction: 0.5 });
  const names = vars.parameters().map(({ name }) => name);
  freeze(vars.parameters());
  expect(vars.parameters().map(({ name }) => name)).toEqual(names);
  unfreeze(vars.parameters());
  expect(vars.parameters().every(({ tensor }) => tensor.tracked)).toBe(true);
});
