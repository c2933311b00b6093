import fc from "fast-check";
import { expect, test } from "vitest";
import { mul } from "../../src/ops/index.ts";
import { adam, adamW, exponentialDecay, type Optimizer, type OptimizerOptions, rmsprop, sgd } from "../../src/optim/index.ts";
import { backward, type Parameter, tensor, variable } from "../../src/tensor/index.ts";
import "../fixed-seed.ts";

/**
 * What one number of a parameter becomes; `s` is its state, zeros at first, `t` counts steps from 1. In double
 * precision.
 */
type Rule = (p: number, g: number, s: [number, number], rate: number, t: number) => number;

const momentum: Rule = (p, g, s, rate) => {
  s[0] = 0.9 * s[0] + g;
  return p - rate * s[0];
};
const nesterov: Rule = (p, g, s, rate) => {
  s[0] = 0.8 * s[0] + g;
  return p - rate * (g + 0.8 * s[0]);
};
const kingma =
  (beta1: number, beta2: number, epsilon: number): Rule =>
  (p, g, s, rate, t) => {
    s[0] = beta1 * s[0] + (1 - beta1) * g;
    s[1] = beta2 * s[1] + (1 - beta2) * g ** 2;
    return p - (rate * (s[0] / (1 - beta1 ** t))) / (Math.sqrt(s[1] / (1 - beta2 ** t)) + epsilon);
  };
const hinton =
  (rho: number, momentum: number, epsilon: number): Rule =>
  (p, g, s, rate) => {
    s[0] = rho * s[0] + (1 - rho) * g ** 2;
    s[1] = momentum * s[1] + g / (Math.sqrt(s[0]) + epsilon);
    return p - rate * s[1];
  };

type Make = (parameters: readonly Parameter[], options: OptimizerOptions) => Optimizer;
const cases: [string, Make, Rule][] = [
  ["sgd", sgd, (p, g, _, rate) => p - rate * g],
  ["sgd with momentum", (ps, o) => sgd(ps, { ...o, momentum: 0.9 }), momentum],
  ["sgd with Nesterov's momentum", (ps, o) => sgd(ps, { ...o, momentum: 0.8, nesterov: true }), nesterov],
  ["adam", adam, kingma(0.9, 0.999, 1e-8)],
  ["adam of other betas", (ps, o) => adam(ps, { ...o, beta1: 0.5, beta2: 0.8, epsilon: 0.01 }), kingma(0.5, 0.8, 0.01)],
  ["adamW", adamW, kingma(0.9, 0.999, 1e-8)],
  ["rmsprop", rmsprop, hinton(0.9, 0, 1e-8)],
  ["rmsprop with momentum", (ps, o) => rmsprop(ps, { ...o, rho: 0.7, momentum: 0.6, epsilon: 1e-3 }), hinton(0.7, 0.6, 1e-3)],
];

const size = 3;
const numbers = fc.array(fc.float({ min: -2, max: 2, noNaN: true }), { minLength: size, maxLength: size });

test.each(cases)("%s follows its formula with decay and schedule for any gradients", (name, make, rule) => {
  const rate = fc.double({ min: 0, max: 0.1, noNaN: true });
  const property = fc.property(
    ...([numbers, fc.array(numbers, { minLength: 1, maxLength: 6 }), rate, rate, fc.boolean()] as const),
    (start, gradients, learningRate, weightDecay, decay) => {
      const p = variable(tensor(start));
      const optimizer = make([{ name: "p", tensor: p, decay }], {
        learningRate,
        weightDecay,
        schedule: exponentialDecay({ factor: 0.5 }),
      });
      const want = [...start];
      const states = want.map((): [number, number] => [0, 0]);
      for (const [i, gradient] of gradients.entries()) {
        backward(mul(p, 1), tensor(gradient));
        optimizer.step();
        const r = learningRate * 0.5 ** i;
        const lambda = decay ? weightDecay : 0;
        for (const [j, state] of states.entries()) {
          const x = want[j]!;
          want[j] =
            name === "adamW"
              ? rule(x * (1 - r * lambda), gradient[j]!, state, r, i + 1)
              : rule(x, gradient[j]! + lambda * x, state, r, i + 1);
        }
        expect([...p.toArray()]).toEqual(want.map((v) => expect.closeTo(v, 5)));
      }
      expect(optimizer.steps).toBe(gradients.length);
    },
  );
  fc.assert(property);
});

test("adamW has a default decay of 0.01, and all other optimizers have a default decay of 0", () => {
  const after = (make: Make): number => {
    const p = variable(tensor([8]));
    const optimizer = make([{ name: "p", tensor: p, decay: true }], { learningRate: 0.5 });
    backward(mul(p, 1), tensor([0]));
    optimizer.step();
    return p.item();
  };
  expect([sgd, adam, rmsprop].map(after)).toEqual([8, 8, 8]);
  expect(after(adamW)).toBeCloseTo(8 * (1 - 0.5 * 0.01), 6);
});
