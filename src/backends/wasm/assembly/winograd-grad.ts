// The gradient of a 3 × 3 kernel by Winograd's algorithm (winograd.ts). A tile of pixels gives V = Bᵀ d B, and its 2 ×
// 2 gradients give Z = A dy Aᵀ. Then dU = Σ over tiles of Z ⊙ V, and dg = Gᵀ dU G. For each of the 16 places, dU is a
// matrix product:
//
//     dU [outputs, channels] += Zᵀ [outputs, tiles] · V [tiles, channels]
//
// - Layout: Z [16, tiles, outputs], in rows; V [16, panel, tiles, 8], in panels of eight channels. `addProducts` reads
//   a group of four neighboring outputs of a row of Z, `computeTilePanels` a group of five. dU [16, group, panel, 4 or
//   5, 8]: sums in float32. If the sums of a part have many blocks, totals of the same shape in float64 precede the
//   sums.
// - Vectors: transforms take four channels or outputs at a time, products eight channels.
// - Accuracy: a block of 48 tiles is one float32 sum, even if its tiles lie in several images. The sums collect 8
//   blocks before they are added to the totals. A part of at most 8 blocks has no totals.
// - Parts: ranges of strips, each with its own dU (conv-kernel-grad.ts). A part has at least 128 tiles: with fewer,
//   adding the sums of all parts takes longer than computing them.
// - Work memory of a thread: Z and V of a block of tiles.
//
// Source: Lavin and Gray 2016, "Fast Algorithms for Convolutional Neural Networks".

import { collect } from "./doubles";
import { channels, outputs, outWidth } from "./sizes";
import { enterStrip, firstWindow, pitch, rowsHere } from "./strips";
import { computeTilePanels, NR, PANEL } from "./tile";
import { transformTile } from "./winograd";
import { addProducts, GROUP } from "./winograd-tile";

/** Tiles in a block. The products of a block are one float32 sum. */
const GRAD_TILES: i32 = 48;
/** Blocks that dU collects in float32 before it is added to the totals. */
const MOST_BLOCKS: i32 = 8;
/** A part with at most this number of tiles has no totals. */
export const FEW_TILES: i32 = MOST_BLOCKS * GRAD_TILES;
/** A part has at least this number of tiles. */
export const PART_TILES: i32 = 128;

/** Outputs of a group. Groups of five are computed faster, unless they waste more than 6 %: 20 outputs for 16. */
function groupRows(): i32 {
  const fives = (outputs + PANEL - 1) / PANEL * PANEL, fours = (outputs + GROUP - 1) / GROUP * GROUP;
  return 16 * fives <= 17 * fours ? PANEL : GROUP;
}
/** Groups of outputs. */
function outputGroups(): i32 {
  return (outputs + groupRows() - 1) / groupRows();
}
/** Panels of eight channels. */
function channelPanels(): i32 {
  return (channels + NR - 1) / NR;
}

/** The number of elements of dU [16, group of outputs, panel of eight channels, 4 or 5, 8]. */
export function winogradSums(): i32 {
  return 16 * outputGroups() * groupRows() * channelPanels() * NR;
}

/** Bytes of a row of Z: the outputs, in whole groups and whole vectors. */
function rowBytes(): i32 {
  return 4 * (max(outputGroups() * groupRows(), outputs) + 3 & ~3);
}

/** Bytes of a thread's work memory: the transforms of a block of tiles and of its dy. */
export function winogradGradBytes(): i32 {
  return 16 * GRAD_TILES * (4 * channelPanels() * NR + rowBytes());
}

// The current part. `beginWinogradGrad` fills these, `multiplyBlock` counts.

/** The addresses of the sums of dU (f32) and of their totals (f64), which are 0 if there are none. */
let sumsAt: usize, totalsAt: usize;
/** Blocks that the sums hold, and tiles that the current block holds. */
let blocksHeld: i32, tilesHeld: i32;

/** Begins a part, whose dU is at `to`: totals and sums if `wide`, otherwise only sums. */
export function beginWinogradGrad(to: usize, wide: bool): void {
  const numbers = <usize>winogradSums();
  totalsAt = wide ? to : 0;
  sumsAt = wide ? to + 8 * numbers : to;
  memory.fill(to, 0, (wide ? 12 : 4) * numbers);
  blocksHeld = 0;
  tilesHeld = 0;
}

/** Ends a part: its totals or, if there are none, its sums are complete. */
export function endWinogradGrad(work: usize): void {
  if (tilesHeld > 0) multiplyBlock(work);
  if (totalsAt != 0) collect(sumsAt, winogradSums(), totalsAt);
}

/** Adds the windows of strip `index` to dU. frame: memory for a frame (strips.ts). */
export function addWinogradGradStrip(index: i32, x: usize, dy: usize, frame: usize, work: usize): void {
  const pixel: usize = 4 * <usize>channels;
  const outStep: usize = 4 * <usize>outputs;
  const vPlace: usize = 4 * <usize>(GRAD_TILES * channelPanels() * NR);
  const zRow: usize = rowBytes(), zPlace: usize = GRAD_TILES * zRow;
  const z = work + 16 * vPlace;
  let source = enterStrip(index, x, frame);
  let out = dy + <usize>firstWindow(index) * outStep;
  for (let row = 0; row < rowsHere; row += 2, source += 2 * pitch, out += 2 * <usize>outWidth * outStep) {
    let from = source, to = out;
    for (let column = 0; column < outWidth; column += 2, from += 2 * pixel, to += 2 * outStep) {
      transformTile(from, work + 4 * NR * <usize>tilesHeld, vPlace, 4 * NR, 4 * NR * GRAD_TILES);
      transformGrad(to, row + 1 < rowsHere, column + 1 < outWidth, z + zRow * <usize>tilesHeld, zPlace);
      if (++tilesHeld == GRAD_TILES) multiplyBlock(work);
    }
  }
}

