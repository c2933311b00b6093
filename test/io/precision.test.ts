import { readFileSync, writeFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  decodeSafetensors,
  encodeSafetensors,
  encodeWeights,
  loadWeights,
  saveWeights,
  type WeightsDtype,
} from "../../src/io/index.ts";
import { batchNorm, conv2d, dense, depthwiseConv2d } from "../../src/nn/index.ts";
import { HashVariablePool, ProductVariablePool, poolSizeFor, VariableFactory, type VariablePool } from "../../src/smh/index.ts";
import { assign, Generator, randomNormal, type Shape, tensor } from "../../src/tensor/index.ts";
import { DenseVariables, scope, type VariableCreator, weightsOf } from "../../src/variables/index.ts";
import "../fixed-seed.ts";
import { thrown } from "../thrown.ts";
import { temporaryFolder } from "./folder.ts";
import { entriesOf, reframed } from "./frames.ts";

const { at } = temporaryFolder();

const DTYPES = ["float32", "float16", "bfloat16", "int8"] as const satisfies readonly WeightsDtype[];

/** A dense model with one variable "x". */
function holding(values: ArrayLike<number>, shape: Shape): DenseVariables {
  const vars = new DenseVariables();
  vars.create("x", shape).assign(values);
  return vars;
}
const empty = (shape: Shape): DenseVariables => holding(new Float32Array(shape.reduce((a, b) => a * b, 1)), shape);
const numbersOf = (vars: VariableCreator, name = "x"): Float32Array => weightsOf(vars).get(name)!.toArray();

/** The numbers after saving and loading. */
function roundTrip(values: ArrayLike<number>, shape: Shape, dtype: WeightsDtype): Float32Array {
  const other = empty(shape);
  loadWeights(encodeWeights(holding(values, shape), { dtype }), other);
  return numbersOf(other);
}

/**
 * Bits of float32 numbers and of their float16 and bfloat16, by PyTorch 1.13: `t.to(torch.float16).view(torch.int16)`.
 */
const BY_PYTORCH = [
[0x00000000, 0x0000, 0x0000], [0x80000000, 0x8000, 0x8000], [0x3f800000, 0x3c00, 0x3f80], [0xbf800000, 0xbc00, 0xbf80], [0x3dcccccd, 0x2e66, 0x3dcd], [0x3eaaaaab, 0x3555, 0x3eab], [0xba83126f, 0x9419, 0xba83], [0x477fe000, 0x7bff, 0x4780], [0x477fefff, 0x7bff, 0x4780], [0x477ff000, 0x7c00, 0x4780], [0xc77ff000, 0xfc00, 0xc780], [0x47c35000, 0x7c00, 0x47c3], [0x38800000, 0x0400, 0x3880], [0x387fe000, 0x0400, 0x3880], [0x387ff000, 0x0400, 0x3880], [0x33800000, 0x0001, 0x3380], [0x33000000, 0x0000, 0x3300], [0x33000008, 0x0001, 0x3300], [0xb3c00000, 0x8002, 0xb3c0], [0x32800000, 0x0000, 0x3280], [0x3f801000, 0x3c00, 0x3f80], [0x3f803000, 0x3c02, 0x3f80], [0x3f801008, 0x3c01, 0x3f80], [0x44fff000, 0x6800, 0x4500], [0x45000800, 0x6800, 0x4500], [0x45001000, 0x6800, 0x4500], [0x45003000, 0x6802, 0x4500], [0x3f808000, 0x3c04, 0x3f80], [0x3f818000, 0x3c0c, 0x3f82], [0x3f808008, 0x3c04, 0x3f81], [0x7f7f0000, 0x7c00, 0x7f7f], [0x7f7f8000, 0x7c00, 0x7f80], [0x7f7f8000, 0x7c00, 0x7f80], [0x7f7fffff, 0x7c00, 0x7f80], [0xff7fc99e, 0xfc00, 0xff80], [0x00800000, 0x0000, 0x0080], [0x00010000, 0x0000, 0x0001], [0x00008000, 0x0000, 0x0000], [0x00018000, 0x0000, 0x0002], [0x00000001, 0x0000, 0x0000], [0x80000001, 0x8000, 0x8000], [0x7f800000, 0x7c00, 0x7f80], [0xff800000, 0xfc00, 0xff80]
] as const; // biome-ignore format: a table

