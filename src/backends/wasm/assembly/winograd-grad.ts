// The gradient of a 3 × 3 kernel by Winograd's algorithm (winograd.ts): with V = Bᵀ d B of a tile of pixels and Z = A dy Aᵀ of its 2 × 2
// gradients, dU = Σ over tiles of Z ⊙ V and dg = Gᵀ dU G. For each of the 16 places, dU is a matrix product:
//
//     dU [outputs, channels] += Zᵀ [outputs, tiles] · V [tiles, channels]
//
// - Layout: Z [16, group, tiles, 5] in groups of five outputs, V [16, panel, tiles, 8] in panels of eight channels: the operands of
//   `computeTilePanels`. dU [16, group, panel, 5, 8]: totals in float64 and, behind them, sums of the same shape in float32.
// - Vectors: transforms take four channels or outputs at a time, products eight channels.
// - Accuracy: a block of 48 tiles is one float32 sum; the sums collect 8 blocks before they are added to the totals.
// - Parts: ranges of strips, each with its own dU (conv-kernel-grad.ts).
// - Work memory of a thread: Z and V of a block of tiles.
//
// Source: Lavin and Gray 2016, "Fast Algorithms for Convolutional Neural Networks".

import { collect } from "./doubles";
import { channels, outputs, outWidth } from "./sizes";
import { enterStrip, firstWindow, pitch, rowsHere } from "./strips";
import { computeTilePanels, NR, PANEL } from "./tile";
import { tilesIn, transformTile } from "./winograd";

/** Tiles in a block. The products of a block are one float32 sum. */
const GRAD_TILES: i32 = 48;
/** Blocks that dU collects in float32 before it is added to the totals. */
const MOST_BLOCKS: i32 = 8;

/** Groups of five outputs. */
function outputGroups(): i32 {
  return (outputs + PANEL - 1) / PANEL;
}
/** Panels of eight channels. */
function channelPanels(): i32 {
  return (channels + NR - 1) / NR;
}

/** The number of elements of dU [16, group of five outputs, panel of eight channels, 5, 8]. */
export function winogradSums(): i32 {
  return 16 * outputGroups() * PANEL * channelPanels() * NR;
}

/** Bytes of a thread's work memory: the transforms of a block of tiles and of its dy. */
export function winogradGradBytes(): i32 {
  return 4 * 16 * GRAD_TILES * (channelPanels() * NR + outputGroups() * PANEL);
}

/** Blocks that the sums hold. `beginWinogradGrad` and `collectWinogradGrad` reset it, `addWinogradGradStrip` counts. */
let blocksHeld: i32;

/** Clears a part's totals of dU (f64) and the sums (f32) behind them. */
export function beginWinogradGrad(totals: usize): void {
  memory.fill(totals, 0, 12 * <usize>winogradSums());
  blocksHeld = 0;
}

/** Adds the sums to the totals and clears the sums. */
export function collectWinogradGrad(totals: usize): void {
  const numbers = <usize>winogradSums();
  collect(totals + 8 * numbers, numbers, totals);
  blocksHeld = 0;
}

/** Adds the windows of strip `index` to dU. frame: memory for a frame (strips.ts). */
export function addWinogradGradStrip(index: i32, x: usize, dy: usize, totals: usize, frame: usize, work: usize): void {
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
      collectWinogradGrad(totals);
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
          computeTilePanels(count, a, work + k * vPlace + 4 * <usize>(j * count * NR), to, 4 * NR, to, 4 * NR);
        }
      }
    }
  }
}

/** Transforms a 2 × 2 tile of dy, whose second row or column may not exist: Z = A dy Aᵀ, scattered to panels of five outputs. */
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
    // The addresses of the four outputs. Outputs past the last one alias the first.
    const t0 = to + offsetOfOutput(o, panel);
    const t1 = lanes > 1 ? to + offsetOfOutput(o + 1, panel) : t0;
    const t2 = lanes > 2 ? to + offsetOfOutput(o + 2, panel) : t0;
    const t3 = lanes > 3 ? to + offsetOfOutput(o + 3, panel) : t0;
    storeGradRow(y00, y01, t0, t1, t2, t3, place);
    storeGradRow(f32x4.add(y00, y10), f32x4.add(y01, y11), t0 + 4 * place, t1 + 4 * place, t2 + 4 * place, t3 + 4 * place, place);
    storeGradRow(f32x4.sub(y00, y10), f32x4.sub(y01, y11), t0 + 8 * place, t1 + 8 * place, t2 + 8 * place, t3 + 8 * place, place);
    storeGradRow(f32x4.neg(y10), f32x4.neg(y11), t0 + 12 * place, t1 + 12 * place, t2 + 12 * place, t3 + 12 * place, place);
  }
}

