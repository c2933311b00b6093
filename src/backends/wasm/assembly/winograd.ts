// 3 × 3 convolution at stride 1 by Winograd's algorithm F(2 × 2, 3 × 3).
//
// Algorithm: a tile of 4 × 4 pixels d and the kernel g give 2 × 2 outputs, Aᵀ [(G g Gᵀ) ⊙ (Bᵀ d B)] A: 16 products for each channel instead
// of 36. Summed over channels they are 16 matrix products, one for each of the 16 places in the transformed tile:
//
//     pixels          V = Bᵀ d B               M = U ⊙ V summed over channels        outputs = Aᵀ M A
//     d d d d         16 matrices              16 matrices                           y y
//     d d d d   -->   [tiles, channels]   -->  [tiles, outputs] = V · U         -->  y y
//     d d d d                                  with U = G g Gᵀ,
//     d d d d                                  16 matrices [channels, outputs]
//
// - Layout: V [16, five tiles, channels, 5], in panels of five rows; U [16, panel, channels, 8], in panels of eight outputs: the operands of
//   `computeTilePanels`. U is computed once (`transformPanel`).
// - Vectors: transforms take four channels or outputs at a time, products eight outputs.
// - Parts: strips of rows of windows, as in conv.ts.
// - Accuracy: a product sums at most 64 channels in float32 before it adds the sums; with more channels, at most 44.
// - Work memory of a thread: V of a block of tiles, at most 2¹⁶ numbers, or those of five tiles if they are more; and M of a block with
//   eight outputs.
//
// Source: Lavin and Gray 2016, "Fast Algorithms for Convolutional Neural Networks". The gradient of the kernel is in winograd-grad.ts.

import { channels, outputs, outWidth } from "./sizes";
import { enterStrip, firstWindow, pitch, rowsHere, stripRows } from "./strips";
import { computeTilePanels, NR, PANEL } from "./tile";

/** Numbers of the transformed tiles of a block. A block has at least five tiles. */
const BLOCK: i32 = 1 << 16;

/** With at most this number of channels, a product is one float32 sum. */
const CHANNELS: i32 = 64;
/** With more channels, a product adds float32 sums of at most this number of channels. */
const PIECE: i32 = 44;

/** The number of tiles in `rows` rows of windows. */
export function tilesIn(rows: i32): i32 {
  return ((rows + 1) / 2) * ((outWidth + 1) / 2);
}

/** The number of tiles in a block of a strip that has `tiles` tiles: a multiple of five. */
function blockTiles(tiles: i32): i32 {
  return PANEL * max(1, min((tiles + PANEL - 1) / PANEL, BLOCK / (16 * PANEL * channels)));
}

/** Bytes of a thread's work memory for the strips of the current plan: V of a block and M of a block with eight outputs. */
export function winogradBytes(): i32 {
  return 4 * 16 * blockTiles(tilesIn(stripRows)) * (channels + NR);
}

/** Transforms the kernel of panel i, [9, channels, 8] at `from`: U = G g Gᵀ, [16, panel, channels, 8] at `to`. */
export function transformPanel(i: i32, panels: i32, from: usize, to: usize): void {
  const tap: usize = 4 * <usize>(channels * NR);
  const place: usize = <usize>panels * tap;
  for (let at: usize = 0; at < tap; at += 16) {
    const g = from + <usize>(9 * i) * tap + at;
    const u = to + <usize>i * tap + at;
    // G g for each column of g, into the first three columns of u. Then (G g) Gᵀ for each row of u, in place.
    for (let column: usize = 0; column < 3; column++) widen(g + column * tap, 3 * tap, u + column * place, 4 * place);
    for (let row: usize = 0; row < 4; row++) widen(u + 4 * row * place, place, u + 4 * row * place, place);
  }
}

/** to = G g = [g₀, (g₀ + g₁ + g₂)/2, (g₀ − g₁ + g₂)/2, g₂]. Elements lie fromStep and toStep bytes apart. */
function widen(from: usize, fromStep: usize, to: usize, toStep: usize): void {
  const half = f32x4.splat(0.5);
  const g0 = v128.load(from);
  const g2 = v128.load(from + 2 * fromStep);
  const mean = f32x4.mul(f32x4.add(g0, g2), half);
  const h1 = f32x4.mul(v128.load(from + fromStep), half);
  v128.store(to, g0);
  v128.store(to + toStep, f32x4.add(mean, h1));
  v128.store(to + 2 * toStep, f32x4.sub(mean, h1));
  v128.store(to + 3 * toStep, g2);
}

