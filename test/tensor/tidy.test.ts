import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { memory, poisonArena, resetPeak } from "../../src/kernels/index.ts";
import { dense, flatten, gru, type Layer, lstm, multiHeadAttention, residual, sequential } from "../../src/nn/index.ts";
import { add, concat, mul, relu, reshape, slice, square, tanh, transpose } from "../../src/ops/index.ts";
import {
  Generator,
  keep,
  noGrad,
  RecycledError,
  randomNormal,
  type Shape,
  step,
  type Tensor,
  tensor,
  tidy,
  variable,
  watched,
} from "../../src/tensor/index.ts";
import { DenseVariables, scope } from "../../src/variables/index.ts";
import "../fixed-seed.ts";

const normal = (shape: Shape): Tensor => randomNormal(shape, new Generator(1));

beforeAll(() => poisonArena(true));
afterAll(() => poisonArena(false));

const layers: Readonly<Record<string, Layer>> = {
  identity: (x) => x,
  relu,
  shift: (x) => add(mul(x, 0.5), 1),
  rows: (x) => slice(x, [0], [Math.max(1, x.shape[0]! - 1)]),
  columns: (x) => slice(x, [0, Math.min(1, x.shape[1]! - 1)]),
  transpose: (x) => transpose(x),
  shape: (x) => reshape(x, [1, -1]),
  twice: (x) => reshape(reshape(square(x), [-1]), x.shape),
  residual: residual(tanh),
  inner: sequential(
    tanh,
    (x) => concat([x, x]),
    (x) => reshape(x, [-1, x.shape[1]!]),
  ),
  list: sequential(
    (x: Tensor) => [x, slice(tanh(x), [0], [1])] as const,
    (x: Tensor, y: Tensor) => add(x, y),
  ),
};

/** What random layers compute, recorded and therefore without any release. */
const chains = fc.array(fc.constantFrom(...Object.keys(layers)), { minLength: 1, maxLength: 8 });

test("random layers in noGrad give the bits of a recorded pass, inside and outside a step", () => {
  fc.assert(
    fc.property(chains, (names) => {
      const model = sequential(...names.map((name) => layers[name]!));
      const x = normal([4, 3]);
      const want = model(x);
      const outside = noGrad(() => model(x));
      const inside = step(() => [keep(noGrad(() => model(x))), noGrad(() => model(add(x, 0)))]);
      for (const y of [outside, ...inside]) expect([y.shape, y.toArray()]).toEqual([want.shape, want.toArray()]);
    }),
  );
});

describe("a layer in noGrad", () => {
  test("keeps only its result, and other tensors throw an error that names keep", () => {
    let [seen, kept, view]: Tensor[] = [];
    const layer: Layer = (x) => {
      [seen, kept] = [tanh(x), keep(x)];
      view = reshape(seen!, [4]);
      return square(seen!);
    };
    step(() => {
      const y = noGrad(() => sequential(layer)(tensor([[1, 2, 3, 4]])));
      for (const x of [seen!, view!]) expect(() => x.data).toThrow(RecycledError);
      expect(() => seen!.data).toThrow(
        "a tensor: [1, 4] cannot be read: its layer is over and its memory belongs to later ones; keep(x) inside the layer",
      );
      expect([y.shape, kept!.toNested()]).toEqual([[1, 4], [[1, 2, 3, 4]]]);
    });
  });

  test("releases the inputs that sequential created, but not the input of the caller", () => {
    const inputs: Tensor[] = [];
    const noted: Layer = (x) => {
      inputs.push(x);
      return add(x, 1);
    };
    step(() => {
      const x = tensor([[1, 2]]);
      const y = noGrad(() => sequential(noted, noted, noted)(x));
      expect([x.toNested(), y.toNested()]).toEqual([[[1, 2]], [[4, 5]]]);
      expect(inputs.map(({ lifetime }) => lifetime.ended === null)).toEqual([true, false, false]);
    });
  });

  test("returns a parameter or a view of a parameter unchanged", () => {
    const w = variable(tensor([[1, 2]]));
    for (const around of [step, <T>(fn: () => T): T => fn()]) {
      expect(around(() => noGrad(() => sequential(() => w)(tensor([1]))))).toBe(w);
      expect(around(() => noGrad(() => sequential(() => w, flatten())(tensor([1])).lifetime === w.lifetime))).toBe(true);
    }
  });

  test("releases its tensors if it throws", () => {
    const fail: Layer = (x) => {
      relu(x);
      throw new Error("stop");
    };
    step(() => {
      const x = tensor([1]);
      const { inUse } = memory();
      expect(() => noGrad(() => sequential(relu, sequential(relu, fail))(x))).toThrow("stop");
      expect(memory().inUse).toBe(inUse);
      expect(noGrad(() => sequential(relu)(x)).item()).toBe(1);
    });
  });
});

