import fc from "fast-check";
import { expect, test } from "vitest";
import { ACTIVATIONS, type Activation } from "../../src/kernels/index.ts";
import * as ops from "../../src/ops/index.ts";
import { Generator, gradients, randomNormal, type Tensor, tensor, variable } from "../../src/tensor/index.ts";
import "../fixed-seed.ts";
import { checkReplay } from "./replay.ts";

// The specification of batch normalization: normalize, scale, shift and activate, op by op.

const activations: Readonly<Record<Activation, (x: Tensor) => Tensor>> = {
  none: (x) => x,
  relu: ops.relu,
  relu6: ops.relu6,
  hardSwish: ops.hardSwish,
  silu: ops.silu,
};

type Given = { readonly mean: Tensor; readonly variance: Tensor };

/** gamma·(x − mean)/√(variance + epsilon) + beta, with the statistics of x if none are given. */
function affine(x: Tensor, gamma: Tensor | undefined, beta: Tensor | undefined, epsilon: number, given?: Given): Tensor {
  const axes = x.shape.slice(0, -1).map((_, axis) => axis);
  const centered = ops.sub(x, given?.mean ?? ops.mean(x, axes));
  const variance = given?.variance ?? ops.mean(ops.square(centered), axes);
  const z = ops.mul(centered, ops.rsqrt(ops.add(variance, epsilon)));
  const scaled = gamma === undefined ? z : ops.mul(z, gamma);
  return beta === undefined ? scaled : ops.add(scaled, beta);
}

/** Random numbers, but 0 where u is so close to a kink of an activation that rounding decides on which side it lies. */
const upstreamOf = (u: Tensor, random: Generator): Tensor =>
  tensor(
    Float32Array.from(u.data, (v) => ([-3, 0, 3, 6].some((kink) => Math.abs(v - kink) < 1e-3) ? 0 : random.normal())),
    u.shape,
  );

const CLOSE = 2e-5;
function expectClose(what: string, got: Tensor, want: Tensor): void {
  const size = want.toArray().reduce((most, v) => Math.max(most, Math.abs(v)), 1);
  for (const [i, v] of want.toArray().entries())
    if (!(Math.abs(got.data[i]! - v) <= CLOSE * size)) throw new Error(`${what}: element ${i} is ${got.data[i]}, want ${v}`);
}

const cases = fc.record({
  // Small work runs the plain kernels, sizes over 256 run WebAssembly.
  shape: fc.oneof(
    fc.tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 7 }), fc.integer({ min: 1, max: 9 })),
    fc.tuple(fc.integer({ min: 3, max: 9 }), fc.integer({ min: 20, max: 50 }), fc.integer({ min: 1, max: 40 })),
  ),
  activation: fc.constantFrom(...ACTIVATIONS),
  hasGamma: fc.boolean(),
  hasBeta: fc.boolean(),
  trains: fc.boolean(),
  seed: fc.integer(),
});

test("batch normalization with an activation equals the composition of ops in result and gradients, in training and inference", () => {
  fc.assert(
    fc.property(cases, ({ shape, activation, hasGamma, hasBeta, trains, seed }) => {
      const random = new Generator(seed);
      const channels = [shape[2]];
      const leaf = (x: Tensor): Tensor => variable(x);
      const x = leaf(randomNormal(shape, random, 1, 3));
      const gamma = hasGamma ? leaf(randomNormal(channels, random, 1, 0.5)) : undefined;
      const beta = hasBeta ? leaf(randomNormal(channels, random, 0.5, 2)) : undefined;
      const given = { mean: randomNormal(channels, random), variance: ops.add(ops.square(randomNormal(channels, random)), 0.1) };
      const fused = (x: Tensor): Tensor =>
        trains
          ? ops.batchNormTraining(x, gamma, beta, 0.1, { activation }).y
          : ops.batchNormInference(x, gamma, beta, given.mean, given.variance, 0.1, { activation });
      const u = affine(x, gamma, beta, 0.1, trains ? undefined : given);
      const [got, want] = [fused(x), activations[activation](u)];
      expectClose("y", got, want);
      const upstream = upstreamOf(u, random);
      const leaves = [x, gamma, beta].filter((leaf) => leaf !== undefined);
      const wanted = gradients(want, leaves, upstream);
      for (const [i, d] of gradients(got, leaves, upstream).entries()) expectClose(`gradient ${i}`, d, wanted[i]!);
      checkReplay(fused, [x]);
    }),
    { numRuns: 200 },
  );
});

test("gradients of gamma and beta add up over several uses", () => {
  const [gamma, beta] = [variable(tensor([2, 3])), variable(tensor([0, 1]))];
  const x = randomNormal([6, 2], new Generator(1));
  const y = (): Tensor => ops.batchNormTraining(x, gamma, beta).y;
  const once = gradients(y(), [gamma, beta], x).map((d) => [...d.data]);
  const twice = gradients(ops.add(y(), y()), [gamma, beta], x).map((d) => [...d.data]);
  expect(twice).toEqual(once.map((d) => d.map((v) => 2 * v)));
});

test("a NaN in one channel does not change the other channels", () => {
  const x = randomNormal([100, 6], new Generator(1));
  const clean = ops.batchNormTraining(x, undefined, undefined, 1e-3, { activation: "relu" }).y;
  const { y } = ops.batchNormTraining(
    tensor(
      Float32Array.from(x.data, (v, i) => (i === 8 ? Number.NaN : v)),
      x.shape,
    ),
    undefined,
    undefined,
    1e-3,
    { activation: "relu" },
  );
  expect([...y.data]).toEqual([...clean.data].map((v, i) => (i % 6 === 2 ? Number.NaN : v)));
});
