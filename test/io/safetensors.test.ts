import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { expect, test } from "vitest";
import { decodeSafetensors, encodeSafetensors, FormatError, type SavedTensors } from "../../src/io/index.ts";
import { full, type Tensor, tensor, ValueError } from "../../src/tensor/index.ts";
import "../fixed-seed.ts";
import { thrown } from "../thrown.ts";

const values = fc.float(); // with NaN, infinities and −0
const tensors = fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 4 }).chain((shape) => {
  const size = shape.reduce((a, b) => a * b, 1);
  return fc.array(values, { minLength: size, maxLength: size }).map((list) => tensor(Float32Array.from(list), shape));
});
const names = fc.oneof(fc.string({ unit: "grapheme" }), fc.constantFrom("__proto__", "constructor", "0", "conv/kernel"));
const saved = fc.record({
  tensors: fc
    .uniqueArray(fc.tuple(names, tensors), { selector: ([name]) => name, maxLength: 5 })
    .map((list) => new Map(list.filter(([name]) => name !== "__metadata__"))),
  metadata: fc.dictionary(fc.string(), fc.string(), { maxKeys: 3 }),
}) satisfies fc.Arbitrary<SavedTensors>;

const shown = (x: Tensor | undefined): unknown => ({ shape: x?.shape, numbers: x?.toArray() });

test("decodeSafetensors returns the encoded names, shapes, metadata and every bit pattern of numbers", () => {
  fc.assert(
    fc.property(saved, (model) => {
      const bytes = encodeSafetensors(model);
      const back = decodeSafetensors(bytes);
      expect([...back.tensors.keys()].sort()).toEqual([...model.tensors.keys()].sort());
      for (const [name, x] of model.tensors) expect(shown(back.tensors.get(name))).toEqual(shown(x));
      expect(Object.entries(back.metadata).sort()).toEqual(Object.entries(model.metadata).sort());
      expect(new DataView(bytes.buffer).getUint32(0, true) % 8).toBe(0); // the numbers lie aligned
    }),
  );
});

test("decodeSafetensors reads a view at an odd offset of a buffer", () => {
  const bytes = encodeSafetensors({ tensors: new Map([["w", tensor([1.5, -2])]]), metadata: {} });
  const inside = new Uint8Array(bytes.length + 9).fill(0xff);
  inside.set(bytes, 3);
  expect(
    decodeSafetensors(inside.subarray(3, 3 + bytes.length))
      .tensors.get("w")
      ?.toNested(),
  ).toEqual([1.5, -2]);
});

test("the bytes follow the format: length, JSON header, little-endian numbers", () => {
  const bytes = encodeSafetensors({ tensors: new Map([["w", full([2], 1)]]), metadata: { by: "me" } });
  const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
  expect(JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)))).toEqual({
    __metadata__: { by: "me" },
    w: { dtype: "F32", shape: [2], data_offsets: [0, 8] },
  });
  expect([...bytes.subarray(8 + length)]).toEqual([0, 0, 0x80, 0x3f, 0, 0, 0x80, 0x3f]);
});

test("a file that is truncated anywhere throws a FormatError", () => {
  const whole = saved.filter(({ tensors: map }) => [...map.values()].some((x) => x.size > 0));
  fc.assert(
    fc.property(whole, fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (model, at) => {
      const bytes = encodeSafetensors(model);
      expect(() => decodeSafetensors(bytes.subarray(0, Math.floor(at * bytes.length)))).toThrow(FormatError);
    }),
    { numRuns: 100 },
  );
});

test("damaged bytes decode or throw a FormatError", () => {
  const damage = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(saved, damage, (model, changes) => {
      const bytes = encodeSafetensors(model);
      for (const [at, byte] of changes) bytes[at % bytes.length] = byte;
      expect(thrown(() => decodeSafetensors(bytes, "w.safetensors"))).toMatch(/^(nothing|FormatError: w\.safetensors: .*)/);
    }),
    { numRuns: 300 },
  );
});

