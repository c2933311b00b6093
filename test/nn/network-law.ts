import { assign, type Generator, gradients, noGrad, type Parameter, type Tensor, tensor } from "../../src/tensor/index.ts";

/**
 * The relative error of the derivative of ⟨upstream, f⟩ along one random direction of all parameters together, against
 * central differences over ±1/128 and ±1/256 (extrapolated). Parameters are leaves inside the network, so they are
 * moved by `assign`, and moved back.
 */
export function parameterGradientError(parameters: readonly Parameter[], f: () => Tensor, random: Generator): number {
  const leaves = parameters.map((p) => p.tensor);
  const before = leaves.map((x) => x.toArray());
  const directions = before.map((x) => Float64Array.from(x, () => 2 * random.uniform() - 1));
  const y = f();
  const upstream = Float32Array.from(y.data, () => 2 * random.uniform() - 1);
  const slopes = gradients(y, leaves, tensor(upstream, y.shape)).map((dx) => dx.toArray());
  const moved = (t: number): Float32Array[] => before.map((x, i) => x.map((v, j) => v + t * directions[i]![j]!));
  const valueAt = (xs: readonly Float32Array[]): number => {
    for (const [i, x] of leaves.entries()) assign(x, xs[i]!);
    return dot(noGrad(f).data, upstream);
  };
  const difference = (h: number): [number, number] => {
    // The exact derivative uses the movement after rounding to float32.
    const [ahead, behind] = [moved(h), moved(-h)];
    const exact = slopes.reduce(
      (sum, dx, i) =>
        sum +
        dot(
          dx,
          Float64Array.from(ahead[i]!, (v, j) => v - behind[i]![j]!),
        ),
      0,
    );
    return [exact / (2 * h), (valueAt(ahead) - valueAt(behind)) / (2 * h)];
  };
  const [wide, narrow] = [difference(1 / 128), difference(1 / 256)];
  for (const [i, x] of leaves.entries()) assign(x, before[i]!);
  const [exact, numeric] = [0, 1].map((side) => (4 * narrow[side]! - wide[side]!) / 3) as [number, number];
  const terms = Math.sqrt(slopes.reduce((sum, dx, i) => sum + dx.reduce((s, d, j) => s + (d * directions[i]![j]!) ** 2, 0), 0));
  // Relative to the terms if they cancel.
  return Math.abs(exact - numeric) / Math.max(Math.abs(exact), Math.abs(numeric), 0.1 * terms);
}

function dot(a: Float32Array, b: Float32Array | Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}
