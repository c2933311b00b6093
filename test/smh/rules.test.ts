import { backward, crossEntropy, Generator, randomNormal, relu, scope, step, type VariableCreator } from "hashgrad";
import { encodeWeights, loadWeights } from "hashgrad/io";
import { dense, type Layer, sequential } from "hashgrad/nn";
import { sgd } from "hashgrad/optim";
import { compress, HashVariablePool, ProductVariablePool, signModifier, VariableFactory } from "hashgrad/smh";
import { expect, test } from "vitest";
import { thrown } from "../thrown.ts";

/** Kernels: stem 160, body 400, head 60 weights. */
const net = (vars: VariableCreator): Layer =>
  sequential(
    dense(scope(vars, "stem"), 8, 20),
    relu,
    dense(scope(vars, "body"), 20, 20),
    relu,
    dense(scope(vars, "head"), 20, 3),
  );
const hash = (poolSize: number, name: string): HashVariablePool =>
  new HashVariablePool({ poolSize, fraction: 0.5, name, seed: 1 });
const product = (poolSize: number): ProductVariablePool => new ProductVariablePool({ poolSize, fraction: 0.4, seed: 1 });

test("the first rule that selects a variable decides its storage", () => {
  const vars = new VariableFactory({
    rules: [
      { applyTo: "head/", pool: null },
      { applyTo: /^stem\/kernel/, pool: hash(160, "stem"), modifier: signModifier },
      { pool: product(400) },
    ],
    seed: 1,
  });
  const model = net(vars);
  expect(vars.variables().map(({ name, storage }) => `${name} ${storage}`)).toEqual([
    ...["stem/kernel pool", "stem/bias dense", "body/kernel pool", "body/bias dense", "head/kernel dense", "head/bias dense"],
  ]);
  expect(vars.parameters().map(({ name }) => name)).toEqual([
    ...["stem/hash", "variable_left", "variable_right"],
    ...["stem/bias", "body/kernel/scale", "body/bias", "head/kernel", "head/bias"],
  ]);
  const { pools, warnings } = vars.report();
  expect(pools.map(({ kind, poolSize, used }) => [kind, poolSize, used])).toEqual([
    ["hash", 160, 160],
    ["product", 400, 400],
  ]);
  expect(warnings).toEqual([]);
  expect(model(randomNormal([2, 8], new Generator(1))).shape).toEqual([2, 3]);
});

test("rules train to the same bits as nested factories, and files load in both directions", () => {
  const pools = (): [HashVariablePool, ProductVariablePool] => [hash(160, "stem"), product(400)];
  const byRules = (): VariableFactory => {
    const [first, second] = pools();
    return new VariableFactory({
      rules: [
        { applyTo: "stem/kernel", pool: first },
        { applyTo: "body/kernel", pool: second },
      ],
      seed: 1,
    });
  };
  const nested = (): VariableFactory => {
    const [first, second] = pools();
    const variables = new VariableFactory({ pool: second, applyTo: "body/kernel", seed: 1 });
    return new VariableFactory({ pool: first, applyTo: "stem/kernel", variables });
  };
  const [x, labels] = [randomNormal([6, 8], new Generator(2)), [0, 1, 2, 0, 1, 2]];
  const trained = (vars: VariableFactory): Float32Array => {
    const model = net(vars);
    const optimizer = sgd(vars.parameters(), { learningRate: 0.1 });
    for (let i = 0; i < 5; i++) {
      step(() => {
        backward(crossEntropy(model(x), labels));
        optimizer.step();
      });
    }
    return model(x).toArray();
  };
  const vars = byRules();
  const outputs = trained(vars);
  expect(outputs).toEqual(trained(nested()));
  const other = byRules();
  const model = net(other);
  loadWeights(encodeWeights(vars), other);
  expect(model(x).toArray()).toEqual(outputs);
});

test("compress creates one pool per rule, of the total size of the variables that the rule selects", () => {
  const { vars, report } = compress(net, {
    rules: [{ applyTo: "head/", pool: null }, { applyTo: "stem/kernel", fraction: 0.5, pool: "hash" }, { fraction: 0.4 }],
    seed: 1,
  });
  expect(report.pools.map(({ kind, poolSize, used }) => [kind, poolSize, used])).toEqual([
    ["hash", 160, 160],
    ["product", 400, 400],
  ]);
  expect(vars.pools.flatMap(({ coreVariables }) => coreVariables.map(({ name }) => name))).toEqual([
    ...["pool_1/hash", "pool_2/variable_left", "pool_2/variable_right"],
  ]);
});

test.each([
  [
    () => new VariableFactory({ rules: [{ pool: product(100) }, { pool: product(100) }] }),
    'ValueError: VariableFactory: two rules have the array "variable_left"; give each rule a pool with a name: new ProductVariablePool({ …, name: "first" })',
  ],
  [
    () => new VariableFactory({ rules: [{ pool: product(100) }], pool: product(100) }),
    "ValueError: VariableFactory: takes either rules or pool, applyTo and modifier; put these into a rule",
  ],
  [
    () => new VariableFactory({ rules: [{ applyTo: "a" } as never] }),
    "ValueError: VariableFactory: rule 0: pool must be a pool, or null for dense variables, got undefined",
  ],
  [
    () => {
      const vars = new VariableFactory({
        rules: [
          { applyTo: "stem", pool: hash(180, "stem") },
          { applyTo: "tail", pool: product(100) },
        ],
      });
      net(vars);
      vars.parameters();
    },
    "ValueError: VariableFactory: applyTo of rule 1 (tail) matched none of the 6 variables (stem/kernel, stem/bias, body/kernel, body/bias, …), so its pool is empty; a string must match from the start of a name, a RegExp anywhere",
  ],
  [
    () => compress(net, { rules: [{ fraction: 0.4 }], fraction: 0.4 }),
    "ValueError: compress: takes either rules or fraction; put these into a rule",
  ],
  [
    () => compress(net, { rules: [{ fraction: 0.4 }, { applyTo: "head/kernel", fraction: 0.4 }] }),
    'ValueError: compress: rule 1 selects no variable; a string as applyTo must match from the start of a name, such as ".*kernel"',
  ],
  [
    () => compress(net, { rules: [{ applyTo: "head/", pool: null, fraction: 0.4 }] }),
    "ValueError: compress: rule 0: has a fraction but pool null; leave one of them out",
  ],
  [() => compress(net, {}), "ValueError: compress: fraction must be a finite number above 0 and at most 1, got undefined"],
])("invalid rules raise error %#", (call, text) => {
  expect(thrown(call)).toBe(text);
});