test("arbitrary bytes decode or throw a FormatError", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), fc.nat({ max: 40 }), (bytes, length) => {
      const framed = new Uint8Array(8 + bytes.length);
      framed[0] = length;
      framed.set(bytes, 8);
      for (const input of [bytes, framed]) expect(thrown(() => decodeSafetensors(input))).toMatch(/^(nothing|FormatError: )/);
    }),
  );
});

const types = "F32, F64, F16, BF16, I8, U8, I16, U16, I32, U32, I64, U64, BOOL";

/** A file with this header and `size` bytes of numbers. */
function fileWith(header: string, size = 0): Uint8Array {
  const text = new TextEncoder().encode(header);
  const bytes = new Uint8Array(8 + text.length + size);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
  bytes.set(text, 8);
  return bytes;
}

test.each([
  ["no bytes", new Uint8Array(0), "the header does not fit into 0 bytes: cut off, or not a safetensors file"],
  [
    "a header beyond the end",
    Uint8Array.of(255, 255, 255, 255, 255, 255, 255, 255, 0),
    "the header does not fit into 9 bytes: cut off, or not a safetensors file",
  ],
  ["a header that is no JSON", fileWith("{"), "the header is not JSON: not a safetensors file"],
  ["a header that is a number", fileWith("3"), "the header is not an object: not a safetensors file"],
  ["a header that is null", fileWith("null"), "the header is not an object: not a safetensors file"],
  [
    "a header that is a list",
    fileWith('[{"dtype":"F32","shape":[],"data_offsets":[0,4]}]', 4),
    "the header is not an object: not a safetensors file",
  ],
  ["an entry that is no object", fileWith('{"w":1}'), `"w" must have one of the element types ${types}, got undefined`],
  [
    "a header that nests deeply",
    fileWith(`{"w":${"[".repeat(1e5)}${"]".repeat(1e5)}}`),
    "the header nests more than 64 deep: not a safetensors file",
  ],
  [
    "a name twice",
    fileWith(
      '{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}, "\\u0077" : {"dtype":"F32","shape":[1],"data_offsets":[4,8]}}',
      8,
    ),
    'the header has the name "w" twice: not a safetensors file',
  ],
  ["metadata that are a list", fileWith('{"__metadata__":["a"]}'), "its metadata must be an object of strings, got a list of 1"],
  ["metadata of numbers", fileWith('{"__metadata__":{"a":1}}'), 'its metadata "a" must be a string, got 1'],
  [
    "metadata of objects with toString",
    fileWith('{"__metadata__":{"a":{"toString":1}}}'),
    'its metadata "a" must be a string, got an object with the keys toString',
  ],
  [
    "a size beyond exact numbers",
    fileWith('{"w":{"dtype":"F32","shape":[1e308,0],"data_offsets":[0,0]}}'),
    '"w" has no readable shape and offsets',
  ],
  [
    "a size that overflows",
    fileWith(`{"w":{"dtype":"F32","shape":[${Array(64).fill(2 ** 53 - 1)}],"data_offsets":[0,4]}}`, 4),
    `"w" [${Array(64)
      .fill(2 ** 53 - 1)
      .join(", ")}] of F32 needs Infinity bytes, its offsets are 0 and 4; the file is damaged`,
  ],
  ["a header that is not UTF-8", Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0, 0xff), "the header is not JSON: not a safetensors file"],
  [
    "an unknown element type",
    fileWith('{"w":{"dtype":"F8_E5M2","shape":[1],"data_offsets":[0,1]}}', 1),
    `"w" must have one of the element types ${types}, got "F8_E5M2"`,
  ],
  ["no element type", fileWith('{"w":{}}'), `"w" must have one of the element types ${types}, got undefined`],
  [
    "a negative length",
    fileWith('{"w":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}', 4),
    '"w" has no readable shape and offsets',
  ],
  [
    "three offsets",
    fileWith('{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}}', 8),
    '"w" has no readable shape and offsets',
  ],
  [
    "offsets that do not fit the shape",
    fileWith('{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}', 8),
    '"w" [2] of F32 needs 8 bytes, its offsets are 0 and 4; the file is damaged',
  ],
  [
    "numbers beyond the end",
    fileWith('{"v":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"w":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}', 8),
    '"w" ends at byte 12 of 8: the file is cut off or damaged',
  ],
  [
    "numbers that two tensors share",
    fileWith('{"v":{"dtype":"F32","shape":[1],"data_offsets":[4,8]},"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}', 8),
    '"v" begins at byte 4, not at 8: numbers may not overlap or leave holes; the file is damaged',
  ],
  [
    "a hole",
    fileWith('{"w":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}', 8),
    '"w" begins at byte 4, not at 0: numbers may not overlap or leave holes; the file is damaged',
  ],
  [
    "bytes left over",
    fileWith('{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', 9),
    "5 bytes at the end belong to no tensor; the file is damaged",
  ],
])("decodeSafetensors refuses %s", (_, bytes, text) => {
  expect(thrown(() => decodeSafetensors(bytes, "w.safetensors"))).toBe(`FormatError: w.safetensors: ${text}`);
});

