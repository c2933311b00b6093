import { describe, expect, test } from "vitest";
import { dense, multiHeadAttention, sequential } from "../../src/nn/index.ts";
import { sum } from "../../src/ops/index.ts";
import { ProductVariablePool, poolSizeFor, VariableFactory } from "../../src/smh/index.ts";
import { Generator, gradients, ones, randomNormal, type Tensor, tensor, variable, zeros } from "../../src/tensor/index.ts";
import { DenseVariables, scope, survey, type VariableCreator } from "../../src/variables/index.ts";
import "../fixed-seed.ts";
import { thrown } from "../thrown.ts";
import { checkLayerLaw, lively } from "./layer-law.ts";

type Rows = readonly (readonly number[])[];

const normal = (...shape: number[]): Tensor => randomNormal(shape, new Generator(shape.length));

/** Element [i, j, …] of a tensor. */
const at = (x: Tensor, ...index: number[]): number => x.data[index.reduce((offset, i, axis) => offset * x.shape[axis]! + i, 0)]!;

/** The layer by plain loops, from its variables: `sees(b, head, i, j)` says whether a query may see a key. */
function naive(
  vars: VariableCreator,
  heads: number,
  query: Tensor,
  key: Tensor,
  value: Tensor,
  sees: (b: number, head: number, i: number, j: number) => boolean,
): number[] {
  const variableOf = (name: string): Tensor | null =>
    vars
      .variables()
      .find((v) => v.name === name)
      ?.read() ?? null;
  const [batch, queries, size] = query.shape as [number, number, number];
  const each = size / heads;
  const project = (name: string, rows: Rows): number[][] => {
    const [kernel, bias] = [variableOf(`${name}/kernel`)!, variableOf(`${name}/bias`)];
    return rows.map((row) =>
      Array.from({ length: size }, (_, out) => row.reduce((s, v, i) => s + v * at(kernel, i, out), bias?.data[out] ?? 0)),
    );
  };
  const rowsOf = (x: Tensor, b: number): number[][] =>
    Array.from({ length: x.shape[1]! }, (_, t) => Array.from({ length: size }, (_, i) => at(x, b, t, i)));
  const result: number[] = [];
  for (let b = 0; b < batch; b++) {
    const [q, k, v] = [
      project("query", rowsOf(query, b)),
      project("key", rowsOf(key, b)),
      project("value", rowsOf(value, b)),
    ] as const;
    const joined = Array.from({ length: queries }, () => new Array<number>(size).fill(0));
    for (let head = 0; head < heads; head++) {
      for (let i = 0; i < queries; i++) {
        const seen = k.flatMap((_, j) => (sees(b, head, i, j) ? [j] : []));
        const scores = seen.map((j) => {
          let s = 0;
          for (let d = head * each; d < (head + 1) * each; d++) s += q[i]![d]! * k[j]![d]!;
          return Math.exp(s / Math.sqrt(each));
        });
        const total = scores.reduce((s, e) => s + e, 0);
        for (let d = head * each; d < (head + 1) * each; d++)
          joined[i]![d] = seen.reduce((s, j, n) => s + (scores[n]! / total) * v[j]![d]!, 0);
      }
    }
    result.push(...project("out", joined).flat());
  }
  return result;
}

const close = (values: readonly number[]): number[] => values.map((v) => expect.closeTo(v, 4));
const all = (): boolean => true;

