// 3 × 3 convolution at stride 1 by Winograd's algorithm F(2 × 2, 3 × 3). As in the paper, a tile is a square of pixels;
// results that stay in registers are a register tile (tile.ts).
//
// Algorithm: a tile of 4 × 4 pixels d and the kernel g give 2 × 2 outputs, Aᵀ [(G g Gᵀ) ⊙ (Bᵀ d B)] A. This takes 16
// products for each channel instead of 36. Summed over channels they are 16 matrix products, one for each of the 16
// places in the transformed tile:
//
//     pixels          V = Bᵀ d B               M = U ⊙ V summed over channels        outputs = Aᵀ M A
//     d d d d         16 matrices              16 matrices                           y y
//     d d d d   -->   [tiles, channels]   -->  [tiles, outputs] = V · U         -->  y y
//     d d d d                                  with U = G g Gᵀ,
//     d d d d                                  16 matrices [channels, outputs]
//
// - Layout: V [16, five tiles, block of 16 channels, 5, 16], in rows of 16 channels; U [panel, 16, channels, 8], in
//   panels of eight outputs: the operands of `multiplyRows`. U is computed once (`transformPanel`).
// - Blocks: V holds the tiles of a block. If an image is one strip, a block goes on with the tiles of the next images,
//   so that few rows of panels stay empty.
// - Vectors: transforms take four channels or outputs at a time, products eight outputs.
// - Parts: strips of rows of windows, as in conv.ts.
// - Accuracy: a product sums at most 64 channels in float32 before it adds the sums; with more channels, at most 48.
// - Work memory of a thread: V and M of a block of tiles. V has at most 2¹⁶ numbers, or those of five tiles if they are
//   more. M has eight outputs.
//
// Source: Lavin and Gray 2016, "Fast Algorithms for Convolutional Neural Networks". The gradient of the kernel is in
// winograd-grad.ts.

import { blocksBytes } from "./pack";
import { channels, outHeight, outputs, outWidth } from "./sizes";
import { enterStrip, firstWindow, pitch, rowsHere, stripsInImage } from "./strips";
import { BLOCK_TERMS, computeTileRows, NR, PANEL } from "./tile";
import { multiplyRows } from "./winograd-tile";

/** Numbers of the transformed tiles of a block. A block has at least five tiles. */
const BLOCK: i32 = 1 << 16;

/** With at most this number of channels, a product is one float32 sum. */
const CHANNELS: i32 = 64;
/** With more channels, a product adds float32 sums of this number of channels: whole blocks. */
const PIECE: i32 = 3 * BLOCK_TERMS;

/** The number of tiles in `rows` rows of windows. */
export function tilesIn(rows: i32): i32 {
  return ((rows + 1) / 2) * ((outWidth + 1) / 2);
}

/** Bytes of a panel of V: five tiles with all channels, in whole blocks. */
function panelBytes(): i32 {
  return blocksBytes(channels);
}

/** The number of panels of five tiles in a block. */
function blockPanels(): i32 {
  return max(1, 4 * BLOCK / (16 * panelBytes()));
}

/** Bytes of a thread's work memory: V of a block and M of a block with eight outputs. V begins at a multiple of 64. */
export function winogradBytes(): i32 {
  return 64 + 16 * blockPanels() * (panelBytes() + 4 * PANEL * NR);
}

/**
 * Transforms the kernel of panel i, [9, channels, 8] in the panels at `from`: U = G g Gᵀ, [16, channels, 8] in the
 * transforms at `to`.
 */
