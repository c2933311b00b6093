import { backward, conv2d, depthwiseConv2d, Generator, randomNormal, step, sum, type Tensor, variable } from "../src/index.ts";
import { type Budget, bench, type Measurement } from "./harness.ts";

/** Convolutions of 32 images of 32×32 pixels and 64 channels: forward, and forward with all gradients. */
export function convBenches(budget: Budget): Measurement[] {
  const random = new Generator(1);
  const pixels = 32 * 32 * 32;
  const cases: readonly (readonly [string, number, Tensor, (x: Tensor, kernel: Tensor) => Tensor])[] = [
    [
      "conv 3×3×64×64",
      2 * pixels * 9 * 64 * 64,
      randomNormal([3, 3, 64, 64], random),
      (x, k) => conv2d(x, k, { padding: "same" }),
    ],
    ["conv 1×1×64×64", 2 * pixels * 64 * 64, randomNormal([1, 1, 64, 64], random), (x, k) => conv2d(x, k)],
    [
      "depthwise 3×3×64",
      2 * pixels * 9 * 64,
      randomNormal([3, 3, 64, 1], random),
      (x, k) => depthwiseConv2d(x, k, { padding: "same" }),
    ],
  ];
  return cases.flatMap(([name, flops, start, apply]) => {
    const [x, kernel] = [variable(randomNormal([32, 32, 32, 64], random)), variable(start)];
    const forward = (): number => step(() => apply(x, kernel).data[0]!);
    const both = (): number =>
      step(() => {
        backward(sum(apply(x, kernel)));
        return kernel.grad!.data[0]!;
      });
    return [bench(`${name} forward`, forward, budget, flops), bench(`${name} forward and backward`, both, budget, 3 * flops)];
  });
}
