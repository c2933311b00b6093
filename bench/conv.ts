import { backward, conv2d, depthwiseConv2d, Generator, randomNormal, step, sum, type Tensor, variable } from "../src/index.ts";
import { type Budget, bench, type Measurement } from "./harness.ts";

type Case = readonly [flops: number, start: () => Tensor, apply: (x: Tensor, kernel: Tensor) => Tensor];

const random = new Generator(1);
const pixels = 32 * 32 * 32;
const cases: Readonly<Record<string, Case>> = {
  "conv 3×3×64×64": [
    2 * pixels * 9 * 64 * 64,
    () => randomNormal([3, 3, 64, 64], random),
    (x, k) => conv2d(x, k, { padding: "same" }),
  ],
  "conv 1×1×64×64": [2 * pixels * 64 * 64, () => randomNormal([1, 1, 64, 64], random), (x, k) => conv2d(x, k)],
  "depthwise 3×3×64": [
    2 * pixels * 9 * 64,
    () => randomNormal([3, 3, 64, 1], random),
    (x, k) => depthwiseConv2d(x, k, { padding: "same" }),
  ],
};

/** One of the cases over 32 images of 32×32 pixels and 64 channels: forward, and forward with all gradients. */
export function convolution(name: string): { forward: () => number; both: () => number; flops: number } {
  const [flops, start, apply] = cases[name]!;
  const [x, kernel] = [variable(randomNormal([32, 32, 32, 64], random)), variable(start())];
  return {
    flops,
    forward: () => step(() => apply(x, kernel).data[0]!),
    both: () =>
      step(() => {
        backward(sum(apply(x, kernel)));
        return kernel.grad!.data[0]!;
      }),
  };
}

export function convBenches(budget: Budget): Measurement[] {
  return Object.keys(cases).flatMap((name) => {
    const { forward, both, flops } = convolution(name);
    return [bench(`${name} forward`, forward, budget, flops), bench(`${name} forward and backward`, both, budget, 3 * flops)];
  });
}
