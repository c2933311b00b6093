import { DataError } from "../../data/index.ts";
import { type Generator, show, type Tensor, zeros } from "../../tensor/index.ts";
import type { Augment, Augmentation } from "./opened.ts";

/** How an image is moved: mirrored first, then shifted. */
export type Move = {
  /** Pixels to the bottom; negative to the top. */
  readonly down: number;
  /** Pixels to the right; negative to the left. */
  readonly right: number;
  /** Whether left and right are exchanged. */
  readonly flip: boolean;
};

/** Images of at least this share of each side remain after a crop. */
const LEAST_CROP = 0.8;

const apply: Readonly<Record<Augmentation, (inputs: Tensor, random: Generator) => Tensor>> = {
  shift: (inputs, random) => {
    const [, height = 0, width = 0] = inputs.shape;
    const drawn = (side: number): number => random.below(2 * mostShift(side) + 1) - mostShift(side);
    return movedImages(inputs, () => ({ down: drawn(height), right: drawn(width), flip: false }));
  },
  flip: (inputs, random) => movedImages(inputs, () => ({ down: 0, right: 0, flip: random.below(2) === 1 })),
  crop: croppedImages,
};

/** The most pixels that `shift` moves along a side: an eighth of the side. */
export const mostShift = (side: number): number => Math.round(side / 8);

/**
 * Returns a function that changes the images `[batch, height, width, channels]` of a batch, each image in its own way.
 * The same state of the generator gives the same bits.
 * - "shift" moves by up to an eighth of each side. Pixels that come into the image are 0.
 * - "flip" mirrors every other image, left to right.
 * - "crop" takes a random part of at least 80 % of each side, and scales the part to the size of the image.
 * @param names - the augmentations, in the order in which they are applied
 */
export function augmentation(names: readonly Augmentation[]): Augment {
  return ({ inputs, targets }, random) => {
    if (inputs.shape.length !== 4)
      throw new DataError("--augment", `the inputs are ${show(inputs.shape)}: need images [batch, height, width, channels]`);
    return { inputs: names.reduce((images, name) => apply[name](images, random), inputs), targets };
  };
}

/** Images [batch, height, width, channels], each moved as `moveOf` says for it. Pixels that come into it are 0. */
export function movedImages(inputs: Tensor, moveOf: () => Move): Tensor {
  const [count, height, width, channels] = inputs.shape as [number, number, number, number];
  const moved = zeros(inputs.shape);
  const [x, y] = [inputs.data, moved.data];
  for (let n = 0; n < count; n++) {
    const { down, right, flip } = moveOf();
    for (let i = Math.max(0, down); i < Math.min(height, height + down); i++) {
      for (let j = Math.max(0, right); j < Math.min(width, width + right); j++) {
        const from = ((n * height + i - down) * width + (flip ? width - 1 - (j - right) : j - right)) * channels;
        const to = ((n * height + i) * width + j) * channels;
        for (let c = 0; c < channels; c++) y[to + c] = x[from + c]!;
      }
    }
  }
  return moved;
}

/** Where a pixel of a scaled part lies: between two pixels of the image, at a share of the way to the second. */
type Place = { readonly first: number; readonly second: number; readonly share: number };

/** The places along a side of a random part, whose length is `scale` times the side. */
function placesOf(side: number, scale: number, random: Generator): Place[] {
  const begin = random.uniform() * side * (1 - scale);
  return Array.from({ length: side }, (_, i) => {
    const at = Math.min(side - 1, Math.max(0, begin + (i + 0.5) * scale - 0.5));
    const first = Math.floor(at);
    return { first, second: Math.min(side - 1, first + 1), share: at - first };
  });
}

/** Images [batch, height, width, channels], each a random part of the image, interpolated between pixels (bilinear). */
function croppedImages(inputs: Tensor, random: Generator): Tensor {
  const [count, height, width, channels] = inputs.shape as [number, number, number, number];
  const cropped = zeros(inputs.shape);
  const [x, y] = [inputs.data, cropped.data];
  let to = 0;
  for (let n = 0; n < count; n++) {
    const scale = LEAST_CROP + (1 - LEAST_CROP) * random.uniform();
    const [rows, columns] = [placesOf(height, scale, random), placesOf(width, scale, random)];
    for (const row of rows) {
      const upper = (n * height + row.first) * width;
      const lower = (n * height + row.second) * width;
      for (const { first, second, share } of columns) {
        for (let c = 0; c < channels; c++) {
          const top = between(x[(upper + first) * channels + c]!, x[(upper + second) * channels + c]!, share);
          const bottom = between(x[(lower + first) * channels + c]!, x[(lower + second) * channels + c]!, share);
          y[to++] = between(top, bottom, row.share);
        }
      }
    }
  }
  return cropped;
}

const between = (a: number, b: number, share: number): number => a + (b - a) * share;
