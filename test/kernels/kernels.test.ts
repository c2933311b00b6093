import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Gemm, type Kernels, type Numbers, reference, signatures } from "../../src/kernels/index.ts";
import "../fixed-seed.ts";
import { boundOf } from "./bounds.ts";
import { argumentsOf, type Draw, drawOf } from "./cases.ts";
import { isNear, type Table, tables } from "./exact.ts";

type Name = keyof Kernels;
type Arrays = Numbers | Int32Array | Float64Array;
type Call = (...args: readonly unknown[]) => unknown;
type Operand = { readonly role: string; readonly array: Arrays };

const isArray = (x: unknown): x is Arrays => ArrayBuffer.isView(x);

/** The arrays among the arguments, with their roles. */
function operandsOf(name: Name, args: readonly unknown[]): readonly Operand[] {
  const roles: readonly string[] = signatures[name];
  if (roles[0] !== "product") return args.flatMap((array, i) => (isArray(array) ? [{ role: roles[i]!, array }] : []));
  const { a, b, c, bias } = args[0] as Gemm;
  const read = [a, b, ...(bias ? [bias] : [])].map((array) => ({ role: "in", array }));
  return [...read, { role: "into", array: c }];
}

// Special numbers: infinities, NaN and zeros; numbers near the smallest; numbers near the largest.
const zeros = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, -0];
const smallest = [1e-42, -1e-45, 1e-30];
const largest = [3e38, -3e38];

/** `draw`, with some of its numbers replaced by specials and some others multiplied by 40. */
function withSpecials(draw: Draw, specials: readonly number[]): Draw {
  const mixed = (x: Numbers): Numbers =>
    x.map((v, i) => (i % 11 === 3 ? specials[(i + x.length) % specials.length]! : i % 13 === 5 ? 40 * v : v));
  return {
    some: (length) => mixed(draw.some(length)),
    positive: (length) => mixed(draw.positive(length)),
    flags: (length) => mixed(draw.flags(length)),
    below: draw.below,
  };
}

/**
 * Calls a kernel. Returns its outputs, and the returned number, if any. Throws if the kernel changes an input. `place`
 * copies an array to the memory under test. `dirty`: outputs that the kernel must not read are NaN before the call.
 */
function outcome(kernel: Call, name: Name, args: readonly unknown[], place: Table["place"], dirty: boolean): readonly Arrays[] {
  const roles: readonly string[] = signatures[name];
  const accumulate = args[roles.indexOf("accumulate")] ?? (args[0] as Partial<Gemm>).accumulate;
  for (const { role, array } of operandsOf(name, args))
    if (dirty && (role === "out" || (role === "into" && accumulate !== true))) array.fill(Number.NaN);
  const before = operandsOf(name, args).map(({ array }) => array.slice());
  const placed = (x: unknown): unknown => (x instanceof Float32Array ? place(x) : x);
  const all = args.map((x, i) =>
    roles[i] === "product"
      ? Object.fromEntries(Object.entries(x as Gemm).map(([key, value]) => [key, placed(value)]))
      : placed(x),
  );
  const returned = kernel(...all);
  const after = operandsOf(name, all);
  const isRead = (role: string): boolean => role === "in" || role === "-";
  for (const [i, { role, array }] of after.entries())
    if (isRead(role)) expect(firstFar(array, before[i]!, 0), `${name} changed its input ${i}`).toBe("");
  const outputs = after.filter(({ role }) => !isRead(role)).map(({ array }) => array.slice());
  return typeof returned === "number" ? [...outputs, Float32Array.of(returned)] : outputs;
}

/**
 * Describes the first element that differs by more than one ulp and `share` times the largest number; if `share` is 0,
 * the first that differs at all. Returns "" if there is none.
 */
function firstFar(got: Arrays, want: Arrays, share: number): string {
  let top = 1;
  for (const v of want) if (Number.isFinite(v)) top = Math.max(top, Math.abs(v));
  const i = want.findIndex((v, j) => !Object.is(v, got[j]) && !isNear(got[j]!, v, share === 0 ? 0 : 1, share * top));
  return i < 0 ? "" : `${i} of ${want.length}: ${got[i]}, want ${want[i]}`;
}

/**
 * Describes the first element for which total ≠ start + alone: `start` was in the output, and `alone` is the result
 * without accumulation. If `share` is 0 and alone is a multiple of 1/64, the sum must be exact. Returns "" if there is
 * none.
 */