test("decodeSafetensors reads tensors in any order, empty tensors included", () => {
  const entry = (shape: number[], begin: number, end: number): string =>
    `{"dtype":"F32","shape":[${shape}],"data_offsets":[${begin},${end}]}`;
  const header = `{"b":${entry([1], 4, 8)},"a":${entry([1], 0, 4)},"none":${entry([0, 3], 4, 4)}}`;
  const { tensors: found } = decodeSafetensors(fileWith(header, 8));
  expect([...found].map(([name, { shape }]) => [name, shape])).toEqual([
    ["b", [1]],
    ["a", [1]],
    ["none", [0, 3]],
  ]);
});

test("encodeSafetensors refuses a tensor named __metadata__", () => {
  const model = { tensors: new Map([["__metadata__", full([1], 1)]]), metadata: {} };
  expect(() => encodeSafetensors(model)).toThrow(ValueError);
  expect(() => encodeSafetensors(model)).toThrow('encodeSafetensors: "__metadata__" cannot be the name of a tensor');
});

test("a tensor named __proto__ is encoded and decoded", () => {
  const bytes = encodeSafetensors({ tensors: new Map([["__proto__", full([], 7)]]), metadata: {} });
  expect(decodeSafetensors(bytes).tensors.get("__proto__")?.item()).toBe(7);
});

/** A file with one tensor "w" of some elements. */
function fileOf(dtype: string, bytes: ArrayBufferView, length: number): Uint8Array {
  const header = `{"w":{"dtype":"${dtype}","shape":[${length}],"data_offsets":[0,${bytes.byteLength}]}}`;
  const file = fileWith(header, bytes.byteLength);
  file.set(new Uint8Array(bytes.buffer), file.length - bytes.byteLength);
  return file;
}
const numbersIn = (dtype: string, bytes: ArrayBufferView, length: number): number[] => [
  ...decodeSafetensors(fileOf(dtype, bytes, length))
    .tensors.get("w")!
    .toArray(),
];

test.each([
  ["F64", Float64Array.of(0.1, -1e300, 2 ** -149), [Math.fround(0.1), -Infinity, 2 ** -149]],
  [
    "F16",
    Uint16Array.of(0x3c00, 0xc500, 0x0001, 0x8000, 0x7bff, 0x7c00, 0xfc00, 0x7e00),
    [1, -5, 2 ** -24, -0, 65504, Infinity, -Infinity, NaN],
  ],
  ["BF16", Uint16Array.of(0x3f80, 0xc0a0, 0x8000, 0x7f80, 0x7fc0, 0x0001), [1, -5, -0, Infinity, NaN, 2 ** -133]],
  ["I8", Int8Array.of(-128, 127), [-128, 127]],
  ["U8", Uint8Array.of(0, 255), [0, 255]],
  ["I16", Int16Array.of(-32768, 32767), [-32768, 32767]],
  ["U16", Uint16Array.of(0, 65535), [0, 65535]],
  ["I32", Int32Array.of(-(2 ** 31), 2 ** 24 + 1), [-(2 ** 31), 2 ** 24]],
  ["U32", Uint32Array.of(0, 2 ** 32 - 1), [0, 2 ** 32]],
  ["I64", BigInt64Array.of(-1n, -(2n ** 63n), 12345n, 2n ** 40n + 2n ** 20n), [-1, -(2 ** 63), 12345, 2 ** 40 + 2 ** 20]],
  ["U64", BigUint64Array.of(0n, 2n ** 64n - 1n, 7n), [0, 2 ** 64, 7]],
  ["BOOL", Uint8Array.of(0, 1), [0, 1]],
] as const)("%s is read as float32", (dtype, values, want) => {
  expect(numbersIn(dtype, values, values.length)).toEqual(want);
});

