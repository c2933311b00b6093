import { setFlagsFromString } from "node:v8";
import { expect, test } from "vitest";
import { installAround } from "../../src/backends/index.ts";
import { backward, Generator, randomUniform, step, sum, training } from "../../src/index.ts";
import * as nn from "../../src/nn/index.ts";
import { sgd } from "../../src/optim/index.ts";
import { DenseVariables, scope } from "../../src/variables/index.ts";

setFlagsFromString("--allow-natives-syntax"); // before the next line is parsed
const haveSameClass = new Function("a", "b", "return %HaveSameMap(a, b)") as (a: object, b: object) => boolean;
const isPlain = (value: unknown): value is object => typeof value === "object" && value !== null && !ArrayBuffer.isView(value);

/**
 * V8 reads a property by its object's hidden class, and remembers four at each place. Where every call brought a new
 * one (as `{ ...windows, groups }` does on Node 20), plain convolutions read their sizes at a quarter of the speed.
 */
test("a training step passes objects of few hidden classes to its kernels, and later steps add none", () => {
  const vars = new DenseVariables();
  const model = nn.sequential(
    nn.conv2d(scope(vars, "conv"), 2, 4, 3, { padding: "same" }),
    nn.conv2d(scope(vars, "bare"), 4, 4, 3, { bias: false, groups: 2 }),
    nn.residual(nn.depthwiseConv2d(scope(vars, "depthwise"), 4, 3, { padding: "same" })),
    nn.depthwiseConv2d(scope(vars, "bare depthwise"), 4, 3, { bias: false }),
    nn.batchNorm(scope(vars, "norm"), 4),
    nn.maxPool2d(2),
    nn.avgPool2d(2),
    nn.flatten(),
    nn.layerNorm(scope(vars, "layer norm"), 4),
    nn.dense(scope(vars, "dense"), 4, 3),
  );
  const optimizer = sgd(vars.parameters(), { learningRate: 0.1 });
  const images = randomUniform([2, 8, 8, 2], new Generator(1));

  const classes = new Map<string, object[]>();
  const watch = <F extends (...args: never[]) => unknown>(name: string, fn: F): F => {
    const seen: object[] = [];
    classes.set(name, seen);
    return ((...args: Parameters<F>) => {
      for (const arg of (args as unknown[]).filter(isPlain)) {
        if (!seen.some((object) => haveSameClass(object, arg))) seen.push(arg);
      }
      return fn(...args);
    }) as F;
  };
  const counts = (): Record<string, number> => Object.fromEntries([...classes].map(([name, seen]) => [name, seen.length]));
  const train = (): void => {
    step(() => {
      backward(sum(training(() => model(images))));
      optimizer.step();
    });
  };
  const undo = installAround(watch);
  try {
    for (let i = 0; i < 3; i++) train();
    const early = counts();
    for (let i = 0; i < 20; i++) train();
    expect(counts()).toEqual(early);
    for (const name of ["conv2d", "conv2dKernelGrad", "depthwiseConv2d", "maxPool", "gemm"])
      expect(early[name], name).toBeGreaterThan(0);
    for (const [name, count] of Object.entries(early)) expect(count, name).toBeLessThanOrEqual(4);
  } finally {
    undo();
  }
});
