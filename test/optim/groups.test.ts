import { describe, expect, test } from "vitest";
import { mul } from "../../src/ops/index.ts";
import { adam, adamW, type Optimizer, type OptimizerOptions, rmsprop, sgd } from "../../src/optim/index.ts";
import { backward, type Parameter, tensor, variable } from "../../src/tensor/index.ts";
import { thrown } from "../thrown.ts";

const makers: [string, (parameters: readonly Parameter[], options?: OptimizerOptions) => Optimizer][] = [
  ["sgd", sgd],
  ["adam", adam],
  ["adamW", adamW],
  ["rmsprop", rmsprop],
];

/** Two layers, the second of which has a pool's numbers. */
const network = (value = 0): Parameter[] =>
  ["body/kernel", "body/bias", "head/kernel", "head/bias"].map((name) => ({
    name,
    tensor: variable(tensor([value])),
    decay: name.endsWith("kernel"),
    ...(name === "head/kernel" ? { rateFactor: 4 } : {}),
  }));

/** How far one step from a gradient of `gradient` moves each parameter. */
function moved(make: (parameters: readonly Parameter[]) => Optimizer, value: number, gradient: number): number[] {
  const parameters = network(value);
  const optimizer = make(parameters);
  for (const { tensor: x } of parameters) backward(mul(x, 1), tensor([gradient]));
  optimizer.step();
  return parameters.map(({ tensor: x }) => value - x.item());
}
const rates = (options: OptimizerOptions): number[] => moved((parameters) => sgd(parameters, options), 0, 1);

describe("a group's learning rate", () => {
  test.each([
    ["a string that the name starts with", "body/"],
    ["a RegExp found in the name", /dy\//],
    ["a global RegExp", /body/g],
    ["a predicate", ({ name }: Parameter) => name.startsWith("body")],
  ])("applies to the parameters that %s matches", (_, match) => {
    expect(rates({ learningRate: 1, groups: [{ match, learningRate: 0.5 }] })).toEqual([0.5, 0.5, 4, 1]);
  });

  test.each(makers)("applies under %s", (_, make) => {
    const [all, own] = [{}, { groups: [{ match: "body/", learningRate: 0.25 }] }].map((groups) =>
      moved((parameters) => make(parameters, { learningRate: 0.5, ...groups }), 0, 1),
    );
    expect(own).toEqual(all!.map((rate, i) => expect.closeTo(i < 2 ? rate / 2 : rate, 6)));
  });

  test("is multiplied by rate factors unless the group has its own factor", () => {
    expect(rates({ groups: [{ match: "head/", learningRate: 0.5 }], learningRate: 1 })).toEqual([1, 1, 2, 0.5]);
    expect(rates({ groups: [{ match: "head/", learningRate: 0.5, rateFactor: 1 }], learningRate: 1 })).toEqual([1, 1, 0.5, 0.5]);
    expect(rates({ groups: [{ match: "head/kernel", rateFactor: 3 }], learningRate: 2 })).toEqual([2, 2, 6, 2]);
  });

  test("follows the schedule", () => {
    const groups = [{ match: "head/", learningRate: 3, rateFactor: 1 }];
    expect(rates({ learningRate: 1, groups, schedule: () => 0.5 })).toEqual([0.5, 0.5, 1.5, 1.5]);
  });

  test("comes from the first group that matches", () => {
    const groups = [
      { match: /bias/, learningRate: 0 },
      { match: "body/", learningRate: 2 },
    ];
    expect(rates({ learningRate: 1, groups })).toEqual([2, 0, 4, 0]);
  });
});

describe("weight decay", () => {
  test.each(makers)("of a group under %s applies to every parameter of the group, biases included", (_, make) => {
    const options = { learningRate: 0.1, weightDecay: 0, groups: [{ match: "body/", weightDecay: 0.5 }] };
    const [kernel, bias, ...head] = moved((parameters) => make(parameters, options), 4, 0);
    expect(kernel).toBeGreaterThan(0);
    expect(bias).toBe(kernel);
    expect(head).toEqual([0, 0]);
  });

  test.each([
    ["sgd", sgd],
    ["adamW", adamW],
  ] as const)("of %s shrinks parameters with a rate factor by the same share as dense weights", (_, make) => {
    const [dense, , pooled] = moved((parameters) => make(parameters, { learningRate: 0.1, weightDecay: 0.5 }), 4, 0);
    expect(dense).toBeCloseTo(0.1 * 0.5 * 4, 6);
    expect(pooled).toBeCloseTo(0.1 * 0.5 * 4, 6);
  });
});

test.each([
  [
    [{ match: "x" }],
    "ValueError: adam: groups[0] gets none of the parameters (body/kernel, body/bias, head/kernel, head/bias); a string must be the start of a name, and the first group that matches a parameter takes it",
  ],
  [
    [{ match: "body" }, { match: "body/kernel" }],
    "ValueError: adam: groups[1] gets none of the parameters (body/kernel, body/bias, head/kernel, head/bias); a string must be the start of a name, and the first group that matches a parameter takes it",
  ],
  [[{ match: "body", learningrate: 1 }], 'ValueError: adam: unknown option "learningrate"; did you mean "learningRate"?'],
  [[{ match: "body", learningRate: -1 }], "ValueError: adam: groups[0].learningRate must be a finite number at least 0, got -1"],
  [[{ match: "body", rateFactor: 0 }], "ValueError: adam: groups[0].rateFactor must be a finite number above 0, got 0"],
  [
    [{ match: "body", weightDecay: Number.NaN }],
    "ValueError: adam: groups[0].weightDecay must be a finite number at least 0, got NaN",
  ],
  [[{ learningRate: 1 }], "ValueError: adam: groups[0].match must be a string, a RegExp or a function, got undefined"],
  [[{ match: () => 1 }], "ValueError: adam: what groups[0].match returns must be true or false, got 1"],
  [[null], "ValueError: adam: groups[0] must be an object, got null"],
  [{ match: "body" }, "ValueError: adam: groups must be a list, got an object with the keys match"],
])("an optimizer refuses the invalid groups %j", (groups, text) => {
  expect(thrown(() => adam(network(), { groups: groups as never }))).toBe(text);
});
