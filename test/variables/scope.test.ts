import { expect, test } from "vitest";
import { ones } from "../../src/index.ts";
import { dense } from "../../src/nn/index.ts";
import { ProductVariablePool, VariableFactory } from "../../src/smh/index.ts";
import {
  DenseVariables,
  scope,
  shared,
  uniqueNames,
  type VariableCreator,
  variableCreatorScope,
  variableScope,
} from "../../src/variables/index.ts";

const names = (vars: VariableCreator): string[] => vars.variables().map((v) => v.name);

test("nested scopes prefix the name of a variable, outermost first", () => {
  const vars = new DenseVariables();
  const block = scope(scope(vars, "stage1"), "block2");
  const kernel = block.create("kernel", [2, 2]);
  expect(kernel.name).toBe("stage1/block2/kernel");
  expect(block.create("kernel", [2, 2], { reuse: true })).toBe(kernel);
  expect(shared(scope(vars, "stage1/block2")).create("kernel", [2, 2])).toBe(kernel);
  expect(scope(shared(scope(vars, "stage1")), "block2").create("kernel", [2, 2])).toBe(kernel);
  expect(block.variables()).toEqual(vars.variables());
  expect(block.parameters()).toEqual(vars.parameters());
});

test("equal layers without a scope raise an error, and calling one layer twice shares its weights", () => {
  const vars = new DenseVariables();
  const layer = dense(vars, 64, 64);
  expect(() => dense(vars, 64, 64)).toThrow('variable "kernel" exists already; give each layer its own scope(vars, "name")');
  expect(layer(layer(ones([1, 64]))).shape).toEqual([1, 64]);
  expect(vars.parameters().reduce((sum, { tensor }) => sum + tensor.size, 0)).toBe(64 * 64 + 64);
});

test("layers built with shared() have the same weights", () => {
  const vars = new DenseVariables();
  const [a, b] = [dense(scope(vars, "code"), 3, 3), dense(shared(scope(vars, "code")), 3, 3)];
  expect(b(ones([1, 3])).toArray()).toEqual(a(ones([1, 3])).toArray());
  expect(names(vars)).toEqual(["code/kernel", "code/bias"]);
  expect(names(shared(scope(vars, "code")))).toEqual(["code/kernel", "code/bias"]);
});

test("a scope passes on the initializer and trainable", () => {
  const vars = new DenseVariables({ seed: 3 });
  scope(vars, "bn").create("mean", [2], { trainable: false });
  expect(vars.variables().map((v) => [v.name, v.trainable])).toEqual([["bn/mean", false]]);
  const direct = new DenseVariables({ seed: 3 }).create("a/kernel", [3, 3]).read().toArray();
  expect(scope(vars, "a").create("kernel", [3, 3]).read().toArray()).toEqual(direct);
});

test("uniqueNames numbers names that exist and skips numbers in use", () => {
  const vars = new DenseVariables();
  vars.create("kernel_1", [1, 1]);
  const unique = uniqueNames(vars);
  const made = [1, 2, 3].map((n) => unique.create("kernel", [n, n]));
  expect(made.map((v) => v.name)).toEqual(["kernel", "kernel_2", "kernel_3"]);
  expect(made.map((v) => v.shape[0])).toEqual([1, 2, 3]);
});

test("layers without a scope get separate variables inside variableCreatorScope", () => {
  const pool = new ProductVariablePool({ poolSize: 24, fraction: 1 });
  const factory = new VariableFactory({ pool });
  const built = variableCreatorScope(factory, (vars) => [dense(vars, 4, 3), dense(vars, 3, 4)]);
  expect(built).toHaveLength(2);
  expect(names(factory)).toEqual(["kernel", "bias", "kernel_1", "bias_1"]);
  expect(pool.status).toBe(24);
});

test("variableCreatorScope also numbers the scopes inside it", () => {
  const vars = new DenseVariables();
  variableCreatorScope(vars, (unique) => [dense(scope(unique, "head"), 2, 2), dense(scope(unique, "head"), 2, 2)]);
  expect(names(vars)).toEqual(["head/kernel", "head/bias", "head/kernel_1", "head/bias_1"]);
});

test("layers in a variableCreatorScope over a scope do not share their weights", () => {
  const vars = new DenseVariables();
  const head = scope(scope(vars, "model"), "head");
  variableCreatorScope(head, (unique) => [dense(unique, 2, 2), dense(unique, 2, 2)]);
  variableCreatorScope(uniqueNames(head), (unique) => dense(unique, 2, 2));
  expect(names(vars)).toEqual([
    "model/head/kernel",
    "model/head/bias",
    "model/head/kernel_1",
    "model/head/bias_1",
    "model/head/kernel_2",
    "model/head/bias_2",
  ]);
});

test("variableScope builds under a name with the variables of its creator and returns the result", () => {
  const vars = new DenseVariables();
  const layer = variableScope("hidden", { creator: vars }, (inner) => dense(inner, 2, 3));
  expect(typeof layer).toBe("function");
  expect(names(vars)).toEqual(["hidden/kernel", "hidden/bias"]);
  variableScope("hidden", { creator: vars }, (inner) => dense(inner, 2, 3)); // the same name: the same variables
  expect(names(vars)).toEqual(["hidden/kernel", "hidden/bias"]);
});