const floatOf = (bits: number): number => new Float32Array(Uint32Array.of(bits).buffer)[0]!;
/** The finite float16 numbers from 0 up, each at the index of its bits. */
const HALVES = Array.from({ length: 0x7c00 }, (_, bits) =>
  bits < 1024 ? bits * 2 ** -24 : (1024 + (bits & 1023)) * 2 ** ((bits >> 10) - 25),
);

/** The nearest float16 by bisection in the list of all, ties to even bits. */
function nearestHalf(x: number): number {
  const size = Math.abs(x);
  let [low, high] = [0, HALVES.length - 1];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (HALVES[middle]! <= size) low = middle;
    else high = middle;
  }
  const [below, above] = [size - HALVES[low]!, HALVES[high]! - size];
  const bits = below < above || (below === above && low % 2 === 0) ? low : high;
  return Math.sign(x) * HALVES[bits]! || x * 0;
}

/** The nearest bfloat16: the neighbors differ in the lowest of the upper 16 bits. */
function nearestBrain(x: number): number {
  const bits = new Uint32Array(Float32Array.of(Math.abs(x)).buffer)[0]! >>> 16;
  const [low, high] = [floatOf(bits * 65536), floatOf((bits + 1) * 65536)];
  const [below, above] = [Math.abs(x) - low, high - Math.abs(x)];
  return Math.sign(x) * (below < above || (below === above && bits % 2 === 0) ? low : high) || x * 0;
}

const MOST = { float16: 65504, bfloat16: (2 - 2 ** -7) * 2 ** 127 } as const;

describe("float16 and bfloat16", () => {
  test.each(["float16", "bfloat16"] as const)("%s matches PyTorch bit for bit", (dtype) => {
    const rows = BY_PYTORCH.map(([x, half, brain]) => ({ x: floatOf(x), bits: dtype === "float16" ? half : brain }));
    const isInfinite = dtype === "float16" ? 0x7c00 : 0x7f80;
    const kept = rows.filter(({ x, bits }) => (bits & 0x7fff) !== isInfinite || !Number.isFinite(x));
    const file = encodeWeights(
      holding(
        Float32Array.from(kept, ({ x }) => x),
        [1, kept.length],
      ),
      { dtype },
    );
    const stored = new Uint16Array(file.slice(file.length - 2 * kept.length).buffer);
    expect([...stored]).toEqual(kept.map(({ bits }) => bits));
    const lost = rows.filter((row) => !kept.includes(row));
    expect(lost.length).toBeGreaterThan(3);
    for (const { x } of lost)
      expect(thrown(() => encodeWeights(holding([1, x], [1, 2]), { dtype }))).toBe(
        dtype === "float16"
          ? `ValueError: encodeWeights: "x" holds ${x}, beyond ±65504, the range of float16; save with dtype "bfloat16" or "float32"`
          : `ValueError: encodeWeights: "x" holds ${x}, beyond ±3.39e38, the range of bfloat16; save with dtype "float32"`,
      );
  });

  test.each([
    ["float16", nearestHalf],
    ["bfloat16", nearestBrain],
  ] as const)("%s rounds to the nearest number with ties to even and keeps the sign of zero", (dtype, nearest) => {
    const word = fc.integer({ min: 0, max: 2 ** 32 - 1 }).map(floatOf);
    const usual = fc.float({ min: -4, max: 4, noNaN: true });
    const tie = fc.integer({ min: -66000, max: 66000 }).map((n) => n / 32);
    const values = fc.oneof(word, usual, tie).filter((x) => Math.abs(x) <= MOST[dtype]);
    fc.assert(
      fc.property(fc.array(values, { minLength: 1, maxLength: 50 }), (list) => {
        expect(roundTrip(list, [1, list.length], dtype)).toEqual(Float32Array.from(list, nearest));
      }),
      { numRuns: 100 },
    );
  });

  test.each(["float16", "bfloat16"] as const)("%s keeps infinities and NaN, as float32 does", (dtype) => {
    const odd = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0];
    expect(roundTrip(odd, [2, 2], dtype)).toEqual(Float32Array.from(odd));
  });
});