test("every finite pattern of 16-bit floats matches a conversion by formula", () => {
  const all = Uint16Array.from({ length: 65536 }, (_, i) => i);
  const halves = numbersIn("F16", all, all.length);
  const brains = numbersIn("BF16", all, all.length);
  const upper = new Float32Array(Uint32Array.from(all, (bits) => bits * 65536).buffer);
  expect(brains).toEqual([...upper]);
  const different = [...all].filter((bits) => {
    const [sign, exponent, fraction] = [bits >> 15 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
    const want = sign * (exponent === 0 ? fraction * 2 ** -24 : 2 ** (exponent - 25) * (1024 + fraction));
    return exponent < 31 && !Object.is(halves[bits], want);
  });
  expect(different).toEqual([]);
});

test("decodeSafetensors reads buffers of another realm, shared memory, a DataView and other views", () => {
  const bytes = encodeSafetensors({ tensors: new Map([["w", tensor([1, 2])]]), metadata: {} });
  const foreign: ArrayBuffer = runInNewContext(`new ArrayBuffer(${bytes.length})`);
  new Uint8Array(foreign).set(bytes);
  const foreignView: Uint8Array = runInNewContext("new Uint8Array(buffer)", { buffer: foreign });
  const shared = new SharedArrayBuffer(bytes.length);
  new Uint8Array(shared).set(bytes);
  const sources = [
    foreign,
    foreignView,
    new DataView(bytes.buffer),
    new Uint8Array(shared),
    shared as unknown,
    Buffer.from(bytes),
  ];
  for (const source of sources) {
    expect(
      decodeSafetensors(source as Uint8Array)
        .tensors.get("w")
        ?.toNested(),
    ).toEqual([1, 2]);
  }
});

test("the error for an argument of the wrong kind names the function", () => {
  const gone = new ArrayBuffer(8);
  structuredClone(gone, { transfer: [gone] });
  const odd: unknown[] = [
    null,
    undefined,
    "text",
    NaN,
    1e308,
    [],
    new Array(3),
    {},
    new Map(),
    { [Symbol.toStringTag]: "Map" },
    () => 1,
    Symbol("s"),
    tensor([1]),
  ];
  for (const value of odd) {
    expect(thrown(() => decodeSafetensors(value as Uint8Array))).toMatch(/^ValueError: decodeSafetensors: bytes must be/);
    if (value !== undefined && typeof value !== "string")
      expect(thrown(() => decodeSafetensors(new Uint8Array(9), value as string))).toMatch(
        /^ValueError: decodeSafetensors: name must be/,
      );
    expect(thrown(() => encodeSafetensors(value as SavedTensors))).toMatch(/^ValueError: encodeSafetensors: /);
    const model = { tensors: new Map([["w", tensor([1])]]), metadata: {} };
    expect(thrown(() => encodeSafetensors({ ...model, tensors: value as SavedTensors["tensors"] }))).toMatch(
      value instanceof Map ? "nothing" : /^ValueError: encodeSafetensors: tensors must be a Map/,
    );
    expect(thrown(() => encodeSafetensors({ ...model, metadata: { a: value as string } }))).toMatch(
      typeof value === "string" ? "nothing" : /^ValueError: encodeSafetensors: metadata "a" must be a string/,
    );
    expect(thrown(() => encodeSafetensors({ ...model, tensors: new Map([["w", value as Tensor]]) }))).toMatch(
      value !== null && typeof value === "object" && "toNested" in value
        ? "nothing"
        : /^ValueError: encodeSafetensors: tensor "w" must be a tensor/,
    );
  }
  expect(thrown(() => decodeSafetensors(gone))).toMatch(/^(ValueError: decodeSafetensors|FormatError: safetensors): /);
});