function firstWrongTotal(total: Arrays, start: Arrays, alone: Arrays, share: number): string {
  const i = total.findIndex((v, j) => {
    const [a, b] = [start[j]!, alone[j]!];
    const slack = share === 0 && Number.isInteger(64 * b) ? 0 : (2 ** -22 + share) * (Math.abs(a) + Math.abs(b));
    return Math.abs(v - Math.fround(a + b)) > slack;
  });
  return i < 0 ? "" : `${i} of ${total.length}: ${total[i]}, want ${start[i]} + ${alone[i]}`;
}

/** A copy of the arguments, with copied arrays. */
const copied = (args: readonly unknown[]): readonly unknown[] =>
  args.map((x, i) => {
    if (isArray(x)) return x.slice();
    return i === 0 && args.length === 1 ? Object.fromEntries(copiedEntries(x as Gemm)) : x;
  });
const copiedEntries = (g: Gemm) => Object.entries(g).map(([key, x]) => [key, isArray(x) ? x.slice() : x]);

const isProduct = (name: Name): boolean => /gemm|conv2d/i.test(name);

/**
 * One test case. size: rows and columns. seed: of the drawn numbers. whole: draw integers. odd: put special numbers
 * among them. accumulate: the kernel adds to its output.
 */
type Run = readonly [size: readonly [number, number], seed: number, whole: boolean, odd: boolean, accumulate: boolean];

/**
 * Checks one case of a fast kernel:
 * - Inputs stay unchanged.
 * - Outputs agree with those of the plain kernel within the bound.
 * - Three threads give the same bits as one.
 * - Accumulation adds to the output.
 */
function check(name: Name, { fast, place, setThreads }: Table, [[rows, columns], seed, whole, odd, accumulate]: Run): void {
  const bound = boundOf(name);
  const share = whole ? bound.whole : bound.reals;
  const [roles, slow, quick]: [readonly string[], Call, Call] = [signatures[name], reference[name] as Call, fast[name] as Call];
  const draw = (): readonly unknown[] => {
    const numbers = drawOf(seed, whole);
    const specials = whole ? zeros : [...zeros, ...smallest, ...(bound.reals === 0 ? largest : [])];
    const mixed = odd && !isProduct(name); // products transform their inputs, which spreads infinities
    const args = argumentsOf(name, mixed ? withSpecials(numbers, specials) : numbers, rows, columns, accumulate);
    // Turns −0 into 0.
    for (const { role, array } of operandsOf(name, args)) if (role === "into") array.set(array.map((v) => v + 0));
    return args;
  };
  const drawn = draw();
  const args = roles.includes("function") ? draw : () => copied(drawn);

  const want = outcome(slow, name, args(), (x) => x, false);
  const got = outcome(quick, name, args(), place, true);
  for (const [i, one] of want.entries()) expect(firstFar(got[i]!, one, share), `output ${i}`).toBe("");
  if (setThreads !== undefined) {
    setThreads(3);
    const shared = outcome(quick, name, args(), place, true);
    setThreads(1);
    for (const [i, one] of got.entries()) expect(firstFar(shared[i]!, one, 0), `output ${i} by three threads`).toBe("");
  }
  const start = operandsOf(name, drawn).find(({ role }) => role === "into")?.array;
  if (start === undefined || !accumulate || !whole || odd) return;
  const asked = args().map((x, i) => {
    if (roles[i] === "product") return { ...(x as Gemm), accumulate: false };
    return roles[i] === "accumulate" ? false : x;
  });
  const [alone] = outcome(quick, name, asked, place, true);
  expect(firstWrongTotal(got[0]!, start, alone!, share)).toBe("");
}

const few = fc.integer({ min: 1, max: 12 });
const sizes = fc.oneof(
  fc.tuple(few, few),
  fc.tuple(fc.integer({ min: 12, max: 40 }), fc.integer({ min: 1, max: 24 })), // about 256 numbers
  fc.tuple(few, fc.integer({ min: 13, max: 80 })),
);
/** A case large enough that kernels cut it into several parts. */
const large: [Run][] = [[[[1008, 49], 1, false, false, true]]];
const runs = fc.tuple(sizes, fc.integer(), fc.boolean(), fc.boolean(), fc.boolean());

const plain: Table = { fast: reference, place: (x) => x, roundings: (k) => k };
const tested: readonly (readonly [string, Table])[] = [["plain", plain], ...tables];
describe.each(tested)("%s", (_, table) => {
  test.each(Object.keys(table.fast) as Name[])(
    "%s keeps its inputs, fills or adds to its outputs, and matches the plain kernel",
    (name) => {
      fc.assert(
        fc.property(runs, (run) => check(name, table, run)),
        { numRuns: 25, examples: large },
      );
    },
  );
});