test("tensors of the last step stay readable while a model is called outside of steps", () => {
  let last: Tensor | undefined;
  step(() => {
    last = tensor([[1, 2, 3]]);
  });
  const { inUse } = memory();
  const y = noGrad(() => sequential(relu, (x) => add(x, 1))(last!));
  expect([y.toNested(), last!.toNested()]).toEqual([[[2, 3, 4]], [[1, 2, 3]]]);
  expect(memory().inUse).toBe(inUse);
  step(() => tensor([9]));
  expect(y.toNested()).toEqual([[2, 3, 4]]);
});

test("no tensor is released while history is recorded", () => {
  step(() => {
    const x = variable(tensor([1, 2]));
    let inner: Tensor | undefined;
    sequential(
      tanh,
      (y) => {
        inner = y;
        return square(y);
      },
      relu,
    )(x);
    expect(inner!.size).toBe(2);
  });
});

test("a model of any depth uses the memory of one layer in noGrad", () => {
  poisonArena(false);
  const numbers = 100_000;
  const x = normal([1, numbers]);
  const peakOf = (depth: number, around: <T>(fn: () => T) => T): number => {
    step(() => undefined);
    resetPeak();
    const model = sequential(...Array.from({ length: depth }, (_, i) => (i % 2 === 0 ? relu : residual(sequential(tanh, tanh)))));
    around(() => noGrad(() => model(x)));
    return memory().peak;
  };
  for (const around of [step, <T>(fn: () => T): T => fn()])
    for (const depth of [4, 40]) expect(peakOf(depth, around)).toBeLessThanOrEqual(4 * 4 * numbers + 4 * 2 ** 16);
  poisonArena(true);
});

test("calls outside steps also release the memory of small arrays", () => {
  const model = dense(new DenseVariables(), 3, 2);
  const run = (): void => void noGrad(() => sequential(model, tanh)(normal([2, 3])));
  poisonArena(false);
  run();
  const before = memory();
  for (let i = 0; i < 2000; i++) run();
  expect([memory().arenas, memory().inUse]).toEqual([before.arenas, before.inUse]);
  poisonArena(true);
});

test("tidy returns lists and releases all other tensors", () => {
  step(() =>
    noGrad(() => {
      let lost: Tensor | undefined;
      const [a, b] = tidy(() => {
        lost = normal([5]);
        return [add(lost, 1), reshape(add(lost, 2), [5, 1])] as const;
      });
      expect([a.shape, b.shape]).toEqual([[5], [5, 1]]);
      expect(a.data[0]! + 1).toBeCloseTo(b.data[0]!, 6);
      expect(() => lost!.data).toThrow(RecycledError);
    }),
  );
});

test("recurrent layers and attention release the memory of intermediate results", () => {
  const [vars, x] = [new DenseVariables(), normal([2, 50, 8])];
  const all = [lstm(scope(vars, "a"), 8, 8), gru(scope(vars, "b"), 8, 8), multiHeadAttention(scope(vars, "c"), 8, 2)];
  for (const layer of all) {
    const whole = watched(() => noGrad(() => layer(x)).toArray()); // while ops are watched, nothing is given back
    step(() => {
      const { inUse } = memory();
      const y = noGrad(() => layer(x));
      expect(y.toArray()).toEqual(whole);
      expect(memory().inUse - inUse).toBe(4 * y.size);
    });
    expect(noGrad(() => layer(x)).toArray()).toEqual(whole);
  }
});
