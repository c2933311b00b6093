import { expect, test } from "vitest";
import { add, crossEntropy, mean, mul, square, sum } from "../../src/ops/index.ts";
import { adam, adamW, type Optimizer, type OptimizerOptions, rmsprop, sgd } from "../../src/optim/index.ts";
import {
  backward,
  Generator,
  ones,
  type Parameter,
  randomNormal,
  step,
  type Tensor,
  tensor,
  variable,
} from "../../src/tensor/index.ts";
import { thrown } from "../thrown.ts";

const parameter = (name: string, values: number[], more: Partial<Parameter> = {}): Parameter => ({
  name,
  tensor: variable(tensor(values)),
  decay: true,
  ...more,
});
const push = ({ tensor: x }: Parameter, gradient: number[]): void => backward(mul(x, 1), tensor(gradient));
const makers: [string, (parameters: readonly Parameter[], options?: OptimizerOptions) => Optimizer][] = [
  ["sgd", sgd],
  ["adam", adam],
  ["adamW", adamW],
  ["rmsprop", rmsprop],
];

test.each(makers)("%s clears used gradients and does not change parameters without gradient", (_, make) => {
  const [a, b] = [parameter("a", [1, 2]), parameter("b", [3])];
  const optimizer = make([a, b], { learningRate: 0.1, weightDecay: 0.5 });
  push(a, [1, 3]);
  const { version } = b.tensor;
  optimizer.step();
  expect(a.tensor.grad).toBeNull();
  expect(b.tensor.toNested()).toEqual([3]);
  expect(b.tensor.version).toBe(version);
  const after = a.tensor.toArray();
  expect([...after].every((v, i) => v !== i + 1)).toBe(true);
  optimizer.step(); // no new gradient: nothing happens, momentum or not
  expect(a.tensor.toArray()).toEqual(after);
});

test.each(makers)("weight decay of %s skips parameters with decay: false", (_, make) => {
  const [spared, pulled] = [parameter("spared", [4], { decay: false }), parameter("pulled", [4])];
  const optimizer = make([spared, pulled], { learningRate: 0.1, weightDecay: 0.5 });
  for (const p of [spared, pulled]) push(p, [0]);
  optimizer.step();
  expect(spared.tensor.item()).toBe(4);
  expect(pulled.tensor.item()).toBeLessThan(4);
});

test("gradients of several backward passes add up until step or zeroGrad", () => {
  const p = parameter("p", [0]);
  const optimizer = sgd([p], { learningRate: 1 });
  push(p, [1]);
  push(p, [2]);
  optimizer.step();
  expect(p.tensor.item()).toBe(-3);
  push(p, [5]);
  optimizer.zeroGrad();
  optimizer.step();
  expect(p.tensor.item()).toBe(-3);
  expect(optimizer.steps).toBe(2);
});

test.each([
  ["sgd", sgd, 0.1],
  ["adam", adam, 0.001],
  ["adamW", adamW, 0.001],
  ["rmsprop", rmsprop, 0.001],
] as const)("%s multiplies its default rate or a given rate by the rate factor of each parameter", (_, make, rate) => {
  const moved = (options: OptimizerOptions): number[] => {
    const parameters = [parameter("plain", [0]), parameter("factor", [0], { rateFactor: 4 })];
    const optimizer = make(parameters, options);
    for (const p of parameters) push(p, [1]);
    optimizer.step();
    const scale = make === rmsprop ? Math.sqrt(0.1) : 1; // g/√(0.1·g²)
    return parameters.map((p) => -p.tensor.item() * scale);
  };
  expect(moved({})).toEqual([rate, 4 * rate].map((r) => expect.closeTo(r, 6)));
  expect(moved({ learningRate: 0.5 })).toEqual([0.5, 4 * 0.5].map((r) => expect.closeTo(r, 5)));
});

test("a schedule multiplies the rate and counts the steps from 0", () => {
  const asked: number[] = [];
  const p = parameter("p", [0]);
  const optimizer = sgd([p], {
    learningRate: 2,
    schedule: (i) => {
      asked.push(i);
      return i + 1;
    },
  });
  for (let i = 0; i < 3; i++) {
    push(p, [1]);
    optimizer.step();
  }
  expect(asked).toEqual([0, 1, 2]);
  expect(p.tensor.item()).toBe(-2 * (1 + 2 + 3));
});