/**
 * Transforms the tile whose pixels begin at x, all channels: V = Bᵀ d B, its 16 places `place` bytes apart. If `panel` is 0, the tile is a
 * column of a panel of five tiles. Otherwise it is a row in panels of eight channels that lie `panel` bytes apart.
 */
export function transformTile(x: usize, to: usize, place: usize, panel: usize): void {
  const pixel: usize = 4 * <usize>channels;
  const rows = panel != 0;
  for (let c: usize = 0; c < pixel; c += 16, x += 16) {
    const at = to + (rows ? (c / 32) * panel + (c & 16) : c * PANEL);
    const x1 = x + pitch;
    const x2 = x1 + pitch;
    const x3 = x2 + pitch;
    const a0 = v128.load(x), a1 = v128.load(x + pixel), a2 = v128.load(x + 2 * pixel), a3 = v128.load(x + 3 * pixel);
    const c0 = v128.load(x2), c1 = v128.load(x2 + pixel), c2 = v128.load(x2 + 2 * pixel), c3 = v128.load(x2 + 3 * pixel);
    storeRow(f32x4.sub(a0, c0), f32x4.sub(a1, c1), f32x4.sub(a2, c2), f32x4.sub(a3, c3), at, place, rows);
    const b0 = v128.load(x1), b1 = v128.load(x1 + pixel), b2 = v128.load(x1 + 2 * pixel), b3 = v128.load(x1 + 3 * pixel);
    storeRow(f32x4.add(b0, c0), f32x4.add(b1, c1), f32x4.add(b2, c2), f32x4.add(b3, c3), at + 4 * place, place, rows);
    storeRow(f32x4.sub(c0, b0), f32x4.sub(c1, b1), f32x4.sub(c2, b2), f32x4.sub(c3, b3), at + 8 * place, place, rows);
    const d0 = v128.load(x3), d1 = v128.load(x3 + pixel), d2 = v128.load(x3 + 2 * pixel), d3 = v128.load(x3 + 3 * pixel);
    storeRow(f32x4.sub(b0, d0), f32x4.sub(b1, d1), f32x4.sub(b2, d2), f32x4.sub(b3, d3), at + 12 * place, place, rows);
  }
}

/** Stores a row of V: v₀ − v₂, v₁ + v₂, v₂ − v₁, v₁ − v₃. */
function storeRow(v0: v128, v1: v128, v2: v128, v3: v128, to: usize, place: usize, rows: bool): void {
  store4(f32x4.sub(v0, v2), to, rows);
  store4(f32x4.add(v1, v2), to + place, rows);
  store4(f32x4.sub(v2, v1), to + 2 * place, rows);
  store4(f32x4.sub(v1, v3), to + 3 * place, rows);
}

/** Stores four channels side by side if `row`, otherwise below one another in a panel of five columns. */
// @ts-ignore: decorator
@inline
function store4(v: v128, to: usize, row: bool): void {
  if (row) {
    v128.store(to, v);
    return;
  }
  v128.store32_lane(to, v, 0);
  v128.store32_lane(to, v, 1, 4 * PANEL);
  v128.store32_lane(to, v, 2, 8 * PANEL);
  v128.store32_lane(to, v, 3, 12 * PANEL);
}

/** The upper element of Aᵀ m, m₀ + m₁ + m₂, of a column of M; its places lie 4 · place bytes apart. */
// @ts-ignore: decorator
@inline
function upper(m: usize, place: usize): v128 {
  return f32x4.add(f32x4.add(v128.load(m), v128.load(m + 4 * place)), v128.load(m + 8 * place));
}

/** The lower element, m₁ − m₂ − m₃. */
// @ts-ignore: decorator
@inline
function lower(m: usize, place: usize): v128 {
  return f32x4.sub(f32x4.sub(v128.load(m + 4 * place), v128.load(m + 8 * place)), v128.load(m + 12 * place));
}

