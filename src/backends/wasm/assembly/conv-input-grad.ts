// The gradient of a convolution's input.
//
// - A 1 × 1 kernel at stride 1: one matrix product, dx [pixels, channels] = dy [pixels, outputs] · kernelᵀ (gemm.ts).
// - Stride 1: a convolution of dy with the kernel rotated by 180 degrees (conv.ts).
// - Otherwise: dpatches [windows, depth] = dy [windows, outputs] · kernelᵀ [outputs, depth], block of windows by block,
//   and each patch is added to the pixels from which it was read (col2im). The rest of this page describes this case.
//
//     dy [windows, outputs]  --product-->  dpatches [block, kernelHeight, kernelWidth, share]
//                            --add------>  dx [height, width, channels]
//
// - Vectors: the product as in gemm.ts; patches are added four channels at a time.
// - Parts: images, at most 64 parts, because windows of one image may overlap.
// - Accuracy: if more than 48 windows share a pixel, the gradient of an image is summed in float64 (doubles.ts).
// - Work memory of a thread: panels of the product, and a block of patches (128 kB, or 4 patches if they are larger).
//   If the image has totals in float64, those as well.

import * as plan from "./conv-plan";
import { args } from "./conv-plan";
import { convolve } from "./conv";
import { hasManyWindows, imageNumbers, imageTotals, roundImage, widenImage } from "./doubles";
import { computeProduct, gemm } from "./gemm";
import {
  batch, channels, dilationX, dilationY, groups, height, kernelHeight, kernelWidth, outHeight, outputs, outWidth, padLeft, padTop,
  readSizes, strideX, strideY, width,
} from "./sizes";
import { cut, runWith } from "./threads";

/** dx (+)= the gradient of the input for dy. */
export function conv2dInputGrad(_n: i32, dy: usize, kernel: usize, dx: usize, accumulate: bool): void {
  readSizes();
  if (plan.isPointwise())
    return gemm(batch * height * width, channels, outputs, dy, outputs, 1, kernel, 1, outputs, dx, channels, accumulate, 0);
  if (strideY == 1 && strideX == 1) return convolve(true, dy, kernel, 0, dx, accumulate);
  plan.planInputGrad();
  args.y = dy;
  args.kernel = kernel;
  args.x = dx;
  args.accumulate = accumulate;
  runWith(inputGradPart, plan.parts, plan.slotBytes);
}

function inputGradPart(part: i32, parts: i32, work: usize): void {
  plan.planInputGrad();
  const accumulate = args.accumulate, many = hasManyWindows();
  const kernel = args.kernel;
  const patches = work + plan.patchProduct;
  const numbers = <usize>imageNumbers();
  const totals = work + <usize>(plan.slotBytes - (many ? imageTotals() : 0));
  const block = plan.patchWindows;
  const outStep: usize = 4 * <usize>outputs;
  const count = outHeight * outWidth;
  const end = cut(batch, part + 1, parts, 1);
  for (let image = cut(batch, part, parts, 1); image < end; image++) {
    const dx = args.x + 4 * <usize>image * numbers;
    const dy = args.y + <usize>image * <usize>count * outStep;
    if (many) widenImage(dx, numbers, totals, accumulate);
    else if (!accumulate) memory.fill(dx, 0, 4 * numbers);
    for (let first = 0; first < count; first += block) {
      const here = min(block, count - first);
      for (let g = 0; g < groups; g++) {
        const at = dy + <usize>first * outStep + 4 * <usize>(g * plan.outShare);
        const weights = kernel + 4 * <usize>(g * plan.outShare);
        computeProduct(here, plan.depth, plan.outShare, at, outputs, 1, weights, 1, outputs, patches, plan.depth, false, 0, work);
        addPatches(patches, g, first, here, many ? totals : dx, many);
      }
    }
    if (many) roundImage(totals, numbers, dx);
  }
}

/**
 * dx += patches of `count` windows from `first` on: each number of a patch at the pixel from which it was read. dx: the
 * gradient of one image in float32 or, if `wide`, its totals in float64.
 */
function addPatches(patches: usize, group: i32, first: i32, count: i32, dx: usize, wide: bool): void {
  let ox = first % outWidth;
  let oy = first / outWidth;
  const run: usize = 4 * <usize>plan.share;
  for (let w = 0; w < count; w++) {
    for (let ky = 0; ky < kernelHeight; ky++) {
      const iy = oy * strideY - padTop + ky * dilationY;
      for (let kx = 0; kx < kernelWidth; kx++, patches += run) {
        const ix = ox * strideX - padLeft + kx * dilationX;
        if (iy < 0 || iy >= height || ix < 0 || ix >= width) continue;
        const place = <usize>(iy * width + ix) * <usize>channels + <usize>(group * plan.share);
        if (wide) {
          addWide(patches, plan.share, dx + 8 * place);
          continue;
        }
        const to = dx + 4 * place;
        let c = 0;
        for (; c + 4 <= plan.share; c += 4) {
          const at: usize = 4 * <usize>c;
          v128.store(to + at, f32x4.add(v128.load(to + at), v128.load(patches + at)));
        }
        for (; c < plan.share; c++) {
          const at: usize = 4 * <usize>c;
          store<f32>(to + at, load<f32>(to + at) + load<f32>(patches + at));
        }
      }
    }
    if (++ox < outWidth) continue;
    ox = 0;
    oy++;
  }
}

/** totals [n] (f64) += x [n]. */
function addWide(x: usize, n: i32, totals: usize): void {
  for (const end = x + 4 * <usize>n; x < end; x += 4, totals += 8) store<f64>(totals, load<f64>(totals) + <f64>load<f32>(x));
}
