import { expect, test } from "vitest";
import * as reference from "../../src/kernels/reference.ts";

const close = (x: ArrayLike<number>, want: number[]): void =>
  expect(Array.from(x)).toEqual(want.map((v) => expect.closeTo(v, 5)));

test("momentum accumulates the gradients of earlier steps, with and without Nesterov's look-ahead", () => {
  for (const nesterov of [false, true]) {
    const [p, v] = [Float32Array.of(1), Float32Array.of(0)];
    reference.sgdMomentum(p, Float32Array.of(2), v, 0.1, 0.5, nesterov);
    close(p, [nesterov ? 1 - 0.1 * (2 + 1) : 0.8]);
    const before = p[0]!;
    reference.sgdMomentum(p, Float32Array.of(-1), v, 0.1, 0.5, nesterov);
    close(v, [0]);
    close(p, [nesterov ? before + 0.1 : before]);
  }
});

test("Adam's first step has the size of the learning rate for a gradient of any size", () => {
  const [p, m, v] = [Float32Array.of(1, 1, 1), new Float32Array(3), new Float32Array(3)];
  reference.adam(p, Float32Array.of(1e-3, -500, 0), m, v, 0.1, 0.9, 0.999, 1e-8, 0.1, 0.001);
  close(p, [0.9, 1.1, 1]);
  close(m, [1e-4, -50, 0]);
  expect(v[1]).toBeCloseTo(250, 2);
});

test("RMSprop divides by the root of the running mean of squares", () => {
  const [p, s, v] = [Float32Array.of(1), new Float32Array(1), new Float32Array(1)];
  reference.rmsprop(p, Float32Array.of(2), s, v, 0.1, 0.9, 0.5, 0);
  close(s, [0.4]);
  close(p, [1 - (0.1 * 2) / Math.sqrt(0.4)]);
  reference.rmsprop(p, Float32Array.of(0), s, v, 0.1, 0.9, 0.5, 1e-7);
  close(p, [1 - (0.15 * 2) / Math.sqrt(0.4)]);
});

test("clipping keeps NaN and numbers within the limits", () => {
  const x = Float32Array.of(-5, -1, 0.5, 7, Number.NaN);
  reference.clipInPlace(x, -1, 2);
  expect(x).toEqual(Float32Array.of(-1, -1, 0.5, 2, Number.NaN));
});

test("squares are summed in double precision", () => {
  expect(reference.sumOfSquares(new Float32Array(100_000).fill(1e-4))).toBeCloseTo(100_000 * Math.fround(1e-4) ** 2, 12);
});
