import fc from "fast-check";
import { expect, test } from "vitest";
import { add, mul, sum } from "../../src/ops/index.ts";
import { backward, ShapeError, tensor, ValueError } from "../../src/tensor/index.ts";
import {
  type CreateOptions,
  constantInit,
  DenseVariables,
  normalInit,
  onesInit,
  type Variable,
  VariableError,
} from "../../src/variables/index.ts";
import "../fixed-seed.ts";
import { thrown } from "../thrown.ts";

test("create refuses an existing name unless reuse is set, which creates and lists the variable once", () => {
  const vars = new DenseVariables();
  const kernel = vars.create("kernel", [2, 3]);
  expect(thrown(() => vars.create("kernel", [2, 3]))).toBe(
    'VariableError: variable "kernel" exists already; give each layer its own scope(vars, "name"), or share its weights on purpose: shared(vars)',
  );
  expect(vars.create("kernel", [2, 3], { init: onesInit, reuse: true })).toBe(kernel);
  expect(vars.variables()).toEqual([kernel]);
  expect(vars.parameters().map((p) => p.name)).toEqual(["kernel"]);
});

test("reuse with another shape raises an error that names both shapes and the remedy", () => {
  const vars = new DenseVariables();
  vars.create("hidden/kernel", [784, 256]);
  const again = (): Variable => vars.create("hidden/kernel", [784, 10]);
  expect(again).toThrow(VariableError);
  expect(again).toThrow(
    /^variable "hidden\/kernel" exists already with shape \[784, 256\], asked for \[784, 10\]; give each layer its own scope\(vars, "name"\)$/,
  );
});

test("initial numbers depend on seed and name, not on the order of creation", () => {
  const names = fc.uniqueArray(fc.string({ minLength: 1 }), { minLength: 2, maxLength: 6 });
  fc.assert(
    fc.property(names, fc.nat(), (list, seed) => {
      const startOf = (order: readonly string[], from: number): Map<string, Float32Array> => {
        const vars = new DenseVariables({ seed: from });
        for (const name of order) vars.create(name, [3, 2]);
        return new Map(vars.variables().map((v) => [v.name, v.read().toArray()]));
      };
      const first = startOf(list, seed);
      const reversed = startOf(list.toReversed(), seed);
      const other = startOf(list, seed + 1);
      for (const name of list) {
        expect(reversed.get(name)).toEqual(first.get(name));
        expect(other.get(name)).not.toEqual(first.get(name));
      }
      expect(new Set([...first.values()].map(String)).size).toBe(list.length); // no two names alike
    }),
  );
});

test("matrices start with Glorot uniform and vectors with zeros by default", () => {
  const vars = new DenseVariables();
  const kernel = vars.create("kernel", [2, 4]).read();
  expect(kernel.toArray().every((v) => v !== 0 && Math.abs(v) <= 1)).toBe(true); // √(6/(2 + 4)) is 1
  expect(vars.create("bias", [4]).read().toNested()).toEqual([0, 0, 0, 0]);
  expect(vars.create("scale", []).read().item()).toBe(0);
});

test("parameters are listed by name in the order of creation, and only parameters with two or more axes decay", () => {
  const vars = new DenseVariables();
  vars.create("conv/kernel", [3, 3, 1, 2]);
  vars.create("conv/bias", [2]);
  vars.create("count", [], { trainable: false });
  vars.create("dense/kernel", [2, 2]);
  expect(vars.parameters().map(({ name, decay }) => [name, decay])).toEqual([
    ["conv/kernel", true],
    ["conv/bias", false],
    ["dense/kernel", true],
  ]);
  expect(vars.variables().map(({ name, trainable, storage }) => [name, trainable, storage])).toEqual([
    ["conv/kernel", true, "dense"],
    ["conv/bias", true, "dense"],
    ["count", false, "dense"],
    ["dense/kernel", true, "dense"],
  ]);
});

test("a variable that is not trained gets no gradient and is not among the parameters", () => {
  const vars = new DenseVariables();
  const trained = vars.create("trained", [2], { init: onesInit });
  const fixed = vars.create("fixed", [2], { init: constantInit(3), trainable: false });
  expect([trained.trainable, fixed.trainable]).toEqual([true, false]);
  backward(sum(add(mul(trained.read(), fixed.read()), fixed.read())));
  expect(trained.read().grad?.toNested()).toEqual([3, 3]);
  expect(fixed.read().grad).toBeNull();
  expect(fixed.read().tracked).toBe(false);
  expect(vars.parameters().map((p) => p.name)).toEqual(["trained"]);
});

test("assign writes a tensor or a list of numbers, to trained and to fixed variables", () => {
  const vars = new DenseVariables();
  for (const trainable of [true, false]) {
    const v = vars.create(`v${trainable}`, [2, 2], { trainable });
    const { version } = v.read();
    v.assign([1, 2, 3, 4]);
    expect(v.read().toArray()).toEqual(Float32Array.of(1, 2, 3, 4));
    expect(v.read().version).toBe(version + 1);
    v.assign(
      tensor([
        [5, 6],
        [7, 8],
      ]),
    );
    expect(v.read().toArray()).toEqual(Float32Array.of(5, 6, 7, 8));
    expect(() => v.assign([1, 2])).toThrow(ShapeError);
    expect(() => v.assign(tensor([5, 6, 7, 8]))).toThrow(ShapeError);
    expect(v.read().toArray()).toEqual(Float32Array.of(5, 6, 7, 8));
  }
});

test("a variable copies the tensor of its initializer, so that two variables never share numbers", () => {
  const one = tensor([1, 1]);
  const init = { ...onesInit, draw: () => one };
  const vars = new DenseVariables();
  const [a, b] = [vars.create("a", [2], { init }), vars.create("b", [2], { init })];
  a.assign([2, 3]);
  expect(b.read().toNested()).toEqual([1, 1]);
  expect(one.toNested()).toEqual([1, 1]);
});

test("changing the list given as shape does not change the shape of the variable", () => {
  const shape = [2, 2];
  const kernel = new DenseVariables().create("kernel", shape);
  shape[0] = 7;
  expect(kernel.shape).toEqual([2, 2]);
});

test.each([
  ["", [2], {}, "ValueError: create: a variable needs a name"],
  ["w", [2, -1], {}, 'ShapeError: create "w": a shape is a list of whole numbers of at least 0, got [2, -1]'],
  ["w", [1.5], {}, 'ShapeError: create "w": a shape is a list of whole numbers of at least 0, got [1.5]'],
  ["w", [2], JSON.parse('{"dtype":"int32"}'), 'ValueError: create "w": variables are float32, got dtype int32'],
] as [string, number[], CreateOptions, string][])(
  "create(%j, %j, %j) throws and creates nothing",
  (name, shape, options, text) => {
    const vars = new DenseVariables();
    expect(thrown(() => vars.create(name, shape, options))).toBe(text);
    expect(vars.variables()).toEqual([]);
  },
);

test("create accepts dtype float32 and throws a ValueError for any other dtype", () => {
  const options: CreateOptions = JSON.parse('{"dtype":"float64"}');
  expect(() => new DenseVariables().create("w", [1], options)).toThrow(ValueError);
  expect(new DenseVariables().create("w", [1], { dtype: "float32", init: normalInit() }).shape).toEqual([1]);
});
