import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { DataError, encodeIdx, parseIdx, readIdx } from "../../src/data/index.ts";
import { ShapeError, sizeOf } from "../../src/tensor/index.ts";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "hashgrad-idx-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

function written(name: string, bytes: Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

const arrays = fc.array(fc.integer({ min: 0, max: 6 }), { maxLength: 4 }).chain((shape) => {
  const size = sizeOf(shape);
  return fc.record({ shape: fc.constant(shape), data: fc.uint8Array({ minLength: size, maxLength: size }) });
});

test("what was encoded is parsed again, wherever in its buffer it lies, without a copy", () => {
  fc.assert(
    fc.property(arrays, fc.nat(9), ({ shape, data }, offset) => {
      const bytes = encodeIdx(shape, data);
      const shifted = new Uint8Array(bytes.length + 20).subarray(offset, offset + bytes.length);
      shifted.set(bytes);
      const found = parseIdx(shifted, "array");
      expect(found).toEqual({ shape, data });
      expect(found.data.buffer).toBe(shifted.buffer);
    }),
  );
});

test("a file is read, plain or gzipped, whatever its name", () => {
  fc.assert(
    fc.property(arrays, fc.boolean(), ({ shape, data }, zipped) => {
      const bytes = encodeIdx(shape, data);
      expect(readIdx(written("array", zipped ? gzipSync(bytes) : bytes))).toEqual({ shape, data });
    }),
    { numRuns: 25 },
  );
});

test("the header is the one of the specification", () => {
  expect([...encodeIdx([1, 258], new Uint8Array(258))].slice(0, 12)).toEqual([0, 0, 8, 2, 0, 0, 0, 1, 0, 0, 1, 2]);
});

const pair = encodeIdx([2, 2], Uint8Array.of(1, 2, 3, 4));

test.each([
  ["no bytes", [], /^file: too short for an IDX header: expected at least 4 bytes, got 0$/],
  ["three bytes", [0, 0, 8], /^file: too short for an IDX header: expected at least 4 bytes, got 3$/],
  ["half a header", pair.slice(0, 7), /^file: too short for an IDX header of rank 2: expected at least 12 bytes, got 7$/],
  [
    "text",
    Buffer.from("P5 28"),
    /^file: not an IDX file: expected to begin with 00 00 08, got 50 35 20 32; .*\(\.gz\) or of another/,
  ],
  ["gzip", gzipSync(pair), /^file: not an IDX file: expected .* got 1f 8b 08 00; it is gzip: unpack it first, or use readIdx$/],
  ["floats", [0, 0, 0x0d, 1, 0, 0, 0, 0], /^file: elements are float32 \(0d\); only unsigned bytes \(08\) are supported$/],
  ["a strange type", [0, 0, 0x42, 1, 0, 0, 0, 0], /^file: elements are of no known type \(42\); only unsigned bytes/],
  ["too little data", pair.slice(0, -1), /^file: truncated: expected 4 bytes of data for \[2, 2\], got 3$/],
  ["too much data", [...pair, 9, 9], /^file: 2 trailing bytes: expected 4 bytes of data for \[2, 2\], got 6$/],
] as const)("%s is refused, with what was expected and what was there", (_, bytes, text) => {
  expect(() => parseIdx(Uint8Array.from(bytes), "file")).toThrow(DataError);
  expect(() => parseIdx(Uint8Array.from(bytes), "file")).toThrow(text);
});

test("any bytes give an array or a DataError", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 24 }), fc.boolean(), (bytes, plausible) => {
      if (plausible) bytes.set([0, 0, 8].slice(0, bytes.length));
      try {
        const { shape, data } = parseIdx(bytes, "file");
        expect(data.length).toBe(sizeOf(shape));
      } catch (error) {
        expect(error).toBeInstanceOf(DataError);
      }
    }),
  );
});

test("a missing file is named", () => {
  const path = join(folder, "missing");
  expect(() => readIdx(path)).toThrow(DataError);
  expect(() => readIdx(path)).toThrow(`${path}: cannot be read (ENOENT`);
  expect(() => readIdx(folder)).toThrow(`${folder}: cannot be read (EISDIR`);
});

test("a broken gzip stream is named", () => {
  const path = written("broken.gz", gzipSync(pair).subarray(0, -9));
  expect(() => readIdx(path)).toThrow(DataError);
  expect(() => readIdx(path)).toThrow(`${path}: the gzip stream is broken, download it again (`);
});

test("a broken file inside a sound gzip stream is named", () => {
  const path = written("short.gz", gzipSync(pair.subarray(0, -1)));
  expect(() => readIdx(path)).toThrow(`${path}: truncated: expected 4 bytes of data for [2, 2], got 3`);
});

test("only what IDX can hold is encoded", () => {
  expect(() => encodeIdx([2, 2], new Uint8Array(3))).toThrow(ShapeError);
  expect(() => encodeIdx([2, 2], new Uint8Array(3))).toThrow(/^encodeIdx: 3 bytes do not fill shape \[2, 2\], which holds 4$/);
  expect(() => encodeIdx([0, 2 ** 32], new Uint8Array(0))).toThrow(
    /^encodeIdx: IDX holds at most 255 axes of lengths below 2\^32/,
  );
  expect(() => encodeIdx(new Array<number>(256).fill(1), new Uint8Array(1))).toThrow(/^encodeIdx: IDX holds at most 255 axes/);
  expect(() => encodeIdx([-1], new Uint8Array(1))).toThrow(/^encodeIdx: a shape is a list of whole numbers/);
});