export function transformPanel(i: i32, from: usize, to: usize): void {
  const tap: usize = 4 * <usize>(channels * NR);
  const half = f32x4.splat(0.5);
  let g = from + <usize>(9 * i) * tap, u = to + <usize>(16 * i) * tap;
  for (const end = u + tap; u < end; g += 16, u += 16) {
    // Rows of G g = [g₀, (g₀ + g₁ + g₂)/2, (g₀ − g₁ + g₂)/2, g₂].
    const a0 = v128.load(g), a1 = v128.load(g + tap), a2 = v128.load(g + 2 * tap);
    widen(a0, a1, a2, u, tap);
    const c0 = v128.load(g + 6 * tap), c1 = v128.load(g + 7 * tap), c2 = v128.load(g + 8 * tap);
    widen(c0, c1, c2, u + 12 * tap, tap);
    const m0 = f32x4.mul(f32x4.add(a0, c0), half), b0 = f32x4.mul(v128.load(g + 3 * tap), half);
    const m1 = f32x4.mul(f32x4.add(a1, c1), half), b1 = f32x4.mul(v128.load(g + 4 * tap), half);
    const m2 = f32x4.mul(f32x4.add(a2, c2), half), b2 = f32x4.mul(v128.load(g + 5 * tap), half);
    widen(f32x4.add(m0, b0), f32x4.add(m1, b1), f32x4.add(m2, b2), u + 4 * tap, tap);
    widen(f32x4.sub(m0, b0), f32x4.sub(m1, b1), f32x4.sub(m2, b2), u + 8 * tap, tap);
  }
}

/** Stores a row of U: [g₀, (g₀ + g₁ + g₂)/2, (g₀ − g₁ + g₂)/2, g₂], `step` bytes apart. */
// @ts-ignore: decorator
@inline
function widen(g0: v128, g1: v128, g2: v128, to: usize, step: usize): void {
  const half = f32x4.splat(0.5);
  const mean = f32x4.mul(f32x4.add(g0, g2), half), h1 = f32x4.mul(g1, half);
  v128.store(to, g0);
  v128.store(to + step, f32x4.add(mean, h1));
  v128.store(to + 2 * step, f32x4.sub(mean, h1));
  v128.store(to + 3 * step, g2);
}

/**
 * Transforms the tile whose pixels begin at x, all channels: V = Bᵀ d B, its 16 places `place` bytes apart. A place has
 * runs of `run` bytes of channels, which begin `step` bytes apart. `run` is a power of 2.
 */
