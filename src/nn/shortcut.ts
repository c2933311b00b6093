import { pad, slice } from "../ops/index.ts";
import { readCount, readName, readTensor, ShapeError, show } from "../tensor/index.ts";
import type { Layer } from "./layer.ts";

/**
 * Where option A puts the new channels of a shortcut, which are zero. "around": half in front, the odd one behind (as
 * the common PyTorch version does). "after": all behind. The paper does not say.
 */
export type ShortcutZeros = "around" | "after";

/**
 * Returns a layer that takes every `stride`-th pixel and adds channels of zeros (He et al. 2015, section 3.3, option
 * A): x [batch, height, width, channels] → [batch, ⌈height/stride⌉, ⌈width/stride⌉, filters]. No variables.
 * @param channels - the channels of x
 * @param filters - the channels of the result, at least `channels`
 * @param stride - the distance between the pixels that stay
 * @param zeros - the position of the new channels
 * @example
 * console.log(optionAShortcut(16, 32, 2, "around")(ones([1, 8, 8, 16])).shape); //=> [ 1, 4, 4, 32 ]
 */
export function optionAShortcut(channels: number, filters: number, stride: number, zeros: ShortcutZeros): Layer {
  readCount("optionAShortcut", "channels", channels, 1);
  readCount("optionAShortcut", "filters", filters, 1);
  readCount("optionAShortcut", "stride", stride, 1);
  readName("optionAShortcut", "zeros", zeros, ["around", "after"]);
  const added = filters - channels;
  if (added < 0)
    throw new ShapeError("optionAShortcut", `${channels} channels to ${filters}: zero channels only add; use a projection`);
  const before = zeros === "around" ? Math.floor(added / 2) : 0;
  return (x) => {
    const { shape } = readTensor("optionAShortcut", "x", x);
    if (shape.length !== 4 || shape[3] !== channels)
      throw new ShapeError("optionAShortcut", `x ${show(shape)}: need [batch, height, width, ${channels}]`);
    const pixels = stride === 1 ? x : slice(x, [0], [-1], { strides: [1, stride, stride] });
    return pad(pixels, [
      [0, 0],
      [0, 0],
      [0, 0],
      [before, added - before],
    ]);
  };
}