/** Rows of numbers of very different sizes: zeros, subnormal numbers, and the largest of float32. */
const rows = fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 2, max: 9 })).chain(([count, length]) =>
  fc
    .array(
      fc.tuple(
        fc.constantFrom(0, 2 ** -149, 2 ** -140, 2 ** -126, 2 ** -120, 1e-3, 1, 1e4, 2 ** 126, (2 - 2 ** -23) * 2 ** 127),
        fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: length, maxLength: length }),
      ),
      { minLength: count, maxLength: count },
    )
    .map((list) => ({
      shape: [count, length],
      values: list.flatMap(([size, parts]) => parts.map((x) => Math.fround(size * x))),
    })),
);

describe("int8", () => {
  test("the error is at most half the scale of the row, and the scale is at most 1/127 of the largest number or 2⁻¹²⁶", () => {
    fc.assert(
      fc.property(rows, ({ shape, values }) => {
        const file = encodeWeights(holding(values, shape), { dtype: "int8" });
        const scales = decodeSafetensors(file).tensors.get("x:scales")!;
        expect(scales.shape).toEqual(shape.slice(0, -1));
        const other = empty(shape);
        loadWeights(file, other);
        const wrong = [...numbersOf(other)].filter((x, i) => {
          const row = Math.floor(i / shape[1]!);
          const scale = scales.data[row]!;
          const most = Math.max(...values.slice(row * shape[1]!, (row + 1) * shape[1]!).map(Math.abs));
          return !(Math.abs(x - values[i]!) <= scale / 2 && scale <= Math.max(2 ** -126, (most / 127) * (1 + 2 ** -24)));
        });
        expect(wrong).toEqual([]);
      }),
      { numRuns: 200 },
    );
  });

  test("the largest float32 numbers and rows of zeros load as finite numbers, and −0 loads as 0", () => {
    const most = (2 - 2 ** -23) * 2 ** 127;
    const got = roundTrip([most, -most, 0, -0], [2, 2], "int8");
    expect([...got.subarray(2)]).toEqual([0, 0]);
    expect(got[0]! / most).toBeCloseTo(1, 4);
    expect(got[1]).toBe(-got[0]!);
  });

  test("saving refuses numbers that are not finite and names the variable", () => {
    for (const x of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])
      expect(thrown(() => encodeWeights(holding([1, x], [1, 2]), { dtype: "int8" }))).toBe(
        `ValueError: encodeWeights: "x" holds ${x}, which int8 cannot hold; save with dtype "float32", "float16" or "bfloat16"`,
      );
  });

  test("saving refuses a variable whose name has the suffix of scales", () => {
    const vars = new DenseVariables();
    vars.create("a:scales", [2]);
    expect(thrown(() => encodeWeights(vars, { dtype: "int8" }))).toBe(
      'ValueError: encodeWeights: "a:scales" ends with ":scales", as the scales of int8 weights do; rename the variable',
    );
    expect(encodeWeights(vars, { dtype: "float16" }).length).toBeGreaterThan(0);
  });
});

