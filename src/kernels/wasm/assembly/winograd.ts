// Convolution 3 × 3 at stride 1 by Winograd's F(2 × 2, 3 × 3) (Lavin and Gray, 2016): from a tile of 4 × 4 pixels d and the kernel g, the
// 2 × 2 outputs are Aᵀ [(G g Gᵀ) ⊙ (Bᵀ d B)] A: 16 products for each channel in place of 36. Summed over channels they are 16 matrix
// products, one for each place in the tile.

import { channels, outputs, outWidth } from "./sizes";
import { firstWindow, pitch, rowsHere, strip } from "./strips";
import { NR, PANEL, tilePanels } from "./tile";

/** Numbers that the transformed tiles of a block may take, but one row of five tiles. */
const TILES: i32 = 1 << 16;

/** Groups of five tiles in a block, of so many in a strip. */
export function blockGroups(tiles: i32): i32 {
  return max(1, min((tiles + PANEL - 1) / PANEL, TILES / (16 * PANEL * channels)));
}

/** Bytes of the transformed tiles of a block, and of the products with eight outputs. */
export function winogradOwn(tiles: i32): i32 {
  const rows = PANEL * blockGroups(tiles);
  return 4 * 16 * rows * (channels + NR);
}

/** U [16, panel, channels, 8] = G g Gᵀ of panels [panel, 9, channels, 8]. */
export function transformKernel(first: i32, end: i32, panels: i32, from: usize, to: usize): void {
  const tap: usize = 4 * <usize>(channels * NR);
  const place: usize = <usize>panels * tap;
  for (let i = first; i < end; i++) {
    for (let at: usize = 0; at < tap; at += 16) {
      const g = from + <usize>(9 * i) * tap + at;
      const u = to + <usize>i * tap + at;
      for (let column: usize = 0; column < 3; column++) {
        // Each column of g: 3 numbers become 4, kept in the first three columns of u.
        const g0 = v128.load(g + column * tap);
        const g1 = v128.load(g + (column + 3) * tap);
        const g2 = v128.load(g + (column + 6) * tap);
        const half = f32x4.mul(f32x4.add(g0, g2), f32x4.splat(0.5));
        const h1 = f32x4.mul(g1, f32x4.splat(0.5));
        v128.store(u + column * place, g0);
        v128.store(u + (4 + column) * place, f32x4.add(half, h1));
        v128.store(u + (8 + column) * place, f32x4.sub(half, h1));
        v128.store(u + (12 + column) * place, g2);
      }
      for (let row: usize = 0; row < 4; row++) {
        const r = u + 4 * row * place;
        const g0 = v128.load(r);
        const g1 = v128.load(r + place);
        const g2 = v128.load(r + 2 * place);
        const half = f32x4.mul(f32x4.add(g0, g2), f32x4.splat(0.5));
        const h1 = f32x4.mul(g1, f32x4.splat(0.5));
        v128.store(r + place, f32x4.add(half, h1));
        v128.store(r + 2 * place, f32x4.sub(half, h1));
        v128.store(r + 3 * place, g2);
      }
    }
  }
}

/** One row of Bᵀ d B: v₀ − v₂, v₁ + v₂, v₂ − v₁, v₁ − v₃, each scattered to four channels of its panel. */
// @ts-ignore: decorator
@inline
function storeRow(v0: v128, v1: v128, v2: v128, v3: v128, to: usize, place: usize): void {
  scatter(f32x4.sub(v0, v2), to);
  scatter(f32x4.add(v1, v2), to + place);
  scatter(f32x4.sub(v2, v1), to + 2 * place);
  scatter(f32x4.sub(v1, v3), to + 3 * place);
}

// @ts-ignore: decorator
@inline
function scatter(v: v128, to: usize): void {
  v128.store32_lane(to, v, 0);
  v128.store32_lane(to, v, 1, 4 * PANEL);
  v128.store32_lane(to, v, 2, 8 * PANEL);
  v128.store32_lane(to, v, 3, 12 * PANEL);
}

/** Bᵀ d B of the tile whose pixels begin at x, all channels; place by place `place` bytes apart. */
function transformTile(x: usize, to: usize, place: usize): void {
  const pixel: usize = 4 * <usize>channels;
  for (let c: usize = 0; c < pixel; c += 16, x += 16, to += 16 * PANEL) {
    const x1 = x + pitch;
    const x2 = x1 + pitch;
    const x3 = x2 + pitch;
    const a0 = v128.load(x), a1 = v128.load(x + pixel), a2 = v128.load(x + 2 * pixel), a3 = v128.load(x + 3 * pixel);
    const c0 = v128.load(x2), c1 = v128.load(x2 + pixel), c2 = v128.load(x2 + 2 * pixel), c3 = v128.load(x2 + 3 * pixel);
    storeRow(f32x4.sub(a0, c0), f32x4.sub(a1, c1), f32x4.sub(a2, c2), f32x4.sub(a3, c3), to, place);
    const b0 = v128.load(x1), b1 = v128.load(x1 + pixel), b2 = v128.load(x1 + 2 * pixel), b3 = v128.load(x1 + 3 * pixel);
    storeRow(f32x4.add(b0, c0), f32x4.add(b1, c1), f32x4.add(b2, c2), f32x4.add(b3, c3), to + 4 * place, place);
    storeRow(f32x4.sub(c0, b0), f32x4.sub(c1, b1), f32x4.sub(c2, b2), f32x4.sub(c3, b3), to + 8 * place, place);
    const d0 = v128.load(x3), d1 = v128.load(x3 + pixel), d2 = v128.load(x3 + 2 * pixel), d3 = v128.load(x3 + 3 * pixel);
    storeRow(f32x4.sub(b0, d0), f32x4.sub(b1, d1), f32x4.sub(b2, d2), f32x4.sub(b3, d3), to + 12 * place, place);
  }
}