/** The offset of an output in panels of five outputs that lie `panel` bytes apart. */
// @ts-ignore: decorator
@inline
function offsetOfOutput(output: i32, panel: usize): usize {
  return <usize>(output / PANEL) * panel + 4 * <usize>(output % PANEL);
}

/** Stores a row of Z: y₀, y₀ + y₁, y₀ − y₁, −y₁. */
function storeGradRow(y0: v128, y1: v128, t0: usize, t1: usize, t2: usize, t3: usize, place: usize): void {
  spread(y0, t0, t1, t2, t3);
  spread(f32x4.add(y0, y1), t0 + place, t1 + place, t2 + place, t3 + place);
  spread(f32x4.sub(y0, y1), t0 + 2 * place, t1 + 2 * place, t2 + 2 * place, t3 + 2 * place);
  spread(f32x4.neg(y1), t0 + 3 * place, t1 + 3 * place, t2 + 3 * place, t3 + 3 * place);
}

/** Stores the four lanes at their addresses. Lane 0 is stored last, because lanes past the last output alias its address. */
// @ts-ignore: decorator
@inline
function spread(v: v128, t0: usize, t1: usize, t2: usize, t3: usize): void {
  v128.store32_lane(t3, v, 3);
  v128.store32_lane(t2, v, 2);
  v128.store32_lane(t1, v, 1);
  v128.store32_lane(t0, v, 0);
}

/**
 * dkernel [3, 3, channels, outputs] (+)= Gᵀ dU G for outputs first … end - 1. dU is the sum of the totals of `parts` parts, added in their
 * order. `work`: memory for 12 vectors.
 */
export function computeWinogradKernelGrad(
  first: i32, end: i32, sums: usize, parts: i32, dkernel: usize, accumulate: bool, work: usize,
): void {
  const place: usize = <usize>winogradSums() / 2; // bytes of one place of the 16: totals are doubles
  const tap: usize = 4 * <usize>(channels * outputs);
  for (let o = first; o < end; o++) {
    for (let c = 0; c < channels; c += 4) {
      const tile = (o / PANEL) * channelPanels() + c / NR;
      let from = sums + 8 * <usize>(tile * PANEL * NR + (o % PANEL) * NR + c % NR);
      // Gᵀ dU for each column of dU, then (Gᵀ dU) G for each row.
      for (let at = work; at < work + 192; at += 48, from += place) {
        v128.store(at, total(from, parts));
        v128.store(at, total(from + 4 * place, parts), 16);
        v128.store(at, total(from + 8 * place, parts), 32);
        narrow(at, 16, total(from + 12 * place, parts));
      }
      let to = dkernel + 4 * <usize>(c * outputs + o);
      for (let at = work; at < work + 48; at += 16, to += 3 * tap) {
        narrow(at, 48, v128.load(at, 144));
        putTaps(to, v128.load(at), accumulate);
        putTaps(to + tap, v128.load(at, 48), accumulate);
        putTaps(to + 2 * tap, v128.load(at, 96), accumulate);
      }
    }
  }
}

/** Replaces m₀, m₁, m₂, which lie `step` bytes apart, by Gᵀ m = [m₀ + (m₁ + m₂)/2, (m₁ − m₂)/2, (m₁ + m₂)/2 + m₃]. */
function narrow(at: usize, step: usize, m3: v128): void {
  const m1 = v128.load(at + step);
  const m2 = v128.load(at + 2 * step);
  const half = f32x4.splat(0.5);
  const mean = f32x4.mul(f32x4.add(m1, m2), half);
  v128.store(at, f32x4.add(v128.load(at), mean));
  v128.store(at + step, f32x4.mul(f32x4.sub(m1, m2), half));
  v128.store(at + 2 * step, f32x4.add(mean, m3));
}

/** The sum of the totals of all parts for four elements, rounded to float32. Totals and sums of a part take 12 bytes for each element. */
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

/** Stores four channels of one tap and output. */
function putTaps(to: usize, v: v128, accumulate: bool): void {
  const next: usize = 4 * <usize>outputs;
  for (let lane = 0; lane < 4; lane++, to += next) {
    store<f32>(to, f32x4.extract_lane(v, 0) + (accumulate ? load<f32>(to) : 0));
    v = v128.shuffle<f32>(v, v, 1, 2, 3, 0);
  }
}