/** A network with every kind of variable. */
function network(vars: VariableCreator): void {
  conv2d(scope(vars, "conv"), 3, 4, 3);
  batchNorm(scope(vars, "norm"), 4);
  depthwiseConv2d(scope(vars, "depthwise"), 4, 3);
  dense(scope(vars, "out"), 4, 5);
}
const poolSize = poolSizeFor(network);
const makes: Readonly<Record<string, () => VariablePool | null>> = {
  "a dense model": () => null,
  "a product pool": () => new ProductVariablePool({ poolSize, fraction: 0.5, seed: 1 }),
  "a Kronecker pool": () => new ProductVariablePool({ poolSize, fraction: 0.9, seed: 1, useKroneckerProduct: true }),
  "a hash pool": () => new HashVariablePool({ poolSize, fraction: 0.5, seed: 1 }),
};
function modelOf(make: () => VariablePool | null, seed: number): VariableCreator {
  const pool = make();
  const vars = pool === null ? new DenseVariables({ seed }) : new VariableFactory({ pool, seed });
  network(vars);
  const random = new Generator(seed);
  for (const [, x] of weightsOf(vars)) assign(x, randomNormal(x.shape, random));
  return vars;
}

describe.each(Object.entries(makes))("%s", (_, make) => {
  test.each(DTYPES)("a model saved as %s, loaded and saved again gives the same bytes", (dtype) => {
    const [saved, other] = [modelOf(make, 1), modelOf(make, 2)];
    const bytes = encodeWeights(saved, { dtype });
    const report = loadWeights(bytes, other);
    expect(report.loaded).toEqual([...weightsOf(saved).keys()]);
    expect(encodeWeights(other, { dtype })).toEqual(bytes);
    const whole = modelOf(make, 3);
    loadWeights(encodeWeights(other), whole); // by way of float32
    expect(encodeWeights(whole, { dtype })).toEqual(bytes);
  });

  test.each(DTYPES)("saving as %s keeps the vectors outside the pool exactly", (dtype) => {
    const [saved, other] = [modelOf(make, 1), modelOf(make, 2)];
    loadWeights(encodeWeights(saved, { dtype }), other);
    for (const name of ["norm/gamma", "norm/beta", "norm/moving_mean", "norm/moving_variance", "out/bias"])
      expect(numbersOf(other, name)).toEqual(numbersOf(saved, name));
  });
});

test.each([
  [
    "a dense model",
    "float16",
    { "conv/kernel": "F16 [3, 3, 3, 4]", "depthwise/kernel": "F16 [3, 3, 4, 1]", "out/bias": "F32 [5]" },
  ],
  [
    "a dense model",
    "int8",
    {
      "conv/kernel": "I8 [3, 3, 3, 4]",
      "conv/kernel:scales": "F32 [3, 3, 3]",
      "depthwise/kernel": "F32 [3, 3, 4, 1]",
      "out/kernel": "I8 [4, 5]",
      "out/kernel:scales": "F32 [4]",
      "norm/moving_variance": "F32 [4]",
    },
  ],
  [
    "a product pool",
    "int8",
    {
      variable_left: "I8 [13, 3]",
      "variable_left:scales": "F32 [13]",
      variable_right: "I8 [3, 13]",
      "variable_right:scales": "F32 [3]",
      "conv/kernel/scale": "F32 []",
    },
  ],
  ["a hash pool", "int8", { hash: "I8 [82]", "hash:scales": "F32 []" }],
  ["a hash pool", "bfloat16", { hash: "BF16 [82]" }],
] as const)("%s as %s has one scale per row of the last axis", (model, dtype, want) => {
  const entries = entriesOf(encodeWeights(modelOf(makes[model]!, 1), { dtype }));
  const shown = Object.entries(entries).map(([name, entry]) => [name, `${entry.dtype} [${entry.shape.join(", ")}]`]);
  expect(Object.fromEntries(shown)).toMatchObject(want);
});

test("dtype float32 gives the same file as no dtype, and the metadata contain no dtype", () => {
  const vars = modelOf(makes["a product pool"]!, 1);
  expect(encodeWeights(vars, { dtype: "float32" })).toEqual(encodeWeights(vars));
  expect(decodeSafetensors(encodeWeights(vars)).metadata.dtype).toBeUndefined();
  expect(decodeSafetensors(encodeWeights(vars, { dtype: "int8" })).metadata).toMatchObject({
    format: "hashgrad 1",
    dtype: "int8",
  });
});

