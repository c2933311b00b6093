import { expect, test } from "vitest";
import { encodeCheckpoint, encodeWeights } from "../../src/io/index.ts";
import { type Optimizer, sgd } from "../../src/optim/index.ts";
import { DenseVariables, type VariableCreator } from "../../src/variables/index.ts";
import { thrown } from "../thrown.ts";

test("functions that save refuse custom creators and optimizers that return invalid values, and the error names the function", () => {
  const vars = new DenseVariables();
  vars.create("kernel", [2, 2]);
  const optimizer = sgd(vars.parameters());
  for (const value of [null, undefined, NaN, "text", {}, [], [1], new Map(), new Map([["a", 1]])] as never[]) {
    const own = (more: object): VariableCreator => ({ create: vars.create, variables: () => [], parameters: () => [], ...more });
    const creators = [own({ parameters: () => value }), own({ variables: () => value }), own({ state: () => value })];
    for (const creator of [...creators, own({ state: () => ({ weights: value, pools: [] }) })])
      expect(thrown(() => encodeWeights(creator))).toMatch(/^(nothing|ValueError: encodeWeights: )/);
    const other: Optimizer = { ...optimizer, state: () => value };
    expect(thrown(() => encodeCheckpoint({ vars, optimizer: other }, 1))).toMatch(/^ValueError: encodeCheckpoint: /);
  }
});