const regression = (p: Tensor, seed: number): Tensor => mean(square(mul(p, randomNormal([4], new Generator(seed)))));

test.each([
  ["sgd", (ps) => sgd(ps, { momentum: 0.9 })],
  ["adam", (ps) => adam(ps)],
  ["adamW", (ps) => adamW(ps)],
  ["rmsprop", (ps) => rmsprop(ps, { momentum: 0.5 })],
] as [string, (parameters: Parameter[]) => Optimizer][])("%s restored from a saved state continues bit for bit", (_, make) => {
  const go = (p: Parameter, optimizer: Optimizer, from: number): void => {
    for (let i = from; i < from + 4; i++) {
      backward(regression(p.tensor, i));
      optimizer.step();
    }
  };
  const whole = parameter("p", [1, -2, 3, 0.5]);
  const first = make([whole]);
  go(whole, first, 0);
  const { steps, arrays } = first.state();
  const saved = { steps, arrays: new Map([...arrays].map(([name, array]) => [name, Array.from(array)])) };
  const resumed = parameter("p", [...whole.tensor.toArray()]);
  go(whole, first, 4);
  const second = make([resumed]);
  second.restore(saved);
  expect(second.steps).toBe(4);
  go(resumed, second, 4);
  expect(resumed.tensor.toArray()).toEqual(whole.tensor.toArray());
  expect(second.state()).toEqual(first.state());
});

test("an optimizer refuses a state of another model before it changes anything", () => {
  const optimizer = adam([parameter("a", [1]), parameter("b", [1, 2])]);
  const arrays = (b: number[]): Map<string, number[]> =>
    new Map([
      ["a/mean", [5]],
      ["a/meanSquare", [5]],
      ["b/mean", b],
      ["b/meanSquare", [5, 5]],
    ]);
  expect(thrown(() => optimizer.restore({ steps: 3, arrays: new Map([["a/mean", [5]]]) }))).toBe(
    'ValueError: adam: the saved state has no "a/meanSquare"; it belongs to another model or optimizer',
  );
  expect(thrown(() => optimizer.restore({ steps: 3, arrays: arrays([5]) }))).toBe(
    'ShapeError: adam: "b/mean" has 1 numbers, need 2',
  );
  const surplus = new Map([...arrays([5, 5]), ["c/mean", [5]]]);
  expect(thrown(() => optimizer.restore({ steps: 3, arrays: surplus }))).toBe(
    'ValueError: adam: the saved state holds "c/mean"; it belongs to another model or optimizer',
  );
  for (const steps of [Number.NaN, -1, 1.5]) {
    expect(thrown(() => optimizer.restore({ steps, arrays: arrays([5, 5]) }))).toBe(
      `ValueError: adam: the saved state's steps must be a whole number of at least 0, got ${steps}`,
    );
  }
  expect(optimizer.steps).toBe(0);
  expect([...optimizer.state().arrays.values()].every((array) => array.every((v) => v === 0))).toBe(true);
  optimizer.restore({ steps: 3, arrays: arrays([5, 5]) });
  expect(optimizer.steps).toBe(3);
});

test("two optimizers share one step, each with its own parameters", () => {
  const trainedBy = (inOneStep: boolean): number[][] => {
    const [w, b] = [parameter("w", [1, 2, 3]), parameter("b", [1, 1, 1])];
    const [first, second] = [adam([w], { learningRate: 0.1 }), sgd([b], { learningRate: 0.1, momentum: 0.9 })];
    const once = (): void => {
      backward(sum(square(mul(w.tensor, b.tensor))));
      first.step();
      second.step();
    };
    for (let i = 0; i < 3; i++) inOneStep ? step(once) : once();
    return [w, b].map((p) => [...p.tensor.toArray()]);
  };
  const inSteps = trainedBy(true);
  expect(inSteps).toEqual(trainedBy(false));
  expect(inSteps.flat().every((v) => Number.isFinite(v) && v !== 1)).toBe(true);
});