test("encodeWeights refuses an unknown dtype and an unknown option", () => {
  const vars = modelOf(makes["a dense model"]!, 1);
  const wrong = { dtype: "float8" as WeightsDtype };
  const text = 'dtype must be "float32", "float16", "bfloat16" or "int8", got "float8"';
  expect(thrown(() => encodeWeights(vars, wrong))).toBe(`ValueError: encodeWeights: ${text}`);
  expect(thrown(() => saveWeights("never", vars, wrong))).toBe(`ValueError: saveWeights: ${text}`);
  expect(thrown(() => encodeWeights(vars, { type: "int8" } as never))).toMatch(
    /^ValueError: encodeWeights: unknown option "type"/,
  );
});

describe("files", () => {
  test.each(DTYPES)(
    "saveWeights writes the bytes of encodeWeights as %s, even if the file exceeds one piece of 4 MB",
    (dtype) => {
      const values = Float32Array.from({ length: 4_200_000 }, (_, i) => (i % 997) / 100);
      const vars = holding(values, [2100, 2000]);
      const path = at(`${dtype}.safetensors`);
      saveWeights(path, vars, { dtype });
      expect(Buffer.compare(readFileSync(path), encodeWeights(vars, { dtype }))).toBe(0);
      const other = empty([2100, 2000]);
      loadWeights(path, other);
      const [got, most] = [numbersOf(other), { float32: 0, float16: 2 ** -8, bfloat16: 2 ** -5, int8: 9.96 / 254 }[dtype]];
      expect(values.findIndex((x, i) => !(Math.abs(x - got[i]!) <= most))).toBe(-1);
    },
  );
});

