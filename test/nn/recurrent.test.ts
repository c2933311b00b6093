import { describe, expect, test } from "vitest";
import { dense, gru, lstm, sequential } from "../../src/nn/index.ts";
import { split } from "../../src/ops/index.ts";
import { ProductVariablePool, poolSizeFor, VariableFactory } from "../../src/smh/index.ts";
import { Generator, type Outputs, ones, randomNormal, type Tensor, zeros } from "../../src/tensor/index.ts";
import { DenseVariables, scope, survey, type VariableCreator } from "../../src/variables/index.ts";
import "../fixed-seed.ts";
import { thrown } from "../thrown.ts";
import { checkLayerLaw, lively } from "./layer-law.ts";

const normal = (...shape: number[]): Tensor => randomNormal(shape, new Generator(shape.length));
const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const close = (values: readonly number[]): number[] => values.map((v) => expect.closeTo(v, 4));

type Run = { readonly outputs: number[][][]; readonly h: number[][]; readonly c: number[][] };

/** The products of a row with the columns of a gate: row·kernel + bias, `gate` being the number of the gate. */
function gate(vars: VariableCreator, prefix: string, row: readonly number[], number: number, units: number): number[] {
  const read = (name: string): Tensor | null =>
    vars
      .variables()
      .find((v) => v.name === name)
      ?.read() ?? null;
  const [kernel, bias] = [read(`${prefix}kernel`)!, read(`${prefix}bias`)];
  const columns = kernel.shape[1]!;
  return Array.from({ length: units }, (_, unit) => {
    const column = number * units + unit;
    return row.reduce((sum, v, i) => sum + v * kernel.data[i * columns + column]!, bias?.data[column] ?? 0);
  });
}

/** PyTorch's documentation of torch.nn.GRU and torch.nn.LSTM, unit by unit, in double precision. */
function naive(kind: "gru" | "lstm", vars: VariableCreator, x: Tensor, units: number, h0?: Tensor, c0?: Tensor): Run {
  const [batch, time, inputs] = x.shape as [number, number, number];
  const row = (state: Tensor | undefined, b: number): number[] =>
    state === undefined ? new Array<number>(units).fill(0) : [...state.data.subarray(b * units, (b + 1) * units)];
  const result: Run = { outputs: [], h: [], c: [] };
  for (let b = 0; b < batch; b++) {
    let [h, c] = [row(h0, b), row(c0, b)];
    result.outputs.push([]);
    for (let t = 0; t < time; t++) {
      const input = [...x.data.subarray((b * time + t) * inputs, (b * time + t + 1) * inputs)];
      const [old, parts] = [h, Array.from({ length: kind === "gru" ? 3 : 4 }, (_, n) => gate(vars, "", input, n, units))];
      const recurrent = parts.map((_, n) => gate(vars, "recurrent_", old, n, units));
      const pre = (n: number, unit: number): number => parts[n]![unit]! + recurrent[n]![unit]!;
      if (kind === "gru") {
        h = old.map((before, j) => {
          const [r, z] = [sigmoid(pre(0, j)), sigmoid(pre(1, j))];
          const n = Math.tanh(parts[2]![j]! + r * recurrent[2]![j]!);
          return (1 - z) * n + z * before;
        });
      } else {
        c = c.map((before, j) => sigmoid(pre(1, j)) * before + sigmoid(pre(0, j)) * Math.tanh(pre(2, j)));
        h = c.map((now, j) => sigmoid(pre(3, j)) * Math.tanh(now));
      }
      result.outputs[b]!.push(h);
    }
    result.h.push(h);
    result.c.push(c);
  }
  return result;
}

const makers = { gru, lstm } as const;

