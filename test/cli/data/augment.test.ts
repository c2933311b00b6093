import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { augmentation, mostShift, movedImages } from "../../../src/cli/data/augment.ts";
import { AUGMENTATIONS } from "../../../src/cli/options.ts";
import { Generator, type Tensor, tensor } from "../../../src/index.ts";

const sides = fc.integer({ min: 1, max: 12 });
/** A batch of images of any size, whose pixels are all different and not 0. */
const batches = fc.tuple(fc.integer({ min: 0, max: 4 }), sides, sides, fc.integer({ min: 1, max: 4 })).map((shape) =>
  tensor(
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => i + 1),
    shape,
  ),
);
const names = fc.shuffledSubarray([...AUGMENTATIONS]);
const targets = Int32Array.of(7);

const numbersOf = ({ data }: Tensor): number[] => [...data];
const imagesOf = ({ data, shape }: Tensor): number[][] => {
  const size = shape.slice(1).reduce((a, b) => a * b, 1);
  return Array.from({ length: shape[0]! }, (_, n) => [...data.subarray(n * size, (n + 1) * size)]);
};
const augmented = (inputs: Tensor, list: readonly ("shift" | "flip" | "crop")[], seed: number): Tensor =>
  augmentation(list)({ inputs, targets }, new Generator(seed)).inputs;

describe("augmentation", () => {
  test("keeps the shape and the targets, and the same seed gives the same bits", () => {
    fc.assert(
      fc.property(batches, names, fc.nat(), (inputs, list, seed) => {
        const before = numbersOf(inputs);
        const batch = augmentation(list)({ inputs, targets }, new Generator(seed));
        expect(batch.targets).toBe(targets);
        expect(batch.inputs.shape).toEqual(inputs.shape);
        expect(numbersOf(batch.inputs)).toEqual(numbersOf(augmented(inputs, list, seed)));
        expect(numbersOf(inputs)).toEqual(before);
        if (list.length === 0) expect(batch.inputs).toBe(inputs);
      }),
    );
  });

  test("another seed gives other images", () => {
    const inputs = tensor(
      Float32Array.from({ length: 8 * 64 }, (_, i) => i),
      [8, 8, 8, 1],
    );
    for (const name of AUGMENTATIONS)
      expect(numbersOf(augmented(inputs, [name], 1))).not.toEqual(numbersOf(augmented(inputs, [name], 2)));
  });

  test("shift keeps the pixels that stay inside, in their order, and fills with 0", () => {
    fc.assert(
      fc.property(batches, fc.nat(), (inputs, seed) => {
        const [, height, width, channels] = inputs.shape as [number, number, number, number];
        const shifted = imagesOf(augmented(inputs, ["shift"], seed));
        for (const [n, image] of imagesOf(inputs).entries()) {
          const left = image.filter((pixel) => shifted[n]!.includes(pixel));
          expect(shifted[n]!.filter((pixel) => pixel !== 0)).toEqual(left);
          const leastInside = (height - mostShift(height)) * (width - mostShift(width)) * channels;
          expect(left.length).toBeGreaterThanOrEqual(leastInside);
        }
      }),
    );
  });

  test("shift reaches an eighth of each side in every direction", () => {
    const inputs = tensor(
      Float32Array.from({ length: 300 * 16 * 8 }, (_, i) => 1 + (i % 128)),
      [300, 16, 8, 1],
    );
    const firsts = imagesOf(augmented(inputs, ["shift"], 1)).map((image) => {
      const at = image.findIndex((pixel) => pixel !== 0);
      const [row, column] = [Math.floor(at / 8), at % 8];
      const [fromRow, fromColumn] = [Math.floor((image[at]! - 1) / 8), (image[at]! - 1) % 8];
      return `${row - fromRow} ${column - fromColumn}`;
    });
    const all = [-2, -1, 0, 1, 2].flatMap((down) => [-1, 0, 1].map((right) => `${down} ${right}`));
    expect([...new Set(firsts)].sort()).toEqual(all.sort());
  });

  test("flip mirrors about half of the images, and twice the same flip changes nothing", () => {
    fc.assert(
      fc.property(batches, fc.nat(), (inputs, seed) => {
        const once = augmented(inputs, ["flip"], seed);
        const [, , width, channels] = inputs.shape as [number, number, number, number];
        const mirror = (image: readonly number[]): number[] =>
          image.map((_, p) => {
            const [row, column, c] = [Math.floor(p / (width * channels)), Math.floor(p / channels) % width, p % channels];
            return image[(row * width + width - 1 - column) * channels + c]!;
          });
        for (const [n, image] of imagesOf(inputs).entries()) expect([image, mirror(image)]).toContainEqual(imagesOf(once)[n]);
        expect(numbersOf(augmented(once, ["flip"], seed))).toEqual(numbersOf(inputs));
      }),
    );
    const many = tensor(
      Float32Array.from({ length: 400 }, (_, i) => i % 2),
      [200, 1, 2, 1],
    );
    const flipped = imagesOf(augmented(many, ["flip"], 1)).filter(([first]) => first === 1).length;
    expect(flipped).toBeGreaterThan(70);
    expect(flipped).toBeLessThan(130);
  });

  test("crop stays between the darkest and the brightest pixel, and keeps an even image", () => {
    fc.assert(
      fc.property(
        batches,
        fc.nat(),
        fc.float({ noNaN: true, min: -8, max: 8 }).map((x) => x + 0) /* no -0 */,
        (inputs, seed, level) => {
          const cropped = imagesOf(augmented(inputs, ["crop"], seed));
          for (const [n, image] of imagesOf(inputs).entries()) {
            expect(Math.min(...cropped[n]!)).toBeGreaterThanOrEqual(Math.min(...image));
            expect(Math.max(...cropped[n]!)).toBeLessThanOrEqual(Math.max(...image));
          }
          const even = tensor(
            Float32Array.from(inputs.data, () => level),
            inputs.shape,
          );
          expect(numbersOf(augmented(even, ["crop"], seed))).toEqual(numbersOf(even));
        },
      ),
    );
  });

  test("crop shows at least 80 % of each side, and interpolates a ramp exactly", () => {
    const inputs = tensor(
      Float32Array.from({ length: 50 * 10 * 10 }, (_, i) => i % 10),
      [50, 10, 10, 1],
    );
    const crops = imagesOf(augmented(inputs, ["crop"], 1)).map((image) => image.slice(0, 10));
    for (const row of crops) {
      const steps = row.slice(2, 9).map((level, i) => level - row[i + 1]!); // inside, where no pixel is clamped
      expect(Math.max(...steps) - Math.min(...steps)).toBeLessThan(1e-5);
      expect(steps[0]).toBeGreaterThanOrEqual(0.8 - 1e-6);
      expect(steps[0]).toBeLessThanOrEqual(1 + 1e-6);
    }
    expect(new Set(crops.map(String)).size).toBe(50);
  });

  test("refuses inputs that are no images", () => {
    const rows = tensor([[1, 2]]);
    expect(() => augmented(rows, ["flip"], 1)).toThrow(
      /^--augment: the inputs are \[1, 2\]: need images \[batch, height, width, channels\]$/,
    );
  });
});

test("a move mirrors first and then shifts", () => {
  const image = tensor([1, 2, 3, 4, 5, 6].map(Number)).data;
  const moved = movedImages(tensor(image, [1, 2, 3, 1]), () => ({ down: 1, right: -1, flip: true }));
  expect(numbersOf(moved)).toEqual([0, 0, 0, 2, 1, 0]);
});
