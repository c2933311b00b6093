// Convolution 3 × 3 at stride 1 by Winograd's F(2 × 2, 3 × 3) (Lavin and Gray, 2016): from a tile of 4 × 4 pixels d and the kernel g, the
// 2 × 2 outputs are Aᵀ [(G g Gᵀ) ⊙ (Bᵀ d B)] A: 16 products for each channel in place of 36. Summed over channels they are 16 matrix
// products, one for each place in the tile.

import { channels, outputs, outWidth } from "./sizes";
import { enterStrip, firstWindow, pitch, rowsHere, stripRows } from "./strips";
import { collect } from "./doubles";
import { NR, PANEL, tilePanels } from "./tile";

/** Numbers that the transformed tiles of a block may take, but five tiles whatever their size. */
const BLOCK: i32 = 1 << 16;

/** Channels that a tile of products sums at once; with more, it adds sums of fewer channels, since their errors add up. */
const CHANNELS: i32 = 64;
const PIECE: i32 = 44;

/** Tiles in so many rows of windows. */
function tilesIn(rows: i32): i32 {
  return ((rows + 1) / 2) * ((outWidth + 1) / 2);
}

/** Tiles in a block: groups of five, of those of a strip. */
function blockTiles(tiles: i32): i32 {
  return PANEL * max(1, min((tiles + PANEL - 1) / PANEL, BLOCK / (16 * PANEL * channels)));
}

/** Bytes of the transformed tiles of a block, and of the products with eight outputs. */
export function winogradBytes(): i32 {
  return 4 * 16 * blockTiles(tilesIn(stripRows)) * (channels + NR);
}

/** U [16, panel, channels, 8] = G g Gᵀ of panel i of panels [panel, 9, channels, 8]. */
export function transformPanel(i: i32, panels: i32, from: usize, to: usize): void {
  const tap: usize = 4 * <usize>(channels * NR);
  const place: usize = <usize>panels * tap;
  for (let at: usize = 0; at < tap; at += 16) {
    const g = from + <usize>(9 * i) * tap + at;
    const u = to + <usize>i * tap + at;
    // Down each column of g, into the first three columns of u; then along each row of these.
    for (let column: usize = 0; column < 3; column++) widen(g + column * tap, 3 * tap, u + column * place, 4 * place);
    for (let row: usize = 0; row < 4; row++) widen(u + 4 * row * place, place, u + 4 * row * place, place);
  }
}

/** G g: four of three, g₀, (g₀ + g₁ + g₂)/2, (g₀ − g₁ + g₂)/2, g₂, which lie fromStep and toStep bytes apart. */
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
 * Bᵀ d B of the tile whose pixels begin at x, all channels; its 16 places lie `place` bytes apart. A tile is a column of a panel of five or,
 * where panels of eight channels are `panel` bytes apart, a row of one.
 */
