// Loops over 1 to 4 arrays of n numbers; `T.of` is the formula. `map1` to `map4` widen two numbers of each array to
// doubles and round the two results once. The other loops pass four numbers. Work of more than PART numbers is shared
// by threads.
//
// T is a class, because the compiler makes a loop for each type and inlines its formula. A function as an argument
// would be called indirectly for every two numbers.

import { four1, four2, two2 } from "./exponentials";
import { read, write } from "./pairs";
import { ARGUMENTS, cut, partsFor, run } from "./threads";

/** Numbers worth a part. */
const PART: i32 = 1 << 14;
const MOST_PARTS: i32 = 64;

/**
 * Arrays a to d and the result y have n numbers each. p and q are the numbers of formulas that take some, such as
 * `clip`.
 */
@unmanaged
class Arguments {
  n: i32;
  accumulate: bool;
  a: usize;
  b: usize;
  c: usize;
  d: usize;
  y: usize;
  p: f64;
  q: f64;
}
export const args = changetype<Arguments>(ARGUMENTS);
/** The addresses of p and q: `both(P)` reads p as it reads a constant. */
export const P: usize = ARGUMENTS + offsetof<Arguments>("p");
export const Q: usize = ARGUMENTS + offsetof<Arguments>("q");

/** Writes the arguments of a job. Returns the number of its parts. */
// @ts-ignore: decorator
@inline
function prepare(n: i32, a: usize, b: usize, c: usize, d: usize, y: usize, accumulate: bool): i32 {
  args.n = n;
  args.accumulate = accumulate;
  args.a = a;
  args.b = b;
  args.c = c;
  args.d = d;
  args.y = y;
  return partsFor(n, PART, MOST_PARTS);
}

/** The offset of a part in each array, in bytes. */
// @ts-ignore: decorator
@inline
function before(part: i32, parts: i32): usize {
  return 4 * <usize>cut(args.n, part, parts, 16);
}

/** y (+)= T.of(a) */
export function map1<T>(n: i32, a: usize, y: usize, accumulate: bool = false): void {
  const parts = prepare(n, a, 0, 0, 0, y, accumulate);
  run((part: i32, parts: i32, _work: usize): void => {
    const end = before(part + 1, parts), a = args.a, y = args.y, add = args.accumulate;
    for (let at = before(part, parts); at < end; at += 8) {
      write(y + at, changetype<T>(0).of(read(a + at)), end - at, add);
    }
  }, parts, 0, 0);
}

/**
 * y (+)= T.of(a, b); of a gradient, a is the input or the output of the function, whichever the formula takes, and b is
 * dy.
 */
export function map2<T>(n: i32, a: usize, b: usize, y: usize, accumulate: bool = false): void {
  const parts = prepare(n, a, b, 0, 0, y, accumulate);
  run((part: i32, parts: i32, _work: usize): void => {
    const end = before(part + 1, parts), a = args.a, b = args.b, y = args.y, add = args.accumulate;
    for (let at = before(part, parts); at < end; at += 8) {
      write(y + at, changetype<T>(0).of(read(a + at), read(b + at)), end - at, add);
    }
  }, parts, 0, 0);
}

/** y (+)= T.of(a, b, c) */
export function map3<T>(n: i32, a: usize, b: usize, c: usize, y: usize, accumulate: bool = false): void {
  const parts = prepare(n, a, b, c, 0, y, accumulate);
  run((part: i32, parts: i32, _work: usize): void => {
    const end = before(part + 1, parts), a = args.a, b = args.b, c = args.c, y = args.y, add = args.accumulate;
    for (let at = before(part, parts); at < end; at += 8) {
      write(y + at, changetype<T>(0).of(read(a + at), read(b + at), read(c + at)), end - at, add);
    }
  }, parts, 0, 0);
}