/** Column j of m [4, 4], places `place` bytes apart, times A: m₀ + m₁ + m₂ and m₁ − m₂ − m₃, down the column. */
// @ts-ignore: decorator
@inline
function upper(m: usize, place: usize): v128 {
  return f32x4.add(f32x4.add(v128.load(m), v128.load(m + 4 * place)), v128.load(m + 8 * place));
}

// @ts-ignore: decorator
@inline
function lower(m: usize, place: usize): v128 {
  return f32x4.sub(f32x4.sub(v128.load(m + 4 * place), v128.load(m + 8 * place)), v128.load(m + 12 * place));
}

/** The windows of a strip. U is the transformed kernel of `panels` panels. */
export function winogradStrip(
  index: i32, x: usize, u: usize, panels: i32, bias: usize, y: usize, accumulate: bool, frame: usize, work: usize,
): void {
  const source = strip(index, x, frame);
  const pixel: usize = 4 * <usize>channels;
  const outStep: usize = 4 * <usize>outputs;
  const across = (outWidth + 1) / 2;
  const tiles = ((rowsHere + 1) / 2) * across;
  const groups = blockGroups(tiles);
  const place: usize = <usize>(PANEL * groups) * pixel;
  const products = work + 16 * place;
  const mPlace: usize = 4 * <usize>(PANEL * groups * NR);
  const uPlace: usize = 4 * <usize>(panels * channels * NR);
  const out = y + <usize>firstWindow(index) * outStep;
  for (let first = 0; first < tiles; first += PANEL * groups) {
    const count = min(PANEL * groups, tiles - first);
    for (let t = 0; t < count; t++) {
      const row = (first + t) / across;
      const column = (first + t) % across;
      const from = source + <usize>(2 * row) * pitch + <usize>(2 * column) * pixel;
      transformTile(from, work + <usize>(t / PANEL * PANEL) * pixel + 4 * <usize>(t % PANEL), place);
    }
    for (let i = 0; i < panels; i++) {
      for (let k = 0; k < 16; k++) {
        let a = work + <usize>k * place;
        let m = products + <usize>k * mPlace;
        const b = u + <usize>k * uPlace + 4 * <usize>(i * channels * NR);
        for (let t = 0; t < count; t += PANEL, a += PANEL * pixel, m += 4 * PANEL * NR) {
          tilePanels(channels, a, b, m, 4 * NR, 0, 0);
        }
      }
      const columns = min(NR, outputs - i * NR);
      for (let j = 0; j < columns; j += 4) {
        const at: usize = 4 * <usize>(i * NR + j);
        const added = bias == 0 ? f32x4.splat(0) : v128.load(bias + at);
        for (let t = 0; t < count; t++) {
          const row = 2 * ((first + t) / across);
          const column = 2 * ((first + t) % across);
          const m = products + 4 * <usize>(t * NR + j);
          const m1 = m + mPlace;
          const m2 = m1 + mPlace;
          const m3 = m2 + mPlace;
          const p0 = upper(m, mPlace), p1 = upper(m1, mPlace), p2 = upper(m2, mPlace), p3 = upper(m3, mPlace);
          const q0 = lower(m, mPlace), q1 = lower(m1, mPlace), q2 = lower(m2, mPlace), q3 = lower(m3, mPlace);
          const to = out + <usize>(row * outWidth + column) * outStep + at;
          const left = columns - j;
          const down: usize = <usize>outWidth * outStep;
          const second = column + 1 < outWidth;
          put(to, f32x4.add(f32x4.add(p0, p1), p2), added, accumulate, left);
          if (second) put(to + outStep, f32x4.sub(f32x4.sub(p1, p2), p3), added, accumulate, left);
          if (row + 1 >= rowsHere) continue;
          put(to + down, f32x4.add(f32x4.add(q0, q1), q2), added, accumulate, left);
          if (second) put(to + down + outStep, f32x4.sub(f32x4.sub(q1, q2), q3), added, accumulate, left);
        }
      }
    }
  }
}

// @ts-ignore: decorator
@inline
function put(to: usize, v: v128, added: v128, accumulate: bool, left: i32): void {
  v = f32x4.add(v, added);
  if (left >= 4) {
    v128.store(to, accumulate ? f32x4.add(v128.load(to), v) : v);
    return;
  }
  store<f32>(to, f32x4.extract_lane(v, 0) + (accumulate ? load<f32>(to) : 0));
  if (left > 1) store<f32>(to, f32x4.extract_lane(v, 1) + (accumulate ? load<f32>(to, 4) : 0), 4);
  if (left > 2) store<f32>(to, f32x4.extract_lane(v, 2) + (accumulate ? load<f32>(to, 8) : 0), 8);
}
