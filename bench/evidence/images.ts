import { movedImages } from "../../src/cli/data/augment.ts";
import { type Dataset, lengthOf } from "../../src/data/index.ts";
import type { Generator, Tensor } from "../../src/index.ts";

/**
 * Images [batch, height, width, channels], each moved by up to two pixels along each axis, and every other one
 * mirrored.
 */
export function shiftAndFlip<T>(
  { inputs, targets }: { inputs: Tensor; targets: T },
  random: Generator,
): { inputs: Tensor; targets: T } {
  const drawn = (): number => random.below(5) - 2;
  return { inputs: movedImages(inputs, () => ({ down: drawn(), right: drawn(), flip: random.below(2) === 1 })), targets };
}

/** The last n examples of a dataset of bytes or numbers. */
export function takeLast(dataset: Dataset, n: number): Dataset {
  const { inputs, labels } = dataset;
  const from = lengthOf(dataset) - n;
  return { ...dataset, inputs: inputs.subarray((from / labels.length) * inputs.length), labels: labels.subarray(from) };
}

/** Images of one channel and even sides, each pixel the mean of 2×2. */
export function halved(dataset: Dataset): Dataset {
  const [height, width] = dataset.inputShape.map((side) => side / 2) as [number, number];
  const x = dataset.inputs;
  const inputs = new Uint8Array(x.length / 4);
  for (let i = 0; i < inputs.length; i++) {
    // Rows are 2·width long, and every second row is left out.
    const at = 4 * width * Math.floor(i / width) + 2 * (i % width);
    inputs[i] = (x[at]! + x[at + 1]! + x[at + 2 * width]! + x[at + 2 * width + 1]! + 2) >> 2;
  }
  return { ...dataset, inputs, inputShape: [height, width, 1] };
}
