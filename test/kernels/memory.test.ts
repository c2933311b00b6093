import fc from "fast-check";
import { expect, test } from "vitest";
import { POISON } from "../../src/kernels/arena.ts";
import {
  alloc,
  allocLasting,
  inArena,
  lasting,
  lifetimeNow,
  MemoryError,
  memory,
  type Numbers,
  poisonArena,
  release,
  resetPeak,
} from "../../src/kernels/index.ts";
import { provideSlabs } from "../../src/kernels/memory.ts";
import "../fixed-seed.ts";

const range = (x: Numbers): [number, number] => [x.byteOffset, x.byteOffset + x.byteLength];

test("arrays of one step do not overlap and start on cache lines", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 1000 }), { maxLength: 30 }),
      fc.array(fc.integer({ min: 0, max: 400_000 }), { maxLength: 3 }),
      (few, many) => {
        inArena(() => {
          const arrays = [...few, ...many, ...few].map((length) => alloc(length));
          expect(arrays.map((x) => x.length)).toEqual([...few, ...many, ...few]);
          for (const [i, x] of arrays.entries()) x.fill(i);
          for (const [i, x] of arrays.entries()) expect(x.length === 0 || (x[0] === i && x.at(-1) === i)).toBe(true);
          for (const buffer of new Set(arrays.map((x) => x.buffer))) {
            const parts = arrays.filter((x) => x.buffer === buffer && x.length > 0).map(range);
            parts.sort(([a], [b]) => a - b);
            for (const [i, [begin]] of parts.entries()) {
              expect(begin % 64).toBe(0);
              if (i > 0) expect(begin).toBeGreaterThanOrEqual(parts[i - 1]![1]);
            }
          }
        });
      },
    ),
  );
});

test("steps that request the same memory allocate nothing after the warm-up", () => {
  const work = (): void =>
    inArena(() => {
      for (const length of [300_000, 10, 280_000, 5_000, 0, 1]) alloc(length).fill(1);
    });
  for (let i = 0; i < 4; i++) work();
  const before = memory();
  for (let i = 0; i < 20; i++) work();
  expect(memory()).toEqual(before);
  expect(before.inUse).toBeLessThanOrEqual(before.arenas);
  expect(before.inUse).toBeGreaterThanOrEqual(4 * 585_011);
  expect(before.inUse).toBeLessThan(2 * 4 * 585_011);
});

test("a step larger than all previous steps allocates one slab, which stays allocated", () => {
  const work = (length: number): void => inArena(() => void alloc(length));
  for (let i = 0; i < 4; i++) work(1000);
  const { arenas } = memory();
  for (let i = 0; i < 4; i++) work(2_000_000);
  const grown = memory();
  expect(grown.arenas).toBeGreaterThan(arenas);
  for (let i = 0; i < 4; i++) work(1000);
  expect(memory().arenas).toBe(grown.arenas);
});

test("alloc outside steps and allocLasting return ordinary arrays of zeros", () => {
  const { ordinary } = memory();
  const [a, b] = [alloc(10), inArena(() => allocLasting(10))];
  expect([a, b]).toEqual([new Float32Array(10), new Float32Array(10)]);
  expect(a.buffer.byteLength).toBe(40);
  expect(memory().ordinary).toBe(ordinary + 80);
  expect(lifetimeNow()).toBe(lasting());
});

test("a lifetime ends when the next step begins", () => {
  const first = inArena(lifetimeNow);
  expect(first.ended).toBeNull();
  inArena(() => {
    expect(first.ended).toMatch(/^its step is over and its memory belongs to a later one; keep/);
    expect(lifetimeNow().ended).toBeNull();
  });
});

const counts = fc.array(fc.tuple(fc.integer({ min: 1, max: 200_000 }), fc.nat()), { minLength: 1, maxLength: 40 });

/**
 * Runs a step that allocates arrays and releases some of them. Checks that live arrays keep their numbers. Returns the
 * addresses.
 */
function churn(requests: readonly (readonly [length: number, choice: number])[]): number[] {
  return inArena(() => {
    const live: Numbers[] = [];
    const addresses: number[] = [];
    for (const [i, [length, choice]] of requests.entries()) {
      const made = alloc(length).fill(i);
      addresses.push(made.byteOffset);
      live.push(made);
      if (choice % 2 === 1) release(live.splice(choice % live.length, 1)[0]!);
      for (const x of live) expect(x[0] === x.at(-1) && x[0] === x[x.length >> 1]).toBe(true);
    }
    return addresses;
  });
}

test("live arrays keep their numbers while other arrays are released, and equal steps get equal addresses", () => {
  fc.assert(
    fc.property(counts, (requests) => {
      churn(requests);
      const { arenas } = memory();
      const second = churn(requests); // the first step may have taken a slab, which changes the layout once
      expect(churn(requests)).toEqual(second);
      expect(memory().arenas).toBe(arenas);
    }),
    { numRuns: 50 },
  );
});

