// Max pooling over images [batch, height, width, channels]; `sizes` points at 14 numbers (i32) in the order of `Windows`.

/** y = the largest number under each window; padding never wins, NaN does. */
export function maxPool(sizes: usize, x: usize, y: usize): void {
  walk(sizes, x, y, 0, 0, false);
}

/** dx += dy at the first tap that holds the window's maximum. */
export function maxPoolGrad(sizes: usize, x: usize, y: usize, dy: usize, dx: usize): void {
  walk(sizes, x, y, dy, dx, true);
}

function walk(sizes: usize, x: usize, y: usize, dy: usize, dx: usize, back: bool): void {
  const batch = load<i32>(sizes);
  const height = load<i32>(sizes, 4);
  const width = load<i32>(sizes, 8);
  const channels = load<i32>(sizes, 12);
  const outHeight = load<i32>(sizes, 16);
  const outWidth = load<i32>(sizes, 20);
  const kernelHeight = load<i32>(sizes, 24);
  const kernelWidth = load<i32>(sizes, 28);
  const strideY = load<i32>(sizes, 32);
  const strideX = load<i32>(sizes, 36);
  const dilationY = load<i32>(sizes, 40);
  const dilationX = load<i32>(sizes, 44);
  const padTop = load<i32>(sizes, 48);
  const padLeft = load<i32>(sizes, 52);
  const pixel: usize = 4 * <usize>channels;
  for (let b = 0; b < batch; b++) {
    const image = <usize>(b * height * width) * pixel;
    for (let oy = 0; oy < outHeight; oy++) {
      // Rows of the window that are inside the image.
      let top = oy * strideY - padTop;
      let ky0 = 0;
      while (top + ky0 * dilationY < 0) ky0++;
      let ky1 = kernelHeight;
      while (ky1 > ky0 && top + (ky1 - 1) * dilationY >= height) ky1--;
      for (let ox = 0; ox < outWidth; ox++, y += pixel, dy += pixel) {
        const left = ox * strideX - padLeft;
        let kx0 = 0;
        while (left + kx0 * dilationX < 0) kx0++;
        let kx1 = kernelWidth;
        while (kx1 > kx0 && left + (kx1 - 1) * dilationX >= width) kx1--;
        let c = 0;
        for (; c + 4 <= channels; c += 4) {
          const at: usize = 4 * <usize>c;
          let best = f32x4.splat(-Infinity);
          let top4 = back ? v128.load(y + at) : best;
          let free = i32x4.splat(-1);
          for (let ky = ky0; ky < ky1; ky++) {
            let from = image + <usize>((top + ky * dilationY) * width + left + kx0 * dilationX) * pixel + at;
            for (let kx = kx0; kx < kx1; kx++, from += <usize>dilationX * pixel) {
              const v = v128.load(x + from);
              if (back) {
                // Equal, or both NaN; taken by nobody yet.
                const same = v128.or(f32x4.eq(v, top4), v128.and(f32x4.ne(v, v), f32x4.ne(top4, top4)));
                const hit = v128.and(same, free);
                free = v128.andnot(free, same);
                v128.store(dx + from, f32x4.add(v128.load(dx + from), v128.and(hit, v128.load(dy + at))));
              } else {
                const wins = v128.or(f32x4.gt(v, best), f32x4.ne(v, v));
                best = v128.bitselect(v, best, wins); // nothing is larger than a NaN that is there already
              }
            }
          }
          if (!back) v128.store(y + at, best);
        }
        for (; c < channels; c++) {
          const at: usize = 4 * <usize>c;
          let best: f32 = -Infinity;
          let open = true;
          const top1: f32 = back ? load<f32>(y + at) : 0;
          for (let ky = ky0; ky < ky1; ky++) {
            let from = image + <usize>((top + ky * dilationY) * width + left + kx0 * dilationX) * pixel + at;
            for (let kx = kx0; kx < kx1; kx++, from += <usize>dilationX * pixel) {
              const v = load<f32>(x + from);
              if (!back) {
                if (v > best || v != v) best = v;
              } else if (open && (v == top1 || (v != v && top1 != top1))) {
                open = false;
                store<f32>(dx + from, load<f32>(dx + from) + load<f32>(dy + at));
              }
            }
          }
          if (!back) store<f32>(y + at, best);
        }
      }
    }
  }
}