/** Computes the outputs of strip `index`. u: the transformed kernel, of `panels` panels; frame: memory for a frame (strips.ts). */
export function computeWinogradStrip(
  index: i32, x: usize, u: usize, panels: i32, bias: usize, y: usize, accumulate: bool, frame: usize, work: usize,
): void {
  const source = enterStrip(index, x, frame);
  const pixel: usize = 4 * <usize>channels;
  const outStep: usize = 4 * <usize>outputs;
  const across = (outWidth + 1) / 2;
  const tiles = tilesIn(rowsHere);
  const block = blockTiles(tiles);
  const place: usize = <usize>block * pixel;
  const products = work + 16 * place;
  const mPlace: usize = 4 * <usize>(block * NR);
  const uPlace: usize = 4 * <usize>(panels * channels * NR);
  const out = y + <usize>firstWindow(index) * outStep;
  const pieces = channels <= CHANNELS ? 1 : (channels + PIECE - 1) / PIECE, piece = (channels + pieces - 1) / pieces;
  for (let first = 0; first < tiles; first += block) {
    const count = min(block, tiles - first);
    for (let t = 0; t < count; t++) {
      const row = (first + t) / across;
      const column = (first + t) % across;
      const from = source + <usize>(2 * row) * pitch + <usize>(2 * column) * pixel;
      transformTile(from, work + <usize>(t / PANEL * PANEL) * pixel + 4 * <usize>(t % PANEL), place, 0);
    }
    for (let i = 0; i < panels; i++) {
      for (let k = 0; k < 16; k++) {
        let a = work + <usize>k * place;
        let m = products + <usize>k * mPlace;
        const b = u + <usize>k * uPlace + 4 * <usize>(i * channels * NR);
        for (let t = 0; t < count; t += PANEL, a += PANEL * pixel, m += 4 * PANEL * NR) {
          for (let c = 0; c < channels; c += piece) {
            computeTilePanels(min(piece, channels - c), a + 4 * PANEL * <usize>c, b + 4 * NR * <usize>c, m, 4 * NR, c == 0 ? 0 : m, 4 * NR);
          }
        }
      }
      const columns = min(NR, outputs - i * NR);
      for (let j = 0; j < columns; j += 4) {
        const at: usize = 4 * <usize>(i * NR + j);
        const added = bias == 0 ? f32x4.splat(0) : v128.load(bias + at);
        for (let t = 0; t < count; t++) {
          const row = 2 * ((first + t) / across);
          const column = 2 * ((first + t) % across);
          const to = out + <usize>(row * outWidth + column) * outStep + at;
          putTile(
            products + 4 * <usize>(t * NR + j), mPlace, to, outStep, row + 1 < rowsHere, column + 1 < outWidth, added, accumulate, columns - j,
          );
        }
      }
    }
  }
}

/** y = Aᵀ M A + added for four outputs of a tile, of which the second row or column may not exist; `left`: outputs that exist. */
// @ts-ignore: decorator
@inline
function putTile(
  m: usize, place: usize, to: usize, outStep: usize, below: bool, beside: bool, added: v128, accumulate: bool, left: i32,
): void {
  const m1 = m + place;
  const m2 = m1 + place;
  const m3 = m2 + place;
  const p0 = upper(m, place), p1 = upper(m1, place), p2 = upper(m2, place), p3 = upper(m3, place);
  const q0 = lower(m, place), q1 = lower(m1, place), q2 = lower(m2, place), q3 = lower(m3, place);
  const down: usize = <usize>outWidth * outStep;
  put(to, f32x4.add(f32x4.add(p0, p1), p2), added, accumulate, left);
  if (beside) put(to + outStep, f32x4.sub(f32x4.sub(p1, p2), p3), added, accumulate, left);
  if (!below) return;
  put(to + down, f32x4.add(f32x4.add(q0, q1), q2), added, accumulate, left);
  if (beside) put(to + down + outStep, f32x4.sub(f32x4.sub(q1, q2), q3), added, accumulate, left);
}

/** Stores v + added, added to what is there if `accumulate`: the first `left` of four outputs. */
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
