import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { DataError, encodeIdx, parseIdx, readIdx } from "../../src/data/index.ts";
import { ShapeError, sizeOf, ValueError } from "../../src/tensor/index.ts";
import { thrown } from "../thrown.ts";
import { faultsOfMutants } from "./idx-mutations.ts";

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

test("parseIdx reads the result of encodeIdx at any offset of a buffer without a copy", () => {
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

test("readIdx reads plain and gzipped files with any name", () => {
  fc.assert(
    fc.property(arrays, fc.boolean(), ({ shape, data }, zipped) => {
      const bytes = encodeIdx(shape, data);
      expect(readIdx(written("array", zipped ? gzipSync(bytes) : bytes))).toEqual({ shape, data });
    }),
    { numRuns: 25 },
  );
});

test("the header follows the specification", () => {
  expect([...encodeIdx([1, 258], new Uint8Array(258))].slice(0, 12)).toEqual([0, 0, 8, 2, 0, 0, 0, 1, 0, 0, 1, 2]);
});

const pair = encodeIdx([2, 2], Uint8Array.of(1, 2, 3, 4));

test.each([
  ["no bytes", [], /^parseIdx: file: too short for an IDX header: expected at least 4 bytes, got 0$/],
  ["three bytes", [0, 0, 8], /^parseIdx: file: too short for an IDX header: expected at least 4 bytes, got 3$/],
  [
    "half a header",
    pair.slice(0, 7),
    /^parseIdx: file: too short for an IDX header of rank 2: expected at least 12 bytes, got 7$/,
  ],
  [
    "text",
    Buffer.from("P5 28"),
    /^parseIdx: file: not an IDX file: expected to begin with 00 00 08, got 50 35 20 32; .*\(\.gz\) or of another/,
  ],
  [
    "gzip",
    gzipSync(pair),
    /^parseIdx: file: not an IDX file: expected .* got 1f 8b 08 00; it is gzip: unpack it first, or use readIdx$/,
  ],
  [
    "floats",
    [0, 0, 0x0d, 1, 0, 0, 0, 0],
    /^parseIdx: file: elements are float32 \(0d\); only unsigned bytes \(08\) are supported$/,
  ],
  ["a strange type", [0, 0, 0x42, 1, 0, 0, 0, 0], /^parseIdx: file: elements are of no known type \(42\); only unsigned bytes/],
  ["too little data", pair.slice(0, -1), /^parseIdx: file: truncated: expected 4 bytes of data for \[2, 2\], got 3$/],
  ["too much data", [...pair, 9, 9], /^parseIdx: file: 2 trailing bytes: expected 4 bytes of data for \[2, 2\], got 6$/],
] as const)("parseIdx refuses %s and names the expected and actual values", (_, bytes, text) => {
  expect(() => parseIdx(Uint8Array.from(bytes), "file")).toThrow(DataError);
  expect(() => parseIdx(Uint8Array.from(bytes), "file")).toThrow(text);
});

test("parseIdx returns an array or throws a DataError for any bytes", () => {
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

test("the error for a missing file names the file", () => {
  const path = join(folder, "missing");
  expect(() => readIdx(path)).toThrow(DataError);
  expect(() => readIdx(path)).toThrow(`${path}: cannot be read (ENOENT`);
  expect(() => readIdx(folder)).toThrow(`readIdx: ${folder}: cannot be read: it is a folder or a device, not a file`);
});

test("the error for a broken gzip stream names the file", () => {
  const path = written("broken.gz", gzipSync(pair).subarray(0, -9));
  expect(() => readIdx(path)).toThrow(DataError);
  expect(() => readIdx(path)).toThrow(`${path}: the gzip stream is broken, download it again (`);
});

test("the error for a broken file inside a valid gzip stream names the file", () => {
  const path = written("short.gz", gzipSync(pair.subarray(0, -1)));
  expect(() => readIdx(path)).toThrow(`${path}: truncated: expected 4 bytes of data for [2, 2], got 3`);
});

test("encodeIdx refuses arrays that IDX cannot hold", () => {
  expect(() => encodeIdx([2, 2], new Uint8Array(3))).toThrow(ShapeError);
  expect(() => encodeIdx([2, 2], new Uint8Array(3))).toThrow(/^encodeIdx: 3 bytes do not fill shape \[2, 2\], which holds 4$/);
  expect(() => encodeIdx([0, 2 ** 32], new Uint8Array(0))).toThrow(/^encodeIdx: shape \[0, 4294967296\] is too large/);
  expect(() => encodeIdx(new Array<number>(256).fill(1), new Uint8Array(1))).toThrow(/^encodeIdx: a tensor has at most 64 axes/);
  expect(() => encodeIdx([-1], new Uint8Array(1))).toThrow(/^encodeIdx: a shape is a list of whole numbers/);
});

test("parseIdx reads structured mutations of a file correctly or refuses them with a DataError", () => {
  expect(faultsOfMutants(2000, 7)).toEqual([]);
});

test("parseIdx refuses lengths whose product is not an exact number, even with a length of 0 among them", () => {
  const header = (...lengths: number[]): Uint8Array => {
    const bytes = new Uint8Array(4 + 4 * lengths.length);
    bytes.set([0, 0, 8, lengths.length]);
    for (const [i, length] of lengths.entries()) new DataView(bytes.buffer).setUint32(4 + 4 * i, length);
    return bytes;
  };
  const huge = new Array<number>(39).fill(2 ** 32 - 1);
  expect(thrown(() => parseIdx(header(...huge, 0), "f"))).toMatch(
    /^DataError: parseIdx: f: the shape \[4294967295, .*\] is larger/,
  );
  expect(parseIdx(header(2 ** 32 - 1, 0), "f").data.length).toBe(0);
  const text = "DataError: parseIdx: f: has 65 axes; at most 64 are supported";
  expect(thrown(() => parseIdx(header(...new Array<number>(65).fill(1)), "f"))).toBe(text);
});

test("readIdx refuses a gzip file that holds more than its header states and does not unpack the rest", () => {
  const path = written("bomb.gz", Buffer.concat([gzipSync(pair), gzipSync(new Uint8Array(64 << 20))]));
  const before = process.memoryUsage().arrayBuffers;
  const text = `DataError: readIdx: ${path}: trailing bytes: its header announces 16 bytes in all, the gzip stream holds more`;
  expect(thrown(() => readIdx(path))).toBe(text);
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 << 20);
});

test("readIdx refuses a header that states more than the gzip stream can hold before unpacking", () => {
  const header = Uint8Array.from([0, 0, 8, 1, 255, 255, 255, 255]);
  const path = written("liar.gz", gzipSync(header));
  expect(thrown(() => readIdx(path))).toMatch(
    /: truncated: its header announces 4294967303 bytes, the gzip stream holds at most /,
  );
});

test("readIdx reads a gzip file of several members and refuses bytes after the last member", () => {
  const members = Buffer.concat([gzipSync(pair.subarray(0, 5)), gzipSync(pair.subarray(5))]);
  expect(readIdx(written("members.gz", members))).toEqual(parseIdx(pair, "pair"));
  for (const rest of [Uint8Array.of(0, 0, 0), Buffer.from("rest"), Uint8Array.of(0x1f, 0x8b, 8)]) {
    const path = written("rest.gz", Buffer.concat([members, rest]));
    expect(thrown(() => readIdx(path))).toMatch(
      new RegExp(`^DataError: readIdx: ${path}: (.* trailing bytes|the gzip stream is broken)`),
    );
  }
});

test.each<unknown>([null, undefined, "bytes", Number.NaN, [0, 0, 8, 0], new ArrayBuffer(9), new Uint16Array(4)])(
  "parseIdx and encodeIdx refuse %s in place of bytes",
  (bytes) => {
    expect(() => parseIdx(bytes as Uint8Array, "f")).toThrow(ValueError);
    expect(() => parseIdx(bytes as Uint8Array, "f")).toThrow(/^parseIdx: bytes must be a Uint8Array, got /);
    expect(() => encodeIdx([4], bytes as Uint8Array)).toThrow(/^encodeIdx: data must be a Uint8Array, got /);
  },
);
