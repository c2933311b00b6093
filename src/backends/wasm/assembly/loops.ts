// Loops over 1 to 4 arrays of n numbers: two numbers of each are widened to doubles, `T.of` computes two results, and these are rounded once.
// Work of more than PART numbers is shared by threads.
//
// T is a class, because the compiler makes a loop for each type and inlines its formula. A function as an argument would be called
// indirectly for every two numbers.

import { read, write } from "./pairs";
import { ARGUMENTS, cut, partsFor, run } from "./threads";

/** Numbers worth a part. */
const PART: i32 = 1 << 14;
const MOST_PARTS: i32 = 64;

/** Up to four arrays of n numbers, where the results go, and two numbers that all formulas share. */
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
/** Where the two numbers lie; `both(P)` reads the first as it reads a constant. */
export const P: usize = ARGUMENTS + offsetof<Arguments>("p");
export const Q: usize = ARGUMENTS + offsetof<Arguments>("q");

// @ts-ignore: decorator
@inline
function give(n: i32, a: usize, b: usize, c: usize, d: usize, y: usize, accumulate: bool): i32 {
  args.n = n;
  args.accumulate = accumulate;
  args.a = a;
  args.b = b;
  args.c = c;
  args.d = d;
  args.y = y;
  return partsFor(n, PART, MOST_PARTS);
}

/** The bytes before a part. */
// @ts-ignore: decorator
@inline
function before(part: i32, parts: i32): usize {
  return 4 * <usize>cut(args.n, part, parts, 16);
}

/** y (+)= T.of(a) */
export function map1<T>(n: i32, a: usize, y: usize, accumulate: bool = false): void {
  const parts = give(n, a, 0, 0, 0, y, accumulate);
  run((part: i32, parts: i32, _work: usize): void => {
    const end = before(part + 1, parts), a = args.a, y = args.y, add = args.accumulate;
    for (let at = before(part, parts); at < end; at += 8) {
      write(y + at, changetype<T>(0).of(read(a + at)), end - at, add);
    }
  }, parts, 0, 0);
}

/** y (+)= T.of(a, b); of a gradient, a is the input or the output of the function, whichever the formula takes, and b is dy. */
export function map2<T>(n: i32, a: usize, b: usize, y: usize, accumulate: bool = false): void {
  const parts = give(n, a, b, 0, 0, y, accumulate);
  run((part: i32, parts: i32, _work: usize): void => {
    const end = before(part + 1, parts), a = args.a, b = args.b, y = args.y, add = args.accumulate;
    for (let at = before(part, parts); at < end; at += 8) {
      write(y + at, changetype<T>(0).of(read(a + at), read(b + at)), end - at, add);
    }
  }, parts, 0, 0);
}

/** y (+)= T.of(a, b, c) */
export function map3<T>(n: i32, a: usize, b: usize, c: usize, y: usize, accumulate: bool = false): void {
  const parts = give(n, a, b, c, 0, y, accumulate);
  run((part: i32, parts: i32, _work: usize): void => {
    const end = before(part + 1, parts), a = args.a, b = args.b, c = args.c, y = args.y, add = args.accumulate;
    for (let at = before(part, parts); at < end; at += 8) {
      write(y + at, changetype<T>(0).of(read(a + at), read(b + at), read(c + at)), end - at, add);
    }
  }, parts, 0, 0);
}

/** y (+)= T.of(a, b, c, d) */
export function map4<T>(n: i32, a: usize, b: usize, c: usize, d: usize, y: usize, accumulate: bool): void {
  const parts = give(n, a, b, c, d, y, accumulate);
  run((part: i32, parts: i32, _work: usize): void => {
    const end = before(part + 1, parts), a = args.a, b = args.b, c = args.c, d = args.d, y = args.y, add = args.accumulate;
    for (let at = before(part, parts); at < end; at += 8) {
      write(y + at, changetype<T>(0).of(read(a + at), read(b + at), read(c + at), read(d + at)), end - at, add);
    }
  }, parts, 0, 0);
}