describe.each(["gru", "lstm"] as const)("%s", (kind) => {
  const make = makers[kind];
  const gates = kind === "gru" ? 3 : 4;
  const states = kind === "gru" ? 1 : 2;

  test("creates one kernel and one recurrent kernel for all gates, which start within ±1/√units, and biases of 0", () => {
    expect(survey((vars) => make(vars, 5, 4)).map(({ name, shape }) => [name, shape])).toEqual([
      ["kernel", [5, gates * 4]],
      ["recurrent_kernel", [4, gates * 4]],
      ["bias", [gates * 4]],
      ...(kind === "gru" ? [["recurrent_bias", [12]]] : []),
    ]);
    const vars = new DenseVariables();
    make(vars, 50, 16);
    const [kernel, recurrent, bias] = vars.variables().map((v) => v.read().toArray()) as [
      Float32Array,
      Float32Array,
      Float32Array,
    ];
    for (const numbers of [kernel, recurrent]) {
      expect(Math.max(...numbers.map(Math.abs))).toBeGreaterThan(0.24);
      expect(Math.max(...numbers.map(Math.abs))).toBeLessThanOrEqual(0.25);
    }
    expect(bias.every((v) => v === 0)).toBe(true);
  });

  test("follows PyTorch's formulas, with and without initial states, for sequences of length 1 and more", () => {
    for (const [batch, time, inputs, units] of [
      [3, 4, 5, 2],
      [1, 1, 1, 1],
      [2, 1, 3, 4],
      [1, 6, 2, 3],
    ] as const) {
      const vars = new DenseVariables({ seed: units });
      const layer = make(vars, inputs, units, { ...lively, returns: "all" });
      const x = normal(batch, time, inputs);
      for (const begin of [[], [normal(batch, units), randomNormal([batch, units], new Generator(5))].slice(0, states)]) {
        const want = naive(kind, vars, x, units, ...begin);
        const [outputs, ...last] = layer(x, ...begin);
        expect(outputs!.shape).toEqual([batch, time, units]);
        expect([...outputs!.data]).toEqual(close(want.outputs.flat(2)));
        expect(last.map(({ shape }) => shape)).toEqual(new Array(states).fill([batch, units]));
        expect([...last[0]!.data]).toEqual(close(want.h.flat()));
        if (kind === "lstm") expect([...last[1]!.data]).toEqual(close(want.c.flat()));
      }
    }
  });

  test("returns all outputs, the last output, or the outputs with the states", () => {
    const x = normal(2, 3, 4);
    const of = (returns?: "outputs" | "last"): Tensor =>
      make(new DenseVariables(), 4, 5, returns === undefined ? {} : { returns })(x);
    const [outputs, h, c] = make(new DenseVariables(), 4, 5, { returns: "all" })(x) as readonly Tensor[];
    expect(of().toNested()).toEqual(outputs!.toNested());
    expect(of("outputs").toNested()).toEqual(outputs!.toNested());
    expect(of("last").toNested()).toEqual(h!.toNested());
    expect((outputs!.toNested() as number[][][]).map((row) => row.at(-1))).toEqual(h!.toNested());
    expect(c === undefined).toBe(kind === "gru");
  });

  test("continues from its last states with the outputs of the whole sequence", () => {
    const vars = new DenseVariables();
    const layer = make(vars, 2, 3, { ...lively, returns: "all" });
    const x = normal(1, 5, 2);
    const [whole] = layer(x);
    const [head, tail] = split(x, [2, 3], 1) as [Tensor, Tensor];
    const [first, ...state] = layer(head);
    const [second] = layer(tail, ...state);
    expect([...first!.data, ...second!.data]).toEqual(close([...whole!.data]));
  });

  test("has gradients of inputs, states and parameters that agree with central differences, dense and in a pool", () => {
    checkLayerLaw((vars, random) => {
      const [inputs, units] = [1 + random.below(3), 1 + random.below(3)];
      const [batch, time] = [1 + random.below(3), 1 + random.below(4)];
      const returns = (["outputs", "last", "all"] as const)[random.below(3)]!;
      const layer = make(vars, inputs, units, { ...lively, returns } as { returns: "all" });
      const begin = Array.from({ length: random.below(states + 1) }, () => randomNormal([batch, units], random));
      const run = layer as (...xs: Tensor[]) => Outputs;
      return { run, inputs: [randomNormal([batch, time, inputs], random), ...begin] };
    });
  });

  test("works in a factory and in `sequential`, which passes the states of one layer to the next", () => {
    const model = (vars: VariableCreator) =>
      sequential(
        make(scope(vars, "first"), 4, 6),
        make(scope(vars, "second"), 6, 6, { returns: "last" }),
        dense(scope(vars, "out"), 6, 2),
      );
    const vars = new VariableFactory({ pool: new ProductVariablePool({ poolSize: poolSizeFor(model), fraction: 0.5 }) });
    expect(model(vars)(normal(3, 5, 4)).shape).toEqual([3, 2]);
    expect(vars.variables().filter((v) => v.storage === "pool")).toHaveLength(5);
    const stacked = new DenseVariables();
    const [first, second] = [
      make(scope(stacked, "a"), 4, 4, { ...lively, returns: "all" }),
      make(scope(stacked, "b"), 4, 4, lively),
    ];
    const x = normal(2, 3, 4);
    expect(sequential(first, second)(x).toNested()).toEqual(second(...(first(x) as [Tensor, Tensor])).toNested());
  });

  test("accepts a batch of 0 and a sequence of length 1", () => {
    const layer = make(new DenseVariables(), 4, 3, { returns: "all" });
    expect(layer(zeros([0, 2, 4])).map(({ shape }) => shape)).toEqual([[0, 2, 3], ...new Array(states).fill([0, 3])]);
    expect(layer(ones([2, 1, 4])).map(({ shape }) => shape)).toEqual([[2, 1, 3], ...new Array(states).fill([2, 3])]);
  });

  test.each([
    [[[2, 4]], "x [2, 4]: need [batch, time, 4] with a time of at least 1"],
    [[[2, 3, 5]], "x [2, 3, 5]: need [batch, time, 4] with a time of at least 1"],
    [[[2, 0, 4]], "x [2, 0, 4]: need [batch, time, 4] with a time of at least 1"],
    [
      [
        [2, 3, 4],
        [1, 3],
      ],
      "h [1, 3]: need [batch, units], [2, 3]",
    ],
    [
      [
        [2, 3, 4],
        [2, 4],
      ],
      "h [2, 4]: need [batch, units], [2, 3]",
    ],
    [
      [
        [2, 3, 4],
        [1, 2, 3],
      ],
      "h [1, 2, 3]: need [batch, units], [2, 3]",
    ],
  ] as [number[][], string][])("refuses inputs of shapes %j", (shapes, message) => {
    const [x, h] = shapes.map((shape) => ones(shape));
    expect(thrown(() => make(new DenseVariables(), 4, 3)(x!, h))).toBe(`ShapeError: ${kind}: ${message}`);
  });

  test("refuses unknown options", () => {
    expect(thrown(() => make(new DenseVariables(), 4, 3, { returns: "state" as "all" }))).toBe(
      `ValueError: ${kind}: returns must be "outputs", "last" or "all", got "state"`,
    );
    expect(thrown(() => make(new DenseVariables(), 4, 3, { return: "all" } as object))).toBe(
      `ValueError: ${kind}: unknown option "return"; did you mean "returns"?`,
    );
  });
});

test("lstm refuses a c of another shape", () => {
  expect(thrown(() => lstm(new DenseVariables(), 4, 3)(ones([2, 1, 4]), ones([2, 3]), ones([3, 2])))).toBe(
    "ShapeError: lstm: c [3, 2]: need [batch, units], [2, 3]",
  );
});
