import fc from "fast-check";
import { expect, test } from "vitest";
import { mul } from "../../src/ops/index.ts";
import { clipByGlobalNorm, clipByValue } from "../../src/optim/index.ts";
import { backward, type Parameter, tensor, variable, zeros } from "../../src/tensor/index.ts";
import "../fixed-seed.ts";
import { thrown } from "../thrown.ts";

/** Parameters with these gradients; null for none. */
const withGradients = (...gradients: (number[] | null)[]): Parameter[] =>
  gradients.map((gradient, i) => {
    const x = variable(zeros([gradient?.length ?? 2]));
    if (gradient !== null) backward(mul(x, 1), tensor(gradient));
    return { name: `p${i}`, tensor: x, decay: true };
  });
const gradientsOf = (parameters: Parameter[]): (number[] | null)[] =>
  parameters.map((p) => (p.tensor.grad === null ? null : [...p.tensor.grad.toArray()]));

test("clipByValue limits every number to −limit…limit and keeps NaN", () => {
  const parameters = withGradients([-3, -1, 0.5, 9], null, [Number.NaN, Number.POSITIVE_INFINITY]);
  clipByValue(parameters, 1);
  expect(gradientsOf(parameters)).toEqual([[-1, -1, 0.5, 1], null, [Number.NaN, 1]]);
});

test("clipByGlobalNorm returns the global norm and scales all gradients by one factor", () => {
  const parameters = withGradients([3, 0], null, [0, 4]);
  expect(clipByGlobalNorm(parameters, 10)).toBe(5);
  expect(gradientsOf(parameters)).toEqual([[3, 0], null, [0, 4]]);
  expect(clipByGlobalNorm(parameters, 2.5)).toBe(5);
  expect(gradientsOf(parameters)).toEqual([[1.5, 0], null, [0, 2]]);
  expect(clipByGlobalNorm(withGradients(null), 1)).toBe(0);
});

test("clipping accepts variables in place of parameters", () => {
  const parameters = withGradients([3, 0], null, [0, 4]);
  const variables = parameters.map((p) => p.tensor);
  expect(clipByGlobalNorm(variables, 2.5)).toBe(5);
  clipByValue(variables, 1.6);
  expect(gradientsOf(parameters)).toEqual([[1.5, 0], null, [0, Math.fround(1.6)]]);
  const text = "ValueError: clipByGlobalNorm: parameter 0 is not a variable; make it with variable(), or take vars.parameters()";
  expect(thrown(() => clipByGlobalNorm([tensor([1])], 1))).toBe(text);
});

test("clipByGlobalNorm keeps the direction of the gradients and limits their norm", () => {
  const numbers = fc.array(fc.float({ min: -1000, max: 1000, noNaN: true }), { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(
      fc.array(numbers, { minLength: 1, maxLength: 4 }),
      fc.double({ min: 1e-3, max: 1e3, noNaN: true }),
      (gs, limit) => {
        const parameters = withGradients(...gs);
        const length = Math.hypot(...gs.flat());
        expect(clipByGlobalNorm(parameters, limit)).toBeCloseTo(length, 6);
        const factor = length > limit ? limit / length : 1;
        const got = gradientsOf(parameters).flatMap((g) => g ?? []);
        expect(got).toEqual(gs.flat().map((v) => expect.closeTo(v * factor, 3)));
        expect(Math.hypot(...got)).toBeLessThanOrEqual(limit * (1 + 1e-6));
      },
    ),
  );
});

test("clipByGlobalNorm scales gradients whose squares overflow float32", () => {
  const parameters = withGradients([3e30, 4e30]);
  expect(clipByGlobalNorm(parameters, 1) / 5e30).toBeCloseTo(1, 6);
  expect(gradientsOf(parameters)).toEqual([[expect.closeTo(0.6, 6), expect.closeTo(0.8, 6)]]);
});

test.each([Number.NaN, Number.POSITIVE_INFINITY])("clipByGlobalNorm refuses a gradient of %s and clips nothing", (bad) => {
  const parameters = withGradients([8], [bad]);
  expect(thrown(() => clipByGlobalNorm(parameters, 1))).toBe(
    `ValueError: clipByGlobalNorm: the gradients hold ${bad}: a smaller learning rate may help, or look for log(0) and 0/0`,
  );
  expect(gradientsOf(parameters)).toEqual([[8], [bad]]);
});

test.each([0, -1, Number.NaN])("clipping refuses a limit of %s", (limit) => {
  expect(thrown(() => clipByValue([], limit))).toBe(
    `ValueError: clipByValue: the limit must be a finite number above 0, got ${limit}`,
  );
  expect(thrown(() => clipByGlobalNorm([], limit))).toBe(
    `ValueError: clipByGlobalNorm: the limit must be a finite number above 0, got ${limit}`,
  );
});