export function transformTile(x: usize, to: usize, place: usize, run: usize, step: usize): void {
  const pixel: usize = 4 * <usize>channels;
  for (let c: usize = 0; c < pixel; c += 16, x += 16, to += 16) {
    if (c != 0 && (c & (run - 1)) == 0) to += step - run;
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

/** Stores a row of V: v₀ − v₂, v₁ + v₂, v₂ − v₁, v₁ − v₃. */
// @ts-ignore: decorator
@inline
function storeRow(v0: v128, v1: v128, v2: v128, v3: v128, to: usize, place: usize): void {
  v128.store(to, f32x4.sub(v0, v2));
  v128.store(to + place, f32x4.add(v1, v2));
  v128.store(to + 2 * place, f32x4.sub(v2, v1));
  v128.store(to + 3 * place, f32x4.sub(v1, v3));
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

/**
 * Computes the outputs of strips index … end - 1. u: the transformed kernel, of `panels` panels; frame: memory for a
 * frame (strips.ts).
 */
export function computeWinogradStrips(
  index: i32, end: i32, x: usize, u: usize, panels: i32, bias: usize, y: usize, accumulate: bool, frame: usize, work: usize,
): void {
  const block = PANEL * blockPanels();
  const place: usize = <usize>blockPanels() * <usize>panelBytes();
  const mPlace: usize = 4 * <usize>(block * NR);
  const v = work + 63 & ~63;
  const m = v + 16 * place;
  while (index < end) {
    let source = enterStrip(index, x, frame);
    const inStrip = tilesIn(rowsHere);
    // Strips whose tiles lie in one block.
    const many = stripsInImage > 1 ? 1 : min(end - index, max(1, block / inStrip));
    const out = y + 4 * <usize>firstWindow(index) * <usize>outputs;
    for (let first = 0; first < many * inStrip; first += block) {
      const count = min(block, many * inStrip - first);
      for (let done = 0; done < count; ) {
        const at = (first + done) % inStrip;
        if (done > 0) source = enterStrip(index + done / inStrip, x, frame);
        const here = min(inStrip - at, count - done);
        transformTiles(source, at, here, done, v, place);
        done += here;
      }
      for (let i = 0; i < panels; i++) {
        multiplyPanel(v, place, u + 4 * 16 * <usize>(i * channels * NR), m, mPlace, count);
        for (let j = 0; j < min(NR, outputs - i * NR); j += 4) {
          putTiles(m + 4 * <usize>j, mPlace, out, first, inStrip, count, i * NR + j, bias, accumulate);
        }
      }
    }
    index += many;
  }
}

/**
 * Transforms `count` tiles of the current strip from tile number `first` on. They become tiles to, to + 1, … of the
 * block at v.
 */
function transformTiles(source: usize, first: i32, count: i32, to: i32, v: usize, place: usize): void {
  const pixel: usize = 4 * <usize>channels;
  const across = (outWidth + 1) / 2;
  let column = first % across;
  let from = source + <usize>(2 * (first / across)) * pitch + <usize>(2 * column) * pixel;
  const nextRow = 2 * pitch - <usize>(2 * across) * pixel;
  for (const end = to + count; to < end; to++) {
    const at = v + <usize>(to / PANEL) * <usize>panelBytes() + 4 * BLOCK_TERMS * <usize>(to % PANEL);
    transformTile(from, at, place, 4 * BLOCK_TERMS, 4 * BLOCK_TERMS * PANEL);
    from += 2 * pixel;
    if (++column == across) {
      column = 0;
      from += nextRow;
    }
  }
}

/**
 * M [16, count, 8] = V · U for one panel of eight outputs. With fused multiply-add, V8 keeps the sums of `multiplyRows`
 * in memory, at half the speed.
 */
function multiplyPanel(v: usize, place: usize, u: usize, m: usize, mPlace: usize, count: i32): void {
  const filled = (count + PANEL - 1) / PANEL, piece = channels <= CHANNELS ? channels : PIECE;
  for (let k = 0; k < 16; k++, v += place, u += 4 * <usize>(channels * NR), m += mPlace) {
    if (channels <= CHANNELS && !ASC_FEATURE_RELAXED_SIMD) {
      multiplyRows(filled, channels, v, u, m);
      continue;
    }
    for (let t = 0, a = v, to = m; t < filled; t++, a += panelBytes(), to += 4 * PANEL * NR) {
      for (let c = 0; c < channels; c += piece) {
        computeTileRows(min(piece, channels - c), a + 4 * PANEL * <usize>c, u + 4 * NR * <usize>c, to, 4 * NR, c == 0 ? 0 : to, 4 * NR);
      }
    }
  }
}

/**
 * Computes four outputs from number `output` on, of `count` tiles of the block at m. The first of them is tile `first`
 * of a strip whose outputs begin at `out`. A strip has `inStrip` tiles. The strips of a block are whole images if they
 * are several.
 */
function putTiles(
  m: usize, place: usize, out: usize, first: i32, inStrip: i32, count: i32, output: i32, bias: usize, accumulate: bool,
): void {
  const outStep: usize = 4 * <usize>outputs;
  const line: usize = <usize>outWidth * outStep;
  const across = (outWidth + 1) / 2;
  const added = bias == 0 ? f32x4.splat(0) : v128.load(bias + 4 * <usize>output);
  let row = 2 * (first / across), column = 2 * (first % across);
  let start = out + 4 * <usize>output, at = start + <usize>row * line + <usize>column * outStep;
  for (const end = m + 4 * NR * <usize>count; m < end; m += 4 * NR) {
    putTile(m, place, at, outStep, row + 1 < rowsHere, column + 1 < outWidth, added, accumulate, outputs - output);
    at += 2 * outStep;
    column += 2;
    if (column < outWidth) continue;
    column = 0;
    row += 2;
    if (row >= rowsHere) {
      row = 0;
      start += <usize>outHeight * line;
    }
    at = start + <usize>row * line;
  }
}

/**
 * y = Aᵀ M A + added for four outputs of a tile, of which the second row or column may not exist; `left`: outputs that
 * exist.
 */
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