describe("multiHeadAttention", () => {
  test("creates the kernel and bias of four dense layers, and no biases with bias: false", () => {
    const names = ["query", "key", "value", "out"];
    const asked = (options: { bias?: boolean }): unknown[] =>
      survey((vars) => multiHeadAttention(vars, 6, 2, options)).map(({ name, shape }) => [name, shape]);
    expect(asked({})).toEqual(
      names.flatMap((name) => [
        [`${name}/kernel`, [6, 6]],
        [`${name}/bias`, [6]],
      ]),
    );
    expect(asked({ bias: false })).toEqual(names.map((name) => [`${name}/kernel`, [6, 6]]));
  });

  test("equals plain loops for self and cross attention, causal, with masks and without biases", () => {
    const [x, memory, other] = [
      normal(2, 4, 6),
      randomNormal([2, 5, 6], new Generator(7)),
      randomNormal([2, 5, 6], new Generator(8)),
    ];
    for (const heads of [1, 2, 3, 6]) {
      for (const bias of [true, false]) {
        const vars = new DenseVariables({ seed: heads });
        const layer = multiHeadAttention(vars, 6, heads, { ...lively, bias });
        expect([...layer(x).data]).toEqual(close(naive(vars, heads, x, x, x, all)));
        expect([...layer(x, memory).data]).toEqual(close(naive(vars, heads, x, memory, memory, all)));
        expect([...layer(x, memory, other).data]).toEqual(close(naive(vars, heads, x, memory, other, all)));
      }
    }
    const vars = new DenseVariables();
    const causal = multiHeadAttention(vars, 6, 2, { ...lively, causal: true });
    expect([...causal(x).data]).toEqual(close(naive(vars, 2, x, x, x, (_b, _h, i, j) => j <= i)));
    expect([...causal(x, memory).data]).toEqual(close(naive(vars, 2, x, memory, memory, (_b, _h, i, j) => j <= i)));
    expect([...causal(memory, x).data]).toEqual(close(naive(vars, 2, memory, x, x, (_b, _h, i, j) => j <= i)));
  });

  test.each([[[5]], [[4, 5]], [[2, 1, 1, 5]], [[1, 3, 4, 1]], [[2, 3, 4, 5]], [[1, 1]]])(
    "takes a mask of shape %j, attends where the mask is not 0, and gives zeros for masked rows",
    (shape) => {
      const random = new Generator(shape.length);
      const [x, memory] = [normal(2, 4, 6), randomNormal([2, 5, 6], new Generator(9))];
      const masks = [0, 1, 2].map(() =>
        tensor(
          Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random.below(3)),
          shape,
        ),
      );
      for (const mask of [...masks, zeros(shape), ones(shape)]) {
        for (const causal of [false, true]) {
          const vars = new DenseVariables();
          const layer = multiHeadAttention(vars, 6, 3, { ...lively, causal });
          const full = [1, 1, 1, 1, ...shape].slice(-4);
          const whole = tensor(mask.data.slice(), full);
          const sees = (...index: number[]): boolean =>
            at(whole, ...index.map((i, axis) => (full[axis] === 1 ? 0 : i))) !== 0 && (!causal || index[3]! <= index[2]!);
          const want = naive(vars, 3, x, memory, memory, sees);
          expect([...layer(x, memory, undefined, mask).data]).toEqual(close(want));
        }
      }
    },
  );

  test("ignores masked positions in scores and gradients, even if their numbers are not finite", () => {
    const vars = new DenseVariables();
    const layer = multiHeadAttention(vars, 4, 2, lively);
    const x = variable(normal(1, 3, 4));
    const mask = tensor([[1, 1, 0]]);
    const [dx] = gradients(sum(layer(ones([1, 2, 4]), x, x, mask)), [x]);
    expect([...dx!.data.subarray(8)]).toEqual([0, 0, 0, 0]);
    expect(dx!.data.subarray(0, 8).every((v) => v !== 0)).toBe(true);
    const [none] = gradients(sum(layer(ones([1, 2, 4]), x, x, zeros([1, 1]))), [x]);
    expect([...none!.data]).toEqual(new Array(12).fill(0));
    const wild = tensor([
      [
        [1, 2, 3, 4],
        [1e30, 1e30, -1e30, 1e30],
      ],
    ]);
    const queries = tensor([[[1e20, 1e20, 1e20, 1e20]]]);
    expect(
      layer(
        queries,
        wild,
        tensor([
          [
            [1, 2, 3, 4],
            [5, 6, 7, 8],
          ],
        ]),
        tensor([1, 0]),
      ).data.every(Number.isFinite),
    ).toBe(true);
  });

  test("has gradients of inputs and parameters that agree with central differences, dense and in a pool", () => {
    checkLayerLaw((vars, random) => {
      const heads = 1 + random.below(3);
      const size = heads * (1 + random.below(3));
      const [batch, queries, keys] = [1 + random.below(2), 1 + random.below(4), 1 + random.below(4)];
      const causal = random.below(2) === 1;
      const layer = multiHeadAttention(vars, size, heads, { ...lively, causal });
      const draw = (time: number): Tensor => randomNormal([batch, time, size], random);
      const mask = tensor(
        Float32Array.from({ length: queries * keys }, () => random.below(2)),
        [queries, keys],
      );
      if (random.below(2) === 0) return { run: (x) => layer(x!), inputs: [draw(queries)] };
      const inputs = [draw(queries), draw(keys), draw(keys)];
      return { run: (q, k, v) => layer(q!, k, v, mask), inputs };
    });
  });

  test("works in `sequential` and in a factory, which stores only the biases outside the pool", () => {
    const model = (vars: VariableCreator) =>
      sequential(multiHeadAttention(scope(vars, "attention"), 8, 2, { causal: true }), dense(scope(vars, "out"), 8, 3));
    const vars = new VariableFactory({ pool: new ProductVariablePool({ poolSize: poolSizeFor(model), fraction: 0.5 }) });
    expect(model(vars)(normal(2, 5, 8)).shape).toEqual([2, 5, 3]);
    expect(vars.variables().filter((v) => v.storage === "pool")).toHaveLength(5);
    const cross = sequential(multiHeadAttention(new DenseVariables(), 4, 2));
    expect(cross(normal(2, 5, 4)).shape).toEqual([2, 5, 4]);
  });

  test.each([
    [
      [0, 3, 4],
      [0, 3, 4],
    ],
    [
      [2, 1, 4],
      [2, 1, 4],
    ],
    [
      [2, 0, 4],
      [2, 3, 4],
    ],
    [
      [2, 3, 4],
      [2, 0, 4],
    ],
  ])("accepts queries %j and keys %j", (query, key) => {
    for (const causal of [false, true]) {
      const layer = multiHeadAttention(new DenseVariables(), 4, 2, { causal });
      const y = layer(ones(query), ones(key));
      expect(y.shape).toEqual(query);
      expect(y.data.every(Number.isFinite)).toBe(true);
    }
  });

  test.each([
    [[[3, 4]], "query [3, 4]: need [batch, time, 4]"],
    [[[2, 3, 5]], "query [2, 3, 5]: need [batch, time, 4]"],
    [
      [
        [2, 3, 4],
        [2, 4],
      ],
      "key [2, 4]: need [batch, time, 4]",
    ],
    [
      [
        [2, 3, 4],
        [2, 3, 4],
        [2, 3, 2],
      ],
      "value [2, 3, 2]: need [batch, time, 4]",
    ],
    [
      [
        [2, 3, 4],
        [1, 3, 4],
      ],
      "query [2, 3, 4], key [1, 3, 4], value [1, 3, 4]: need [batch, queries, 4] and twice [batch, keys, 4]",
    ],
    [
      [
        [2, 3, 4],
        [2, 3, 4],
        [2, 5, 4],
      ],
      "query [2, 3, 4], key [2, 3, 4], value [2, 5, 4]: need [batch, queries, 4] and twice [batch, keys, 4]",
    ],
    [
      [
        [1, 3, 4],
        [1, 3, 4],
        [1, 3, 4],
        [2, 1, 3, 3],
      ],
      "mask [2, 1, 3, 3] must broadcast to [batch, heads, queries, keys], [1, 2, 3, 3]",
    ],
    [
      [
        [1, 3, 4],
        [1, 3, 4],
        [1, 3, 4],
        [1, 1, 2, 3, 3],
      ],
      "mask [1, 1, 2, 3, 3] must broadcast to [batch, heads, queries, keys], [1, 2, 3, 3]",
    ],
    [
      [
        [1, 3, 4],
        [1, 3, 4],
        [1, 3, 4],
        [2, 3],
      ],
      "mask [2, 3] must broadcast to [batch, heads, queries, keys], [1, 2, 3, 3]",
    ],
  ] as [number[][], string][])("refuses inputs of shapes %j", (shapes, message) => {
    const layer = multiHeadAttention(new DenseVariables(), 4, 2);
    const [query, key, value, mask] = shapes.map((shape) => ones(shape));
    expect(thrown(() => layer(query!, key, value, mask))).toBe(`ShapeError: multiHeadAttention: ${message}`);
  });

  test("refuses heads that do not divide the size", () => {
    expect(thrown(() => multiHeadAttention(new DenseVariables(), 6, 4))).toBe(
      "ShapeError: multiHeadAttention: size 6 in 4 heads: need a multiple of heads",
    );
  });
});