test("a step that releases each array before the next allocation holds one array", () => {
  inArena(() => undefined);
  resetPeak();
  inArena(() => {
    for (let i = 0; i < 20; i++) release(alloc(1_000_000));
    expect(memory().inUse).toBe(0);
  });
  expect(memory().peak).toBe(4_000_000);
});

test("release frees only a whole result of alloc, once, and only in its step", () => {
  const old = inArena(() => alloc(10_000));
  inArena(() => {
    const x = alloc(10_000);
    const { inUse } = memory();
    for (const other of [x.subarray(0, 10_000), x.subarray(5000), new Float32Array(10_000), old, alloc(10)]) release(other);
    expect(memory().inUse).toBeGreaterThanOrEqual(inUse);
    release(x);
    const rest = memory().inUse;
    release(x);
    expect(memory().inUse).toBe(rest);
    expect(rest).toBeLessThan(inUse + 300_000);
  });
});

test("adjacent free blocks merge, so that one large array fits in place of several small arrays", () => {
  inArena(() => {
    const small = Array.from({ length: 8 }, () => alloc(10_000));
    const behind = alloc(10_000);
    for (const i of [1, 3, 0, 2, 7, 5, 6, 4]) release(small[i]!);
    const large = alloc(80_000);
    expect(large.byteOffset).toBeLessThan(behind.byteOffset);
  });
});

test("poison fills memory with NaN before its first use and after its last", () => {
  poisonArena(true);
  try {
    const bits = (x: Numbers): number[] => [...new Set(new Uint32Array(x.buffer, x.byteOffset, x.length))];
    const last = inArena(() => {
      const x = alloc(5000);
      expect(bits(x)).toEqual([POISON]);
      x.fill(1);
      release(x);
      expect(bits(x)).toEqual([POISON]);
      return [alloc(5000).fill(2), alloc(3).fill(2)];
    });
    inArena(() => undefined);
    for (const x of last) expect(bits(x)).toEqual([POISON]);
  } finally {
    poisonArena(false);
  }
});

test("a step inside a step shares the lifetime of the outer step", () => {
  inArena(() => {
    const outer = lifetimeNow();
    const a = alloc(4).fill(1);
    inArena(() => {
      expect(lifetimeNow()).toBe(outer);
      alloc(4).fill(2);
    });
    inArena(() => inArena(() => alloc(4).fill(3)));
    expect(lifetimeNow()).toBe(outer);
    expect(a).toEqual(Float32Array.of(1, 1, 1, 1));
  });
});

test("an exception inside a step ends the step", () => {
  const fail = (): never => {
    throw new Error("stop");
  };
  expect(() => inArena(fail)).toThrow("stop");
  expect(lifetimeNow()).toBe(lasting());
  expect(() => inArena(() => inArena(fail))).toThrow("stop");
  expect(lifetimeNow()).toBe(lasting());
  expect(inArena(() => alloc(3).fill(7).length)).toBe(3);
});

test("steps of changing sizes hold at most four times the memory of the largest step", () => {
  const before = memory().arenas;
  const sizes = Array.from({ length: 120 }, (_, i) => 3_000_000 + ((i * 7919) % 120) * 40_000);
  for (const size of sizes) inArena(() => [size, size / 3, 1000, size / 2].map((n) => alloc(Math.floor(n))));
  const largest = 4 * Math.max(...sizes) * (1 + 1 / 3 + 1 / 2);
  expect(memory().arenas - before).toBeLessThanOrEqual(4 * largest + 2 ** 22);
});

test("after a step fails for lack of memory, a step that fits works", () => {
  const limit = 1 << 26; // numbers
  const counts = fc.array(fc.integer({ min: 1, max: 1 << 25 }), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(
      fc.array(counts, { maxLength: 12 }),
      fc.array(fc.integer({ min: 1, max: 1 << 21 }), { maxLength: 6 }),
      (steps, fitting) => {
        let held = 0;
        const slab = (length: number): Numbers =>
          Object.create(Float32Array.prototype, { length: { value: length }, subarray: { value: () => slab(0) } });
        provideSlabs({
          take: (length) => {
            if (held + length > limit) throw new MemoryError("take", `${length} do not fit`);
            held += length;
            return slab(length);
          },
          give: ({ length }) => {
            held -= length;
          },
        });
        const work = (lengths: readonly number[]): void => inArena(() => lengths.forEach(alloc));
        try {
          for (const lengths of steps) {
            let failed = false;
            try {
              work(lengths);
            } catch (error) {
              expect(error).toBeInstanceOf(MemoryError);
              failed = true;
            }
            expect(held).toBeLessThanOrEqual(limit);
            if (failed) for (let i = 0; i < 3; i++) work(fitting);
          }
        } finally {
          provideSlabs({ take: (length) => new Float32Array(length), give: () => undefined });
        }
      },
    ),
  );
});