describe("hostile files", () => {
  const bytes = encodeWeights(holding([1, 2, 3, 4], [2, 2]), { dtype: "int8" });
  const saved = decodeSafetensors(bytes);
  const refusal = (changed: Uint8Array): string => thrown(() => loadWeights(changed, empty([2, 2])));
  type Tensors = Readonly<Record<string, { dtype: string; shape: number[]; bytes: ArrayBufferView }>>;
  const x = { dtype: "I8", shape: [2, 2], bytes: Int8Array.of(1, 2, 3, 4) };
  const scales = { dtype: "F32", shape: [2], bytes: Float32Array.of(1, 1) };
  const file = (tensors: Tensors, metadata: object = { format: "hashgrad 1", dtype: "int8" }): Uint8Array =>
    reframed(tensors, metadata);

  test("the unchanged parts form a file that loads", () => {
    expect(refusal(file({ x, "x:scales": scales }))).toBe("nothing");
    expect(refusal(file({ "x:scales": { ...scales, bytes: Float32Array.of(0, 2e36) }, x }))).toBe("nothing");
  });

  const scalesOf = (...values: number[]): Tensors => ({ x, "x:scales": { ...scales, bytes: Float32Array.from(values) } });
  test.each([
    ["no scales", file({ x }), '"x" is int8 and has no "x:scales"; the file is damaged'],
    ["scales alone", file({ "x:scales": scales }), '"x:scales" are the scales of no int8 tensor; the file is damaged'],
    [
      "scales of a float32 tensor",
      file({ x: { dtype: "F32", shape: [2, 2], bytes: new Float32Array(4) }, "x:scales": scales }),
      '"x:scales" are the scales of no int8 tensor; the file is damaged',
    ],
    ["a NaN scale", file(scalesOf(1, Number.NaN)), '"x:scales" holds NaN, must be from 0 to 2.68e36; the file is damaged'],
    [
      "an infinite scale",
      file(scalesOf(Number.POSITIVE_INFINITY, 1)),
      '"x:scales" holds Infinity, must be from 0 to 2.68e36; the file is damaged',
    ],
    ["a negative scale", file(scalesOf(-1, 1)), '"x:scales" holds -1, must be from 0 to 2.68e36; the file is damaged'],
    [
      "a huge scale",
      file(scalesOf(1, 3e38)),
      `"x:scales" holds ${Math.fround(3e38)}, must be from 0 to 2.68e36; the file is damaged`,
    ],
    [
      "scales of another shape",
      file({ x, "x:scales": { ...scales, shape: [2, 1] } }),
      '"x:scales" has shape [2, 1], the rows of [2, 2] are [2]; the file is damaged',
    ],
    [
      "scales of a scalar",
      file({
        x: { dtype: "I8", shape: [], bytes: Int8Array.of(1) },
        "x:scales": { dtype: "F32", shape: [], bytes: Float32Array.of(1) },
      }),
      '"x:scales" has shape [], a scalar has no rows; the file is damaged',
    ],
    [
      "scales of int8",
      file({ x, "x:scales": { dtype: "I8", shape: [2], bytes: Int8Array.of(1, 1) } }),
      '"x:scales" must be F32, got I8; the file is damaged',
    ],
    [
      "a tensor of another type",
      file({ x: { dtype: "F16", shape: [2, 2], bytes: new Uint16Array(4) } }),
      '"x" has the element type F16; a file of int8 holds I8 and F32',
    ],
    [
      "bfloat16 in a file of float16",
      file({ x: { dtype: "BF16", shape: [2, 2], bytes: new Uint16Array(4) } }, { format: "hashgrad 1", dtype: "float16" }),
      '"x" has the element type BF16; a file of float16 holds F16 and F32',
    ],
    [
      "an unknown dtype",
      file({ x, "x:scales": scales }, { format: "hashgrad 1", dtype: "int4" }),
      'its weights are "int4", known are float32, float16, bfloat16, int8',
    ],
  ])("loadWeights refuses %s", (_, changed, text) => {
    expect(refusal(changed)).toBe(`FormatError: weights: ${text}`);
  });

  test("swapped types of the same size fail the checksum", () => {
    const half = encodeWeights(holding([1, 2, 3, 4], [2, 2]), { dtype: "float16" });
    const text = new TextDecoder("latin1").decode(half);
    const swapped = Uint8Array.from(text.replace('"F16"', '"I16"'), (letter) => letter.charCodeAt(0));
    expect(refusal(swapped)).toMatch(/its content does not fit its checksum; the file is damaged or was changed$/);
  });

  test("loadWeights refuses a file that is truncated anywhere and a file with a changed byte", () => {
    for (const dtype of DTYPES) {
      const whole = encodeWeights(holding([1, 2, 3, 4], [2, 2]), { dtype });
      for (let end = 0; end < whole.length; end += 3) expect(refusal(whole.subarray(0, end))).toMatch(/^FormatError: /);
      const changed = whole.slice();
      changed[whole.length - 1]! ^= 1;
      expect(refusal(changed)).toMatch(/^FormatError: weights: its content does not fit its checksum/);
    }
  });

  test("int8 numbers of another program load as plain numbers", () => {
    const vars = empty([2, 2]);
    loadWeights(encodeSafetensors({ tensors: new Map([["x", tensor([[1, 2], [3, 4]])]]), metadata: {} }), vars); // biome-ignore format: a matrix
    loadWeights(reframed({ x }, { dtype: "int8" }), vars);
    expect([...numbersOf(vars)]).toEqual([1, 2, 3, 4]);
    expect([...saved.tensors.get("x")!.toArray()]).toEqual([64, 127, 95, 127]);
  });

  test("a refused int8 file changes nothing, and the error names the path", () => {
    const path = at("x.safetensors");
    writeFileSync(path, file({ x }));
    const vars = holding([5, 6, 7, 8], [2, 2]);
    expect(thrown(() => loadWeights(path, vars))).toBe(
      `FormatError: ${path}: "x" is int8 and has no "x:scales"; the file is damaged`,
    );
    expect([...numbersOf(vars)]).toEqual([5, 6, 7, 8]);
  });
});