/** Adds the products of the current block to the sums. The next block is empty. */
function multiplyBlock(work: usize): void {
  if (blocksHeld == MOST_BLOCKS) {
    collect(sumsAt, winogradSums(), totalsAt);
    blocksHeld = 0;
  }
  const vPlace: usize = 4 * <usize>(GRAD_TILES * channelPanels() * NR);
  const zRow: usize = rowBytes(), zPlace: usize = GRAD_TILES * zRow;
  let v = work, z = work + 16 * vPlace, to = sumsAt;
  const rows = groupRows(), panel: usize = 4 * NR * GRAD_TILES;
  for (let k = 0; k < 16; k++, v += vPlace, z += zPlace) {
    for (let i = 0; i < outputGroups(); i++) {
      const a = z + 4 * <usize>(i * rows);
      if (rows == GROUP) addProducts(channelPanels(), tilesHeld, a, zRow, v, panel, to);
      else {
        for (let j = 0, c = to; j < channelPanels(); j++, c += 4 * PANEL * NR) {
          computeTilePanels(tilesHeld, a, zRow, v + panel * <usize>j, c, 4 * NR, c, 4 * NR);
        }
      }
      to += 4 * NR * <usize>(rows * channelPanels());
    }
  }
  blocksHeld++;
  tilesHeld = 0;
}

/**
 * Transforms a 2 × 2 tile of dy, whose second row or column may not exist: Z = A dy Aᵀ, its 16 places `place` bytes
 * apart.
 */
function transformGrad(dy: usize, below: bool, beside: bool, to: usize, place: usize): void {
  const outStep: usize = 4 * <usize>outputs;
  const down: usize = <usize>outWidth * outStep;
  const zero = f32x4.splat(0);
  for (let o = 0; o < outputs; o += 4, dy += 16, to += 16) {
    const y00 = v128.load(dy);
    const y01 = beside ? v128.load(dy + outStep) : zero;
    const y10 = below ? v128.load(dy + down) : zero;
    const y11 = below && beside ? v128.load(dy + down + outStep) : zero;
    storeGradRow(y00, y01, to, place);
    storeGradRow(f32x4.add(y00, y10), f32x4.add(y01, y11), to + 4 * place, place);
    storeGradRow(f32x4.sub(y00, y10), f32x4.sub(y01, y11), to + 8 * place, place);
    storeGradRow(f32x4.neg(y10), f32x4.neg(y11), to + 12 * place, place);
  }
}

/** Stores a row of Z: y₀, y₀ + y₁, y₀ − y₁, −y₁. */
// @ts-ignore: decorator
@inline
function storeGradRow(y0: v128, y1: v128, to: usize, place: usize): void {
  v128.store(to, y0);
  v128.store(to + place, f32x4.add(y0, y1));
  v128.store(to + 2 * place, f32x4.sub(y0, y1));
  v128.store(to + 3 * place, f32x4.neg(y1));
}

/**
 * dkernel [3, 3, channels, outputs] (+)= Gᵀ dU G for outputs first … end - 1. dU is the sum over `parts` parts, added
 * in their order: of their totals if `wide`, otherwise of their sums. `work`: memory for 12 vectors.
 */
export function computeWinogradKernelGrad(
  first: i32, end: i32, sums: usize, parts: i32, wide: bool, dkernel: usize, accumulate: bool, work: usize,
): void {
  const rows = groupRows(), element: usize = wide ? 8 : 4;
  const place: usize = <usize>winogradSums() / 16 * element, next: usize = (wide ? 12 : 4) * <usize>winogradSums();
  const tap: usize = 4 * <usize>(channels * outputs);
  for (let o = first; o < end; o++) {
    for (let c = 0; c < channels; c += 4) {
      const tile = (o / rows) * channelPanels() + c / NR;
      let from = sums + element * <usize>(tile * rows * NR + (o % rows) * NR + c % NR);
      // Gᵀ dU for each column of dU, then (Gᵀ dU) G for each row.
      for (let at = work; at < work + 192; at += 48, from += place) {
        v128.store(at, total(from, parts, next, wide));
        v128.store(at, total(from + 4 * place, parts, next, wide), 16);
        v128.store(at, total(from + 8 * place, parts, next, wide), 32);
        narrow(at, 16, total(from + 12 * place, parts, next, wide));
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

/**
 * The sum of four elements of dU over all parts, which lie `next` bytes apart, rounded to float32. The elements are
 * float64 if `wide`, otherwise float32.
 */
function total(from: usize, parts: i32, next: usize, wide: bool): v128 {
  let low = f64x2.splat(0), high = f64x2.splat(0);
  for (; parts > 0; parts--, from += next) {
    const x = v128.load(from);
    low = f64x2.add(low, wide ? x : f64x2.promote_low_f32x4(x));
    high = f64x2.add(high, wide ? v128.load(from, 16) : f64x2.promote_low_f32x4(v128.shuffle<f32>(x, x, 2, 3, 2, 3)));
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
