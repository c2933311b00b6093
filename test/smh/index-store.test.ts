import fc from "fast-check";
import { basicStore, cyclicStore, type IndexStore, paddingStore, type Range } from "hashgrad/smh";
import { expect, test } from "vitest";
import "../fixed-seed.ts";

const indices = (ranges: readonly Range[]): number[] =>
  ranges.flatMap(({ begin, length }) => Array.from({ length }, (_, i) => (begin < 0 ? -1 : begin + i)));
const requests = fc.array(fc.nat({ max: 25 }), { maxLength: 12 });
const size = fc.integer({ min: 1, max: 20 });

test("a basic store assigns each element once in order, and a refused request takes nothing", () => {
  fc.assert(
    fc.property(size, requests, (n, lengths) => {
      const store = basicStore(n);
      const taken: number[] = [];
      for (const length of lengths) {
        const before = store.current;
        if (before + length > n) {
          expect(() => store.allocate(length)).toThrow(`pool is full: ${length} weights asked, ${n - before} of ${n} left`);
          expect(() => store.check(length)).toThrow("pool is full");
        } else taken.push(...indices(store.allocate(length)));
        expect(store.current).toBe(taken.length);
      }
      expect(taken).toEqual(taken.map((_, i) => i));
    }),
  );
});

test("a cyclic store starts again at the beginning after its end", () => {
  fc.assert(
    fc.property(size, requests, (n, lengths) => {
      const store = cyclicStore(n);
      const taken = lengths.flatMap((length) => indices(store.allocate(length)));
      expect(taken).toEqual(taken.map((_, i) => i % n));
      expect(store.current).toBe(taken.length % n);
    }),
  );
});

test("a padding store returns constants past the end", () => {
  fc.assert(
    fc.property(size, requests, (n, lengths) => {
      const store = paddingStore(n);
      const taken = lengths.flatMap((length) => indices(store.allocate(length)));
      expect(taken).toEqual(taken.map((_, i) => (i < n ? i : -1)));
      expect(store.current).toBe(Math.min(n, taken.length));
    }),
  );
});

test.each<[string, (size: number) => IndexStore]>([
  ["basic", basicStore],
  ["cyclic", cyclicStore],
  ["padding", paddingStore],
])("a %s store allows an empty request and refuses invalid lengths", (_, make) => {
  expect(make(3).allocate(0)).toEqual([]);
  for (const bad of [-1, 1.5, Number.NaN]) {
    expect(() => make(3).allocate(bad)).toThrow(`allocate: a length must be a whole number of at least 0, got ${bad}`);
  }
});
