import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { backend, install, kernels } from "../../src/backends/index.ts";
import { curve, type Kind } from "./curve.ts";

const golden: Readonly<Record<Kind, number[]>> = JSON.parse(readFileSync(new URL("curve.json", import.meta.url), "utf8"));

/**
 * The plain kernels and the WebAssembly kernels differ by at most 2.4e-7 in any of these losses. The file is rounded to
 * 1e-6. A gradient of the convolution's kernel that is one percent too large moves the last losses by 7e-4 and more.
 */
const TOLERANCE = 2e-5;

const furthest = (losses: number[], kind: Kind): number =>
  Math.max(...losses.map((loss, i) => Math.abs(loss - golden[kind][i]!)));

test.each(["dense", "product"] as const)("the loss of the toy network, %s, follows the golden curve for ten steps", (kind) => {
  const losses = curve(kind);
  expect(losses).toEqual(golden[kind].map((loss) => expect.closeTo(loss, 4))); // shows both curves where they part
  expect(furthest(losses, kind)).toBeLessThan(TOLERANCE);
});

test("a kernel gradient that is 1 % too large deviates from the golden curve", () => {
  backend();
  const { conv2dKernelGrad } = kernels;
  const undo = install({
    conv2dKernelGrad: (sizes, x, dy, dkernel, accumulate) =>
      conv2dKernelGrad(
        sizes,
        x,
        dy.map((v) => 1.01 * v),
        dkernel,
        accumulate,
      ),
  });
  try {
    expect(furthest(curve("product"), "product")).toBeGreaterThan(20 * TOLERANCE);
  } finally {
    undo();
  }
});