function transformTile(x: usize, to: usize, place: usize, panel: usize): void {
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

/** One row of Bᵀ d B: v₀ − v₂, v₁ + v₂, v₂ − v₁, v₁ − v₃. */
function storeRow(v0: v128, v1: v128, v2: v128, v3: v128, to: usize, place: usize, rows: bool): void {
  store4(f32x4.sub(v0, v2), to, rows);
  store4(f32x4.add(v1, v2), to + place, rows);
  store4(f32x4.sub(v2, v1), to + 2 * place, rows);
  store4(f32x4.sub(v1, v3), to + 3 * place, rows);
}

/** Four channels of a row, or of a column. */
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
            tilePanels(min(piece, channels - c), a + 4 * PANEL * <usize>c, b + 4 * NR * <usize>c, m, 4 * NR, c == 0 ? 0 : m, 4 * NR);
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
          const m = products + 4 * <usize>(t * NR + j);
          const m1 = m + mPlace;
          const m2 = m1 + mPlace;
          const m3 = m2 + mPlace;
          const p0 = upper(m, mPlace), p1 = upper(m1, mPlace), p2 = upper(m2, mPlace), p3 = upper(m3, mPlace);
          const q0 = lower(m, mPlace), q1 = lower(m1, mPlace), q2 = lower(m2, mPlace), q3 = lower(m3, mPlace);
          const to = out + <usize>(row * outWidth + column) * outStep + at;
          const left = columns - j;
          const down: usize = <usize>outWidth * outStep;
          const beside = column + 1 < outWidth;
          put(to, f32x4.add(f32x4.add(p0, p1), p2), added, accumulate, left);
          if (beside) put(to + outStep, f32x4.sub(f32x4.sub(p1, p2), p3), added, accumulate, left);
          if (row + 1 >= rowsHere) continue;
          put(to + down, f32x4.add(f32x4.add(q0, q1), q2), added, accumulate, left);
          if (beside) put(to + down + outStep, f32x4.sub(f32x4.sub(q1, q2), q3), added, accumulate, left);
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

// Towards the kernel: dU = Σ over the tiles of (A dy Aᵀ) ⊙ (Bᵀ d B), and dg = Gᵀ dU G. Rows are outputs, columns are channels.

/** Tiles whose transforms are kept at a time; their products are one float32 sum. */
const GRAD_TILES: i32 = 48;
/** Such sums that dU collects in float32 before they are added to totals in double precision. */
const MOST_BLOCKS: i32 = 8;

function outputGroups(): i32 {
  return (outputs + PANEL - 1) / PANEL;
}
function channelPanels(): i32 {
  return (channels + NR - 1) / NR;
}

/** Numbers of dU [16, group of five outputs, panel of eight channels, 5, 8]. */
export function winogradSums(): i32 {
  return 16 * outputGroups() * PANEL * channelPanels() * NR;
}

/** Bytes of the transforms of a block of tiles, and of dy's. */
export function winogradGradBytes(): i32 {
  return 4 * 16 * GRAD_TILES * (channelPanels() * NR + outputGroups() * PANEL);
}

let blocksHeld: i32;

/** Clears a part's totals of dU (f64) and the sums (f32) behind them. */
export function winogradGradBegin(totals: usize): void {
  memory.fill(totals, 0, 12 * <usize>winogradSums());
  blocksHeld = 0;
}

/** Adds what the sums hold to the totals. */
export function winogradGradCollect(totals: usize): void {
  const numbers = <usize>winogradSums();
  collect(totals + 8 * numbers, numbers, totals);
  blocksHeld = 0;
}

/** Adds the windows of a strip to dU. */
export function winogradGradStrip(index: i32, x: usize, dy: usize, totals: usize, frame: usize, work: usize): void {
  const sums = totals + 8 * <usize>winogradSums();
  const source = enterStrip(index, x, frame);
  const pixel: usize = 4 * <usize>channels;
  const outStep: usize = 4 * <usize>outputs;
  const across = (outWidth + 1) / 2;
  const tiles = tilesIn(rowsHere);
  const vPlace: usize = 4 * <usize>(GRAD_TILES * channelPanels() * NR);
  const zPlace: usize = 4 * <usize>(GRAD_TILES * outputGroups() * PANEL);
  const z = work + 16 * vPlace;
  const out = dy + <usize>firstWindow(index) * outStep;
  for (let first = 0; first < tiles; first += GRAD_TILES) {
    const count = min(GRAD_TILES, tiles - first);
    if (blocksHeld++ == MOST_BLOCKS) {
      winogradGradCollect(totals);
      blocksHeld = 1;
    }
    for (let t = 0; t < count; t++) {
      const row = 2 * ((first + t) / across);
      const column = 2 * ((first + t) % across);
      transformTile(source + <usize>row * pitch + <usize>column * pixel, work + 4 * <usize>(t * NR), vPlace, 4 * <usize>(count * NR));
      const from = out + <usize>(row * outWidth + column) * outStep;
      transformGrad(from, row + 1 < rowsHere, column + 1 < outWidth, z + 4 * <usize>(t * PANEL), 4 * <usize>(count * PANEL), zPlace);
    }
    let to = sums;
    for (let k: usize = 0; k < 16; k++) {
      for (let i = 0; i < outputGroups(); i++) {
        const a = z + k * zPlace + 4 * <usize>(i * count * PANEL);
        for (let j = 0; j < channelPanels(); j++, to += 4 * PANEL * NR) {
          tilePanels(count, a, work + k * vPlace + 4 * <usize>(j * count * NR), to, 4 * NR, to, 4 * NR);
        }
      }
    }
  }
}

/** A dy Aᵀ of a tile of 2 × 2, of which the second row or column may not exist, scattered to panels of five outputs. */
function transformGrad(dy: usize, below: bool, beside: bool, to: usize, panel: usize, place: usize): void {
  const outStep: usize = 4 * <usize>outputs;
  const down: usize = <usize>outWidth * outStep;
  const zero = f32x4.splat(0);
  for (let o = 0; o < outputs; o += 4, dy += 16) {
    const y00 = v128.load(dy);
    const y01 = beside ? v128.load(dy + outStep) : zero;
    const y10 = below ? v128.load(dy + down) : zero;
    const y11 = below && beside ? v128.load(dy + down + outStep) : zero;
    const lanes = min(4, outputs - o);
    // Where each of the four outputs stands.
    const t0 = to + spot(o, panel);
    const t1 = lanes > 1 ? to + spot(o + 1, panel) : t0;
    const t2 = lanes > 2 ? to + spot(o + 2, panel) : t0;
    const t3 = lanes > 3 ? to + spot(o + 3, panel) : t0;
    gradRow(y00, y01, t0, t1, t2, t3, place);
    gradRow(f32x4.add(y00, y10), f32x4.add(y01, y11), t0 + 4 * place, t1 + 4 * place, t2 + 4 * place, t3 + 4 * place, place);
    gradRow(f32x4.sub(y00, y10), f32x4.sub(y01, y11), t0 + 8 * place, t1 + 8 * place, t2 + 8 * place, t3 + 8 * place, place);
    gradRow(f32x4.neg(y10), f32x4.neg(y11), t0 + 12 * place, t1 + 12 * place, t2 + 12 * place, t3 + 12 * place, place);
  }
}

// @ts-ignore: decorator
@inline
function spot(output: i32, panel: usize): usize {
  return <usize>(output / PANEL) * panel + 4 * <usize>(output % PANEL);
}

function gradRow(y0: v128, y1: v128, t0: usize, t1: usize, t2: usize, t3: usize, place: usize): void {
  spread(y0, t0, t1, t2, t3);
  spread(f32x4.add(y0, y1), t0 + place, t1 + place, t2 + place, t3 + place);
  spread(f32x4.sub(y0, y1), t0 + 2 * place, t1 + 2 * place, t2 + 2 * place, t3 + 2 * place);
  spread(f32x4.neg(y1), t0 + 3 * place, t1 + 3 * place, t2 + 3 * place, t3 + 3 * place);
}

/** Lane 0 last: it stands where lanes stand that do not exist. */
// @ts-ignore: decorator
@inline
function spread(v: v128, t0: usize, t1: usize, t2: usize, t3: usize): void {
  v128.store32_lane(t3, v, 3);
  v128.store32_lane(t2, v, 2);
  v128.store32_lane(t1, v, 1);
  v128.store32_lane(t0, v, 0);
}

/**
 * dkernel [3, 3, channels, outputs] (+)= Gᵀ dU G of the outputs first … end - 1; dU is the sum of `parts` partial ones, added in their
 * order. `work` has room for 12 vectors.
 */
export function winogradKernelGrad(
  first: i32, end: i32, sums: usize, parts: i32, dkernel: usize, accumulate: bool, work: usize,
): void {
  const place: usize = <usize>winogradSums() / 2; // bytes of one place of the 16: totals are doubles
  const tap: usize = 4 * <usize>(channels * outputs);
  for (let o = first; o < end; o++) {
    for (let c = 0; c < channels; c += 4) {
      const tile = (o / PANEL) * channelPanels() + c / NR;
      let from = sums + 8 * <usize>(tile * PANEL * NR + (o % PANEL) * NR + c % NR);
      // Down each column of dU, then along each row of what that gives.
      for (let at = work; at < work + 192; at += 48, from += place) {
        v128.store(at, total(from, parts));
        v128.store(at, total(from + 4 * place, parts), 16);
        v128.store(at, total(from + 8 * place, parts), 32);
        three(at, 16, total(from + 12 * place, parts));
      }
      let to = dkernel + 4 * <usize>(c * outputs + o);
      for (let at = work; at < work + 48; at += 16, to += 3 * tap) {
        three(at, 48, v128.load(at, 144));
        putTaps(to, v128.load(at), accumulate);
        putTaps(to + tap, v128.load(at, 48), accumulate);
        putTaps(to + 2 * tap, v128.load(at, 96), accumulate);
      }
    }
  }
}

/** Gᵀ m: of m₀, m₁, m₂, `step` bytes apart, and m₃, the three that take their place. */
function three(at: usize, step: usize, m3: v128): void {
  const m1 = v128.load(at + step);
  const m2 = v128.load(at + 2 * step);
  const half = f32x4.splat(0.5);
  const mean = f32x4.mul(f32x4.add(m1, m2), half);
  v128.store(at, f32x4.add(v128.load(at), mean));
  v128.store(at + step, f32x4.mul(f32x4.sub(m1, m2), half));
  v128.store(at + 2 * step, f32x4.add(mean, m3));
}

/** The totals of all parts at one place, rounded to float32. Those of a part, and its sums, take 12 bytes per number. */
function total(from: usize, parts: i32): v128 {
  const next: usize = 12 * <usize>winogradSums();
  let low = v128.load(from), high = v128.load(from, 16);
  for (; parts > 1; parts--) {
    from += next;
    low = f64x2.add(low, v128.load(from));
    high = f64x2.add(high, v128.load(from, 16));
  }
  return v128.shuffle<f32>(f32x4.demote_f64x2_zero(low), f32x4.demote_f64x2_zero(high), 0, 1, 4, 5);
}

/** Four channels of one tap and output. */
function putTaps(to: usize, v: v128, accumulate: bool): void {
  const next: usize = 4 * <usize>outputs;
  for (let lane = 0; lane < 4; lane++, to += next) {
    store<f32>(to, f32x4.extract_lane(v, 0) + (accumulate ? load<f32>(to) : 0));
    v = v128.shuffle<f32>(v, v, 1, 2, 3, 0);
  }
}
