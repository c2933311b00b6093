// Four float32 numbers, or fewer at the end of a row.

/** The float32 constant at an address, four times. */
// @ts-ignore: decorator
@inline
export function four(constant: usize): v128 {
  return v128.load32_splat(constant);
}

/** The four numbers at p, of which `left` exist: others are 0. */
// @ts-ignore: decorator
@inline
export function read(p: usize, left: i32): v128 {
  return left >= 4 ? v128.load(p) : readFew(p, left);
}
function readFew(p: usize, left: i32): v128 {
  if (left == 1) return v128.load32_zero(p);
  const pair = v128.load64_zero(p);
  return left == 2 ? pair : v128.load32_lane(p + 8, pair, 2);
}

/** p = v, of which `left` numbers exist. */
// @ts-ignore: decorator
@inline
export function write(p: usize, v: v128, left: i32): void {
  if (left >= 4) v128.store(p, v);
  else writeFew(p, v, left);
}
function writeFew(p: usize, v: v128, left: i32): void {
  if (left == 1) return v128.store32_lane(p, v, 0);
  v128.store64_lane(p, v, 0);
  if (left == 3) v128.store32_lane(p + 8, v, 2);
}
