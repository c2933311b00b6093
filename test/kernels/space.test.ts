import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ADDRESSES, createSpace, type Growable, type Space } from "../../src/backends/wasm/space.ts";
import { MemoryError } from "../../src/kernels/index.ts";
import "../fixed-seed.ts";

const PAGE = 65536;

/** A model of WebAssembly's memory that refuses to be larger than `most` bytes. Nothing is allocated. */
function model(most: number = ADDRESSES): Growable {
  let length = PAGE;
  return {
    byteLength: () => length,
    growTo: (bytes) => {
      if (!Number.isSafeInteger(bytes) || bytes > most) throw new RangeError("refused");
      length = Math.max(length, Math.ceil(bytes / PAGE) * PAGE);
    },
  };
}

/** Sizes around everything that could wrap: small, odd, about 2³¹ and 2³², products of large counts. */
const sizes = fc.oneof(
  fc.integer({ min: 0, max: 1000 }),
  fc.integer({ min: 0, max: 2 ** 31 - 1 }),
  fc.tuple(fc.constantFrom(2 ** 30, 2 ** 31, 2 ** 32, 2 ** 33), fc.integer({ min: -70, max: 70 })).map(([a, b]) => a + b),
  fc.tuple(fc.integer({ min: 1, max: 2 ** 31 }), fc.integer({ min: 1, max: 2 ** 22 })).map(([a, b]) => a * b),
  fc.constantFrom(2 ** 52, 1e300, Number.POSITIVE_INFINITY, Number.NaN),
);
type Call = { readonly bytes: number; readonly giveBack: boolean };
const calls: fc.Arbitrary<Call[]> = fc.array(fc.record({ bytes: sizes, giveBack: fc.boolean() }), { maxLength: 40 });

/** The address, or null for a MemoryError. */
function taken(space: Space, bytes: number): number | null {
  try {
    return space.take(bytes, "test", "memory");
  } catch (error) {
    expect(error).toBeInstanceOf(MemoryError);
    return null;
  }
}

describe("a space of 4 GiB", () => {
  test("returns regions that do not overlap and lie within the memory, or throws a MemoryError", () => {
    fc.assert(
      fc.property(calls, (wanted) => {
        const memory = model();
        const space = createSpace(memory, PAGE);
        const regions: { begin: number; end: number }[] = [];
        for (const { bytes, giveBack } of wanted) {
          const begin = taken(space, bytes);
          if (begin === null) {
            const held = regions.reduce((sum, region) => sum + region.end - region.begin + 64, 0);
            expect(2 * held + bytes < ADDRESSES / 64).toBe(false); // small requests are met
            continue;
          }
          const end = begin + bytes;
          expect(begin % 64).toBe(0);
          expect(begin).toBeGreaterThanOrEqual(PAGE);
          expect(end + 64).toBeLessThanOrEqual(Math.min(ADDRESSES, memory.byteLength()));
          for (const other of regions) expect(end <= other.begin || begin >= other.end).toBe(true);
          if (giveBack) space.give(begin);
          else regions.push({ begin, end: Math.max(end, begin + 1) });
        }
      }),
    );
  });

  test("fits one region of nearly 4 GiB after all regions are freed, even after failures", () => {
    fc.assert(
      fc.property(calls, fc.integer({ min: 2 ** 20, max: 2 ** 32 }), (wanted, most) => {
        const space = createSpace(model(most), PAGE);
        const begins = wanted.map(({ bytes }) => taken(space, bytes)).filter((begin) => begin !== null);
        for (const begin of begins) space.give(begin);
        expect(space.used()).toBe(0);
        const rest = Math.floor(most / PAGE) * PAGE - PAGE - 64;
        expect(taken(space, rest)).toBe(PAGE);
      }),
    );
  });

  test("reports requested and free bytes and the remedy for a request beyond 4 GiB", () => {
    const space = createSpace(model(), PAGE);
    space.take(3e9, "conv2d", "work memory");
    expect(() => space.take(2e9, "conv2d", "work memory")).toThrow(
      "conv2d: work memory takes 2000 MB, and 1295 MB of WebAssembly's 4 GiB are left; a smaller batch may help, and HASHGRAD_BACKEND=plain has no such limit",
    );
  });

  test("reports a request that the machine refuses", () => {
    expect(() => createSpace(model(2e8), PAGE).take(3e8, "alloc", "memory for arrays")).toThrow(
      "alloc: memory for arrays takes 300 MB, which this machine does not give",
    );
  });
});