test("the state of an optimizer outlives the steps that create and use the state", () => {
  const p = { name: "p", tensor: variable(ones([2, 3])), decay: true };
  const optimizer = step(() => adam([p]));
  const state = optimizer.state().arrays;
  const once = (): number =>
    step(() => {
      backward(crossEntropy(p.tensor, [0, 1]));
      optimizer.step();
      return state.get("p/mean")![0]!;
    });
  const first = once();
  once();
  for (let i = 0; i < 4; i++) step(() => void mul(ones([64]), 7)); // writes over the arenas
  expect(Math.abs(state.get("p/mean")![0]!)).toBeGreaterThan(Math.abs(first));
  expect(state.get("p/mean")![0]).not.toBe(7);
});

test.each([
  [() => sgd([]), "ValueError: sgd: there are no parameters to train; build the model first, then ask for vars.parameters()"],
  [
    () => adam([parameter("w", [1]), parameter("w", [2])]),
    'ValueError: adam: two parameters are called "w"; give each model its own scope(), and each pool its own name',
  ],
  [
    () => sgd([parameter("w", [1])], { learningRate: -1 }),
    "ValueError: sgd: learningRate must be a finite number at least 0, got -1",
  ],
  [
    () => sgd([parameter("w", [1])], { learningRate: (() => 1) as never }),
    "ValueError: sgd: learningRate must be a finite number at least 0, got a function",
  ],
  [
    () => sgd([parameter("w", [1], { rateFactor: 0 })]),
    "ValueError: sgd: parameters[0].rateFactor must be a finite number above 0, got 0",
  ],
  [
    () => sgd([parameter("w", [1], { rateFactor: true as never })]),
    "ValueError: sgd: parameters[0].rateFactor must be a finite number above 0, got true",
  ],
  [
    () => adamW([parameter("w", [1])], { weightDecay: -1 }),
    "ValueError: adamW: weightDecay must be a finite number at least 0, got -1",
  ],
  [
    () => sgd([parameter("w", [1])], { momentum: 1 }),
    "ValueError: sgd: momentum must be a finite number at least 0 and below 1, got 1",
  ],
  [
    () => adam([parameter("w", [1])], { beta1: 1 }),
    "ValueError: adam: beta1 must be a finite number at least 0 and below 1, got 1",
  ],
  [
    () => adam([parameter("w", [1])], { beta2: -0.1 }),
    "ValueError: adam: beta2 must be a finite number at least 0 and below 1, got -0.1",
  ],
  [() => adam([parameter("w", [1])], { epsilon: -1 }), "ValueError: adam: epsilon must be a finite number at least 0, got -1"],
  [
    () => rmsprop([parameter("w", [1])], { rho: 2 }),
    "ValueError: rmsprop: rho must be a finite number at least 0 and below 1, got 2",
  ],
  [
    () => rmsprop([parameter("w", [1])], { momentum: 1 }),
    "ValueError: rmsprop: momentum must be a finite number at least 0 and below 1, got 1",
  ],
  [
    () => rmsprop([parameter("w", [1])], { epsilon: Number.NaN }),
    "ValueError: rmsprop: epsilon must be a finite number at least 0, got NaN",
  ],
])("an optimizer refuses invalid arguments: %s", (make, text) => {
  expect(thrown(make)).toBe(text);
});

test("an optimizer names plain variables by their indices and refuses other values", () => {
  const [w, b] = [variable(tensor([1, 2])), variable(tensor([3]))];
  const optimizer = sgd([w, b], { learningRate: 0.5 });
  expect(optimizer.parameters.map(({ name }) => name)).toEqual(["0", "1"]);
  backward(add(sum(w), sum(b)));
  optimizer.step();
  expect([...w.data, ...b.data]).toEqual([0.5, 1.5, 2.5]);
  const message = "sgd: parameter 1 is not a variable; make it with variable(), or take vars.parameters()";
  expect(() => sgd([w, tensor([1])], { learningRate: 0.5 })).toThrow(message);
  const text = "ValueError: sgd: parameters, such as vars.parameters(), must be a list, got a tensor";
  expect(thrown(() => sgd(w as never, { learningRate: 0.5 }))).toBe(text);
});
