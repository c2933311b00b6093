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

test("what is encoded is decoded again: names, shapes, every bit pattern of numbers, metadata", () => {
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

test("a view into other bytes, at an odd offset, is read as well", () => {
  const bytes = encodeSafetensors({ tensors: new Map([["w", tensor([1.5, -2])]]), metadata: {} });
  const inside = new Uint8Array(bytes.length + 9).fill(0xff);
  inside.set(bytes, 3);
  expect(
    decodeSafetensors(inside.subarray(3, 3 + bytes.length))
      .tensors.get("w")
      ?.toNested(),
  ).toEqual([1.5, -2]);
});

test("the bytes are those of the format: length, header as JSON, numbers from the lowest byte on", () => {
  const bytes = encodeSafetensors({ tensors: new Map([["w", full([2], 1)]]), metadata: { by: "me" } });
  const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
  expect(JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)))).toEqual({
    __metadata__: { by: "me" },
    w: { dtype: "F32", shape: [2], data_offsets: [0, 8] },
  });
  expect([...bytes.subarray(8 + length)]).toEqual([0, 0, 0x80, 0x3f, 0, 0, 0x80, 0x3f]);
});

test("a file that is cut off anywhere is a FormatError, never another exception", () => {
  const whole = saved.filter(({ tensors: map }) => [...map.values()].some((x) => x.size > 0));
  fc.assert(
    fc.property(whole, fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (model, at) => {
      const bytes = encodeSafetensors(model);
      expect(() => decodeSafetensors(bytes.subarray(0, Math.floor(at * bytes.length)))).toThrow(FormatError);
    }),
    { numRuns: 100 },
  );
});

test("bytes that were damaged are read or a FormatError, never another exception", () => {
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

test("any bytes at all are read or a FormatError", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), fc.nat({ max: 40 }), (bytes, length) => {
      const framed = new Uint8Array(8 + bytes.length);
      framed[0] = length;
      framed.set(bytes, 8);
      for (const input of [bytes, framed]) expect(thrown(() => decodeSafetensors(input))).toMatch(/^(nothing|FormatError: )/);
    }),
  );
});

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
  ["a header that is no object", fileWith("3"), "the header is not JSON: not a safetensors file"],
  ["a header that is null", fileWith("null"), "the header is not JSON: not a safetensors file"],
  ["an entry that is no object", fileWith('{"w":1}'), "the header is not JSON: not a safetensors file"],
  ["a header that is not UTF-8", Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0, 0xff), "the header is not JSON: not a safetensors file"],
  [
    "another element type",
    fileWith('{"w":{"dtype":"BF16","shape":[1],"data_offsets":[0,2]}}', 2),
    '"w" holds BF16, only F32 is read',
  ],
  ["no element type", fileWith('{"w":{}}'), '"w" holds undefined, only F32 is read'],
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
    '"w" [2] needs 8 bytes at 0…4, the file is cut off or damaged',
  ],
  [
    "numbers beyond the end",
    fileWith('{"w":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}', 8),
    '"w" [2] needs 8 bytes at 4…12, the file is cut off or damaged',
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
])("%s: refused", (_, bytes, text) => {
  expect(thrown(() => decodeSafetensors(bytes, "w.safetensors"))).toBe(`FormatError: w.safetensors: ${text}`);
});

test("tensors in any order, one without numbers among them, are read", () => {
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

test("a tensor whose name is the metadata's is refused rather than lost", () => {
  const model = { tensors: new Map([["__metadata__", full([1], 1)]]), metadata: {} };
  expect(() => encodeSafetensors(model)).toThrow(ValueError);
  expect(() => encodeSafetensors(model)).toThrow('encodeSafetensors: "__metadata__" cannot be the name of a tensor');
});

test("a tensor named __proto__ is not lost", () => {
  const bytes = encodeSafetensors({ tensors: new Map([["__proto__", full([], 7)]]), metadata: {} });
  expect(decodeSafetensors(bytes).tensors.get("__proto__")?.item()).toBe(7);
});
