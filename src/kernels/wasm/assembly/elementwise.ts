// Each loop beside its gradient, as in activations.ts and pairwise.ts; n numbers. Four at a time, the rest one by one.

export function relu(n: i32, x: usize, y: usize): void {
  const zero = f32x4.splat(0);
  let i = 0;
  for (; i + 4 <= n; i += 4, x += 16, y += 16) {
    const v = v128.load(x);
    v128.store(y, v128.andnot(v, f32x4.lt(v, zero))); // v < 0 is false for NaN: it stays
  }
  for (; i < n; i++, x += 4, y += 4) {
    const v = load<f32>(x);
    store<f32>(y, v < 0 ? 0 : v);
  }
}

export function reluGrad(n: i32, x: usize, dy: usize, dx: usize, accumulate: bool): void {
  const zero = f32x4.splat(0);
  let i = 0;
  for (; i + 4 <= n; i += 4, x += 16, dy += 16, dx += 16) {
    const d = v128.and(v128.load(dy), f32x4.gt(v128.load(x), zero));
    v128.store(dx, accumulate ? f32x4.add(v128.load(dx), d) : d);
  }
  for (; i < n; i++, x += 4, dy += 4, dx += 4) {
    const d: f32 = load<f32>(x) > 0 ? load<f32>(dy) : 0;
    store<f32>(dx, accumulate ? load<f32>(dx) + d : d);
  }
}

export function add(n: i32, a: usize, b: usize, y: usize): void {
  let i = 0;
  for (; i + 4 <= n; i += 4, a += 16, b += 16, y += 16) v128.store(y, f32x4.add(v128.load(a), v128.load(b)));
  for (; i < n; i++, a += 4, b += 4, y += 4) store<f32>(y, load<f32>(a) + load<f32>(b));
}

export function mul(n: i32, a: usize, b: usize, y: usize, accumulate: bool): void {
  let i = 0;
  for (; i + 4 <= n; i += 4, a += 16, b += 16, y += 16) {
    const d = f32x4.mul(v128.load(a), v128.load(b));
    v128.store(y, accumulate ? f32x4.add(v128.load(y), d) : d);
  }
  for (; i < n; i++, a += 4, b += 4, y += 4) {
    const d = load<f32>(a) * load<f32>(b);
    store<f32>(y, accumulate ? load<f32>(y) + d : d);
  }
}

/** dx [outer, n, inner] (+)= scale·dy [outer, inner]. */
export function sumGrad(outer: i32, n: i32, inner: i32, dy: usize, dx: usize, scale: f32, accumulate: bool): void {
  const scales = f32x4.splat(scale);
  for (let o = 0; o < outer; o++, dy += 4 * <usize>inner) {
    for (let i = 0; i < n; i++) {
      let j = 0;
      for (; j + 4 <= inner; j += 4, dx += 16) {
        const d = f32x4.mul(scales, v128.load(dy + 4 * <usize>j));
        v128.store(dx, accumulate ? f32x4.add(v128.load(dx), d) : d);
      }
      for (; j < inner; j++, dx += 4) {
        const d = scale * load<f32>(dy + 4 * <usize>j);
        store<f32>(dx, accumulate ? load<f32>(dx) + d : d);
      }
    }
  }
}

/** y [inner] (+)= scale·Σₙ x [n, inner], in double precision; `totals` has room for inner doubles. */
export function sumColumns(n: i32, inner: i32, x: usize, y: usize, scale: f64, accumulate: bool, totals: usize): void {
  memory.fill(totals, 0, 8 * <usize>inner);
  for (let i = 0; i < n; i++) {
    let j = 0;
    for (; j + 4 <= inner; j += 4, x += 16) {
      const v = v128.load(x);
      const to = totals + 8 * <usize>j;
      v128.store(to, f64x2.add(v128.load(to), f64x2.promote_low_f32x4(v)));
      v128.store(to, f64x2.add(v128.load(to, 16), f64x2.promote_low_f32x4(v128.shuffle<f32>(v, v, 2, 3, 2, 3))), 16);
    }
    for (; j < inner; j++, x += 4) {
      const to = totals + 8 * <usize>j;
      store<f64>(to, load<f64>(to) + <f64>load<f32>(x));
    }
  }
  for (let j = 0; j < inner; j++) {
    const to = y + 4 * <usize>j;
    const d = load<f64>(totals + 8 * <usize>j) * scale;
    store<f32>(to, <f32>(accumulate ? <f64>load<f32>(to) + d : d));
  }
}