/** y (+)= T.of(a, b, c, d) */
export function map4<T>(n: i32, a: usize, b: usize, c: usize, d: usize, y: usize, accumulate: bool): void {
  const parts = prepare(n, a, b, c, d, y, accumulate);
  run((part: i32, parts: i32, _work: usize): void => {
    const end = before(part + 1, parts), a = args.a, b = args.b, c = args.c, d = args.d, y = args.y, add = args.accumulate;
    for (let at = before(part, parts); at < end; at += 8) {
      write(y + at, changetype<T>(0).of(read(a + at), read(b + at), read(c + at), read(d + at)), end - at, add);
    }
  }, parts, 0, 0);
}

// Loops over vectors of four numbers take two vectors at a time, whose operations overlap. A rest of fewer numbers is
// computed into SPARE and copied; only the last part has a rest.
const SPARE: usize = memory.data(32, 16);
const EIGHT: usize = 32;

/** y = T.of(a), in float32. */
export function each1<T>(n: i32, a: usize, y: usize): void {
  run((part: i32, parts: i32, _work: usize): void => {
    const begin = before(part, parts), end = before(part + 1, parts), rest = end % EIGHT, whole = end - rest;
    loop1<T>(args.a + begin, args.y + begin, args.y + whole);
    if (rest == 0) return;
    loop1<T>(args.a + whole, SPARE, SPARE + EIGHT);
    memory.copy(args.y + whole, SPARE, rest);
  }, prepare(n, a, 0, 0, 0, y, false), 0, 0);
}

function loop1<T>(a: usize, y: usize, end: usize): void {
  for (; y < end; a += EIGHT, y += EIGHT) {
    const v = changetype<T>(0).of(v128.load(a)), w = changetype<T>(0).of(v128.load(a, 16));
    v128.store(y, v);
    v128.store(y, w, 16);
  }
}

/** y (+)= T.of(a, b), in float32. */
export function each2<T>(n: i32, a: usize, b: usize, y: usize, accumulate: bool = false): void {
  run((part: i32, parts: i32, _work: usize): void => {
    const begin = before(part, parts), end = before(part + 1, parts), rest = end % EIGHT, whole = end - rest;
    loop2<T>(args.a + begin, args.b + begin, args.y + begin, args.y + whole, args.accumulate);
    if (rest == 0) return;
    if (args.accumulate) memory.copy(SPARE, args.y + whole, rest);
    loop2<T>(args.a + whole, args.b + whole, SPARE, SPARE + EIGHT, args.accumulate);
    memory.copy(args.y + whole, SPARE, rest);
  }, prepare(n, a, b, 0, 0, y, accumulate), 0, 0);
}

function loop2<T>(a: usize, b: usize, y: usize, end: usize, accumulate: bool): void {
  for (; y < end; a += EIGHT, b += EIGHT, y += EIGHT) {
    let v = changetype<T>(0).of(v128.load(a), v128.load(b)), w = changetype<T>(0).of(v128.load(a, 16), v128.load(b, 16));
    if (accumulate) {
      v = f32x4.add(v128.load(y), v);
      w = f32x4.add(v128.load(y, 16), w);
    }
    v128.store(y, v);
    v128.store(y, w, 16);
  }
}

/** y = T of a and its exponentials: see exponentials.ts. */
export function exp1<T>(n: i32, a: usize, y: usize): void {
  each1<Exponential1<T>>(n, a, y);
}
class Exponential1<T> {
  @inline of(x: v128): v128 { return four1<T>(x); }
}

/** y (+)= T of a, its exponentials and b. */
export function exp2<T>(n: i32, a: usize, b: usize, y: usize, accumulate: bool): void {
  if (!accumulate) return each2<Exponential2<T>>(n, a, b, y);
  run((part: i32, parts: i32, _work: usize): void => {
    const end = before(part + 1, parts), a = args.a, b = args.b, y = args.y;
    for (let at = before(part, parts); at < end; at += 8) {
      write(y + at, two2<T>(v128.load64_zero(a + at), read(b + at)), end - at, true);
    }
  }, prepare(n, a, b, 0, 0, y, true), 0, 0);
}
class Exponential2<T> {
  @inline of(a: v128, b: v128): v128 { return four2<T>(a, b); }
}
